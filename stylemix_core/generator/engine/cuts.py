"""Where maps are cut into strips of rows, convolutions lack their neighbours: rows to take along, and to drop."""

import torch

Cut = tuple[int, int]
"""Rows to drop at the top and at the bottom after every convolution."""

NO_CUT: Cut = (0, 0)


def drop(x: torch.Tensor, cut: Cut, times: int = 1) -> torch.Tensor:
    """x `[…, H, W]` without the rows of a cut."""
    return x[..., times * cut[0] : x.shape[-2] - times * cut[1], :]
