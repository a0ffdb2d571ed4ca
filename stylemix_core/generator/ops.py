"""The operations of StyleGAN2's synthesis network (Karras et al. 2020, arXiv:1912.04958).

Styles scale the activations on their way into a convolution, and demodulation scales them on their
way out. That equals the paper's per-sample weights (section 2.2, equations 1–3) because a
convolution is linear, and one shared weight serves the whole batch.

All feature maps are channels-last. Where no gradient is wanted, element-wise work happens in place.
"""

import math

import torch
import torch.nn.functional as F

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)


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
) -> torch.Tensor:
    """Modulated and demodulated convolution, upsampling by two when `fir` is given.

    x: `[B, I, H, W]`, changed in place where no gradient is wanted.
    weight: `[O, I, k, k]`.
    style: float32 `[B, I]`, s in the paper's equation 1.
    fir: `[4, 4]` low-pass filter that follows the transposed convolution, or None for no upsampling.
    gain: factor on the result.
    Returns `[B, O, H', W']`, H' being H or 2·H.
    """
    if x.dtype == torch.float16:
        # Demodulation cancels any factor on the style; this one keeps sums inside float16's range.
        fan_in = weight[0].numel()
        style = style / (style.abs().amax(1, keepdim=True).clamp_min(1e-8) * math.sqrt(fan_in))
    squared = weight.float().square().sum([2, 3])  # [O, I]
    demodulation = torch.rsqrt(style.square() @ squared.t() + 1e-8) * gain  # [B, O], equation 3

    x = scale(x, style)
    if fir is None:
        x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
    else:
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        kernel = (fir * 4).to(x.dtype).expand(x.shape[1], 1, -1, -1)
        x = F.conv2d(x, kernel, padding=1, groups=x.shape[1])
    return scale(x, demodulation)


def scale(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """x `[B, C, H, W]` times factor `[B, C]`, in place where no gradient is wanted."""
    factor = factor.to(x.dtype)[:, :, None, None]
    traced = torch.is_grad_enabled() and (x.requires_grad or factor.requires_grad)
    return x * factor if traced else x.mul_(factor)


def upsample(x: torch.Tensor, fir: torch.Tensor) -> torch.Tensor:
    """Twice the size by zero insertion and the low-pass filter; `[B, C, H, W]` → `[B, C, 2H, 2W]`."""
    channels = x.shape[1]
    kernel = (fir * 4).to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)
