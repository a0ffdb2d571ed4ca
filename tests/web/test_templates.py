"""Example workflows and the blueprint carry their notes and titles in both languages."""

import json

import pytest
from PIL import Image

from ..host import PACK

FILES = sorted([*PACK.glob("example_workflows/*.json"), *PACK.glob("subgraphs/*.json")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_note_and_title_has_a_translation(file):
    content = json.loads(file.read_text(encoding="utf-8"))
    graphs = [content, *content.get("definitions", {}).get("subgraphs", [])]
    nodes = [node for graph in graphs for node in graph["nodes"]]
    written = [node["title"] for node in nodes if "title" in node]
    written += [node["widgets_values"][0] for node in nodes if node["type"] == "MarkdownNote"]
    written += [group["title"] for graph in graphs for group in graph["groups"]]
    texts = content["extra"]["stylemix_texts"]
    assert {each["en"] for each in texts} == set(written)
    assert all(set(each) == {"en", "ko"} and each["en"] != each["ko"] for each in texts)


def test_the_blueprint_is_described():
    """Where front ends look for it: they take its name from the file."""
    (file,) = PACK.glob("subgraphs/*.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    (graph,) = content["definitions"]["subgraphs"]
    assert content["nodes"][0]["title"] == graph["name"] == file.stem
    assert content["extra"]["BlueprintDescription"] == graph["description"] != ""
    assert graph["category"] == "StyleMix"
    assert {"hair", "style mixing", "머리"} <= {*content["extra"]["BlueprintSearchAliases"]}


def test_the_blueprint_takes_the_hair_of_the_bundled_model():
    """Its hair shape and half of its colours, on the node and on InjectW+ inside."""
    (file,) = PACK.glob("subgraphs/*.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    (graph,) = content["definitions"]["subgraphs"]
    (inject,) = (node for node in graph["nodes"] if node["type"] == "StyleMixInject")
    assert [node["widgets_values"][0] for node in (content["nodes"][0], inject)] == 2 * ["4-5, 8-10@0.5"]


@pytest.mark.parametrize("name", ["clip_restyled", "hair_comes_and_goes", "walk_through_six_faces"])
def test_thumbnails_of_films_move(name):
    with Image.open(PACK / "example_workflows" / f"{name}.jpg") as picture:
        assert picture.is_animated
