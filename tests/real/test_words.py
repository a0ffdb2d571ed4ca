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
        """kinds => kinds.flatMap(kind => (LiteGraph.createNode(kind).widgets ?? [])
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


SHOWN_TEXTS = """() => [
    ...app.graph._nodes.filter(node => node.type === "MarkdownNote").map(node => node.widgets[0].value),
    ...app.graph._nodes.map(node => node.title),
    ...app.graph._groups.map(group => group.title),
]"""


def known_texts(language: str) -> set[str]:
    """Notes and titles of the workflow in a language."""
    texts = json.loads(WORKFLOW.read_text(encoding="utf-8"))["extra"]["stylemix_texts"]
    return {each[language] for each in texts}


def test_an_example_workflow_is_in_the_language(page, language, screenshots):
    page.load(WORKFLOW)
    shown = set(page.page.evaluate(SHOWN_TEXTS))
    page.screenshot(screenshots / f"workflow in {language}, {page.name}.png")
    assert known_texts(language) <= shown
    (other,) = {"en", "ko"} - {language}
    assert not known_texts(other) & shown
    assert page.problems == []


def test_a_workflow_saved_in_one_language_opens_in_another_and_keeps_its_users_words(
    page, language, tmp_path
):
    """What its user has written stays as written, also beside texts that are translated."""
    content = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    (other,) = {"en", "ko"} - {language}
    texts = {each["en"]: each[other] for each in content["extra"]["stylemix_texts"]}
    for group in content["groups"]:
        group["title"] = texts[group["title"]]
    content["groups"][0]["title"] += " (mine)"
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps(content), encoding="utf-8")
    page.load(saved)
    first, *others = page.page.evaluate("() => app.graph._groups.map(group => group.title)")
    assert first == content["groups"][0]["title"]
    assert set(others) <= known_texts(language)


FOUND_BY = {
    "en": {
        "hair": "StyleMixFindLayers",
        "slider": "StyleMixApplyDirection",
        "morph": "StyleMixBlendLatent",
        "mix faces": "StyleMixBlendLatent",
    },
    "ko": {"머리": "StyleMixFindLayers", "슬라이더": "StyleMixApplyDirection", "모핑": "StyleMixBlendLatent"},
}
"""What newcomers type, and the node that they mean."""


def test_words_of_newcomers_find_nodes(page, language):
    """Where the page searches names alone; newer ones search aliases as well."""
    if page.name.startswith("other"):
        pytest.skip("this page has another search box")
    names = json.loads((PACK / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    page.page.evaluate("() => { app.graph.clear(); app.canvas.setDirty(true, true); }")
    for words, node in FOUND_BY[language].items():
        box = page.page.locator(".comfy-vue-node-search-container input[type=text]")
        for _ in range(5):  # a busy page may lose a click
            page.page.mouse.dblclick(900, 700)
            page.page.wait_for_timeout(1000)
            if box.is_visible():
                break
        box.fill(words)
        page.page.locator(".p-autocomplete-list", has_text=names[node]["display_name"]).wait_for(
            timeout=60000
        )
        page.page.keyboard.press("Escape")
        page.page.wait_for_timeout(300)
