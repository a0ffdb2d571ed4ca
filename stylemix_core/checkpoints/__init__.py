"""Checkpoints of every supported tool: recognise, read without running anything, load.

One module per format, each with `detect(source)` and `read(source)`; `FORMATS` is their registry, asked in
order.
"""

import os
from pathlib import Path

import torch

from ..device import encoder_dtype, resolve_device, resolve_dtype
from ..encoder import Encoder
from ..errors import CheckpointError
from ..generator import Generator
from . import native, nvidia, psp
from .base import Checkpoint, CheckpointInfo
from .describe import ACCEPTED, another_model, describe
from .source import Source, about

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "convert_checkpoint",
    "inspect_checkpoint",
    "load_encoder",
    "load_generator",
    "read_checkpoint",
]

FORMATS = (native, nvidia, psp)
DEMO = Path(__file__).parent.parent / "demo"


def load_generator(
    source: str | os.PathLike,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Generator:
    """Load a StyleGAN2 generator; of a pSp file, its decoder.

    source: a checkpoint file, or "demo" for the bundled model.
    device: None for CUDA, else MPS, else the CPU.
    dtype: precision of the convolutions: "auto", "float32", "float16", "bfloat16", the torch dtype, or None
        for float32.
    Returns the generator in evaluation mode; its `.source` is the file's name. `CheckpointError` when the file
    is not a checkpoint with a generator, is damaged, or asks to run code.
    """
    path = find(source, "generator")
    target = resolve_device(device)
    precision = resolve_dtype(dtype, target)
    with about(path):
        generator = Generator.from_state_dict(*read_checkpoint(path).part("generator"))
    generator.source = path.name
    return generator.to(target).set_dtype(precision)


def load_encoder(
    source: str | os.PathLike,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Encoder:
    """Load a pSp encoder. Arguments and errors as for `load_generator`.

    The encoder's `.source` is the file's name, its `.generator` the fingerprint of the generator that it was
    made for: of the decoder in the same file, or as the file's metadata says, else None.
    """
    path = find(source, "encoder")
    target = resolve_device(device)
    precision = resolve_dtype(encoder_dtype(dtype), target)
    with about(path):
        checkpoint = read_checkpoint(path)
        encoder = Encoder.from_state_dict(*checkpoint.part("encoder"))
        encoder.generator = checkpoint.fingerprint()
    encoder.source = path.name
    return encoder.to(target).set_dtype(precision)


def inspect_checkpoint(path: str | os.PathLike) -> CheckpointInfo:
    """What a file is, without building a model or reading its weights. Errors as for `load_generator`.

    "demo" stands for the bundled generator.
    """
    found = find(path, "generator")
    with about(found):
        return read_checkpoint(found).info


def convert_checkpoint(
    source: str | os.PathLike, target: str | os.PathLike, dtype: str | torch.dtype | None = None
) -> None:
    """Write any supported checkpoint as this project's safetensors: its generator, its encoder, or both.

    dtype: "float32" (or None) keeps the weights as they are, "float16" halves the file. Errors as for
    `load_generator`; `target` appears when it is complete.
    """
    path = find(source, "generator")
    with about(path):
        checkpoint = read_checkpoint(path)
        generator = Generator.from_state_dict(*checkpoint.part("generator")) if checkpoint.generator else None
        encoder = Encoder.from_state_dict(*checkpoint.part("encoder")) if checkpoint.encoder else None
        if encoder is not None:
            encoder.generator = checkpoint.fingerprint()
    native.write(
        target,
        generator,
        encoder,
        dtype=resolve_dtype(dtype, torch.device("cpu")),
        source=f"{checkpoint.info.format} {path.name}",
        licence=checkpoint.info.licence or "",
    )


def read_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """A file's description and its tensors, which are read when asked for.

    `CheckpointError` if no reader knows the file.
    """
    source = Source(path)
    try:
        for reader in FORMATS:
            if reader.detect(source):
                checkpoint = reader.read(source)
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


def find(source: str | os.PathLike, part: str) -> Path:
    if source != "demo":
        return Path(source)
    path = DEMO / f"{part}.safetensors"
    if not path.exists():
        raise CheckpointError(f"the bundled demo {part} is missing ({path}); install the package again")
    return path
