"""The operations of StyleGAN3's layers (Karras et al. 2021, arXiv:2106.12423)."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ..engine.steps import LRELU_GAIN, activate
from ..engine.styles import Convolution

FINER_NUMBERS = 1 << 20
"""Of the finely sampled maps that are computed at a time on a CPU."""


@dataclass(frozen=True)
class Resampling:
    """How a leaky ReLU is computed at a higher sampling rate (section 3.2)."""

    up_filter: torch.Tensor
    """Low-pass filter `[taps]`, or `[taps, taps]` where it is not separable."""
    down_filter: torch.Tensor
    up: int
    down: int
    padding: tuple[int, int, int, int]
    """Left, right, top, bottom at the higher rate; what is negative is cut off."""
    clamp: float | None

    def of_rows(self, first: int, last: int, height: int) -> tuple[int, int, "Resampling"]:
        """What the rows `first` to `last` of the result depend on, from which to which row of an input of `height`, and
        how they are made of those."""
        up_taps, down_taps = self.up_filter.shape[0], self.down_filter.shape[0]
        left, right, top, _ = self.padding
        finer_first, finer_last = first * self.down, (last - 1) * self.down + down_taps
        above = max((finer_first - top) // self.up, 0)
        below = min((finer_last - 1 - top + up_taps - 1) // self.up + 1, height)
        own_top = top + above * self.up - finer_first
        own_bottom = finer_last - finer_first - (below - above) * self.up - own_top + up_taps - 1
        return above, below, replace(self, padding=(left, right, own_top, own_bottom))


def filtered_lrelu_in_strips(x: torch.Tensor, how: Resampling) -> torch.Tensor:
    """`filtered_lrelu`, on a CPU without gradients some rows at a time, so that the finer maps stay in its caches."""
    left, right, top, bottom = how.padding
    columns = x.shape[3] * how.up + left + right - how.up_filter.shape[-1] + 1
    taps = how.up_filter.shape[0] + how.down_filter.shape[0]
    height = (x.shape[2] * how.up + top + bottom - taps + how.down + 1) // how.down
    rows = max(FINER_NUMBERS // (x.shape[1] * columns * how.down), 1)
    if rows >= height or x.device.type != "cpu" or torch.is_grad_enabled():
        return filtered_lrelu(x, how)
    strips = []
    for row in range(0, height, rows):
        first, last, own = how.of_rows(row, min(row + rows, height), x.shape[2])
        strips.append(filtered_lrelu(x[:, :, first:last], own))
    return torch.cat(strips, 2)


def filtered_lrelu(x: torch.Tensor, how: Resampling) -> torch.Tensor:
    """Sample x `[B, C, H, W]` more finely, leaky ReLU with its gain, clamp to ±clamp, sample it coarsely again."""
    # The leaky ReLU's gain is applied to its input: lrelu(a)·g = lrelu(a·g) for g > 0, and it is free there.
    x = finer(x, how.up_filter, how.up, how.padding, LRELU_GAIN)
    return coarser(activate(x, None, how.clamp), how.down_filter, how.down)


def finer(
    x: torch.Tensor, fir: torch.Tensor, up: int, padding: tuple[int, int, int, int], gain: float = 1.0
) -> torch.Tensor:
    """Insert up − 1 zeros after every pixel, pad, filter, multiply by up² and the gain: `[B, C, H', W']`."""
    left, right, top, bottom = padding
    if fir.ndim == 2:
        return stretched(x, fir * (gain * up**2), (up, up), padding)
    x = stretched(x, fir[:, None] * up, (up, 1), (0, 0, top, bottom))
    return stretched(x, fir[None] * (up * gain), (1, up), (left, right, 0, 0))


def coarser(x: torch.Tensor, fir: torch.Tensor, down: int) -> torch.Tensor:
    """Filter, without padding, and keep every `down`-th pixel in both axes: `[B, C, H', W']`."""
    if fir.ndim == 2:
        return strided(x, fir, (down, down))
    return strided(strided(x, fir[:, None], (down, 1)), fir[None], (1, down))


def stretched(
    x: torch.Tensor, kernel: torch.Tensor, stride: tuple[int, int], padding: tuple[int, int, int, int]
) -> torch.Tensor:
    """`finer` with a kernel `[h, w]`, by a transposed convolution, which makes more pixels than padding asks for."""
    height, width = kernel.shape
    left, right, top, bottom = padding
    surplus = (  # what to cut off before and after, in the order of `padding`
        width - 1 - left,
        width - stride[1] - right,
        height - 1 - top,
        height - stride[0] - bottom,
    )
    columns, rows = max(min(surplus[:2]), 0), max(min(surplus[2:]), 0)
    weight = kernel.to(x).expand(x.shape[1], 1, -1, -1)
    x = F.conv_transpose2d(x, weight, stride=stride, padding=(rows, columns), groups=x.shape[1])
    rest = (columns - surplus[0], columns - surplus[1], rows - surplus[2], rows - surplus[3])
    return F.pad(x, rest) if any(rest) else x


def strided(x: torch.Tensor, kernel: torch.Tensor, stride: tuple[int, int]) -> torch.Tensor:
    """A convolution, in the strict sense, of every map with the kernel `[h, w]`."""
    weight = kernel.flip(0, 1).to(x).expand(x.shape[1], 1, -1, -1)
    return F.conv2d(x, weight, stride=stride, groups=x.shape[1])


def styled_convolution(weight: torch.Tensor, squares: torch.Tensor, padded: bool) -> Convolution:
    """The convolution of a layer, with the padding that makes its maps larger by kernel − 1 pixels.

    weight: `[O, I, k, k]`. squares: `engine.styles.squared(weight)`. padded: whether its input has that above and
    below.
    """

    def apply(x: torch.Tensor, weight: torch.Tensor, *, bias: torch.Tensor | None = None) -> torch.Tensor:
        padding = weight.shape[2] - 1
        return F.conv2d(x, weight, bias, padding=(0 if padded else padding, padding))

    return Convolution(weight, squares, apply, relative=True)
