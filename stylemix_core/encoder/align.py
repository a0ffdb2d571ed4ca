"""Faces cropped as an encoder wants them."""

import torch
from PIL import Image

from ..faces.align import align_batch, crop_largest
from ..images import from_pil, to_rgb
from . import Encoder


def align_for(
    encoder: Encoder,
    images: torch.Tensor | Image.Image,
    mode: str = "auto",
    size: int | None = None,
    any_angle: bool = True,
) -> torch.Tensor:
    """The largest face of every picture, as an encoder wants it, `[B, 3, S, S]`; pictures as they are where the
    encoder wants none: with "never", and with "auto" those for encoders that do not read photos of faces.

    images: `[B, 3, H, W]` in −1…1, or one of Pillow's, which may be huge: only its crop becomes floating point.
    mode, any_angle and errors: as for `align_batch`. size: S; None for the encoder's.
    """
    if mode == "never" or (mode == "auto" and not encoder.config.reads_photos):
        return images if isinstance(images, torch.Tensor) else from_pil(images)
    size = size or encoder.input_size
    if isinstance(images, torch.Tensor):
        return align_batch(images, size, mode, any_angle)[0]
    (face,) = crop_largest([to_rgb(images)], size, mode, any_angle)
    return from_pil(images if face is None else face.crop)
