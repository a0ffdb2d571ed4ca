"""The demo's ground truth: attributes, renderer, latents."""

import pytest
import torch

import stylemix_core as sm
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS, columns_of_layers, index
from stylemix_core.demo.canvas import REGIONS
from stylemix_core.demo.renderer import render, sample_attributes


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
    low[0, index(attribute.name)] = 0.1
    high[0, index(attribute.name)] = 0.6 if attribute.name.endswith("hue") else 0.9  # hues come round at 1
    noise = torch.randn(128, 128, generator=torch.Generator().manual_seed(0))
    difference = (render(low, 128, noise=noise).image - render(high, 128, noise=noise).image).abs().amax(1)
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
    assert [ATTRIBUTES[column].name for column in hair] == [
        "cut",
        "volume",
        "buns",
        "fringe",
        "parting",
        "wave",
        "beard",
    ]
    assert torch.equal(mixed[:, hair], style[:, hair])
    assert int((mixed == source).sum()) == source.numel() - 2 * len(hair)


def test_noise_draws_freckles_and_single_hairs():
    freckled = with_attribute("freckles", 0.9)
    plain = render(freckled, 256)
    spotted = render(freckled, 256, noise=torch.randn(256, 256, generator=torch.Generator().manual_seed(0)))
    changed = (plain.image - spotted.image).abs().amax(1)
    seen = plain.regions["hair"] + plain.regions["face"] + plain.regions["nose"]
    assert (changed > 0.02)[seen > 0.5].float().mean() > 0.15
    assert not changed[seen == 0].any()
