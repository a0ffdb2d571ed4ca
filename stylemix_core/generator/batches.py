"""Passing items through a generator a few at a time, in the way of whoever runs it."""

from collections.abc import Callable
from typing import Protocol

import torch

from ..progress import OnStep
from .engine.parts import CHUNK
from .family import Generator

Forward = Callable[[Generator, slice], torch.Tensor]
"""Computes `[n, …]` of those items that the slice names."""


class Runner(Protocol):
    """Runs a forward over so many items and joins the results in their order.

    `in_chunks` is the plain one; a host brings its own, which moves the network between memories, goes on with less at
    a time when memory runs out, and can be interrupted.
    """

    def __call__(self, count: int, forward: Forward, /) -> torch.Tensor: ...


def in_chunks(generator: Generator, on_step: OnStep | None = None) -> Runner:
    """Run as many items at a time as synthesis draws. on_step: called after every chunk with the items done."""

    def run(count: int, forward: Forward, /) -> torch.Tensor:
        results = []
        for start in range(0, count, CHUNK):
            items = slice(start, min(start + CHUNK, count))
            results.append(forward(generator, items))
            if on_step is not None:
                on_step(items.stop, count, None)
        return torch.cat(results)

    return run
