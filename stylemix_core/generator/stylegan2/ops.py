"""The operations of StyleGAN2's synthesis network (Karras et al. 2020, arXiv:1912.04958).

How styles modulate them stands in `generator.engine.styles`. All feature maps are channels-last.
"""

import torch
import torch.nn.functional as F

from ..engine.styles import Convolution

FEW_CHANNELS = 4
"""Those of pictures, at most."""

MAPS_AT_ONCE = 512
"""Maps of a float32 convolution on a GPU at most: to 1024 and more of them, cuDNN takes a way forty times as long."""


def fir_filter(taps: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)) -> torch.Tensor:
    """The separable low-pass filter as a normalised outer product, float32 `[4, 4]`."""
    line = torch.tensor(taps, dtype=torch.float32)
    line = line / line.sum()
    return torch.outer(line, line)


def styled_convolution(
    weight: torch.Tensor, squares: torch.Tensor, fir: torch.Tensor | None = None
) -> Convolution:
    """The convolution of a layer, upsampling by two when `fir` is given.

    weight: `[O, I, k, k]`. squares: `squared(weight)`.
    fir: `[4, 4]` low-pass filter that follows the transposed convolution.
    """

    def apply(x: torch.Tensor, weight: torch.Tensor, *, bias: torch.Tensor | None = None) -> torch.Tensor:
        return filtered_conv(x, weight, fir, bias)

    return Convolution(weight, squares, apply, 1 if fir is None else 4)


def filtered_conv(
    x: torch.Tensor, weight: torch.Tensor, fir: torch.Tensor | None, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """A convolution, of twice the size where there is a filter: `[B, I, H, W]` → `[B, O, H', W']`, H' being H or 2·H.

    weight: `[O, I, k, k]`. fir: `[4, 4]`, follows the transposed convolution; None for no upsampling. bias: `[O]`.
    """
    if fir is None:
        return F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
    if x.device.type == "cuda":
        return filtered_conv_in_phases(x, weight, fir, bias)
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    kernel = (fir * 4).to(x.dtype).expand(x.shape[1], 1, -1, -1)
    return F.conv2d(x, kernel, bias, padding=1, groups=x.shape[1])


def filtered_conv_in_phases(
    x: torch.Tensor, weight: torch.Tensor, fir: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """`filtered_conv` with upsampling, as one convolution of the small maps, for GPUs.

    Transposed convolution and filter are one linear map: of a result's pixel in an even or an odd row and column, it
    takes the 3×3 pixels around it, with weights of its own for each of the four cases. That is four times the
    arithmetic, but reads and writes the large maps once less; and the libraries' depthwise filters are slow there.
    """
    batch, _, height, width = x.shape
    taps = weight.permute(2, 3, 0, 1).reshape(9, -1).float()  # [9, O·I]
    merged = (phases(fir).flatten(0, 1) @ taps).view(4, 9, *weight.shape[:2]).transpose(1, 2)  # [4, O, 9, I]
    merged = merged.to(weight.dtype, memory_format=torch.contiguous_format)
    merged = merged.reshape(-1, 3, 3, weight.shape[1]).permute(0, 3, 1, 2)  # [4·O, I, 3, 3]
    if x.dtype == torch.float32 and len(merged) > MAPS_AT_ONCE:
        y = torch.cat([F.conv2d(x, part, padding=1) for part in torch.split(merged, MAPS_AT_ONCE)], 1)
    else:
        y = F.conv2d(x, merged, padding=1)
    # The numbers of a pixel: those of the rows' parity, of the columns', of the maps.
    y = y.permute(0, 2, 3, 1).view(batch, height, width, 2, 2, len(weight))
    y = y.transpose(2, 3).reshape(batch, 2 * height, 2 * width, len(weight)).permute(0, 3, 1, 2)
    return y if bias is None else y.add_(bias[:, None, None])


def phases(fir: torch.Tensor) -> torch.Tensor:
    """How the 3×3 weights of `filtered_conv_in_phases` come from those of the layer: `[4, 4]` → float32 `[4, 9, 9]`.

    In one dimension: y[2q+s] = Σ_t fir[t] z[2q+s+t−1] and z[2i+j] = Σ_i w[j] x[i], so the weight of x[q+k−1] is
    Σ_j w[j] fir[j−s−1+2k].
    """
    padded = F.pad(fir * 4, (2, 2, 2, 2))  # [8, 8]: fir[−2] … fir[5]
    # s runs from 1 to 0 here, as strides cannot be negative.
    taps = padded.as_strided((2, 2, 3, 3, 3, 3), (8, 1, 16, 2, 8, 1))
    return taps.flip(0, 1).reshape(4, 9, 9)


def upsample(x: torch.Tensor, fir: torch.Tensor) -> torch.Tensor:
    """Twice the size by zero insertion and the low-pass filter; `[B, C, H, W]` → `[B, C, 2H, 2W]`."""
    channels = x.shape[1]
    if x.device.type == "cuda" and channels <= FEW_CHANNELS:
        return upsample_in_phases(x, fir)
    x = x.contiguous(memory_format=torch.channels_last)  # in the default layout it takes ten times as long
    kernel = (fir * 4).to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)


def upsample_in_phases(x: torch.Tensor, fir: torch.Tensor) -> torch.Tensor:
    """`upsample` of few channels as a product of matrices, for GPUs: of a convolution, cuDNN would first compile a
    kernel for every size, for a fifth of a second each."""
    batch, channels, height, width = x.shape
    # In one dimension y[2q+s] = Σ_k fir[s+3−2k] x[q+k−1]. k runs from 2 to 0 here, as strides cannot be negative.
    taps = F.pad(fir * 4, (1, 1, 1, 1)).as_strided((2, 2, 3, 3), (6, 1, 12, 2)).flip(2, 3).reshape(4, 9)
    around = F.unfold(x, 3, padding=1).view(batch * channels, 9, height * width)
    y = torch.bmm(taps.to(x.dtype).expand(len(around), -1, -1), around)  # [B·C, 4, H·W]
    return F.pixel_shuffle(y.view(batch, 4 * channels, height, width), 2)
