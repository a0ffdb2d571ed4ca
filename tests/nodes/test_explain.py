"""Explain Layers in workflows."""

import json

import numpy as np
import pytest
import torch

from stylemix_core.analysis.explain import explain_layers
from stylemix_core.checkpoints import load_generator
from stylemix_core.codes.seeds import sample_z
from stylemix_core.images import to_comfy

from .prompts import faces_and_style, node


def explain_prompt(**changes):
    """A style explained on two faces, by two halves of the picture as regions."""
    return {
        **faces_and_style(batch_size=2),
        "mask": node("SolidMask", value=1.0, width=32, height=32),
        "explain": node(
            "StyleMixExplainLayers",
            **{
                "generator": ["generator", 0],
                "latent": ["faces", 1],
                "style": ["style", 1],
                "encoder": ["encoder", 0],
                "masks": ["mask", 0],
                "mask_names": "all of it",
                **changes,
            },
        ),
        "save": node("SaveImage", images=["explain", 1], filename_prefix="alone"),
        "save sheet": node("SaveImage", images=["explain", 0], filename_prefix="sheet"),
        "save heat": node("SaveImage", images=["explain", 2], filename_prefix="heat"),
        "table": node("PreviewAny", source=["explain", 3]),
        "json": node("PreviewAny", source=["explain", 4]),
    }


def test_the_outputs_are_the_librarys(host):
    run = host.run(explain_prompt())
    assert not run.errors
    generator = load_generator(host.base / "models/stylegan/tiny.safetensors", device="cpu")
    codes = generator.mapping(sample_z([7, 8, 100], generator.z_dim), truncation_psi=0.7)
    report = explain_layers(generator, codes[:2], codes[2:], {"all of it": torch.ones(4, 4)})
    pictures = np.stack([np.asarray(picture, dtype=np.float32) for picture in run.pictures["save"]])
    assert np.abs(pictures - to_comfy(report.alone).numpy() * 255).max() <= 1.01
    assert len(run.pictures["save heat"]) == 8
    assert run.pictures["save sheet"][0].size == run.pictures["explain"][0].size
    figures = json.loads(run.texts["json"])
    found = [layer["effect"] for layer in figures["layers"]]
    assert np.allclose(found, report.effect, atol=1e-4)
    assert figures["pairs"] == 2 and figures["identity"].startswith("encoder features")
    assert all(layer["shares"] == {"all of it": 1.0, "elsewhere": 0.0} for layer in figures["layers"])
    rows = run.texts["table"].split("\n")[5:13]
    assert [row.split()[0] for row in rows] == [str(layer) for layer in range(8)]
    picks = [pick.figures() for pick in report.picks(run.pictures["explain"][0])]
    assert run.shown["explain"]["stylemix_picks"] == [{"widget": "mask_list", **pick} for pick in picks]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masks": None}, "shows no face"),
        ({"mask_names": "hat, beard"}, "2 names (hat, beard) for 1 mask"),
        ({"latent": ["style", 1], "style": ["faces", 1]}, "cannot be matched"),
    ],
)
def test_a_mistake_is_explained_at_the_node(host, changes, message):
    prompt = explain_prompt(**changes)
    prompt["explain"]["inputs"] = {k: v for k, v in prompt["explain"]["inputs"].items() if v is not None}
    run = host.run(prompt)
    assert list(run.errors) == ["explain"]
    assert message in run.errors["explain"]


def test_when_memory_runs_out_pictures_are_drawn_one_at_a_time(stand_in, monkeypatch):
    from comfy import model_management

    explore = stand_in.module("nodes.explore")
    chunks = []

    def short_of_memory(*arguments):
        chunks.append(arguments[7])
        if len(chunks) == 1:
            raise model_management.OOM_EXCEPTION("out of memory")
        return explain_layers(*arguments)

    monkeypatch.setattr(explore, "explain_layers", short_of_memory)
    assert not stand_in.run(explain_prompt()).errors
    assert chunks == [4, 1]
