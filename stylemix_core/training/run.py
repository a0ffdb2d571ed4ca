"""Training that may be stopped at any moment and goes on from its last checkpoint."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ..errors import StyleMixError
from ..files.writing import replacing

SLOW = 60.0
"""Seconds that a step may take beyond ten usual ones; what is more was not spent on it."""


class Changing(Protocol):
    """What a step changes, and a checkpoint keeps: networks, optimisers, random numbers."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Any, /) -> object: ...


def of_what(checkpoint: Path) -> dict[str, Any]:
    """What a training is of whose checkpoint stands there; nothing where none does."""
    if not checkpoint.exists():
        return {}
    told: dict[str, Any] = torch.load(checkpoint, "cpu", weights_only=True, mmap=True)["of"]
    return told


class Run:
    """The steps of a training, with what they change kept in a checkpoint file.

    `step` counts the steps done, `seconds` their time, those before a stop among them; `loss` is a moving average.
    """

    def __init__(
        self,
        checkpoint: Path,
        parts: Mapping[str, Changing],
        every: float = 120.0,
        of: Mapping[str, Any] | None = None,
    ):
        """Begin, or go on where `checkpoint` stands.

        parts: by name. every: seconds from checkpoint to checkpoint.
        of: what the training is of; `StyleMixError` when the checkpoint is of another.
        """
        self.checkpoint, self.parts, self.every, self.of = checkpoint, parts, every, dict(of or {})
        self.step, self.loss, self.seconds = 0, 0.0, 0.0
        if checkpoint.exists():
            saved = torch.load(checkpoint, "cpu", weights_only=True)  # it may be of another machine
            theirs = saved.pop("of")
            changed = [name for name in {**theirs, **self.of} if theirs.get(name) != self.of.get(name)]
            if changed:
                name = changed[0]
                raise StyleMixError(
                    f"{checkpoint} is of a training with {name} {theirs.get(name)}, not {self.of.get(name)}; choose "
                    "another folder, or delete the file to start anew"
                )
            self.step, self.seconds, self.loss = saved.pop("step"), saved.pop("seconds"), saved.pop("loss")
            for name, state in saved.items():
                parts[name].load_state_dict(state)

    def steps(self, enough: Callable[[], bool]) -> Iterator[int]:
        """The numbers of the steps to do, until there are enough; asked before each. At the end a checkpoint stands,
        if a step was done at all."""
        saved = begun = time.monotonic()
        while not enough():
            yield self.step
            usual = self.seconds / self.step if self.step else 0.0
            self.step += 1
            now = time.monotonic()
            # Clocks go on while a computer sleeps or a process is stopped.
            self.seconds += min(now - begun, 10 * usual + SLOW)
            begun = now
            if now - saved > self.every:
                self.save()
                saved = now
        if self.step:
            self.save()

    def report(self, loss: torch.Tensor) -> None:
        """Tell the loss of a step. `StyleMixError` when it is no number any more."""
        value = float(loss.detach())
        if not math.isfinite(value):
            raise StyleMixError(
                f"training diverged at step {self.step}: its loss is {value}; the last checkpoint is {self.checkpoint}"
            )
        self.loss = value if self.loss == 0 else 0.98 * self.loss + 0.02 * value

    def save(self) -> None:
        state = {
            "of": self.of,
            "step": self.step,
            "seconds": self.seconds,
            "loss": self.loss,
        }
        with replacing(self.checkpoint) as partial:
            torch.save(state | {name: part.state_dict() for name, part in self.parts.items()}, partial)


def set_learning_rate(optimizer: torch.optim.Optimizer, peak: float, step: int, done: float) -> None:
    """Set the rate of a step: a short warm-up, then half a cosine down to a hundredth.

    done: how much of the training is, 0…1. Groups may have a `factor` of their own.
    """
    rate = peak * min(1.0, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)


@torch.no_grad()
def follow(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of the weights; batch statistics are averages already."""
    torch._foreach_lerp_(list(averaged.parameters()), list(model.parameters()), 1 - decay)
    for mine, theirs in zip(averaged.buffers(), model.buffers(), strict=True):
        mine.copy_(theirs)


def picture_loss(drawn: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted absolute and squared error of pictures, and the error of their gradients for crisp edges.

    drawn, target: `[B, C, H, W]`. weights: how much each pixel counts, `[B, 1, H, W]` or `[1, 1, H, W]`.
    """
    error = drawn - target
    loss = (error.abs() * weights).mean() + (error.square() * weights).mean()
    for axis in (2, 3):
        loss = loss + (error.diff(dim=axis).abs() * weights.narrow(axis, 1, weights.shape[axis] - 1)).mean()
    return loss
