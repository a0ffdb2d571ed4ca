"""Generators and encoders made from checkpoints."""

import os

import torch

from ..device import TF32, resolve_device, resolve_dtype
from ..encoder import Encoder
from ..files.damage import about
from ..generator import Generator, build
from ..generator.engine.compiled import cannot_compile
from .base import Checkpoint
from .formats import find, inspect_checkpoint, read_checkpoint


@torch.inference_mode(False)  # whose tensors keep changes to themselves, and `Derived` remembers none of them
def load_generator(
    source: str | os.PathLike[str],
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    runs_on: torch.device | None = None,
    compile: bool = False,
) -> Generator:
    """Load a generator: StyleGAN2, StyleGAN3 or StyleGAN-XL; of a pSp file, its decoder.

    source: a checkpoint file, or "demo" for the bundled model.
    device: None for CUDA, else MPS, else the CPU.
    dtype: precision of the convolutions: "auto" (see `resolve_dtype`), "float32", "tf32" (see `device.TF32`),
        "float16", "bfloat16", the torch dtype, or None for float32.
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
        generator = build(*checkpoint.part("generator"))
    generator.info = checkpoint.info
    precision = resolve_dtype(dtype, runs_on or target, generator.config.channels)
    generator = generator.to(target).set_dtype(precision)
    generator.synthesis.tf32 = dtype == TF32
    return generator.compiled() if compile and not cannot_compile(runs_on or target, precision) else generator


@torch.inference_mode(False)
def load_encoder(
    source: str | os.PathLike[str],
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
    encoder.tf32 = dtype == TF32
    return encoder.to(target).set_dtype(precision)


def generator_beside(
    encoder: str | os.PathLike[str], named: str | os.PathLike[str] | None = None
) -> str | os.PathLike[str]:
    """The generator to load with an encoder: the one named, else the one in the encoder's file, else the demo's."""
    if named is not None:
        return named
    return encoder if encoder != "demo" and "generator" in inspect_checkpoint(encoder).contents else "demo"


def build_encoder(checkpoint: Checkpoint) -> Encoder:
    """The encoder, with its generator where it needs one."""
    config, weights = checkpoint.part("encoder")
    decoder = None
    if config.iterative and checkpoint.generator is not None:
        decoder = build(*checkpoint.part("generator"))
    encoder = Encoder.from_state_dict(config, weights, decoder)
    encoder.generator = checkpoint.fingerprint()
    return encoder
