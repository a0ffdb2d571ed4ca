"""The example workflows and the blueprint in ComfyUI's own front ends, and what a mistake looks like there."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from stylemix_core import align_face

from ..host import PACK
from . import find, jobs
from .conftest import WORKFLOWS
from .layout import ZOOM, Layout

pytestmark = [pytest.mark.real, pytest.mark.browser]

ON_STAND_IN = ("study_experiment", "layer_by_layer", "mixing_matrix", "save_load_blend")
"""Those that need none of ComfyUI's own nodes but SaveImage; a few, for time. The others are slow tests."""


@dataclass
class Shown:
    """What a page has shown of an example workflow."""

    workflow: Path
    core: find.Core | None
    nodes: list[dict[str, Any]]
    """As the file has them."""
    greeting: list[str]
    """Toasts and dialogs on opening it."""
    zoom_from_templates: float
    """When opened from the list of templates: newer front ends then choose the view themselves."""
    prompt: dict[str, Any]
    """As the page sends it."""
    saved: dict[int, list[Any]]
    """The values that the page saves, by node."""
    picture: Image.Image
    """In SaveImage, after the run."""
    photo: Image.Image | None
    """What the node "The photo" shows, where there is one: the face of `picture` is put back into it."""
    layout: Layout
    """After the run."""
    problems: list[str]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            path,
            id=path.stem,
            marks=pytest.mark.on_stand_in if path.stem in ON_STAND_IN else pytest.mark.slow,
        )
        for path in WORKFLOWS
    ],
)
def shown(page, request, tmp_path_factory) -> Shown:
    """A workflow opened and run; the page looked at before and after."""
    workflow = request.param
    nodes = json.loads(workflow.read_text(encoding="utf-8"))["nodes"]
    (sheet,) = [node["id"] for node in nodes if node["type"] == "SaveImage"]
    page.problems.clear()
    page.load(workflow, source="template")
    zoom = page.page.evaluate("app.canvas.ds.scale")
    page.load(workflow)
    greeting, prompt, saved = page.messages(), page.api_prompt(), page.saved_values()
    page.queue()
    (image,) = page.pictures(sheet)
    picture = page.server.picture(**image)
    page.wait_for_drawn(sheet, picture.width)
    page.wait_for_quiet()
    photos = [page.pictures(node["id"])[0] for node in nodes if node.get("title") == "The photo"]
    photo = page.server.picture(**photos[0]) if photos else None
    layout = Layout.of(page)
    folder = os.environ.get("STYLEMIX_SCREENSHOTS")
    folder = Path(folder).expanduser() if folder else tmp_path_factory.mktemp("screenshots")
    page.screenshot(folder / f"{workflow.stem}, {page.name}.png")
    return Shown(
        workflow,
        page.server.core,
        nodes,
        greeting,
        zoom,
        prompt,
        saved,
        picture,
        photo,
        layout,
        [*page.problems],
    )


def test_an_example_workflow_opens_and_runs(shown, photo):
    """It shows the picture that the command line or Python makes of the same job."""
    assert shown.greeting == []
    # ComfyUI cuts off what PNG cannot hold where the command line rounds, and the latter keeps faces as PNG: read from
    # it, a code draws an edge a few levels lighter or darker.
    differences = jobs.differences(shown.picture, jobs.result(shown.workflow, photo, shown.core))
    assert differences.mean() <= 1 and differences.max() <= 6
    if shown.photo is not None:
        check_pasted(shown.photo, shown.picture)
    assert shown.problems == []


def test_an_example_workflow_is_seen_whole(shown):
    """After the run no node lies over another, every one lies in its group and on the screen, and texts are drawn."""
    assert shown.layout.faults() == []
    assert shown.zoom_from_templates >= ZOOM


def test_an_example_workflow_keeps_its_values(shown):
    """Widgets are saved by position: a value that moved, or that is missing, would show here."""
    for node in shown.nodes:
        if not node["type"].startswith("StyleMix"):
            continue
        saved = node.get("widgets_values") or []
        assert saved == shown.saved[node["id"]], node["type"]
        names = [each["name"] for each in node["inputs"] if "widget" in each]
        inputs = shown.prompt[str(node["id"])]["inputs"]
        for name, value in zip(names, [value for value in saved if value != "fixed"], strict=True):
            assert inputs[name] == value or isinstance(inputs[name], list), (node["type"], name)


def check_pasted(given: Image.Image, result: Image.Image) -> None:
    """Outside of the seam the result is the picture that went into Align Face, bit for bit."""
    _, transform = align_face(given)
    x, y = torch.arange(given.width)[None].double(), torch.arange(given.height)[:, None].double()
    u, v = transform.to_crop(x, y)
    outside = (torch.maximum((u - 0.5).abs(), (v - 0.5).abs()) > 0.505).numpy()
    changed = jobs.differences(given, result)
    assert 0.2 < outside.mean() < 0.95
    assert changed[outside].max() == 0
    assert changed[~outside].mean() > 2


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
    page.page.evaluate("() => app.canvas.setGraph(app.graph._nodes[0].subgraph)")
    page.page.wait_for_timeout(1000)
    assert Layout.of(page).overlaps() == []
    assert page.problems == []


def test_the_blueprint_is_found_and_says_what_it_does(page):
    """Where the page lists blueprints. It finds those of packs by name: their aliases it takes from the server only."""
    if not page.name.startswith("other"):
        pytest.skip("this page lists no blueprints")
    (blueprint,) = (PACK / "subgraphs").glob("*.json")
    description = json.loads(blueprint.read_text(encoding="utf-8"))["extra"]["BlueprintDescription"]
    page.page.evaluate("() => { app.canvas.setGraph(app.graph); app.graph.clear(); }")
    page.page.mouse.dblclick(960, 900)
    page.page.get_by_role("combobox", name="Add a node...").fill(blueprint.stem)
    found = page.page.locator("#results-list > *", has_text=blueprint.stem).first
    found.wait_for(timeout=10000)
    shown = " ".join(found.inner_text().split())
    assert "Subgraph Blueprints / StyleMix" in shown and description in shown
    page.page.keyboard.press("Escape")


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

    Save W+ is muted, and what can run without a node that is refused is left out: ComfyUI runs every output that it
    can, and says less when it can run one.
    """
    page.problems.clear()
    page.load(PACK / "example_workflows" / "save_load_blend.json")
    node = page.page.evaluate(
        """([kind, [name, value], refused]) => {
            const find = type => app.graph._nodes.find(node => node.type === type);
            find("StyleMixSaveLatent").mode = LiteGraph.NEVER;
            const node = find(kind);
            node.widgets.find(widget => widget.name === name).value = value;
            if (refused) {
                const decode = find("StyleMixDecode");
                node.connect(0, decode, decode.findInputSlot("latent"));
                const kept = [node, decode, find("StyleMixLoadGenerator")];
                for (const each of [...app.graph._nodes]) if (!kept.includes(each)) app.graph.remove(each);
            }
            return node.id;
        }""",
        [kind, mistake, mistake == REFUSED],
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
