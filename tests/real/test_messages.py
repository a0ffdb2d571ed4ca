"""What stays on nodes after a run, in ComfyUI's own front ends: their messages and their pictures."""

import json
from typing import Any

import pytest

from .browser import Page
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


LATE_ANSWER = """async () => {
    const { api } = await import("/scripts/api.js");
    const { queuePrompt } = api;
    api.queuePrompt = async (...given) => {
        const ended = new Promise(resolve => api.addEventListener("executing", ({ detail }) => detail || resolve()));
        api.queuePrompt = queuePrompt;
        const answer = await queuePrompt.apply(api, given);
        await ended;
        return answer;
    };
}"""
"""The answer to the next prompt comes when its run has ended, as where all of it is remembered."""

MASKS_IN_FORCE = """() => [...document.querySelectorAll(".stylemix-read-only .stylemix-row")].map(row =>
    [row.querySelector(".stylemix-label").innerText, ...[...row.querySelectorAll("[data-layer]")]
        .filter(cell => cell.ariaSelected === "true").map(cell => [+cell.dataset.layer, cell.innerText])])"""
"""Of the grid that shows masks from elsewhere: by row, its label, and layers with what their cells say."""


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
    page.page.mouse.move(1700, 900)  # away from the grid, which would show live pictures
    page.page.wait_for_timeout(500)


def set_widget(page, name: str, value: Any) -> None:
    page.page.evaluate(
        "([id, name, value]) => {"
        " app.graph.getNodeById(id).widgets.find(widget => widget.name === name).value = value; }",
        [INJECT, name, value],
    )


def run(page) -> None:
    page.page.evaluate(
        """async () => {
            const { api } = await import("/scripts/api.js");
            app.nodeOutputs = {};
            window.queued = false;
            api.addEventListener("promptQueued", () => { window.queued = true; }, { once: true });
        }"""
    )
    page.queue()
    page.pictures(DECODE)
    page.page.wait_for_function(
        "queued", timeout=60000
    )  # a busy page gets the pictures before it knows of the run
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
    set_widget(opened, "space", "W+")
    run(opened)
    warning.wait_for(state="detached", timeout=60000)
    after = opened.page.evaluate(STATE, INJECT)
    assert not after["placed"] and abs(after["height"] - before["height"]) <= 1


@pytest.mark.parametrize("late", [False, True], ids=["", "remembered"])
def test_messages_come_back_with_their_workflow(opened, late):
    """Also where the whole run is remembered, and told before the page knows that its workflow is the one that runs."""
    run(opened)
    if late:
        opened.page.evaluate(
            "() => { app.extensionManager.workflow.activeWorkflow.changeTracker.nodeOutputs = {}; }"
        )
        opened.page.evaluate(LATE_ANSWER)
        run(opened)
    opened.page.locator(".stylemix-warning").wait_for(timeout=60000)
    open_workflow(opened, "another", injecting("W+"))
    assert opened.page.locator(".stylemix-warning").count() == 0
    opened.page.locator(".workflow-label, .workflow-tab", has_text="messages").last.click()
    opened.page.mouse.move(
        900, 900
    )  # a tab under the pointer shows a picture of its workflow, over the Run button
    opened.page.locator(".stylemix-warning").wait_for(timeout=60000)


def test_progress_is_shown_on_the_node_as_long_as_it_runs(opened):
    note = opened.page.locator(".stylemix-messages .stylemix-note")

    def tell(event, detail):
        opened.page.evaluate(
            """async ([event, detail]) => {
                const { api } = await import("/scripts/api.js");
                api.dispatchCustomEvent(event, detail);
            }""",
            [event, detail],
        )

    for seconds in (40, 20):
        text = f"best so far: 4-5, {seconds} s left"
        tell("stylemix_progress", {"node": str(INJECT), "text": text})
        note.wait_for(timeout=60000)
        assert note.all_inner_texts() == [text]
    tell("execution_interrupted", {"prompt_id": "another", "node_id": str(INJECT)})
    note.wait_for(state="detached", timeout=60000)
    tell("stylemix_progress", {"node": str(INJECT), "text": "1 s left"})
    note.wait_for(timeout=60000)
    run(opened)
    opened.page.locator(".stylemix-messages .stylemix-warning").wait_for(timeout=60000)
    assert note.count() == 0


def test_messages_stay_when_a_change_is_undone(opened):
    """Undo makes all nodes anew."""
    run(opened)
    warning = opened.page.locator(".stylemix-warning")
    warning.wait_for(timeout=60000)
    change = "id => { app.canvas.emitBeforeChange(); window.changed = app.graph.getNodeById(id);"
    opened.page.evaluate(change + " changed.title = 'changed'; app.canvas.emitAfterChange(); }", INJECT)
    opened.page.mouse.move(900, 900)
    opened.page.keyboard.press("Control+z")
    opened.page.wait_for_function(
        "id => ![changed, undefined].includes(app.graph.getNodeById(id))", arg=INJECT, timeout=60000
    )
    assert opened.page.evaluate("id => app.graph.getNodeById(id).title", INJECT) == "InjectW+"
    warning.wait_for(timeout=60000)


def test_pictures_replace_previews_on_the_node_that_drew_them(opened):
    run(opened)
    opened.wait_for_drawn(DECODE, 32)
    assert opened.page.evaluate(PREVIEW, str(DECODE)) == [1, 0]
    opened.page.wait_for_timeout(500)
    opened.wait_for_drawn(DECODE, 32)
    if "Vue" in opened.name:
        assert opened.page.locator(f'[data-node-id="{DECODE}"] img').count() == 1
    assert opened.page.evaluate(STATE, DECODE)["height"] >= 300


def test_a_refused_node_says_why_until_it_runs_again(opened, screenshots):
    """The sampler can run without it. Then pages mark the node, and the older one says no more."""
    warning = opened.page.locator(".stylemix-messages .stylemix-warning")
    refusal = opened.page.locator(".stylemix-messages .stylemix-refused")
    opened.queue()
    warning.wait_for(timeout=60000)
    set_widget(opened, "alpha", 99)
    opened.queue()
    refusal.wait_for(timeout=60000)
    assert "bigger than max of 3" in refusal.inner_text() and "alpha" in refusal.inner_text()
    assert warning.count() == 0
    opened.screenshot(screenshots / f"refusal, {opened.name}.png")
    set_widget(opened, "alpha", 1)
    opened.queue()
    warning.wait_for(timeout=60000)
    assert refusal.count() == 0
    opened.page.evaluate(
        """id => {
            const loader = LiteGraph.createNode("StyleMixLoadGenerator");
            app.graph.add(loader);
            loader.pos = [850, 400];
            loader.widgets[0].value = "gone.safetensors";
            loader.connect(0, app.graph.getNodeById(id), 0);
        }""",
        DECODE,
    )
    opened.queue()
    refusal.wait_for(timeout=60000)
    assert refusal.inner_text().startswith("there is no file gone.safetensors")


FEEDING = """([kind, id, values]) => {
    const [generator, sampler, inject] = [1, 2, id].map(id => app.graph.getNodeById(id));
    const add = (type, y) => {
        const node = LiteGraph.createNode(type);
        app.graph.add(node);
        node.pos = [0, y];
        return node;
    };
    const set = (node, name, value) => { node.widgets.find(widget => widget.name === name).value = value; };
    const link = (from, slot, to, name) => {
        const input = to.findInputSlot(name);
        if (input >= 0) from.connect(slot, to, input);
    };
    const [style, node] = [add("StyleMixSampler", 800), add(kind, 1200)];
    set(style, "seed", 1);
    set(style, "control_after_generate", "fixed");
    for (const [name, value] of Object.entries(values)) set(node, name, value);
    for (const each of [style, node]) link(generator, 0, each, "generator");
    link(sampler, 1, node, "latent");
    link(style, 1, node, "style");
    link(node, 0, inject, "masks");
    return JSON.stringify(app.graph.serialize());
}"""
"""Connect a new node to the `masks` of InjectW+, and what that one needs to it."""


@pytest.fixture
def persisting(page) -> Page:
    """The page, which opens with what was open before."""
    keep = "value => app.extensionManager.setting.set('Comfy.Workflow.Persist', value)"
    page.problems.clear()
    page.page.evaluate(keep, True)
    yield page
    page.page.evaluate(keep, False)
    assert page.problems == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("StyleMixMaskList", {"mask_list": "hair: 0-2, 4@0.5; 3"}),
        ("StyleMixFindLayers", {"target": "everything", "steps": 0, "others": 0}),
    ],
)
def test_masks_in_force_are_shown_again_after_a_reload(persisting, screenshots, kind, values):
    """The workflow comes back, its run is remembered, and the grid of InjectW+ shows what it has shown before."""
    page = persisting
    open_workflow(page, "masks", injecting("W+"))
    content = json.loads(page.page.evaluate(FEEDING, [kind, INJECT, values]))
    open_workflow(page, f"masks of {kind}", content)
    run(page)
    page.page.wait_for_function(f"() => ({MASKS_IN_FORCE})().length", timeout=60000)
    shown = page.page.evaluate(MASKS_IN_FORCE)
    if kind == "StyleMixMaskList":
        assert shown == [["hair", [0, ""], [1, ""], [2, ""], [4, ".5"]], ["3", [3, ""]]]
    page.page.once("dialog", lambda dialog: dialog.accept())
    page.open(page.page.url.split("#")[0])
    page.page.wait_for_function("n => app.graph._nodes.length === n", arg=len(content["nodes"]))
    page.page.evaluate(
        """async () => {
            const { api } = await import("/scripts/api.js");
            api.addEventListener("execution_cached", ({ detail }) => { window.remembered = detail.nodes; });
        }"""
    )
    run(page)
    assert {str(INJECT), "2"} <= {*page.page.evaluate("remembered")}
    page.page.wait_for_function(f"() => ({MASKS_IN_FORCE})().length", timeout=60000)
    page.screenshot(screenshots / f"masks of {kind}, {page.name}.png")
    assert page.page.evaluate(MASKS_IN_FORCE) == shown
