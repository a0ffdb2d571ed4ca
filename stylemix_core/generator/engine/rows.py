"""Stages with large maps a few rows at a time, each just before the next one needs them: none has all its maps at once.

Of every stage only the rows that the next one will ask for again are kept, so that no stage's rows are computed twice
and memory does not grow with the height of the picture.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F

from .stages import Rowwise, Stage
from .styles import Style, UniformStyle

LARGE_NUMBERS = 1 << 25
"""Of maps that are computed in rows."""
ROW_NUMBERS = 1 << 22
"""Of the rows that are computed at a time, about."""


class Rows:
    """Rows of maps, made as they are asked for from top to bottom."""

    def __init__(self, make: Callable[[int, int], torch.Tensor], height: int):
        self.make, self.height = make, height
        self.first = self.last = 0
        self.kept: torch.Tensor | None = None

    def take(self, first: int, last: int) -> torch.Tensor:
        """The rows `first` to `last`, zeros beyond the maps. None above `first` is asked for again."""
        top, bottom = max(first, 0), min(last, self.height)
        parts = [] if self.kept is None else [self.kept[:, :, top - self.first :]]
        start = max(self.last, top)
        if bottom > start:
            parts.append(self.make(start, bottom))
        self.kept = torch.cat(parts, 2)
        self.first, self.last = top, bottom
        beyond = (0, 0, top - first, last - bottom)
        return F.pad(self.kept, beyond) if any(beyond) else self.kept


def fits(stages: Sequence[Stage], x: torch.Tensor, styles: Sequence[Style]) -> bool:
    """Whether `in_rows` can draw, and has an advantage: on a CPU, without gradients, with large maps."""
    numbers = len(x) * stages[0].channels * math.prod(stages[0].shape)
    return (
        numbers >= LARGE_NUMBERS
        and x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and all(stage.rowwise() is not None for stage in stages)
        and all(isinstance(style, UniformStyle) for style in styles)
    )


def in_rows(stages: Sequence[Stage], x: torch.Tensor, styles: Sequence[Style]) -> torch.Tensor:
    """The picture after `stages`, which end with the network's last one, of the maps x before them."""
    rows = Rows(lambda first, last: x[:, :, first:last], x.shape[2])
    for stage, style in zip(stages, styles, strict=True):
        rowwise = stage.rowwise()
        assert rowwise is not None
        rows = Rows(partial(made, rowwise, style, rows), stage.shape[0])
    most = max(len(x) * stage.channels * stage.shape[1] for stage in stages)
    step = max(ROW_NUMBERS // most, 1)
    height = stages[-1].shape[0]
    return torch.cat([rows.take(top, min(top + step, height)) for top in range(0, height, step)], 2)


def made(stage: Rowwise, style: Style, before: Rows, first: int, last: int) -> torch.Tensor:
    """The rows `first` to `last` of a stage's maps."""
    return stage.rows(before.take(*stage.reach(first, last)), style, first, last)
