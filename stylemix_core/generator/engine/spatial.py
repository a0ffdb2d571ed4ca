"""Styles that differ from place to place, for one pass of the synthesis network.

A layer's input is modulated with a map of styles and its output demodulated with a map of coefficients. Where a map
is constant for as far as the convolution reaches, that is the ordinary layer; across a seam the styles fade into
each other. Feature maps are channels-last.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from .cuts import Cut, drop
from .styles import Convolution


@dataclass(frozen=True)
class SpatialStyle:
    """The styles of one module in several streams, and where each of them acts."""

    styles: torch.Tensor
    """float32 `[S, B, channels]`; the first stream is what acts where no other does."""
    shares: Mapping[int, torch.Tensor]
    """Width of maps → float32 `[S − 1, B, 1, h, w]`: the share of every stream but the first at each place."""

    def __len__(self) -> int:
        return self.styles.shape[1]

    def __getitem__(self, part: slice) -> "SpatialStyle":
        return SpatialStyle(
            self.styles[:, part], {width: share[:, part] for width, share in self.shares.items()}
        )

    def strip(self, first: int, last: int, height: int) -> "SpatialStyle":
        shares = {
            width: share[..., first * share.shape[-2] // height : last * share.shape[-2] // height, :]
            for width, share in self.shares.items()
            if share.shape[-2] in (height, 2 * height)
        }
        return SpatialStyle(self.styles, shares)

    def drop(self, cut: Cut, times: int) -> "SpatialStyle":
        if not times or not any(cut):
            return self
        return SpatialStyle(
            self.styles, {width: drop(share, cut, times) for width, share in self.shares.items()}
        )

    def convolve(
        self,
        x: torch.Tensor,
        convolution: Convolution,
        gain: float | torch.Tensor = 1.0,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        styles = self.styles
        if x.dtype == torch.float16:  # as in `UniformStyle`, by the same factor in every stream
            largest = styles.abs().amax((0, 2), keepdim=True).clamp_min(1e-8)
            styles = styles / (largest * math.sqrt(convolution.weight[0].numel()))
        demodulation = convolution.demodulation(styles) * gain  # [S, B, O]
        convolved = convolution.apply(self._scale(x, styles), convolution.weight)
        return self._scale(convolved, demodulation, bias)

    def colour(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        weights = weight * (self.styles / math.sqrt(channels))[:, :, None, :]  # [S, B, C, I]
        # What the other streams add to the first one: linear, and few maps.
        weights = torch.cat([weights[:1], weights[1:] - weights[:1]]).transpose(0, 1).flatten(1, 2)
        pixels = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)  # a view: x is channels-last
        maps = torch.bmm(weights, pixels.float().transpose(1, 2))  # [B, S·C, H·W]
        first, *others = maps.reshape(batch, -1, len(weight), height, width).unbind(1)
        rgb = first + bias[:, None, None]
        for share, other in zip(self.shares[width], others, strict=True):
            rgb = torch.addcmul(rgb, share, other)
        return rgb

    def _scale(
        self, x: torch.Tensor, factors: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """x `[B, C, H, W]` times the map of factors `[S, B, C]`, plus a bias `[C]`."""
        pixels = x.permute(0, 2, 3, 1)  # [B, H, W, C]: x is channels-last
        factors = factors.to(x.dtype)[:, :, None, None]
        field = factors[0]
        for share, factor in zip(self.shares[x.shape[3]], factors[1:], strict=True):
            field = torch.addcmul(field, share.permute(0, 2, 3, 1).to(x.dtype), factor - factors[0])
        if torch.is_grad_enabled() and (x.requires_grad or field.requires_grad):
            scaled = field * pixels
        else:
            scaled = field.mul_(pixels)
        if bias is not None:
            scaled.add_(bias.to(x.dtype))
        return scaled.permute(0, 3, 1, 2)


def blend(streams: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """One map of several: `[S, B, C, H, W]` and `[S − 1, B, 1, H, W]` → `[B, C, H, W]`."""
    result = streams[0]
    for share, stream in zip(shares, streams[1:], strict=True):
        result = torch.addcmul(result, share.to(stream.dtype), stream - streams[0])
    return result
