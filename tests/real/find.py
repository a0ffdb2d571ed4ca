"""Where a real ComfyUI is on this machine, and which Python runs it."""

import configparser
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from ..host import PACK


@cache
def find_comfyui() -> Path | None:
    """The first place that holds a ComfyUI: `COMFYUI_PATH`, around this pack, comfy-cli's, the usual folders."""
    return next((place for place in places() if is_comfyui(place)), None)


def places() -> list[Path]:
    home = Path.home()
    found = [Path(os.environ["COMFYUI_PATH"]).expanduser()] if os.environ.get("COMFYUI_PATH") else []
    if PACK.parent.name == "custom_nodes":
        found.append(PACK.parent.parent)
    config = configparser.ConfigParser()
    config.read(home / ".config" / "comfy-cli" / "config.ini")
    workspace = config.get("DEFAULT", "default_workspace", fallback="")
    if workspace:
        found.append(Path(workspace).expanduser())
    return [*found, home / "comfy" / "ComfyUI", home / "Documents" / "comfy" / "ComfyUI"]


def is_comfyui(folder: Path) -> bool:
    return all((folder / name).exists() for name in ("main.py", "nodes.py", "comfy"))


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
    comfyui = find_comfyui()
    pythons = [Path(sys.executable), Path(os.environ.get("COMFYUI_PYTHON") or sys.executable).expanduser()]
    pythons += filter(None, [comfyui and find_python(comfyui)])
    needed = "aiohttp, comfyui_frontend_package, torch, safetensors, PIL"
    return next((python for python in pythons if can_import(python, needed)), None)


def can_import(python: Path | str, modules: str) -> bool:
    done = subprocess.run([str(python), "-c", f"import {modules}"], capture_output=True, check=False)
    return done.returncode == 0


@cache
def missing() -> str | None:
    """What a real run lacks here, as a sentence; None when there is all it takes."""
    comfyui = find_comfyui()
    if comfyui is None:
        return "no ComfyUI found; set COMFYUI_PATH to its folder"
    if find_python(comfyui) is None:
        return f"no Python to run {short(comfyui)}; set COMFYUI_PYTHON to the one that ComfyUI runs with"
    return None


def short(path: Path) -> str:
    """The path, with the home folder as ~."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except ValueError:
        return str(path)
