"""The viewer of two pictures, in ComfyUI's own front ends."""

import re

import numpy as np
import pytest
from PIL import Image

from .widget import LIVE_PICTURES, drawn_workflow

pytestmark = [pytest.mark.real, pytest.mark.browser]


def test_pictures_of_a_node_are_compared(widget, screenshots):
    tab = widget.tab
    widget.load(drawn_workflow("0; 4-5"), "compared")
    widget.run()
    widget.menu_of(4, "Compare pictures…")
    viewer = tab.locator(".stylemix-compare")
    one, other = (np.asarray(widget.page.server.picture(**each)) for each in widget.page.pictures(4))
    away = np.abs(one.astype(int) - other).mean(axis=2) / 255

    assert viewer.locator("select").first.locator("option").first.inner_text() == "StyleGAN2Decode 1"
    stage = viewer.locator(".stylemix-compare-stage").bounding_box()
    y = stage["y"] + stage["height"] / 2
    widget.drag((stage["x"] + stage["width"] / 2, y), (stage["x"] + stage["width"] / 4, y))
    upper = viewer.locator(".stylemix-compare-layer").nth(1)
    assert upper.evaluate("layer => layer.style.clipPath") == "inset(0px 0px 0px 25%)"
    tab.keyboard.press("ArrowRight")
    assert upper.evaluate("layer => layer.style.clipPath") == "inset(0px 0px 0px 27%)"
    widget.page.screenshot(screenshots / f"compared, {widget.page.name}.png")

    tab.keyboard.press("3")
    told = viewer.locator(".stylemix-compare-told")
    mean, most = map(float, re.findall(r"([\d.]+) %", told.inner_text()))
    assert mean == pytest.approx(100 * away.mean(), abs=0.01)
    assert most == pytest.approx(100 * away.max(), abs=0.1)
    tab.mouse.move(stage["x"], stage["y"])
    tab.mouse.wheel(0, -100)
    moved = viewer.locator(".stylemix-compare-moved")
    assert moved.evaluate("moved => moved.style.transform") == "translate(0px, 0px) scale(1.25)"
    widget.page.screenshot(screenshots / f"difference, {widget.page.name}.png")

    tab.keyboard.press("2")
    for hidden in ("true", "false"):  # in turns
        tab.wait_for_function(f"document.querySelectorAll('.stylemix-compare-layer')[1].hidden === {hidden}")
    with tab.expect_download() as download:
        viewer.get_by_role("button", name="Save this").click()
    assert download.value.suggested_filename == "compared.png"
    viewer.get_by_role("button", name="Use as source").click()
    viewer.wait_for(state="detached")
    tab.wait_for_function("app.graph._nodes.some(n => n.type === 'LoadImage')")
    name = tab.evaluate("app.graph._nodes.find(n => n.type === 'LoadImage').widgets[0].value")
    assert name.startswith("StyleGAN2Decode 2")
    used = np.asarray(Image.open(widget.page.server.base / "input" / name).convert("RGB"))
    assert (used == other).all()


def test_a_picture_goes_into_the_hosts_own_viewer_where_it_has_one(widget):
    widget.load(drawn_workflow("0"), "viewer")
    has = widget.tab.evaluate("'ImageCompare' in LiteGraph.registered_node_types")
    entry = widget.menu_entry(4, "Compare in a node of ComfyUI")
    assert bool(entry.count()) == has
    if has:
        entry.click()
        link = "app.graph._nodes.find(n => n.type === 'ImageCompare').getInputNode(0).id"
        assert int(widget.tab.evaluate(link)) == 4


def test_a_click_on_live_pictures_shows_them_large(widget):
    widget.load(drawn_workflow("0; 4-5"), "large")
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    pictures = widget.tab.locator(LIVE_PICTURES)
    widget.tab.wait_for_function("document.querySelectorAll('.stylemix-live-caption')[1]?.textContent")
    pictures.nth(1).click()
    viewer = widget.tab.locator(".stylemix-compare")
    viewer.wait_for()
    names = viewer.locator("select").first.locator("option").all_inner_texts()
    assert names[:2] == ["source", "4-5"] and "Preview Image 2" in names
    viewer.get_by_role("button", name="Close").click()
    viewer.wait_for(state="detached")
