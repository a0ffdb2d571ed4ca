"""Which generator codes belong to, and what its pictures look like, told by a short text."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from .stylegan2.config import MAX_START, SQUARE, GeneratorConfig

if TYPE_CHECKING:
    pass


def picture_shape(num_ws: int, generator: str | None = None) -> tuple[int, int]:
    """Height and width of the pictures of codes with that many layers.

    generator: the fingerprint of the generator that the codes are for. Without it pictures are taken to be squares.
    """
    height, width = start_of(generator)
    doublings = max(num_ws // 2 - 1, 0)
    return height << doublings, width << doublings


def fingerprint(config: GeneratorConfig, tensor: Callable[[str], torch.Tensor]) -> str:
    """`Generator.fingerprint()` from tensors by name.

    It hashes the shapes and a few biases. Those are the same numbers in every file format, and half precision
    leaves them alone. Where pictures do not grow from 4×4, it ends in what they grow from, height before width:
    "…-4x2", so that codes know the proportions of their pictures (`start_of`).
    """
    architecture = () if config.architecture == "skip" else (config.architecture,)  # files carry skip's
    shape = (config.channels, config.img_channels, config.w_dim, *architecture)
    digest = hashlib.sha256(repr(shape).encode())
    for level in (0, len(config.channels) - 1):
        coloured = config.resolutions[level] in config.colour_resolutions
        for layer in ("conv1", "torgb") if coloured else ("conv1",):
            for bias in ("affine.bias", "bias"):
                values = tensor(f"synthesis.b{4 << level}.{layer}.{bias}")
                digest.update(values.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16] + ("" if config.start == SQUARE else "-{}x{}".format(*config.start))


def start_of(fingerprint: str | None) -> tuple[int, int]:
    """Height and width of what the pictures of a generator grow from, by its fingerprint; 4×4 where that is None."""
    _, _, start = (fingerprint or "").partition("-")
    sides = [int(side) for side in start.split("x") if side.isdecimal() and len(side) <= 2]
    return (sides[0], sides[1]) if len(sides) == 2 and 0 < min(sides) <= max(sides) <= MAX_START else SQUARE
