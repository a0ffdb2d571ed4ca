"""The report of what each layer carries: its figures, as numbers, as text and as a picture."""

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from ..faces.regions import described
from ..figures.picks import Pick
from .explain_sheet import (
    AxisRow,
    DriftRow,
    EffectsRow,
    FindingsRow,
    PicturesRow,
    Row,
    SharesRow,
    draw_sheet,
    glow,
    layer_picks,
    region_colours,
)
from .published import published, published_lines

NEGLIGIBLE = 0.01
"""Effects below this part of the whole."""


@dataclass(frozen=True, eq=False)
class LayerReport:
    """What each of L layers changes, averaged over the pairs. Pictures are the first pair's; all lies on the CPU.

    Pictures are float32 in −1…1, at most 512 pixels square: S.
    """

    effect: torch.Tensor
    """`[L]`: the mean change of a pixel when the layer alone is injected, in the unit of `measure`."""
    shares: dict[str, torch.Tensor]
    """Region → `[L]`: which part of a layer's visible change lies inside it, 0…1; 0 where there is none."""
    identity_drift: torch.Tensor | None
    """`[L]`: 1 − cosine of the faces before and after; None without a measure."""
    left_out: torch.Tensor
    """`[L]`: the mean change from all layers to all but this one. Where it differs from `effect`, the layer's part
    depends on what the others carry."""
    whole: float
    """The mean change when all layers are injected, what effects may be compared with."""
    resolutions: tuple[int, ...]
    """In pixels, where each layer's convolutions act; of the last one, where it colours."""
    measure: str
    """`explain.COLOUR` (mean absolute difference in 0…1), or what the perceptual features come from."""
    identity: str | None
    """What sees the identity."""
    pairs: int
    source: torch.Tensor
    """`[3, S, S]`."""
    full: torch.Tensor
    """All layers injected: what the style's code draws, `[3, S, S]`."""
    alone: torch.Tensor
    """Each layer injected alone, `[L, 3, S, S]`."""
    without: torch.Tensor
    """All layers but one injected, `[L, 3, S, S]`."""
    changes: torch.Tensor
    """What each layer changed and how much, `[L, S, S]`; its mean is the first pair's effect."""
    regions: dict[str, torch.Tensor]
    """Region → `[S, S]` in 0…1, in the source."""
    regions_by: str | None
    """What found the regions, as in `Regions.sources`; None where they were given."""

    def __len__(self) -> int:
        return len(self.effect)

    @property
    def strongest(self) -> int:
        """The layer with the largest effect."""
        return int(self.effect.argmax())

    def main_regions(self, layer: int) -> list[str]:
        """Where most of a layer's change lies: the two largest shares of at least 10 %."""
        names = sorted(self.shares, key=lambda name: -float(self.shares[name][layer]))
        return [name for name in names[:2] if float(self.shares[name][layer]) >= 0.1]

    def negligible(self, layer: int) -> bool:
        """Whether a layer changes so little that its shares are shares of nearly nothing."""
        return float(self.effect[layer]) < NEGLIGIBLE * self.whole

    def percent(self, values: torch.Tensor) -> list[str]:
        """Effects as "52 %" or "3.1 %" of that of all layers together. They need not add up to 100."""
        parts = [100 * float(value) / self.whole if self.whole else 0.0 for value in values]
        return [f"{part:.1f} %" if part < 9.95 else f"{part:.0f} %" for part in parts]

    def figures(self) -> dict[str, Any]:
        """The report in plain numbers, for JSON."""
        return {
            "measure": self.measure,
            "identity": self.identity,
            "regions_by": self.regions_by,
            "pairs": self.pairs,
            "whole": round(self.whole, 6),
            "layers": [
                {
                    "layer": layer,
                    "resolution": self.resolutions[layer],
                    "effect": round(float(self.effect[layer]), 6),
                    "left_out": round(float(self.left_out[layer]), 6),
                    "identity_drift": None
                    if self.identity_drift is None
                    else round(float(self.identity_drift[layer]), 4),
                    "shares": {name: round(float(share[layer]), 4) for name, share in self.shares.items()},
                    "published": published(layer),
                }
                for layer in range(len(self))
            ],
        }

    def table(self) -> str:
        """The report as text, one line a layer; then what papers found, a line each."""
        names = list(self.shares)
        drift = (
            ["-"] * len(self) if self.identity_drift is None else [f"{d:.2f}" for d in self.identity_drift]
        )
        rows = [["layer", "px", "effect", "left out", "identity", *names]]
        for layer, effect, left_out in zip(
            range(len(self)), self.percent(self.effect), self.percent(self.left_out)
        ):
            shares = [f"{100 * float(self.shares[name][layer]):.0f} %" for name in names]
            px = str(self.resolutions[layer])
            rows.append([str(layer), px, effect, left_out, drift[layer], *shares])
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]
        return "\n".join([*self.notes(), "", *lines, "", *published_lines(len(self))])

    def notes(self) -> list[str]:
        """How the figures are to be read, in a few lines."""
        pairs = "one pair" if self.pairs == 1 else f"the mean of {self.pairs} pairs"
        identity = (
            f"1 - cosine, seen by {self.identity}" if self.identity else "nothing was given that sees faces"
        )
        regions = "" if self.regions_by is None else f" Regions: told apart {described(self.regions_by)}."
        return [
            f"Effect of each layer of the style injected alone, in % of all layers together ({self.measure}, {pairs}).",
            "Left out: what is missing when all layers but this one are injected.",
            f"Identity: {identity}.{regions}",
        ]

    def heat_maps(self) -> torch.Tensor:
        """Where each layer changed the source: glowing over the darkened source, `[L, 3, S, S]`. All on one scale."""
        return glow(self.source, self.changes)

    def sheet(self) -> Image.Image:
        """All of it as one labelled picture: one column a layer, from its number down to what papers say of it."""
        drift, colours = self.identity_drift, region_colours(self.shares)
        main = [self.main_regions(layer) for layer in range(len(self))]
        faint = [self.negligible(layer) for layer in range(len(self))]
        rows: list[Row] = [
            AxisRow(self.resolutions),
            PicturesRow("this layer\nalone", self.alone),
            PicturesRow("what it\nchanges", self.heat_maps()),
            SharesRow(self.shares, colours, main, faint),
            EffectsRow(self.effect, self.left_out, self.percent(self.effect)),
            *([] if drift is None else [DriftRow(drift)]),
            PicturesRow("all layers\nbut this one", self.without),
            FindingsRow(len(self)),
        ]
        return draw_sheet(len(self), self.source, self.full, self.regions, colours, self.notes(), rows)

    def picks(self, sheet: Image.Image) -> list[Pick]:
        """The layers' columns on the sheet."""
        return layer_picks(len(self), sheet)
