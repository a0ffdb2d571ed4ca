"""Codes, directions and mask lists that travel between generators.

The second generator is the first with the coordinates of w in another order, so the truth is known.
"""

import copy

import pytest
import torch

import stylemix_core as sm
from stylemix_core.codes.directions import Directions
from stylemix_core.masks.mask_list import parse_masks
from stylemix_core.training.samples import Samples
from stylemix_core.training.translation import Translation, nearest_layers, translate
from tests import builders

ORDER = torch.randperm(16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def first():
    return builders.tiny_generator()


@pytest.fixture(scope="module")
def second(first):
    generator = copy.deepcopy(first)
    last = generator.mapping.fc1
    last.weight.data, last.bias.data = last.weight.data[ORDER], last.bias.data[ORDER]
    generator.mapping.w_avg.copy_(first.w_avg[ORDER])
    for _, module in generator.synthesis.styled():
        module.affine.weight.data = module.affine.weight.data[:, ORDER]
    return generator


class Seeing:
    """An encoder of the second generator that is never wrong about the first one's samples, asked in their order."""

    def __init__(self, first, generator):
        self.samples, self.generator, self.asked = Samples(first), generator, 0
        self.errors, self.w_dim = "as in with_error_bars", 16

    def __call__(self, pictures):
        codes = self.samples.codes(self.asked, len(pictures))
        self.asked += len(pictures)
        return codes[..., ORDER]

    def with_error_bars(self, pictures):
        return self(pictures), torch.full((len(pictures), 8, 3), 0.25)


def test_both_draw_the_same(first, second):
    z = sm.sample_z([0, 1], 16)
    pictures = [generator.synthesis(generator.mapping(z)) for generator in (first, second)]
    assert torch.allclose(*pictures, atol=1e-4)


def test_codes_are_drawn_by_one_and_read_for_the_other(first, second):
    samples = Samples(first)
    codes = sm.Latents(samples.codes(0, 20), tuple(f"sample {i}" for i in range(20)), first.fingerprint())
    found = translate(codes, first, second, Seeing(first, second.fingerprint()))
    assert torch.equal(found.w, codes.w[..., ORDER])
    assert found.generator == second.fingerprint()
    assert found.origins[3] == "sample 3, translated (usually 25 % wrong)"
    assert found.error_bars.shape == (20, 8, 3) and found.error_bars.unique().tolist() == [0.25]


def test_a_direction_moves_the_second_as_it_moved_the_first(first, second):
    translation = Translation(first, second, Seeing(first, second.fingerprint()), pairs=600)
    assert translation.errors.shape == (8,) and translation.errors.max() < 0.02
    vectors = torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(0))
    layers = (torch.arange(8) < 5).float()
    given = Directions(vectors, torch.ones(2), None, ("one", "two"), None, "learnt", first.fingerprint())
    some = Directions(vectors[:, 0], torch.ones(2), None, ("one", "two"), layers, "SeFa", first.fingerprint())
    assert torch.allclose(translation.directions(given).vectors, vectors[..., ORDER], atol=0.02)
    moved = translation.directions(some)
    expected = vectors[:, :1, ORDER] * layers[:, None]
    assert torch.allclose(moved.vectors, expected, atol=0.02)
    assert (moved.generator, moved.names, moved.layers) == (second.fingerprint(), ("one", "two"), None)


def test_directions_of_other_spaces_stay_where_they_are(first, second):
    translation = Translation(first, second, Seeing(first, None), pairs=40)
    in_z = Directions(torch.ones(1, 16), torch.ones(1), None, ("z",), None, "own", space="Z")
    with pytest.raises(sm.StyleMixError, match="are in Z; only directions in W"):
        translation.directions(in_z)


def test_layers_go_by_the_size_at_which_they_act(first):
    larger = builders.tiny_generator(img_resolution=128, channels=(16, 12, 8, 8, 8, 8))
    assert nearest_layers(first, first) == [*range(8)]
    assert nearest_layers(larger, first) == [*range(8)]
    assert nearest_layers(first, larger) == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7]
    translation = Translation.__new__(Translation)
    translation.G1, translation.G2 = first, larger
    masks = translation.masks(parse_masks("hair: 4-5@0.5; 0, 7", 8))
    assert masks.text == "hair: 4-5@0.5; 0, 7-11"
    with pytest.raises(sm.StyleMixError, match="change over a film"):
        translation.masks(parse_masks("4-5@0>1", 8))


def test_an_encoder_of_another_generator_is_refused(first, second):
    codes = sm.Latents.of(Samples(first).codes(0, 1))
    with pytest.raises(sm.StyleMixError, match="of another generator than the one to translate to"):
        translate(codes, first, second, Seeing(first, "another"))
