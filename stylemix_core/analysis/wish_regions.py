"""Where a wish looks: the regions that its words name, or the mask that stands for them, in sources and in styles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import torch

from ..errors import NoFaceError, StyleMixError
from ..faces.regions import GivenRegions, find_regions, regions_of, sureness
from ..images import as_masks
from .wish_text import REGIONS, WHOLES, Wish, unknown_region

LEFT_TO_KEEP = 0.2
"""What is to be kept is contradicted by the target where less of it than this lies outside of the target."""

Regions = Mapping[str, torch.Tensor]
"""Masks `[B, H, W]` in 0…1 by name."""


@dataclass(frozen=True, eq=False)
class Ends:
    """The pictures between which injections lie: none of the layers, and all of them."""

    sources: torch.Tensor
    """`[B, C, R, R]`."""
    styles: Sequence[torch.Tensor]
    """Of every pair, `[1, C, R, R]`. The first B pairs are those asked about; the others' styles are random faces."""
    source_of: Sequence[int]
    """The source of every pair."""


@dataclass(frozen=True, eq=False)
class WishRegions:
    """Where a wish looks. K regions that count alike, in 0…1."""

    target: torch.Tensor
    """In every source, `[B, K, H, W]`."""
    in_styles: Sequence[torch.Tensor]
    """In every pair's style, `[K, H, W]`."""
    keep: torch.Tensor | None
    """What must stay, in every source, `[B, H, W]`; None for nothing in particular."""
    sure: float
    """`sureness` of the target's regions, of the least sure picture; 1 where they were given."""


def find_wish_regions(
    ends: Ends,
    target: Wish | torch.Tensor,
    keep: Wish | torch.Tensor | None = None,
    regions: GivenRegions = None,
    style_regions: Regions | None = None,
) -> WishRegions:
    """Look for a target, and for what is to be kept, as `find_layers` takes them.

    `StyleMixError` when one is not there, or they contradict each other; `NoFaceError` when regions are named and a
    source shows no face.
    """
    named = any(isinstance(wish, Wish) and wish.names for wish in (target, keep))
    if named or isinstance(regions, Mapping):
        found: Regions = regions_of(as_colour(ends.sources), regions)
    else:
        found = {"picture": torch.ones_like(ends.sources[:, 0])}
    given = isinstance(regions, Mapping)
    given_in_styles = found if given else None
    source = regions if isinstance(regions, (str, PathLike)) else "auto"
    if style_regions is not None:
        styles = torch.cat([*ends.styles[: len(ends.sources)]])
        given_in_styles = regions_of(as_colour(styles), style_regions)

    places = _places(target, "target", found, ends)
    kept = None if keep is None else _places(keep, "region to keep", found, ends).amax(1)
    if kept is not None:
        _refuse_contradictions(places.amax(1), kept)
    in_styles = [
        _in_style(target, ends, pair, places[number], found, given_in_styles, source)
        for pair, number in enumerate(ends.source_of)
    ]
    # Masks that were given, and places that no words name, are sure.
    searched = [] if given else [*places]
    searched += [] if given_in_styles is not None else in_styles[: len(places)]
    by_name = isinstance(target, Wish) and target.names
    sure = min((float(sureness(masks).mean()) for masks in searched if by_name), default=1.0)
    return WishRegions(places, in_styles, kept, sure)


def regions_of_wish(wish: Wish, regions: Regions) -> torch.Tensor:
    """The wish's regions `[B, K, H, W]` in 0…1, one for each name. `StyleMixError` when one is not there."""
    if not wish.names:
        return torch.ones_like(next(iter(regions.values())))[:, None]
    parts = []
    for name in wish.names:
        own = name in regions and (name not in WHOLES or name not in REGIONS)  # "face" is all of it
        parts_of = (name,) if own else WHOLES.get(name, ())
        found = [regions[part] for part in parts_of if part in regions]
        if not found:
            raise unknown_region(name, regions)
        parts.append(torch.stack(found).sum(0).clamp(0, 1))
    masks = torch.stack(parts, 1)
    return 1 - masks.sum(1, keepdim=True).clamp(0, 1) if wish.elsewhere else masks


def as_colour(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures `[B, C, H, W]` as those in which faces are looked for."""
    return pictures[:, :3].expand(-1, 3, -1, -1).clamp(-1, 1)


def _places(wish: Wish | torch.Tensor, name: str, found: Regions, ends: Ends) -> torch.Tensor:
    """A wish's regions in the sources, `[B, K, H, W]`."""
    if isinstance(wish, Wish):
        places = regions_of_wish(wish, found)
    else:
        masks = as_masks(wish, f"the mask of the {name}", len(ends.sources), "source")
        places = regions_of(ends.sources, {name: masks})[name][:, None]
    if not (places.amax((1, 2, 3)) > 0.1).all():
        raise StyleMixError(f"the {name} is empty in a source's picture; choose another one, or paint a mask")
    return places


def _refuse_contradictions(target: torch.Tensor, keep: torch.Tensor) -> None:
    """`StyleMixError` when, in a source, what is to be kept `[B, H, W]` lies in the target."""
    left = (keep * (1 - target)).sum((1, 2)) / keep.sum((1, 2))
    if (left < LEFT_TO_KEEP).any():
        raise StyleMixError(
            "what is to be kept lies in the target, so it would have to change and stay; keep another region, or "
            "choose a target without it, as in 'everything but the face'"
        )


def _in_style(
    target: Wish | torch.Tensor,
    ends: Ends,
    pair: int,
    in_source: torch.Tensor,
    in_sources: Regions,
    given: Regions | None,
    source: str | PathLike[str],
) -> torch.Tensor:
    """The target in a pair's style, `[K, H, W]`: that in its source where there is nothing to find.

    in_sources: the sources' regions. given: those of the styles asked about, where they are known. source: by which
    others are found.
    """
    if not (isinstance(target, Wish) and target.names):
        return in_source
    if given is not None and pair < len(ends.sources):
        return regions_of_wish(target, _of_picture(given, pair))[0]
    try:
        found = find_regions(as_colour(ends.styles[pair]), source=source)
    except NoFaceError:
        return in_source
    fallback = _of_picture(in_sources, ends.source_of[pair])
    return regions_of_wish(target, {name: found.get(name, mask) for name, mask in fallback.items()})[0]


def _of_picture(regions: Regions, place: int) -> Regions:
    return {name: masks[place : place + 1] for name, masks in regions.items()}
