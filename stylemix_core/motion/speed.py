"""Walks at a constant visible speed: re-timed by how much the picture changes."""

from collections.abc import Callable

import torch

from ..codes.latents import Latents
from ..decoding import decode
from ..generator import Generator
from ..generator.engine.parts import CHUNK
from ..images import shrink
from ..progress import OnStep

SIDE = 128
"""Pictures are compared at about this size."""
FINE, LEAST = 2, 96
"""Measured places per frame, and in all of a short walk."""
ROUNDS = 2
"""How often the way is measured finely, on pictures that the generator draws no larger than that if it can."""
CORRECTIONS = 3
"""How often the frames themselves are compared then, each with the next. They are drawn whole, as the last layers
colour and light much of a picture, and what moves by more than its own width changes a picture by less than the sum of
small steps."""


@torch.inference_mode()
def even_out(
    generator: Generator,
    way: Callable[[torch.Tensor], Latents],
    last: float,
    count: int,
    loop: bool = False,
    on_step: OnStep | None = None,
    chunk: int = CHUNK,
) -> torch.Tensor:
    """Times `[count]` from 0 to `last` between which the picture changes by the same amount each.

    way: the walk's codes at times `[T]`.
    loop: whether `last` is 0 again; it is then left out. chunk: pictures that are measured together.
    """
    steps = count if loop else count - 1
    size = min((side for side in generator.synthesis.colour_resolutions if side >= SIDE), default=None)
    fine = max(FINE, -(-LEAST // steps))
    times = torch.linspace(0, last, fine * steps + 1, dtype=torch.float64)
    finely, total = len(times), ROUNDS * len(times) + CORRECTIONS * (steps + 1)
    for round_ in range(ROUNDS):
        times = _evened(times, _changes(generator, way, times, size, round_ * finely, total, on_step, chunk))
    times = times[::fine]
    for round_ in range(CORRECTIONS):
        before = ROUNDS * finely + round_ * (steps + 1)
        times = _evened(times, _changes(generator, way, times, None, before, total, on_step, chunk))
    return times[:count]


def _evened(times: torch.Tensor, changes: torch.Tensor) -> torch.Tensor:
    """As many times `[T]` with equal changes between them, if `changes` `[T − 1]` are spread evenly between these."""
    passed = torch.cat([changes.new_zeros(1), changes.cumsum(0)])
    return _read(passed, times, torch.linspace(0, float(passed[-1]), len(times), dtype=torch.float64))


def _changes(
    generator: Generator,
    way: Callable[[torch.Tensor], Latents],
    times: torch.Tensor,
    size: int | None,
    before: int,
    total: int,
    on_step: OnStep | None,
    chunk: int,
) -> torch.Tensor:
    """How much the picture changes from each time to the next, float64 `[T − 1]`; never quite nothing.

    In absolute differences, as an edge that moves twice as far changes twice as much, be it crisp or soft.
    size: in which the generator draws; None for its own.
    """
    seen, last = [], None
    for start in range(0, len(times), chunk):
        codes = way(times[start : start + chunk])
        pictures = shrink(decode(generator, codes, "none", resolution=size).float().clamp(-1, 1), SIDE).cpu()
        row = pictures if last is None else torch.cat([last, pictures])
        seen.append((row[1:] - row[:-1]).abs().mean((1, 2, 3)))
        last = pictures[-1:]
        if on_step is not None:
            on_step(before + min(start + chunk, len(times)), total)
    changes = torch.cat(seen).double()
    return changes + 1e-3 * changes.mean().clamp_min(1e-9)


def _read(x: torch.Tensor, y: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """y as a function of rising x, at other places, straight between them."""
    place = torch.searchsorted(x, at).clamp(1, len(x) - 1)
    left, right = x[place - 1], x[place]
    share = ((at - left) / (right - left)).clamp(0, 1)
    return y[place - 1] + share * (y[place] - y[place - 1])
