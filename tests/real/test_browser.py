"""The example workflows and the blueprint in ComfyUI's own front ends, and what a mistake looks like there."""

import json

import pytest
import torch

from stylemix_core import align_face

from ..host import PACK
from . import jobs

pytestmark = [pytest.mark.real, pytest.mark.browser]

WORKFLOWS = sorted((PACK / "example_workflows").glob("*.json"))
ON_STAND_IN = ("study_experiment", "layer_by_layer", "mixing_matrix", "save_load_blend")
"""Those that need none of ComfyUI's own nodes but SaveImage; a few, for time. The others are slow tests."""

every_workflow = pytest.mark.parametrize(
    "workflow",
    [
        pytest.param(
            path,
            id=path.stem,
            marks=pytest.mark.on_stand_in if path.stem in ON_STAND_IN else pytest.mark.slow,
        )
        for path in WORKFLOWS
    ],
)


@every_workflow
def test_an_example_workflow_opens_and_runs(page, photo, workflow, screenshots):
    """It shows the picture that the command line or Python makes of the same job."""
    page.problems.clear()
    page.load(workflow)
    assert page.messages() == []
    content = json.loads(workflow.read_text(encoding="utf-8"))
    (sheet,) = [node["id"] for node in content["nodes"] if node["type"] == "SaveImage"]
    page.queue()
    (shown,) = page.pictures(sheet)
    picture = page.server.picture(**shown)
    page.wait_for_drawn(sheet, picture.width)
    page.page.wait_for_timeout(500)
    page.screenshot(screenshots / f"{workflow.stem}, {page.name}.png")
    # ComfyUI cuts off what PNG cannot hold where the command line rounds, and the latter keeps faces as PNG.
    differences = jobs.differences(picture, jobs.result(workflow, photo))
    assert differences.mean() <= 1 and differences.max() <= 3
    assert page.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["face_in_a_picture", "photo_inverted"])
def test_a_face_is_put_back_and_nothing_else_of_the_picture_changes(page, name):
    """Outside of the seam the result is the picture that went into Align Face, bit for bit."""
    workflow = PACK / "example_workflows" / f"{name}.json"
    nodes = json.loads(workflow.read_text(encoding="utf-8"))["nodes"]
    page.load(workflow)
    page.queue()
    given, result = (
        page.server.picture(**page.pictures(node["id"])[0])
        for title in ("The photo", "Result")
        for node in nodes
        if node.get("title") == title
    )
    _, transform = align_face(given)
    x, y = torch.arange(given.width)[None].double(), torch.arange(given.height)[:, None].double()
    u, v = transform.to_crop(x, y)
    outside = (torch.maximum((u - 0.5).abs(), (v - 0.5).abs()) > 0.505).numpy()
    changed = jobs.differences(given, result)
    assert 0.2 < outside.mean() < 0.95
    assert changed[outside].max() == 0
    assert changed[~outside].mean() > 2


@every_workflow
def test_an_example_workflow_keeps_its_values(page, workflow):
    """Widgets are saved by position: a value that moved would show here."""
    page.load(workflow)
    content = json.loads(workflow.read_text(encoding="utf-8"))
    prompt = page.api_prompt()
    sent = [node for node in content["nodes"] if node["type"].startswith("StyleMix")]
    for node in sent:
        names = [each["name"] for each in node["inputs"] if "widget" in each]
        saved = [value for value in node.get("widgets_values") or [] if value != "fixed"]
        inputs = prompt[str(node["id"])]["inputs"]
        for name, value in zip(names, saved, strict=True):
            assert inputs[name] == value or isinstance(inputs[name], list), (node["type"], name)


@pytest.mark.on_stand_in
def test_the_blueprint_opens_and_runs(page, photo, screenshots):
    """The photo and the style as one node, between two pictures and SaveImage."""
    page.problems.clear()
    (blueprint,) = (PACK / "subgraphs").glob("*.json")
    style = photo.with_name("style.png")
    page.load(blueprint)
    assert page.messages() == []
    sheet, inputs = page.page.evaluate(
        """names => {
            const [node] = app.graph._nodes;
            const add = (type, x, y) => {
                const added = LiteGraph.createNode(type);
                added.pos = [x, y];
                app.graph.add(added);
                return added;
            };
            node.pos = [500, 100];
            for (const [place, input] of ["photo", "style"].entries()) {
                const load = add("LoadImage", 100, 100 + 400 * place);
                load.widgets.find(widget => widget.name === "image").value = names[place];
                load.connect(0, node, node.inputs.findIndex(each => each.name === input));
            }
            const save = add("SaveImage", 1000, 100);
            node.connect(0, save, 0);
            app.canvas.ds.scale = 1;
            app.canvas.ds.offset = [100, 50];
            return [save.id, node.inputs.map(each => each.name)];
        }""",
        [photo.name, style.name],
    )
    assert inputs == ["photo", "style", "mask_list"]
    page.queue()
    (shown,) = page.pictures(sheet)
    picture = page.server.picture(**shown)
    page.wait_for_drawn(sheet, picture.width)
    page.page.wait_for_timeout(500)
    page.screenshot(screenshots / f"blueprint, {page.name}.png")
    differences = jobs.differences(picture, jobs.blueprint(blueprint, photo, style))
    assert differences.mean() <= 1 and differences.max() <= 3
    assert page.problems == []


REFUSED, FAILED = ("file", "gone.safetensors"), ("index", 9)
"""Mistakes that ComfyUI is told before a run, and during one."""


@pytest.mark.on_stand_in
@pytest.mark.parametrize(
    ("kind", "mistake", "message"),
    [
        ("StyleMixLoadLatent", REFUSED, "there is no file gone.safetensors"),
        ("StyleMixLatentFromBatch", FAILED, "the batch has 4 codes, 0 to 3"),
    ],
    ids=["before the run", "during the run"],
)
def test_a_mistake_is_shown(page, screenshots, kind, mistake, message):
    """What a user sees: the node marked, and what to do about it.

    Save W+ is muted: ComfyUI runs every output that it can, and says less when it can run one.
    """
    page.problems.clear()
    page.load(PACK / "example_workflows" / "save_load_blend.json")
    node = page.page.evaluate(
        """([kind, [name, value]]) => {
            const find = type => app.graph._nodes.find(node => node.type === type);
            find("StyleMixSaveLatent").mode = LiteGraph.NEVER;
            const node = find(kind);
            node.widgets.find(widget => widget.name === name).value = value;
            return node.id;
        }""",
        [kind, mistake],
    )
    page.queue()
    text = page.page.get_by_text(message).first
    # Newer front ends show the message on request, that of a refused input one step further.
    for step in (page.page.get_by_text("View details"), page.page.locator("[aria-label^='Info for']")):
        text.or_(step.first).first.wait_for(timeout=60000)
        if not text.is_visible():
            step.first.click()
    text.wait_for(timeout=60000)
    page.page.wait_for_timeout(500)
    page.screenshot(screenshots / f"mistake in {kind}, {page.name}.png")
    assert page.marked_nodes() == [node]
    assert page.problems == []
    page.close_dialog()


@pytest.mark.on_stand_in
def test_sockets_have_the_packs_colours(page):
    colours = page.page.evaluate("app.canvas.default_connection_color_byType")
    named = [colours[f"STYLEMIX_{kind}"] for kind in ("GENERATOR", "ENCODER", "LATENT", "MASKS")]
    assert len(set(named)) == 4 and all(colour.startswith("#") for colour in named)
