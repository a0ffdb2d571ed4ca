"""What a search for layers gives: the masks it has found, as numbers, as text and as a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from PIL import Image

from ..figures.picks import Pick
from ..masks.mask_list import MaskList, layers_text
from ..wording import percent
from .find_legend import LEGEND
from .find_sheet import Result, draw_sheet, find_picks

LITTLE = 0.2
"""A best mask that is less far inside than this has not fulfilled the wish. On pairs of demo faces the best masks reach
0.25 to 1 where they are of layers that carry the wish, and 0.09 to 0.16 where the style gives too little of it."""

UNSURE = 0.6
"""Regions that are less sure than this are to be looked at. Of forty avatars that the person network divided, it was
less sure of the hair of two, which overlapped with the truth by 0.17 and 0.47; the others by 0.76 or more."""


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask and what it does. Shares are parts of what injecting all layers changes, 0 … about 1."""

    strengths: torch.Tensor
    """float32 `[num_ws]`."""
    inside: float
    """Share of the wished change in the target."""
    outside: float
    """Share of all other change: that of shapes or that of colours, whichever is larger."""
    kept: float
    """The same for what is to be kept; 0 without such a wish."""
    score: float
    """What the search makes most of: inside − care·(outside + kept) − `LAYER_COST` for every layer, a third of it
    measured in this pair and two thirds what its layers are worth in general, one by one (`OTHERS`, `GENERAL`)."""
    agreement: float
    """Share of the pairs, of those asked about and those with random faces, in which it does more for the wish than
    against it, 0…1."""
    origin: str
    """How it came about: "greedy", "strengths", "layer 4", "coarse", …"""

    @property
    def mask_text(self) -> str:
        """Ready for a mask list: "4-5, 7@0.5"."""
        return layers_text(self.strengths)

    @property
    def layers(self) -> frozenset[int]:
        """The layers it injects."""
        return frozenset(self.strengths.nonzero().flatten().tolist())

    def figures(self) -> dict[str, Any]:
        """All of it in plain numbers, for JSON."""
        return {
            "layers": self.mask_text,
            "origin": self.origin,
            "strengths": [round(float(strength), 4) for strength in self.strengths],
            "inside": self.inside,
            "outside": self.outside,
            "kept": self.kept,
            "score": self.score,
            "agreement": self.agreement,
        }


@dataclass(frozen=True, eq=False)
class FoundLayers(Sequence[FoundMask]):
    """Masks for a wish, the best first. Works as a sequence of `FoundMask`."""

    candidates: tuple[FoundMask, ...]
    singles: tuple[FoundMask, ...]
    """Every layer injected alone."""
    without: tuple[FoundMask, ...]
    """All layers but that one."""
    presets: tuple[FoundMask, ...]
    """coarse, middle, fine and all, as far as the model has them."""
    wish: str
    care: float
    regions_sure: float
    """How surely the target's regions are where they were found, 0…1: 1 where they were given."""
    source: torch.Tensor
    """The first source's picture, `[1, C, R, R]`."""
    style: torch.Tensor
    """The same with all layers of its style."""
    target: torch.Tensor
    """Where the wish looked in the first source's picture, `[H, W]` in 0…1."""
    pictures: torch.Tensor
    """The candidates on the first source, `[len(self), C, R, R]`."""
    decoded: int
    """How many pictures the search has drawn."""

    def __len__(self) -> int:
        return len(self.candidates)

    @overload
    def __getitem__(self, index: int) -> FoundMask: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[FoundMask]: ...

    def __getitem__(self, index: int | slice) -> FoundMask | Sequence[FoundMask]:
        return self.candidates[index]

    def __iter__(self) -> Iterator[FoundMask]:
        return iter(self.candidates)

    @property
    def masks(self) -> MaskList:
        """All candidates as a mask list, the best first."""
        rows = torch.stack([found.strengths for found in self.candidates])
        return MaskList(rows, [found.mask_text for found in self.candidates])

    @property
    def sure(self) -> float:
        """How sure it is of the best mask, 0…1: of the regions, times the mask's `agreement`."""
        return self.regions_sure * self[0].agreement

    @property
    def warning(self) -> str | None:
        """What to warn with where no mask fulfils the wish, or it is not sure where it lies; else None."""
        reasons = (self._failure, self._doubt)
        return "; ".join(reason for reason in reasons if reason) or None

    @property
    def _failure(self) -> str | None:
        best = self[0]
        harm = max(best.outside, best.kept)
        if best.inside < LITTLE or best.inside <= self.care * (best.outside + best.kept):
            does = (
                f"changes {'only ' if best.inside < LITTLE else ''}{percent(max(best.inside, 0.0))} of what the style "
                "changes there"
                + (f", and {percent(harm)} of what shall stay" if harm >= best.inside / 2 else "")
            )
        elif best.agreement < 1 / 2:
            does = f"does more for it than against it in only {percent(best.agreement)} of the pairs of faces"
        else:
            return None
        return (
            f"no layers do this ({self.wish}) for these faces: the best mask, {best.mask_text}, {does}; try another "
            f"style or target, or a lower care than {self.care:g}"
        )

    @property
    def _doubt(self) -> str | None:
        if self.regions_sure >= UNSURE:
            return None
        return (
            f"only {percent(self.regions_sure)} sure where that is in these pictures ({self.wish}): look at what Face "
            "Regions finds, and give a mask or a face parsing file if it is wrong"
        )

    def table(self) -> str:
        """The candidates with their figures as text, one a line, between the columns' names and the `LEGEND`."""
        lines = ["inside  outside  kept   score  agree  layers"]
        for found in self.candidates:
            lines.append(
                f"{percent(found.inside):>6}  {percent(found.outside):>7}  {percent(found.kept):>4}  "
                f"{found.score:6.2f}  {percent(found.agreement):>5}  "
                f"{found.mask_text} ({found.origin})"
            )
        sure = f"sure: {percent(self.sure)}, of the regions {percent(self.regions_sure)}"
        return "\n".join([*lines, "", sure, "", *LEGEND])

    def figures(self) -> dict[str, Any]:
        """Everything measured, for JSON."""
        return {
            "wish": self.wish,
            "care": self.care,
            "sure": self.sure,
            "regions_sure": self.regions_sure,
            "warning": self.warning,
            "candidates": [found.figures() for found in self.candidates],
            "layers": [found.figures() for found in self.singles],
            "all_but": [found.figures() for found in self.without],
            "presets": [found.figures() for found in self.presets],
        }

    def sheet(self) -> Image.Image:
        """The search at a glance: source, style, the best masks' pictures, and what every layer does alone."""
        return draw_sheet(
            self.source,
            self.target,
            self.style,
            self.wish,
            [Result(p, m.mask_text, m.inside, m.outside) for p, m in zip(self.pictures, self)],
            [(single.inside, single.outside) for single in self.singles],
            self[0].layers,
            self.sure,
            self.warning,
        )

    def picks(self, sheet: Image.Image) -> list[Pick]:
        """The masks on the sheet, then every layer on its chart."""
        return find_picks([mask.mask_text for mask in self], len(self.singles), self.warning, sheet)
