"""The command line, on tiny models."""

import json
from functools import cache

import pytest
import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core import cli, decoding
from stylemix_core.checkpoints import inspect_checkpoint
from stylemix_core.codes.latents import load_latents
from stylemix_core.demo import experiment
from stylemix_core.figures import grid
from stylemix_core.files.pictures import load_image
from stylemix_core.generator.engine.parts import CHUNK
from stylemix_core.images import from_pil
from tests import builders


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.effect_mandelbrot((90, 70), (-2, -1, 1, 1), 50).save(path)
    return path


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_generate_writes_a_picture_per_seed_and_their_codes(models, tmp_path):
    out = tmp_path / "out"
    assert run("generate", "--seeds", "3-4,9", "--psi", 0.5, "--out", out, *models["generator"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "latents.safetensors",
        "seed0003.png",
        "seed0004.png",
        "seed0009.png",
    ]
    latents = load_latents(out / "latents.safetensors")
    assert latents.w.shape == (3, 8, 16)
    assert latents.origins[2] == "seed 9, psi 0.5"
    assert load_image(out / "seed0009.png").shape == (1, 3, 32, 32)


def test_encode_takes_folders_and_draws_the_codes_again(models, tmp_path, photo):
    (tmp_path / "notes.txt").write_text("no picture")
    out = tmp_path / "out"
    arguments = ["encode", tmp_path, "--align", "never", "--out", out]
    assert run(*arguments, *models["generator"], *models["encoder"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["photo.safetensors", "photo_reconstruction.png"]
    assert load_latents(out / "photo.safetensors").origins == ("photo.png",)


def test_mix_takes_seeds_and_a_picture(models, tmp_path, photo):
    out = tmp_path / "out"
    arguments = [
        "mix",
        "--seeds",
        "1,2",
        "--style",
        photo,
        "--masks",
        "0; fine-ish: 2-6@0.5; all",
        "--align",
        "never",
        "--out",
        out,
    ]
    assert run(*arguments, *models["generator"], *models["encoder"]) == 0
    results = load_latents(out / "results.safetensors")
    assert results.origins[1] == "seed 1, psi 0.7 ← photo.png, layers 2-6@0.5"
    assert torch.equal(results.w[2], results.w[5])  # all of the style
    assert len(list((out / "results").iterdir())) == 6
    grid = load_image(out / "grid.png")
    assert grid.shape[3] > 5 * 32 and grid.shape[2] > 2 * 32


def test_mix_takes_saved_codes_and_gives_every_source_every_style(models, tmp_path):
    assert run("generate", "--seeds", "0-2", "--out", tmp_path / "a", *models["generator"]) == 0
    codes = tmp_path / "a" / "latents.safetensors"
    arguments = ["mix", "--source", codes, "--style", codes, "--masks", "0;1", "--pairing", "all"]
    assert run(*arguments, "--out", tmp_path / "b", *models["generator"]) == 0
    assert len(load_latents(tmp_path / "b" / "results.safetensors")) == 18


@pytest.mark.parametrize(("noise", "count"), [("const", 3 + 6), ("random", 27 + 3 + 3)])
def test_mix_draws_equal_codes_once(models, tmp_path, monkeypatch, noise, count):
    assert run("generate", "--seeds", "0-2", "--out", tmp_path / "a", *models["generator"]) == 0
    codes = tmp_path / "a" / "latents.safetensors"
    drawn = []
    draw = decoding.decode
    monkeypatch.setattr(
        decoding,
        "decode",
        lambda G, part, *others, **more: (
            drawn.append(len(part)),
            draw(G, part, *others, **more),
        )[1],
    )
    arguments = ["--source", codes, "--style", codes, "--masks", "none; 0-3; all", "--pairing", "all"]
    assert run("mix", *arguments, "--noise", noise, "--out", tmp_path / "b", *models["generator"]) == 0
    # Sources and styles are the results of no and of all layers, and so is a face mixed with itself.
    assert sum(drawn) == count and max(drawn) <= CHUNK
    assert len(list((tmp_path / "b" / "results").iterdir())) == 27


def test_mix_takes_a_file_with_masks(models, tmp_path, capsys):
    masks, codes = tmp_path / "mask_list.TXT", tmp_path / "a"
    assert run("generate", "--seeds", "0", "--out", codes, *models["generator"]) == 0
    for text in ("\ufeffhair: 2-3@0.5  # found\n7\n", "hair: 2-3@0.5; 7"):
        masks.write_text(text, encoding="utf-8")
        arguments = ["mix", "--seeds", "1", "--style", codes, "--masks", masks, "--out", tmp_path / "b"]
        assert run(*arguments, *models["generator"]) == 0
        assert [
            origin.rsplit(" ", 1)[1] for origin in load_latents(tmp_path / "b/results.safetensors").origins
        ] == [
            "2-3@0.5",
            "7",
        ]
    masks.write_bytes(b"0-3\xff")
    assert run(*arguments, *models["generator"]) == 2
    assert "is no text in UTF-8" in capsys.readouterr().err
    masks.unlink()
    assert run(*arguments, *models["generator"]) == 2
    error = capsys.readouterr().err
    assert f"there is no mask list at {masks}; check the path" in error and error.count("\n") == 1


@pytest.mark.parametrize("space", ["W+", "convolutions", "to-RGB", "channels"])
def test_mix_takes_a_space_and_a_region(models, tmp_path, capsys, space):
    half = Image.new("L", (40, 30))
    half.paste(255, (0, 0, 20, 30))
    half.save(tmp_path / "half.png")
    codes, out = tmp_path / "codes", tmp_path / "out"
    assert run("generate", "--seeds", "0-1", "--out", codes, *models["generator"]) == 0
    arguments = [
        "--seeds",
        "5",
        "--style",
        codes,
        "--pairing",
        "all",
        "--masks",
        "0-3; all",
        "--space",
        space,
    ]
    region = ["--region", tmp_path / "half.png"]
    assert run("mix", *arguments, *region, "--out", out, *models["generator"], *models["encoder"]) == 0
    results = load_latents(out / "results.safetensors")
    assert len(results) == 4
    assert (results.channels is not None) == (space == "channels")
    assert len(results.regions) == (space != "channels")
    said = capsys.readouterr()
    assert ("inside the region" in said.out) == (space != "channels")
    assert "half.png is 40×30 pixels, the pictures are 32×32" in said.err


def test_one_result_is_no_plural(models, tmp_path, capsys):
    codes = tmp_path / "codes"
    assert run("generate", "--seeds", "0", "--out", codes, *models["generator"]) == 0
    arguments = ["mix", "--seeds", "5", "--style", codes, "--masks", "2", "--out", tmp_path / "out"]
    assert run(*arguments, *models["generator"], *models["encoder"]) == 0
    generated, mixed = capsys.readouterr().out.splitlines()
    assert generated.startswith("1 picture and ") and mixed.startswith("1 result; ")


def test_mix_warns_where_nothing_acts(models, tmp_path, capsys):
    Image.new("L", (32, 32)).save(tmp_path / "black.png")
    codes = tmp_path / "codes"
    assert run("generate", "--seeds", "0", "--out", codes, *models["generator"]) == 0
    arguments = ["mix", "--seeds", "5", "--style", codes, "--masks", "2", "--space", "to-RGB"]
    arguments += ["--region", tmp_path / "black.png", "--out", tmp_path / "out"]
    assert run(*arguments, *models["generator"], *models["encoder"]) == 0
    error = capsys.readouterr().err
    assert "the region is black everywhere" in error and "only odd layers have to-RGBs" in error


def test_channels_without_a_region_are_an_error(models, tmp_path, capsys):
    codes = tmp_path / "codes"
    assert run("generate", "--seeds", "0", "--out", codes, *models["generator"]) == 0
    arguments = [
        "--seeds",
        "5",
        "--style",
        codes,
        "--space",
        "channels",
        "--masks",
        "all",
        "--out",
        tmp_path / "out",
    ]
    assert run("mix", *arguments, *models["generator"], *models["encoder"]) == 2
    assert "give a picture of it by --region" in capsys.readouterr().err


def test_encoding_into_the_folder_of_the_picture_leaves_the_picture_alone(models, tmp_path, photo):
    before = photo.read_bytes()
    twin = tmp_path / "photo.webp"
    Image.open(photo).save(twin)
    arguments = ["encode", photo, twin, "--align", "never", "--out", tmp_path]
    assert run(*arguments, *models["generator"], *models["encoder"]) == 0
    assert photo.read_bytes() == before
    assert len(list(tmp_path.glob("*.safetensors"))) == len(list(tmp_path.glob("*_reconstruction.png"))) == 2


def test_a_folder_that_generate_made_is_read_as_its_codes(models, tmp_path):
    assert run("generate", "--seeds", "0-1", "--out", tmp_path / "a", *models["generator"]) == 0
    arguments = ["mix", "--source", tmp_path / "a", "--style", tmp_path / "a", "--masks", "0"]
    assert run(*arguments, "--out", tmp_path / "b", *models["generator"]) == 0
    assert len(load_latents(tmp_path / "b" / "results.safetensors")) == 2


def test_random_noise_belongs_to_the_seed(models, tmp_path):
    for seeds in ("4-6", "6"):
        arguments = ["--seeds", seeds, "--noise", "random", "--out", tmp_path / seeds]
        assert run("generate", *arguments, *models["generator"]) == 0
    pictures = [load_image(tmp_path / seeds / "seed0006.png") for seeds in ("4-6", "6")]
    assert (pictures[0] - pictures[1]).abs().max() <= 2.1 / 255


def test_inspect_prints_text_or_json(models, capsys):
    path = models["generator"][1]
    assert run("inspect", path) == 0
    assert "32" in capsys.readouterr().out
    assert run("inspect", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_ws"] == 8


def test_inspect_says_what_codes_are(models, tmp_path, capsys):
    codes, mixed = tmp_path / "a" / "latents.safetensors", tmp_path / "b" / "results.safetensors"
    assert run("generate", "--seeds", "3-14", "--out", codes.parent, *models["generator"]) == 0
    arguments = ["--seeds", "5", "--style", codes, "--masks", "1", "--pairing", "all", "--space", "to-rgb"]
    assert run("mix", *arguments, "--out", mixed.parent, *models["generator"], *models["encoder"]) == 0
    capsys.readouterr()
    assert run("inspect", mixed) == 0
    assert "with codes of the to-RGBs" in capsys.readouterr().out
    assert run("inspect", codes) == 0
    first, *origins = capsys.readouterr().out.splitlines()
    fingerprint = load_latents(codes).generator
    assert f"12 W+ codes of 8 w vectors of 16, for the generator (fingerprint {fingerprint})" in first
    assert "32×32" in first
    assert origins[0].strip() == "0: seed 3, psi 0.7" and origins[-1].strip() == "… and 2 more"
    assert run("inspect", codes, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert [figures["codes"], figures["num_ws"], figures["w_dim"]] == [12, 8, 16]
    assert len(figures["origins"]) == 12
    assert run("inspect", "stylemix_core/demo/bob.safetensors") == 0
    assert "1 W+ code of 14 w vectors of 512, for the bundled demo generator" in capsys.readouterr().out


def test_the_demo_can_be_converted(tmp_path, capsys):
    assert run("convert", "demo", "--out", tmp_path) == 0
    assert inspect_checkpoint(tmp_path / "demo.safetensors").contents == ("generator",)
    assert run("convert", "demo", "--part", "encoder", "--out", tmp_path) == 0
    assert inspect_checkpoint(tmp_path / "demo_encoder.safetensors").contents == ("encoder",)
    assert run("convert", "demo", "--part", "encoder", "--out", tmp_path / "own.safetensors") == 0
    assert inspect_checkpoint(tmp_path / "own.safetensors").contents == ("encoder",)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate", "--seeds", "1", "--generator", "nowhere.pkl"], "nowhere.pkl"),
        (["generate", "--seeds", "1", "--class-label", "2"], "no classes"),
        (["mix", "--seeds", "1", "--style", "nowhere.png"], "nowhere.png"),
        (["encode", "nowhere.png"], "nowhere.png"),
        (["encode", "nowhere"], "there is no file or folder nowhere"),
        (["inspect", "nowhere.pkl"], "nowhere.pkl"),
        (["generate", "--seeds", "1", "--psi", "nan"], "truncation_psi is nan"),
        (["generate", "--seeds", "1", "--device", "toaster"], "no device 'toaster'"),
        (["generate", "--seeds", "1", "--cutoff", "-1"], "truncation_cutoff is -1"),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_one_line(models, tmp_path, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    given = models["generator"] if "--generator" not in arguments and arguments[0] != "inspect" else []
    given = given + (models["encoder"] if arguments[0] in ("mix", "encode") else [])
    assert run(*arguments, *given) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not any(tmp_path.glob("stylemix_*/*"))


@pytest.mark.parametrize("seeds", ["", "a", "0-", "1;2", "-1", "0-999999999"])
def test_seeds_that_are_none_are_refused(seeds, capsys):
    assert run("generate", f"--seeds={seeds}") == 2
    assert "write for instance 0-3,7" in capsys.readouterr().err


def test_demo_runs_the_experiment(tmp_path, monkeypatch, capsys):
    given, draw = [], experiment.compare_grid
    monkeypatch.setattr(experiment, "compare_grid", lambda *a, **k: given.append(k["style"]) or draw(*a, **k))
    monkeypatch.setattr(experiment, "run", cache(experiment.run))  # drawing once is enough
    for _ in range(2):  # which leaves the same files
        assert run("demo", "--out", tmp_path) == 0
        said = capsys.readouterr()
        assert said.out == f"28 results; the comparison is {tmp_path / 'grid.png'}\n" and not said.err
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 5
    assert len(list((tmp_path / "faces").iterdir())) == 4
    assert len(list((tmp_path / "results").iterdir())) == 28
    grid = load_image(tmp_path / "grid.png")
    assert grid.shape[3] > 9 * 256 and grid.shape[2] > 4 * 256
    results, faces = (load_latents(tmp_path / f"{name}.safetensors") for name in ("results", "faces"))
    style = load_latents(tmp_path / "style.safetensors")
    assert torch.equal(results.w[6, :7], style.w[0, :7])
    assert torch.equal(results.w[6, 7:], faces.w[0, 7:])
    assert results.generator == style.generator
    with torch.inference_mode():  # as mix shows a style: what its codes draw
        assert torch.equal(given[0], sm.load_generator("demo", "cpu").synthesis(style.w))
    assert (tmp_path / "results" / "0006_seed0096_drawn_bob_layers_0-6.png").exists()


def test_convert_writes_safetensors(tmp_path, capsys):
    source = builders.write_tiny_psp(tmp_path / "psp.pt")
    assert run("convert", source, "--part", "encoder", "--out", tmp_path / "out") == 0
    assert inspect_checkpoint(tmp_path / "out" / "psp_encoder.safetensors").contents == ("encoder",)
    assert "psp_encoder.safetensors: StyleMix safetensors with encoder" in capsys.readouterr().out
    assert run("convert", tmp_path / "nothing.pt", "--out", tmp_path / "out") == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["psp_encoder.safetensors"]


def test_inspect_prints_the_options_of_the_training(tmp_path, capsys):
    assert run("inspect", builders.write_tiny_psp(tmp_path / "psp.pt")) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "pSp checkpoint with generator and encoder" in first
    assert (
        second.strip()
        == "options: encoder_type=GradualStyleEncoder, output_size=32, start_from_latent_avg=True"
    )


def test_the_grid_names_seeds_and_files(models, tmp_path, photo, monkeypatch):
    given = []
    draw = grid.compare_grid
    monkeypatch.setattr(grid, "compare_grid", lambda *a, **k: given.append((a[1], k)) or draw(*a, **k))
    Image.open(photo).save(tmp_path / "other.png")
    names = ["--masks", "0; rest: 1-7", "--align", "never", "--out", tmp_path / "out"]
    for styles, pairing in (((photo,), "match"), ((photo, tmp_path / "other.png"), "all")):
        arguments = ["mix", "--seeds", "4,9", "--style", *styles, "--pairing", pairing, *names]
        assert run(*arguments, *models["generator"], *models["encoder"]) == 0
    rows = [options["rows"] for _, options in given]
    assert rows[0] == ["seed 4", "seed 9"]
    assert rows[1] == [f"seed {seed} · {file}.png" for seed in (4, 9) for file in ("photo", "other")]
    assert all(labels == ["0", "rest"] for labels, _ in given)


def test_convert_writes_the_file_that_is_named(tmp_path, capsys):
    source = builders.write_tiny_psp(tmp_path / "psp.pt")
    target = tmp_path / "converted" / "mine.safetensors"
    assert run("convert", source, "--out", target) == 0
    assert inspect_checkpoint(target).contents == ("generator", "encoder")
    assert run("convert", source, source, "--out", tmp_path / "both.safetensors") == 2
    assert "names one file" in capsys.readouterr().err
    assert not (tmp_path / "both.safetensors").exists()


def test_pictures_are_cropped_to_the_face_unless_told_not_to(models, tmp_path):
    (avatar,) = builders.draw_avatars(1)
    picture = Image.new("RGB", (700, 500), "white")
    picture.paste(avatar, (300, 100))
    picture.save(tmp_path / "photo.png")
    for mode in ("never", "auto"):
        given = ["--align", mode] if mode == "never" else []
        arguments = ["encode", tmp_path / "photo.png", *given, "--out", tmp_path / mode]
        assert run(*arguments, *models["generator"], *models["encoder"]) == 0
    codes = [load_latents(tmp_path / mode / "photo.safetensors").w for mode in ("never", "auto")]
    crop, _ = sm.align_face(picture, output_size=64)
    encoder = sm.load_encoder(models["encoder"][1], "cpu")
    with torch.no_grad():
        expected = encoder(from_pil(crop))
    assert torch.allclose(codes[1], expected, atol=1e-5) and not torch.allclose(codes[0], expected, atol=1e-2)


@pytest.mark.parametrize("command", ["encode", "invert", "mix"])
def test_the_file_without_a_face_is_named(models, tmp_path, photo, capsys, command):
    (avatar,) = builders.draw_avatars(1)
    avatar.save(tmp_path / "avatar.png")
    pictures = [tmp_path / "avatar.png", photo]
    arguments = {
        "encode": ["encode", *pictures],
        "invert": ["invert", *pictures, "--steps", "0"],
        "mix": ["mix", "--seeds", "1-2", "--style", *pictures],
    }[command]
    code = run(*arguments, "--out", tmp_path / "out", *models["generator"], *models["encoder"])
    assert code == (2 if command == "mix" else 1)
    error = capsys.readouterr().err
    assert f"{photo}: no face was found" in error and "set align to never" in error


def test_sketches_are_read_as_they_are(models, tmp_path, photo):
    """Encoders of sketches and label maps do not know faces as photos show them."""
    path = builders.write_tiny_psp(tmp_path / "sketch.pt", builders.tiny_encoder_config(input_nc=1))
    arguments = ["encode", photo, "--encoder", path, "--out", tmp_path / "out"]
    assert run(*arguments, *models["generator"]) == 0
    assert run(*arguments, "--align", "always", *models["generator"]) == 2


def test_regions_that_do_not_fit_the_masks_are_counted(models, tmp_path, photo, capsys):
    arguments = [
        "--seeds",
        "5",
        "--style",
        photo,
        "--masks",
        "0; 1; 2",
        "--align",
        "never",
        "--region",
        photo,
        photo,
    ]
    assert run("mix", *arguments, "--out", tmp_path / "out", *models["generator"], *models["encoder"]) == 2
    assert "there are 2 region pictures for 3 masks" in capsys.readouterr().err
