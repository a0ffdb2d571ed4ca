"""Styles that differ from place to place, for one pass of the synthesis network.

A layer's input is modulated with a map of styles and its output demodulated with a map of coefficients. Where a map
is constant for as far as the convolution reaches, that is the ordinary layer; across a seam the styles fade into
each other. Feature maps are channels-last, as in `ops`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class SpatialStyle:
    """The styles of one module in several streams, and where each of them acts."""

    styles: torch.Tensor
    """float32 `[S, B, channels]`; the first stream is what acts where no other does."""
    shares: Mapping[int, torch.Tensor]
    """Resolution → float32 `[S − 1, B, 1, r, r]`: the share of every stream but the first at each place."""

    def convolve(
        self, x: torch.Tensor, weight: torch.Tensor, fir: torch.Tensor | None, gain: float
    ) -> torch.Tensor:
        """`ops.modulated_conv` with these styles; x is changed in place where no gradient is wanted."""
        styles = self.styles
        if x.dtype == torch.float16:  # as in `modulated_conv`, by the same factor in every stream
            largest = styles.abs().amax((0, 2), keepdim=True).clamp_min(1e-8)
            styles = styles / (largest * math.sqrt(weight[0].numel()))
        squared = weight.float().square().sum([2, 3])  # [O, I]
        demodulation = torch.rsqrt(styles.square() @ squared.t() + 1e-8) * gain  # [S, B, O]
        x = self._scale(x, styles)
        if fir is None:
            x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        else:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            kernel = (fir * 4).to(x.dtype).expand(x.shape[1], 1, -1, -1)
            x = F.conv2d(x, kernel, padding=1, groups=x.shape[1])
        return self._scale(x, demodulation)

    def colour(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """A to-RGB with these styles: x `[B, I, H, W]`, weight `[C, I]`, bias `[C]` → float32 `[B, C, H, W]`."""
        batch, channels, height, width = x.shape
        weights = weight * (self.styles / math.sqrt(channels))[:, :, None, :]  # [S, B, C, I]
        # What the other streams add to the first one: linear, and few maps.
        weights = torch.cat([weights[:1], weights[1:] - weights[:1]]).transpose(0, 1).flatten(1, 2)
        pixels = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)  # a view: x is channels-last
        maps = torch.bmm(weights, pixels.float().transpose(1, 2))  # [B, S·C, H·W]
        first, *others = maps.reshape(batch, -1, len(weight), height, width).unbind(1)
        rgb = first + bias[:, None, None]
        for share, other in zip(self.shares[height], others, strict=True):
            rgb = torch.addcmul(rgb, share, other)
        return rgb

    def _scale(self, x: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        """x `[B, C, H, W]` times the map of factors `[S, B, C]`."""
        pixels = x.permute(0, 2, 3, 1)  # [B, H, W, C], contiguous: x is channels-last
        factors = factors.to(x.dtype)[:, :, None, None]
        field = factors[0]
        for share, factor in zip(self.shares[x.shape[2]], factors[1:], strict=True):
            field = torch.addcmul(field, share.permute(0, 2, 3, 1).to(x.dtype), factor - factors[0])
        traced = torch.is_grad_enabled() and (x.requires_grad or field.requires_grad)
        return (pixels * field if traced else pixels.mul_(field)).permute(0, 3, 1, 2)


def blend(streams: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """One map of several: `[S, B, C, H, W]` and `[S − 1, B, 1, H, W]` → `[B, C, H, W]`."""
    result = streams[0]
    for share, stream in zip(shares, streams[1:], strict=True):
        result = torch.addcmul(result, share.to(stream.dtype), stream - streams[0])
    return result
