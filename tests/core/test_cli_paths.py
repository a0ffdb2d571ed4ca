"""Names of files on every system: patterns that no shell has expanded, names that are one or none elsewhere."""

import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.cli.paths import CODE_FILES, CODES, inside
from stylemix_core.files.names import LONGEST_NAME, file_name, unique


def test_patterns_that_the_shell_left_alone_mean_the_files_they_match(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.png", "c.txt", "d[1].png"):
        Path(name).touch()
    assert inside([Path("*.png")], {".png"}) == [Path("a.png"), Path("b.png"), Path("d[1].png")]
    assert inside([Path("d[1].png"), Path("?.png")], {".png"})[:2] == [Path("d[1].png"), Path("a.png")]
    assert inside([Path("*.jpg")], {".jpg"}) == [Path("*.jpg")]


def test_which_files_of_a_folder_are_meant(tmp_path):
    """Our own codes stand for the pictures that were drawn from them; other tools' files do not."""

    def meant(*names, endings=CODES):
        folder = tmp_path / "-".join(names)
        folder.mkdir()
        for name in names:
            (folder / name).touch()
        return [path.name for path in inside([folder], endings)]

    assert meant("a.png", "b.png", "ours.safetensors") == ["ours.safetensors"]
    assert meant("a.png", "ffhq.pkl", "notes.npy") == ["a.png"]
    assert meant("ours.safetensors", "w.npz") == ["ours.safetensors", "w.npz"]
    assert meant("w.npz", "w.pt", endings=CODE_FILES) == ["w.npz", "w.pt"]


def test_models_are_found_by_pattern(models, tmp_path, capsys):
    folder = Path(models["generator"][1]).parent
    assert cli.main(["inspect", str(folder / "*.safetensors")]) == 0
    said = capsys.readouterr().out
    assert all(str(path) in said for path in folder.glob("*.safetensors"))


def test_names_that_differ_in_capitals_alone_are_numbered():
    assert unique(["Face", "face", "FACE", "other"]) == ["Face", "face_2", "FACE_3", "other"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hair: 2-6", "hair_2-6"),
        ("con", "con_"),
        ("Lpt1.5", "Lpt1_.5"),
        ("COM².a.b", "COM²_.a.b"),
        ("console", "console"),
        (unicodedata.normalize("NFD", "머리"), "머리"),
        ("..", "unnamed"),
    ],
)
def test_names_are_taken_by_every_file_system(text, name):
    assert file_name(text) == name


def test_long_names_are_cut_between_letters():
    assert file_name("머리" * 100) == "머리" * (LONGEST_NAME // 6)


def test_what_is_read_is_not_written_over(tmp_path, capsys):
    codes = tmp_path / "faces.npy"
    np.save(codes, np.zeros((1, 14, 512), np.float32))
    before = codes.read_bytes()
    arguments = ["export", str(codes), "--format", "npy", "--out", str(tmp_path), "--overwrite"]
    assert cli.main(arguments) == 2
    assert "is read, and would be replaced; choose another folder" in capsys.readouterr().err
    assert codes.read_bytes() == before


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are text there")
def test_names_of_any_bytes_are_kept_as_well_as_text_can(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    path = tmp_path / "codes.safetensors"
    sm.save_latents(path, sm.Latents(torch.zeros(1, 14, 512), (name,)))
    assert sm.load_latents(path).origins == ("caf?.png",)
