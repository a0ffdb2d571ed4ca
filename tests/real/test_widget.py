"""Every gesture of the mask grid, in ComfyUI's own front ends."""

import json
from io import BytesIO

import pytest
from PIL import Image

from ..host import PACK
from .widget import INJECT, workflow

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.on_stand_in]


def test_the_grid_shows_the_text(widget):
    widget.open("0; hair: 2-6, 7-9@0.5; 1@-1, 2@3, 3@-2, 4@2")
    first, hair, strong = widget.levels()
    assert first == [1] + [0] * 13  # the demo model has 14 layers
    assert hair == [0, 0, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0, 0, 0, 0]
    assert strong[:6] == [0, -1, 3, -2, 2, 0]
    assert [widget.label(row).inner_text() for row in range(3)] == ["0", "hair", "1@-1, 2@3, 3@-2, 4@2"]
    assert widget.row(0).get_attribute("role") == "row"
    assert widget.cell(1, 7).get_attribute("aria-label") == "hair, layer 7: 0.5"
    heads = widget.grid().locator(".stylemix-sizes").inner_text().split()
    assert heads == ["4", "8", "16", "32", "64", "128", "256"]


def test_typing_updates_the_grid(widget):
    widget.open("0")
    widget.text_area().click()
    widget.tab.keyboard.press("End")
    widget.tab.keyboard.type("-2; hair: 5@0.5")
    widget.settle()
    assert widget.text == "0-2; hair: 5@0.5"
    assert [widget.on(0), widget.on(1)] == [[0, 1, 2], [5]]
    assert widget.levels()[1][5] == 0.5


def test_a_click_toggles_a_layer(widget):
    widget.open("0; 1 # kept\n2")
    widget.click(1, 4)
    assert widget.text == "0; 1, 4 # kept\n2"
    widget.click(1, 1)
    assert widget.text == "0; 4 # kept\n2"
    widget.click(1, 4)
    assert widget.text == "0; none # kept\n2"


def test_a_drag_paints_what_the_first_cell_became(widget):
    widget.open("none; 3-8; 2@0.5")
    place = widget.place
    widget.drag(place(0, 2), place(0, 6))
    assert widget.text == "2-6; 3-8; 2@0.5"
    widget.drag(place(1, 5), place(1, 7), place(0, 7), place(0, 4))
    assert widget.text == "2-3; 3-4, 8; 2@0.5"
    widget.tab.keyboard.down("Shift")
    widget.drag(place(2, 2), place(2, 5))
    widget.tab.keyboard.up("Shift")
    assert widget.text == "2-3; 3-4, 8; 2-5@0.5"


def test_a_vertical_drag_sets_the_strength(widget):
    widget.open("4; none")
    x, y = widget.place(0, 4)
    widget.drag((x, y), (x, y + 20))
    assert widget.text == "4@0.5; none"
    widget.drag((x, y), (x + 1, y - 400))
    assert widget.text == "4@3; none"
    x, y = widget.place(1, 0)
    widget.drag((x, y), (x, y + 40))
    assert widget.text == "4@3; 0@-1"


def test_escape_takes_a_drag_back(widget):
    widget.open("4; none")
    widget.tab.mouse.move(*widget.place(0, 1))
    widget.tab.mouse.down()
    widget.tab.mouse.move(*widget.place(0, 8), steps=4)
    assert widget.text == "1-8; none"
    widget.press("Escape")
    widget.tab.mouse.up()
    assert widget.text == "4; none"


def test_the_wheel_sets_the_strength_with_alt_and_zooms_without(widget):
    widget.open("4; none")
    widget.tab.mouse.move(*widget.place(0, 4))
    widget.tab.keyboard.down("Alt")
    widget.tab.mouse.wheel(0, 120)
    widget.settle()
    widget.tab.mouse.wheel(0, 120)
    widget.tab.keyboard.up("Alt")
    widget.settle()
    assert widget.text == "4@0.8; none"
    assert widget.js("return app.canvas.ds.scale") == 1
    widget.tab.mouse.wheel(0, -120)
    widget.settle()
    assert widget.js("return app.canvas.ds.scale") > 1
    assert widget.text == "4@0.8; none"


def test_gestures_do_not_move_the_node_or_the_canvas(widget):
    widget.open("0; 1; 2")
    before = widget.js("return [...node.pos, ...app.canvas.ds.offset]")
    widget.drag(widget.place(0, 2), widget.place(2, 9))
    widget.drag(widget.place(1, 2), (widget.place(1, 2)[0], 700))
    assert widget.js("return [...node.pos, ...app.canvas.ds.offset]") == before


def test_keys(widget):
    widget.open("0; 1; oops; random(3)")
    widget.click(0, 0)
    assert widget.text == "none; 1; oops; random(3)"
    widget.press("ArrowRight", "ArrowRight", "Space")
    assert widget.text == "2; 1; oops; random(3)"
    widget.press("-", "-", "ArrowDown", "+", "ArrowLeft", "Delete")
    assert widget.text == "2@0.8; 2@0.1; oops; random(3)"
    widget.press("ArrowDown", "Space", "Delete", "ArrowDown", "Backspace", "+")
    assert widget.text == "2@0.8; 2@0.1; oops; random(3)"
    widget.press("PageUp", "Alt+ArrowDown")
    assert widget.text == "2@0.1; 2@0.8; oops; random(3)"
    assert widget.js("return [!!node, app.graph._nodes.length]") == [True, 3]
    focused = widget.tab.evaluate(
        "() => { const e = document.activeElement; const s = getComputedStyle(e);"
        "return [e.closest('[data-row]').dataset.row, e.dataset.layer, e.tabIndex, s.outlineStyle] }"
    )
    assert focused == ["1", "1", 0, "solid"]
    assert widget.tab.locator(".stylemix-rows [tabindex='0']").count() == 1


def test_labels(widget):
    widget.open("0; hair: 2-6 # shape")
    widget.label(0).dblclick()
    widget.tab.keyboard.insert_text("얼굴 형태; #1")
    widget.press("Enter")
    assert widget.text == "얼굴 형태 1: 0; hair: 2-6 # shape"
    widget.press("ArrowDown", "F2")
    widget.tab.keyboard.type("gone")
    widget.press("Escape")
    assert widget.text == "얼굴 형태 1: 0; hair: 2-6 # shape"
    widget.row_menu(1, "Rename")
    widget.press("Backspace", "Enter")
    assert widget.text == "얼굴 형태 1: 0; 2-6 # shape"


def test_rows_are_added_duplicated_removed_and_moved(widget):
    widget.open("0; hair: 2-6; random(3)")
    height = widget.js("return node.size[1]")
    widget.grid().get_by_text("+ mask").click()
    widget.settle()
    widget.row_menu(1, "Duplicate")
    assert widget.text == "0; hair: 2-6; hair: 2-6; random(3); none"
    widget.settle()
    assert widget.js("return node.size[1]") >= height + 30
    widget.row_menu(0, "Remove")
    widget.row_menu(2, "Move up")
    widget.row_menu(2, "Move down")
    assert widget.text == "hair: 2-6; random(3); none; hair: 2-6"
    x = widget.label(0).bounding_box()["x"] + 5
    widget.drag((x, widget.place(0, 0)[1]), (x, widget.row(2).bounding_box()["y"] + 8))
    assert widget.text == "random(3); none; hair: 2-6; hair: 2-6"


def test_presets(widget):
    widget.open("# mine\n0; 1")
    widget.preset("One by one")
    assert widget.text == "# mine\n0; 1; 2; 3; 4; 5; 0-6"
    widget.preset("One random layer", extra=True)
    assert widget.text == "# mine\n0; 1; 2; 3; 4; 5; 0-6; random"
    widget.preset("Each layer alone")
    assert widget.text.endswith("; ".join(map(str, range(14))))
    widget.grid().locator(".stylemix-button").nth(1).click()
    assert "Run (On Change)" in widget.tab.locator(".stylemix-menu-note").inner_text()
    widget.press("ArrowUp", "Escape")
    assert widget.tab.locator(".stylemix-menu").count() == 0


def test_presets_for_hair_fit_the_model(widget):
    """The bundled model tells which layers carry hair; of others the published ones are offered."""
    widget.open("0")
    widget.wait_for_columns(14)
    widget.preset("Hair shape")
    widget.preset("Hair colour", extra=True)
    assert widget.text == "hair shape: 4-5; hair colour: 8-10"
    widget.js("node.disconnectInput(0); node.disconnectInput(1)")
    widget.wait_for_columns(18)
    widget.preset("Hair shape")
    assert widget.text == "hair shape: 2-6"
    widget.grid().locator(".stylemix-button").nth(1).click()
    tip = widget.tab.locator(".stylemix-menu-item").filter(has_text="Hair colour").get_attribute("title")
    assert "7–9 of the FFHQ model" in tip and "GANSpace" in tip and "StyleSpace" in tip
    widget.press("Escape")


def test_a_wrong_text_is_marked_and_kept(widget):
    widget.open("0; 1, x@2; 2; [3")
    assert "line 1, column 7" in widget.message()
    assert "'x' is unknown" in widget.message()
    assert widget.row(1).locator("mark").inner_text() == "x"
    widget.click(2, 5)
    assert widget.text == "0; 1, x@2; 2, 5; [3"
    widget.grid().locator(".stylemix-place").click()
    area = widget.text_area()
    area.wait_for()
    assert area.evaluate("e => [document.activeElement === e, e.selectionStart]") == [True, 6]
    widget.set_text("[[0], [1]")
    assert widget.levels() == []
    assert widget.grid().locator(".stylemix-button:disabled").count() == 2
    assert widget.grid().locator(".stylemix-quote").inner_text().startswith("[[0], [1]")
    assert widget.text == "[[0], [1]"
    widget.set_text("# empty\n")
    widget.grid().get_by_text("+ mask").click()
    widget.settle()
    assert widget.text == "# empty\nnone"


def test_lists_become_masks_when_they_are_painted(widget):
    widget.open("[[0], [1, 2]] # two")
    assert [widget.on(0), widget.on(1)] == [[0], [1, 2]]
    assert widget.text == "[[0], [1, 2]] # two"
    widget.click(1, 3)
    assert widget.text == "# two\n0; 1-3"


def test_many_masks_scroll(widget):
    widget.open("; ".join(["0"] * 40))
    rows = widget.grid().locator(".stylemix-rows")
    assert rows.bounding_box()["height"] == 408
    widget.click(0, 0)
    widget.press("PageDown", "Space")
    assert widget.text == "none; " + "0; " * 38 + "none"
    place, around = widget.row(39).bounding_box(), rows.bounding_box()
    assert place["y"] + place["height"] <= around["y"] + around["height"] + 1
    widget.tab.mouse.wheel(0, -120)
    widget.settle()
    assert rows.evaluate("rows => rows.scrollHeight - rows.clientHeight - rows.scrollTop") > 60
    assert widget.js("return app.canvas.ds.scale") == 1


def test_layers_beyond_the_model_are_shown_and_kept(widget):
    widget.open("0; 16, 3; random(99)")
    assert widget.on(1) == [3, 16]
    assert widget.grid().locator(".stylemix-index.stylemix-beyond").all_inner_texts() == ["14", "15", "16"]
    assert "there is no layer 16: this model has the layers 0-13" in widget.message()
    widget.click(1, 4)
    assert widget.text == "0; 3-4, 16; random(99)"
    widget.click(1, 16)
    assert widget.text == "0; 3-4; random(99)"
    assert widget.levels()[2] == []


def test_columns_follow_the_connected_model(widget):
    widget.open("0", checkpoint="tiny.safetensors")
    widget.wait_for_columns(8)
    widget.js(
        "app.graph.getNodeById(1).widgets[0].value = 'demo (bundled)';"
        "app.canvas.emitBeforeChange(); app.canvas.emitAfterChange()"
    )
    widget.wait_for_columns(14)
    assert widget.status() == "14 layers"
    widget.js("node.disconnectInput(0); node.disconnectInput(1)")
    widget.wait_for_columns(18)
    assert widget.status() == "18 layers, until a model is connected"
    widget.show_run({"stylemix_num_ws": [10]})
    assert widget.status() == "10 layers"


def test_columns_follow_the_last_run_where_the_file_is_not_known(widget):
    answer = {"json": {"error": "not today"}}
    widget.tab.route("**/stylemix/inspect*", lambda route: route.fulfill(**answer))
    try:
        widget.open("random; 16")
        widget.show_run({})  # files are inspected anew
        widget.wait_for_columns(18)
        assert widget.status() == "18 layers, until a model is connected"
        widget.set_text("random")
        widget.js(
            "const end = LiteGraph.createNode('PreviewAny'); end.pos = [900, 0]; app.graph.add(end);"
            "node.connect(1, end, 0)"
        )
        widget.page.queue()
        widget.wait_for_columns(14, timeout=60)
        assert widget.status() == "14 layers"
        assert widget.page.messages() == []
    finally:
        widget.tab.unroute("**/stylemix/inspect*")
        widget.show_run({})
        widget.wait_for_columns(14)


def test_the_middle_button_moves_the_canvas(widget):
    widget.open("0; 1")
    before = widget.js("return [...app.canvas.ds.offset]")
    widget.tab.mouse.move(*widget.place(1, 5))
    widget.tab.mouse.down(button="middle")
    widget.tab.mouse.move(widget.place(1, 5)[0] + 60, 600, steps=5)
    widget.tab.mouse.up(button="middle")
    widget.settle()
    assert widget.js("return [...app.canvas.ds.offset]") != before
    assert widget.text == "0; 1"


def test_alpha_is_the_strength_of_terms_without_one(widget):
    widget.open("0, 1@1")
    widget.js(
        "const alpha = node.widgets.find(w => w.name === 'alpha'); alpha.value = 0.25; alpha.callback?.(0.25)"
    )
    widget.settle()
    assert widget.levels()[0][:2] == [0.25, 1]


LIST = """
    const list = LiteGraph.createNode('StyleMixMaskList');
    app.graph.add(list);
    list.pos = [0, 500];
    list.widgets.find(each => each.name === 'mask_list').value = 'eyes: 6; 8@0.5; random';
    list.widgets.find(each => each.name === 'alpha').value = 0.75;
"""
TO_MASKS = "node.findInputSlot('masks')"
TO_TEXT = "node.inputs.findIndex(input => input.name === 'mask_list')"


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (f"list.connect(0, node, {TO_MASKS})", "From masks: these are the masks of Mask List."),
        (f"list.connect(1, node, {TO_TEXT})", "From Mask List, which is connected to mask_list."),
    ],
)
def test_masks_of_a_mask_list_are_shown_where_they_act(widget, link, said):
    """They are in force, not the node's own text; they follow the Mask List and are painted there."""
    widget.open("0; 1")
    widget.js(LIST + link)
    widget.settle()
    assert said in widget.message()
    assert [widget.label(row).inner_text() for row in range(3)] == ["eyes", "8@0.5", "random"]
    assert widget.levels()[:2] == [[0] * 6 + [0.75] + [0] * 7, [0] * 8 + [0.5] + [0] * 5]
    widget.cell(1, 5).click(force=True)
    assert widget.grid().locator("button:enabled").count() == 0
    assert widget.text == "0; 1"
    widget.js(
        "const written = app.graph._nodes.find(n => n.type === 'StyleMixMaskList').widgets[0];"
        "written.value = 'nose: 7@0.25'; written.callback?.(written.value)"
    )
    widget.settle()
    assert widget.levels() == [[0] * 7 + [0.25] + [0] * 6, *widget.levels()[1:]]
    assert "stylemix-read-only" in widget.grid().get_attribute("class")
    widget.js(f"node.disconnectInput({TO_MASKS}); node.disconnectInput({TO_TEXT})")
    widget.settle()
    assert "stylemix-read-only" not in widget.grid().get_attribute("class")
    assert [widget.on(0), widget.on(1)] == [[0], [1]]


def test_masks_that_only_a_run_can_tell_are_shown_after_it(widget):
    widget.open("0; 1")
    widget.js(
        "const find = LiteGraph.createNode('StyleMixFindLayers'); app.graph.add(find); find.pos = [0, 500];"
        f"find.title = 'Layers'; find.connect(0, node, {TO_MASKS})"
    )
    widget.settle()
    assert widget.grid().locator(".stylemix-row").count() == 0
    assert widget.message() == "From masks: what Layers gives is seen here after a run."
    widget.show_run({"stylemix_num_ws": [14], "stylemix_masks": ["hair: 4-5@0.8, 8"]})
    assert widget.message() == "From masks: what Layers gave in the last run."
    assert widget.levels() == [[0] * 4 + [0.8, 0.8, 0, 0, 1] + [0] * 5]


def test_painting_survives_saving_and_loading(widget):
    widget.open("hair: 2-6 # shape\n0; random(3)")
    widget.click(0, 9)
    saved = json.loads(widget.tab.evaluate("() => JSON.stringify(app.graph.serialize())"))
    (node,) = [each for each in saved["nodes"] if each["id"] == widget.node]
    assert node["widgets_values"][:4] == ["hair: 2-6, 9 # shape\n0; random(3)", 1, "match", 0]
    widget.open("none")
    widget.load(saved)
    assert widget.text == "hair: 2-6, 9 # shape\n0; random(3)"
    assert widget.on(0) == [2, 3, 4, 5, 6, 9]
    inputs = widget.page.api_prompt()[str(widget.node)]["inputs"]
    widgets = {"mask_list", "alpha", "pairing", "seed", "space", "channel_share", "frames", "sure_only"}
    assert set(inputs) == {"latent", "style"} | widgets
    assert inputs["mask_list"] == "hair: 2-6, 9 # shape\n0; random(3)"
    # Loading again changes nothing: sizes are those that were saved.
    again = widget.tab.evaluate("() => app.graph.serialize()")
    sizes = [[side for each in graph["nodes"] for side in each["size"]] for graph in (saved, again)]
    assert sizes[0] == pytest.approx(sizes[1], abs=2)


def test_undo_and_redo_go_stroke_by_stroke(widget):
    widget.open("0; 1")
    widget.click(0, 4)
    widget.drag(widget.place(1, 5), widget.place(1, 8))
    widget.press("Space")
    assert widget.text == "0, 4; 1, 5-7"
    for keys, text in (
        ("Control+z", "0, 4; 1, 5-8"),
        ("Control+z", "0, 4; 1"),
        ("Control+z", "0; 1"),
        ("Control+y", "0, 4; 1"),
    ):
        widget.press(keys)
        # The node is another one, the focus is where it was.
        widget.tab.wait_for_function(
            "text => app.graph.getNodeById(3)?.widgets.find(each => each.name === 'mask_list').value === text"
            " && document.activeElement.dataset.layer === '8'",
            arg=text,
        )
        widget.settle()
    assert [widget.on(0), widget.on(1)] == [[0, 4], [1]]
    widget.press("Space")
    assert widget.text == "0, 4; 1, 8"


def test_undo_leaves_the_grid_in_its_panel_in_app_mode(widget):
    toggle = "Comfy.ToggleLinear"
    if not widget.tab.evaluate("id => app.extensionManager.command.commands.some(c => c.id === id)", toggle):
        pytest.skip("this front end has no app mode")
    content = workflow("0; 1")
    inputs = [[str(INJECT), "mask_grid"], [str(INJECT), "mask_list"]]
    content["extra"] = {"linearMode": True, "linearData": {"inputs": inputs, "outputs": [str(INJECT)]}}
    widget.tab.evaluate("w => app.loadGraphData(w, true, true, 'app')", content)
    panel = widget.tab.locator("[data-testid=app-mode-widget-item]").first
    try:
        panel.locator("[data-layer]").first.wait_for(state="attached")
        widget.press("Escape")  # the tour of app mode, which opens the first time
        for _ in range(2):
            panel.locator('[data-row="1"] [data-layer="5"]').click()
            assert widget.text == "0; 1, 5"
            widget.press("Control+z")
            widget.tab.wait_for_function("app.graph.getNodeById(3).widgets[0].value === '0; 1'")
            panel.locator('[data-row="1"] [data-layer="5"][aria-selected="false"]').wait_for()
    finally:
        widget.tab.evaluate("id => app.extensionManager.command.execute(id)", toggle)
        widget.settle()


def test_a_copy_has_a_grid_of_its_own(widget):
    widget.open("hair: 2-6")
    widget.js("app.canvas.selectNode(node); app.canvas.copyToClipboard(); app.canvas.pasteFromClipboard()")
    widget.tab.wait_for_function("app.graph._nodes.length === 4")
    widget.js("app.graph._nodes.at(-1).pos = [820, 0]; app.canvas.setDirty(true, true)")
    widget.settle()
    copies = widget.tab.locator(".stylemix-masks")
    assert copies.count() == 2
    copies.nth(1).locator('[data-layer="9"]').click()
    widget.settle()
    texts = widget.tab.evaluate(
        "() => app.graph._nodes.filter(node => node.type === 'StyleMixInject')"
        ".map(node => node.widgets.find(each => each.name === 'mask_list').value)"
    )
    assert texts == ["hair: 2-6", "hair: 2-6, 9"]


def test_a_collapsed_node_hides_its_grid(widget):
    widget.open("0; 1")
    widget.js("node.collapse()")
    widget.settle()
    widget.tab.wait_for_function(
        "![...document.querySelectorAll('.stylemix-masks')].some(e => e.offsetHeight)"
    )
    widget.js("text.value = '0; 1; 2'; node.collapse()")
    widget.settle()
    widget.tab.wait_for_function(
        "[...document.querySelectorAll('.stylemix-masks')].some(e => e.offsetHeight)"
    )
    widget.settle()
    widget.click(2, 7)
    assert widget.text == "0; 1; 2, 7"


def test_a_finger_paints_as_a_mouse_does(widget):
    widget.open("none; 3; hair: 5")
    (x, y), (right, _) = widget.place(0, 2), widget.place(0, 6)
    widget.touch([(x + (right - x) * step / 5, y) for step in range(6)])
    assert widget.text == "2-6; 3; hair: 5"
    x, y = widget.place(1, 3)
    widget.touch([(x, y + 4 * step) for step in range(6)])
    assert widget.text == "2-6; 3@0.5; hair: 5"
    assert widget.status() == "layer 3 · 16 px · 0.5"  # no hover to read it by
    widget.touch([widget.place(2, 5)])
    assert widget.text == "2-6; 3@0.5; hair: none"


def test_a_long_press_and_the_right_button_open_the_menu_of_a_row(widget):
    widget.open("0; hair: 5")
    menu = widget.tab.locator(".stylemix-menu")
    widget.touch([widget.place(1, 5)], hold=700)
    assert (menu.count(), widget.text) == (1, "0; hair: 5")
    menu.get_by_text("Duplicate").click()
    assert widget.text == "0; hair: 5; hair: 5"
    widget.settle()
    widget.tab.mouse.click(*widget.place(0, 5), button="right")
    menu.get_by_text("Remove").click()
    assert widget.text == "hair: 5; hair: 5"


def test_the_grid_can_be_read(widget):
    """Type and cells at the zoom at which the example workflows open, weak strengths, long names."""
    widget.open("a long name of a mask: 0@0.1, 1@-0.05, 2@1.5; 3")
    assert [widget.cell(0, layer).inner_text() for layer in range(4)] == [".1", "-.05", "1.5", ""]
    sizes = widget.tab.evaluate(
        """() => [...document.querySelectorAll('.stylemix-masks *')].filter(each => each.innerText?.trim())
            .map(each => parseFloat(getComputedStyle(each).fontSize))"""
    )
    assert min(sizes) >= 10
    box = widget.cell(1, 3).bounding_box()
    assert box["height"] >= 22 and box["width"] >= 14
    weak, empty = (Image.open(BytesIO(widget.cell(0, layer).screenshot())) for layer in (1, 4))
    assert all(weak.getpixel((3, y)) != empty.getpixel((3, y)) for y in (1, 2))  # a twentieth is a pixel
    assert widget.label(0).bounding_box()["width"] >= 90
    widget.label(0).hover()
    assert widget.status() == "a long name of a mask"


@pytest.mark.parametrize("scale", [0.7, 2])
def test_painting_at_other_zooms(widget, scale):
    widget.open("0; 1")
    widget.view(scale)
    widget.drag(widget.place(1, 3), widget.place(1, 9))
    assert widget.text == "0; 1, 3-9"
    x, y = widget.place(0, 0)
    widget.drag((x, y), (x, y + 20 * scale))
    assert widget.text == "0@0.5; 1, 3-9"


def inside(widget):
    """Put the InjectW+ node into a subgraph and open it."""
    widget.js(
        "app.canvas.deselectAll?.(); app.canvas.selectNode(node); app.graph.convertToSubgraph(new Set([node]))"
    )
    widget.tab.wait_for_function("app.graph._nodes.some(each => each.subgraph)")
    open_subgraph(widget)


def open_subgraph(widget):
    widget.node = widget.js(
        "const outer = app.graph._nodes.find(each => each.subgraph);"
        "app.canvas.openSubgraph(outer.subgraph, outer);"
        "return outer.subgraph._nodes.find(each => each.type === 'StyleMixInject').id"
    )
    widget.settle()
    widget.view()


def test_inside_a_subgraph(widget):
    """Also when it is loaded anew, and with the server's answers known already."""
    widget.open("0; 1")
    inside(widget)
    widget.wait_for_columns(14)
    assert widget.status() == "14 layers"
    widget.click(1, 6)
    assert widget.text == "0; 1, 6"
    inputs = [
        node["inputs"] for node in widget.page.api_prompt().values() if node["class_type"] == "StyleMixInject"
    ]
    assert [each["mask_list"] for each in inputs] == ["0; 1, 6"]
    saved = json.loads(widget.tab.evaluate("() => JSON.stringify(app.graph.rootGraph.serialize())"))
    widget.open("none", checkpoint="tiny.safetensors")
    widget.tab.evaluate("saved => app.loadGraphData(saved, true, true, 'subgraph')", saved)
    widget.tab.wait_for_function("app.graph._nodes.some(each => each.subgraph)")
    open_subgraph(widget)
    widget.wait_for_columns(14)
    assert widget.on(1) == [1, 6]


def test_in_a_subgraph_with_a_mask_list_outside(widget):
    widget.open("0; 1")
    widget.js(LIST + f"list.connect(0, node, {TO_MASKS})")
    inside(widget)
    # Both grids are on the page, the one outside hidden.
    grids = widget.tab.evaluate(
        """() => [app.graph.rootGraph, ...app.graph.rootGraph.subgraphs.values()].flatMap(({ nodes }) => nodes)
            .flatMap(node => node.widgets?.filter(({ name }) => name === 'mask_grid').map(({ element }) => [
                node.type,
                element.querySelectorAll('.stylemix-index').length,
                [...element.querySelectorAll('.stylemix-label')].map(label => label.textContent),
            ]) ?? [])"""
    )
    masks = ["eyes", "8@0.5", "random"]
    assert sorted(grids) == [["StyleMixInject", 14, masks], ["StyleMixMaskList", 14, masks]]


def test_the_model_is_found_through_reroutes_and_bypassed_nodes(widget):
    widget.open("0; 1")
    widget.js(
        """
        const [reroute, blend] = ['Reroute', 'StyleMixBlendLatent'].map(type => LiteGraph.createNode(type));
        for (const each of [reroute, blend]) app.graph.add(each);
        node.disconnectInput(1);
        app.graph.getNodeById(2).connect(1, reroute, 0);
        reroute.connect(0, blend, 0);
        blend.connect(0, node, 0);
        blend.mode = 4;
        """
    )
    widget.settle()
    widget.wait_for_columns(14)
    assert widget.status() == "14 layers"


def test_in_korean(widget, screenshots):
    set_locale = "async locale => { await app.extensionManager.setting.set('Comfy.Locale', locale) }"
    widget.tab.evaluate(set_locale, "ko")
    try:
        widget.open("0; 머리 모양: 2-6, 99")
        assert widget.grid().get_by_text("프리셋").count() == 1
        assert "99번 레이어가 없습니다. 이 모델의 레이어는 0-13입니다" in widget.message()
        assert "1행 16열" in widget.message()
        widget.page.screenshot(screenshots / f"mask grid in Korean, {widget.page.name}.png")
    finally:
        widget.tab.evaluate(set_locale, "en")
        widget.settle()


@pytest.mark.parametrize("palette", ["dark", "light"])
def test_it_is_readable_in_both_themes(widget, screenshots, palette):
    widget.tab.evaluate(
        "async name => { await app.extensionManager.setting.set('Comfy.ColorPalette', name) }", palette
    )
    try:
        widget.open("hair: 2-6, 7-9@0.5; 0@2, 1@-0.5, 2@3, 3@-2; random(3); all, 5@0")
        widget.page.screenshot(screenshots / f"mask grid, {palette}, {widget.page.name}.png")
        contrast = widget.tab.evaluate(
            """() => {
                const style = selector => getComputedStyle(document.querySelector(selector));
                const light = colour => {
                    const [red, green, blue] = colour.match(/[0-9.]+/g).map(Number);
                    return (2 * red + 5 * green + blue) / 8;
                };
                return Math.abs(
                    light(style('.stylemix-named').color) - light(style('.stylemix-content').backgroundColor));
            }"""
        )
        assert contrast > 90
    finally:
        widget.tab.evaluate(
            "async () => { await app.extensionManager.setting.set('Comfy.ColorPalette', 'dark') }"
        )
        widget.settle()


def test_the_page_reads_mask_lists_as_python_does(widget):
    """The table that Python's parser is tested with, in a browser's JavaScript."""
    cases = json.loads((PACK / "tests" / "mask_cases.json").read_text(encoding="utf-8"))
    results = widget.tab.evaluate(
        """async cases => {
            const { parse, firstError } = await import('/extensions/stylemix/stylemix/grammar.js');
            return cases.map(({ text, num_ws }) => {
                const document = parse(text, num_ws);
                const error = firstError(document);
                return error ? [error.line, error.column] : document.masks.map(({ name }) => name);
            });
        }""",
        cases,
    )
    for case, result in zip(cases, results, strict=True):
        error = case.get("error")
        assert result == ([error["line"], error["column"]] if error else case["labels"]), case["text"]


def test_a_workflow_saved_without_the_grid_keeps_its_values(widget):
    """As saved where the page's part is switched off: values by position, a node too low for the grid."""
    content = workflow("1; 2")
    node = content["nodes"][-1]
    node["size"], node["widgets_values"] = [320, 200], ["1; 2", 0.5, "all", 7]
    widget.load(content)
    inputs = widget.page.api_prompt()[str(widget.node)]["inputs"]
    assert [inputs[name] for name in ("mask_list", "alpha", "pairing", "seed")] == ["1; 2", 0.5, "all", 7]
    widget.click(0, 3)
    assert widget.text == "1, 3; 2"


def test_strengths_over_a_film_are_drawn_in_cells_and_edited(widget):
    widget.open("hair: 4-5; 8@0>1>0")
    assert widget.cell(1, 8).locator("polyline").count() == 1 and widget.on(1) == [8]
    assert widget.cell(1, 8).get_attribute("aria-label") == "8@0>1>0, layer 8: 0>1>0"

    editor = widget.tab.locator(".stylemix-course-editor")
    keys = editor.locator(".stylemix-course-key")

    def center(key: int) -> tuple[float, float]:
        box = keys.nth(key).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    widget.row_menu(0, "Strength over the film")
    assert widget.text == "hair: 4-5@0>1; 8@0>1>0" and keys.count() == 2
    box, cell = editor.locator("svg").bounding_box(), widget.cell(0, 4).bounding_box()
    assert abs(box["x"] - cell["x"]) < 30 and 0 < box["y"] - cell["y"] < 60, "below the cell"
    middle = box["x"] + box["width"] / 2, box["y"] + 70  # half-way up to 1
    widget.tab.mouse.dblclick(*middle)  # a new key
    assert widget.text == "hair: 4-5@0>0.5>1; 8@0>1>0" and keys.count() == 3
    widget.drag(center(1), (center(1)[0], box["y"]))  # up to the top
    assert widget.text == "hair: 4-5@0>1.25>1; 8@0>1>0"
    keys.nth(2).focus()
    widget.press(*["ArrowDown"] * 20)
    assert widget.text == "hair: 4-5@0>1.25>0; 8@0>1>0"
    widget.tab.mouse.dblclick(*center(1))  # eased
    assert widget.text == "hair: 4-5@0>>1.25>0; 8@0>1>0"
    widget.press("Escape")
    assert editor.count() == 0

    widget.click(1, 8)  # opens what is there, and changes nothing
    assert editor.count() == 1 and widget.text.endswith("8@0>1>0")
    widget.tab.mouse.click(*center(1), button="right")
    assert widget.text.endswith("8@0>0")
    widget.press("Escape")
    widget.drag(widget.place(1, 3), widget.place(1, 8))
    assert "3-8" in widget.text
