"""Which real ComfyUIs are on this machine, and which Python runs them."""

import configparser
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..host import PACK


@dataclass(frozen=True)
class Core:
    """A ComfyUI on this machine."""

    folder: Path
    version: str

    def __str__(self) -> str:
        return f"{self.version} at {short(self.folder)}"

    def older_than(self, *version: int) -> bool:
        return numbers(self.version) < [*version]


@dataclass(frozen=True)
class FrontEnd:
    """A page of ComfyUI's to test."""

    name: str
    core: Core | None
    """What serves it; None for the stand-in host, or where there is no ComfyUI."""

    def __str__(self) -> str:
        return self.name if self.core is None else f"{self.core} ({self.name} front end)"


@cache
def find_cores() -> tuple[Core, ...]:
    """The ComfyUIs to test on, the oldest first: those of `COMFYUI_PATH`, which may name several as PATH does; else
    the first of the usual places that holds one, and those beside it whose folders' names go on after its own."""
    named = os.environ.get("COMFYUI_PATH")
    if named:
        folders = [Path(folder).expanduser() for folder in named.split(os.pathsep)]
    else:
        first = next(filter(is_comfyui, places()), None)
        folders = [] if first is None else sorted(first.parent.glob(f"{first.name}*"))
    found = {folder.resolve(): Core(folder, version(folder)) for folder in folders if is_comfyui(folder)}
    return tuple(sorted(found.values(), key=lambda core: numbers(core.version)))


def numbers(version: str) -> list[int]:
    return [*map(int, re.findall(r"\d+", version))]


def version(folder: Path) -> str:
    text = (folder / "comfyui_version.py").read_text(encoding="utf-8")
    return re.search(r"__version__ = \"(.+?)\"", text)[1]


def places() -> list[Path]:
    """The usual places: around this pack, comfy-cli's, its default folders."""
    home = Path.home()
    found = []
    if PACK.parent.name == "custom_nodes":
        found.append(PACK.parent.parent)
    config = configparser.ConfigParser()
    config.read(home / ".config" / "comfy-cli" / "config.ini")
    workspace = config.get("DEFAULT", "default_workspace", fallback="")
    if workspace:
        found.append(Path(workspace).expanduser())
    return [*found, home / "comfy" / "ComfyUI", home / "Documents" / "comfy" / "ComfyUI"]


def is_comfyui(folder: Path) -> bool:
    return all((folder / name).exists() for name in ("main.py", "nodes.py", "comfy", "comfyui_version.py"))


def find_python(comfyui: Path) -> Path | None:
    """`COMFYUI_PYTHON`, else the environment in ComfyUI's folder, else this Python if it has what ComfyUI needs."""
    if os.environ.get("COMFYUI_PYTHON"):
        return Path(os.environ["COMFYUI_PYTHON"]).expanduser()
    for environment in (".venv", "venv"):
        for name in ("bin/python", "Scripts/python.exe"):
            if (comfyui / environment / name).exists():
                return comfyui / environment / name
    needed = "aiohttp, alembic, av, einops, torchsde, transformers, comfyui_frontend_package"
    return Path(sys.executable) if can_import(sys.executable, needed) else None


@cache
def find_serving_python() -> Path | None:
    """A Python that can serve ComfyUI's page over the stand-in host: this one, else ComfyUI's."""
    pythons = [Path(sys.executable), Path(os.environ.get("COMFYUI_PYTHON") or sys.executable).expanduser()]
    pythons += filter(None, (find_python(core.folder) for core in find_cores()))
    needed = "aiohttp, comfyui_frontend_package, torch, safetensors, PIL"
    return next((python for python in pythons if can_import(python, needed)), None)


def can_import(python: Path | str, modules: str) -> bool:
    done = subprocess.run([str(python), "-c", f"import {modules}"], capture_output=True, check=False)
    return done.returncode == 0


@cache
def missing(core: Core | None) -> str | None:
    """What a run on a core lacks here, as a sentence; None when there is all it takes. Without a core: why."""
    if core is None:
        named = os.environ.get("COMFYUI_PATH")
        return f"no ComfyUI in {named}" if named else "no ComfyUI found; set COMFYUI_PATH to its folder"
    if find_python(core.folder) is None:
        return f"no Python to run {core}; set COMFYUI_PYTHON to the one that ComfyUI runs with"
    return None


def short(path: Path) -> str:
    """The path, with the home folder as ~."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except ValueError:
        return str(path)
