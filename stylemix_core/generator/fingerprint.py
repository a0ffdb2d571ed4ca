"""Which generator codes belong to, and what its pictures look like, told by a short text."""

import hashlib
from collections.abc import Hashable, Iterable

import torch

SQUARE = (4, 4)
"""Height and width of what the pictures of all but a few generators grow from."""
MAX_START = 64
"""Its larger side at most. Forks start from 3 to 16 pixels or so."""
MAX_PICTURE = 4096
"""The larger side of pictures at most."""


def fingerprint_of(
    shape: Hashable,
    tensors: Iterable[torch.Tensor],
    start: tuple[int, int] = SQUARE,
    picture: tuple[int, int] | None = None,
) -> str:
    """A generator's fingerprint, of its shape and of a few tensors that tell its weights from others.

    Where pictures do not grow from 4×4, it ends in what they grow from, height before width: "…-4x2"; where they do not
    grow by doubling, in the picture itself: "…=1024x1024". So codes know the size of their pictures.
    """
    digest = hashlib.sha256(repr(shape).encode())
    for tensor in tensors:
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    ending = "" if start == SQUARE else "-{}x{}".format(*start)
    return digest.hexdigest()[:16] + (ending if picture is None else "={}x{}".format(*picture))


def start_of(fingerprint: str | None) -> tuple[int, int]:
    """Height and width of what the pictures of a generator grow from, by its fingerprint; 4×4 where that is None."""
    return sides_after("-", fingerprint, MAX_START) or SQUARE


def sides_after(mark: str, fingerprint: str | None, largest: int) -> tuple[int, int] | None:
    """Height and width that follow a mark in a fingerprint; None where there are none, or they are too large."""
    _, _, ending = (fingerprint or "").partition(mark)
    sides = [int(side) for side in ending.split("x") if side.isdecimal() and len(side) <= 4]
    return (sides[0], sides[1]) if len(sides) == 2 and 0 < min(sides) <= max(sides) <= largest else None


def picture_shape(num_ws: int, generator: str | None = None) -> tuple[int, int]:
    """Height and width of the pictures of codes with that many layers.

    generator: the fingerprint of the generator that the codes are for. Without it pictures are taken to be squares.
    """
    picture = sides_after("=", generator, MAX_PICTURE)
    if picture is not None:
        return picture
    height, width = start_of(generator)
    doublings = max(num_ws // 2 - 1, 0)
    return height << doublings, width << doublings
