"""Checkpoints of every supported tool: recognise, read without running anything, load.

One module per format, each with `detect(source)` and `read(source)`; `FORMATS` is their registry, asked in
order.
"""

import os
from pathlib import Path

import torch

from ..device import resolve_device, resolve_dtype
from ..encoder import Encoder
from ..errors import CheckpointError, StyleMixError
from ..files.info import CheckpointInfo
from ..files.source import LONGEST_MESSAGE, Source, about
from ..files.writing import sha256
from ..generator import Generator, StyleGAN2
from ..generator.engine.compiled import cannot_compile
from . import beside, native, nvidia, psp, rosinality, tensorflow
from .base import Checkpoint
from .describe import ACCEPTED, another_model, describe

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "convert_checkpoint",
    "inspect_checkpoint",
    "load_encoder",
    "load_generator",
    "read_checkpoint",
]

FORMATS = (beside, psp, native, nvidia, tensorflow, rosinality)
PARTS = ("generator", "encoder")
DEMO = Path(__file__).parent.parent / "demo"


@torch.inference_mode(False)  # whose tensors keep changes to themselves, and `Derived` remembers none of them
def load_generator(
    source: str | os.PathLike,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    runs_on: torch.device | None = None,
    compile: bool = False,
) -> Generator:
    """Load a StyleGAN2 generator; of a pSp file, its decoder.

    source: a checkpoint file, or "demo" for the bundled model.
    device: None for CUDA, else MPS, else the CPU.
    dtype: precision of the convolutions: "auto" (see `resolve_dtype`), "float32", "float16", "bfloat16", the torch
        dtype, or None for float32.
    runs_on: where the network will be moved to when it is used, which "auto" goes by; None for `device`.
    compile: draw with code that PyTorch compiles for this machine, where it can; where it cannot, the log says why.
        The first picture takes longer, in later processes a little: compiled code is kept in the folder that
        TORCHINDUCTOR_CACHE_DIR names, by default `stylemix/compiled` among the user's caches.
    Returns the generator in evaluation mode; its `.info` says what the file is. `CheckpointError` when the file
    is not a checkpoint with a generator, is damaged, or asks to run code.
    """
    path = find(source, "generator")
    target = resolve_device(device)
    with about(path):
        checkpoint = read_checkpoint(path)
        generator = StyleGAN2.from_state_dict(*checkpoint.part("generator"))
    generator.info = checkpoint.info
    precision = resolve_dtype(dtype, runs_on or target, generator.config.channels)
    generator = generator.to(target).set_dtype(precision)
    return generator.compiled() if compile and not cannot_compile(runs_on or target, precision) else generator


@torch.inference_mode(False)
def load_encoder(
    source: str | os.PathLike,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    runs_on: torch.device | None = None,
) -> Encoder:
    """Load an encoder of pSp, e4e or ReStyle. Arguments and errors as for `load_generator`.

    A ReStyle encoder brings its generator along as `.decoder`. An encoder's `.info` says what the file is, its
    `.generator` is the fingerprint of the generator that it was made for: of the decoder in the same file, or as the
    file's metadata says, else None.
    """
    path = find(source, "encoder")
    target = resolve_device(device)
    with about(path):
        checkpoint = read_checkpoint(path)
        encoder = build_encoder(checkpoint)
    encoder.info = checkpoint.info
    precision = resolve_dtype(dtype, runs_on or target, encoder.config.stage_channels, encoder=True)
    return encoder.to(target).set_dtype(precision)


def inspect_checkpoint(path: str | os.PathLike, part: str = "generator") -> CheckpointInfo:
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


def convert_checkpoint(
    source: str | os.PathLike,
    target: str | os.PathLike,
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
        generator = (
            StyleGAN2.from_state_dict(*checkpoint.part("generator")) if "generator" in wanted else None
        )
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


def what_is(path: str | os.PathLike) -> str:
    """What a file is that was expected to be something else, as the rest of a sentence that starts with "it is"."""
    try:
        with about(path):
            source = Source(path)
            for reader in FORMATS[1:]:
                if reader.detect(source):
                    info = reader.read(source).info
                    return f"a model ({info.format} with {' and '.join(info.contents)})"
            return describe(source)
    except CheckpointError as error:
        reason = str(error).removeprefix(f"{Path(path).name}: ")
        return f"a file that cannot be read ({reason[: LONGEST_MESSAGE // 2]})"


def build_encoder(checkpoint: Checkpoint) -> Encoder:
    """The encoder, with its generator where it needs one."""
    config, weights = checkpoint.part("encoder")
    decoder = None
    if config.iterative and checkpoint.generator is not None:
        decoder = StyleGAN2.from_state_dict(*checkpoint.part("generator"))
    encoder = Encoder.from_state_dict(config, weights, decoder)
    encoder.generator = checkpoint.fingerprint()
    return encoder


def find(source: str | os.PathLike, part: str) -> Path:
    if source != "demo":
        return Path(source)
    path = DEMO / f"{part}.safetensors"
    if not path.exists():
        raise CheckpointError(f"the bundled demo {part} is missing ({path}); install the package again")
    return path
