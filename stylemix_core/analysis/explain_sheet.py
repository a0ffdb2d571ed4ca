"""The picture of a `LayerReport`: one column a layer, from its number down to what papers say of it."""

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageDraw

from ..drawing import BACKGROUND, TEXT, font_for, shorten, squared
from ..images import comfy_to_pil, to_comfy

if TYPE_CHECKING:
    from .explain import Finding, LayerReport

CELL, GAP, GUTTER = 124, 6, 150
"""Side of a layer's pictures, what lies between them, and the place of the rows' names, in pixels."""

HEAD, LEAST_WIDTH = 176, 1280
DIM, RULE = (161, 161, 170), (63, 63, 70)

REGION_COLOURS = {
    "hair": (251, 146, 60),
    "face": (253, 224, 171),
    "eyes": (96, 165, 250),
    "brows": (167, 139, 250),
    "nose": (163, 230, 53),
    "mouth": (244, 63, 94),
    "background": (45, 156, 145),
    "body": (120, 120, 132),
}
OTHER_COLOURS = ((250, 204, 21), (232, 121, 249), (34, 211, 238), (74, 222, 128), (248, 113, 113))
EFFECT, LEFT_OUT, IDENTITY = (250, 204, 21), (133, 108, 16), (244, 114, 182)
SOURCE_COLOURS = {"StyleGAN": (55, 65, 94), "GANSpace": (41, 82, 76), "StyleSpace": (87, 56, 92)}

GLOW = ((0.0, 0.0, 0.0), (0.45, 0.05, 0.45), (0.93, 0.25, 0.2), (1.0, 0.72, 0.15), (1.0, 1.0, 0.85))
"""From no change to the largest."""

NEGLIGIBLE = 0.01
"""Effects below this part of the whole are drawn dim: their shares are shares of nearly nothing."""


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


def draw_sheet(report: "LayerReport") -> Image.Image:
    rows = [
        ("", 56, _draw_axis),
        ("this layer\nalone", CELL, lambda s, y: s.pictures(y, report.alone)),
        ("what it\nchanges", CELL, lambda s, y: s.pictures(y, report.heat_maps())),
        ("where", 166, _draw_shares),
        ("how much, and\n(dark) left out", 96, _draw_effects),
        ("identity drift", 64, _draw_drift),
        ("all layers\nbut this one", CELL, lambda s, y: s.pictures(y, report.without)),
        ("published for\nFFHQ models", 26 * len(_lanes(len(report))), _draw_findings),
    ]
    if report.identity_drift is None:
        del rows[5]
    height = HEAD + sum(height + 2 * GAP for _, height, _ in rows) + GAP
    sheet = _Sheet(report, height)
    sheet.head()
    y = HEAD
    for name, height, draw in rows:
        sheet.text((GUTTER - 12, y + height / 2), name, 15, DIM, "rm")
        draw(sheet, y)
        y += height + 2 * GAP
    return sheet.image


class _Sheet:
    """The picture in the making. Columns are counted by layer."""

    def __init__(self, report: "LayerReport", height: int):
        self.report = report
        width = max(GUTTER + len(report) * (CELL + GAP) + GAP, LEAST_WIDTH)
        self.image = Image.new("RGB", (width, height), BACKGROUND)
        self.draw = ImageDraw.Draw(self.image)
        others = cycle(OTHER_COLOURS)
        self.colours = {name: REGION_COLOURS.get(name) or next(others) for name in report.shares}

    def left(self, layer: int) -> int:
        return GUTTER + layer * (CELL + GAP)

    def text(
        self,
        place: tuple[float, float],
        text: str,
        size: int,
        colour: tuple[int, int, int] = TEXT,
        anchor: str = "mm",
        width: float | None = None,
    ) -> None:
        font = font_for(size, text)
        if width is not None:
            text = shorten(text, width, font)
        lines = text.split("\n")
        x, y = place
        for i, line in enumerate(lines):
            self.draw.text((x, y + (i - (len(lines) - 1) / 2) * 1.3 * size), line, colour, font, anchor)

    def pictures(self, y: int, pictures: torch.Tensor) -> None:
        for layer, picture in enumerate(_to_pil(pictures, CELL)):
            self.image.paste(picture, (self.left(layer), y))

    def bar(self, x: float, bottom: float, width: float, height: float, colour: tuple[int, int, int]) -> None:
        low, high = round(bottom), round(bottom - height)
        if high < low:
            self.draw.rectangle((x, high, x + width - 1, low - 1), colour)

    def head(self) -> None:
        """What was mixed, the regions and their colours, and how to read the rest."""
        report, side, top = self.report, HEAD - 48, 14
        x = GUTTER
        pictures = torch.stack([report.source, report.full, self.painted_regions()])
        for name, picture in zip(("source", "all layers of the style", "regions"), _to_pil(pictures, side)):
            self.image.paste(picture, (x, top))
            self.text((x + side / 2, top + side + 13), name, 14, DIM, width=side + GAP)
            x += side + 3 * GAP
        x += 2 * GAP
        self.text((x, top + 12), "Which layer carries what", 24, TEXT, "lm")
        for i, line in enumerate(report.notes()):
            self.text((x, top + 44 + 21 * i), line, 14, DIM, "lm", self.image.width - x - GAP)
        for name, colour in self.colours.items():
            font = font_for(15, name)
            self.draw.rectangle((x, top + 112, x + 13, top + 125), colour)
            self.draw.text((x + 20, top + 119), name, TEXT, font, anchor="lm")
            x += 42 + int(font.getlength(name))

    def painted_regions(self) -> torch.Tensor:
        """The source, tinted by region."""
        painted = self.report.source * 0.35 - 0.3
        for name, mask in self.report.regions.items():
            colour = torch.tensor(self.colours[name]).view(3, 1, 1) / 127.5 - 1
            painted = torch.lerp(painted, colour.expand_as(painted), 0.6 * mask)
        return painted


def _draw_axis(sheet: _Sheet, y: int) -> None:
    for layer, resolution in enumerate(sheet.report.resolutions):
        middle = sheet.left(layer) + CELL / 2
        sheet.text((middle, y + 18), str(layer), 26)
        sheet.text((middle, y + 44), f"{resolution} px", 14, DIM)


def _draw_shares(sheet: _Sheet, y: int) -> None:
    """Stacked bars, the largest shares written below."""
    report, height = sheet.report, 112
    for layer in range(len(report)):
        weak = float(report.effect[layer]) < NEGLIGIBLE * report.whole
        bottom = float(y + height)
        for name, colour in sheet.colours.items():
            part = height * float(report.shares[name][layer])
            sheet.bar(sheet.left(layer) + 14, bottom, CELL - 28, part, _dim(colour) if weak else colour)
            bottom -= part
        for line, name in enumerate(report.main_regions(layer)):
            share = round(100 * float(report.shares[name][layer]))
            place = sheet.left(layer) + CELL / 2, y + height + 17 + 20 * line
            sheet.text(place, f"{name} {share} %", 15, DIM if weak or line else TEXT, width=CELL)


def _draw_effects(sheet: _Sheet, y: int) -> None:
    """The effect alone beside what is missing when the layer is left out."""
    report, height = sheet.report, 74
    most = max(float(report.effect.max()), float(report.left_out.max()), 1e-12)
    for layer, text in enumerate(report.percent(report.effect)):
        x, bottom = sheet.left(layer), y + 96
        alone, left_out = (
            height * float(values[layer]) / most for values in (report.effect, report.left_out)
        )
        sheet.bar(x + 26, bottom, 46, alone, EFFECT)
        sheet.bar(x + 74, bottom, 24, left_out, LEFT_OUT)
        sheet.draw.line((x, bottom, x + CELL, bottom), RULE)
        sheet.text((x + CELL / 2, bottom - max(alone, left_out) - 11), text, 15)


def _draw_drift(sheet: _Sheet, y: int) -> None:
    drift = sheet.report.identity_drift
    if drift is None:
        return
    most = max(float(drift.max()), 1e-6)
    for layer, value in enumerate(drift.tolist()):
        x, bottom = sheet.left(layer), y + 64
        height = 42 * max(value, 0.0) / most
        sheet.bar(x + 26, bottom, 72, height, IDENTITY)
        sheet.draw.line((x, bottom, x + CELL, bottom), RULE)
        sheet.text((x + CELL / 2, bottom - height - 11), f"{max(value, 0.0):.2f}", 15)


def _draw_findings(sheet: _Sheet, y: int) -> None:
    layers = len(sheet.report)
    for lane, findings in enumerate(_lanes(layers)):
        for finding in findings:
            left, right = sheet.left(finding.first), sheet.left(min(finding.last, layers - 1)) + CELL
            top = y + 26 * lane
            sheet.draw.rounded_rectangle((left, top, right - 1, top + 22), 4, SOURCE_COLOURS[finding.source])
            name = f"{finding.what} ({finding.source})" if right - left > 2 * CELL else finding.what
            sheet.text(((left + right) / 2, top + 11), name, 13, width=right - left - 8)


def _lanes(layers: int) -> "list[list[Finding]]":
    """The findings in as few lines as they fit into side by side."""
    from .explain import FINDINGS

    lanes: list[list[Finding]] = []
    for finding in (finding for finding in FINDINGS if finding.first < layers):
        free = [lane for lane in lanes if all(finding.first > o.last or finding.last < o.first for o in lane)]
        if free:
            free[0].append(finding)
        else:
            lanes.append([finding])
    return lanes


def _to_pil(pictures: torch.Tensor, side: int) -> list[Image.Image]:
    return comfy_to_pil(to_comfy(squared(pictures, side)))


def _dim(colour: Sequence[int]) -> tuple[int, int, int]:
    red, green, blue = (round(0.35 * channel + 0.65 * dark) for channel, dark in zip(colour, BACKGROUND))
    return red, green, blue
