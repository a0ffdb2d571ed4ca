"""Pictures that take other styles inside regions, in one pass.

Coarse convolutions carry what happens in one place far across the picture, so no map of 4 to 32 pixels keeps a region
apart. The coarse blocks are cheap, though: they are drawn once for every stream, in one batch. Their features are
blended at 32 or 64 pixels, and from there on one pass goes on with maps of styles.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
import torch.nn.functional as F

from .noise import Noise, NoiseSource, RepeatedNoise
from .parts import CHUNK, gathered, parts_of, pass_through, run
from .spatial import SpatialStyle, blend
from .stages import Stage, fields_of
from .styles import Style, UniformStyle
from .synthesis import Synthesis

BLEND_AT, BLEND_LAST = 32, 64
"""Where the streams are blended, at most: the second where no style differs after it, so that no maps follow. A quarter
of the picture if that is less. Of the change outside a region, 8 px of 256 away from its seam, blending at 16 px lets
up to 7 % through, at 32 px 1 % and more where fine styles do not differ, at 64 px 0.02 %."""


def draw_regions(
    synthesis: Synthesis,
    streams: Sequence[Sequence[torch.Tensor]],
    masks: torch.Tensor,
    noise_mode: str = "const",
    noise_seed: int | Sequence[int] | None = None,
    resolution: int | None = None,
) -> torch.Tensor:
    """Draw pictures of several streams of styles, each inside its region.

    streams: S of what `synthesis.styles` gives; the first is the picture around the regions.
    masks: uint8 `[S − 1, B, H, W]`, 0 outside and 255 inside the regions of the others; later ones lie on top.
    The rest, and what is returned, as for `Synthesis.draw`.
    """
    for styles in streams:
        synthesis.check(styles, noise_mode, resolution)
    modules = [torch.stack(styles) for styles in zip(*streams, strict=True)]  # [S, B, channels] each
    noise = NoiseSource(noise_mode, noise_seed, len(streams[0][0]))
    stages = synthesis.stages(resolution)
    coarse = _up_to(stages, synthesis, BLEND_LAST)
    if not all(map(_same, modules[_count(coarse) :])):
        coarse = _up_to(stages, synthesis, BLEND_AT)
    first = _count(coarse)

    def parts() -> Iterator[torch.Tensor]:
        for part in parts_of(masks.shape[1], CHUNK):
            own = [style[:, part] for style in modules]
            shares = _shares(masks[:, part].to(modules[0]) / 255, synthesis.stages())
            features, image = _run_streams(coarse, own[:first], shares, noise[part])
            if image is not None and len(coarse) == len(stages):
                yield image
            else:
                rest: list[Style] = [
                    UniformStyle(style[0]) if _same(style) else SpatialStyle(style, shares)
                    for style in own[first:]
                ]
                yield from run(stages[len(coarse) :], features, image, rest, noise[part])

    with synthesis.drawing(modules):
        return gathered(parts(), masks.shape[1])


def _up_to(stages: Sequence[Stage], synthesis: Synthesis, size: int) -> list[Stage]:
    """The stages of at most `size` pixels and a quarter of the picture."""
    every = synthesis.stages()
    most = max(every[0].rate, min(size, every[-1].rate // 4))
    return [stage for stage in stages if stage.rate <= most]


def _count(stages: Sequence[Stage]) -> int:
    """How many styles the stages take."""
    return sum(len(stage.styled()) for stage in stages)


def _run_streams(
    stages: Sequence[Stage],
    modules: Sequence[torch.Tensor],
    shares: dict[int, torch.Tensor],
    noise: Noise,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The features and the picture after `stages`, of all streams, blended at the end."""
    features: torch.Tensor | None = None
    image: torch.Tensor | None = None
    remaining = iter(modules)
    drawn = 1  # streams: all are the same up to the first style that differs
    for stage in stages:
        own = list(islice(remaining, len(stage.styled())))
        if drawn == 1 and not all(map(_same, own)):
            drawn = len(own[0])
            features, image = (x if x is None else x.repeat(drawn, 1, 1, 1) for x in (features, image))
        stacked = [UniformStyle(style[:drawn].flatten(0, 1)) for style in own]
        features, image = pass_through(stage, features, image, stacked, RepeatedNoise(noise, drawn))
    assert features is not None
    if drawn == 1:
        return features, image
    features = blend(torch.unflatten(features, 0, (drawn, -1)), shares[features.shape[3]])
    if image is not None:
        image = blend(torch.unflatten(image, 0, (drawn, -1)), shares[image.shape[3]])
    return features.contiguous(memory_format=torch.channels_last), image


def _shares(masks: torch.Tensor, stages: Sequence[Stage]) -> dict[int, torch.Tensor]:
    """How much of every place belongs to each region: `[S − 1, B, 1, h, w]` by the width of maps, of all stages.

    masks: `[S − 1, B, H, W]` of the size of the picture. What lies beyond it is as at its edge.
    """
    shares: list[torch.Tensor] = []
    free = torch.ones_like(masks[0])
    for mask in masks.flip(0):  # from the top
        shares.insert(0, mask * free)
        free = free * (1 - mask)
    share = torch.stack(shares)
    fields = fields_of(stages)
    width, full = share.shape[3], stages[-1].fields()[stages[-1].shape[1]]
    # Wide enough for the maps that reach beyond the picture, and for halving as often as there are coarser ones.
    halvings = (full // min(fields.values())).bit_length() - 1
    beyond = max(-(-(own * full // rate - width) // 2) for own, rate in fields.items())
    margin = -(-beyond >> halvings << halvings) if beyond > 0 else 0
    share = F.pad(share, (margin,) * 4, mode="replicate")
    by_width = {}
    rate = full
    while True:
        for own in (own for own, its in fields.items() if its == rate):
            height = own * share.shape[2] // share.shape[3]
            top, left = (share.shape[2] - height) // 2, (share.shape[3] - own) // 2
            by_width[own] = share[..., top : top + height, left : left + own][:, :, None]
        if rate <= min(fields.values()):
            return by_width
        share, rate = F.avg_pool2d(share, 2), rate // 2


def _same(style: torch.Tensor) -> bool:
    return all(torch.equal(style[0], other) for other in style[1:])
