"""Work that every map has for itself, a few maps at a time, so that what it makes in between stays in the cache."""

from collections.abc import Callable

import torch

CHANNELS = 16
"""Maps at a time: a vector or two of the processor's in channels-last order."""


def in_channel_chunks(x: torch.Tensor, work: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """`work` for the maps of x `[B, C, H, W]`, some at a time on a CPU: `[B, C, H', W']`, channels-last.

    work: from `[b, c, H, W]`, channels-last, to `[b, c, H', W']`, every map by itself. Where gradients are wanted, and
    on other devices, it is given all at once.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return work(x)
    result: torch.Tensor | None = None
    for picture in range(len(x)):
        for first in range(0, x.shape[1], CHANNELS):
            part = x[picture : picture + 1, first : first + CHANNELS]
            done = work(part.float().contiguous(memory_format=torch.channels_last))
            if result is None:
                shape = (*x.shape[:2], *done.shape[2:])
                result = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
            result[picture : picture + 1, first : first + CHANNELS] = done
    assert result is not None
    return result
