"""What stays on nodes after a run, in ComfyUI's own front ends: their messages and their pictures."""

from typing import Any

import pytest

from .widget import INJECT, workflow

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.on_stand_in]

DECODE = 4
MESSAGES = f'[data-node-id="{INJECT}"] .stylemix-messages, .dom-widget .stylemix-messages'
STATE = """id => {
    const node = app.graph.getNodeById(id);
    const saved = app.graph.serialize().nodes.find(each => each.id === id);
    return { height: node.size[1], saved: saved.size[1], values: saved.widgets_values,
        placed: node.widgets.some(({ name }) => name === "messages") };
}"""

PREVIEW = """async id => {
    const { api } = await import("/scripts/api.js");
    const blob = await new Promise(resolve => document.createElement("canvas").toBlob(resolve));
    const job = "preview";
    api.dispatchCustomEvent("b_preview_with_metadata",
        { blob, displayNodeId: id, nodeId: id, realNodeId: id, parentNodeId: id, promptId: job, jobId: job });
    const before = app.nodePreviewImages[id]?.length;
    api.dispatchCustomEvent("executed",
        { node: id, display_node: id, prompt_id: job, output: { ...app.nodeOutputs[id] } });
    return [before, app.nodePreviewImages[id]?.length ?? 0];
}"""
"""Progress shows a picture, then the run of a node is complete: the previews that it has before and after."""


def injecting(space: str) -> dict[str, Any]:
    """A style's layer 0 in a space, drawn. It has no to-RGB, of which InjectW+ warns."""
    content = workflow("0", "tiny.safetensors")
    content["nodes"][INJECT - 1]["widgets_values"] += [space, 0.1]
    content["nodes"][INJECT - 1]["outputs"][0]["links"] = [4]
    content["nodes"][0]["outputs"][0]["links"] = [1, 5]
    content["nodes"].append(
        {
            "id": DECODE,
            "type": "StyleMixDecode",
            "pos": [850, 0],
            "size": [280, 300],
            "flags": {},
            "order": 3,
            "mode": 0,
            "inputs": [
                {"name": "generator", "type": "STYLEMIX_GENERATOR", "link": 5},
                {"name": "latent", "type": "STYLEMIX_LATENT", "link": 4},
            ],
            "outputs": [{"name": "image", "type": "IMAGE", "links": None}],
            "properties": {},
            "widgets_values": ["const"],
        }
    )
    latent = [4, INJECT, 0, DECODE, 1, "STYLEMIX_LATENT"]
    content["links"] += [latent, [5, 1, 0, DECODE, 0, "STYLEMIX_GENERATOR"]]
    content["last_link_id"], content["last_node_id"] = 5, DECODE
    return content


def open_workflow(page, name: str, content: dict[str, Any]) -> None:
    page.page.evaluate("([w, name]) => app.loadGraphData(w, true, true, name)", [content, name])
    page.page.wait_for_function("n => app.graph._nodes.length === n", arg=len(content["nodes"]))
    page.page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [60, 120]; }")
    page.page.wait_for_timeout(500)


def run(page) -> None:
    page.page.evaluate("() => { app.nodeOutputs = {}; }")
    page.queue()
    page.pictures(DECODE)
    page.page.wait_for_timeout(700)


@pytest.fixture
def opened(page):
    page.problems.clear()
    open_workflow(page, "messages", injecting("to-RGB"))
    yield page
    assert page.problems == []


def test_a_warning_stays_below_the_widgets_until_a_run_without_it(opened, screenshots):
    before = opened.page.evaluate(STATE, INJECT)
    assert not before["placed"]
    run(opened)
    warning = opened.page.locator(".stylemix-messages .stylemix-warning")
    warning.wait_for(timeout=60000)
    assert "only odd layers have to-RGBs" in warning.inner_text()
    opened.screenshot(screenshots / f"message, {opened.name}.png")
    during = opened.page.evaluate(STATE, INJECT)
    assert during["height"] > before["height"] + 20
    # The node is saved as if it had said nothing, and what it said is not sent.
    assert (during["saved"], during["values"]) == (before["saved"], before["values"])
    assert "messages" not in opened.api_prompt()[str(INJECT)]["inputs"]
    opened.page.evaluate(
        "id => { app.graph.getNodeById(id).widgets.find(({ name }) => name === 'space').value = 'W+'; }",
        INJECT,
    )
    run(opened)
    warning.wait_for(state="detached", timeout=60000)
    after = opened.page.evaluate(STATE, INJECT)
    assert not after["placed"] and abs(after["height"] - before["height"]) <= 1


def test_messages_come_back_with_their_workflow(opened):
    run(opened)
    opened.page.locator(".stylemix-warning").wait_for(timeout=60000)
    open_workflow(opened, "another", injecting("W+"))
    assert opened.page.locator(".stylemix-warning").count() == 0
    opened.page.locator(".workflow-label, .workflow-tab", has_text="messages").last.click()
    opened.page.mouse.move(
        900, 900
    )  # a tab under the pointer shows a picture of its workflow, over the Run button
    opened.page.locator(".stylemix-warning").wait_for(timeout=60000)


def test_pictures_replace_previews_on_the_node_that_drew_them(opened):
    run(opened)
    opened.wait_for_drawn(DECODE, 32)
    assert opened.page.evaluate(PREVIEW, str(DECODE)) == [1, 0]
    opened.page.wait_for_timeout(500)
    opened.wait_for_drawn(DECODE, 32)
    if "Vue" in opened.name:
        assert opened.page.locator(f'[data-node-id="{DECODE}"] img').count() == 1
    assert opened.page.evaluate(STATE, DECODE)["height"] >= 300
