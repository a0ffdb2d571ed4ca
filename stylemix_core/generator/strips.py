"""Large maps in strips of rows, so that everything between two blocks stays in the processor's cache.

A block's maps at 1024 pixels are 134 MB each. As a whole they travel through memory once per operation, and the
system hands every one of them out as fresh, zeroed pages; in strips neither happens, and memory is bounded.
"""

from collections.abc import Callable, Sequence

import torch

STRIP_BYTES = 4 << 20
"""Of one map of one strip, about: the few that an operation touches fit a processor's cache together."""

MARGIN = 2
"""Rows of a block's input beyond a cut that its output depends on: one through the transposed convolution and its
filter, one through the convolution that follows."""

Compute = Callable[
    [torch.Tensor, Sequence[torch.Tensor], Sequence[torch.Tensor | None]],
    tuple[torch.Tensor, torch.Tensor | None],
]
"""x `[1, I, H, W]`, styles and noise `[…, 2·H, 2·W]` → maps `[1, O, 2·H, 2·W]` and colours or None."""


def has_large_maps(x: torch.Tensor, channels: int) -> bool:
    """Whether a block's output `[B, channels, 2·H, 2·W]` for x `[B, I, H, W]` has maps that a picture is better alone
    with: on a CPU, from the size of a strip on."""
    return x.device.type == "cpu" and 4 * x.shape[2] * x.shape[3] * channels * x.element_size() >= STRIP_BYTES


def strip_rows(x: torch.Tensor, channels: int) -> int:
    """How many rows of x `[B, I, H, W]` a block with the output `[B, channels, 2·H, 2·W]` takes at a time.

    Strips are for single pictures on a CPU, without gradients; all else is taken as a whole.
    """
    height, width = x.shape[2:]
    if x.device.type != "cpu" or len(x) != 1 or torch.is_grad_enabled():
        return height
    strips = round(4 * height * width * channels * x.element_size() / STRIP_BYTES)
    return height if strips < 2 else max(-(-height // strips), 2 * MARGIN)


def in_strips(
    compute: Compute,
    x: torch.Tensor,
    styles: Sequence[torch.Tensor],
    noises: Sequence[torch.Tensor | None],
    rows: int,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What `compute` gives for x, computed `rows` rows of x at a time.

    A strip is computed with some rows more on either side. Where it is cut, zeros pad it instead of its neighbours:
    what that spoils is dropped.
    """
    height = x.shape[2]
    whole: list[torch.Tensor | None] = [None, None]
    for top in range(0, height, rows):
        first, last = max(top - MARGIN, 0), min(top + rows + MARGIN, height)
        window = slice(2 * first, 2 * last)
        noise = [one if one is None else one[..., window, :] for one in noises]
        parts = compute(x[:, :, first:last], styles, noise)
        place = slice(2 * top, 2 * min(top + rows, height))
        kept = slice(place.start - window.start, place.stop - window.start)
        for i, part in enumerate(parts):
            if part is None:
                continue
            if whole[i] is None:
                shape = (*part.shape[:2], 2 * height, part.shape[3])
                whole[i] = torch.empty_like(part.new_empty(()).expand(shape), memory_format=torch.channels_last)
            whole[i][:, :, place] = part[:, :, kept]
    return whole[0], whole[1]
