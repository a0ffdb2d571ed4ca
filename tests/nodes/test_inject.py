"""InjectW+ in the space of styles and inside regions, asserted alike on the stand-in and on a real ComfyUI."""

import numpy as np
import pytest
import torch

from stylemix_core.codes.latents import load_latents
from stylemix_core.decoding import decode
from stylemix_core.generator.batches import in_chunks
from stylemix_core.masks.mask_list import parse_masks
from stylemix_core.mixing.inject import Injection, inject_latents

from ..host import Prompt
from .prompts import inject, node, sampler
from .test_workflow import in_bytes, pixels

TINY = "tiny.safetensors"
MASKS = "0-3; all"


def injecting(**inputs: object) -> Prompt:
    """Two faces take a third one's style, with these inputs more than an old prompt has."""
    return {
        "generator": node("StyleMixLoadGenerator", checkpoint=TINY, dtype="float32"),
        "faces": sampler(["generator", 0], batch_size=2),
        "style": sampler(["generator", 0], seed=100),
        "region": node("SolidMask", value=1.0, width=24, height=16),
        "inject": inject(["faces", 1], ["style", 1], MASKS, **inputs),
        "decode": node(
            "StyleMixDecode", generator=["generator", 0], latent=["inject", 0], noise_mode="const"
        ),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="inject"),
    }


def drawn(host, **inputs: object) -> np.ndarray:
    run = host.run(injecting(**inputs))
    assert not run.errors, run.errors
    return pixels(run.pictures["save"])


@pytest.fixture
def codes(faces, style):
    return faces, style


def test_a_prompt_without_the_new_inputs_injects_as_it_did(host, tiny, codes):
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(inject_latents(*codes, parse_masks(MASKS, tiny.num_ws)).w))
    assert np.abs(drawn(host) - expected).max() <= 1.01
    assert np.array_equal(drawn(host, space="W+", channel_share=0.5), drawn(host))


@pytest.mark.parametrize("space", ["convolutions", "to-RGB"])
def test_a_space_takes_its_part_of_the_layers(host, tiny, codes, space):
    mixed = inject_latents(*codes, parse_masks(MASKS, tiny.num_ws), space=space)
    with torch.no_grad():
        expected = in_bytes(decode(tiny, mixed))
    pictures = drawn(host, space=space)
    assert np.abs(pictures - expected).max() <= 1.01
    assert np.abs(pictures - drawn(host)).max() > 5


def test_channels_that_act_in_a_region_are_taken(host, tiny, codes):
    masks = parse_masks(MASKS, tiny.num_ws)
    with torch.no_grad():
        injection = Injection(masks, space="channels", region=torch.ones(1, 16, 24), channel_share=0.5)
        expected = in_bytes(decode(tiny, injection.run(*codes, in_chunks(tiny)).codes))
    inputs = {"space": "channels", "channel_share": 0.5, "region": ["region", 0]}
    pictures = drawn(host, **inputs, generator=["generator", 0])
    assert np.abs(pictures - expected).max() <= 1.01
    run = host.run(injecting(**inputs))
    assert "needs a generator and a region" in run.errors["inject"]


def test_a_white_region_takes_the_style_everywhere_and_a_black_one_nowhere(host):
    assert np.abs(drawn(host, region=["region", 0]) - drawn(host)).max() <= 1.01
    prompt = injecting(region=["region", 0])
    prompt["region"]["inputs"]["value"] = 0.0
    black = pixels(host.run(prompt).pictures["save"])
    faces = {**injecting(), "save": node("SaveImage", images=["faces", 0], filename_prefix="faces")}
    sources = pixels(host.run(faces).pictures["save"])
    assert np.abs(black - sources.repeat(2, 0)).max() <= 1.01


def test_regions_go_through_files(host):
    prompt = injecting(region=["region", 0])
    prompt["kept"] = node("StyleMixSaveLatent", latent=["inject", 0], filename_prefix="regions/codes")
    run = host.run(prompt)
    (file,) = run.shown["kept"]["latents"]
    saved = load_latents(host.base / "output" / file["subfolder"] / file["filename"])
    assert saved.regions[0].mask.shape == (4, 32, 32)
    again = {
        "generator": prompt["generator"],
        "load": node("StyleMixLoadLatent", file=f"{file['subfolder']}/{file['filename']} [output]"),
        "decode": node("StyleMixDecode", generator=["generator", 0], latent=["load", 0], noise_mode="const"),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="again"),
    }
    pictures = pixels(host.run(again).pictures["save"])
    assert np.abs(pictures - pixels(run.pictures["save"])).max() <= 1.01


def test_decode_says_what_a_region_lets_through(stand_in, tiny_nodes):
    region = torch.zeros(1, 32, 32)
    region[..., :16] = 1
    mixed, _ = stand_in.call("StyleMixInject", **tiny_nodes, region=region)
    ((kind, text),) = stand_in.said(
        "StyleMixDecode", generator=tiny_nodes["generator"], latent=mixed, noise_mode="const"
    )
    assert kind == "note"
    assert text.startswith("Of what the style changes: ") and "inside the region" in text


def test_a_region_where_nothing_happens_comes_with_a_warning(stand_in, tiny_nodes, caplog):
    stand_in.call("StyleMixInject", **tiny_nodes, region=torch.ones(1, 32, 32))
    assert not caplog.messages
    stand_in.call("StyleMixInject", **tiny_nodes, region=torch.zeros(1, 32, 64))
    black, squeezed = caplog.messages
    assert "the region is black everywhere" in black
    assert "region is 64×32 pixels, the pictures are 32×32" in squeezed


def test_a_region_for_each_mask_is_cut_out_of_its_result(stand_in, tiny_nodes):
    regions = torch.zeros(2, 32, 32)
    regions[0, :, :16] = regions[1, :, 16:] = 1
    mixed, _ = stand_in.call("StyleMixInject", **tiny_nodes, region=regions)
    assert mixed.regions[0].mask[:, 0, 0].tolist() == [255, 0]
    with pytest.raises(ValueError, match="one for each of 2 layer masks"):
        stand_in.call("StyleMixInject", **tiny_nodes, region=regions.repeat(2, 1, 1)[:3])


@pytest.fixture
def tiny_nodes(stand_in):
    """The inputs of InjectW+ on the tiny model."""
    (generator,) = stand_in.call("StyleMixLoadGenerator", checkpoint=TINY, dtype="float32")
    sampling = {"generator": generator, "batch_size": 1, "truncation_psi": 1.0, "truncation_cutoff": -1}
    _, one = stand_in.call("StyleMixSampler", **sampling, seed=1, class_label=-1, noise_mode="const")
    _, other = stand_in.call("StyleMixSampler", **sampling, seed=2, class_label=-1, noise_mode="const")
    inputs = {"latent": one, "style": other, "mask_list": MASKS, "alpha": 1.0, "pairing": "match", "seed": 0}
    return {**inputs, "generator": generator}
