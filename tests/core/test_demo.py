"""The demo's ground truth: attributes, renderer, latents; and what the trained models make of them."""

import pytest
import torch

import stylemix_core as sm
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS, columns_of_layers, index
from stylemix_core.demo.renderer import REGIONS, render, sample_attributes


def rows(count: int, seed: int = 0) -> torch.Tensor:
    return sample_attributes(count, torch.Generator().manual_seed(seed))


def with_attribute(name: str, value: float) -> torch.Tensor:
    row = torch.full((1, len(ATTRIBUTES)), 0.5)
    row[0, index(name)] = value
    return row


def test_groups_are_runs_of_layers_that_cover_the_model_in_order():
    assert len(GROUPS) >= 6
    assert [layer for group in GROUPS for layer in group.layers] == list(range(truth.CONFIG.num_ws))


def test_every_layer_carries_an_attribute():
    assert {attribute.layer for attribute in ATTRIBUTES} == set(range(truth.CONFIG.num_ws))


def test_regions_cover_every_pixel_once():
    avatars = render(rows(4), 64)
    assert set(avatars.regions) == set(REGIONS)
    assert torch.stack(list(avatars.regions.values())).sum(0).sub(1).abs().max() < 1e-4


def test_a_drawing_keeps_its_look_at_every_size():
    large = render(rows(4), 256, with_regions=False).image
    small = render(rows(4), 64, with_regions=False).image
    pooled = torch.nn.functional.avg_pool2d(large, 4)
    assert (pooled - small).abs().mean() < 0.02
    assert large.abs().max() <= 1


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.name)
def test_every_attribute_shows(attribute):
    base = torch.full((1, len(ATTRIBUTES)), 0.5)
    if attribute.name == "ears":
        base[0, index("cut")] = 0.1  # long hair covers them
    low, high = base.clone(), base.clone()
    low[0, index(attribute.name)], high[0, index(attribute.name)] = 0.1, 0.6  # hues come round at 1
    difference = (render(low, 128).image - render(high, 128).image).abs().amax(1)
    assert (difference > 0.05).float().mean() > 0.001


@pytest.mark.parametrize(
    ("name", "region"), [("cut", "hair"), ("eye_size", "eyes"), ("lips", "mouth"), ("glasses", "glasses")]
)
def test_shape_attributes_grow_their_region(name, region):
    low, high = (render(with_attribute(name, value), 128).regions[region].sum() for value in (0.1, 0.9))
    assert high > 1.1 * low


def test_hair_colour_changes_only_hair_and_brows():
    low, high = (render(with_attribute("hair_tone", value), 128) for value in (0.1, 0.9))
    changed = (low.image - high.image).abs().amax(1) > 0.02
    elsewhere = 1 - low.regions["hair"] - low.regions["brows"]
    assert (changed & (elsewhere > 0.999)).float().mean() < 0.001


def test_attributes_can_be_read_off_a_latent_and_back():
    attributes = rows(50).clamp(0.001, 0.999)
    assert (truth.attributes_of(truth.z_of(attributes)) - attributes).abs().max() < 1e-4


def test_normal_latents_have_uniform_independent_attributes():
    attributes = truth.attributes_of(sm.sample_z(range(4000), truth.CONFIG.z_dim))
    assert (attributes.mean(0) - 0.5).abs().max() < 0.02
    assert (attributes.std(0) - 12**-0.5).abs().max() < 0.01
    correlation = torch.corrcoef(attributes.t()) - torch.eye(len(ATTRIBUTES))
    assert correlation.abs().max() < 0.08


def test_mixing_takes_the_attributes_of_the_layers():
    source, style = rows(2), rows(2, seed=1)
    mixed = truth.mix(source, style, range(4, 6))
    hair = columns_of_layers(range(4, 6))
    assert [ATTRIBUTES[column].name for column in hair] == ["cut", "volume", "fringe", "parting", "wave"]
    assert torch.equal(mixed[:, hair], style[:, hair])
    assert int((mixed == source).sum()) == source.numel() - 2 * len(hair)


class TestModels:
    """The bundled weights keep the model card's promises; `benchmarks/demo_quality.py` measures more."""

    COUNT = 8

    @pytest.fixture(scope="class")
    def generator(self):
        return sm.load_generator("demo", "cpu")

    @pytest.fixture(scope="class")
    def encoder(self):
        return sm.load_encoder("demo", "cpu")

    @pytest.fixture(scope="class")
    def z(self):
        return sm.sample_z(range(2_000_000, 2_000_000 + self.COUNT), truth.CONFIG.z_dim)

    @staticmethod
    def error(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a.clamp(-1, 1) - b.clamp(-1, 1)).abs().mean())

    def test_the_generator_draws_what_the_renderer_draws(self, generator, z):
        drawn = render(truth.attributes_of(z), 256).image
        assert self.error(generator.synthesis(generator.mapping(z)), drawn) <= 0.05

    def test_the_encoder_inverts_the_generator(self, generator, encoder, z):
        generated = generator.synthesis(generator.mapping(z))
        assert self.error(generator.synthesis(encoder(generated)), generated) <= 0.06

    def test_the_encoder_reads_drawings(self, generator, encoder):
        drawn = render(rows(self.COUNT, seed=9), 256).image
        assert self.error(generator.synthesis(encoder(drawn)), drawn) <= 0.08

    @pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
    def test_injecting_a_group_moves_its_attributes_and_no_others(self, generator, z, group):
        w = generator.mapping(z)
        style, attributes = w.flip(0), truth.attributes_of(z)
        masks = sm.parse_masks(f"{group.first_layer}-{group.last_layer}", generator.num_ws)
        expected = render(truth.mix(attributes, attributes.flip(0), group.layers), 256).image
        assert self.error(generator.synthesis(sm.inject(w, style, masks)), expected) <= 0.07

    def test_both_are_small_and_belong_together(self, generator, encoder):
        from stylemix_core.checkpoints import DEMO

        for part in ("generator", "encoder"):
            assert (DEMO / f"{part}.safetensors").stat().st_size <= 8_000_000
        assert encoder.generator == generator.fingerprint()
        assert (encoder.num_ws, encoder.w_dim) == (generator.num_ws, generator.w_dim) == (14, 512)
