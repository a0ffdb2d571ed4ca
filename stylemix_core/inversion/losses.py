"""How far generated pictures are from their targets: pixels on several scales, looks, and identity."""

import torch
import torch.nn.functional as F

from ..encoder.identity import Identity
from .features import Features

SCALES = 4
"""Levels of the pixel pyramid, each half the size of the one before."""
EDGE_WEIGHT = 16.0
"""Of neighbours' differences at full size. Edges hold little of the squared error, but they are what is found last:
without this weight `tune` needs twice the steps."""
PERCEPTUAL_WEIGHT = 0.5
IDENTITY_WEIGHT = 0.5


class Objective:
    """Compares pictures `[B, C, R, R]` with targets of that shape.

    mask: `[B or 1, 1, R, R]` in 0…1, or None. Where it is 0 the pictures count as equal to their targets.
    features: None for gradients, the only perceptual measure that needs no network.
    """

    def __init__(
        self,
        target: torch.Tensor,
        features: Features | None = None,
        mask: torch.Tensor | None = None,
        perceptual_weight: float = 1.0,
        identity: Identity | None = None,
        identity_weight: float = 0.0,
    ):
        self.target, self.features, self.mask, self.identity = target, features, mask, identity
        self.perceptual_weight = PERCEPTUAL_WEIGHT * perceptual_weight
        self.identity_weight = IDENTITY_WEIGHT * identity_weight
        self.area = torch.ones(1, device=target.device) if mask is None else mask.mean([1, 2, 3])
        with torch.no_grad():
            self.target_pyramid = pyramid(target)
            self.target_edges = gradients(self.target_pyramid[:1])
            self.target_maps = self.maps(target, self.target_pyramid)
            self.target_identity = None if identity is None else identity(target)

    @property
    def name(self) -> str:
        """Which perceptual measure is used."""
        return "gradients" if self.features is None else self.features.name

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """The loss of every picture, `[B]`."""
        images = self.masked(images)
        levels = pyramid(images)
        edges = sum_of_means(gradients(levels[:1]), self.target_edges)
        loss = sum_of_means(levels, self.target_pyramid) + EDGE_WEIGHT * edges
        if self.perceptual_weight:
            loss = loss + self.perceptual_weight * self.looks(images, levels)
        if self.identity is not None and self.identity_weight:
            cosine = (self.identity(images) * self.target_identity).sum(1)
            loss = loss + self.identity_weight * (1 - cosine)
        return loss / self.area

    @torch.no_grad()
    def figures(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean squared error and perceptual distance of every picture, `[B]` each, inside the mask."""
        images = self.masked(images)
        squared = (images - self.target).square().mean([1, 2, 3])
        return squared / self.area, self.looks(images, pyramid(images)) / self.area

    def masked(self, images: torch.Tensor) -> torch.Tensor:
        return images if self.mask is None else self.target.lerp(images, self.mask)

    def looks(self, images: torch.Tensor, levels: list[torch.Tensor]) -> torch.Tensor:
        maps = self.maps(images, levels)
        if self.features is None:
            return sum_of_means(maps, self.target_maps)
        return self.features.distance(maps, self.target_maps)

    def maps(self, images: torch.Tensor, levels: list[torch.Tensor]) -> list[torch.Tensor]:
        return gradients(levels) if self.features is None else self.features(images)


def pyramid(images: torch.Tensor) -> list[torch.Tensor]:
    """The pictures at full size, a half, a quarter …"""
    levels = [images]
    while len(levels) < SCALES and min(levels[-1].shape[2:]) > 8:
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def gradients(levels: list[torch.Tensor]) -> list[torch.Tensor]:
    """Differences between neighbours on every level, to the right and down."""
    return [difference for x in levels for difference in (x.diff(dim=3), x.diff(dim=2))]


def sum_of_means(maps: list[torch.Tensor], target: list[torch.Tensor]) -> torch.Tensor:
    """Mean squared differences, summed over maps: `[B]`."""
    means = [(a - b).square().mean([1, 2, 3]) for a, b in zip(maps, target, strict=True)]
    return torch.stack(means).sum(0)
