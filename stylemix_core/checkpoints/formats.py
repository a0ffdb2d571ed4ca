"""The registry of formats, and what finds the one that a file is of.

A format is a module with `detect` and `read`, which neither runs anything that a file names nor reads a tensor's
numbers. A new one takes its line in `MODELS`, and its name in `ACCEPTED`.
"""

import os
from pathlib import Path
from typing import Protocol

from ..errors import CheckpointError
from ..files.damage import LONGEST_MESSAGE, about
from ..files.info import CheckpointInfo
from ..files.source import Source
from . import native, nvidia, own_files, psp, rosinality, tensorflow
from .base import Checkpoint
from .describe import another_model, describe


class Format(Protocol):
    """What a module of this room gives that knows a format."""

    def detect(self, source: Source) -> bool:
        """Whether the file is of this format."""

    def read(self, source: Source) -> Checkpoint:
        """What the file holds. `CheckpointError` when that is damaged or cannot be used."""


MODELS: tuple[Format, ...] = (psp, native, nvidia, tensorflow, rosinality)
"""Asked in this order: pSp's files hold a generator under the names of rosinality or NVIDIA."""
FORMATS: tuple[Format, ...] = (own_files, *MODELS)
ACCEPTED = (
    "StyleMix reads StyleGAN2 generators (NVIDIA's PyTorch and TensorFlow .pkl, rosinality's .pt), StyleGAN3 (.pkl), "
    "encoders with their generators (pSp, e4e, ReStyle .pt), and .safetensors of its own or with NVIDIA's tensor names"
)
DEMO = Path(__file__).parent.parent / "demo"
"""The folder of the bundled models."""


def inspect_checkpoint(path: str | os.PathLike[str], part: str = "generator") -> CheckpointInfo:
    """What a file is, without building a model or reading its weights: a checkpoint, or what else this package writes,
    W+ codes, directions and tunings. Errors as for `load_generator`; they say what another file is.

    part: which of the bundled models "demo" stands for, "generator" or "encoder".

    >>> info = sm.inspect_checkpoint("demo")
    >>> info.resolution, info.num_ws, info.contents
    (256, 14, ('generator',))
    """
    found = find(path, part)
    with about(found):
        return read_checkpoint(found).info


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """A file's description and its tensors, which are read when asked for.

    `CheckpointError` if no reader knows the file.
    """
    source = Source(path)
    try:
        for format in FORMATS:
            if format.detect(source):
                checkpoint = format.read(source)
                checkpoint.require_content(source.size)
                return checkpoint
    except CheckpointError as error:
        other = another_model(source)
        if other is None:
            raise
        raise CheckpointError(
            f"not a checkpoint that can be read: it is {other} ({error}). {ACCEPTED}."
        ) from error
    raise CheckpointError(f"not a checkpoint that can be read: it is {describe(source)}. {ACCEPTED}.")


def what_is(path: str | os.PathLike[str]) -> str:
    """What a file is that was expected to be something else, as the rest of a sentence that starts with "it is"."""
    try:
        with about(path):
            source = Source(path)
            for format in MODELS:
                if format.detect(source):
                    info = format.read(source).info
                    return f"a model ({info.format} with {' and '.join(info.contents)})"
            return describe(source)
    except CheckpointError as error:
        reason = str(error).removeprefix(f"{Path(path).name}: ")
        return f"a file that cannot be read ({reason[: LONGEST_MESSAGE // 2]})"


def find(source: str | os.PathLike[str], part: str) -> Path:
    """The file that a user means; "demo" is the bundled model that is the `part`, "generator" or "encoder"."""
    if source != "demo":
        return Path(source)
    path = DEMO / f"{part}.safetensors"
    if not path.exists():
        raise CheckpointError(f"the bundled demo {part} is missing ({path}); install the package again")
    return path
