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
        labels = None
        if mapping.c_dim:
            classes = torch.arange(start, start + len(z)) % mapping.c_dim
            labels = torch.nn.functional.one_hot(classes, mapping.c_dim).float()
        yield mapping(z, labels)[:, 0].detach().cpu()
        if on_step is not None:
            on_step(start + len(z), count, None)
