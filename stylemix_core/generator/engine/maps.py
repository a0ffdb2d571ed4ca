"""Layers with work that every map has for itself, a few maps at a time, so that all stays in the processor's caches."""

from collections.abc import Callable

import torch

CONVOLVED = 128
"""Maps that a convolution makes at a time. All 512 at once take a third longer, and their memory."""
AT_ONCE = 32
"""Maps that are worked on at a time: few vectors of the processor's in channels-last order."""


def by_maps(
    like: torch.Tensor,
    count: int,
    convolve: Callable[[slice], torch.Tensor],
    work: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """`work` on the maps that a convolution makes: `[B, count, H', W']`, channels-last.

    like: the layer's input. convolve: makes some of the maps, `[B, c, H, W]`. work: from `[b, c, H, W]` to
    `[b, c, H', W']`, every map by itself; it gets float32, channels-last. Where gradients are wanted, and on other
    devices than CPUs, both do all at once, in the maps' own type.
    """
    if like.device.type != "cpu" or torch.is_grad_enabled():
        return work(convolve(slice(0, count)))
    result: torch.Tensor | None = None
    for start in range(0, count, CONVOLVED):
        maps = convolve(slice(start, min(start + CONVOLVED, count)))
        for picture in range(len(maps)):
            for first in range(0, maps.shape[1], AT_ONCE):
                part = maps[picture : picture + 1, first : first + AT_ONCE]
                done = work(part.float().contiguous(memory_format=torch.channels_last))
                if result is None:
                    shape = (len(maps), count, *done.shape[2:])
                    result = torch.empty(shape, dtype=maps.dtype, memory_format=torch.channels_last)
                place = slice(start + first, start + first + done.shape[1])
                result[picture : picture + 1, place] = done
    assert result is not None
    return result
