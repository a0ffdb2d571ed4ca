"""Masks of a user's own in the place of regions that are found."""

from collections.abc import Mapping
from os import PathLike

import torch

from ...errors import StyleMixError
from ...images import as_masks, resize
from ...wording import counted, there_are
from .find import find_regions

GivenRegions = Mapping[str, torch.Tensor] | str | PathLike[str] | None
"""Masks by name, or by which source they are to be found (see `find_regions`); None for "auto"."""


def regions_of(images: torch.Tensor, regions: GivenRegions = None) -> dict[str, torch.Tensor]:
    """The regions of pictures `[B, 3, H, W]`, found or given, each float32 `[B, H, W]` in 0…1.

    regions: None to find them, or by which source, as for `find_regions`; or masks of a user's own by name, of any
        size, one for all or one each, as `as_masks` takes them.
    Errors as for `find_regions` and `as_masks`.
    """
    if regions is None or isinstance(regions, (str, PathLike)):
        return find_regions(images, source=regions or "auto")
    count, _, height, width = images.shape
    if not regions:
        raise StyleMixError("there are no regions; give masks by name, or None to find them in the picture")
    checked = {}
    for name, mask in regions.items():
        mask = as_masks(mask, f"the region {name!r}", count)
        mask = resize(mask[:, None].to(images.device), height, width)[:, 0]
        checked[name] = mask.clamp(0, 1).expand(count, -1, -1)
    return checked


def name_masks(masks: torch.Tensor, names: str) -> dict[str, torch.Tensor]:
    """A batch of masks, as `as_masks` takes it, as regions, by names with commas in between; "region 1" and so on
    without names.

    Errors as there; `StyleMixError` when there are not as many names as masks, or one comes up again.
    """
    masks = as_masks(masks, "masks")
    given = [name.strip() for name in names.replace("\n", ",").split(",") if name.strip()]
    given = given or [f"region {number}" for number in range(1, len(masks) + 1)]
    if len(given) != len(masks):
        raise StyleMixError(
            f"{there_are(len(given), 'name')} ({', '.join(given)}) for {counted(len(masks), 'mask')}; "
            "give one name per mask"
        )
    if len(set(given)) != len(given):
        raise StyleMixError(f"the names {', '.join(given)} are not all different; give every mask its own")
    return dict(zip(given, masks, strict=True))
