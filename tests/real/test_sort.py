"""Sort Faces by pointer and keyboard, in ComfyUI's own front ends."""

import pytest

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.on_stand_in]

ALONE = """() => {
    app.graph.clear();
    app.nodeOutputs = {};
    const [generator, sorter] = ["StyleMixLoadGenerator", "StyleMixSortFaces"].map(type => {
        const node = LiteGraph.createNode(type);
        app.graph.add(node);
        return node;
    });
    sorter.pos = [460, 60];
    generator.connect(0, sorter, 0);
    sorter.widgets.find(w => w.name === "count").value = 8;
    app.canvas.ds.scale = 1;
    app.canvas.ds.offset = [80, 120];
    app.canvas.setDirty(true, true);
}"""
CHOSEN = (
    "app.graph._nodes.find(n => n.type === 'StyleMixSortFaces').widgets.find(w => w.name === 'choices').value"
)
OUTPUT = "app.nodeOutputs[app.graph._nodes.find(n => n.type === 'StyleMixSortFaces').id]"


def test_faces_are_sorted_by_clicks_and_keys(page):
    tab = page.page
    tab.evaluate(ALONE)
    sorter = tab.locator(".stylemix-sort")
    sorter.get_by_role("button", name="Show the faces").click()
    tab.wait_for_function(f"{OUTPUT}?.stylemix_faces?.length === 8", timeout=120000)

    sorter.get_by_role("button", name="has it →").click()
    tab.wait_for_function(f"{CHOSEN} === '+1'")
    # What the node was last asked for is sent, though it ran when the choice was made. Keys go on where a click was.
    for key in ("ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowRight", "ArrowLeft"):
        tab.keyboard.press(key)
    assert tab.evaluate(CHOSEN) == "+1 -2 +3 -4 +5 -6"
    tab.wait_for_function(f"{OUTPUT}?.stylemix_strip?.length === 3", timeout=120000)
    page.wait_for_quiet()
    assert sorted(tab.evaluate(f"{OUTPUT}.stylemix_asked")) == [6, 7]
    assert "learnt from 3 + 3 faces" in sorter.inner_text()

    sorter.get_by_role("button", name="Take face 2 back").click()
    tab.wait_for_function(f"{CHOSEN} === '+1 +3 -4 +5 -6'")
    tab.keyboard.press("Backspace")
    tab.wait_for_function(f"{CHOSEN} === '+1 +3 -4 +5'")
    page.wait_for_quiet()
    assert page.problems == []


def test_a_refused_choice_does_not_stop_the_sorting(page):
    tab = page.page
    tab.evaluate(ALONE)
    start = tab.locator(".stylemix-sort").get_by_role("button", name="Show the faces")
    tab.evaluate(f"{CHOSEN} = '+99'")
    start.click()
    tab.wait_for_function("Object.keys(app.lastNodeErrors ?? {}).length", timeout=60000)
    tab.keyboard.press("Escape")  # what the page says of it
    tab.evaluate(f"{CHOSEN} = ''")
    tab.wait_for_timeout(500)
    start.dispatch_event("click")
    tab.wait_for_function(f"{OUTPUT}?.stylemix_faces?.length === 8", timeout=120000)
