"""Telling masks from photos by their colours, with Pillow alone."""

import os
import warnings

from PIL import Image, ImageChops

from ..errors import StyleMixError

COLOURED, COLOURED_PART = 0.1, 0.01
"""A picture is coloured where more than this part of its pixels has channels that differ by so much of their range."""

PLAIN_PART = 0.1
"""So large a part is seen in a smaller copy, too, whatever its profile makes of the colours."""
SMALLER = (512, 512)


def coloured_part(image: Image.Image) -> float:
    """The part of a picture's pixels that are coloured, 0…1."""
    if len(image.getbands()) < 3 and image.mode != "P":
        return 0.0
    red, green, blue = image.convert("RGB").split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    least = ImageChops.darker(ImageChops.darker(red, green), blue)
    counts = ImageChops.subtract(most, least).histogram()
    return sum(counts[int(COLOURED * 255) + 1 :]) / max(sum(counts), 1)


def refuse_coloured(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """`StyleMixError` when a picture that is to be a mask is coloured, such as the photo itself."""
    if coloured_part(image) > COLOURED_PART:
        raise refusal(path)


def refuse_plainly_coloured(path: str | os.PathLike[str]) -> None:
    """The same for what a glance at the file tells. What cannot be read, or is transparent, is told of later."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            image.thumbnail(SMALLER)
            opaque = image.mode == "RGB" and "transparency" not in image.info
            coloured = opaque and coloured_part(image) > PLAIN_PART
    except Exception:  # Pillow's decoders raise anything
        return
    if coloured:
        raise refusal(path)


def refusal(path: str | os.PathLike[str]) -> StyleMixError:
    """The error that says so."""
    return StyleMixError(
        f"{path} is a coloured picture; a mask is grey: white inside the region, black outside"
    )
