"""Large maps in strips of rows, so that everything between two stages stays in the processor's cache.

A stage's maps at 1024 pixels are 134 MB each. As a whole they travel through memory once per operation, and the
system hands every one of them out as fresh, zeroed pages; in strips neither happens, and memory is bounded.
"""

from collections.abc import Sequence

import torch

from .cuts import drop
from .stages import Cuttable
from .styles import Style

STRIP_BYTES = 8 << 20
"""Of one map of one strip, about: the two or three that an operation touches fit a processor's cache together."""

ALONE_BYTES, GPU_ALONE_BYTES = 4 << 20, 16 << 20
"""Maps from this size on gain nothing from the batch; those of few pixels share the work on their weights."""

SPOILED = 2
"""Rows at a cut that a convolution gets wrong, where zeros take the place of its input's neighbours: two of the one
that doubles the size, with its filter, and one of the other."""


def has_large_maps(x: torch.Tensor, channels: int) -> bool:
    """Whether a picture had better be alone in a stage with the input x `[B, I, H, W]` and `channels` maps."""
    limit = {"cpu": ALONE_BYTES, "cuda": GPU_ALONE_BYTES}.get(x.device.type)
    return limit is not None and 4 * x.shape[2] * x.shape[3] * channels * x.element_size() >= limit


def strip_rows(x: torch.Tensor, channels: int) -> int:
    """How many rows of x `[B, I, H, W]` a stage with the output `[B, channels, 2·H, 2·W]` takes at a time.

    Strips are for single pictures on a CPU, without gradients; all else is taken as a whole.
    """
    height, width = x.shape[2:]
    if x.device.type != "cpu" or len(x) != 1 or torch.is_grad_enabled():
        return height
    strips = round(4 * height * width * channels * x.element_size() / STRIP_BYTES)
    return height if strips < 2 else max(-(-height // strips), 2 * SPOILED)


def in_strips(
    stage: Cuttable,
    x: torch.Tensor,
    styles: Sequence[Style],
    noises: Sequence[torch.Tensor | None],
    rows: int,
    maps: bool,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """What `stage.compute` gives for x, `rows` rows of x at a time. maps: whether the maps themselves are wanted.

    noises: `[…, 2·H, 2·W]` each. A strip takes as many rows more on either side as its convolutions spoil; at the
    picture's edges there are none.
    """
    height = x.shape[2]
    whole: dict[int, torch.Tensor] = {}
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(top - SPOILED, 0), min(bottom + SPOILED, height)  # two convolutions, half the size
        cut = (top - first, last - bottom)
        # Before a module acts, the cut was dropped as often as there are convolutions before it.
        strip_noises = [
            None if noise is None else drop(noise[..., 2 * first : 2 * last, :], cut, i)
            for i, noise in enumerate(noises)
        ]
        strip_styles = [style.strip(first, last, height).drop(cut, i) for i, style in enumerate(styles)]
        for i, part in enumerate(stage.compute(x[:, :, first:last], strip_styles, strip_noises, cut)):
            if part is None or (i == 0 and not maps):
                continue
            if i not in whole:
                shape = (*part.shape[:2], 2 * height, part.shape[3])
                whole[i] = torch.empty(shape, dtype=part.dtype, memory_format=torch.channels_last)
            whole[i][:, :, 2 * top : 2 * bottom] = part
    return whole.get(0), whole.get(1)
