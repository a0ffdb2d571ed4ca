"""What a synthesis network offers to be drawn with: its stages, one after the other.

A stage is one size of maps. It has no more to do than the paper says; which pictures of a batch go through it
together, and whether its maps are computed as a whole, is decided by those who call it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import nn

from .cuts import NO_CUT, Cut
from .styles import Style

Drawn = tuple[torch.Tensor, torch.Tensor | None]
"""Maps `[B, C, H, W]`, and the picture so far or None where there is none yet."""


class Affine(Protocol):
    """The fully connected layer that makes a module's style of its w."""

    out_features: int
    weight: nn.Parameter
    weight_gain: float

    def __call__(self, w: torch.Tensor, /) -> torch.Tensor: ...


class Styled(nn.Module):
    """A module that takes a style: maps `[B, I, H, W]`, a style of I channels and what else it needs → maps."""

    affine: Affine
    to_rgb = False
    """Whether its maps are colours."""


class Stage(nn.Module):
    """One size of maps of a synthesis network."""

    resolution: int
    """The larger side of its maps."""
    shape: tuple[int, int]
    """Height and width of its maps."""
    channels: int
    """How many maps it gives."""

    @property
    def rate(self) -> int:
        """Its pixels in the picture's larger side: fewer than `resolution` where maps reach beyond the picture."""
        return self.resolution

    def fields(self) -> Mapping[int, int]:
        """The widths of the maps that its styles act on or that it gives, but for those of the stage before: of each,
        the pixels in the picture's width."""
        return {self.shape[1]: self.shape[1]}

    def styled(self) -> Sequence[Styled]:
        """The modules that take a style, in the order in which they act."""
        raise NotImplementedError

    def stored_noise(self) -> Sequence[torch.Tensor]:
        """The noise `[H, W]` of every convolution; empty in families without."""
        return []

    def derived(self) -> Sequence[object]:
        """What its passes read beside its tensors: computed from them, and kept."""
        return []

    def cuttable(self) -> "Cuttable | None":
        """Itself where its maps may be computed in strips, else None."""
        return None

    def rowwise(self) -> "Rowwise | None":
        """Itself where its maps may be computed some rows at a time, together with those of other stages, else None."""
        return None

    def forward(
        self,
        x: torch.Tensor | None,
        image: torch.Tensor | None,
        styles: Sequence[Style],
        noises: Sequence[torch.Tensor | None],
    ) -> Drawn:
        """The maps and the picture after it.

        x: the maps of the stage before, `[B, I, h, w]`, None for the first stage. image: the picture before it, or
        None. styles: of every module of `styled()`. noises: for every one of `stored_noise()`.
        """
        raise NotImplementedError


def fields_of(stages: Sequence[Stage]) -> dict[int, int]:
    """The `fields` of all stages."""
    return {width: rate for stage in stages for width, rate in stage.fields().items()}


class Cuttable(Protocol):
    """A stage that doubles its maps' size by convolutions of 3×3 pixels: one with a filter, and no more than another.

    Zeros take the place of what lies beyond a strip, so that rows beside a cut are wrong after every convolution.
    """

    def compute(
        self,
        x: torch.Tensor,
        styles: Sequence[Style],
        noises: Sequence[torch.Tensor | None],
        cut: Cut = NO_CUT,
    ) -> Drawn:
        """The maps, and what they add to the picture, None if nothing.

        x: a strip of the maps of the stage before. styles, noises: what belongs to each module's own rows.
        cut: rows that are dropped after every convolution.
        """
        ...

    def add(self, image: torch.Tensor | None, colours: torch.Tensor | None) -> torch.Tensor | None:
        """The picture after the stage, of the one before it and what its maps add."""
        ...


class Rowwise(Protocol):
    """A stage of one module, each of whose rows depends on few rows of its input."""

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """The rows of its input, from and to, that its rows `first` to `last` depend on. Beyond the input are zeros."""
        ...

    def rows(self, x: torch.Tensor, style: Style, first: int, last: int) -> torch.Tensor:
        """Its rows `first` to `last` of x, the rows of its input that they depend on: `[B, C, last − first, W]`.

        The last stage of a network gives those of the picture.
        """
        ...
