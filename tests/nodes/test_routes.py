"""What the page is told about checkpoints."""

import os

import pytest


@pytest.fixture
def inspect(stand_in):
    routes = stand_in.module("nodes.routes")
    return lambda folder, checkpoint: routes.inspect({"folder": folder, "checkpoint": checkpoint})


@pytest.mark.parametrize(
    ("folder", "checkpoint", "num_ws"),
    [
        ("stylegan", "demo (bundled)", 14),
        ("psp", "demo (bundled)", 14),
        ("stylegan", "tiny.safetensors", 8),
        ("psp", "tiny.safetensors", 8),
        ("psp", "psp.pt", 8),
    ],
)
def test_a_checkpoint_is_described(inspect, folder, checkpoint, num_ws):
    answer = inspect(folder, checkpoint)
    assert answer["num_ws"] == num_ws
    assert f"{num_ws} w vectors" in answer["summary"]


def test_the_demo_models_say_what_their_layers_carry(inspect):
    for folder in ("stylegan", "psp"):
        layers = inspect(folder, "demo (bundled)")["layers"]
        assert (layers["hair shape"], layers["colour"]) == ([4, 5], [8, 10])
    assert "layers" not in inspect("stylegan", "tiny.safetensors")


@pytest.mark.parametrize(
    ("folder", "checkpoint"),
    [
        ("stylegan", "../psp/psp.pt"),
        ("stylegan", "missing.pkl"),
        ("stylegan", "notes.txt"),
        ("stylegan", ""),
        ("checkpoints", "tiny.safetensors"),
        ("", "demo (bundled)"),
    ],
)
def test_only_what_the_loaders_list_can_be_asked_for(inspect, folder, checkpoint):
    assert "choose one that a loader lists" in inspect(folder, checkpoint)["error"]
    assert inspect(folder, checkpoint).keys() == {"error"}


def test_a_damaged_file_is_an_error_in_words(inspect):
    assert "broken.pkl" in inspect("stylegan", "broken.pkl")["error"]


def test_a_file_is_read_once_until_it_changes(inspect, stand_in, monkeypatch):
    routes = stand_in.module("nodes.routes")
    read = []
    original = routes.inspect_checkpoint
    monkeypatch.setattr(routes, "inspect_checkpoint", lambda *asked: read.append(asked) or original(*asked))
    path = stand_in.base / "models/stylegan/tiny.safetensors"
    stamp = path.stat()
    routes._inspect.cache_clear()
    assert inspect("stylegan", path.name) == inspect("stylegan", path.name)
    assert len(read) == 1
    try:
        path.touch()
        inspect("stylegan", path.name)
        assert len(read) == 2
    finally:
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
