"""The bundled weights keep the model card's promises; `benchmarks/demo_quality.py` measures more."""

import pytest
import torch

import stylemix_core as sm
from stylemix_core.checkpoints import DEMO
from stylemix_core.demo import experiment, truth
from stylemix_core.demo.attributes import GROUPS
from stylemix_core.demo.renderer import render, sample_attributes

COUNT = 8


@pytest.fixture(scope="module")
def generator():
    return sm.load_generator("demo", "cpu")


@pytest.fixture(scope="module")
def encoder():
    return sm.load_encoder("demo", "cpu")


@pytest.fixture(scope="module")
def z():
    """Latents that training never met."""
    return sm.sample_z(range(2_000_000, 2_000_000 + COUNT), truth.CONFIG.z_dim)


def error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.clamp(-1, 1) - b.clamp(-1, 1)).abs().mean())


def test_the_generator_draws_what_the_renderer_draws(generator, z):
    drawn = render(truth.attributes_of(z), 256).image
    value = error(generator.synthesis(generator.mapping(z)), drawn)
    assert value <= 0.05


def test_the_encoder_inverts_the_generator(generator, encoder, z):
    generated = generator.synthesis(generator.mapping(z))
    value = error(generator.synthesis(encoder(generated)), generated)
    assert value <= 0.07


def test_the_encoder_reads_drawings(generator, encoder):
    drawn = render(sample_attributes(COUNT, torch.Generator().manual_seed(9)), 256).image
    value = error(generator.synthesis(encoder(drawn)), drawn)
    assert value <= 0.08


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_injecting_a_group_moves_its_attributes_and_no_others(generator, z, group):
    w = generator.mapping(z)
    style, attributes = w.flip(0), truth.attributes_of(z)
    masks = sm.parse_masks(f"{group.first_layer}-{group.last_layer}", generator.num_ws)
    expected = render(truth.mix(attributes, attributes.flip(0), group.layers), 256).image
    value = error(generator.synthesis(sm.inject(w, style, masks)), expected)
    assert value <= 0.05


@pytest.mark.parametrize("layer", range(truth.CONFIG.num_ws))
def test_a_layer_reads_only_the_coordinates_of_its_attributes(generator, layer):
    unread = ~truth.coordinates_of(layer)
    modules = [module for index, module in generator.synthesis.styled() if index == layer]
    assert modules
    for module in modules:
        assert not module.affine.weight[:, unread].any()
        assert module.affine.weight[:, ~unread].any()


def test_noise_draws_single_hairs(generator, z):
    w, regions = generator.mapping(z), render(truth.attributes_of(z), 256).regions
    changed = (generator.synthesis(w) - generator.synthesis(w, "none")).abs().mean(1)
    hair, face = (float((changed * regions[name]).sum() / regions[name].sum()) for name in ("hair", "face"))
    assert hair >= 0.006
    assert hair >= 2 * face


def test_both_are_small_and_belong_together(generator, encoder):
    for part in ("generator", "encoder"):
        assert (DEMO / f"{part}.safetensors").stat().st_size <= 8_000_000
    assert encoder.generator == generator.fingerprint()
    assert (encoder.num_ws, encoder.w_dim) == (generator.num_ws, generator.w_dim) == (14, 512)


def test_the_bundled_code_is_that_of_the_drawn_bob(generator, encoder):
    """After a new training `stylemix demo` makes it: its style.safetensors."""
    bundled = sm.load_latents(DEMO / "bob.safetensors")
    code = encoder(experiment.style_picture())
    assert (bundled.w - code).abs().max() < 1e-3
    assert bundled.generator == generator.fingerprint()
