"""Find Layers in workflows."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from stylemix_core.analysis.find import find_layers
from stylemix_core.codes.seeds import sample_z
from stylemix_core.encoder.identity import find_identity
from stylemix_core.images import to_comfy
from stylemix_core.mixing.inject import inject

from .. import builders
from .prompts import find_prompt


@pytest.fixture(scope="module")
def generator():
    """That of the prompt."""
    return builders.tiny_generator()


@pytest.fixture(scope="module")
def codes(generator):
    """Those of the prompt's face and of its style."""
    with torch.no_grad():
        w = generator.mapping(sample_z([7, 100], generator.z_dim), truncation_psi=0.7)
    return w.split(1)


@pytest.fixture(scope="module")
def search(generator, codes):
    return find_layers(generator, *codes, torch.ones(32, 32), steps=1, others=1)


@pytest.fixture(scope="module")
def search_with_identity(generator, codes):
    identity = find_identity(None, builders.tiny_encoder())
    return find_layers(generator, *codes, "everything", "identity", steps=1, others=1, identity=identity)


def test_the_outputs_are_the_librarys_and_the_mask_can_be_used(host, generator, codes, search):
    run = host.run(find_prompt())
    assert not run.errors
    assert run.texts["masks"].split("\n") == [mask.mask_text for mask in search]
    assert run.texts["table"] == search.table()
    assert run.pictures["save sheet"][0].size == search.sheet().size
    picks = [pick["value"] for pick in run.shown["find"]["stylemix_picks"]]
    assert picks == [*(mask.mask_text for mask in search), *(str(layer) for layer in range(8))]
    with torch.no_grad():
        expected = to_comfy(generator.synthesis(inject(*codes, search[0].strengths[None]))) * 255
    pictures = np.stack([np.asarray(picture, dtype=np.float32) for picture in run.pictures["save"]])
    assert np.abs(pictures - expected.numpy()).max() <= 1.01


def test_the_encoder_sees_the_identity_that_is_to_be_kept(host, search_with_identity):
    run = host.run(find_prompt(keep="identity", target="everything", encoder=["encoder", 0]))
    assert not run.errors
    assert run.texts["table"] == search_with_identity.table()


def test_a_mask_that_is_squeezed_and_a_wish_that_fails_come_with_warnings(stand_in, monkeypatch, caplog):
    def hopeless(*arguments, **options):
        search = find_layers(*arguments, **options)
        return replace(search, candidates=tuple(replace(mask, inside=0.0) for mask in search))

    monkeypatch.setattr(stand_in.module("nodes.explore"), "find_layers", hopeless)
    prompt = find_prompt(steps=0, others=0)
    prompt["white"]["inputs"]["width"] = 48
    assert not stand_in.run(prompt).errors
    squeezed, failed = caplog.messages
    assert "target_mask is 48×32 pixels, the pictures are 32×32" in squeezed
    assert "no layers do this" in failed


def test_the_page_is_told_of_the_best_mask_so_far(stand_in, monkeypatch):
    monkeypatch.setattr(stand_in.module("nodes.host.execution"), "PREVIEW_SECONDS", 0.0)
    from server import PromptServer

    monkeypatch.setattr(PromptServer.instance, "sent", told := [])
    stand_in.forget()
    assert not stand_in.run(find_prompt(steps=0)).errors
    assert {(event, data["node"]) for event, data in told} == {("stylemix_progress", "find")}
    texts = [data["text"] for _, data in told]
    assert re.fullmatch(r"so far: all, \d+ s left", texts[2])
    assert re.fullmatch(r"best so far: [-\d, ]+, \d+ s left", texts[-1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_mask": None}, "target is mask, but there is none; connect target_mask"),
        ({"keep": "mask"}, "keep is mask, but there is none; connect keep_mask"),
        ({"target": "hair"}, "shows no face"),
        ({"target_mask": ["black", 0]}, "the target is empty"),
        ({"style": ["two", 1]}, "1 source and 2 styles"),
    ],
)
def test_a_mistake_is_explained_at_the_node(host, changes, message):
    prompt = find_prompt(**changes)
    prompt["find"]["inputs"] = {k: v for k, v in prompt["find"]["inputs"].items() if v is not None}
    run = host.run(prompt)
    assert list(run.errors) == ["find"]
    assert message in run.errors["find"]


def test_when_memory_runs_out_pictures_are_drawn_one_at_a_time(stand_in, monkeypatch):
    from comfy import model_management

    explore = stand_in.module("nodes.explore")
    chunks = []

    def short_of_memory(*arguments, chunk, **options):
        chunks.append(chunk)
        if len(chunks) == 1:
            raise model_management.OOM_EXCEPTION("out of memory")
        return find_layers(*arguments, chunk=chunk, **options)

    monkeypatch.setattr(explore, "find_layers", short_of_memory)
    assert not stand_in.run(find_prompt(steps=0, others=0)).errors
    assert chunks == [4, 1]
