"""Files and folders dropped on the canvas of ComfyUI's own front ends."""

import shutil

import numpy as np
import pytest
from PIL import Image

from stylemix_core.checkpoints import DEMO

pytestmark = [pytest.mark.real, pytest.mark.browser]

NODES = "app.graph._nodes.map(n => [n.type, n.widgets.find(w => ['file', 'image'].includes(w.name)).value])"


def drop(tab, *paths) -> None:
    """Drop them on a free place of the canvas, as a file manager does."""
    session = tab.context.new_cdp_session(tab)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 400, "data": data})


@pytest.fixture
def empty(page):
    """An empty canvas; what a test has uploaded is taken away after it."""
    page.page.evaluate("app.graph.clear()")
    page.problems.clear()
    folder = page.server.base / "input"
    before = set(folder.iterdir())
    yield page
    for added in set(folder.iterdir()) - before:
        shutil.rmtree(added) if added.is_dir() else added.unlink()


def test_a_folder_of_faces_becomes_their_loaders(empty, tmp_path, screenshots):
    folder = tmp_path / "my faces"
    folder.mkdir()
    np.save(folder / "anna.npy", np.zeros((1, 14, 64), np.float32))
    (folder / "bob.safetensors").write_bytes((DEMO / "bob.safetensors").read_bytes())
    Image.new("RGB", (64, 64), "red").save(folder / "photo.png")
    (folder / "notes.txt").write_text("not for nodes")
    drop(empty.page, folder)
    empty.page.wait_for_function("app.graph._nodes.length === 3")
    assert empty.page.evaluate(NODES) == [
        ["StyleMixLoadLatent", "my faces/anna.npy"],
        ["StyleMixLoadLatent", "my faces/bob.safetensors"],
        ["LoadImage", "my faces/photo.png"],
    ]
    empty.screenshot(screenshots / f"dropped, {empty.name}.png")
    assert not empty.problems


def test_a_file_that_holds_no_codes_is_named(empty, tmp_path):
    (tmp_path / "nothing.pt").write_bytes(b"nothing")
    drop(empty.page, tmp_path / "nothing.pt")
    empty.page.get_by_text("nothing.pt is neither", exact=False).first.wait_for()
    assert empty.page.evaluate("app.graph._nodes.length") == 0
