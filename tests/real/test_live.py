"""Live pictures below the mask grid, in ComfyUI's own front ends."""

import io
import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import stylemix_core as sm
from stylemix_core.checkpoints import DEMO

from . import browser
from .widget import INJECT, LIVE_PICTURES, Widget, drawn_workflow, node

pytestmark = [pytest.mark.real, pytest.mark.browser]


@pytest.fixture(autouse=True)
def fresh_page_afterwards(page):
    """What ran here would be seen live by other tests' nodes of the same ids."""
    yield
    page.page.reload()
    page.page.wait_for_function(browser.READY, timeout=60000)
    page.page.wait_for_timeout(1000)


def shown(widget: Widget) -> list[np.ndarray]:
    """The source and the result as they are seen, when nothing is asked for any more."""
    before: list = []
    for _ in range(100):
        now = widget.tab.evaluate(
            "selector => [...document.querySelectorAll(selector)].map(each =>"
            " each.complete && each.naturalWidth && each.offsetParent ? each.src : '')",
            LIVE_PICTURES,
        )
        if all(now) and now == before and not widget.page.asking:
            break
        before = now
        widget.tab.wait_for_timeout(300)
    else:
        raise AssertionError(f"the live pictures do not come to rest: {before}")
    return pixels(widget)


def pixels(widget: Widget) -> list[np.ndarray]:
    """The source and the result; black where there is none."""
    pictures = widget.tab.evaluate(
        """selector => [...document.querySelectorAll(selector)].map(picture => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [picture.naturalWidth || 1, picture.naturalHeight || 1];
            canvas.getContext("2d").drawImage(picture, 0, 0);
            return canvas.toDataURL("image/png").split(",")[1];
        })""",
        LIVE_PICTURES,
    )
    return [np.asarray(Image.open(io.BytesIO(b64decode(each))).convert("RGB")) for each in pictures]


def result(widget: Widget, place: int = 0) -> np.ndarray:
    """What the last run has drawn."""
    return np.asarray(widget.page.server.picture(**widget.page.pictures(5)[place]))


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether pictures are the same, but for levels that round otherwise: matrix products may use fewer threads on a
    busy machine."""
    return np.abs(one.astype(int) - other).max() <= 1


def test_a_node_is_saved_without_its_live_pictures(widget):
    def heights() -> list[float]:
        return widget.js("return [node.size[1], node.serialize().size[1]]")

    widget.load(drawn_workflow("0; 4-5"), "saved")
    widget.run()
    before, saved = heights()
    assert saved == before
    widget.tab.mouse.move(*widget.place(1, 9))
    shown(widget)
    grown, saved = heights()
    assert grown > before + 150 and saved == before


def test_a_node_that_leaves_gives_back_what_it_shows(widget):
    """Pages keep nodes that are gone: an undo makes others in their places."""
    widget.load(drawn_workflow("0; 4-5"), "leaving")
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    before = shown(widget)
    left = widget.js(
        """const grid = node.widgets.find(({ name }) => name === "mask_grid").element;
        const urls = [...grid.querySelectorAll("img")].map(({ src }) => src);
        const { graph } = node;
        const there = () => Promise.all(urls.map((src) => new Promise((tell) => {
            const picture = new Image();
            Object.assign(picture, { onload: () => tell(true), onerror: () => tell(false), src });
        })));
        return there().then((before) => {
            graph.remove(node);
            const cells = grid.querySelectorAll("[data-layer]").length;
            graph.add(node);
            return there().then((after) => [before, after, cells]);
        });"""
    )
    assert left == [[True, True], [False, False], 0]
    widget.settle()
    assert widget.grid().locator("[data-layer]").count() == 28
    widget.tab.mouse.move(*widget.place(1, 9))
    assert all(alike(now, then) for now, then in zip(shown(widget), before, strict=True))


def test_what_is_painted_is_seen_at_once_and_is_what_a_run_gives(widget, screenshots):
    widget.load(drawn_workflow("0; 4-5"), "live")
    widget.view()
    assert not widget.tab.locator(LIVE_PICTURES).first.is_visible()
    widget.run()
    assert not widget.tab.locator(LIVE_PICTURES).first.is_visible()  # takes no room until somebody comes
    widget.tab.mouse.move(*widget.place(1, 9))
    source, before = shown(widget)
    assert alike(before, result(widget, 1))
    widget.click(1, 8)
    _, painted = shown(widget)
    assert not np.array_equal(painted, before)
    widget.tab.locator(".stylemix-index").nth(5).hover()
    _, layer = shown(widget)
    assert widget.grid().locator(".stylemix-live-caption").nth(1).inner_text() == "layer 5 alone"
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    again, live = shown(widget)
    assert np.array_equal(again, source) and np.array_equal(live, painted)
    assert alike(live, result(widget, 1))
    widget.page.screenshot(screenshots / f"live, {widget.page.name}.png")
    widget.click(0, 3)  # the keys go to the grid
    widget.tab.keyboard.down("s")
    covered, source_again = shown(widget)
    assert np.array_equal(covered, source_again)
    widget.tab.keyboard.up("s")
    assert not np.array_equal(*shown(widget))
    widget.set_text("5")
    assert np.array_equal(shown(widget)[1], layer)
    widget.set_text("none")
    assert np.array_equal(shown(widget)[1], source)


def test_a_click_is_seen_as_soon_as_it_is_pressed(widget):
    widget.load(drawn_workflow("0; 4-5"), "pressed")
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    _, before = shown(widget)
    mouse = widget.tab.mouse
    mouse.move(*widget.place(1, 8))
    mouse.down()
    _, pressed = shown(widget)
    assert not np.array_equal(pressed, before)
    assert widget.text == "0; 4-5"
    widget.tab.keyboard.press("Escape")
    assert np.array_equal(shown(widget)[1], before)
    mouse.up()
    assert widget.text == "0; 4-5"
    widget.click(1, 8)
    assert widget.text == "0; 4-5, 8"
    assert np.array_equal(shown(widget)[1], pressed)


def test_a_preset_that_is_added_is_seen_at_once(widget):
    widget.load(drawn_workflow("0; 4-5"), "added")
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    _, before = shown(widget)
    widget.preset("Hair colour", extra=True)
    _, added = shown(widget)
    assert widget.grid().locator(".stylemix-live-caption").nth(1).inner_text() == "hair colour"
    assert not np.array_equal(added, before)


def slid_workflow(kind: str, inputs: list, values: list) -> dict:
    """The same workflow with another node in InjectW+'s place."""
    content = drawn_workflow("1")
    place = content["nodes"][INJECT - 1]
    latent = "STYLEMIX_LATENT"
    changed = node(INJECT, kind, [400, 0], inputs, [("latent", latent, [5])], values, (300, 120))
    content["nodes"][INJECT - 1] = changed | {"order": place["order"]}
    return content


def test_a_slider_shows_at_once_what_it_gives(widget, screenshots):
    inputs = [("a", "STYLEMIX_LATENT", 2), ("b", "STYLEMIX_LATENT", 3)]
    widget.load(slid_workflow("StyleMixBlendLatent", inputs, [0.25]), "slid")
    widget.run()
    before = widget.js("return node.size[1]")
    assert not widget.tab.locator(LIVE_PICTURES).first.is_visible()
    weight = widget.slide("weight")
    assert weight > 0.3
    _, slid = shown(widget)
    caption = widget.tab.locator(".stylemix-live-caption").nth(1).inner_text()
    assert caption == f"weight {weight:.2f}".rstrip("0")
    assert not alike(slid, result(widget))
    grown, saved = widget.js("return [node.size[1], node.serialize().size[1]]")
    assert grown > before + 150 and saved == pytest.approx(before, abs=1)
    widget.page.screenshot(screenshots / f"slider, {widget.page.name}.png")
    widget.run()
    assert alike(slid, result(widget))


def test_a_walk_is_scrubbed_through(widget, screenshots):
    inputs = [("generator", "STYLEMIX_GENERATOR", None), ("latent", "STYLEMIX_LATENT", 2)]
    content = slid_workflow("StyleMixLatentWalk", inputs, [6, "linear", "even", True, 0, "none"])
    content["links"].append([8, 1, 0, INJECT, 0, "STYLEMIX_GENERATOR"])
    content["links"][2] = [3, 6, 1, INJECT, 1, "STYLEMIX_LATENT"]
    content["nodes"][INJECT - 1]["inputs"][0]["link"] = 8
    content["nodes"][INJECT - 1]["inputs"][1]["link"] = 3
    content["nodes"][0]["outputs"][0]["links"].append(8)
    content["nodes"][1]["outputs"][1]["links"] = []
    content["links"].pop(1)
    content["nodes"][5]["widgets_values"][2] = 2  # two keyframes
    widget.load(content, "scrubbed")
    scrub = widget.tab.locator(".stylemix-scrub")
    assert not scrub.is_visible()
    widget.run()
    scrub.fill("10")
    first, frame = shown(widget)
    assert alike(frame, result(widget, 9)) and alike(first, result(widget, 0))
    assert widget.tab.locator(".stylemix-live-caption").nth(1).inner_text() == "frame 10 of 12"
    widget.page.screenshot(screenshots / f"scrubbed, {widget.page.name}.png")


def test_faces_of_a_batch_are_looked_through(widget, screenshots):
    inputs = [("a", "STYLEMIX_LATENT", 2), ("b", "STYLEMIX_LATENT", 3)]
    widget.load(slid_workflow("StyleMixLatentBatch", inputs, []), "batch")
    scrub = widget.tab.locator(".stylemix-scrub")
    assert not scrub.is_visible()
    widget.run()
    scrub.fill("2")
    caption = widget.tab.locator(".stylemix-live-caption").nth(1)
    widget.tab.wait_for_function("document.querySelectorAll('.stylemix-live-caption')[1]?.textContent")
    assert caption.inner_text() == "face 2 of 2"
    pictures = widget.tab.locator(LIVE_PICTURES)
    assert [pictures.nth(place).is_visible() for place in (0, 1)] == [False, True]
    assert alike(pixels(widget)[1], result(widget, 1))
    widget.page.screenshot(screenshots / f"batch, {widget.page.name}.png")


def test_a_single_face_is_shown_when_asked_for(widget):
    inputs = [("latent", "STYLEMIX_LATENT", 2)]
    content = slid_workflow("StyleMixLatentFromBatch", inputs, [0, 1])
    content["links"] = [link for link in content["links"] if link[0] != 3]
    content["nodes"][5]["outputs"][1]["links"] = []
    widget.load(content, "single")
    opener = widget.tab.get_by_role("button", name="show the face")
    assert not opener.is_visible()
    widget.run()
    opener.click()
    opener.wait_for(state="hidden")
    assert alike(pixels(widget)[1], result(widget))


def test_what_a_picture_needs_is_said(widget):
    codes = replace(sm.load_latents(DEMO / "bob.safetensors"), generator="nobody's")
    sm.save_latents(widget.page.server.base / "input/nobodys.safetensors", codes)
    latent = "STYLEMIX_LATENT"
    values = ["nobodys.safetensors", -1]
    load = node(INJECT, "StyleMixLoadLatent", [0, 0], [], [("latent", latent, [1])], values, (300, 400))
    save = node(4, "StyleMixSaveLatent", [500, 0], [("latent", latent, 1)], [], ["kept", "safetensors"])
    content = drawn_workflow("0") | {"nodes": [load, save], "links": [[1, INJECT, 0, 4, 0, latent]]}
    widget.load(content, "undrawn")
    widget.run()
    widget.tab.get_by_role("button", name="show the face").click()
    widget.tab.get_by_text("run the workflow with a StyleGAN2Decode").wait_for()


def test_arrows_are_drawn_on_a_face(widget, screenshots):
    """And what they ask for is done by the next run."""
    inputs = [("generator", "STYLEMIX_GENERATOR", 8), ("latent", "STYLEMIX_LATENT", 2)]
    content = slid_workflow("StyleMixDrag", inputs, ["0.5, 0.58 > 0.5, 0.58", "0-5", 30])
    content["nodes"][INJECT - 1]["outputs"] += [{"name": "image", "type": "IMAGE", "links": []}]
    content["links"][1][4], content["links"][2:3] = 1, [[8, 1, 0, INJECT, 0, "STYLEMIX_GENERATOR"]]
    content["nodes"][0]["outputs"][0]["links"].append(8)
    content["nodes"][5]["outputs"][1]["links"] = []
    content["last_link_id"] = 8
    widget.load(content, "dragged")
    picture = widget.tab.locator(".stylemix-drag-picture")
    assert not picture.is_visible()
    widget.run()
    picture.wait_for(state="visible")
    before = result(widget)
    box = widget.tab.locator(".stylemix-drag svg").bounding_box()
    assert box["width"] == pytest.approx(box["height"]) and box["height"] > 200

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    widget.drag(at(0.3, 0.4), at(0.3, 0.6))
    points = "return node.widgets.find(w => w.name === 'points').value"
    assert widget.js(points).count(">") == 2
    widget.tab.mouse.click(*at(0.3, 0.6), button="right")
    assert widget.js(points) == "0.5, 0.58 > 0.5, 0.58"  # what stays is written as it was
    widget.drag(at(0.5, 0.58), at(0.55, 0.58))
    x, y, to_x, to_y = map(float, re.findall(r"[\d.]+", widget.js(points)))
    assert (x, y, to_x, to_y) == pytest.approx((0.5, 0.58, 0.55, 0.58), abs=0.01)
    widget.page.screenshot(screenshots / f"arrows, {widget.page.name}.png")
    widget.run()
    after = result(widget)
    assert np.abs(after.astype(int) - before).mean() > 2
    assert widget.page.problems == []
