"""Directions by SeFa and GANSpace: what they are, what they do to codes, and their files."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import stylemix_core as sm
from stylemix_core.codes.direction_files import holds_directions
from stylemix_core.codes.direction_text import read_names
from stylemix_core.codes.directions import check_directions
from stylemix_core.codes.latents import Latents
from stylemix_core.generator.sampling import sampled_w

from .. import builders


@pytest.fixture(scope="module")
def found(generator):
    return sm.find_directions(generator, "SeFa", "2-4", 5)


@pytest.fixture(scope="module")
def codes(generator):
    return Latents.of(
        generator.mapping(sm.sample_z([0, 1, 2], generator.z_dim)), "face", generator.fingerprint()
    )


def same_up_to_sign(vectors, expected):
    """The largest difference of any number."""
    signs = (vectors.double() * expected).sum(1, keepdim=True).sign()
    return float((vectors - signs * expected).abs().max())


# SeFa


def test_sefa_gives_the_eigenvectors_of_the_stacked_affine_weights(generator):
    state = generator.state_dict()
    # The modules that read w 3 and w 4, from StyleGAN2's layout.
    names = ["b8.torgb", "b16.conv0", "b16.conv1"]
    stacked = torch.cat([state[f"synthesis.{name}.affine.weight"].double() for name in names])
    _, singular, right = torch.linalg.svd(stacked, full_matrices=False)
    found = sm.find_directions(generator, "SeFa", "3, 4", 16)
    assert same_up_to_sign(found.vectors, right) < 1e-5
    assert torch.allclose(found.shares.double(), singular.square() / singular.square().sum(), atol=1e-6)


def test_the_first_direction_changes_the_styles_most(generator, found):
    weights = torch.cat([m.affine.weight for layer, m in generator.synthesis.styled() if layer in (2, 3, 4)])
    effects = (weights @ found.vectors.T).norm(dim=0)
    assert torch.equal(effects, effects.sort(descending=True).values)
    others = torch.nn.functional.normalize(builders.value("others", (50, 16)))
    assert (weights @ others.T).norm(dim=0).max() < effects[0]


# GANSpace


def test_ganspace_gives_the_svd_of_sampled_w(generator):
    found = sm.find_directions(generator, "GANSpace", count=16, samples=1500, seed=4)
    w = torch.cat([*sampled_w(generator.mapping, 1500, 4)]).double()
    assert w.shape == (1500, 16)
    _, singular, right = torch.linalg.svd(w - w.mean(0), full_matrices=False)
    assert same_up_to_sign(found.vectors, right) < 1e-5
    assert torch.allclose(found.units.double(), singular / 1499**0.5, rtol=1e-5)


def test_a_seed_repeats_ganspace_and_another_does_not(generator):
    vectors = [sm.find_directions(generator, "GANSpace", samples=500, seed=s).vectors for s in (1, 1, 2)]
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.allclose(vectors[0], vectors[2], atol=1e-3)


def test_ganspace_reports_its_samples(generator):
    steps = []
    sm.find_directions(generator, "GANSpace", samples=2300, on_step=lambda *step: steps.append(step))
    assert steps == [(1000, 2300, None), (2000, 2300, None), (2300, 2300, None)]


def test_a_conditional_generator_is_sampled_over_its_classes():
    generator = builders.tiny_generator(c_dim=3)
    assert len(sm.find_directions(generator, "GANSpace", samples=100)) == 10
    assert len(sm.find_directions(generator, "SeFa")) == 10


# Both


def test_layers_that_read_little_of_w_have_directions():
    """Eigenvalues of this matrix do not converge on one thread."""
    generator = sm.load_generator("demo", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = sm.find_directions(generator, "SeFa", "8", 3)
    finally:
        torch.set_num_threads(threads)
    assert found.shares[0] > 2 * found.shares[1]
    assert torch.allclose(found.vectors @ found.vectors.T, torch.eye(3), atol=1e-5)


@pytest.mark.parametrize("method", ["SeFa", "GANSpace"])
def test_directions_are_orthonormal_and_their_unit_is_the_deviation_of_w(generator, method):
    found = sm.find_directions(generator, method, samples=4000)
    assert torch.allclose(found.vectors @ found.vectors.T, torch.eye(10), atol=1e-5)
    w = torch.cat([*sampled_w(generator.mapping, 4000, 9)])
    assert torch.allclose((w @ found.vectors.T).std(0), found.units, rtol=0.1)
    assert found.vectors.gather(1, found.vectors.abs().argmax(1, keepdim=True)).min() > 0
    assert found.names[:2] == (f"{method} 1", f"{method} 2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "PCA"}, "method 'PCA' is unknown; choose one of: SeFa, GANSpace"),
        ({"count": 17}, "count is 17; give a number of directions from 1 to 16"),
        ({"layers": "none"}, "are none; choose at least one"),
        ({"layers": "0; 1"}, "holds 2 masks; give the layers as one mask"),
        ({"layers": "12"}, "this model has the layers 0-7"),
        ({"method": "GANSpace", "samples": 10}, "samples is 10; give 16 or more"),
    ],
)
def test_what_does_not_fit_is_explained(generator, arguments, message):
    with pytest.raises(sm.StyleMixError, match=message):
        sm.find_directions(generator, **arguments)


# Applying


def test_a_direction_moves_its_own_layers_by_strength_times_unit(found, codes):
    moved = sm.apply_direction(codes, found, 2, -1.5)
    change = moved.w - codes.w
    assert change[:, [0, 1, 5, 6, 7]].abs().max() == 0
    expected = -1.5 * found.units[1] * found.vectors[1]
    assert torch.allclose(change[:, 2:5], expected.expand(3, 3, -1), atol=1e-6)
    assert moved.origins[0] == "face, -1.5 SeFa 2, layers 2-4"
    assert moved.generator == codes.generator


def test_masks_choose_other_layers_and_scale_the_strength(found, codes):
    masks = sm.parse_masks("0; 6@0.5, 7", 8)
    moved = sm.apply_direction(codes, found, "sefa 1", 2, masks)
    assert moved.w.shape == (6, 8, 16)
    change = (moved.w - codes.w.repeat_interleave(2, 0)).norm(dim=2) / found.units[0]
    assert torch.allclose(change[0], torch.tensor([2.0, 0, 0, 0, 0, 0, 0, 0]), atol=1e-5)
    assert torch.allclose(change[1], torch.tensor([0, 0, 0, 0, 0, 0, 1.0, 2.0]), atol=1e-5)


def test_moving_there_and_back_gives_the_codes(found, codes):
    there = sm.apply_direction(codes, found, 1, 3)
    assert torch.allclose(sm.apply_direction(there, found, 1, -3).w, codes.w, atol=1e-5)
    assert torch.equal(sm.apply_direction(codes, found, 1, 0).w, codes.w)


def test_directions_of_another_model_are_refused_or_warned_of(generator, found, codes):
    assert check_directions(codes, found) is None
    other = Latents(codes.w, codes.origins, "another")
    assert "other weights" in check_directions(other, found)
    with pytest.raises(sm.LatentMismatchError, match="the codes have 4 layers of 16 numbers, the directions"):
        sm.apply_direction(Latents.of(codes.w[:, :4]), found, 1, 1)
    with pytest.raises(sm.StyleMixError, match="there is no direction '6'; choose a number from 1 to 5"):
        sm.apply_direction(codes, found, 6, 1)
    with pytest.raises(sm.StyleMixError, match="the strength nan is out of range"):
        sm.apply_direction(codes, found, 1, float("nan"))


# Names and files


def test_names_are_given_by_number(found):
    named = found.named(read_names("1: smile\n\n 3:  Hair, length "))
    assert named.names == ("smile", "SeFa 2", "Hair, length", "SeFa 4", "SeFa 5")
    assert named.index("SMILE") == 0 and named.index("hair, length") == 2 and named.index("4") == 3
    kept = found.named(read_names("-3: hair\n1: smile"), keep_others=False)
    assert kept.names == ("smile", "hair")
    assert torch.equal(kept.vectors, torch.stack([found.vectors[0], -found.vectors[2]]))
    assert torch.equal(kept.units, found.units[[0, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("smile", "'smile' names no direction; write its number and its name"),
        ("0: smile", "names no direction"),
        ("9: smile", "there are 5 directions"),
        ("1: smile\n2: Smile", "several directions would be called 'Smile'"),
    ],
)
def test_names_that_fit_no_direction_are_explained(found, text, message):
    with pytest.raises(sm.StyleMixError, match=message):
        found.named(read_names(text))


def test_a_file_keeps_directions_and_where_they_come_from(found, tmp_path):
    path = tmp_path / "new" / "directions.safetensors"
    named = found.named({1: "머리 길이"})
    sm.save_directions(path, named, {"workflow": "{}"})
    loaded = sm.load_directions(path)
    for tensor in ("vectors", "units", "shares", "layers"):
        assert torch.equal(getattr(loaded, tensor), getattr(named, tensor))
    assert (loaded.names, loaded.method, loaded.generator) == (named.names, "SeFa", found.generator)
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["workflow"] == "{}" and json.loads(file.metadata()["names"])[0] == "머리 길이"
    assert holds_directions(path) and not holds_directions(tmp_path / "missing")


def test_files_that_hold_no_whole_directions_are_refused(found, codes, tmp_path):
    sm.save_latents(tmp_path / "codes.safetensors", codes)
    with pytest.raises(
        sm.StyleMixError,
        match="holds no directions: it is a file of W. codes.* Expected",
    ):
        sm.load_directions(tmp_path / "codes.safetensors")
    with pytest.raises(sm.StyleMixError, match="there is no file at .*missing.safetensors"):
        sm.load_directions(tmp_path / "missing.safetensors")
    sm.save_directions(tmp_path / "whole.safetensors", found)
    tensors, metadata = load_file(tmp_path / "whole.safetensors"), {}
    with safe_open(tmp_path / "whole.safetensors", framework="pt") as file:
        metadata = file.metadata()
    broken = {
        "short": (
            tensors | {"units": tensors["units"][:2]},
            metadata,
            "with one unit and name each; found",
        ),
        "nan": (tensors | {"vectors": tensors["vectors"] * torch.nan}, metadata, "NaN or infinite"),
        "less": (
            {k: v for k, v in tensors.items() if k != "units"},
            metadata,
            "is damaged: it lacks 'units'",
        ),
        "names": (tensors, metadata | {"names": "[1, 2, 3, 4, 5]"}, "the names are no texts"),
        "later": (
            tensors,
            metadata | {"version": "3"},
            "is of version 3, this program reads up to 2; update StyleMix",
        ),
    }
    for name, (content, texts, message) in broken.items():
        save_file(content, tmp_path / f"{name}.safetensors", texts)
        with pytest.raises(sm.StyleMixError, match=message):
            sm.load_directions(tmp_path / f"{name}.safetensors")


def test_the_report_has_a_line_per_direction(found):
    lines = found.report().split("\n")
    assert lines[0].startswith("SeFa, layers 2-4: 5 directions")
    assert lines[1].startswith("1. SeFa 1: ") and len(lines) == 6
