"""What sheets, grids and curves are drawn with: colours, fonts, text that fits, pictures in squares."""

from bisect import bisect_right
from functools import cache

import torch
from PIL import ImageDraw, ImageFont

from .images import resize

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

BACKGROUND: Colour = (24, 24, 27)
TEXT: Colour = (228, 228, 231)

LINE_HEIGHT = 1.3
"""Of lines of text below each other, in sizes of their font."""

# Fonts of Windows, macOS and Linux that have Hangul beside Latin. The last has at least accents and Cyrillic.
_WIDE_FONTS = (
    "malgun.ttf",
    "AppleSDGothicNeo.ttc",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKkr-Regular.otf",
    "NotoSansKR-Regular.otf",
    "NotoSansKR-Regular.ttf",
    "NotoSansKR-VariableFont_wght.ttf",
    "NanumGothic.ttf",
    "NanumBarunGothic.ttf",
    "UnDotum.ttf",
    "gulim.ttc",
    "Arial Unicode.ttf",
    "DroidSansFallbackFull.ttf",
    "DejaVuSans.ttf",
)

# What Pillow's built-in font can draw.
_BUILT_IN_GLYPHS = frozenset(map(chr, range(32, 127))) | {"·", "…"}


def squared(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """Pictures `[B, 3, H, W]` as large as they fit into squares of `side` pixels, on a sheet's background."""
    height, width = pictures.shape[2:]
    scale = side / max(height, width)
    fitted = resize(pictures, max(1, round(height * scale)), max(1, round(width * scale)))
    height, width = fitted.shape[2:]
    if height == width:
        return fitted
    top, left = (side - height) // 2, (side - width) // 2
    squares = background(side, side).repeat(len(pictures), 1, 1, 1)
    squares[:, :, top : top + height, left : left + width] = fitted
    return squares


def background(height: int, width: int) -> torch.Tensor:
    """An empty sheet, `[3, height, width]` in −1…1."""
    return in_range(BACKGROUND).expand(3, height, width).contiguous()


def in_range(colour: Colour) -> torch.Tensor:
    """A colour as a pixel of pictures in −1…1, `[3, 1, 1]`."""
    return torch.tensor(colour).view(3, 1, 1) / 127.5 - 1


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    colour: Colour = TEXT,
    anchor: str = "mm",
    width: float | None = None,
) -> float:
    """Write text of a size in pixels, its lines around the place, and return how wide the widest is.

    anchor: Pillow's: where in each line the place lies, "mm" for its middle.
    width: what the text is shortened to.
    """
    font = font_for(size, text)
    if width is not None:
        text = shorten(text, width, font)
    lines = text.split("\n")
    x, y = place
    for i, line in enumerate(lines):
        draw.text((x, y + (i - (len(lines) - 1) / 2) * LINE_HEIGHT * size), line, colour, font, anchor)
    return max(font.getlength(line) for line in lines)


def shorten(text: str, width: float, font: Font) -> str:
    """The text, or as much of its start as fits with an ellipsis."""
    if font.getlength(text) <= width:
        return text

    def cut(length: int) -> str:
        return text[:length].rstrip() + "…"

    fitting = bisect_right(range(len(text)), width, key=lambda length: font.getlength(cut(length)))
    return cut(fitting - 1) if fitting else ""


def font_for(size: int, text: str) -> Font:
    """Pillow's built-in font, or one of the system's where the text needs it and there is one."""
    name = None if _BUILT_IN_GLYPHS.issuperset(text) else _wide_font()
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


@cache
def _wide_font() -> str | None:
    """Path of a font with Hangul, if any. Cached: Pillow walks through the system's font folders."""
    for name in _WIDE_FONTS:
        try:
            return str(ImageFont.truetype(name, 16).path)
        except OSError:
            continue
    return None
