"""The operations of StyleGAN2's synthesis network (Karras et al. 2020, arXiv:1912.04958).

A style scales the activations on their way into a convolution, and demodulation scales them on their way out.
That equals the paper's per-sample weights (section 2.2, equations 1–3) because a convolution is linear, and one
shared weight serves the whole batch. A single picture takes the paper's way where the weight is smaller than the maps,
on a CPU and on an NVIDIA GPU.

All feature maps are channels-last. Where no gradient is wanted, element-wise work happens in place.
"""

import math

import torch
import torch.nn.functional as F

from ...networks import Derived

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)

FEW_CHANNELS = 4
"""Those of pictures, at most."""

MAPS_AT_ONCE = 512
"""Maps of a float32 convolution on a GPU at most: to 1024 and more of them, cuDNN takes a way forty times as long."""

FLOATS_AT_ONCE = 1 << 18
"""Numbers of half precision that are copied to float32 at a time on a CPU."""


def fir_filter(taps=(1.0, 3.0, 3.0, 1.0)) -> torch.Tensor:
    """The separable low-pass filter as a normalised outer product, float32 `[4, 4]`."""
    line = torch.tensor(taps, dtype=torch.float32)
    line = line / line.sum()
    return torch.outer(line, line)


def modulated_conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    style: torch.Tensor,
    fir: torch.Tensor | None = None,
    gain: float = 1.0,
    bias: torch.Tensor | None = None,
    squares: torch.Tensor | None = None,
) -> torch.Tensor:
    """Modulated and demodulated convolution, upsampling by two when `fir` is given.

    x: `[B, I, H, W]`.
    weight: `[O, I, k, k]`.
    style: float32 `[B, I]`, s in the paper's equation 1.
    fir: `[4, 4]` low-pass filter that follows the transposed convolution, or None for no upsampling.
    gain: factor on the result.
    bias: `[O]`, added after the gain.
    squares: `squared(weight)`, where it is at hand.
    Returns `[B, O, H', W']`, H' being H or 2·H.
    """
    if x.dtype == torch.float16:
        # Demodulation cancels any factor on the style; this one keeps sums inside float16's range.
        fan_in = weight[0].numel()
        style = style / (style.abs().amax(1, keepdim=True).clamp_min(1e-8) * math.sqrt(fan_in))
    if squares is None:
        squares = squared(weight)
    demodulation = torch.rsqrt(style.square() @ squares.t() + 1e-8) * gain  # [B, O], equation 3
    bias = None if bias is None else bias.to(x.dtype)

    # A gradient for the style alone is cheaper through the maps: through the weight it takes one for every weight.
    through_maps = torch.is_grad_enabled() and style.requires_grad and not weight.requires_grad
    if not through_maps and weighs_less(weight, x, fir):
        weight = weight * (demodulation.t() * style)[:, :, None, None].to(weight.dtype)
        return filtered_conv(x, weight, fir, bias)
    x = x * style.to(x.dtype)[:, :, None, None]
    x = scale(filtered_conv(x, weight, fir), demodulation)
    return x if bias is None else x.add_(bias[:, None, None])


def squared(weight: torch.Tensor) -> torch.Tensor:
    """Sums over the pixels of a weight's squares, float32: `[O, I, k, k]` → `[O, I]`."""
    return weight.float().square().sum([2, 3])


class Squares(Derived):
    """`squared` of a layer's weight."""

    def make(self, weight: torch.Tensor) -> torch.Tensor:
        return squared(weight)


def weighs_less(weight: torch.Tensor, x: torch.Tensor, fir: torch.Tensor | None) -> bool:
    """Whether to scale the weight rather than the maps: for one picture, where it has fewer numbers."""
    outputs = x.shape[2] * x.shape[3] * weight.shape[0] * (1 if fir is None else 4)
    return x.device.type in ("cpu", "cuda") and len(x) == 1 and weight.numel() < x.numel() + outputs


def filtered_conv(
    x: torch.Tensor, weight: torch.Tensor, fir: torch.Tensor | None, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """The convolution itself, `[B, I, H, W]` → `[B, O, H', W']`; arguments as for `modulated_conv`."""
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
        y = torch.cat([F.conv2d(x, part, padding=1) for part in merged.split(MAPS_AT_ONCE)], 1)
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


def scale(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """x `[B, C, H, W]` times factor `[B, C]`, in place where no gradient is wanted."""
    factor = factor.to(x.dtype)[:, :, None, None]
    traced = torch.is_grad_enabled() and (x.requires_grad or factor.requires_grad)
    return x * factor if traced else x.mul_(factor)


def activate(x: torch.Tensor, noise: torch.Tensor | None, clamp: float | None) -> torch.Tensor:
    """Add noise, then leaky ReLU without its gain, then clamp to ±clamp: what a layer does after its convolution.

    x and noise: anything that broadcasts; x is overwritten.
    """
    if noise is not None:
        x.add_(noise.to(x.dtype))
    x = F.leaky_relu_(x, LRELU_SLOPE)
    if clamp is None:
        return x
    return x.clamp(-clamp, clamp) if torch.is_grad_enabled() else x.clamp_(-clamp, clamp)


def colours(pixels: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A 1×1 convolution: pixels `[B, N, I]`, float32 weight `[B, C, I]` and bias `[C]` → float32 `[B, C, N]`."""
    if pixels.device.type == "cuda" and pixels.dtype == torch.float16:
        # Products are summed up in float32 there; what is rounded before and after is a fraction of a grey level.
        return torch.bmm(weight.half(), pixels.transpose(1, 2)).float() + bias[:, None]
    # Of half precision, as many pixels at a time as leave their float32 copy in the processor's cache.
    copied = pixels.device.type == "cpu" and pixels.dtype != torch.float32
    size = FLOATS_AT_ONCE // pixels.shape[2] if copied else pixels.shape[1]
    parts = (part.float().transpose(1, 2) for part in pixels.split(size, 1))
    return torch.cat([torch.baddbmm(bias[:, None], weight, part) for part in parts], 2)


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
