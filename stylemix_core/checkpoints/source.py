"""A file on disk before anyone knows what it is: its kind by its first bytes, and its content on demand."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError, StyleMixError
from .base import StoredTensor
from .unpickle import DAMAGE, LEGACY_HEAD, read_pickle, read_torch

ACCEPTED = (
    "StyleMix reads StyleGAN2 generators (NVIDIA's PyTorch and TensorFlow .pkl, rosinality's .pt, or .safetensors "
    "with NVIDIA's tensor names), "
    "pSp encoders (.pt), and the .safetensors that it makes of them"
)
PICTURES_AND_ARCHIVES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"7z\xbc\xaf": "a 7-Zip archive; unpack it first",
    b"GGUF": "a GGUF language model",
    b"\x89HDF": "an HDF5 file",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
}


class Source:
    """A file that may be a checkpoint."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if self.path.is_dir():
            raise CheckpointError("is a folder; choose a checkpoint file inside it")
        try:
            with open(self.path, "rb") as file:
                self.head = file.read(4096)
            self.size = self.path.stat().st_size
        except FileNotFoundError:
            raise CheckpointError("there is no such file; check the path") from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"cannot be read: {error}") from error

    @cached_property
    def kind(self) -> str:
        """By the first bytes: "torch", "pickle", "safetensors", "zip" or "other"."""
        if self.head.startswith(LEGACY_HEAD):
            return "torch"
        if self.head.startswith(b"PK\x03\x04"):
            name_length = int.from_bytes(self.head[26:28], "little")
            return "torch" if self.head[30 : 30 + name_length].endswith(b"/data.pkl") else "zip"
        if self.head[:1] == b"\x80" and self.head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            return "pickle"
        header_size = int.from_bytes(self.head[:8], "little")
        if self.head[8:9] == b"{" and header_size < 100_000_000:
            return "safetensors"
        return "other"

    @cached_property
    def content(self) -> Any:
        """The value of a "pickle" or "torch" file, None for other kinds. See `unpickle`."""
        if self.kind == "pickle":
            return read_pickle(self.path)
        return read_torch(self.path) if self.kind == "torch" else None

    @cached_property
    def safetensors(self) -> tuple[dict[str, StoredTensor], dict[str, str]]:
        """Tensors and metadata of a "safetensors" file, both empty for other kinds."""
        if self.kind != "safetensors":
            return {}, {}
        try:
            file = safe_open(self.path, framework="pt")
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"the safetensors file is damaged or cut off ({error}); download or copy it again"
            ) from error
        tensors = {}
        for name in file.keys():  # noqa: SIM118 (safe_open is no mapping)
            tensors[name] = StoredTensor(
                tuple(file.get_slice(name).get_shape()), partial(file.get_tensor, name)
            )
        return tensors, file.metadata() or {}

    def describe(self) -> str:
        """What a file that no reader knows looks like, as the rest of a sentence that starts with "it is"."""
        if self.size == 0:
            return "empty"
        for head, description in PICTURES_AND_ARCHIVES.items():
            if self.head.startswith(head):
                return description
        if self.head.lstrip()[:1] == b"<":
            return "a web page saved by a download that went wrong; download the file itself"
        if self.kind == "zip":
            return "a zip archive; unpack it and choose the checkpoint inside"
        if self.kind == "safetensors":
            return describe_tensors(list(self.safetensors[0]))
        if self.kind in ("pickle", "torch"):
            return describe_value(self.content)
        if self.size < 1000:
            return f"a file of {self.size} bytes, too small for a checkpoint"
        return "of no known checkpoint format"


def describe_tensors(names: list[str]) -> str:
    if names == ["w"]:
        return "a file of W+ codes, not a model; use it as a source or a style"
    joined = " ".join(names)
    if "lora_" in joined:
        return "a LoRA for a diffusion model"
    if "diffusion_model." in joined or "first_stage_model" in joined or "down_blocks" in joined:
        return "a diffusion model"
    return (
        f"a safetensors file of another kind of model (its first tensors: {', '.join(names[:3]) or 'none'})"
    )


def describe_value(value: Any) -> str:
    if isinstance(value, dict):
        keys = [str(key)[:40] for key in value]
        if isinstance(value.get("state_dict"), dict):
            value = value["state_dict"]
            keys = [str(key)[:40] for key in value]
        known = (
            describe_tensors(keys) if any(isinstance(item, StoredTensor) for item in value.values()) else ""
        )
        if known.startswith(("a LoRA", "a diffusion")):
            return known
        return f"a Python dictionary of something else (its first keys: {', '.join(keys[:4]) or 'none'})"
    return f"a pickle of something else (a {type(value).__name__})"


def parse_json(text: str | None) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


@contextmanager
def about(path: str | os.PathLike) -> Iterator[None]:
    """Names the file in every error, and makes one of whatever a damaged file's values lead to."""
    name = Path(path).name or str(path)
    try:
        yield
    except StyleMixError as error:
        raise CheckpointError(f"{name}: {error}") from error
    except (*DAMAGE, SafetensorError, OSError) as error:
        raise CheckpointError(f"{name}: the file is damaged or not what it seems ({error!r})") from error
