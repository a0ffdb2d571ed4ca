"""The example workflows in ComfyUI's own front ends."""

import json

import pytest

from ..host import PACK

pytestmark = [pytest.mark.real, pytest.mark.browser]

WORKFLOWS = sorted((PACK / "example_workflows").glob("*.json"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_an_example_workflow_opens_and_runs(page, workflow, screenshots):
    page.problems.clear()
    page.load(workflow)
    assert page.messages() == []
    content = json.loads(workflow.read_text(encoding="utf-8"))
    (sheet,) = [node["id"] for node in content["nodes"] if node["type"] in ("SaveImage", "PreviewImage")]
    page.queue()
    (picture,) = page.pictures(sheet)
    width = page.server.picture(**picture).width
    assert page.drawn_width(sheet) == width > 1000
    page.page.wait_for_timeout(500)
    page.screenshot(screenshots / f"{workflow.stem}, {page.name}.png")
    assert page.problems == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_an_example_workflow_keeps_its_values(page, workflow):
    """Widgets are saved by position: a value that moved would show here."""
    page.load(workflow)
    content = json.loads(workflow.read_text(encoding="utf-8"))
    prompt = page.api_prompt()
    for node in content["nodes"]:
        if node["type"] == "StyleMixInject":
            inputs = prompt[str(node["id"])]["inputs"]
            assert inputs["mask_list"] == "0; 1; 2; 3; 4; 5; 0-6"
            assert (inputs["alpha"], inputs["pairing"], inputs["seed"]) == (1, "match", 0)
        if node["type"] in ("StyleMixLoadGenerator", "StyleMixLoadEncoder"):
            assert prompt[str(node["id"])]["inputs"] == {"checkpoint": "demo (bundled)", "dtype": "auto"}


def test_a_mistake_is_shown(page, screenshots):
    """What a user sees who asks for a layer that the model does not have."""
    page.load(WORKFLOWS[0])
    page.page.evaluate(
        "app.graph._nodes.find(n => n.type === 'StyleMixInject')"
        ".widgets.find(w => w.name === 'mask_list').value = '0; 42'"
    )
    page.queue()
    details = page.page.get_by_text("View details").first
    message = page.page.get_by_text("there is no layer 42").first
    details.or_(message).wait_for(timeout=60000)
    if details.is_visible():  # newer front ends show the message on request
        details.click()
    message.wait_for(timeout=10000)
    page.page.wait_for_timeout(500)
    page.screenshot(screenshots / f"mistake, {page.name}.png")


def test_sockets_have_the_packs_colours(page):
    colours = page.page.evaluate("app.canvas.default_connection_color_byType")
    named = [colours[f"STYLEMIX_{kind}"] for kind in ("GENERATOR", "ENCODER", "LATENT", "MASKS")]
    assert len(set(named)) == 4 and all(colour.startswith("#") for colour in named)
