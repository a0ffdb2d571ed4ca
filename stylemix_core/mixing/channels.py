"""Those style channels that act in a region, and what a style changes in them."""

from dataclasses import dataclass

import torch

from ..codes.latents import Latents, check_generator
from ..codes.style_space import channels_in, choose_channels, pack, styles_of
from ..errors import LatentMismatchError
from ..generator import Generator
from ..generator.batches import Runner
from .pairing import Meeting


@dataclass(frozen=True, eq=False)
class ChannelPairs:
    """Sources, styles and the regions in which they meet; equally many of all."""

    sources: Latents
    styles: Latents
    regions: torch.Tensor
    """float32 `[N, H, W]`."""

    @classmethod
    def of(cls, meeting: Meeting, regions: torch.Tensor) -> "ChannelPairs":
        """The pairs of a meeting, or all its results where the masks have regions of their own.

        regions: float32 `[1 or masks, H, W]`. `LatentMismatchError` for sources with regions, which have several sets
        of channels.
        """
        if meeting.source.regions:
            raise LatentMismatchError(
                "the source's codes were injected in a region before; inject channels first, and in regions after that"
            )
        sources, styles = map(list, zip(*(pair for pair in meeting.pairs for _ in regions)))
        return cls(
            meeting.source.take(sources),
            meeting.style.take(styles),
            regions.repeat(len(meeting.pairs), 1, 1),
        )

    def __len__(self) -> int:
        return len(self.regions)

    def take(self, places: slice) -> "ChannelPairs":
        return ChannelPairs(self.sources.take(places), self.styles.take(places), self.regions[places])


def measure_channels(pairs: ChannelPairs, share: float, run: Runner) -> tuple[torch.Tensor, str | None]:
    """`channel_changes` of all pairs, and a sentence to warn with when the generator is another than the sources'."""
    warnings = set()

    def forward(generator: Generator, items: slice) -> torch.Tensor:
        part = pairs.take(items)
        warnings.add(check_generator(part.sources, generator))
        return channel_changes(generator, part, share)

    changes = run(len(pairs), forward)
    return changes, next(iter(warnings))


def channel_changes(generator: Generator, pairs: ChannelPairs, share: float) -> torch.Tensor:
    """What the style changes in those style channels that act inside the region, float32 `[N, 2, num_ws, C]`.

    share: how many of every module's channels, 0…1: those that act inside the most, in source and style together.
    """
    inside, everywhere = channels_in(generator, pairs.sources, pairs.regions)
    for sums, other in zip((inside, everywhere), channels_in(generator, pairs.styles, pairs.regions)):
        sums.add_(other)
    source, style = (pack(generator, styles_of(generator, codes)) for codes in (pairs.sources, pairs.styles))
    # Where a region is black no channel acts inside it, and any would be as good as another.
    painted = (pairs.regions.amax((1, 2)) > 0.5 / 255).to(style)[:, None, None, None]
    return choose_channels(inside, everywhere, share) * painted * (style - source)
