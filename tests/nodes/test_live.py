"""Live pictures: what the page sees is what a run gives, and nothing but what ran here can be asked for."""

import asyncio
import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable
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


def ask(host, body: bytes | None, route: str = "live", **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer to a POST; to a GET without a body."""
    request = urllib.request.Request(f"{host.url}/stylemix/{route}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def wished(name: str, values: dict[str, object] | None) -> bytes:
    return json.dumps({"name": name, "values": values}).encode()


def drawer(host, name: str) -> Callable[..., np.ndarray]:
    """Draws what values of a node that ran would give; None for the source."""

    def draw(values: dict[str, object] | None) -> np.ndarray:
        if not hasattr(host, "url"):
            live = host.module("nodes.live")
            return pixels(live.picture(live.Wish(name, values))[0])
        status, body = ask(host, wished(name, values))
        assert status == 200, body
        return pixels(body)

    return draw


def pixels(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as picture:
        assert picture.format in ("WEBP", "PNG")
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
    return run, name, drawer(host, name)


def test_live_pictures_are_those_of_a_run(ran):
    run, _, draw = ran
    made = pictures(run, "save")
    for row in range(3):  # of the first source
        assert np.array_equal(draw({"mask_list": MASKS, "row": row}), made[row])
    (first, _) = pictures(run, "also")
    assert np.array_equal(draw({"mask_list": "1"}), first)
    assert np.array_equal(
        draw({"mask_list": "1@0.5", "alpha": 3}), draw({"mask_list": "1", "alpha": 0.5, "seed": 4})
    )
    assert np.array_equal(draw({"mask_list": "none"}), draw(None))


def pictures(run, saved: str) -> list[np.ndarray]:
    return [np.asarray(picture.convert("RGB")) for picture in run.pictures[saved]]


def saved(name: str, codes: list[object]) -> Prompt:
    """Nodes that draw codes and save the pictures under a name."""
    return {
        f"{name} by": node("StyleMixDecode", generator=["generator", 0], latent=codes, noise_mode="const"),
        name: node("SaveImage", images=[f"{name} by", 0], filename_prefix="live"),
    }


SLID = {
    "blend": (
        node("StyleMixBlendLatent", a=["faces", 1], b=["style", 1], weight=0.25),
        {"weight": 0.5},
    ),
    "truncate": (
        node(
            "StyleMixTruncateLatent",
            generator=["generator", 0],
            latent=["faces", 1],
            truncation_psi=0.5,
            truncation_cutoff=-1,
        ),
        {"truncation_psi": -0.2, "truncation_cutoff": 3},
    ),
    "direction": (
        node(
            "StyleMixApplyDirection",
            latent=["faces", 1],
            directions=["directions", 0],
            direction="1",
            strength=2.0,
            mask_list="",
        ),
        {"strength": -1.5, "direction": "2", "mask_list": "0-3"},
    ),
}


@pytest.mark.parametrize("slid", SLID)
def test_sliders_show_live_what_a_run_gives(host, slid):
    changed, others = SLID[slid]
    prompt = {
        "generator": generator_node(TINY),
        "faces": sampler(["generator", 0], batch_size=2),
        "style": sampler(["generator", 0], seed=100),
        "directions": node(
            "StyleMixFindDirections",
            generator=["generator", 0],
            method="SeFa",
            count=4,
            layers="all",
            samples=512,
            seed=0,
        ),
        "changed": changed,
        "otherwise": {**changed, "inputs": changed["inputs"] | others},
    }
    for name, codes in (
        ("faces", ["faces", 1]),
        ("changed", ["changed", 0]),
        ("otherwise", ["otherwise", 0]),
    ):
        prompt |= saved(f"{name} drawn", codes)
    run = host.run(prompt)
    assert not run.errors
    draw = drawer(host, run.shown["changed"]["stylemix_live"][0])
    assert np.array_equal(draw(None), pictures(run, "faces drawn")[0])
    assert np.array_equal(draw({}), pictures(run, "changed drawn")[0])
    assert np.array_equal(draw(others), pictures(run, "otherwise drawn")[0])
    assert not np.array_equal(draw({}), draw(others))


WALKS = {
    "walk": node(
        "StyleMixLatentWalk",
        generator=["generator", 0],
        latent=["faces", 1],
        frames=3,
        curve="linear",
        speed="even",
        loop=False,
        hold=0,
        ease="none",
    ),
    "random": node(
        "StyleMixRandomWalk",
        generator=["generator", 0],
        seed=0,
        frames=4,
        smooth=1.0,
        truncation_psi=0.7,
        truncation_cutoff=-1,
        class_label=-1,
        loop=True,
    ),
}


def test_every_frame_of_a_walk_can_be_seen(host):
    prompt = {"generator": generator_node(TINY), "faces": sampler(["generator", 0], batch_size=2)} | WALKS
    for name in WALKS:
        prompt |= saved(f"{name} drawn", [name, 0])
    run = host.run(prompt)
    assert not run.errors
    for name in WALKS:
        made, shown = pictures(run, f"{name} drawn"), run.shown[name]
        assert shown["stylemix_frames"] == [len(made)] == [4]
        draw = drawer(host, shown["stylemix_live"][0])
        assert all(np.array_equal(draw({"frame": frame}), made[frame]) for frame in range(4))


def test_every_face_of_a_batch_can_be_seen(host):
    prompt = {
        "generator": generator_node(TINY),
        "faces": sampler(["generator", 0], batch_size=2),
        "joined": node("StyleMixLatentBatch", a=["faces", 1], b=["faces", 1]),
        "picked": node("StyleMixLatentFromBatch", latent=["joined", 0], index=1, length=2),
    }
    run = host.run(prompt | saved("joined drawn", ["joined", 0]) | saved("picked drawn", ["picked", 0]))
    assert not run.errors
    for name, count in (("joined", 4), ("picked", 2)):
        made, shown = pictures(run, f"{name} drawn"), run.shown[name]
        assert shown["stylemix_frames"] == [len(made)] == [count]
        draw = drawer(host, shown["stylemix_live"][0])
        assert all(np.array_equal(draw({"frame": frame}), made[frame]) for frame in range(count))


def test_what_ran_is_forgotten_with_comfyuis_cache(stand_in):
    walks = saved("walked", ["walk", 0]) | saved("wandered", ["random", 0])
    run = stand_in.run(painted() | WALKS | walks)
    live = stand_in.module("nodes.live")
    names = [run.shown[each]["stylemix_live"][0] for each in ("inject", "walk", "random")]
    for name in names:
        assert live.picture(live.Wish(name, {}))[2] == 32
    del run
    stand_in.forget()
    for name in names:
        with pytest.raises(live.Nothing, match="not in the server's memory any more"):
            live.picture(live.Wish(name, {}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff\x00",
        b"[" * 60_000,
        b'{"name": 3, "values": {}}',
        b'{"name": "a"}',
        b'{"name": "a", "values": [1]}',
        b'{"name": "a", "values": {}, "path": "/etc/passwd"}',
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
    for values, message in (
        ({"mask_list": "hair: 99"}, "layer 99"),
        ({"mask_list": "1", "row": 1}, "there is no mask 2; the list has 1"),
        ({"mask_list": "1", "row": -1}, "there is no mask 0"),
        ({"mask_list": "1", "alpha": 9.0}, "strength"),
    ):
        with pytest.raises(live.Nothing, match=message):
            live.picture(live.Wish(name, values))


@pytest.mark.parametrize(
    "values",
    [
        {"alpha": "2"},
        {"row": True},
        {"seed": 0.5},
        {"path": "a"},
        {"path": None},
        {"alpha": float("nan")},
        {"alpha": 10**400},
    ],
)
def test_values_that_a_node_cannot_have_are_refused(stand_in, values):
    live = stand_in.module("nodes.live")
    (name,) = (run := stand_in.run(painted())).shown["inject"]["stylemix_live"]
    assert not run.errors
    with pytest.raises(live.Refused, match="cannot be that") as refused:
        live.picture(live.Wish(name, values))
    assert refused.value.status == 400


def test_nothing_is_drawn_of_a_network_that_a_prompt_moves(stand_in, monkeypatch):
    live = stand_in.module("nodes.live")
    (name,) = (run := stand_in.run(painted())).shown["inject"]["stylemix_live"]
    assert not run.errors

    def on_its_way(*_):
        raise RuntimeError("Expected all tensors to be on the same device")

    monkeypatch.setattr(live, "glimpse", on_its_way)
    with pytest.raises(RuntimeError, match="same device"):
        live.picture(live.Wish(name, {"mask_list": "1"}))
    monkeypatch.setattr(live.host, "busy", lambda: True)
    with pytest.raises(live.Nothing, match="a prompt runs"):
        live.picture(live.Wish(name, {"mask_list": "1"}))


def test_a_server_refuses_strangers_floods_and_what_is_too_large(real_comfy):
    run = real_comfy.run(painted())
    wish = wished(run.shown["inject"]["stylemix_live"][0], {"mask_list": "1"})
    assert ask(real_comfy, wish)[0] == 200
    assert ask(real_comfy, wish, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask(real_comfy, wish, Origin="https://example.com")[0] == 403
    assert ask(real_comfy, wish + b" " * 70_000)[0] == 413
    assert b"not in the server's memory" in ask(real_comfy, wished("x" * 22, {}))[1]
    with ThreadPoolExecutor(20) as pool:
        answers = [*pool.map(lambda _: ask(real_comfy, wish), range(300))]
    assert {status for status, _ in answers} == {200}
    drawn = [body for _, body in answers if body[:4] in (b"RIFF", b"\x89PNG")]
    assert drawn and all(b"a newer request came" in body for _, body in answers if body not in drawn)


class Arriving:
    """A request whose body comes in pieces."""

    def __init__(self, *pieces: bytes):
        self.headers, self.content, self.pieces = {}, self, [*pieces]

    async def read(self, most: int) -> bytes:
        return self.pieces.pop(0)[:most] if self.pieces else b""


def test_requests_may_come_in_pieces(stand_in):
    page = stand_in.module("nodes.page")
    whole = wished("run", {"mask_list": "1"})
    assert asyncio.run(page.body_of(Arriving(whole[:3], whole[3:20], whole[20:]))) == whole
    with pytest.raises(page.Refused, match="at most") as refused:
        asyncio.run(page.body_of(Arriving(*[b" " * 1000] * page.MOST_BYTES)))
    assert refused.value.status == 413
