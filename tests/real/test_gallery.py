"""The gallery in the sidebar of ComfyUI's own front ends."""

import json

import pytest

from stylemix_core.checkpoints import DEMO

pytestmark = [pytest.mark.real, pytest.mark.browser]

LOADERS = "app.graph._nodes.filter(n => n.type === 'StyleMixLoadLatent')"


def opener(page):
    """The sidebar's button."""
    return page.page.locator("button").filter(has_text="StyleMix").first


@pytest.fixture
def saved(page):
    """Two files of the output folder, one with a picture beside it."""
    folder = page.server.base / "output" / "gallery"
    folder.mkdir()
    for name in ("anna", "berta"):
        (folder / f"{name}.safetensors").write_bytes((DEMO / "bob.safetensors").read_bytes())
    tab = page.page
    tab.evaluate("app.graph.clear()")
    yield folder
    opener(page).click()  # closes it
    for path in [*folder.iterdir(), *(page.server.base / "output" / "stylemix_trash").glob("*")]:
        path.unlink()
    folder.rmdir()


def test_faces_are_chosen_by_picture(page, saved, screenshots):
    tab = page.page
    page.problems.clear()
    opener(page).click()
    gallery = tab.locator(".stylemix-gallery")
    cards = gallery.locator(".stylemix-gallery-card")
    gallery.get_by_text("anna").wait_for()
    assert "bob haircut (bundled)" in cards.first.inner_text()
    assert cards.first.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

    gallery.get_by_label("berta: favourite").click()
    assert "berta" in cards.first.inner_text()
    page.screenshot(screenshots / f"gallery, {page.name}.png")
    gallery.get_by_label("Search by name").fill("ANN")
    assert cards.count() == 1

    cards.first.drag_to(tab.locator("#graph-canvas"), target_position={"x": 900, "y": 400})
    tab.wait_for_function(f"{LOADERS}.length === 1")
    assert tab.evaluate(f"{LOADERS}[0].widgets[0].value") == "gallery/anna.safetensors [output]"
    gallery.get_by_label("Search by name").fill("")
    gallery.get_by_text("bob haircut (bundled)").click()
    tab.wait_for_function(f"{LOADERS}.length === 2")
    assert tab.evaluate(f"{LOADERS}[1].widgets[0].value") == "bob haircut (bundled)"
    gallery.get_by_text("berta").click()  # does not change the loader that lies there
    tab.wait_for_function(f"{LOADERS}.length === 3")
    assert tab.evaluate(f"{LOADERS}[1].widgets[0].value") == "bob haircut (bundled)"

    anna = cards.filter(has_text="anna")
    anna.get_by_label("anna: more").click()
    tab.get_by_role("menuitem", name="Rename").click()
    gallery.get_by_label("Rename").fill("my face")
    gallery.get_by_label("Rename").press("Enter")
    gallery.get_by_text("my_face").wait_for()
    assert {path.name for path in saved.iterdir()} == {"berta.safetensors", "my_face.safetensors"}
    gallery.get_by_label("my_face: more").click()
    tab.get_by_role("menuitem", name="Throw away").click()
    gallery.get_by_text("my_face").wait_for(state="detached")
    trash = page.server.base / "output" / "stylemix_trash"
    assert [path.name for path in trash.iterdir()] == ["my_face.safetensors"]
    assert json.dumps(page.problems) == "[]"


def test_newcomers_find_their_first_workflow(page):
    tab = page.page
    page.problems.clear()
    opener(page).click()
    tab.get_by_role("button", name="New here?").click()
    tab.wait_for_function("app.graph._nodes.some(node => node.title === 'The mixed face')")
    assert tab.evaluate("app.graph._nodes.length") == 7
    opener(page).click()  # closes it
    assert json.dumps(page.problems) == "[]"
