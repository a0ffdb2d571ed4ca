"""Names and help pages in both languages, in ComfyUI's own front ends."""

import json

import pytest

from ..host import PACK

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.on_stand_in]

WORKFLOW = PACK / "example_workflows" / "study_experiment.json"
NODE = "StyleMixInject"

SHOWN_NAMES = """kinds => Object.fromEntries(kinds.map(kind => {
    const node = LiteGraph.createNode(kind);
    const names = list => list.map(each => [each.name, each.localized_name ?? each.label ?? each.name]);
    return [kind, { title: node.title, inputs: Object.fromEntries(names(node.inputs ?? [])),
        outputs: names(node.outputs ?? []).map(([, shown]) => shown) }];
}))"""


@pytest.fixture(scope="module", params=["en", "ko"])
def language(page, request):
    """The page in a language."""
    if request.param != "en":
        page.use_language(request.param)
    page.problems.clear()
    yield request.param
    if request.param != "en":
        page.use_language("en")


def test_nodes_are_named_in_the_language(page, language):
    names = json.loads((PACK / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    shown = page.page.evaluate(SHOWN_NAMES, list(names))
    for kind, node in names.items():
        assert shown[kind]["title"] == node["display_name"]
        inputs = {name: each["name"] for name, each in node.get("inputs", {}).items()}
        assert {name: shown[kind]["inputs"].get(name) for name in inputs} == inputs, kind
        assert shown[kind]["outputs"] == [each["name"] for each in node.get("outputs", {}).values()], kind
    assert page.problems == []


def test_empty_fields_show_their_names_in_the_language(page, language):
    names = json.loads((PACK / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    fields = page.page.evaluate(
        """kinds => kinds.flatMap(kind => LiteGraph.createNode(kind).widgets
            .filter(widget => widget.element?.tagName === 'TEXTAREA')
            .map(widget => [kind, widget.name, widget.element.placeholder]))""",
        [kind for kind, node in names.items() if node.get("inputs")],
    )
    assert ("StyleMixAlignFace", "points") in {(kind, name) for kind, name, _ in fields}
    assert fields == [[kind, name, names[kind]["inputs"][name]["name"]] for kind, name, _ in fields]


def test_help_opens_beside_the_graph(page, language, screenshots):
    """Its headings are those of the file, and its picture is there."""
    page.load(WORKFLOW)
    page.show_help(NODE)
    page.page.wait_for_function(
        "end => [...document.images].some(image => image.src.endsWith(end) && image.naturalWidth > 0)",
        arg=f"/docs/{NODE}/node.jpg",
        timeout=60000,
    )
    text = (PACK / "web" / "docs" / NODE / f"{language}.md").read_text(encoding="utf-8")
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    shown = page.page.locator("h2").all_inner_texts()
    assert headings and [each for each in shown if each in headings] == headings
    page.screenshot(screenshots / f"help in {language}, {page.name}.png")
    assert page.problems == []
