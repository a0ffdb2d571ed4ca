"""Gradient descent, for codes and for weights alike: Adam, the rate over the steps, and telling how far it is."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ..generator import Generator
from ..progress import OnStep
from .losses import Objective
from .options import InversionOptions
from .prior import Prior
from .start import Spread

RAMP_UP, RAMP_DOWN = 0.05, 0.25
"""Shares of the steps over which the learning rate rises (in W+) and falls."""


class Watch:
    """Tells the caller how far the inversion is, and about once a second shows the newest pictures."""

    interval = 1.0

    def __init__(self, on_step: OnStep | None, total: int):
        self.on_step, self.total, self.done = on_step, total, 0
        self.shown = time.monotonic()

    def step(self, images: torch.Tensor) -> None:
        self.done += 1
        if self.on_step is None:
            return
        now, newest = time.monotonic(), None
        if now - self.shown >= self.interval:
            newest, self.shown = images.detach(), now
        self.on_step(self.done, self.total, newest)


@dataclass(frozen=True, eq=False)
class Task:
    """What every stage of one inversion works with."""

    generator: Generator
    """A working copy, whose tensors are replaced by what is found."""
    objective: Objective
    spread: Spread
    options: InversionOptions
    seed: int
    watch: Watch
    prior: Prior | None = None

    def random(self) -> torch.Generator:
        """Where a stage takes its random numbers: anew from the seed."""
        return torch.Generator().manual_seed(self.seed % 2**63)


@dataclass(frozen=True, eq=False)
class Found:
    """What a stage found."""

    w: torch.Tensor
    """W+ `[B, L, D]`."""
    losses: torch.Tensor
    """`[steps, B]`."""
    changes: dict[str, torch.Tensor] = field(default_factory=dict)
    """What to add to tensors of the generator, by name."""

    def then(self, later: "Found") -> "Found":
        """What this stage and a later one found, which went on from here."""
        return Found(later.w, torch.cat([self.losses, later.losses]), {**self.changes, **later.changes})


def descend(
    groups: list[tuple[list[torch.Tensor], float]],
    evaluate: Callable[[float], tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    steps: int,
    dtype: torch.dtype,
    watch: Watch,
    ramp_up: float = RAMP_UP,
) -> torch.Tensor:
    """Adam. `evaluate(progress)`, progress 0…1, gives pictures, losses `[B]` and a penalty to minimise with them.

    groups: tensors and their highest learning rate. steps: 1 or more. Returns the losses `[steps, B]`.
    """
    optimizer = torch.optim.Adam([{"params": tensors, "peak": rate} for tensors, rate in groups if tensors])
    device = groups[0][0][0].device
    # In float16 small gradients would be rounded to zero: they are computed larger.
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * schedule(step / steps, ramp_up)
        images, loss, penalty = evaluate(step / steps)
        optimizer.zero_grad()
        scaler.scale(loss.sum() + penalty).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.detach())
        watch.step(images)
    return torch.stack(losses)


def schedule(progress: float, ramp_up: float = RAMP_UP) -> float:
    """Which part of the highest rate is used: it rises linearly, stays, and falls along a cosine."""
    falling = min(1.0, (1 - progress) / RAMP_DOWN)
    return min(1.0, (progress + 1e-3) / ramp_up) * (0.5 - 0.5 * math.cos(math.pi * falling))
