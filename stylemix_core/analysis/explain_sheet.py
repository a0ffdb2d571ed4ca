"""The picture of a report of layers: one column a layer, and below each other the rows that it is given."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import ClassVar, Protocol

import torch
from PIL import Image, ImageDraw

from ..drawing import BACKGROUND, TEXT, Colour, squared, write
from ..faces.regions.preview import COLOURS, paint_regions
from ..figures.picks import Pick
from ..images import comfy_to_pil, to_comfy
from .published import FINDINGS, Finding

CELL, GAP, GUTTER = 124, 6, 150
"""Side of a layer's pictures, what lies between them, and the place of the rows' names, in pixels."""

HEAD, LEAST_WIDTH = 176, 1280
DIM, RULE = (161, 161, 170), (63, 63, 70)

OTHER_COLOURS = ((250, 204, 21), (232, 121, 249), (34, 211, 238), (74, 222, 128), (248, 113, 113))
EFFECT, LEFT_OUT, IDENTITY = (250, 204, 21), (133, 108, 16), (244, 114, 182)
SOURCE_COLOURS = {"StyleGAN": (55, 65, 94), "GANSpace": (41, 82, 76), "StyleSpace": (87, 56, 92)}

GLOW = ((0.0, 0.0, 0.0), (0.45, 0.05, 0.45), (0.93, 0.25, 0.2), (1.0, 0.72, 0.15), (1.0, 1.0, 0.85))
"""From no change to the largest."""

LANE = 26
"""Height of a line of findings, in pixels."""


class Row(Protocol):
    """What a sheet says of every layer."""

    @property
    def title(self) -> str: ...

    @property
    def height(self) -> int:
        """In pixels."""

    def draw(self, sheet: "Sheet", top: int) -> None: ...


def draw_sheet(
    layers: int,
    source: torch.Tensor,
    full: torch.Tensor,
    regions: Mapping[str, torch.Tensor],
    colours: Mapping[str, Colour],
    notes: Sequence[str],
    rows: Sequence[Row],
) -> Image.Image:
    """The sheet of so many layers: what was mixed and how to read it, then the rows.

    source, full: the source's picture and that of all layers injected, `[3, S, S]` in −1…1.
    regions: masks in the source, `[S, S]` in 0…1, by name.
    colours: of all regions that rows speak of.
    notes: lines of text.
    """
    sheet = Sheet(layers, HEAD + sum(row.height + 2 * GAP for row in rows) + GAP)
    painted = paint_regions(source[None], {name: mask[None] for name, mask in regions.items()}, colours)[0]
    sheet.head([source, full, painted], colours, notes)
    top = HEAD
    for row in rows:
        sheet.text((GUTTER - 12, top + row.height / 2), row.title, 15, DIM, "rm")
        row.draw(sheet, top)
        top += row.height + 2 * GAP
    return sheet.image


def layer_picks(layers: int, sheet: Image.Image) -> list[Pick]:
    """Every layer's column on its sheet."""
    lefts = (GUTTER + layer * (CELL + GAP) for layer in range(layers))
    top = HEAD / sheet.height
    return [
        Pick((left / sheet.width, top, (left + CELL) / sheet.width, 1), str(layer))
        for layer, left in enumerate(lefts)
    ]


def region_colours(names: Iterable[str]) -> dict[str, Colour]:
    """A colour for every region, the usual ones always alike."""
    others = cycle(OTHER_COLOURS)
    return {name: COLOURS.get(name) or next(others) for name in names}


def glow(source: torch.Tensor, changes: torch.Tensor) -> torch.Tensor:
    """Changes `[L, S, S]` glowing over the darkened source `[3, S, S]`, all on one scale: `[L, 3, S, S]`."""
    most = changes[:, ::4, ::4].flatten(1).quantile(0.995, dim=1).max().clamp_min(1e-12)
    dark = source.mean(0).mul(0.3).sub(0.55).expand(3, -1, -1)
    colours, steps = torch.tensor(GLOW) * 2 - 1, torch.arange(len(GLOW)).view(-1, 1, 1)
    maps = torch.empty(len(changes), *dark.shape)
    for change, glowing in zip(changes, maps):
        strength = (change / most).clamp(0, 1).sqrt()  # of small changes, more is seen
        weights = (1 - (strength * (len(GLOW) - 1) - steps).abs()).clamp_min(0)
        torch.lerp(dark, torch.einsum("khw,kc->chw", weights, colours), strength, out=glowing)
    return maps


class Sheet:
    """The picture in the making. Columns are counted by layer."""

    def __init__(self, layers: int, height: int):
        width = max(GUTTER + layers * (CELL + GAP) + GAP, LEAST_WIDTH)
        self.image = Image.new("RGB", (width, height), BACKGROUND)
        self.canvas = ImageDraw.Draw(self.image)

    def left(self, layer: int) -> int:
        return GUTTER + layer * (CELL + GAP)

    def middle(self, layer: int) -> float:
        return self.left(layer) + CELL / 2

    def text(
        self,
        place: tuple[float, float],
        text: str,
        size: int,
        colour: Colour = TEXT,
        anchor: str = "mm",
        width: float | None = None,
    ) -> float:
        return write(self.canvas, place, text, size, colour, anchor, width)

    def bar(self, x: float, bottom: float, width: float, height: float, colour: Colour) -> None:
        low, high = round(bottom), round(bottom - height)
        if high < low:
            self.canvas.rectangle((x, high, x + width - 1, low - 1), colour)

    def rule(self, layer: int, y: int) -> None:
        """What bars stand on."""
        self.canvas.line((self.left(layer), y, self.left(layer) + CELL, y), RULE)

    def head(
        self, pictures: Sequence[torch.Tensor], colours: Mapping[str, Colour], notes: Sequence[str]
    ) -> None:
        """What was mixed, the regions and their colours, and how to read the rest."""
        side, top, x = HEAD - 48, 14, GUTTER
        names = ("source", "all layers of the style", "regions")
        for name, picture in zip(names, _to_pil(torch.stack([*pictures]), side)):
            self.image.paste(picture, (x, top))
            self.text((x + side / 2, top + side + 13), name, 14, DIM, width=side + GAP)
            x += side + 3 * GAP
        x += 2 * GAP
        self.text((x, top + 12), "Which layer carries what", 24, TEXT, "lm")
        for i, line in enumerate(notes):
            self.text((x, top + 44 + 21 * i), line, 14, DIM, "lm", self.image.width - x - GAP)
        for name, colour in colours.items():
            self.canvas.rectangle((x, top + 112, x + 13, top + 125), colour)
            x += 42 + int(self.text((x + 20, top + 119), name, 15, anchor="lm"))


@dataclass(frozen=True)
class AxisRow:
    """The layers' numbers, and the resolutions in which they act."""

    resolutions: Sequence[int]
    title: ClassVar[str] = ""
    height: ClassVar[int] = 56

    def draw(self, sheet: Sheet, top: int) -> None:
        for layer, resolution in enumerate(self.resolutions):
            sheet.text((sheet.middle(layer), top + 18), str(layer), 26)
            sheet.text((sheet.middle(layer), top + 44), f"{resolution} px", 14, DIM)


@dataclass(frozen=True, eq=False)
class PicturesRow:
    """A picture of every layer."""

    title: str
    pictures: torch.Tensor
    """`[L, 3, S, S]` in −1…1."""
    height: ClassVar[int] = CELL

    def draw(self, sheet: Sheet, top: int) -> None:
        for layer, picture in enumerate(_to_pil(self.pictures, CELL)):
            sheet.image.paste(picture, (sheet.left(layer), top))


@dataclass(frozen=True, eq=False)
class SharesRow:
    """Where layers' changes lie: stacked bars, the largest shares written below."""

    shares: Mapping[str, torch.Tensor]
    """Region → `[L]`, 0…1."""
    colours: Mapping[str, Colour]
    main_regions: Sequence[Sequence[str]]
    """Of every layer, what is written."""
    faint: Sequence[bool]
    """Layers of hardly any effect, whose bars are dim."""
    title: ClassVar[str] = "where"
    height: ClassVar[int] = 166

    def draw(self, sheet: Sheet, top: int) -> None:
        bars = 112
        for layer, (main_regions, faint) in enumerate(zip(self.main_regions, self.faint)):
            bottom = float(top + bars)
            for name, colour in self.colours.items():
                part = bars * float(self.shares[name][layer])
                sheet.bar(sheet.left(layer) + 14, bottom, CELL - 28, part, _dim(colour) if faint else colour)
                bottom -= part
            for line, name in enumerate(main_regions):
                share = round(100 * float(self.shares[name][layer]))
                place = sheet.middle(layer), top + bars + 17 + 20 * line
                sheet.text(place, f"{name} {share} %", 15, DIM if faint or line else TEXT, width=CELL)


@dataclass(frozen=True, eq=False)
class EffectsRow:
    """The effect of a layer alone beside what is missing when it is left out."""

    effect: torch.Tensor
    """`[L]`."""
    left_out: torch.Tensor
    """`[L]`."""
    percent: Sequence[str]
    """The effects in words."""
    title: ClassVar[str] = "how much, and\n(dark) left out"
    height: ClassVar[int] = 96

    def draw(self, sheet: Sheet, top: int) -> None:
        bottom = top + self.height
        most = max(float(self.effect.max()), float(self.left_out.max()), 1e-12)
        for layer, text in enumerate(self.percent):
            alone, left_out = (74 * float(values[layer]) / most for values in (self.effect, self.left_out))
            sheet.bar(sheet.left(layer) + 26, bottom, 46, alone, EFFECT)
            sheet.bar(sheet.left(layer) + 74, bottom, 24, left_out, LEFT_OUT)
            sheet.rule(layer, bottom)
            sheet.text((sheet.middle(layer), bottom - max(alone, left_out) - 11), text, 15)


@dataclass(frozen=True, eq=False)
class DriftRow:
    """How far each layer alone takes the identity."""

    drift: torch.Tensor
    """`[L]`: 1 − cosine."""
    title: ClassVar[str] = "identity drift"
    height: ClassVar[int] = 64

    def draw(self, sheet: Sheet, top: int) -> None:
        bottom, most = top + self.height, max(float(self.drift.max()), 1e-6)
        for layer, value in enumerate(self.drift.tolist()):
            bar = 42 * max(value, 0.0) / most
            sheet.bar(sheet.left(layer) + 26, bottom, 72, bar, IDENTITY)
            sheet.rule(layer, bottom)
            sheet.text((sheet.middle(layer), bottom - bar - 11), f"{max(value, 0.0):.2f}", 15)


@dataclass(frozen=True)
class FindingsRow:
    """What papers found, each finding across its layers."""

    layers: int
    title: ClassVar[str] = "published for\nFFHQ models"

    @property
    def height(self) -> int:
        return LANE * len(self._lanes())

    def draw(self, sheet: Sheet, top: int) -> None:
        for lane, findings in enumerate(self._lanes()):
            for finding in findings:
                left = sheet.left(finding.first)
                right = sheet.left(min(finding.last, self.layers - 1)) + CELL
                y, colour = top + LANE * lane, SOURCE_COLOURS[finding.source]
                sheet.canvas.rounded_rectangle((left, y, right - 1, y + 22), 4, colour)
                name = f"{finding.what} ({finding.source})" if right - left > 2 * CELL else finding.what
                sheet.text(((left + right) / 2, y + 11), name, 13, width=right - left - 8)

    def _lanes(self) -> list[list[Finding]]:
        """The findings in as few lines as they fit into side by side."""
        lanes: list[list[Finding]] = []
        for finding in (finding for finding in FINDINGS if finding.first < self.layers):
            for lane in lanes:
                if all(finding.first > other.last or finding.last < other.first for other in lane):
                    lane.append(finding)
                    break
            else:
                lanes.append([finding])
        return lanes


def _to_pil(pictures: torch.Tensor, side: int) -> list[Image.Image]:
    return comfy_to_pil(to_comfy(squared(pictures, side)))


def _dim(colour: Colour) -> Colour:
    red, green, blue = (round(0.35 * channel + 0.65 * dark) for channel, dark in zip(colour, BACKGROUND))
    return red, green, blue
