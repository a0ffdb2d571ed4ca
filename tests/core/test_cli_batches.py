"""The command line on many files, of which some are bad; the verbs for codes at hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.cli import results
from stylemix_core.cli.paths import result_name
from stylemix_core.codes.latents import Latents, load_latents, save_latents
from stylemix_core.encoder import align
from stylemix_core.files.pictures import load_image, save_image
from tests import builders


@pytest.fixture
def photos(tmp_path):
    """Two pictures, and between them a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, corner in (("a", -2), ("c", -1)):
        Image.effect_mandelbrot((60, 50), (corner, -1, 1, 1), 50).save(folder / f"{name}.png")
    (folder / "b.png").write_text("no picture")
    return folder


@pytest.fixture
def codes(models, tmp_path):
    assert (
        run("generate", "--seeds", "0-2", "--out", tmp_path / "codes", "--quiet", *models["generator"]) == 0
    )
    return tmp_path / "codes" / "latents.safetensors"


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("verb", [["encode"], ["invert", "--steps", "1"]])
def test_a_bad_file_does_not_end_a_batch(models, photos, tmp_path, capsys, verb):
    arguments = [*verb, photos, "--align", "never", *models["generator"], *models["encoder"]]
    assert run(*arguments, "--out", tmp_path / "out") == 1
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.safetensors")) == ["a", "c"]
    *_, failure, count = capsys.readouterr().err.splitlines()
    assert f"stylemix {verb[0]}: {photos / 'b.png'} cannot be read as a picture" in failure
    assert count == f"stylemix {verb[0]}: 1 of 3 files could not be used"
    assert run(*arguments, "--out", tmp_path / "strict", "--strict") == 2
    assert sorted(path.stem for path in (tmp_path / "strict").glob("*.safetensors")) == ["a"]


def test_a_batch_of_bad_files_ends_with_exit_code_2(models, photos, tmp_path, capsys):
    arguments = ["encode", photos / "b.png", "--align", "never", "--out", tmp_path / "out"]
    assert run(*arguments, *models["generator"], *models["encoder"]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and not said.out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["encode", "invert", "decode", "truncate", "paste"])
def test_files_that_cannot_be_meant_do_not_end_a_batch(models, codes, tmp_path, capsys, verb):
    """A missing one, a wrong ending, an empty folder, a phone's format."""
    if verb in ("decode", "truncate"):
        good = codes
    else:
        (avatar,) = builders.draw_avatars(1)
        good = tmp_path / "avatar.png"
        avatar.resize((300, 300)).save(good)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "phone.heic").write_text("no picture")
    (tmp_path / "empty").mkdir()
    missing, *others = bad = [tmp_path / name for name in ("no.png", "notes.txt", "empty", "phone.heic")]
    given = {"invert": ["--steps", "1"]}.get(verb, [])
    given += models["generator"] if verb != "paste" else []
    given += models["encoder"] if verb in ("encode", "invert", "truncate") else []
    before = [good] if verb == "paste" else []

    def tell(*files, code: int) -> list[str]:
        assert run(verb, *before, *files, *given, "--quiet", "--out", tmp_path / "out") == code
        return capsys.readouterr().err.splitlines()

    *failures, count = tell(*bad, good, code=1)
    assert [str(path) in line for path, line in zip(bad, failures, strict=True)] == [True] * 4
    assert "there is no file or folder" in failures[0] and "has the ending .txt" in failures[1]
    assert "holds nothing to read" in failures[2]
    assert verb == "decode" or ("is a HEIC picture" in failures[3] and "Most Compatible" in failures[3])
    assert count == f"stylemix {verb}: 4 of 5 files could not be used"
    written = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    assert written
    assert tell(*bad, good, "--strict", code=2) == failures[:1]
    assert tell(missing, code=2) == failures[:1]
    (line,) = tell(missing, *others, code=2)
    assert line == f"{failures[0]}; none of the 4 files can be used"
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")} == written


@pytest.mark.parametrize("verb", ["decode", "truncate"])
def test_codes_of_another_shape_do_not_end_a_batch(models, codes, tmp_path, capsys, verb):
    save_latents(tmp_path / "other.safetensors", Latents.of(torch.zeros(1, 14, 512), "other"))
    arguments = [verb, tmp_path / "other.safetensors", codes, "--out", tmp_path / "out", *models["generator"]]
    assert run(*arguments) == 1
    failure, _ = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'other.safetensors'}: the codes have 14 layers of 512 numbers" in failure
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_codes_that_do_not_fit_are_named_where_all_are_needed(models, codes, tmp_path, capsys):
    save_latents(tmp_path / "other.safetensors", Latents.of(torch.zeros(1, 14, 512), "other"))
    arguments = ["mix", "--seeds", "0", "--style", codes, tmp_path / "other.safetensors", "--masks", "0"]
    assert run(*arguments, "--out", tmp_path / "out", *models["generator"]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'other.safetensors'}: the codes have 14 layers" in error and error.count("\n") == 1


def test_the_photo_without_a_face_is_named(tmp_path, capsys):
    for name in ("grid.png", "face.png"):
        Image.new("RGB", (90, 60), "red").save(tmp_path / name)
    assert run("paste", tmp_path / "grid.png", tmp_path / "face.png", "--out", tmp_path / "out") == 2
    assert f"stylemix paste: {tmp_path / 'grid.png'}: no face was found" in capsys.readouterr().err


@pytest.mark.parametrize("inside", [False, True])
def test_messages_name_a_file_once(tmp_path, monkeypatch, capsys, inside):
    monkeypatch.chdir(tmp_path)
    for name in ("0.jpg", "0.pt", "0.safetensors"):
        (tmp_path / name).write_text("no")
    paths = [f"{'.' if inside else tmp_path}/{name}" for name in ("0.jpg", "0.pt", "0.safetensors")]
    assert run("inspect", *paths) == 2
    assert run("encode", paths[0], "--device", "cpu") == 2
    assert run("decode", paths[2], "--device", "cpu") == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "0." in line]
    named = [*paths, paths[0], paths[2]]
    assert [line.count(Path(path).name) for line, path in zip(lines, named, strict=True)] == [1] * 5
    assert all(str(Path(path)) in line for line, path in zip(lines, named))


def test_the_bundled_encoder_warns_that_it_reads_avatars(models, codes, tmp_path, capsys):
    """Once a run, and only where it reads pictures of the user's."""
    (avatar,) = builders.draw_avatars(1)
    avatar.save(tmp_path / "avatar.png")

    def warnings(*arguments) -> int:
        assert run(*arguments, "--out", tmp_path / "out", "--overwrite") == 0
        return capsys.readouterr().err.count("was trained on drawn avatars, so photographs become avatars")

    picture = tmp_path / "avatar.png"
    assert warnings("encode", picture, picture, "--align", "never") == 1
    assert warnings("mix", "--source", picture, "--style", picture, "--masks", "0", "--align", "never") == 1
    bob = "stylemix_core/demo/bob.safetensors"
    assert warnings("mix", "--seeds", "0", "--style", bob, "--masks", "0") == 0
    assert warnings("encode", picture, "--align", "never", *models["generator"], *models["encoder"]) == 0


def test_inspect_and_convert_go_on(models, photos, tmp_path, capsys):
    model = models["generator"][1]
    assert run("inspect", photos / "b.png", model, tmp_path / "none.pt") == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{model}: ")
    bad, missing, count = said.err.splitlines()
    assert str(photos / "b.png") in bad and str(tmp_path / "none.pt") in missing and "2 of 3 files" in count
    assert run("inspect", photos / "b.png", model, "--json") == 1
    assert json.loads(capsys.readouterr().out)["file"] == model
    assert run("inspect", photos / "b.png", model, "--strict") == 2
    assert not capsys.readouterr().out
    for verb in ("inspect", "convert"):
        assert run(verb, "none.pt", "nor.pt") == 2
        said = capsys.readouterr().err
        assert (
            said
            == f"stylemix {verb}: none.pt: there is no such file; check the path; none of the 2 files can be used\n"
        )
    assert run("convert", photos / "b.png", model, "--out", tmp_path / "out") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["generator.safetensors"]


def test_quiet_prints_nothing_but_warnings(models, photos, tmp_path, capsys):
    arguments = ["encode", photos, "--align", "never", "--quiet", "--out", tmp_path / "out"]
    assert run(*arguments, *models["generator"], *models["encoder"]) == 1
    said = capsys.readouterr()
    assert not said.out and len(said.err.splitlines()) == 2


@pytest.mark.parametrize(
    "verb",
    [
        ["generate", "--seeds", "0"],
        ["mix", "--seeds", "0", "--masks", "0"],
        ["matrix", "--seeds", "0"],
        ["strip", "--seeds", "0"],
        ["directions", "--apply", "1"],
        ["encode"],
        ["invert", "--steps", "1"],
        ["blend"],
        ["truncate"],
    ],
    ids=lambda verb: verb[0],
)
def test_no_picture_is_written_without_its_codes(models, codes, photos, tmp_path, monkeypatch, verb):
    """A full disk, or an interrupt, before the first codes are there."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "save_latents", full)
    given = {"encode": [photos / "a.png"], "invert": [photos / "a.png"], "blend": [codes, codes]}
    given |= dict.fromkeys(("mix", "matrix", "strip"), ["--style", codes]) | {"truncate": [codes]}
    arguments = [*verb, *given.get(verb[0], []), *models["generator"], "--out", tmp_path / "out"]
    arguments += [] if verb[0] == "generate" else [*models["encoder"], "--align", "never"]
    assert run(*arguments) == 2
    assert not list((tmp_path / "out").rglob("*.png"))


def test_decode_draws_the_codes_of_several_files(models, codes, tmp_path):
    w = load_latents(codes).w
    save_latents(tmp_path / "photo.safetensors", Latents.of(w[:1], "inverted photo.png (tune, 6 steps)"))
    arguments = ["decode", codes, tmp_path / "photo.safetensors", "--out", tmp_path / "out"]
    assert run(*arguments, *models["generator"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0000_seed0000.png",
        "0001_seed0001.png",
        "0002_seed0002.png",
        "0003_inverted_photo.png",
    ]
    drawn = [load_image(tmp_path / "out" / f"000{place}_seed000{place}.png") for place in (0, 1)]
    assert [
        torch.equal(picture, load_image(codes.parent / f"seed000{i}.png")) for i, picture in enumerate(drawn)
    ]


def test_blend_goes_from_a_to_b(models, codes, tmp_path):
    a, b = load_latents(codes).w[:2]
    for name, w in (("a", a), ("b", b)):
        save_latents(tmp_path / f"{name}.safetensors", Latents.of(w, f"{name}.png, psi 0.7"))
    arguments = ["blend", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--weight", "0.25"]
    assert run(*arguments, "--out", tmp_path / "out", *models["generator"]) == 0
    blended = load_latents(tmp_path / "out" / "latents.safetensors")
    assert torch.allclose(blended.w[0], a.lerp(b, 0.25), atol=1e-6)
    assert blended.origins == ("a.png, psi 0.7 ~ b.png, psi 0.7, weight 0.25",)
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["0000_a_b.png"]


def test_truncate_moves_faces_towards_the_average(models, codes, tmp_path):
    arguments = ["truncate", codes, "--psi", "0.5", "--cutoff", "3", "--out", tmp_path / "out"]
    assert run(*arguments, *models["generator"]) == 0
    G, w = sm.load_generator(models["generator"][1], "cpu"), load_latents(codes).w
    moved = load_latents(tmp_path / "out" / "latents.safetensors")
    assert torch.allclose(moved.w[:, :3], G.w_avg + 0.5 * (w[:, :3] - G.w_avg), atol=1e-6)
    assert torch.equal(moved.w[:, 3:], w[:, 3:])
    assert moved.origins[1] == "seed 1, psi 0.7, truncated to 0.5 before layer 3"


@pytest.mark.parametrize("verb", [["generate", "--seeds", "0"], ["truncate"]])
def test_a_cutoff_beyond_the_layers_is_refused(models, codes, tmp_path, capsys, verb):
    given = [codes] if verb[0] == "truncate" else []
    assert run(*verb, *given, "--cutoff", "9", "--out", tmp_path / "out", *models["generator"]) == 2
    assert "truncation_cutoff is 9, but this generator has 8 layers; give 0 to 8" in capsys.readouterr().err
    assert run(*verb, *given, "--cutoff", "8", "--out", tmp_path / "out", *models["generator"]) == 0


def test_a_photo_as_region_is_refused(models, codes, tmp_path, capsys):
    noise = np.random.RandomState(0).randint(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    arguments = ["mix", "--seeds", "5", "--style", codes, "--region", tmp_path / "photo.png"]
    assert run(*arguments, "--out", tmp_path / "out", *models["generator"]) == 2
    assert "is a coloured picture; a mask is grey" in capsys.readouterr().err


def test_paste_puts_faces_back_where_they_were_cropped(tmp_path):
    (avatar,) = builders.draw_avatars(1)
    photo = Image.new("RGB", (500, 420), "white")
    photo.paste(avatar.resize((300, 300)), (120, 60))
    photo.save(tmp_path / "photo.png")
    crop, _ = sm.align_face(photo)
    crop.save(tmp_path / "same.png")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    arguments = [
        "paste",
        tmp_path / "photo.png",
        tmp_path / "same.png",
        tmp_path / "red.png",
        "--blend",
        "square",
    ]
    assert run(*arguments, "--colour-match", "none", "--out", tmp_path / "out") == 0
    before = load_image(tmp_path / "photo.png")
    same, red = (load_image(tmp_path / "out" / f"photo_{name}.png") for name in ("same", "red"))
    assert (same - before).abs().mean() < 0.02
    assert torch.equal(red[:, :, :10, :10], before[:, :, :10, :10])
    middle = red[0, :, 180:220, 250:290]
    assert middle[0].mean() > 0.9 and middle[1:].mean() < -0.9


def test_a_picture_that_is_a_crop_already_is_pasted_over_as_a_whole(tmp_path):
    """As encode and invert read it: not by where its face is found, which is never exact."""
    avatar = builders.draw_avatars(2)[1]
    aligned, _ = sm.align_face(avatar.resize((300, 300)), output_size=256)
    aligned.save(tmp_path / "aligned.png")
    half = torch.full((3, 64, 64), -1.0)
    half[0] = 1
    save_image(tmp_path / "red.png", half)
    arguments = ["paste", tmp_path / "aligned.png", tmp_path / "red.png", "--feather", "0"]
    white = Image.new("L", (8, 8), 255)
    white.save(tmp_path / "all.png")
    arguments += ["--mask", tmp_path / "all.png", "--colour-match", "none", "--out", tmp_path / "out"]
    assert run(*arguments) == 0
    pasted = load_image(tmp_path / "out" / "aligned_red.png")
    red = (pasted[0, 0] > 0.98) & (pasted[0, 1:] < -0.98).all(0)
    for places in red.nonzero().unbind(1):  # only the picture's border stays, about a tenth of its side
        assert (int(places.min()), int(places.max())) == (26, 229)


def test_files_are_called_by_what_they_are_of():
    assert result_name("seed 3", "a photo.v2.png", "0-6") == "seed0003_a_photo.v2_layers_0-6"
    assert result_name("seed 12345", "drawn bob", "hair") == "seed12345_drawn_bob_hair"


def test_an_option_takes_several_values_in_a_row(models, codes, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for place, path in enumerate((one, two)):
        save_latents(path, load_latents(codes).take([place]))
    given = (["--source", one, two, "--style", codes], [f"--source={one}", "--source", two, "--style", codes])
    for number, arguments in enumerate(given):
        out = tmp_path / str(number)
        arguments += ["--pairing", "all", "--masks", "0", "--out", out]
        assert run("mix", *arguments, *models["generator"]) == 0
        assert len(load_latents(out / "results.safetensors")) == 6


@pytest.mark.parametrize(("given", "any_angle"), [([], True), (["--upright"], False)])
def test_photos_are_turned_unless_told_that_they_are_upright(
    models, photos, tmp_path, monkeypatch, given, any_angle
):
    seen = []

    def align_for(encoder, image, mode, size, any_angle):
        seen.append(any_angle)
        return read(encoder, image, "never", size)

    read = align.align_for
    monkeypatch.setattr(align, "align_for", align_for)
    arguments = ["encode", photos / "a.png", *given, "--out", tmp_path / "out"]
    assert run(*arguments, *models["generator"], *models["encoder"]) == 0
    assert seen == [any_angle]
