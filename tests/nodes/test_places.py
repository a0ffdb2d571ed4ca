"""Every place where a node has to be named. Whoever adds one is told which of them are missing."""

import inspect
import json
from importlib import import_module
from typing import Any

from ..host import PACK
from ..host.runner import StandIn
from .examples import EXAMPLES
from .test_colors import COLORS
from .test_workflow import CONTRACT, inputs_of

LANGUAGES = ("en", "ko")
READMES = {"en": "README.md", "ko": "README.ko.md"}
PICTURES = {"result.jpg": "python -m tests.nodes.examples", "node.jpg": "python -m tests.real.pictures"}
"""The pictures of a help page, and what makes them."""


def unlisted(stand_in: StandIn) -> list[str]:
    """Nodes that a module of the pack has and the extension does not list."""
    from comfy_api.v0_0_2 import io

    listed = {*stand_in.nodes.values()}
    # Files that nothing imports yet as well.
    names = [path.stem for path in (PACK / "nodes").glob("*.py") if path.stem != "__init__"]
    modules = [import_module(f"{stand_in.pack.__name__}.nodes.{name}") for name in names]
    found = {each for module in modules for each in vars(module).values() if inspect.isclass(each)}
    return [
        f"nodes/extension.py: the list of nodes has no {node.__name__} of {node.__module__.rpartition('.')[2]}.py"
        for node in sorted(found - listed, key=lambda node: node.__name__)
        if issubclass(node, io.ComfyNode) and "define_schema" in vars(node)
    ]


def missing(node_id: str, info: dict[str, Any]) -> list[str]:
    """What a node still lacks, one line for each place; `info` as `/object_info` describes it."""
    lacks = []
    if node_id not in CONTRACT:
        lacks.append("tests/nodes/test_workflow.py: CONTRACT has no entry with its name, inputs and outputs")
    if node_id not in EXAMPLES:
        lacks.append("tests/nodes/examples.py: EXAMPLES has no example of it")
    sockets = {kind for kind, *_ in inputs_of(info).values()} | {*info["output"]}
    own = sorted(kind for kind in sockets if kind.startswith("STYLEMIX_"))
    lacks += [
        f"web/stylemix/colors.js: the socket {kind} has no colour" for kind in own if kind not in COLORS
    ]
    for language in LANGUAGES:
        lacks += _missing_words(node_id, info, own, language)
    for picture, maker in PICTURES.items():
        if not (PACK / "web/docs" / node_id / picture).is_file():
            lacks.append(f"web/docs/{node_id}/{picture}: there is no such picture; `{maker}` makes it")
    return [f"{node_id}: {lack}" for lack in lacks]


def _missing_words(node_id: str, info: dict[str, Any], sockets: list[str], language: str) -> list[str]:
    lacks = []
    names, main = (
        json.loads((PACK / "locales" / language / name).read_text(encoding="utf-8"))
        for name in ("nodeDefs.json", "main.json")
    )
    if node_id not in names:
        help = "`python -m tests.nodes.words` writes it" if language == "en" else "translate the English one"
        lacks.append(f"locales/{language}/nodeDefs.json: it has no entry; {help}")
    for kind, known, wanted in (
        ("menu group", main["nodeCategories"], info["category"].split("/")),
        ("socket", main["dataTypes"], sockets),
    ):
        lacks += [
            f"locales/{language}/main.json: the {kind} {each} has no name"
            for each in wanted
            if each not in known
        ]
    if not (PACK / "web/docs" / node_id / f"{language}.md").is_file():
        lacks.append(f"web/docs/{node_id}/{language}.md: there is no such help page")
    rows = (PACK / READMES[language]).read_text(encoding="utf-8").splitlines()
    shown = names.get(node_id, info)["display_name"].split(" · ")[0]
    if not any(row.startswith("| **") and f"**{shown}**" in row for row in rows):
        lacks.append(f"{READMES[language]}: the table of nodes has no **{shown}**")
    return lacks


def test_every_node_is_named_wherever_nodes_are(stand_in):
    lines = unlisted(stand_in)
    for node_id, info in stand_in.object_info().items():
        lines += missing(node_id, info)
    assert not lines, "\n" + "\n".join(lines)


def test_no_place_names_a_node_that_is_not_there(stand_in):
    nodes = stand_in.object_info()
    named = {"tests/nodes/test_workflow.py": {*CONTRACT}, "tests/nodes/examples.py": {*EXAMPLES}}
    named["web/docs"] = {path.name for path in (PACK / "web/docs").iterdir()}
    for language in LANGUAGES:
        file = f"locales/{language}/nodeDefs.json"
        named[file] = {*json.loads((PACK / file).read_text(encoding="utf-8"))}
    assert {place: sorted(ids - {*nodes}) for place, ids in named.items() if ids - {*nodes}} == {}


def test_a_new_node_is_told_every_place(stand_in, monkeypatch):
    from comfy_api.v0_0_2 import io

    class Halve(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema: ...

    monkeypatch.setattr(stand_in.module("nodes.latent"), "Halve", Halve, raising=False)
    (line,) = unlisted(stand_in)
    assert line.startswith("nodes/extension.py: the list of nodes has no Halve")
    schema = {"input": {"required": {"w": ["STYLEMIX_NEW", {}]}}, "output": [], "category": "StyleMix/new"}
    places = [
        line.split(": ")[1]
        for line in missing("StyleMixHalve", {**schema, "display_name": "Halve W+ · half"})
    ]
    assert places == [
        "tests/nodes/test_workflow.py",
        "tests/nodes/examples.py",
        "web/stylemix/colors.js",
        "locales/en/nodeDefs.json",
        "locales/en/main.json",
        "locales/en/main.json",
        "web/docs/StyleMixHalve/en.md",
        "README.md",
        "locales/ko/nodeDefs.json",
        "locales/ko/main.json",
        "locales/ko/main.json",
        "web/docs/StyleMixHalve/ko.md",
        "README.ko.md",
        "web/docs/StyleMixHalve/result.jpg",
        "web/docs/StyleMixHalve/node.jpg",
    ]
