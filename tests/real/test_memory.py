"""How the pack lives with ComfyUI's model management, on a real server."""

import re
import time

import numpy as np
import pytest

from stylemix_core.checkpoints import native

from .. import builders
from ..conftest import OBSERVER, add_tiny_models
from ..nodes.prompts import experiment, find_prompt, node, sampler
from ..nodes.test_workflow import pixels
from .server import RUN_SECONDS, RealComfy

pytestmark = pytest.mark.real

MEGABYTE = 2**20
PICTURE_BYTES = 32 * 32 * 6 * 32 * 4
"""What a pass of the tiny generator asks for each picture."""


@pytest.fixture
def server(real_comfy):
    return real_comfy


@pytest.fixture
def observe(server):
    """Starts observing, and leaves the server with memory again."""

    def start(**settings):
        server.post("/observer", settings)

    yield start
    start()


def faces(checkpoint: str = "tiny.safetensors", **sampling) -> dict:
    return {
        "generator": node("StyleMixLoadGenerator", checkpoint=checkpoint, dtype="float32"),
        "faces": sampler(["generator", 0], **sampling),
        "save": node("SaveImage", images=["faces", 0], filename_prefix="faces"),
    }


def pictures(server, **sampling) -> np.ndarray:
    run = server.run(faces(**sampling))
    assert not run.errors
    return pixels(run.pictures["save"])


def seen(server, kind: str) -> list:
    return server.get("/observer").get(kind, [])


def test_prompts_in_a_row_read_the_file_once(server, observe):
    server.free(unload_models=True, free_memory=True)
    observe()
    for seed in (1, 2, 3):
        pictures(server, seed=seed)
    assert len(seen(server, "loads")) == 1
    assert len(seen(server, "passes")) == 6  # mapping and synthesis


def test_an_unloaded_model_comes_back_without_its_file(server, observe):
    before = pictures(server, seed=4)
    observe()
    server.free(unload_models=True)
    again = pictures(server, seed=4, truncation_psi=0.71)  # another value, or the result would be remembered
    assert seen(server, "loads") == []
    assert np.array_equal(pictures(server, seed=4), before) and not np.array_equal(again, before)


def test_a_freed_model_is_read_again_and_draws_the_same(server, observe):
    before = pictures(server, seed=5)
    observe()
    server.free(unload_models=True, free_memory=True)
    assert np.array_equal(pictures(server, seed=5), before)
    assert len(seen(server, "loads")) == 1


def test_short_memory_halves_the_batch_and_goes_on(server, observe):
    before = pictures(server, seed=60, batch_size=11)
    server.free(free_memory=True)
    observe(memory=3 * PICTURE_BYTES, batch=8)
    after = pictures(server, seed=60, batch_size=11)
    assert np.abs(after - before).max() <= 1.01
    asked = [round(memory / PICTURE_BYTES) for memory in seen(server, "passes")]
    assert asked == [8, 4, 2, 2, 2, 2, 2, 1] * 2  # mapping, then synthesis
    assert "out of memory, going on with batches of 2" in server.log_text()


def test_memory_for_not_even_one_picture_is_the_nodes_error(server, observe):
    observe(memory=PICTURE_BYTES / 2)
    run = server.run(faces(seed=61))
    assert list(run.errors) == ["faces"]
    observe()
    assert pictures(server, seed=61).shape == (1, 32, 32, 3)


def test_an_interrupted_batch_leaves_the_queue_usable(server, observe):
    before = pictures(server, seed=7)
    observe()
    long = faces("demo (bundled)", seed=100, batch_size=64)
    prompt_id = server.queue(long)["prompt_id"]
    deadline = time.monotonic() + RUN_SECONDS
    while len(seen(server, "passes")) < 64 + 2:  # all of mapping, and two of synthesis
        assert time.monotonic() < deadline
        time.sleep(0.05)
    next_id = server.queue(faces(seed=7, truncation_psi=0.7))["prompt_id"]
    server.post("/interrupt", {})
    kinds = [kind for kind, _ in server.wait(prompt_id)["status"]["messages"]]
    assert "execution_interrupted" in kinds and "execution_success" not in kinds
    entry = server.wait(next_id)
    (image,) = entry["outputs"]["save"]["images"]
    assert np.array_equal(pixels([server.picture(**image)]), before)
    assert server.get("/queue") == {"queue_running": [], "queue_pending": []}


def test_a_batch_shows_its_newest_picture(server, observe):
    observe(preview_seconds=0)
    pictures(server, checkpoint="demo (bundled)", seed=200, batch_size=3)
    messages = seen(server, "messages")
    assert [message for message in messages if message[0] == "preview"] == [["preview", 256, 256]] * 2
    assert [message for message in messages if message[0] == "progress"][-1] == ["progress", 3, 3]


def test_a_search_shows_its_best_mask_so_far(server, observe):
    observe(preview_seconds=0)
    assert not server.run(find_prompt(steps=0)).errors
    messages = seen(server, "messages")
    told = [message[1:] for message in messages if message[0] == "stylemix_progress"]
    assert {node for node, _ in told} == {"find"}
    assert re.fullmatch(r"so far: all, \d+ s left", told[2][1])
    assert re.fullmatch(r"best so far: [-\d, ]+, \d+ s left", told[-1][1])
    assert ["preview", 32, 32] in messages


def test_a_new_file_is_listed_when_the_page_asks_again(server):
    def listed() -> list[str]:
        info = server.get("/object_info/StyleMixLoadGenerator")["StyleMixLoadGenerator"]
        return info["input"]["required"]["checkpoint"][1]["options"]

    before = listed()
    path = server.base / "models/stylegan/new/arrived.safetensors"
    path.parent.mkdir()
    native.write(path, generator=builders.tiny_generator())
    assert set(listed()) - set(before) == {"new/arrived.safetensors"}
    path.unlink()
    assert listed() == before


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["", "--lowvram", "--novram", "--disable-smart-memory", "--cache-none"])
def test_memory_flags_draw_the_same_pictures(server, flag, tmp_path):
    """On a GPU the numbers are rounded otherwise than on the CPU."""
    with RealComfy(server.core, tmp_path, memory=flag, packs=(OBSERVER,)) as other:
        add_tiny_models(other)
        device = other.get("/system_stats")["devices"][0]["type"]
        expected, found = server.run(experiment("0; 1; 2-5")), other.run(experiment("0; 1; 2-5"))
        assert not found.errors
        other.free(unload_models=True, free_memory=True)
        again = other.run(experiment("0; 1; 2-5"))
    for name in ("save faces", "save style", "save results"):
        difference = np.abs(pixels(found.pictures[name]) - pixels(expected.pictures[name])).max()
        assert difference <= (0 if device == "cpu" else 2)
        assert np.array_equal(pixels(again.pictures[name]), pixels(found.pictures[name]))


@pytest.mark.slow
def test_two_hundred_queued_prompts_leave_memory_flat(server):
    def run(seeds: range) -> None:
        queued = [server.queue(experiment(seed=seed, batch_size=1))["prompt_id"] for seed in seeds]
        for prompt_id in queued:
            assert server.wait(prompt_id)["status"]["status_str"] == "success"

    run(range(20))
    before = server.memory()
    run(range(20, 220))
    growth = server.memory() - before
    print(
        f"memory after 20 prompts {before / MEGABYTE:.0f} MB, growth in 200 more {growth / MEGABYTE:.1f} MB"
    )
    assert growth < 20 * MEGABYTE
