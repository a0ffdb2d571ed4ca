"""Sheets that are pressed, in ComfyUI's own front ends."""

import pytest

from .widget import drawn_workflow, node

pytestmark = [pytest.mark.real, pytest.mark.browser]

FIND = 7


def searched_workflow():
    """`drawn_workflow` with a search for the layers that change anything, below the others."""
    content = drawn_workflow("0")
    generator, latent = "STYLEMIX_GENERATOR", "STYLEMIX_LATENT"
    links = [[8, 1, 0, FIND, 0, generator], [9, 2, 1, FIND, 1, latent], [10, 6, 1, FIND, 2, latent]]
    inputs = [
        ("generator", generator, 8),
        ("latent", latent, 9),
        ("style", latent, 10),
        ("target_mask", "MASK", None),
        ("keep_mask", "MASK", None),
        ("encoder", "STYLEMIX_ENCODER", None),
    ]
    outputs = [("masks", "STYLEMIX_MASKS", None), ("mask_list", "STRING", None), ("sheet", "IMAGE", None)]
    values = ["everything", "anything", "nothing", 1.0, 0, 0, "auto"]
    search = node(FIND, "StyleMixFindLayers", [0, 600], inputs, outputs, values, (420, 560))
    for each in content["nodes"]:
        for output in each["outputs"]:
            new = [link for link, origin, slot, *_ in links if origin == each["id"]]
            if output["name"] in ("generator", "latent") and each["id"] in (1, 2, 6):
                output["links"] = (output["links"] or []) + new
    content["nodes"].append(search)
    content["links"] += links
    content["last_node_id"], content["last_link_id"] = FIND, 10
    return content


def test_what_is_pressed_on_a_sheet_goes_into_a_mask_list(widget, screenshots):
    tab = widget.tab
    widget.load(searched_workflow(), "searched")
    button = tab.locator(".stylemix-pick button")
    assert not button.is_visible()
    widget.run()
    widget.node = FIND
    widget.view(0.8)
    widget.page.screenshot(screenshots / f"searched, {widget.page.name}.png")
    button.click()
    sheet = tab.locator(".stylemix-picked")
    best = sheet.locator(".stylemix-pick-part").first
    mask = best.get_attribute("title").removeprefix("Layers ")
    best.hover()
    widget.page.screenshot(screenshots / f"sheet, {widget.page.name}.png")

    best.click()
    sheet.get_by_role("menuitem", name="InjectW+", exact=False).first.click()
    widget.node = 3
    assert widget.text == f"0; {mask}"
    assert mask in sheet.locator(".stylemix-pick-told").inner_text()

    sheet.get_by_label("Layers 5", exact=True).last.click()
    widget.page.screenshot(screenshots / f"pressed, {widget.page.name}.png")
    sheet.locator(".stylemix-menu-extra").click()
    assert widget.text == "5"
    tab.keyboard.press("Escape")
    sheet.wait_for(state="detached")
    tab.wait_for_function("document.activeElement.matches('.stylemix-pick button')")
    tab.keyboard.press("Control+z")
    tab.wait_for_function("app.graph.getNodeById(3).widgets.find(w => w.name === 'mask_list').value !== '5'")
    assert widget.text == f"0; {mask}"


def test_without_a_node_that_takes_it_the_sheet_says_so(widget):
    content = searched_workflow()
    content["nodes"] = [each for each in content["nodes"] if each["id"] not in (3, 4, 5)]
    kept = {each["id"] for each in content["nodes"]}
    content["links"] = [link for link in content["links"] if link[1] in kept and link[3] in kept]
    alive = {link[0] for link in content["links"]}
    for each in content["nodes"]:
        for output in each["outputs"]:
            output["links"] = [link for link in output["links"] or [] if link in alive]
    widget.tab.evaluate("w => app.loadGraphData(w, true, true, 'alone')", content)
    widget.run()
    widget.tab.locator(".stylemix-pick button").click()
    widget.tab.locator(".stylemix-pick-part").first.click()
    assert "add InjectW+ first" in widget.tab.locator(".stylemix-menu-note").inner_text()
    widget.tab.keyboard.press("Escape")  # the menu
    widget.tab.keyboard.press("Escape")  # the sheet
    widget.tab.locator(".stylemix-picked").wait_for(state="detached")
