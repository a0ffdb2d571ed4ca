"""Pictures that take other styles inside regions, in one pass.

Coarse convolutions carry what happens in one place far across the picture, so no map of 4 to 32 pixels keeps a region
apart. The coarse blocks are cheap, though: they are drawn once for every stream, in one batch. Their features are
blended at `BLEND_AT` pixels, and from there on one pass goes on with maps of styles.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..device import exact_convolutions
from .network import NoiseSource, SynthesisNetwork
from .spatial import SpatialStyle, blend

BLEND_AT = 64
"""Where the streams are blended, at most; a quarter of the picture if that is less. Of the change outside a region
8 px of 256 away from its seam, blending at 16 px lets through up to 7 %, at 32 px up to 1 %, at 64 px 0.02 %."""


def draw_regions(
    synthesis: SynthesisNetwork,
    streams: Sequence[Sequence[torch.Tensor]],
    masks: torch.Tensor,
    noise_mode: str = "const",
    noise_seed: int | Sequence[int] | None = None,
    resolution: int | None = None,
) -> torch.Tensor:
    """Draw pictures of several streams of styles, each inside its region.

    streams: S of what `synthesis.styles` gives; the first is the picture around the regions.
    masks: float32 `[S − 1, B, R, R]` in 0…1, the regions of the others; later ones lie on top.
    The rest, and what is returned, as for `SynthesisNetwork.draw`.
    """
    count, batch = len(streams), len(streams[0][0])
    for styles in streams:
        synthesis.check(styles, noise_mode, resolution)
    noise = NoiseSource(noise_mode, noise_seed, batch)
    blend_at = min(BLEND_AT, synthesis.resolutions[max(0, len(synthesis.resolutions) - 3)])
    shares = _shares(masks, blend_at)
    modules = iter(torch.stack(styles) for styles in zip(*streams, strict=True))  # [S, B, channels]
    features: torch.Tensor | None = None
    image: torch.Tensor | None = None
    drawn = 1  # streams: all are the same until the first style that differs
    with exact_convolutions(masks):
        for block in synthesis.blocks():
            own = [next(modules) for _ in block.styled()]
            if block.resolution > blend_at:
                features, image = block(features, image, [_spatial(style, shares) for style in own], noise)
            else:
                if drawn < count and not all(map(_same, own)):
                    drawn = count
                    features = None if features is None else _repeat(features, count)
                    image = None if image is None else _repeat(image, count)
                stacked = [style[:drawn].flatten(0, 1) for style in own]
                features, image = block(features, image, stacked, _Repeated(noise, drawn))
                if drawn == count and (block.resolution in (blend_at, resolution)):
                    features = _blend(features, shares, count)
                    image = None if image is None else _blend(image, shares, count)
            if block.resolution == resolution:
                break
    assert image is not None  # the last block of every network draws
    return image


class _Repeated:
    """The noise of a batch, for every stream of it alike."""

    def __init__(self, source: NoiseSource, times: int):
        self.source, self.times = source, times

    def draw(self, const: torch.Tensor) -> torch.Tensor | None:
        noise = self.source.draw(const)
        return noise if noise is None or noise.ndim == 2 else noise.repeat(self.times, 1, 1, 1)


def _shares(masks: torch.Tensor, smallest: int) -> dict[int, torch.Tensor]:
    """How much of every place belongs to each region, by resolution: `[S − 1, B, 1, r, r]`."""
    shares: list[torch.Tensor] = []
    free = torch.ones_like(masks[0])
    for mask in masks.flip(0):  # from the top
        shares.insert(0, mask * free)
        free = free * (1 - mask)
    share = torch.stack(shares)
    by_resolution = {share.shape[-1]: share[:, :, None]}
    while share.shape[-1] > 4:
        share = F.avg_pool2d(share, 2)
        by_resolution[share.shape[-1]] = share[:, :, None]
    return by_resolution


def _same(style: torch.Tensor) -> bool:
    return all(torch.equal(style[0], other) for other in style[1:])


def _spatial(style: torch.Tensor, shares: dict[int, torch.Tensor]) -> "torch.Tensor | SpatialStyle":
    return style[0] if _same(style) else SpatialStyle(style, shares)


def _repeat(x: torch.Tensor, count: int) -> torch.Tensor:
    return x.repeat(count, 1, 1, 1).contiguous(memory_format=torch.channels_last)


def _blend(x: torch.Tensor, shares: dict[int, torch.Tensor], count: int) -> torch.Tensor:
    blended = blend(x.unflatten(0, (count, -1)), shares[x.shape[-1]])
    return blended.contiguous(memory_format=torch.channels_last)
