"""`stylemix invert`, on tiny models."""

import json

import pytest
import torch
from PIL import Image

from stylemix_core import cli, inversion
from stylemix_core.checkpoints import load_generator
from stylemix_core.codes.latents import load_latents
from stylemix_core.files.pictures import load_image
from stylemix_core.images import from_pil
from stylemix_core.inversion import load_delta
from tests import builders


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    generator, encoder = builders.write_tiny_native(tmp_path_factory.mktemp("models"))
    return ["--generator", str(generator), "--encoder", str(encoder), "--device", "cpu", "--align", "never"]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, corner in (("a", -2), ("b", -1)):
        Image.effect_mandelbrot((90, 70), (corner, -1, 1, 1), 50).save(folder / f"{name}.png")
    return folder


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_a_folder_gives_codes_reconstructions_and_reports(models, tmp_path, photos, capsys):
    out = tmp_path / "out"
    assert run("invert", photos, "--steps", 3, "--method", "tune", "--out", out, *models) == 0
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == sorted(
        [
            f"{name}{ending}"
            for name in "ab"
            for ending in (".safetensors", "_reconstruction.png", "_report.json", "_report.png")
        ]
        + ["tunings/a.safetensors", "tunings/b.safetensors"]
    )
    report = json.loads((out / "a_report.json").read_text())
    assert report["picture"] == "a.png" and report["steps"] == 6 and len(report["losses"]) == 6
    assert "IR-SE encoder" in report["features"]
    assert "a: L2" in capsys.readouterr().out

    latents = load_latents(out / "a.safetensors")
    assert latents.origins == ("inverted a.png (tune, 6 steps)",)
    generator = load_generator(models[1], "cpu")
    tuned = load_delta(out / "tunings" / "a.safetensors").apply(generator)
    with torch.no_grad():
        drawn = tuned.synthesis(latents.w).clamp(-1, 1)
    assert float((drawn - load_image(out / "a_reconstruction.png")).abs().max()) < 0.02


def test_a_tuning_is_used_by_other_commands(models, tmp_path, photos):
    out = tmp_path / "out"
    assert run("invert", photos / "a.png", "--steps", 2, "--method", "tune", "--out", out, *models) == 0
    tuning = out / "tunings" / "a.safetensors"
    for name, extra in (("plain", []), ("tuned", ["--tuning", tuning])):
        assert run("generate", "--seeds", "1", "--out", tmp_path / name, *models[:2], *extra) == 0
    plain, tuned = (load_image(tmp_path / name / "seed0001.png") for name in ("plain", "tuned"))
    assert 0 < float((plain - tuned).abs().max()) < 1.5


def test_a_mask_of_any_size_is_read(models, tmp_path, photos):
    mask = torch.full([1, 3, 30, 20], -1.0)
    mask[:, :, :, :10] = 1
    from stylemix_core.files.pictures import save_image

    save_image(tmp_path / "mask.png", mask[0])
    arguments = ("invert", photos / "a.png", "--steps", 1, "--out", tmp_path / "out", *models)
    assert run(*arguments, "--mask", tmp_path / "mask.png") == 0
    masked = json.loads((tmp_path / "out" / "a_report.json").read_text())["start_l2"]
    assert run(*arguments, "--overwrite") == 0
    assert masked != json.loads((tmp_path / "out" / "a_report.json").read_text())["start_l2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "-1"], "steps is -1"),
        (["--method", "iterate"], "needs a ReStyle encoder"),
        (["--features", "missing.pth"], "missing.pth: there is no such file"),
        (["--mask", "missing.png"], "there is no picture at missing.png"),
        (["--align", "always", "--strict"], "no face"),
        (["--tuning", "missing.safetensors"], "missing.safetensors: there is no such file"),
    ],
)
def test_mistakes_end_with_one_line(models, tmp_path, photos, capsys, arguments, message):
    assert run("invert", photos, "--out", tmp_path / "out", *models, *arguments) == 2
    lines = capsys.readouterr().err.strip().split("\n")
    assert len(lines) == 1 and message in lines[0]
    assert not (tmp_path / "out").exists()


def test_an_interrupt_keeps_what_is_done(models, tmp_path, photos, monkeypatch):
    inverted = []

    def interrupt(*arguments, **options):
        if inverted:
            raise KeyboardInterrupt
        inverted.append(invert(*arguments, **options))
        return inverted[0]

    invert = inversion.invert
    monkeypatch.setattr(inversion, "invert", interrupt)
    assert run("invert", photos, "--steps", 1, "--out", tmp_path / "out", *models) == 130
    assert load_latents(tmp_path / "out" / "a.safetensors").w.shape == (1, 8, 16)
    assert not list((tmp_path / "out").glob("b*"))


def test_the_saved_report_is_the_results(models, tmp_path, photos):
    assert run("invert", photos / "b.png", "--steps", 2, "--out", tmp_path / "out", *models) == 0
    assert from_pil(Image.open(tmp_path / "out" / "b_report.png")).shape == (1, 3, 360, 640)
