"""Regions against the renderer, which knows what every pixel shows."""

import pytest
import torch

import stylemix_core as sm
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, index
from stylemix_core.demo.renderer import Avatars, render
from stylemix_core.faces.regions import REGIONS, find_regions, name_masks, regions_of

# What the renderer calls the same. The nose it labels is the tip alone, the brows it draws are thin lines.
SAME = {"face": ("face", "glasses", "beard"), "body": ("skin", "clothes", "hat")}


@pytest.fixture(scope="module")
def avatars() -> Avatars:
    """Twelve with hair and without a hat."""
    attributes = truth.attributes_of(sm.sample_z(range(3000, 3040), truth.CONFIG.z_dim))
    hair, hat = attributes[:, index("cut")] > 0.2, attributes[:, index("hat")] > 0.7
    return render(attributes[hair & ~hat][:12], 256)


@pytest.fixture(scope="module")
def found(avatars) -> dict[str, torch.Tensor]:
    return find_regions(avatars.image)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("hair", 0.6),
        ("face", 0.7),
        ("eyes", 0.55),
        ("brows", 0.15),
        ("nose", 0.35),
        ("mouth", 0.35),
        ("background", 0.85),
        ("body", 0.25),  # a pale strip at the bottom of an avatar
    ],
)
def test_regions_are_where_the_renderer_drew_them(avatars, found, name, least):
    drawn = sum(avatars.regions[part] for part in SAME.get(name, (name,)))
    shared = torch.minimum(found[name], drawn).sum([1, 2])
    either = torch.maximum(found[name], drawn).sum([1, 2])
    assert (shared / either).mean() >= least


def test_highlights_of_the_skins_colour_are_hair():
    avatar = render(truth.attributes_of(sm.sample_z([2_000_049], truth.CONFIG.z_dim)), 256)
    hair = avatar.regions["hair"]
    taken_for_face = find_regions(avatar.image)["face"] * hair
    assert taken_for_face.sum() < 0.12 * hair.sum()


def test_a_black_beard_is_hardly_hair():
    attributes = torch.full((2, len(ATTRIBUTES)), 0.5)
    worn = {"beard": 0.95, "cut": 0.9, "eyelids": 0.6}
    for name in (
        "beard",
        "cut",
        "eyelids",
        "hat",
        "glasses",
        "backdrop",
        "buns",
        "wave",
        "collar",
        "mouth_open",
    ):
        attributes[:, index(name)] = worn.get(name, 0.1)
    attributes[:, index("hair_tone")] = torch.tensor([0.05, 0.3])
    attributes[:, index("skin_tone")] = torch.tensor([0.1, 0.4])
    drawn = render(attributes, 256)
    hair, true = find_regions(drawn.image)["hair"] > 0.5, drawn.regions["hair"] > 0.5
    assert ((hair & true).sum((1, 2)) / (hair | true).sum((1, 2))).min() > 0.82


@pytest.mark.parametrize(("source", "least"), [("auto", 0.8), ("drawn", 0.5)])
def test_a_bald_head_has_no_hair(source, least):
    """Before blinds and lights, colours alone still take some of them for hair."""
    attributes = truth.attributes_of(sm.sample_z(range(3000, 3024), truth.CONFIG.z_dim))
    attributes[:, index("cut")], attributes[:, index("hat")] = 0.0, 0.0
    found = find_regions(render(attributes, 256, with_regions=False).image, source=source)["hair"]
    assert (found.mean((1, 2)) < 0.04).float().mean() >= least


def test_every_pixel_is_divided_among_the_regions(found):
    assert tuple(found) == REGIONS
    assert torch.allclose(sum(found.values()), torch.ones(1), atol=1e-4)
    assert all(mask.shape == (12, 256, 256) for mask in found.values())


def test_regions_have_the_size_of_the_picture(avatars, found):
    larger = torch.nn.functional.interpolate(avatars.image[:1], (320, 320), mode="bilinear")
    regions = find_regions(larger)
    assert regions["hair"].shape == (1, 320, 320)
    assert regions["hair"].mean().item() == pytest.approx(float(found["hair"][0].mean()), abs=0.03)


def test_a_picture_without_a_face_is_refused_by_number(avatars):
    pictures = torch.cat([avatars.image[:1], torch.zeros(1, 3, 256, 256)])
    with pytest.raises(sm.NoFaceError, match="picture 2 shows no face.*masks"):
        find_regions(pictures)


def test_own_masks_are_resized_and_repeated():
    left = torch.zeros(8, 8)
    left[:, :4] = 1
    regions = regions_of(torch.zeros(2, 3, 32, 32), {"left": left})
    assert regions["left"].shape == (2, 32, 32)
    assert regions["left"].mean().item() == pytest.approx(0.5)


@pytest.mark.parametrize("masks", [{}, {"hair": torch.zeros(3, 8, 8)}, {"hair": torch.zeros(2, 2, 8, 8)}])
def test_masks_that_do_not_fit_are_refused(masks):
    with pytest.raises(sm.StyleMixError, match="expected one, or one|expected a mask|there are no regions"):
        regions_of(torch.zeros(2, 3, 32, 32), masks)


def test_a_batch_of_masks_takes_names():
    masks = torch.stack([torch.zeros(4, 4), torch.ones(4, 4)])
    named = name_masks(masks, " hat, beard\n")
    assert list(named) == ["hat", "beard"] and torch.equal(named["beard"], masks[1])
    assert list(name_masks(masks, "")) == ["region 1", "region 2"]


@pytest.mark.parametrize(
    ("names", "message"), [("hat", "there is 1 name .* for 2 masks"), ("a, a", "not all different")]
)
def test_names_that_do_not_fit_the_masks_are_refused(names, message):
    with pytest.raises(sm.StyleMixError, match=message):
        name_masks(torch.zeros(2, 4, 4), names)
