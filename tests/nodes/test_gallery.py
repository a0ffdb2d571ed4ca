"""The gallery: what is listed, and what may be done with it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from . import test_live
from .prompts import node, sampler
from .test_latent import TINY, generator_node


@pytest.fixture
def saved(stand_in):
    """Two files with codes, the first of which has a picture beside it; the newest is the second."""
    prompt = {
        "generator": generator_node(TINY),
        "faces": sampler(["generator", 0]),
        "one": node(
            "StyleMixSaveLatent",
            latent=["faces", 1],
            filename_prefix="gallery/one",
            image=["faces", 0],
            format="safetensors",
        ),
        "two": node("StyleMixSaveLatent", latent=["faces", 1], filename_prefix="gallery/two", format="npz"),
    }
    stand_in.forget()  # else nothing would be saved again
    run = stand_in.run(prompt)
    assert not run.errors
    paths = [
        stand_in.base / "output" / "gallery" / name for name in ("one_00001_.safetensors", "two_00001_.npz")
    ]
    for age, path in enumerate(paths, 1):
        os.utime(path, (age * 10**9, age * 10**9))
    yield paths
    for folder in ("gallery", "stylemix_trash"):
        shutil.rmtree(stand_in.base / "output" / folder, ignore_errors=True)


def names(files: list[dict]) -> list[str]:
    return [file["name"] for file in files]


ONE, TWO = "gallery/one_00001_.safetensors [output]", "gallery/two_00001_.npz [output]"


@pytest.fixture
def gallery(stand_in):
    return stand_in.module("nodes.gallery")


def test_saved_faces_are_listed_with_their_pictures_the_newest_first(gallery, saved):
    files = gallery.listed()
    assert files[0] == {
        "name": "bob haircut (bundled)",
        "kinds": ["latent"],
        "picture": None,
        "bundled": True,
        "changed": False,
    }
    one, two = (next(file for file in files if file["name"] == name) for name in (ONE, TWO))
    assert files.index(two) < files.index(one)
    assert one["kinds"] == ["latent"] and two["kinds"] == ["latent", "directions"]  # which .npz may be
    assert one["changed"] and two["changed"] and not one["bundled"]
    assert one["picture"] == {"filename": "one_00001_.png", "subfolder": "gallery", "type": "output"}
    assert two["picture"] is None


def test_a_file_is_renamed_with_its_picture(gallery, saved):
    assert gallery.rename(ONE, "  my/ face ") == "gallery/my_face.safetensors [output]"
    assert {path.name for path in saved[0].parent.iterdir()} == {
        "my_face.safetensors",
        "my_face.png",
        "two_00001_.npz",
    }
    assert "gallery/my_face.safetensors [output]" in names(gallery.listed())


def test_a_file_that_cannot_be_taken_away_stays_as_it_was(gallery, saved, monkeypatch):
    """As where another program has the picture open: it is copied, and then cannot be deleted."""
    before = {path.name for path in saved[0].parent.iterdir()}
    move = shutil.move

    def stuck(old, new):
        if Path(old) != saved[0].with_suffix(".png"):
            return move(old, new)
        shutil.copy(old, new)
        raise PermissionError("it is open")

    monkeypatch.setattr(shutil, "move", stuck)
    with pytest.raises(PermissionError):
        gallery.rename(ONE, "other")
    assert {path.name for path in saved[0].parent.iterdir()} == before


def test_what_is_thrown_away_is_kept_and_not_listed(gallery, saved, stand_in):
    copies = [path.read_bytes() for path in saved]
    gallery.throw_away(ONE)
    saved[0].write_bytes(copies[0])  # another file of that name
    gallery.throw_away(ONE)
    trash = stand_in.base / "output" / "stylemix_trash"
    assert {path.name for path in trash.iterdir()} == {
        "one_00001_.safetensors",
        "one_00001_.png",
        "one_00001__2.safetensors",
    }
    assert all(path.read_bytes() == copies[0] for path in trash.glob("*.safetensors"))
    assert ONE not in names(gallery.listed()) and TWO in names(gallery.listed())


@pytest.mark.parametrize(
    "name",
    [
        "bob haircut (bundled)",
        "../output/gallery/one_00001_.safetensors [output]",
        "gallery/one_00001_.png [output]",
        "gallery/missing.safetensors [output]",
        "/etc/passwd",
        "",
    ],
)
def test_only_listed_files_of_the_output_folder_are_touched(gallery, saved, stand_in, name):
    for do in (gallery.throw_away, lambda name: gallery.rename(name, "other")):
        with pytest.raises(
            stand_in.module("stylemix_core").StyleMixError, match="no file of the output folder"
        ):
            do(name)
    assert all(path.exists() for path in saved)


@pytest.mark.parametrize("taken", ["other.safetensors", "other.png"])
def test_nothing_is_overwritten(gallery, saved, stand_in, taken):
    (saved[0].parent / taken).write_bytes(b"somebody's")
    with pytest.raises(stand_in.module("stylemix_core").StyleMixError, match="already a file other"):
        gallery.rename(ONE, "other")
    assert (saved[0].parent / taken).read_bytes() == b"somebody's" and saved[0].exists()


def ask(host, body: bytes | None = None, **headers: str) -> tuple[int, dict]:
    """Status and answer of the gallery's route."""
    status, answer = test_live.ask(host, body, "gallery", **headers)
    return status, json.loads(answer or b"{}")


def test_the_server_answers_its_own_page_only(real_comfy):
    host = real_comfy
    status, answer = ask(host)
    assert status == 200 and answer["files"][0]["name"] == "bob haircut (bundled)"
    wish = json.dumps({"name": "bob haircut (bundled)", "to": None}).encode()
    status, answer = ask(host, wish)
    assert status == 409 and "no file of the output folder" in answer["error"]
    assert ask(host, wish, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    strangers = {
        "Host": "192.168.0.9:8188",
        "Origin": "http://example.com",
    }  # not on this machine: no Sec-Fetch-Site
    assert ask(host, wish, **strangers)[0] == 403
    assert ask(host, wish, **strangers | {"Origin": "http://192.168.0.9:8188"})[0] == 409
    assert ask(host, b'{"name": "a"}')[0] == ask(host, b"[]")[0] == 400
    assert ask(host, wish + b" " * 70_000)[0] == 413
