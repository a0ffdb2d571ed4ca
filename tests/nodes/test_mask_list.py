"""Mask lists between nodes, asserted alike on the stand-in and on a real ComfyUI."""

import numpy as np
import pytest
import torch

from stylemix_core.codes.latents import Latents
from stylemix_core.masks.grammar import STUDY_SWEEP
from stylemix_core.masks.mask_list import parse_masks

from ..host import Prompt
from .prompts import inject, node, sampler
from .test_workflow import inputs_of, pixels


def mask_list(text: str, **inputs: object) -> dict:
    return node("StyleMixMaskList", **{"mask_list": text, "alpha": 1.0, "seed": 0, **inputs})


def mixing(masks: list | None, /, **nodes: dict) -> Prompt:
    """Faces 7 and 9 mixed by a mask list, wired or as text "2"."""
    wired = {} if masks is None else {"masks": masks}
    return {
        "generator": node("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32"),
        "face": sampler(["generator", 0]),
        "style": sampler(["generator", 0], seed=9),
        **nodes,
        "inject": inject(["face", 1], ["style", 1], "2", **wired),
        "decode": node(
            "StyleMixDecode", generator=["generator", 0], latent=["inject", 0], noise_mode="const"
        ),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="mixing"),
        "labels": node("PreviewAny", source=["inject", 1]),
    }


def test_a_mask_list_starts_with_the_studys_sweep(host):
    inputs = inputs_of(host.object_info()["StyleMixMaskList"])
    assert inputs["mask_list"][1]["default"] == STUDY_SWEEP
    assert (inputs["alpha"][1]["default"], inputs["seed"][1]["default"]) == (1.0, 0)


def test_a_wired_mask_list_replaces_the_text(host):
    wired = host.run(mixing(["masks", 0], masks=mask_list("hair: 2; all")))
    assert not wired.errors
    assert wired.texts["labels"] == "hair\nall"
    as_text = host.run(mixing(None))
    assert np.array_equal(pixels(wired.pictures["save"])[0], pixels(as_text.pictures["save"])[0])


def test_joined_lists_keep_their_order_and_strengths(host):
    run = host.run(
        mixing(
            ["last", 0],
            first=mask_list("0-3", alpha=0.0),
            last=mask_list("style: all", masks=["first", 0]),
            text=node("PreviewAny", source=["last", 1]),
        )
    )
    assert not run.errors
    assert run.texts["text"] == "0-3@0\nstyle: all"
    assert run.texts["labels"] == "0-3\nstyle"
    nothing, everything = pixels(run.pictures["save"])
    source = host.run(mixing(["none", 0], none=mask_list("none; all")))
    assert np.array_equal(nothing, pixels(source.pictures["save"])[0])
    assert np.array_equal(everything, pixels(source.pictures["save"])[1])


@pytest.mark.parametrize(
    ("text", "failing", "message"),
    [
        ("2-", "masks", "line 1, column 2"),
        ("9", "inject", "this model has the layers 0-7"),
        ("fine", "inject", "fine starts at layer 8"),
        ("", "masks", "the mask list is empty"),
    ],
)
def test_a_mistake_is_explained_where_it_is_known(host, text, failing, message):
    """The syntax at the Mask List, which knows no model; the range at InjectW+."""
    run = host.run(mixing(["masks", 0], masks=mask_list(text)))
    assert list(run.errors) == [failing]
    assert message in run.errors[failing]


def test_injecting_tells_the_page_which_masks_were_in_force(host):
    """As many columns as the model has layers, and every strength and random choice spelled out."""
    assert host.run(mixing(None)).shown["inject"]["stylemix_num_ws"] == [8]
    shown = host.run(mixing(["masks", 0], masks=mask_list("eyes: 3-4; 5@0.5", alpha=0.7))).shown["inject"]
    assert (shown["stylemix_num_ws"], shown["stylemix_masks"]) == ([8], ["eyes: 3-4@0.7; 5@0.5"])


def test_a_figure_shows_its_masks_beside_its_picture(host):
    faces = {name: part for name, part in mixing(None).items() if name in ("generator", "face", "style")}
    wired = {"generator": ["generator", 0], "latent": ["face", 1], "style": ["style", 1]}
    matrix = node("StyleMixMatrix", **wired, mask_list="hair: 2", alpha=0.5, seed=0)
    shown = host.run({**faces, "matrix": matrix}).shown["matrix"]
    assert (shown["stylemix_num_ws"], shown["stylemix_masks"]) == ([8], ["hair: 2@0.5"])
    assert len(shown["images"]) == 1


@pytest.mark.parametrize(
    "masks",
    [[[2], [3]], [2, 3], "2; 3", parse_masks("2; 3", 8)],
    ids=["lists", "one list", "text", "MaskList"],
)
def test_masks_may_come_as_lists(stand_in, masks):
    """Of another pack's node."""
    if not isinstance(masks, (list, str)):
        masks = stand_in.module("stylemix_core.masks.mask_list").MaskList(masks.strengths, masks.labels)
    latent = Latents.of(torch.zeros(1, 8, 16))
    arguments = {"mask_list": "broken", "alpha": 1.0, "pairing": "match", "seed": 0}
    _, labels = stand_in.call("StyleMixInject", latent=latent, style=latent, masks=masks, **arguments)
    assert labels == ("2-3" if masks == [2, 3] else "2\n3")
    joined, text = stand_in.call("StyleMixMaskList", mask_list="4", alpha=1.0, seed=0, masks=masks)
    assert joined.resolve(8).labels[-1] == "4"
    assert text.split("\n")[-1] == "4"


def test_a_mask_list_of_another_model_is_refused(stand_in):
    masks = stand_in.module("stylemix_core.masks.mask_list").parse_masks("2", 14)
    latent = Latents.of(torch.zeros(1, 8, 16))
    arguments = {"mask_list": "0", "alpha": 1.0, "pairing": "match", "seed": 0}
    with pytest.raises(ValueError, match="num_ws = 8"):
        stand_in.call("StyleMixInject", latent=latent, style=latent, masks=masks, **arguments)
