"""Generators whose pictures do not grow from 4×4: StyleGAN-Human's 1024×512, forks with other proportions, odd sizes.

Everything is held against the paper's formula, which knows no proportions (`benchmarks/plain.py`).
"""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import stylemix_core as sm
from benchmarks import plain
from stylemix_core.analysis.explain import explain_layers
from stylemix_core.analysis.find import find_layers
from stylemix_core.checkpoints import convert_checkpoint, inspect_checkpoint, load_encoder, load_generator
from stylemix_core.codes.combine import join_latents
from stylemix_core.codes.latents import Latents, load_latents, save_latents
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.drawing import squared
from stylemix_core.errors import CheckpointError, StyleMixError
from stylemix_core.generator.batches import in_chunks
from stylemix_core.generator.engine import strips
from stylemix_core.generator.fingerprint import start_of
from stylemix_core.inversion import invert
from stylemix_core.mixing.inject import Injection
from tests import builders

STARTS = [(4, 2), (8, 4), (2, 6), (5, 5), (3, 4), (1, 1)]
TALL = (4, 2)


def config(start, **changes):
    return builders.tiny_generator_config(start=start, img_resolution=8 * max(start), **changes)


def build(start=TALL, **changes):
    return builders.tiny_generator(**{"start": start, "img_resolution": 8 * max(start), **changes})


def codes(generator, count=2):
    return sample_latents(generator, range(count), psi=1.0)


@pytest.mark.parametrize("start", STARTS)
def test_pictures_are_those_of_the_formula(start):
    generator = build(start)
    w = codes(generator).w
    pictures = generator.synthesis(w)
    assert pictures.shape == (2, 3, 8 * start[0], 8 * start[1])
    assert generator.img_shape == pictures.shape[2:] and generator.img_resolution == max(pictures.shape[2:])
    assert (pictures - plain.synthesis(generator, w)).abs().max() < 1e-4 * pictures.abs().max()


@pytest.mark.parametrize("start", [TALL, (2, 6)])
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_strips_give_the_picture_that_is_drawn_as_a_whole(start, architecture, monkeypatch):
    generator = build(start, architecture=architecture)
    w = codes(generator, 1).w
    whole = generator.synthesis(w)
    monkeypatch.setattr(strips, "STRIP_BYTES", 1024)
    assert (generator.synthesis(w) - whole).abs().max() < 1e-5 * whole.abs().max()


def test_smaller_pictures_are_named_by_their_larger_side():
    generator = build((2, 6))
    w = codes(generator).w
    assert generator.synthesis.colour_resolutions == (6, 12, 24, 48)
    assert generator.synthesis(w, resolution=12).shape == (2, 3, 4, 12)
    with pytest.raises(StyleMixError, match="6, 12, 24, 48"):
        generator.synthesis(w, resolution=8)


def test_a_batch_draws_what_its_codes_draw_alone():
    generator = build()
    w = codes(generator, 5).w
    alone = torch.cat([generator.synthesis(one[None], "random", [7 + i]) for i, one in enumerate(w)])
    assert (generator.synthesis(w, "random", 7) - alone).abs().max() < 1e-5 * alone.abs().max()


@pytest.mark.parametrize("start", [TALL, (2, 6), (5, 5)])
def test_a_region_of_everything_is_the_style_and_one_of_nothing_the_source(start, monkeypatch):
    generator = build(start)
    source, style = codes(generator).take([0]), codes(generator).take([1])
    masks = sm.parse_masks("all", generator.num_ws)
    for share, expected in ((0.0, source), (1.0, style)):
        region = torch.full([1, 16, 16], share)
        mixed = sm.inject_latents(source, style, masks, region=region)
        assert mixed.regions[0].mask.shape[1:] == generator.img_shape
        drawn, whole = sm.decode(generator, mixed), sm.decode(generator, expected)
        assert (drawn - whole).abs().max() < 1e-4 * whole.abs().max()
        monkeypatch.setattr(strips, "STRIP_BYTES", 1024)
        assert (sm.decode(generator, mixed) - whole).abs().max() < 1e-4 * whole.abs().max()


def test_a_region_acts_where_it_was_painted():
    generator = build((8, 4), channels=(16, 12, 8, 8, 8), img_resolution=128)
    source, style = codes(generator).take([0]), codes(generator).take([1])
    region = torch.zeros(1, 128, 64)
    region[:, 96:] = 1
    mixed = sm.inject_latents(source, style, sm.parse_masks("all", generator.num_ws), region=region)
    drawn, below, above = (sm.decode(generator, one) for one in (mixed, style, source))
    assert (drawn - above)[:, :, :64].abs().max() < 1e-4 * above.abs().max()
    lowest = (drawn - below)[:, :, 120:].abs().mean(), (above - below)[:, :, 120:].abs().mean()
    assert lowest[0] < 0.2 * lowest[1]
    outside, inside = sm.leakage(generator, mixed)[0].tolist()
    assert outside < 0.1 and inside > 0.8


def test_channels_of_a_region_are_found():
    generator = build()
    source, style = codes(generator).take([0]), codes(generator).take([1])
    masks = sm.parse_masks("all", generator.num_ws)
    region = torch.zeros(1, *generator.img_shape)
    region[:, :16] = 1
    injection = Injection(masks, space="channels", region=region, channel_share=1.0)
    mixed = injection.run(source, style, in_chunks(generator)).codes
    whole = sm.decode(generator, style)
    assert (sm.decode(generator, mixed) - whole).abs().max() < 1e-4 * whole.abs().max()


def test_codes_know_the_proportions_of_their_pictures(tmp_path):
    generator = build()
    fingerprint = generator.fingerprint()
    assert fingerprint.endswith("-4x2") and start_of(fingerprint) == TALL
    assert start_of(None) == start_of(builders.tiny_generator().fingerprint()) == (4, 4)
    assert all(start_of(odd) == (4, 4) for odd in ("", "-", "a-0x2", "a-4", "a-4x2x3", "a-99999x1", "a-²x2"))
    region = torch.ones(1, *generator.img_shape)
    mixed = sm.inject_latents(codes(generator), codes(generator), sm.parse_masks("all", 8), region=region)
    save_latents(tmp_path / "codes.safetensors", mixed)
    again = load_latents(tmp_path / "codes.safetensors")
    assert again.generator == fingerprint and torch.equal(again.regions[0].mask, mixed.regions[0].mask)


def test_codes_of_different_proportions_are_joined_and_keep_their_regions():
    tall, square = build(), builders.tiny_generator()
    masks = sm.parse_masks("all", 8)
    parts = [
        sm.inject_latents(codes(one), codes(one), masks, region=torch.ones(1, 8, 8)) for one in (tall, square)
    ]
    joined = join_latents(parts)
    assert len(joined) == 4 and joined.regions[0].mask.shape == (4, 32, 32)
    assert (joined.regions[0].mask == 255).all()
    assert sm.decode(tall, joined).shape == (4, 3, 32, 16)


def test_codes_of_an_unknown_generator_take_a_region():
    generator = build()
    source, style = (Latents.of(w) for w in codes(generator).w)
    mixed = sm.inject_latents(source, style, sm.parse_masks("all", 8), region=torch.ones(1, 32, 16))
    drawn, whole = sm.decode(generator, mixed), sm.decode(generator, style)
    assert (drawn - whole).abs().max() < 1e-4 * whole.abs().max()


def nvidia(path, state):
    return builders.write_nvidia(path.with_suffix(".pkl"), state)


def rosinality(path, state):
    torch.save({"g_ema": builders.rosinality_state(state)}, path.with_suffix(".pt"))
    return path.with_suffix(".pt")


def state_dict(path, state):
    torch.save(state, path.with_suffix(".pth"))
    return path.with_suffix(".pth")


def tensorflow(path, state):
    return builders.write_tensorflow(path.with_suffix(".pkl"), state)


def tensors(path, state):
    save_file(state, path.with_suffix(".safetensors"))
    return path.with_suffix(".safetensors")


@pytest.mark.parametrize("write", [nvidia, rosinality, state_dict, tensorflow, tensors])
@pytest.mark.parametrize("start", [TALL, (2, 6), (5, 5)])
def test_every_format_holds_them_and_converts(write, start, tmp_path):
    state = builders.nvidia_state(config(start))
    if write is not rosinality:
        state["mapping.w_avg"] = builders.value("w_avg", (16,))
    path = write(tmp_path / "network", state)
    info = inspect_checkpoint(path)
    assert info.img_shape == (8 * start[0], 8 * start[1]) and info.resolution == 8 * max(start)
    assert f"draws {8 * start[1]}×{8 * start[0]} RGB pictures from 8 w vectors" in info.summary()
    generator = load_generator(path, device="cpu")
    w = codes(build(start)).w
    expected = build(start).synthesis(w)
    assert (generator.synthesis(w) - expected).abs().max() < 1e-5 * expected.abs().max()
    converted = convert_checkpoint(path, tmp_path / "converted.safetensors")
    assert converted.img_shape == info.img_shape
    assert converted.generator_fingerprint == build(start).fingerprint()
    again = load_generator(tmp_path / "converted.safetensors", "cpu")
    assert (again.synthesis(w) - expected).abs().max() < 1e-5 * expected.abs().max()


def test_noise_that_a_file_lacks_is_made_in_its_proportions(tmp_path):
    state = {k: x for k, x in builders.nvidia_state(config(TALL)).items() if not k.endswith("noise_const")}
    save_file(state, tmp_path / "network.safetensors")
    generator = load_generator(tmp_path / "network.safetensors", device="cpu")
    assert generator.synthesis.b32.conv1.noise_const.shape == (32, 16)
    assert 0.8 < generator.synthesis.b32.conv1.noise_const.std() < 1.2


@pytest.mark.parametrize("shape", [(16, 4), (16,), (16, 0, 4), (16, 4, 100), (16, 1, 4, 4)])
def test_other_starts_are_refused_by_their_shape(shape, tmp_path):
    state = builders.nvidia_state(config(TALL)) | {"synthesis.b4.const": torch.zeros(shape)}
    save_file(state, tmp_path / "network.safetensors")
    with pytest.raises(
        CheckpointError, match="network.safetensors.*(b4.const has the shape|pixels)"
    ) as refusal:
        inspect_checkpoint(tmp_path / "network.safetensors")
    assert json.dumps(list(shape)) in str(refusal.value)


def test_a_picture_of_other_proportions_cannot_be_inverted():
    generator = build()
    with pytest.raises(StyleMixError, match="is 64×64 pixels, but this generator draws 16×32.*alignment"):
        invert(generator, torch.zeros(1, 3, 64, 64), None, "optimize", 1)
    w = codes(generator, 1).w
    result = invert(generator, generator.synthesis(w).clamp(-1, 1), None, "optimize", 3)
    assert result.images.shape == (1, 3, 32, 16)


def test_encoders_that_look_at_squares_say_so(tmp_path):
    state = builders.psp_encoder_state(
        builders.tiny_encoder_config(input_nc=6, iterative=True)
    ) | builders.psp_decoder_state(config(TALL))
    path = builders.write_psp(
        tmp_path / "restyle.pt", state, builders.psp_latent_avg(8, 16), {"output_size": 32}
    )
    with pytest.raises(
        CheckpointError, match="restyle.pt.*as squares, but the generator in the file draws 16×32"
    ):
        load_encoder(path, device="cpu")
    assert load_generator(path, device="cpu").img_shape == (32, 16)


def test_layers_are_explained_and_found():
    generator = build()
    w, style = (one[None] for one in codes(generator).w)
    upper = torch.zeros(32, 16)
    upper[:16] = 1
    report = explain_layers(generator, w, style, {"upper": upper})
    assert report.source.shape == (3, 32, 16) and report.changes.shape == (8, 32, 16)
    assert report.resolutions == (4, 8, 8, 16, 16, 32, 32, 32)
    found = find_layers(generator, w, style, upper, others=0, steps=0, count=1)
    assert found.pictures.shape[1:] == (3, 32, 16) and found.sheet().size[0] > 0
    assert report.sheet().size[0] > 0


def test_sheets_keep_the_proportions():
    squares = squared(torch.ones(2, 3, 32, 16), 64)
    background = squared(torch.ones(1, 3, 1, 64), 64)[:, :, :1, :1]
    assert squares.shape == (2, 3, 64, 64) and (squares[..., 16:48] == 1).all()
    assert torch.equal(squares[..., :16], background.expand(2, 3, 64, 16))
    assert torch.equal(squares[..., 48:], background.expand(2, 3, 64, 16))
    pictures = build().synthesis(codes(build(), 3).w)
    sheet = sm.compare_grid(pictures, ["a", "b", "c"], columns=3)
    assert sheet.shape[3] == 3 * 16 + 4 * 2


def test_squares_are_what_they_were():
    generator = builders.tiny_generator()
    assert generator.config == replace(generator.config, start=(4, 4))
    assert len(generator.fingerprint()) == 16
