"""Checkpoints of other tools rewritten as this project's safetensors."""

import os
from pathlib import Path

import torch

from ..device import resolve_dtype
from ..errors import StyleMixError
from ..files.damage import about
from ..files.info import CheckpointInfo
from ..files.writing import sha256
from ..generator import build
from . import native
from .formats import find, inspect_checkpoint, read_checkpoint
from .load import build_encoder

PARTS = ("generator", "encoder")
"""What a checkpoint may hold."""


def convert_checkpoint(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    dtype: str | torch.dtype | None = None,
    part: str | None = None,
) -> CheckpointInfo:
    """Write any supported checkpoint as this project's safetensors, which loads to the same pictures.

    source: a file, or "demo" for the bundled generator, or encoder if that is the `part`.
    target: a file that ends in .safetensors. It appears when it is complete.
    dtype: "float32" (or None) keeps the weights as they are, "float16" halves the file.
    part: "generator" or "encoder" for one of the two, "both" to insist on both, None for what can be read. An encoder
        that refines its codes (ReStyle) takes its generator along.
    Returns what the new file is. Its metadata hold the configuration, num_ws, the source's format, name and sha256,
    and a note on the licence, which stays the source's. Errors as for `load_generator`.
    """
    path, written = find(source, part if part in PARTS else "generator"), Path(target)
    if written.suffix.lower() != ".safetensors":
        raise StyleMixError(
            f"converted files are safetensors; give {written.name or str(target)} the ending .safetensors"
        )
    if written.exists() and path.exists() and written.samefile(path):
        raise StyleMixError(
            f"{written.name} is the source itself; choose another name for the converted file"
        )
    if part not in (*PARTS, "both", None):
        raise StyleMixError(f"part {part!r} is unknown; choose one of: {', '.join(PARTS)}, both")
    with about(path):
        checkpoint = read_checkpoint(path)
        contents, refusals = checkpoint.info.contents, checkpoint.refusals
        readable = [name for name in PARTS if name in contents and name not in refusals]
        wanted = PARTS if part == "both" else (part,) if part else readable or PARTS
        generator = build(*checkpoint.part("generator")) if "generator" in wanted else None
        encoder = build_encoder(checkpoint) if "encoder" in wanted else None
        digest = sha256(path)
    native.write(
        written,
        generator,
        encoder,
        dtype=resolve_dtype(dtype, torch.device("cpu")),
        source=f"{checkpoint.info.format} {path.name}",
        source_sha256=digest,
        licence=checkpoint.info.licence or "",
    )
    return inspect_checkpoint(written)
