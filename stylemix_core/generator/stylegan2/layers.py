"""The layers of the network."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..engine.layer import styled_layer
from ..engine.stages import Styled
from ..engine.styles import Squares, Style
from ..linear import EqualLinear
from .config import GeneratorConfig
from .ops import fir_filter, styled_convolution, upsample


class SynthesisLayer(Styled):
    """Modulated 3×3 convolution, noise, bias and leaky ReLU (section 2.2, figure 2c)."""

    noise_const: torch.Tensor
    resample_filter: torch.Tensor

    def __init__(
        self,
        config: GeneratorConfig,
        in_channels: int,
        out_channels: int,
        shape: tuple[int, int],
        up: bool = False,
    ):
        super().__init__()
        self.up = self.transposed = up
        self.conv_clamp = config.conv_clamp
        self.affine = EqualLinear(config.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.squares = Squares()
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(shape))
        self.register_buffer("resample_filter", fir_filter())

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "SynthesisLayer":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.squares.forget()  # the weights moved or changed their type
        return self

    def forward(self, x: torch.Tensor, style: Style, noise: torch.Tensor | None) -> torch.Tensor:
        # x [B, I, H, W], noise [H', W'] or [B, 1, H', W'] or None → [B, O, H', W'], twice the size where `up`
        fir = self.resample_filter if self.up else None
        convolution = styled_convolution(self.weight, self.squares(self.weight), fir)
        return styled_layer(x, style, convolution, noise, self.noise_strength, self.bias, self.conv_clamp)


class ToRGB(Styled):
    """Modulated 1×1 convolution to colours, without demodulation; in float32, but for float16 on a GPU."""

    to_rgb = True

    def __init__(self, config: GeneratorConfig, in_channels: int):
        super().__init__()
        self.conv_clamp = config.conv_clamp
        self.affine = EqualLinear(config.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))

    def forward(self, x: torch.Tensor, style: Style) -> torch.Tensor:
        # [B, I, H, W] → [B, C, H, W]
        rgb = style.colour(x, self.weight[:, :, 0, 0], self.bias)
        return rgb if self.conv_clamp is None else rgb.clamp(-self.conv_clamp, self.conv_clamp)


class Shortcut(nn.Module):
    """The resnet architecture's way around a block: 1×1 convolution and upsampling, nothing else."""

    resample_filter: torch.Tensor

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.register_buffer("resample_filter", fir_filter())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # [B, I, H/2, W/2] → [B, O, H, W]
        return upsample(F.conv2d(x, self.weight / math.sqrt(x.shape[1])), self.resample_filter)
