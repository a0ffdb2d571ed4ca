"""Directions that other tools wrote: the same numbers as their own loaders give, moved as these tools move codes."""

import os
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import stylemix_core as sm
from stylemix_core.analysis.direction_effects import condition_on_effects
from stylemix_core.codes.channel_directions import channel_counts
from stylemix_core.codes.direction_files import may_be_directions
from stylemix_core.codes.foreign_files import describe_foreign
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.codes.style_space import styles_of
from stylemix_core.errors import CheckpointError, LatentMismatchError, StyleMixError
from tests import builders

L, D, K = 8, 16, 3
RANDOM = torch.Generator().manual_seed(0)
ONE = torch.randn(1, D, generator=RANDOM)
MANY = torch.randn(K, D, generator=RANDOM)
PER_LAYER = torch.randn(L, D, generator=RANDOM)
LAYERED = torch.randn(K, L, D, generator=RANDOM)
UNITS = torch.tensor([2.0, 1.0, 0.5])
MEAN = torch.randn(1, D, generator=RANDOM)
PCA = {"mean": MEAN, "comp": MANY[:, None], "std": UNITS}
GANSPACE = {
    "act_comp": np.zeros([K, 1, 4], np.float32),
    "lat_comp": MANY[:, None].numpy(),
    "lat_mean": MEAN.numpy(),
    "lat_stdev": UNITS.numpy(),
    "var_ratio": np.array([0.5, 0.3, 0.2], np.float32),
}
COMPONENTS = {f"component_{i:02}": vector for i, vector in enumerate(MANY)}


@pytest.fixture(scope="module")
def generator():
    return builders.tiny_generator()


@pytest.fixture(scope="module")
def faces(generator):
    return sample_latents(generator, [0, 1], 1.0)


def array(x):
    return lambda path: np.save(path, x)


def tensor(x):
    return lambda path: torch.save(x, path)


FILES = {
    "InterFaceGAN, Z": ("age_boundary.npy", array(ONE.double().numpy()), ONE, "Z", ["age_boundary"]),
    "InterFaceGAN, W": ("age_w_boundary.npy", array(ONE.double().numpy()), ONE, "W", ["age_w_boundary"]),
    "e4e, PTI": ("age.pt", tensor(ONE), ONE, "W", ["age"]),
    "STIT": ("smile.npy", array(PER_LAYER.double().numpy()), PER_LAYER[None], "W", ["smile"]),
    "several": ("all.npy", array(MANY.numpy()), MANY, "W", ["all 1", "all 2", "all 3"]),
    "several, per layer": ("all.pt", tensor(LAYERED), LAYERED, "W", ["all 1", "all 2", "all 3"]),
    "half precision": ("age.npy", array(ONE.half().numpy()), ONE.half().float(), "W", ["age"]),
    "by name": (
        "all.pt",
        tensor({"age": ONE, "smile": MANY[:1]}),
        torch.cat([ONE, MANY[:1]]),
        "W",
        ["age", "smile"],
    ),
    "ffhq_pca": ("ffhq_pca.pt", tensor(PCA), MANY, "W", [f"component {i}" for i in range(K)]),
    "GANSpace": (
        "g.npz",
        lambda path: np.savez(path, **GANSPACE),
        MANY,
        "W",
        [f"GANSpace {i}" for i in (1, 2, 3)],
    ),
    "rosinality": (
        "factor.pt",
        tensor({"ckpt": "a.pt", "eigvec": MANY.T}),
        MANY,
        "W",
        ["SeFa 1", "SeFa 2", "SeFa 3"],
    ),
    "dfl": (
        "d.safetensors",
        lambda path: save_file(
            COMPONENTS, path, {"component_order": '["component_02", "component_00", "component_01"]'}
        ),
        MANY[[2, 0, 1]],
        "W",
        ["component_02", "component_00", "component_01"],
    ),
    "a single tensor": ("age.safetensors", lambda path: save_file({"any": ONE}, path), ONE, "W", ["any"]),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_tools_give_their_numbers(name, tmp_path):
    file, write, vectors, space, names = FILES[name]
    write(tmp_path / file)
    found = sm.load_directions(tmp_path / file)
    assert torch.equal(found.vectors, vectors)
    assert (found.space, [*found.names], found.layers) == (space, names, None)
    assert may_be_directions(tmp_path / file)
    assert f"{len(names)} direction" in describe_foreign(tmp_path / file)
    sm.save_directions(tmp_path / "again.safetensors", found)
    again = sm.load_directions(tmp_path / "again.safetensors")
    assert torch.equal(again.vectors, vectors) and torch.equal(again.units, found.units)
    assert (again.space, again.names, again.method) == (space, found.names, found.method)
    assert sm.inspect_checkpoint(tmp_path / "again.safetensors").contents == ("directions",)


@pytest.mark.parametrize("name", [name for name, (*_, space, _) in FILES.items() if space == "W"])
def test_they_move_codes_and_go_to_other_tools(name, generator, faces, tmp_path):
    file, write, vectors, *_ = FILES[name]
    write(tmp_path / file)
    found = sm.load_directions(tmp_path / file, generator)
    moved = sm.apply_direction(faces, found, 1, 1.5)
    if found.mean is None:
        expected = faces.w + 1.5 * found.units[0] * vectors[0]
        assert torch.allclose(moved.w, expected, atol=1e-5)
    assert sm.decode(generator, moved).shape == (2, 3, 32, 32)
    for ending in (".npz", ".npy", ".pt"):
        path = tmp_path / f"out{ending}"
        sm.save_directions(path, found)
        again = sm.load_directions(path, generator)
        if found.mean is None or ending == ".npz":
            assert torch.allclose(sm.apply_direction(faces, again, 1, 1.5).w, moved.w, atol=1e-5)


def test_ffhq_pca_sets_the_coordinate(tmp_path, faces):
    """As e4e edits: the coordinate of the first layer goes to the strength, on a range of layers."""
    torch.save(PCA, tmp_path / "ffhq_pca.pt")
    found = sm.load_directions(tmp_path / "ffhq_pca.pt")
    moved = sm.apply_direction(faces, found, 2, 3.0, sm.parse_masks("2-4", L))
    for code, result in zip(faces.w, moved.w, strict=True):
        coordinate = (code[0] - MEAN[0]) @ MANY[1] / UNITS[1]
        expected = code.clone()
        expected[2:5] += (3.0 - coordinate) * MANY[1] * UNITS[1]
        assert torch.allclose(result, expected, atol=1e-4)
    assert "each sets a coordinate" in found.report()


def test_gan_spaces_shares_and_deviations_are_kept(tmp_path):
    np.savez(tmp_path / "g.npz", **GANSPACE)
    found = sm.load_directions(tmp_path / "g.npz")
    assert torch.equal(found.units, UNITS) and torch.allclose(found.shares, torch.tensor([0.5, 0.3, 0.2]))
    assert "1. GANSpace 1: 50.0 %" in found.report()


def test_rows_are_layers_or_directions_as_the_generator_says(tmp_path, generator):
    np.save(tmp_path / "a.npy", np.zeros([14, D], np.float32))
    assert sm.load_directions(tmp_path / "a.npy").vectors.shape == (1, 14, D)
    assert sm.load_directions(tmp_path / "a.npy", generator).vectors.shape == (14, D)
    np.save(tmp_path / "b.npy", PER_LAYER.numpy())
    assert sm.load_directions(tmp_path / "b.npy", generator).vectors.shape == (1, L, D)


def test_z_is_not_taken_for_w(tmp_path, generator, faces):
    path = tmp_path / "age_boundary.npy"
    np.save(path, ONE.numpy())
    with pytest.raises(StyleMixError, match="in Z, and codes are in W"):
        sm.apply_direction(faces, sm.load_directions(path), 1, 1.0)
    assert sm.load_directions(path, space="W").space == "W"
    carried = sm.load_directions(path, generator)
    assert carried.space == "W" and "carried over from Z" in carried.method
    z = torch.randn(20_000, generator.z_dim, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        change = (generator.mapping(z + ONE)[:, 0] - generator.mapping(z - ONE)[:, 0]).mean(0) / 2
    assert torch.nn.functional.cosine_similarity(carried.vectors[0], change, 0) > 0.99
    np.save(path, np.zeros([1, D + 1], np.float32))
    with pytest.raises(LatentMismatchError, match="Z of 17 numbers, this generator's Z has 16"):
        sm.load_directions(path, generator)


def channel_style(generator, latents, module):
    return styles_of(generator, latents)[module]


@pytest.mark.parametrize("to_rgbs", [True, False])
def test_single_style_channels_in_both_numberings(to_rgbs, generator, faces):
    """StyleSpace counts 4 conv1, 4 rgb, 8 conv0, 8 conv1, 8 rgb, …; StyleCLIP leaves the to-RGBs out."""
    modules = [place for place, (_, m) in enumerate(generator.synthesis.styled()) if to_rgbs or not m.to_rgb]
    found = sm.style_channels(generator, "3:5, 1:2", to_rgbs)
    assert found.names == ("channel 3:5", "channel 1:2") and found.space == "S"
    moved = sm.apply_direction(faces, found, "channel 3:5", 2.0)
    for module, _ in enumerate(generator.synthesis.styled()):
        change = channel_style(generator, moved, module) - channel_style(generator, faces, module)
        expected = torch.zeros_like(change)
        if module == modules[3]:
            expected[:, 5] = 2.0 * found.units[0]
        assert torch.allclose(change, expected, atol=1e-5)
    w = torch.cat([generator.mapping(torch.randn(4000, generator.z_dim, generator=RANDOM))])
    spread = generator.synthesis.styles(w, None)[modules[3]][:, 5].std()
    assert abs(float(spread / found.units[0]) - 1) < 0.1
    assert not torch.equal(sm.decode(generator, moved), sm.decode(generator, faces))


@pytest.mark.parametrize("text", ["", "6", "99:0", "3:9999", "a:b"])
def test_channels_that_are_not_there_are_refused(text, generator):
    with pytest.raises(StyleMixError, match="module and channel, as in ([0-9]+:[0-9]+)") as refused:
        sm.style_channels(generator, text)
    example = re.search("as in ([0-9]+:[0-9]+)", str(refused.value))[1]
    assert len(sm.style_channels(generator, example)) == 1


def test_style_clips_directions_are_those_of_the_convolutions(tmp_path, generator, faces):
    """`fs3.npy`: a row a channel of the convolutions, a column a coordinate of CLIP."""
    convolutions, every = channel_counts(generator)
    fs3 = torch.randn(convolutions, 5, generator=torch.Generator().manual_seed(1))
    np.save(tmp_path / "fs3.npy", fs3.numpy())
    found = sm.load_directions(tmp_path / "fs3.npy", generator)
    assert len(found) == 5 and found.space == "S" and "convolutions" in found.method
    text = torch.randn(5, generator=torch.Generator().manual_seed(2))
    moved = sm.apply_direction(faces, found.combined(text, "smile", threshold=0.5), "smile", 1.0)
    effect = fs3 @ text
    effect = effect * (effect.abs() >= 0.5 * effect.abs().max())
    changes = [
        channel_style(generator, moved, place) - channel_style(generator, faces, place)
        for place, (_, module) in enumerate(generator.synthesis.styled())
    ]
    kept = [
        change for change, (_, m) in zip(changes, generator.synthesis.styled(), strict=True) if not m.to_rgb
    ]
    assert torch.allclose(torch.cat(kept, 1)[0], effect, atol=1e-4)
    rgbs = [change for change, (_, m) in zip(changes, generator.synthesis.styled(), strict=True) if m.to_rgb]
    assert max(float(change.abs().max()) for change in rgbs) == 0
    np.save(tmp_path / "s.npy", torch.zeros(every, 1).numpy())
    assert sm.load_directions(tmp_path / "s.npy", generator).method == "style channels"


def test_what_lies_in_regions_moves_too(generator, faces):
    region = torch.zeros(1, 32, 32)
    region[:, :16] = 1
    inside = sm.inject_latents(faces.take([0]), faces.take([1]), sm.parse_masks("all", L), region=region)
    found = sm.find_directions(generator, count=1)
    moved = sm.apply_direction(inside, found, 1, 2.0)
    step = 2.0 * found.units[0] * found.vectors[0]
    assert torch.allclose(moved.regions[0].codes.w, inside.regions[0].codes.w + step, atol=1e-5)
    assert torch.equal(moved.regions[0].mask, inside.regions[0].mask)


def test_layers_are_exported_with_the_vectors(generator, faces, tmp_path):
    found = sm.find_directions(generator, layers="2-3", count=2)
    for ending in (".npz", ".npy", ".pt"):
        sm.save_directions(tmp_path / f"a{ending}", found)
        again = sm.load_directions(tmp_path / f"a{ending}", generator)
        assert torch.allclose(
            sm.apply_direction(faces, again, 2, 1.0).w, sm.apply_direction(faces, found, 2, 1.0).w
        )


def test_z_that_was_saved_is_carried_over_later(generator, tmp_path):
    np.save(tmp_path / "age_boundary.npy", ONE.numpy())
    sm.save_directions(tmp_path / "kept.safetensors", sm.load_directions(tmp_path / "age_boundary.npy"))
    assert sm.load_directions(tmp_path / "kept.safetensors").space == "Z"
    carried = sm.load_directions(tmp_path / "kept.safetensors", generator)
    assert torch.equal(carried.vectors, sm.load_directions(tmp_path / "age_boundary.npy", generator).vectors)


def test_directions_that_set_a_coordinate_are_not_mixed_with_others(generator, faces, tmp_path):
    torch.save(PCA, tmp_path / "ffhq_pca.pt")
    found = sm.load_directions(tmp_path / "ffhq_pca.pt", generator)
    other = sm.find_directions(generator, count=1)
    for make in (
        lambda: found.combined(torch.ones(K), "all"),
        lambda: sm.condition_directions(found, other),
        lambda: condition_on_effects(generator, faces, found, other),
    ):
        with pytest.raises(StyleMixError, match="directions that set a coordinate"):
            make()


class Command:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    ("file", "write", "message"),
    [
        ("a.npy", array(np.array([Command()], dtype=object)), "system"),
        ("a.pt", tensor({"age": ONE, "more": Command()}), "system"),
        ("a.npy", array(np.zeros([2, 2, 2, 2], np.float32)), "expected directions of"),
        ("a.npy", array(np.zeros([1, D], np.int32)), "whole numbers .torch.int32.; expected directions of"),
        ("a.npy", array(np.full([1, D], np.inf, np.float32)), "NaN or infinite"),
        ("a.npy", array(np.full([1, D], 1e300)), "too large"),
        ("a.pt", tensor(PCA | {"std": torch.zeros(K)}), "standard deviation is 0"),
        ("a.pt", tensor({"age": ONE, "smile": PER_LAYER}), "several shapes"),
        ("a.pt", tensor({"epoch": 3}), "holds no directions"),
        ("a.pt", tensor({"comp": ONE, "mean": torch.zeros(3), "std": torch.ones(1)}), "have a mean"),
    ],
)
def test_other_content_is_refused(file, write, message, tmp_path, monkeypatch):
    write(tmp_path / file)
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("it ran"))
    with pytest.raises(StyleMixError, match=f"{file} cannot be used: .*{message}"):
        sm.load_directions(tmp_path / file)


def test_codes_and_directions_are_not_mixed_up(tmp_path):
    torch.save(PCA, tmp_path / "ffhq_pca.pt")
    with pytest.raises(CheckpointError, match="it holds directions .*comp.*, not codes"):
        sm.load_latents(tmp_path / "ffhq_pca.pt")


def test_style_channels_are_not_exported(tmp_path, generator):
    found = sm.style_channels(generator, "0:0")
    with pytest.raises(StyleMixError, match="no other tool reads directions of style channels"):
        sm.save_directions(tmp_path / "a.npz", found)
    assert not list(tmp_path.iterdir())


def test_only_ganspaces_shares_are_of_the_variance_of_w(tmp_path, generator):
    for method, kept in (("GANSpace", True), ("SeFa", False)):
        sm.save_directions(tmp_path / "a.npz", sm.find_directions(generator, method, count=2, samples=50))
        assert (sm.load_directions(tmp_path / "a.npz").shares is not None) is kept
