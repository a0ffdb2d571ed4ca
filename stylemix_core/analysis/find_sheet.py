"""The sheet of a search for layers."""

import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw

from ..drawing import BACKGROUND, TEXT, font_for, squared, write
from ..figures.grid import compare_grid
from ..figures.picks import Pick
from ..images import to_pil
from ..wording import percent

CELL = 256
"""Side of a picture on the sheet, in pixels."""
CHART = 220
"""Height of the chart."""
LINE = 22
"""Height of a line of the warning."""
SIZE = 15
"""Of the text below the pictures."""
INSIDE, OUTSIDE, CHOSEN, WARNING = (45, 212, 191), (113, 113, 122), (63, 63, 70), (251, 191, 36)
VEIL = 0.65
"""How much the picture is darkened outside of the target."""


@dataclass(frozen=True, eq=False)
class Result:
    """What a mask gives."""

    picture: torch.Tensor
    """`[C, R, R]` in −1…1."""
    name: str
    inside: float
    """Share of the wished change, about 0…1."""
    outside: float
    """Share of all other change, about 0…1."""


def draw_sheet(
    source: torch.Tensor,
    target: torch.Tensor,
    style: torch.Tensor,
    wish: str,
    results: Sequence[Result],
    layers: Sequence[tuple[float, float]],
    chosen: Collection[int],
    sure: float,
    warning: str | None,
) -> Image.Image:
    """Source, source with the target lit, style, and the results; below them, what every layer does alone.

    source, style: pictures `[1, C, R, R]` in −1…1.
    target: where the wish looks, `[R, R]` in 0…1.
    layers: every layer's shares inside and outside.
    chosen: the layers of the best result.
    sure: how sure it is, 0…1.
    """
    lit = (source[0] + 1) * (1 - VEIL * (1 - target.to(source))) - 1
    pictures = [
        squared(picture[None, :3].float().cpu().expand(-1, 3, -1, -1), CELL)[0]
        for picture in (source[0], lit, style[0], *(result.picture for result in results))
    ]
    labels = ["source", wish, "style", *(result.name for result in results)]
    grid = to_pil(compare_grid(pictures, labels, columns=len(pictures))[0])
    lines = _lines(warning, grid.width)
    sheet = Image.new("RGB", (grid.width, grid.height + CHART + LINE * len(lines)), BACKGROUND)
    sheet.paste(grid, (0, 0))
    draw = ImageDraw.Draw(sheet)
    column = grid.width / len(pictures)
    write(draw, (1.5 * column, grid.height + 12), f"{percent(sure)} sure", SIZE)
    for place, result in enumerate(results, len(pictures) - len(results)):
        shares = f"{percent(result.inside)} inside, {percent(result.outside)} outside"
        write(draw, ((place + 0.5) * column, grid.height + 12), shares, SIZE)
    top = grid.height + 24
    for line in lines:
        write(draw, (12, top + 8), line, SIZE, WARNING, "la")
        top += LINE
    _draw_chart(draw, layers, chosen, (0, top, grid.width, sheet.height))
    return sheet


def find_picks(masks: Sequence[str], layers: int, warning: str | None, sheet: Image.Image) -> list[Pick]:
    """The results on their sheet, then the layers of its chart."""
    below = CHART + LINE * len(_lines(warning, sheet.width))
    bottom, top = (sheet.height - below) / sheet.height, (sheet.height - CHART + LINE) / sheet.height
    column, edge = 1 / (3 + len(masks)), 12 / sheet.width
    step = (1 - 2 * edge) / layers
    return [
        Pick(((3 + place) * column, 0, (4 + place) * column, bottom), mask)
        for place, mask in enumerate(masks)
    ] + [
        Pick((edge + layer * step, top, edge + (layer + 1) * step, 1), str(layer)) for layer in range(layers)
    ]


def _lines(warning: str | None, width: float) -> list[str]:
    """The warning in lines that fit."""
    if warning is None:
        return []
    letter = font_for(SIZE, warning).getlength(warning) / len(warning)
    return textwrap.wrap(warning, int(0.95 * (width - 24) / letter))


def _draw_chart(
    draw: ImageDraw.ImageDraw,
    layers: Sequence[tuple[float, float]],
    chosen: Collection[int],
    box: tuple[int, int, int, int],
) -> None:
    """Two bars a layer: the share of the wished change and that of the rest. Chosen layers are backed."""
    left, top, right, bottom = box
    base, height = bottom - 28, bottom - top - 70
    x = left + 12 + write(draw, (left + 12, top + 8), "Each layer alone: ", SIZE, anchor="la")
    for text, colour in (("inside", INSIDE), ("outside", OUTSIDE)):
        draw.rectangle((x, top + 12, x + 12, top + 24), colour)
        x += 36 + write(draw, (x + 18, top + 8), text, SIZE, TEXT, "la")
    step = (right - left - 24) / len(layers)
    for layer, shares in enumerate(layers):
        x = left + 12 + layer * step
        if layer in chosen:
            draw.rectangle((x, base - height - 4, x + step - 2, bottom - 4), CHOSEN)
        for place, (share, colour) in enumerate(zip(shares, (INSIDE, OUTSIDE))):
            at = x + step * (0.15 + 0.36 * place)
            draw.rectangle((at, base - height * min(max(share, 0.0), 1.0), at + step * 0.3, base), colour)
        write(draw, (x + step / 2, base + 13), str(layer), SIZE)
