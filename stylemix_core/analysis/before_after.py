"""Regions in which a change counts: those of the picture before it and of the picture after it, together."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F


def before_or_after(
    before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor], edge: int = 0
) -> dict[str, torch.Tensor]:
    """Regions `[N, S, S]` that sum to 1: hair that grows over the background is hair's.

    What lies in front of the background before or after counts; the background is what it is in both.
    before, after: `[1 or N, S, S]` and `[N, S, S]`, with a "background" among them.
    edge: so many pixels of the background beside something else count as that.
    """
    either = {name: torch.maximum(mask, after[name]) for name, mask in before.items()}
    background = torch.minimum(before["background"], after["background"])
    eroded = -F.max_pool2d(-background, 2 * edge + 1, 1, edge)
    either["background"] = eroded.clamp_min(1e-6)  # what nothing else claims is background
    total = sum(either.values())
    return {name: mask / total for name, mask in either.items()}
