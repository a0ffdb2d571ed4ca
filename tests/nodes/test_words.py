"""Every word that a user reads, in English and Korean: names, tooltips, menus, the page's texts, help pages."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylemix_core.masks.mask_list import parse_masks

from ..host import PACK
from . import examples
from .test_workflow import CONTRACT, inputs_of
from .words import LOCALES, node_defs

DOCS = PACK / "web" / "docs"
LANGUAGES = ("en", "ko")
README = {"en": PACK / "README.md", "ko": PACK / "README.ko.md"}
HEADINGS = {
    "en": ("Inputs", "Outputs", "Example", "Common mistakes"),
    "ko": ("입력", "출력", "예시", "자주 하는 실수"),
}
SHARED_BY_PAGES = {
    "en": {"The mask list", "What the layers carry", "Your own models"},
    "ko": {"마스크 목록 쓰는 법", "레이어가 맡는 것", "내 모델 쓰기"},
}
UNTRANSLATED = {"StyleMix", "a", "b", "Coarse, middle, fine", "{pixels}px"}
"""Names that are the same in Korean."""

CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)]*)\)")
ITEM = re.compile(r"^- \*\*([^*]+)\*\*(?: \(`(\w+)`\))?: ", re.MULTILINE)
"""An input or output of a help page: its name on the node, then its name in files where that is another one."""

pages = pytest.mark.parametrize(
    ("node_id", "language"), [(node_id, language) for node_id in CONTRACT for language in LANGUAGES]
)
each_language = pytest.mark.parametrize("language", LANGUAGES)


def locale_file(language: str, name: str) -> dict[str, Any]:
    path = LOCALES / language / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def texts(content: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Every text with its place, "StyleMixGrid.inputs.top.name"."""
    for key, value in content.items():
        place = f"{path}.{key}".lstrip(".")
        yield from texts(value, place) if isinstance(value, dict) else [(place, value)]


def page_texts(language: str) -> dict[str, str]:
    """What the page's own scripts say."""
    source = (PACK / "web" / "stylemix" / "texts.js").read_text(encoding="utf-8")
    table = source.split(f"const {language} = {{")[1].split("\n};")[0]
    return dict(re.findall(r'^  (\w+):\s+"(.*)",$', table, re.MULTILINE))


def help_page(node_id: str, language: str) -> dict[str, str]:
    """A page's sections by heading; what stands before the first one has the heading ""."""
    text = (DOCS / node_id / f"{language}.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def test_the_english_names_are_the_schemas_own(stand_in):
    """`python -m tests.nodes.words` writes the file anew."""
    assert locale_file("en", "nodeDefs.json") == node_defs(stand_in.object_info())


@pytest.mark.parametrize("name", ["nodeDefs.json", "main.json", "settings.json", "commands.json"])
def test_korean_has_every_text_in_korean(name):
    english, korean = (dict(texts(locale_file(language, name))) for language in LANGUAGES)
    assert list(korean) == list(english)
    assert [place for place, text in korean.items() if not is_korean(text)] == []


def test_the_page_says_everything_in_korean():
    korean = page_texts("ko")
    assert len(korean) == len(page_texts("en")) > 50
    assert [key for key, text in korean.items() if not is_korean(text)] == []


def is_korean(text: str) -> bool:
    return bool(re.search("[가-힣]", text)) or text in UNTRANSLATED


@each_language
def test_no_text_has_signs_that_the_page_reads_as_its_own(language):
    """Older front ends fail on them in tooltips, newer ones show the escapes that would help there."""
    for name in ("nodeDefs.json", "main.json", "settings.json", "commands.json"):
        assert [place for place, text in texts(locale_file(language, name)) if set(text) & set("@{}|")] == []


@each_language
def test_menus_sockets_settings_and_commands_have_names(language, stand_in):
    described = stand_in.object_info().values()
    sockets = {kind for info in described for kind, _ in inputs_of(info).values()}
    sockets |= {kind for info in described for kind in info["output"]}
    main = locale_file(language, "main.json")
    assert set(main["nodeCategories"]) == {part for info in described for part in info["category"].split("/")}
    assert set(main["dataTypes"]) == {kind for kind in sockets if kind.startswith("STYLEMIX_")}
    scripts = "".join(path.read_text(encoding="utf-8") for path in (PACK / "web").rglob("*.js"))
    added = {found.replace(".", "_") for found in re.findall(r'\bid: "(StyleMix\.[\w.]+)"', scripts)}
    assert {*locale_file(language, "settings.json"), *locale_file(language, "commands.json")} == added


@pages
def test_a_help_page_explains_every_input_and_output_once(node_id, language, stand_in):
    info, sections = stand_in.object_info()[node_id], help_page(node_id, language)
    names = locale_file(language, "nodeDefs.json")[node_id]
    own = [heading for heading in sections if heading not in SHARED_BY_PAGES[language]]
    assert own == ["", *HEADINGS[language]]

    def listed(heading: str) -> list[tuple[str, str]]:
        return [(name, other or name) for name, other in ITEM.findall(sections[heading])]

    inputs, outputs, *_ = HEADINGS[language]
    assert listed(inputs) == [(names["inputs"][name]["name"], name) for name in inputs_of(info)]
    expected = [
        (names["outputs"][str(index)]["name"], name) for index, name in enumerate(info["output_name"])
    ]
    assert listed(outputs) == expected
    for name, (kind, options) in inputs_of(info).items():
        if kind == "COMBO" and name not in ("checkpoint", "file"):
            assert set(options["options"]) <= set(CODE.findall(sections[inputs])), name


@pages
def test_the_links_of_a_help_page_lead_somewhere(node_id, language):
    """Front ends add `/extensions/<pack>/docs/` to a picture's address, and nothing to a link's."""
    text = (DOCS / node_id / f"{language}.md").read_text(encoding="utf-8")
    links = LINK.findall(text)
    pictures = [address for is_picture, address in links if is_picture]
    assert pictures == [f"{node_id}/node.jpg", f"{node_id}/result.jpg"]
    assert [address for address in pictures if not (DOCS / address).is_file()] == []
    assert all(address.startswith("https://") for is_picture, address in links if not is_picture)


@each_language
def test_pages_of_one_subject_say_the_same(language):
    for one, other, count in (
        ("StyleMixInject", "StyleMixMaskList", 2),
        ("StyleMixLoadGenerator", "StyleMixLoadEncoder", 1),
    ):
        first, second = help_page(one, language), help_page(other, language)
        shared = SHARED_BY_PAGES[language] & set(first) & set(second)
        assert len(shared) == count
        assert [heading for heading in shared if first[heading].strip() != second[heading].strip()] == []


@each_language
def test_the_loaders_pages_name_every_file_of_the_readme(language):
    heading = {"en": "Your own models", "ko": "내 모델 쓰기"}[language]
    section = README[language].read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    files = "\n".join(row for row in section.splitlines() if row.startswith("|"))
    page = "\n".join(help_page("StyleMixLoadGenerator", language).values())
    assert files.count("https://") > 6
    assert [name for name in CODE.findall(files) if f"`{name}`" not in page] == []
    assert [address for _, address in LINK.findall(files) if f"({address})" not in page] == []


@each_language
def test_readme_calls_the_nodes_by_their_names(language):
    """Without what follows a dot for those who search. The Korean one gives the English names in brackets."""

    def names(language: str) -> list[str]:
        nodes = locale_file(language, "nodeDefs.json").values()
        return sorted(node["display_name"].split(" · ")[0] for node in nodes)

    rows = [
        row for row in README[language].read_text(encoding="utf-8").splitlines() if row.startswith("| **")
    ]
    assert sorted(re.findall(r"\*\*([^*]+)\*\*", "".join(rows))) == names(language)
    if language == "ko":
        assert sorted(", ".join(row.split("(")[1].split(")")[0] for row in rows).split(", ")) == names("en")


@each_language
def test_the_mask_lists_of_the_help_pages_can_be_used(language):
    (heading,) = {"The mask list", "마스크 목록 쓰는 법"} & set(help_page("StyleMixInject", language))
    examples = re.findall(r"^- `([^`]+)`", help_page("StyleMixInject", language)[heading], re.MULTILINE)
    assert [len(parse_masks(example, num_ws=18)) for example in examples] == [7, 1, 3, 1, 1, 1, 1, 1, 1, 3]


SLOW_EXAMPLES = (
    "FindLayers",
    "SaveTuning",
    "LoadTuning",
    "Invert",
    "InvertOptions",
    "IdentityCap",
    "RestyleFilm",
)


@pytest.mark.parametrize(
    "node_id",
    [
        pytest.param(node_id, marks=[pytest.mark.slow] * (node_id.removeprefix("StyleMix") in SLOW_EXAMPLES))
        for node_id in CONTRACT
    ],
)
def test_the_picture_of_an_example_is_what_the_example_gives(node_id, stand_in):
    """`python -m tests.nodes.examples` makes the pictures anew."""
    if node_id == "StyleMixRestyleFilm":
        pytest.importorskip("av")
    with Image.open(DOCS / node_id / "result.jpg") as stored:
        kept = np.asarray(stored.convert("RGB"), dtype=np.float32)
    made = examples.picture(stand_in, node_id).resize(kept.shape[1::-1], Image.Resampling.LANCZOS)
    # Another machine's font draws other labels.
    assert np.abs(np.asarray(made, dtype=np.float32) - kept).mean() < 4
