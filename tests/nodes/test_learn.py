"""Directions by example, and what directions change, as nodes."""

import json

import numpy as np
import pytest
import torch

import stylemix_core as sm
from stylemix_core.codes.sampling import sample_latents

from ..host import PACK
from .examples import EXAMPLES, MODELS
from .prompts import node, sampler
from .test_directions import applying, finding, prompt
from .test_latent import drawn
from .test_workflow import in_bytes


@pytest.fixture
def sides(tiny):
    return sample_latents(tiny, range(20, 26), 1.0), sample_latents(tiny, range(40, 46), 1.0)


def sampled(seed: int, count: int = 6) -> dict:
    return sampler(["generator", 0], seed=seed, batch_size=count, truncation_psi=1.0)


def learning(**changes) -> dict:
    inputs = {
        "positive": ["have", 1],
        "negative": ["lack", 1],
        "name": "mine",
        "pairs": False,
        "seed": 3,
        **changes,
    }
    return {
        "have": sampled(20),
        "lack": sampled(40),
        "learn": node("StyleMixLearnDirection", generator=["generator", 0], **inputs),
    }


def channel(text: str) -> dict:
    return node(
        "StyleMixStyleChannels",
        generator=["generator", 0],
        channels=text,
        numbering="StyleCLIP (convolutions)",
    )


def test_a_direction_is_learnt_as_by_the_library(host, tiny, faces, sides):
    found = sm.learn_direction(tiny, *sides, "mine", seed=3)
    nodes = learning()
    run = host.run(prompt(**nodes, report=node("PreviewAny", source=["learn", 1])))
    assert not run.errors
    assert run.texts["report"] == found.report() and "learnt from 6 + 6 faces" in found.report()
    assert "this is noise" in run.texts["report"]  # faces of random seeds differ in nothing that is meant
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(sm.apply_direction(faces, found, "mine", 1.0).w))
    moved = drawn(host, ["apply", 0], **nodes, apply=applying("learn", direction="mine", strength=1.0))
    assert np.abs(moved - expected).max() <= 1.01


def test_directions_are_freed_of_others_and_explained(host, tiny, faces):
    nodes = {
        "find": finding(layers="0-3", count=3),
        "others": finding(layers="2", count=1),
        "conditioned": node("StyleMixConditionDirections", directions=["find", 0], others=["others", 0]),
        "explained": node(
            "StyleMixExplainDirections",
            generator=["generator", 0],
            latent=["faces", 1],
            directions=["conditioned", 0],
            regions_by="auto",
        ),
    }
    run = host.run(prompt(**nodes, report=node("PreviewAny", source=["explained", 1])))
    assert not run.errors
    left = sm.condition_directions(
        sm.find_directions(tiny, layers="0-3", count=3), sm.find_directions(tiny, layers="2", count=1)
    )
    effects = sm.measure_directions(tiny, faces, left)
    assert run.texts["report"].split("\n") == [effect.line() for effect in effects]


def test_style_channels_move_faces(host, tiny, faces):
    channels = channel("3:5")
    moved = drawn(
        host, ["apply", 0], channels=channels, apply=applying("channels", direction="1", strength=4.0)
    )
    expected = sm.decode(tiny, sm.apply_direction(faces, sm.style_channels(tiny, "3:5", False), 1, 4.0))
    assert np.abs(moved - in_bytes(expected)).max() <= 1.01


@pytest.mark.parametrize(
    ("file", "write", "load"),
    [
        ("age_boundary.npy", lambda path: np.save(path, np.ones([1, 16]) / 4), {}),
        ("smile.pt", lambda path: torch.save(torch.ones(8, 16), path), {}),
        ("z.npy", lambda path: np.save(path, np.ones([1, 16]) / 4), {"space": "Z"}),
    ],
)
def test_other_tools_directions_are_listed_and_loaded(file, write, load, host, tiny, faces):
    path = host.base / "input" / file
    write(path)
    assert file in host.object_info()["StyleMixLoadDirections"]["input"]["required"]["file"][1]["options"]
    loaded = sm.load_directions(path, tiny, load.get("space"))
    loading = node("StyleMixLoadDirections", file=file, generator=["generator", 0], **load)
    moved = drawn(host, ["apply", 0], load=loading, apply=applying("load", direction="1", strength=2.0))
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(sm.apply_direction(faces, loaded, 1, 2.0).w))
    assert np.abs(moved - expected).max() <= 1.01
    path.unlink()


def test_other_tools_codes_are_listed_loaded_and_written(host, tiny, faces):
    np.savez(host.base / "input/projected_w.npz", w=faces.w.numpy())
    np.save(host.base / "input/single.npy", faces.w[:, 0].numpy())
    names = host.object_info()["StyleMixLoadLatent"]["input"]["required"]["file"][1]["options"]
    assert {"projected_w.npz", "single.npy"} <= set(names)
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(faces.w))
    for file, more in (("projected_w.npz", {}), ("single.npy", {"generator": ["generator", 0]})):
        load = node("StyleMixLoadLatent", file=file, **more)
        assert np.abs(drawn(host, ["load", 0], load=load) - expected).max() <= 1.01
    run = host.run(
        prompt(
            load=node("StyleMixLoadLatent", file="single.npy"), text=node("PreviewAny", source=["load", 1])
        )
    )
    assert "give the generator" in str(run.errors)
    save = node("StyleMixSaveLatent", latent=["faces", 1], filename_prefix="out/codes", format="npz")
    run = host.run(prompt(save=save))
    (shown,) = run.shown["save"]["latents"]
    written = host.base / "output" / shown["subfolder"] / shown["filename"]
    assert written.suffix == ".npz" and np.allclose(np.load(written)["w"], faces.w.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        (
            {"lack": sampled(40, 5), "learn": learning(pairs=True)["learn"]},
            "there are 6 and 5; give equally many",
        ),
        ({"learn": channel("99:1")}, "no style channel of this generator"),
    ],
)
def test_a_mistake_is_explained_at_its_node(host, failing, message):
    nodes = {**learning(), **failing, "report": node("PreviewAny", source=["learn", 0])}
    assert message in host.run(prompt(**nodes)).errors["learn"]


def sorting(choices: str, **changes) -> dict:
    inputs = {"seed": 20, "count": 8, "truncation_psi": 1.0, "name": "mine", "choices": choices, **changes}
    return node("StyleMixSortFaces", generator=["generator", 0], **inputs)


def test_sorted_faces_make_a_direction(host, tiny):
    run = host.run(prompt(sort=sorting("+1 +3 +5 -2 -4 -6"), report=node("PreviewAny", source=["sort", 1])))
    assert not run.errors
    faces = sample_latents(tiny, range(20, 28), 1.0)
    found = sm.learn_direction(tiny, faces.take([0, 2, 4]), faces.take([1, 3, 5]), "mine")
    assert run.texts["report"] == found.report()
    shown = run.shown["sort"]
    assert len(shown["stylemix_faces"]) == 8 and len(shown["stylemix_strip"]) == 3
    assert sorted(shown["stylemix_asked"]) == [6, 7]
    assert shown["stylemix_report"][0].startswith("learnt from 3 + 3 faces")


def test_the_example_shows_a_slider_that_can_be_trusted(stand_in):
    nodes = json.loads((PACK / "example_workflows/slider_from_twenty_faces.json").read_text("utf-8"))["nodes"]
    (values,) = (each["widgets_values"] for each in nodes if each["type"] == "StyleMixSortFaces")
    inputs = dict(zip(("seed", "count", "truncation_psi", "name", "choices"), values, strict=True))
    assert inputs == {name: EXAMPLES["StyleMixSortFaces"]["sorted"]["inputs"][name] for name in inputs}
    report = node("PreviewAny", source=["sort", 1])
    text = stand_in.run({**MODELS, "sort": sorting(**inputs), "report": report}).texts["report"]
    assert "learnt from 6 + 12 faces" in text and "this is noise" not in text


@pytest.mark.parametrize("kind", ["LearnDirection", "ConditionDirections"])
def test_what_the_examples_learn_can_be_trusted(stand_in, kind):
    example = EXAMPLES[f"StyleMix{kind}"]
    learning = [key for key, each in example.items() if each["class_type"] == "StyleMixLearnDirection"]
    reports = {f"report of {key}": node("PreviewAny", source=[key, 1]) for key in learning}
    texts = stand_in.run({**MODELS, **example, **reports}).texts
    assert reports and not any("this is noise" in texts[name] for name in reports)


def test_too_few_sorted_faces_keep_what_is_behind_waiting(host):
    nodes = {"sort": sorting("+1 -2"), "apply": applying("sort", direction="1")}
    decode = node("StyleMixDecode", generator=["generator", 0], latent=["apply", 0], noise_mode="const")
    run = host.run(prompt(**nodes, decode=decode, out=node("PreviewImage", images=["decode", 0])))
    assert not run.errors and not run.pictures.get("out")
    assert (
        run.shown["sort"]["stylemix_asked"] == [2, 3, 4, 5, 6, 7]
        and "stylemix_strip" not in run.shown["sort"]
    )


def test_a_choice_that_is_none_is_refused(host):
    run = host.run(prompt(sort=sorting("+9"), report=node("PreviewAny", source=["sort", 1])))
    assert "is no choice" in run.errors["sort"]


def test_thumbnails_are_drawn_once(stand_in, tiny):
    first = stand_in.run(prompt(sort=sorting("+1"))).shown["sort"]["stylemix_faces"]
    assert stand_in.run(prompt(sort=sorting("+1 -2"))).shown["sort"]["stylemix_faces"] == first
    assert stand_in.run(prompt(sort=sorting("+1 -2", seed=21))).shown["sort"]["stylemix_faces"] != first
