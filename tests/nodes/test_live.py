"""Live pictures: what the page sees is what a run gives, and nothing but what ran here can be asked for."""

import io
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from ..host import Prompt
from .prompts import inject, node, sampler
from .test_latent import TINY, generator_node

MASKS = "0-3; hair: 2,4@0.5; 5@0>1"


def painted(**inputs: object) -> Prompt:
    return {
        "generator": generator_node(TINY),
        "faces": sampler(["generator", 0], batch_size=2),
        "style": sampler(["generator", 0], seed=100),
        "inject": inject(["faces", 1], ["style", 1], "1", **inputs),
        "masks": inject(["faces", 1], ["style", 1], MASKS, **inputs),
        "decode": node("StyleMixDecode", generator=["generator", 0], latent=["masks", 0], noise_mode="const"),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="live"),
        "once": node("StyleMixDecode", generator=["generator", 0], latent=["inject", 0], noise_mode="const"),
        "also": node("SaveImage", images=["once", 0], filename_prefix="once"),
    }


def ask(host, body: bytes, **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer."""
    request = urllib.request.Request(f"{host.url}/stylemix/live", body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def wished(name: str, mask_list: str | None, **more: object) -> bytes:
    return json.dumps({"name": name, "mask_list": mask_list, **more}).encode()


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(params=["W+", "channels"])
def ran(request, host):
    """A run, the name that the page got of it, and what draws live."""
    given = {"space": request.param}
    if request.param == "channels":
        given |= {"region": ["region", 0], "generator": ["generator", 0]}
    prompt = painted(**given) | {"region": node("SolidMask", value=1.0, width=24, height=16)}
    run = host.run(prompt)
    assert not run.errors
    (name,) = run.shown["inject"]["stylemix_live"]
    if hasattr(host, "url"):

        def draw(mask_list, **more):
            status, body = ask(host, wished(name, mask_list, **more))
            assert status == 200, body
            return body
    else:
        live = host.module("nodes.live")

        def draw(mask_list, **more):
            return live.picture(live.Wish(name, mask_list, **more))[0]

    return run, name, draw


def test_live_pictures_are_those_of_a_run(ran):
    run, _, draw = ran
    made = [np.asarray(picture.convert("RGB")) for picture in run.pictures["save"]]
    for row in range(3):  # of the first source
        assert np.array_equal(pixels(draw(MASKS, row=row)), made[row])
    (first, _) = (np.asarray(picture.convert("RGB")) for picture in run.pictures["also"])
    assert np.array_equal(pixels(draw("1")), first)
    assert np.array_equal(pixels(draw("1@0.5", alpha=3)), pixels(draw("1", alpha=0.5)))
    assert np.array_equal(pixels(draw("none")), pixels(draw(None)))


def test_what_ran_is_forgotten_with_comfyuis_cache(stand_in):
    run = stand_in.run(painted())
    live = stand_in.module("nodes.live")
    (name,) = run.shown["inject"]["stylemix_live"]
    assert live.picture(live.Wish(name, "1"))[1] == 32
    del run
    stand_in.forget()
    with pytest.raises(live.Nothing, match="not in the server's memory any more"):
        live.picture(live.Wish(name, "1"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff\x00",
        b"[" * 60_000,
        b'{"name": 3, "mask_list": "1"}',
        b'{"name": "a"}',
        b'{"name": "a", "mask_list": "1", "alpha": "2"}',
        b'{"name": "a", "mask_list": "1", "row": true}',
        b'{"name": "a", "mask_list": "1", "path": "/etc/passwd"}',
    ],
)
def test_what_is_no_wish_is_refused(stand_in, body):
    live = stand_in.module("nodes.live")
    with pytest.raises(live.Refused) as refused:
        live.Wish.of(body)
    assert refused.value.status == 400


def test_masks_that_cannot_be_read_show_nothing(stand_in):
    live = stand_in.module("nodes.live")
    (name,) = (run := stand_in.run(painted())).shown["inject"]["stylemix_live"]
    assert not run.errors
    for wish, message in (
        (live.Wish(name, "hair: 99"), "layer 99"),
        (live.Wish(name, "1", row=1), "there is no mask 2; the list has 1"),
        (live.Wish(name, "1", row=-1), "there is no mask 0"),
        (live.Wish(name, "1", alpha=float("nan")), "strength"),
    ):
        with pytest.raises(live.Nothing, match=message):
            live.picture(wish)


def test_nothing_is_drawn_of_a_network_that_a_prompt_moves(stand_in, monkeypatch):
    live = stand_in.module("nodes.live")
    (name,) = (run := stand_in.run(painted())).shown["inject"]["stylemix_live"]
    assert not run.errors

    def on_its_way(*_):
        raise RuntimeError("Expected all tensors to be on the same device")

    monkeypatch.setattr(live, "glimpse", on_its_way)
    with pytest.raises(RuntimeError, match="same device"):
        live.picture(live.Wish(name, "1"))
    monkeypatch.setattr(live.host, "busy", lambda: True)
    with pytest.raises(live.Nothing, match="a prompt runs"):
        live.picture(live.Wish(name, "1"))


def test_a_server_refuses_strangers_floods_and_what_is_too_large(real_comfy):
    run = real_comfy.run(painted())
    wish = wished(run.shown["inject"]["stylemix_live"][0], "1")
    assert ask(real_comfy, wish)[0] == 200
    assert ask(real_comfy, wish, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask(real_comfy, wish, Origin="https://example.com")[0] == 403
    assert ask(real_comfy, wish + b" " * 70_000)[0] == 413
    assert b"not in the server's memory" in ask(real_comfy, wished("x" * 22, "1"))[1]
    with ThreadPoolExecutor(20) as pool:
        answers = [*pool.map(lambda _: ask(real_comfy, wish), range(300))]
    assert {status for status, _ in answers} == {200}
    drawn = [body for _, body in answers if body.startswith(b"\x89PNG")]
    assert drawn and all(b"a newer request came" in body for _, body in answers if body not in drawn)
