"""A whole layer by the fastest way that there is for it."""

import torch

from . import fused
from .compiled import activate
from .steps import LRELU_GAIN
from .styles import Convolution, Style


def styled_layer(
    x: torch.Tensor,
    style: Style,
    convolution: Convolution,
    noise: torch.Tensor | None,
    noise_strength: torch.Tensor,
    bias: torch.Tensor,
    clamp: float | None,
) -> torch.Tensor:
    """Modulate, convolve and demodulate, add noise and bias, leaky ReLU with its gain, clamp to ±clamp.

    x: `[B, I, H, W]`, channels-last. noise: `[H', W']`, `[B, 1, H', W']` or None. bias: `[O]`.
    Returns `[B, O, H', W']`.
    """
    # The leaky ReLU's gain is applied to its input: lrelu(a)·g = lrelu(a·g) for g > 0, and it is free there.
    bias = bias * LRELU_GAIN
    in_one = fused.fuses(x)  # the bias as well; else it comes with the convolution
    x = style.convolve(x, convolution, LRELU_GAIN, None if in_one else bias)
    if noise is not None:
        noise = noise * (noise_strength * LRELU_GAIN)
    return fused.finish(x, bias, noise, clamp) if in_one else activate(x, noise, clamp)
