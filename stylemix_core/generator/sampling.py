"""Samples of W, as random z give them."""

from collections.abc import Iterator

import torch

from ..progress import OnStep
from .family import Mapping

CHUNK = 1_000
"""How many w are sampled at a time, unless told otherwise."""


def sampled_w(
    mapping: Mapping, count: int, seed: int, on_step: OnStep | None = None, chunk: int = CHUNK
) -> Iterator[torch.Tensor]:
    """w of random z, untruncated, `[n, w_dim]` on the CPU, `chunk` at a time. A conditional generator's classes take
    turns.

    on_step: called after every chunk with the w done.
    """
    random = torch.Generator().manual_seed(seed % 2**63)
    for start in range(0, count, chunk):
        z = torch.randn(min(chunk, count - start), mapping.z_dim, generator=random)
        labels = classes_in_turn(mapping.c_dim, start, len(z))
        yield mapping(z, labels)[:, 0].detach().cpu()
        if on_step is not None:
            on_step(start + len(z), count, None)


def classes_in_turn(c_dim: int, start: int, count: int) -> torch.Tensor | None:
    """The classes of samples `start`, `start + 1`, …, one-hot float32 `[count, c_dim]`; None without classes."""
    if not c_dim:
        return None
    return torch.nn.functional.one_hot(torch.arange(start, start + count) % c_dim, c_dim).float()
