"""Which generator codes belong to, and what its pictures look like, told by a short text."""

import hashlib
from collections.abc import Hashable, Iterable

import torch

SQUARE = (4, 4)
"""Height and width of what the pictures of all but a few generators grow from."""
MAX_START = 64
"""Its larger side at most. Forks start from 3 to 16 pixels or so."""


def fingerprint_of(shape: Hashable, tensors: Iterable[torch.Tensor], start: tuple[int, int] = SQUARE) -> str:
    """A generator's fingerprint, of its shape and of a few tensors that tell its weights from others.

    Where pictures do not grow from 4×4, it ends in what they grow from, height before width: "…-4x2", so that codes
    know the proportions of their pictures.
    """
    digest = hashlib.sha256(repr(shape).encode())
    for tensor in tensors:
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16] + ("" if start == SQUARE else "-{}x{}".format(*start))


def start_of(fingerprint: str | None) -> tuple[int, int]:
    """Height and width of what the pictures of a generator grow from, by its fingerprint; 4×4 where that is None."""
    _, _, start = (fingerprint or "").partition("-")
    sides = [int(side) for side in start.split("x") if side.isdecimal() and len(side) <= 2]
    return (sides[0], sides[1]) if len(sides) == 2 and 0 < min(sides) <= max(sides) <= MAX_START else SQUARE


def picture_shape(num_ws: int, generator: str | None = None) -> tuple[int, int]:
    """Height and width of the pictures of codes with that many layers.

    generator: the fingerprint of the generator that the codes are for. Without it pictures are taken to be squares.
    """
    height, width = start_of(generator)
    doublings = max(num_ws // 2 - 1, 0)
    return height << doublings, width << doublings
