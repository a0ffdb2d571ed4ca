"""Where results are saved in ComfyUI's output folder, and with which texts."""

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import folder_paths
from comfy.cli_args import args


@dataclass(frozen=True)
class NewFile:
    """A place in the output folder that is not taken yet."""

    folder: str
    subfolder: str
    stem: str

    def path(self, ending: str) -> str:
        return os.path.join(self.folder, self.stem + ending)

    def shown(self, ending: str) -> dict[str, str]:
        """How the page asks for the file."""
        return {"filename": self.stem + ending, "subfolder": self.subfolder, "type": "output"}


def new_file(prefix: str, width: int = 0, height: int = 0) -> NewFile:
    """The next free number for a prefix, as ComfyUI's own save nodes count: "faces_00001_"."""
    output = folder_paths.get_output_directory()
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
        _dated(prefix), output, width, height
    )
    return NewFile(folder, subfolder, f"{name}_{counter:05}_")


def film_file(video: Any) -> Path:
    """The file of a core's VIDEO. Where it has none of its own, or is a part of one, it is written for this run."""
    trimmed = hasattr(video, "get_active_trim_window") and tuple(video.get_active_trim_window()) != (0, 0)
    source = None if trimmed else video.get_stream_source()
    if isinstance(source, str):
        return Path(source)
    folder = folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    path = Path(folder, f"stylemix_{uuid4().hex[:8]}.mp4")
    if source is None:
        video.save_to(str(path))
    else:
        path.write_bytes(source.getbuffer())
    return path


def workflow_texts(hidden: Any) -> dict[str, str]:
    """The workflow as JSON, for a file's metadata; empty where the user wants none. `hidden`: of an output node."""
    if args.disable_metadata:
        return {}
    parts = {"prompt": hidden.prompt, **(hidden.extra_pnginfo or {})}
    return {name: json.dumps(part) for name, part in parts.items() if part is not None}


def _dated(prefix: str) -> str:
    """The prefix with %date:yyyy-MM-dd% filled in, which ComfyUI's page does for the save nodes that it knows."""
    now = time.localtime()
    numbers = {"M": now.tm_mon, "d": now.tm_mday, "h": now.tm_hour, "m": now.tm_min, "s": now.tm_sec}

    def part(found: re.Match[str]) -> str:
        text = found[0]
        return f"{now.tm_year}"[-len(text) :] if text[0] == "y" else f"{numbers[text[0]]:0{len(text)}}"

    return re.sub("%date:([^%]+)%", lambda date: re.sub("yyyy|yy|MM?|dd?|hh?|mm?|ss?", part, date[1]), prefix)
