"""The sheet of a search for layers."""

import textwrap
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from ..drawing import BACKGROUND, TEXT, font_for, squared
from ..figures.grid import compare_grid
from ..images import to_pil
from ..wording import percent

if TYPE_CHECKING:
    from .find import FoundLayers

CELL = 256
"""Side of a picture on the sheet, in pixels."""
CHART = 220
"""Height of the chart."""
LINE = 22
"""Height of a line of the warning."""
INSIDE, OUTSIDE, CHOSEN, WARNING = (45, 212, 191), (113, 113, 122), (63, 63, 70), (251, 191, 36)
VEIL = 0.65
"""How much the picture is darkened outside of the target."""


def draw_sheet(search: "FoundLayers") -> Image.Image:
    """Source, source with the target lit, style, and the best masks; below them, what every layer does alone."""
    lit = (search.source[0] + 1) * (1 - VEIL * (1 - search.target.to(search.source))) - 1
    source, lit, style, *results = (
        squared(picture[None].float().cpu().expand(-1, 3, -1, -1), CELL)[0]
        for picture in (*search.source[:1], lit, *search.style[:1], *search.pictures)
    )
    labels = ["source", search.wish, "style", *(found.mask_text for found in search)]
    grid = to_pil(compare_grid([source, lit, style, *results], labels, columns=3 + len(results))[0])
    warning = warning_lines(search, grid.width)
    sheet = Image.new("RGB", (grid.width, grid.height + CHART + LINE * len(warning)), BACKGROUND)
    sheet.paste(grid, (0, 0))
    draw = ImageDraw.Draw(sheet)
    font, column = font_for(15, ""), grid.width / (3 + len(results))
    for place, found in enumerate(search, 3):
        figures = f"{percent(found.inside)} inside, {percent(found.outside)} outside"
        draw.text(((place + 0.5) * column, grid.height + 12), figures, TEXT, font, anchor="mm")
    top = grid.height + 24
    for line in warning:
        draw.text((12, top + 8), line, WARNING, font)
        top += LINE
    draw_chart(draw, search, (0, top, grid.width, sheet.height))
    return sheet


def warning_lines(search: "FoundLayers", width: float) -> list[str]:
    """The search's warning in lines that fit."""
    if search.warning is None:
        return []
    letter = font_for(15, search.warning).getlength(search.warning) / len(search.warning)
    return textwrap.wrap(search.warning, int(0.95 * (width - 24) / letter))


def draw_chart(draw: ImageDraw.ImageDraw, search: "FoundLayers", box: tuple[int, int, int, int]) -> None:
    """Two bars a layer: the share of the wished change and that of the rest. The best mask's layers are backed."""
    left, top, right, bottom = box
    font = font_for(15, search.wish)
    base, height = bottom - 28, bottom - top - 70
    title = "Each layer alone: "
    draw.text((left + 12, top + 8), title, TEXT, font)
    x = left + 12 + font.getlength(title)
    for text, colour in (("inside", INSIDE), ("outside", OUTSIDE)):
        draw.rectangle((x, top + 12, x + 12, top + 24), colour)
        draw.text((x + 18, top + 8), text, TEXT, font)
        x += 36 + font.getlength(text)
    step = (right - left - 24) / len(search.singles)
    chosen = search[0].strengths
    for layer, found in enumerate(search.singles):
        x = left + 12 + layer * step
        if chosen[layer] != 0:
            draw.rectangle((x, base - height - 4, x + step - 2, bottom - 4), CHOSEN)
        for place, (share, colour) in enumerate(((found.inside, INSIDE), (found.outside, OUTSIDE))):
            at = x + step * (0.15 + 0.36 * place)
            draw.rectangle((at, base - height * min(max(share, 0.0), 1.0), at + step * 0.3, base), colour)
        draw.text((x + step / 2, base + 13), str(layer), TEXT, font, anchor="mm")
