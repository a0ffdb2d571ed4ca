"""The noise that layers add to their maps, for families that have some."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

NOISE_MODES = ("const", "random", "none")


class Noise(Protocol):
    """Where the noise of a pass comes from."""

    def draw(self, const: torch.Tensor) -> torch.Tensor | None:
        """Noise for a layer whose stored noise is `const` `[H, W]`: `[H, W]`, `[B, 1, H, W]` or None."""
        ...


class NoiseSource:
    """The noise of one synthesis pass."""

    def __init__(self, mode: str, seed: int | Sequence[int] | None, batch: int):
        self.mode, self.batch = mode, batch
        self.generators: list[torch.Generator] | None = None
        if mode == "random" and seed is not None:
            # One CPU generator a picture: the same noise on every device and in every batch size.
            seeds = range(seed, seed + batch) if isinstance(seed, int) else seed
            self.generators = [torch.Generator().manual_seed(one % 2**63) for one in seeds]

    def __getitem__(self, part: slice) -> "NoiseSource":
        """The noise of some of the pictures; it goes on where theirs is."""
        share = copy.copy(self)
        share.batch = len(range(self.batch)[part])
        share.generators = self.generators and self.generators[part]
        return share

    def draw(self, const: torch.Tensor) -> torch.Tensor | None:
        if self.mode == "none":
            return None
        if self.mode == "const":
            return const
        if self.generators is None:
            return torch.randn(self.batch, 1, *const.shape, device=const.device)
        drawn = [torch.randn(1, *const.shape, generator=generator) for generator in self.generators]
        return torch.stack(drawn).to(const.device)


@dataclass(frozen=True)
class RepeatedNoise:
    """The noise of a batch, for several streams of it alike."""

    source: Noise
    times: int

    def draw(self, const: torch.Tensor) -> torch.Tensor | None:
        noise = self.source.draw(const)
        return noise if noise is None or noise.ndim == 2 else noise.repeat(self.times, 1, 1, 1)
