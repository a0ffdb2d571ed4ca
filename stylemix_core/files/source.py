"""A file on disk before anyone knows what it is: its kind by its first bytes, and its content on demand."""

import json
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .header import LONGEST_HEADER
from .mapped import read_safetensors
from .stored import StoredTensor, Tensors
from .unpickle import LEGACY_HEAD, read_pickle, read_torch

MOST_ENTRIES = 100_000
"""Of all dictionaries in a file together. Checkpoints with their optimizers' states have some thousand."""
DEEPEST, LONGEST_NAME = 6, 300
"""How many dictionaries inside one another, and how many characters of a name, are looked at."""


class Source:
    """A file that may be a checkpoint."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        if self.path.is_dir():
            raise CheckpointError("is a folder; choose a checkpoint file inside it")
        try:
            if self.path.exists() and not self.path.is_file():
                raise CheckpointError("is a device or a pipe; choose a checkpoint file")
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
        # Before pickles: a header of 640 bytes begins as one does, but no pickle has so many zeros there.
        if self.head[8:9] == b"{" and int.from_bytes(self.head[:8], "little") <= LONGEST_HEADER:
            return "safetensors"
        if self.head[:1] == b"\x80" and self.head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            return "pickle"
        return "other"

    @cached_property
    def content(self) -> Any:
        """The value of a "pickle" or "torch" file, None for other kinds. See `unpickle`."""
        if self.kind == "pickle":
            return read_pickle(self.path)
        return read_torch(self.path) if self.kind == "torch" else None

    @cached_property
    def tensors(self) -> dict[str, StoredTensor]:
        """Tensors by their names, those of nested dictionaries after the outer keys: "g_ema.input.input"."""
        return dict(self.safetensors[0]) if self.kind == "safetensors" else flat(self.content)

    @cached_property
    def safetensors(self) -> tuple[dict[str, StoredTensor], dict[str, str]]:
        """Tensors and metadata of a "safetensors" file, both empty for other kinds."""
        return read_safetensors(self.path) if self.kind == "safetensors" else ({}, {})


def flat(content: Any) -> dict[str, StoredTensor]:
    """The tensors of nested dictionaries by their dotted names, in their order."""
    found: dict[str, StoredTensor] = {}
    waiting = [("", content, 0)]
    entries = 0
    while waiting:
        prefix, held, depth = waiting.pop()
        inside = []
        for key, value in held.items() if isinstance(held, dict) else ():
            entries += 1
            if entries > MOST_ENTRIES:
                raise CheckpointError(f"the file's dictionaries have more than {MOST_ENTRIES} entries")
            if not isinstance(key, str) or len(prefix) + len(key) > LONGEST_NAME:
                continue
            if isinstance(value, StoredTensor):
                found[prefix + key] = value
            elif isinstance(value, dict) and depth < DEEPEST:
                inside.append((f"{prefix}{key}.", value, depth + 1))
        waiting += reversed(inside)
    return found


def prefix_of(names: Iterable[str], *marks: str) -> str | None:
    """What wrappers have put before the names of a network, of which `marks` are some; None when there is no such.

    Of several networks, it is the one without a wrapper, else the averaged one.
    """
    found = {
        name.removesuffix(mark)
        for name in names
        for mark in marks
        if name.endswith(mark) and name[-len(mark) - 1 : -len(mark)] in ("", ".")
    }
    return min(found, key=lambda one: (one != "", "ema" not in one.lower(), len(one), one), default=None)


def below(prefix: str, tensors: Tensors) -> dict[str, StoredTensor]:
    """The tensors whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}


def parse_json(text: str | None) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
