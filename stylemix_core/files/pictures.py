"""Pictures read from files and written to them."""

import os
import re
import struct
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError, features
from PIL.PngImagePlugin import PngInfo

from ..errors import StyleMixError
from ..images import from_pil, to_pil, without_size_warning
from .coloured import refuse_coloured
from .endings import HEIC, HEIC_REFUSED, PICTURES, listed
from .writing import replacing

_SRGB = ("sRGB IEC61966-2", "sRGB2014", "sRGB built-in")
"""How descriptions of profiles begin that need no conversion, which takes a second for a phone's photo."""
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""What such files have from their ninth byte on, after "ftyp"."""


def load_image(path: str | os.PathLike[str]) -> torch.Tensor:
    """A picture file as `[1, 3, H, W]` in −1…1. Errors as `open_image` has them, and `from_pil`."""
    return from_pil(open_image(path))


@cache
def picture_endings() -> tuple[str, ...]:
    """Endings of the files that `open_image` reads, such as ".png", for users to see. Which of the newer formats are
    among them depends on Pillow's build."""
    Image.init()
    known = Image.registered_extensions()
    return tuple(ending for ending in PICTURES if known.get(ending) in Image.OPEN)


def open_image(path: str | os.PathLike[str] | BinaryIO, name: str | None = None) -> Image.Image:
    """A picture file, or what would be in one, turned upright by its EXIF tag, and in sRGB where it has a colour
    profile; of several frames the first.

    name: what messages call it, instead of its path. `StyleMixError` when the file is missing, damaged, too large or
    not a picture.
    """
    told = path if name is None else name
    try:
        with without_size_warning(), Image.open(path) as image:
            return _in_srgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise StyleMixError(f"there is no picture at {told}; check the path") from None
    except Image.DecompressionBombError as error:
        # Its text is all that says how large the picture is: it has not been opened.
        pixels = re.search(r"\d+", str(error))
        found = f"{int(pixels[0]) / 1e6:.0f} megapixels" if pixels else "too many pixels"
        raise StyleMixError(
            f"{told} has {found}; at most {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} are read, so scale it down or "
            "crop it first"
        ) from None
    # Pillow's decoders raise any of these on a damaged file.
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error) as error:
        if isinstance(path, str | os.PathLike):
            refuse_heic(path)
        if isinstance(error, UnidentifiedImageError):
            reason = "its format is none that is known"
        else:  # without the file's name, which the system's own texts end with
            reason = getattr(error, "strerror", None) or str(error)
        raise StyleMixError(
            f"{told} cannot be read as a picture ({reason}); expected an undamaged file of the kind "
            f"{listed(picture_endings())}"
        ) from error


def refuse_heic(path: str | os.PathLike[str]) -> None:
    """`StyleMixError` with what to do when the file is a phone's HEIC picture, by its ending or its first bytes."""
    heic = Path(path).suffix.lower() in HEIC
    if not heic and os.path.isfile(path):
        with open(path, "rb") as file:
            start = file.read(12)
        heic = start[4:8] == b"ftyp" and start[8:] in _HEIC_BRANDS
    if heic:
        raise StyleMixError(f"{path} {HEIC_REFUSED}")


def load_mask(path: str | os.PathLike[str]) -> torch.Tensor:
    """A mask from a picture file: its lightness, float32 `[H, W]` in 0…1. What is transparent counts as black.

    Errors as `open_image` has them; `StyleMixError` on coloured pictures, such as the photo itself.
    """
    image = open_image(path)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert("RGB")
    refuse_coloured(image, path)
    return (from_pil(image)[0] / 2 + 0.5).mean(0)


def _in_srgb(image: Image.Image) -> Image.Image:
    """A Pillow picture with the colours that its profile means. A profile that is broken or of another kind of
    picture is ignored, and so is any of 16-bit grey, which has no colours to be off."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode.startswith("I"):
        return image
    transparent = "A" in image.getbands() or "transparency" in image.info
    mode = "RGBA" if transparent else "RGB"
    try:
        theirs = ImageCms.ImageCmsProfile(BytesIO(profile))
        if ImageCms.getProfileDescription(theirs).startswith(_SRGB):
            return image
        # The colour management reads no palettes, and transparency of RGB alone.
        plain = image.convert(mode) if transparent or image.mode == "P" else image
        converted = ImageCms.profileToProfile(
            plain,
            theirs,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            mode,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError):
        return image
    return converted or image


def save_image(
    path: str | os.PathLike[str], image: torch.Tensor, texts: Mapping[str, str] | None = None
) -> None:
    """Write one picture `[C, H, W]` (see `to_pil`) as an 8-bit PNG. The file appears complete or not at all.

    texts: text chunks by name, such as the workflow that made the picture.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise StyleMixError(f"pictures are saved as PNG; give {path.name} the ending .png")
    chunks = PngInfo()
    for name, text in (texts or {}).items():
        chunks.add_text(name, text)
    with replacing(path) as partial:
        to_pil(image).save(partial, "PNG", pnginfo=chunks)


def lossless(image: torch.Tensor) -> tuple[bytes, str]:
    """A picture `[H, W, 3]` in 0…1 as a file that is made quickly, and its media type: WebP takes half of PNG's time.

    Levels are cut off as ComfyUI's Save Image cuts them off.
    """
    file = BytesIO()
    picture = Image.fromarray((255 * image).clamp(0, 255).to(torch.uint8).numpy())
    if features.check("webp"):  # Pillow can be built without
        picture.save(file, "WEBP", lossless=True, quality=0, method=0)
        return file.getvalue(), "image/webp"
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue(), "image/png"
