"""Which ComfyUIs the tests find."""

import os

import pytest

from . import find


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder without a ComfyUI, and a pack that lies in none."""
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setattr(find.Path, "home", lambda: tmp_path)
    monkeypatch.setattr(find, "PACK", tmp_path / "pack")
    return tmp_path


def add_core(folder, version):
    (folder / "comfy").mkdir(parents=True)
    for name in ("main.py", "nodes.py"):
        (folder / name).touch()
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"')
    return folder


def found() -> list[str]:
    return [core.version for core in find.find_cores.__wrapped__()]


def test_cores_beside_the_first_are_found_the_oldest_first(home):
    add_core(home / "comfy/ComfyUI", "0.33.0")
    add_core(home / "comfy/ComfyUI-old", "0.3.64")
    add_core(home / "comfy/another", "0.4.0")
    (home / "comfy/ComfyUI-empty").mkdir()
    assert found() == ["0.3.64", "0.33.0"]


def test_the_variable_names_all_there_are(home, monkeypatch):
    usual, one, other = (
        add_core(home / place, version)
        for place, version in (("comfy/ComfyUI", "0.33.0"), ("one", "0.3.64"), ("other", "0.10.2"))
    )
    monkeypatch.setenv("COMFYUI_PATH", str(other))
    assert found() == ["0.10.2"]
    monkeypatch.setenv("COMFYUI_PATH", os.pathsep.join(map(str, (other, one, one))))
    assert found() == ["0.3.64", "0.10.2"]
    monkeypatch.setenv("COMFYUI_PATH", str(home / "none"))
    assert found() == []
    assert "no ComfyUI in" in find.missing.__wrapped__(None)
