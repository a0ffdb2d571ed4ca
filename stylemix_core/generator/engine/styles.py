"""How styles act on a layer: modulation and demodulation (StyleGAN2: Karras et al. 2020, arXiv:1912.04958).

A style scales the activations on their way into a convolution, and demodulation scales them on their way out.
That equals the paper's per-sample weights (section 2.2, equations 1–3) because a convolution is linear, and one
shared weight serves the whole batch. A single picture takes the paper's way where the weight is smaller than the maps,
on a CPU and on an NVIDIA GPU.

`UniformStyle` is the same in the whole picture; `spatial.SpatialStyle` differs from place to place.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch

from ...networks import Derived
from .compiled import colours
from .cuts import Cut
from .steps import scale

EPSILON = 1e-8
"""Keeps demodulation finite."""


class Linear(Protocol):
    """A convolution itself: `[B, I, H, W]`, a weight `[O, I, k, k]` and a bias `[O]` → `[B, O, H', W']`."""

    def __call__(
        self, x: torch.Tensor, weight: torch.Tensor, *, bias: torch.Tensor | None = None
    ) -> torch.Tensor: ...


@dataclass(frozen=True)
class Convolution:
    """A convolution that a style modulates, before it does."""

    weight: torch.Tensor
    """`[O, I, k, k]`."""
    squares: torch.Tensor
    """`squared(weight)`, for demodulation."""
    apply: Linear
    """Linear in its maps and in its weight, whatever filters follow."""
    growth: int = 1
    """Pixels of the result for every one of the input: 4 where it doubles the size."""
    relative: bool = False
    """Whether demodulation's ε is relative to the weights and styles, as in StyleGAN3, which normalises both first."""

    def demodulation(self, styles: torch.Tensor) -> torch.Tensor:
        """The factors `[…, O]` of styles `[…, I]` that bring every map to a variance of one (equation 3)."""
        epsilon: torch.Tensor | float = EPSILON
        if self.relative:
            pixels = self.weight.shape[2] * self.weight.shape[3]
            epsilon = EPSILON * styles.square().mean(-1, keepdim=True) * self.squares.mean(1) / pixels
        return torch.rsqrt(styles.square() @ self.squares.t() + epsilon)


class Style(Protocol):
    """The styles of one module, for a batch of pictures."""

    def __len__(self) -> int:
        """How many pictures."""
        ...

    def __getitem__(self, part: slice) -> "Style":
        """The styles of some of the pictures."""
        ...

    def strip(self, first: int, last: int, height: int) -> "Style":
        """Those of a strip: rows `first` to `last` of the input's `height`."""
        ...

    def drop(self, cut: Cut, times: int) -> "Style":
        """Those of maps that a cut was dropped from."""
        ...

    def convolve(
        self,
        x: torch.Tensor,
        convolution: Convolution,
        gain: float | torch.Tensor = 1.0,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Modulate x `[B, I, H, W]`, convolve, demodulate: `[B, O, H', W']`.

        gain: factor on the result. bias: `[O]`, added after the gain.
        """
        ...

    def colour(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """A to-RGB, without demodulation: x `[B, I, H, W]`, weight `[C, I]`, bias `[C]` → float32 `[B, C, H, W]`."""
        ...


@dataclass(frozen=True)
class UniformStyle:
    """The styles of one module where they are the same in the whole picture."""

    values: torch.Tensor
    """float32 `[B, I]`, s in the paper's equation 1."""

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, part: slice) -> "UniformStyle":
        return UniformStyle(self.values[part])

    def strip(self, first: int, last: int, height: int) -> "UniformStyle":
        return self

    def drop(self, cut: Cut, times: int) -> "UniformStyle":
        return self

    def convolve(
        self,
        x: torch.Tensor,
        convolution: Convolution,
        gain: float | torch.Tensor = 1.0,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        style, weight = self.values, convolution.weight
        if x.dtype == torch.float16:
            # Demodulation cancels any factor on the style; this one keeps sums inside float16's range.
            fan_in = weight[0].numel()
            style = style / (style.abs().amax(1, keepdim=True).clamp_min(1e-8) * math.sqrt(fan_in))
        demodulation = convolution.demodulation(style) * gain  # [B, O]
        bias = None if bias is None else bias.to(x.dtype)

        # A gradient for the style alone is cheaper through the maps: through the weight it takes one for every weight.
        through_maps = torch.is_grad_enabled() and style.requires_grad and not weight.requires_grad
        if not through_maps and weighs_less(convolution, x):
            weight = weight * (demodulation.t() * style)[:, :, None, None].to(weight.dtype)
            return convolution.apply(x, weight, bias=bias)
        x = x * style.to(x.dtype)[:, :, None, None]
        x = scale(convolution.apply(x, weight), demodulation)
        return x if bias is None else x.add_(bias[:, None, None])

    def colour(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        # With so few outputs it is cheaper to scale the weights than the activations.
        batch, channels, height, width = x.shape
        style = self.values / math.sqrt(channels)
        weights = weight * style[:, None, :]  # [B, C, I]
        pixels = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)  # a view: x is channels-last
        return colours(pixels, weights, bias).reshape(batch, len(weight), height, width)


def weighs_less(convolution: Convolution, x: torch.Tensor) -> bool:
    """Whether to scale the weight rather than the maps: for one picture, where it has fewer numbers."""
    weight = convolution.weight
    outputs = x.shape[2] * x.shape[3] * weight.shape[0] * convolution.growth
    return x.device.type in ("cpu", "cuda") and len(x) == 1 and weight.numel() < x.numel() + outputs


def squared(weight: torch.Tensor) -> torch.Tensor:
    """Sums over the pixels of a weight's squares, float32: `[O, I, k, k]` → `[O, I]`."""
    return weight.float().square().sum([2, 3])


class Squares(Derived):
    """`squared` of a layer's weight."""

    def make(self, weight: torch.Tensor) -> torch.Tensor:
        return squared(weight)
