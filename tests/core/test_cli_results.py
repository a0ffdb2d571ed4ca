"""The command line in folders that hold other files already."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from stylemix_core import cli
from stylemix_core.checkpoints import inspect_checkpoint
from stylemix_core.cli.results import alike
from stylemix_core.codes.latents import load_latents
from stylemix_core.files.pictures import save_image

CODES = "codes/latents.safetensors"
GENERATES = ["generate", "--seeds", "0"]
VERBS = {
    "generate": (GENERATES, [*GENERATES, "--psi", "0.3"]),
    "encode": (["encode", "a.png"], ["encode", "other/a.png"]),
    "invert": (["invert", "a.png", "--steps", "1"], ["invert", "a.png", "--steps", "2"]),
    "decode": (["decode", CODES], ["decode", CODES, "--noise", "none"]),
    "mix": (
        ["mix", "--seeds", "0", "--style", CODES, "--masks", "0"],
        ["mix", "--seeds", "0", "--style", CODES, "--masks", "0@0.5"],
    ),
    "matrix": (
        ["matrix", "--seeds", "0", "--style", CODES],
        ["matrix", "--seeds", "0", "--style", CODES, "--masks", "0-1"],
    ),
    "strip": (
        ["strip", "--seeds", "0", "--style", CODES],
        ["strip", "--seeds", "0", "--style", CODES, "--to", "2"],
    ),
    "directions": (["directions", "--count", "2"], ["directions", "--count", "3"]),
    "blend": (["blend", CODES, CODES], ["blend", CODES, CODES, "--noise", "none"]),
    "truncate": (["truncate", CODES], ["truncate", CODES, "--psi", "0.2"]),
    "convert": (["convert", "demo"], ["convert", "demo", "--dtype", "float16"]),
}
"""By verb: a run, and another one whose files have the same names."""


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run_verb(models, tmp_path, monkeypatch, capsys):
    """Runs one of `VERBS` into the folder `out`; returns the lines of its warnings."""
    monkeypatch.chdir(tmp_path)
    for name, corner in (("a", -2), ("other/a", -1)):
        Path(name).parent.mkdir(exist_ok=True)
        Image.effect_mandelbrot((60, 50), (corner, -1, 1, 1), 50).save(f"{name}.png")
    assert run("generate", "--seeds", "5", "--out", "codes", *models["generator"]) == 0

    def command(arguments: list[str], *more: str) -> list[str]:
        verb = arguments[0]
        given = [] if verb == "convert" else [*models["generator"], "--device", "cpu"]
        given += [] if verb in ("convert", "generate", "decode") else [*models["encoder"], "--align", "never"]
        capsys.readouterr()
        assert run(*arguments, *more, *given, "--quiet", "--out", "out") == 0
        return capsys.readouterr().err.splitlines()

    return command


@pytest.mark.parametrize("verb", VERBS)
def test_what_lies_there_already_is_kept(run_verb, verb):
    one, other = VERBS[verb]
    out = Path("out")
    assert not run_verb(one)
    first = contents(out)
    assert not run_verb(one)
    assert contents(out) == first  # the same files, and no others
    (warning,) = run_verb(other)
    both = contents(out)
    new = both.keys() - first.keys()
    assert new and first.items() <= both.items()
    assert any(path.stem.endswith("_2") or "_2_" in path.stem for path in new)
    assert "there already and" in warning and warning.endswith(
        ("(--overwrite replaces it)", "(--overwrite replaces them)")
    )
    assert run_verb(other) == [warning]
    assert contents(out) == both
    assert not run_verb(other, "--overwrite")
    assert contents(out).keys() == both.keys()
    assert contents(out) != both


def test_one_warning_sums_up_all_names(run_verb):
    assert not run_verb(["generate", "--seeds", "0-2"])
    (warning,) = run_verb(["generate", "--seeds", "1-3"])
    assert warning == (
        f"stylemix generate: warning: {Path('out/latents.safetensors')} was there already and is kept; this run's is "
        "latents_2.safetensors (--overwrite replaces it)"
    )
    (warning,) = run_verb(["generate", "--seeds", "1-3", "--psi", "0.1"])
    assert warning == (
        "stylemix generate: warning: 4 files in out were there already and are kept; this run's have other names, "
        "such as latents_3.safetensors for latents.safetensors (--overwrite replaces them)"
    )
    assert [len(load_latents(path)) for path in sorted(Path("out").glob("*.safetensors"))] == [3, 3, 3]
    assert sorted(path.name for path in Path("out").glob("*.png")) == [
        "seed0000.png",
        "seed0001.png",
        "seed0001_2.png",
        "seed0002.png",
        "seed0002_2.png",
        "seed0003.png",
        "seed0003_2.png",
    ]


def test_an_edited_list_of_masks_is_kept(run_verb):
    half = torch.full((3, 32, 32), -1.0)
    half[:, :, :16] = 1
    save_image("mask.png", half)
    edited = Path("out/mask_list.txt")
    edited.parent.mkdir()
    edited.write_text("0-3  # mine\n", encoding="utf-8")
    find = ["find", "--seeds", "0", "--style", CODES, "--target", "mask.png", "--steps", "0", "--others", "0"]
    assert any(f"{edited} was there already and is kept" in line for line in run_verb(find))
    assert edited.read_text(encoding="utf-8") == "0-3  # mine\n"
    assert Path("out/mask_list_2.txt").exists() and Path("out/table.txt").exists()


def test_the_time_that_an_inversion_took_makes_no_new_report(run_verb):
    inversion = VERBS["invert"][0]
    assert not run_verb(inversion)
    report = Path("out/a_report.json")
    figures = json.loads(report.read_text())
    report.write_text(json.dumps(figures | {"seconds": 1e6}))
    assert not run_verb(inversion)
    assert json.loads(report.read_text())["seconds"] == 1e6
    report.write_text(json.dumps(figures | {"l2": [0.5]}))
    (warning,) = run_verb(inversion)
    assert "a_report_2.json" in warning and Path("out/a_report_2.json").exists()


def test_a_warning_comes_where_the_run_is_interrupted_too(run_verb, models, capsys, monkeypatch):
    assert not run_verb(["generate", "--seeds", "0"])
    interrupt = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # noqa: E731
    monkeypatch.setattr("stylemix_core.cli.results.save_image", interrupt)
    arguments = ["generate", "--seeds", "0", "--psi", "0.2", "--out", "out", *models["generator"]]
    assert run(*arguments) == 130
    assert "latents_2.safetensors (--overwrite replaces it)" in capsys.readouterr().err
    assert not list(Path("out").glob("*partial*"))


def test_a_converted_file_that_is_named_is_kept(tmp_path, capsys):
    target = tmp_path / "mine.safetensors"
    assert run("convert", "demo", "--out", target) == 0
    assert run("convert", "demo", "--part", "encoder", "--out", target) == 0
    assert inspect_checkpoint(target).contents == ("generator",)
    assert inspect_checkpoint(tmp_path / "mine_2.safetensors").contents == ("encoder",)
    assert (
        f"{target} was there already and is kept; this run's is mine_2.safetensors" in capsys.readouterr().err
    )


def test_files_are_alike_by_their_content(tmp_path):
    header = [
        b'{"__metadata__":{"a":"1","b":"2"}}',
        b'{"__metadata__":{"b":"2","a":"1"}}',
        b'{"__metadata__":{"b":"2","a":"3"}}',
    ]
    files = [tmp_path / f"{place}.safetensors" for place in range(6)]
    for path, text in zip(files, header):
        path.write_bytes(len(text).to_bytes(8, "little") + text + b"numbers")
    files[3].write_bytes(files[0].read_bytes()[:-1])
    files[4].write_bytes(files[0].read_bytes()[:8] + b"x" * len(header[0]))
    files[5].mkdir()
    assert [alike(files[0], other) for other in files] == [True, True, False, False, False, False]
