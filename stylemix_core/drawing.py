"""What sheets, grids and curves are drawn with."""

from bisect import bisect_right
from functools import cache

import torch
from PIL import ImageFont

from .images import resize

BACKGROUND = (24, 24, 27)


TEXT = (228, 228, 231)


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


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
    squares = _plain(side, side).repeat(len(pictures), 1, 1, 1)
    squares[:, :, top : top + height, left : left + width] = fitted
    return squares


def _plain(height: int, width: int) -> torch.Tensor:
    """Background, `[3, height, width]`."""
    colour = torch.tensor(BACKGROUND).view(3, 1, 1) / 127.5 - 1
    return colour.expand(3, height, width).contiguous()


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
