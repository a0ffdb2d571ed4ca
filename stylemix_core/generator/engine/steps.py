"""What layers do beside their convolutions, step by step; `compiled` and `fused` do the same in one pass.

Feature maps are channels-last. Where no gradient is wanted, element-wise work happens in place.
"""

import math

import torch
import torch.nn.functional as F

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)

FLOATS_AT_ONCE = 1 << 18
"""Numbers of half precision that are copied to float32 at a time on a CPU."""


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
    parts = (part.float().transpose(1, 2) for part in torch.split(pixels, size, 1))
    return torch.cat([torch.baddbmm(bias[:, None], weight, part) for part in parts], 2)


def scale(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """x `[B, C, H, W]` times factor `[B, C]`, in place where no gradient is wanted."""
    factor = factor.to(x.dtype)[:, :, None, None]
    traced = torch.is_grad_enabled() and (x.requires_grad or factor.requires_grad)
    return x * factor if traced else x.mul_(factor)
