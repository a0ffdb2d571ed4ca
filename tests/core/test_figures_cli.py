"""The command line's figures and directions, on tiny models."""

import numpy as np
import pytest
import torch

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.codes.latents import Latents
from stylemix_core.files.pictures import load_image

from .. import builders


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return builders.write_tiny_native(tmp_path_factory.mktemp("models"))[0]


@pytest.fixture(scope="module")
def generator(model):
    return sm.load_generator(model, "cpu")


@pytest.fixture
def run(model, tmp_path):
    """Runs a command on the tiny generator, with results in `out`."""

    def command(name: str, *arguments: object) -> int:
        places = ["--out", str(tmp_path / "out"), "--generator", str(model), "--device", "cpu"]
        return cli.main([name, *map(str, arguments), *places])

    return command


@pytest.fixture
def style(run, tmp_path):
    """A folder with the codes of two seeds."""
    assert run("generate", "--seeds", "5,6") == 0
    return (tmp_path / "out").rename(tmp_path / "style")


def test_matrix_gives_every_source_every_style(run, generator, style, tmp_path):
    assert run("matrix", "--seeds", "1-3", "--style", style, "--masks", "0-2; 7") == 0
    out = tmp_path / "out"
    results = sm.load_latents(out / "results.safetensors")
    assert len(results) == len(list((out / "results").iterdir())) == 12
    assert results.origins[3] == "seed 1, psi 0.7 ← seed 6, psi 0.7, layers 7"
    sheet = load_image(out / "grid.png")
    assert sheet.shape[3] > 5 * 32 and sheet.shape[2] > 4 * 32


def test_strip_raises_the_strength(run, style, tmp_path):
    assert run("strip", "--seeds", "1", "--style", style, "--pairing", "all", "--to", 2, "--count", 3) == 0
    results = sm.load_latents(tmp_path / "out" / "results.safetensors").w
    assert len(results) == 6
    assert torch.allclose(results[1].lerp(results[2], 0.5), results[1] * 1.5 - results[0] / 2, atol=1e-5)
    assert torch.equal(results[0], results[3])  # strength 0 of either style: the source


def test_directions_are_found_shown_named_and_saved(run, generator, tmp_path, capsys):
    assert run("directions", "--layers", "2-4", "--count", 3, "--name", "2:smile", "--steps", 3) == 0
    out = tmp_path / "out"
    found = sm.load_directions(out / "directions.safetensors")
    assert torch.equal(found.vectors, sm.find_directions(generator, "SeFa", "2-4", 3).vectors)
    assert found.names == ("SeFa 1", "smile", "SeFa 3")
    assert "2. smile: " in capsys.readouterr().out
    assert len(list((out / "results").iterdir())) == 9
    assert load_image(out / "grid.png").shape[2] > 3 * 32


def test_saved_directions_are_applied(run, generator, tmp_path):
    assert run("directions", "--method", "ganspace", "--samples", 400, "--name", "1:smile") == 0
    (tmp_path / "out").rename(tmp_path / "kept")
    kept = tmp_path / "kept" / "directions.safetensors"
    arguments = ["--seeds", "4,5", "--apply", "smile", "--strength", -2, "--masks", "0; 1-3"]
    assert run("directions", "--load", kept, *arguments) == 0
    results = sm.load_latents(tmp_path / "out" / "results.safetensors")
    masks = sm.parse_masks("0; 1-3", 8)
    assert results.origins[1] == "seed 4, psi 0.7, -2 smile, layers 1-3"
    with torch.no_grad():
        w = generator.mapping(sm.sample_z([4, 5], generator.z_dim), truncation_psi=0.7)
    expected = sm.apply_direction(Latents.of(w), sm.load_directions(kept), 1, -2, masks)
    assert torch.allclose(results.w, expected.w, atol=1e-6)
    assert not (tmp_path / "out" / "grid.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["directions", "--layers", "9"], "this model has the layers 0-7"),
        (["directions", "--apply", "smile"], "there is no direction 'smile'"),
        (["directions", "--name", "smile"], "'smile' names no direction"),
        (["directions", "--load", "nowhere"], "there is no file with directions at nowhere"),
        (["strip", "--seeds", "1", "--style", "nowhere.png"], "nowhere.png"),
        (
            ["strip", "--seeds", "1", "--style", "stylemix_core/demo/bob.safetensors", "--count", "0"],
            "count is 0; give a number from 1 to 64",
        ),
    ],
)
def test_bad_input_ends_with_exit_code_2(run, tmp_path, capsys, arguments, says):
    assert run(*arguments) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out" / "grid.png").exists()


def test_a_slider_is_learnt_from_two_files(run, generator, tmp_path, capsys):
    for name, seeds in (("with", "0-5"), ("without", "10-15")):
        assert run("generate", "--seeds", seeds, "--psi", 1) == 0
        (tmp_path / "out").rename(tmp_path / name)
    sides = [tmp_path / name / "latents.safetensors" for name in ("with", "without")]
    assert run("learn", "--positive", sides[0], "--negative", sides[1], "--name", "smile") == 0
    found = sm.load_directions(tmp_path / "out" / "smile.safetensors")
    expected = sm.learn_direction(generator, *map(sm.load_latents, sides), "smile")
    assert torch.equal(found.vectors, expected.vectors) and found.confidence == expected.confidence
    said = capsys.readouterr()
    assert "learnt from 6 + 6 faces" in said.out and "warning: this is noise" in said.err
    assert load_image(tmp_path / "out" / "grid.png").shape[2] > 3 * 32
    assert run("learn", "--positive", sides[0], "--negative", tmp_path / "none.npz") == 2
    assert "there is no file or folder" in capsys.readouterr().err


def test_other_tools_directions_channels_and_conditions(run, generator, tmp_path, capsys):
    np.save(tmp_path / "age_boundary.npy", np.ones([1, 16]) / 4)
    assert run("directions", "--load", tmp_path / "age_boundary.npy", "--seeds", 1, "--apply", 1) == 0
    assert "carried over from Z" in capsys.readouterr().out
    assert run("directions", "--channels", "3:5", "--numbering", "convolutions", "--apply", 1) == 0
    assert "channel 3:5" in capsys.readouterr().out
    conditions = ("--count", 2, "--without", tmp_path / "age_boundary.npy", "--space", "W")
    assert run("directions", *conditions, "--explain", "--overwrite") == 0
    assert "SeFa 1: " in capsys.readouterr().out
    found = sm.load_directions(tmp_path / "out" / "directions.safetensors")
    assert torch.allclose(found.vectors.sum(-1), torch.zeros(found.vectors.shape[:-1]), atol=1e-5)
    assert run("directions", *conditions, "--without-by", "pictures", "--overwrite") == 0
    by_pictures = sm.load_directions(tmp_path / "out" / "directions.safetensors")
    assert by_pictures.vectors.shape == (2, 8, 16) and not torch.allclose(
        by_pictures.vectors[:, 0], found.vectors
    )


def test_codes_and_directions_are_exported_and_used_again(run, generator, style, tmp_path, capsys):
    assert run("directions", "--count", 2) == 0
    (tmp_path / "out").rename(tmp_path / "found")
    codes, directions = style / "latents.safetensors", tmp_path / "found" / "directions.safetensors"
    export = ["export", str(codes), str(directions), "--out", str(tmp_path / "out")]
    assert cli.main(export) == 0
    exported = np.load(tmp_path / "out" / "latents.npz")["w"]
    assert np.array_equal(exported, sm.load_latents(codes).w.numpy())
    again = sm.load_directions(tmp_path / "out" / "directions.npz")
    assert torch.allclose(again.vectors, sm.load_directions(directions).vectors)
    assert cli.main(["inspect", str(tmp_path / "out" / "latents.npz")]) == 0
    assert "2 W+ codes of 8 w vectors of 16, a source or a style" in capsys.readouterr().out
    np.savez(tmp_path / "single.npz", w=exported[:, 0])
    (tmp_path / "out").rename(tmp_path / "exported")
    assert (
        run("mix", "--source", tmp_path / "exported" / "latents.npz", "--style", tmp_path / "single.npz") == 0
    )
    styles = sm.load_latents(tmp_path / "out" / "styles.safetensors")
    assert torch.allclose(styles.w, torch.from_numpy(exported))
