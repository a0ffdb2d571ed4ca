"""Cropping a picture to a face as FFHQ's pictures were: turned upright, padded where the picture ends.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks" (2019), appendix A.
The picture goes on as its own mirror image beyond its edges, blurred and then faded to the median colour. Nothing
larger than the crop's own area of the picture is held in floating point.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter

from ..images import cut
from .transform import FaceTransform, pixel_centres

BLUR = 0.02
"""Standard deviation of the padding's blur, in sides of the crop."""

MEDIAN_GRID = 128
"""Positions across the padded area at which its median colour is taken."""


@dataclass(frozen=True)
class Padding:
    """How far a padded picture goes on beyond its edges, in pixels."""

    left: int
    top: int
    right: int
    bottom: int
    width: int
    """Of the picture, without the padding."""
    height: int

    def blur(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """How much of the colour at x, y is blurred, 0…1. The blur reaches a little into the picture."""
        return (3 * self._outwardness(x, y) + 1).clamp(0, 1)

    def fade(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """How much of the colour at x, y is the median, 0…1."""
        return self._outwardness(x, y).clamp(0, 1)

    def _outwardness(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """1 at the outer edge, 0 where the picture begins, and less further inside."""
        near = torch.minimum((x + self.left) / self.left, (y + self.top) / self.top)
        far = torch.minimum(
            (self.width - 1 + self.right - x) / self.right, (self.height - 1 + self.bottom - y) / self.bottom
        )
        return 1 - torch.minimum(near, far).float()


def crop_face(picture: Image.Image, transform: FaceTransform) -> Image.Image:
    """The square of an RGB picture that `transform` describes, `transform.size` pixels square."""
    part, local = _cut(picture, transform)
    padding = find_padding(local)
    line = pixel_centres(transform.size)
    x, y = local.to_picture(line[None], line[:, None])
    colours = _sample(_tensor(part), x, y) if padding is None else _sample_padded(part, padding, local, x, y)
    return Image.fromarray(colours.permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy())


def find_padding(transform: FaceTransform) -> Padding | None:
    """The padding that a crop needs; None where it lies within its picture.

    It is at least 0.3 of the crop's side wide on every edge, so that it can fade.
    """
    width, height = transform.picture_size
    xs, ys = zip(*transform.quad, strict=True)
    border = _border(transform)
    beyond = (
        border - math.floor(min(xs)),
        border - math.floor(min(ys)),
        math.ceil(max(xs)) - width + border,
        math.ceil(max(ys)) - height + border,
    )
    if max(beyond) <= border - 4:
        return None
    least = round(0.3 * transform.side)
    left, top, right, bottom = (max(pixels, least) for pixels in beyond)
    return Padding(left, top, right, bottom, width, height)


def _border(transform: FaceTransform) -> int:
    """What is kept of the picture around the crop."""
    return max(round(0.1 * transform.side), 3)


def _cut(picture: Image.Image, transform: FaceTransform) -> tuple[Image.Image, FaceTransform]:
    """The part of the picture around the crop, and the crop's place in it.

    It is shrunk by a whole number where that leaves at least twice the crop's resolution.
    """
    shrink = max(1, math.floor(transform.side / transform.size / 2))
    width, height = (max(1, round(side / shrink)) for side in picture.size)
    shrunk = transform.in_part((0, 0, *picture.size), (width, height))
    border = _border(shrunk)
    xs, ys = zip(*shrunk.quad, strict=True)
    left, top = (
        min(max(math.floor(min(xs)) - border, 0), width - 1),
        min(max(math.floor(min(ys)) - border, 0), height - 1),
    )
    right, bottom = (
        max(min(math.ceil(max(xs)) + border, width), left + 1),
        max(min(math.ceil(max(ys)) + border, height), top + 1),
    )
    size = right - left, bottom - top
    if shrink == 1:
        part = cut(picture, (left, top, right, bottom))
    else:
        x, y = picture.width / width, picture.height / height
        part = picture.resize(size, Image.Resampling.LANCZOS, (left * x, top * y, right * x, bottom * y))
    return part, shrunk.in_part((left, top, right, bottom), size)


def _sample_padded(
    part: Image.Image, padding: Padding, transform: FaceTransform, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Colours of the padded picture at x, y, `[3, …]` in 0…255."""
    sigma = BLUR * transform.side
    shrink = max(1, math.floor(sigma / 3))  # a blurred picture needs fewer pixels
    sharp, soft = _tensor(part), _tensor(_blurred(part.reduce(shrink), sigma / shrink))

    def blend(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        blurred = _sample(soft, (x + 0.5) / shrink - 0.5, (y + 0.5) / shrink - 0.5)
        return torch.lerp(_sample(sharp, x, y), blurred, padding.blur(x, y))

    line = pixel_centres(MEDIAN_GRID)
    across = line * (padding.left + padding.width + padding.right) - padding.left - 0.5
    down = line * (padding.top + padding.height + padding.bottom) - padding.top - 0.5
    everywhere = blend(*torch.meshgrid(across, down, indexing="xy"))
    median = everywhere.flatten(1).median(1).values[:, None, None]
    return torch.lerp(blend(x, y), median, padding.fade(x, y))


def _blurred(picture: Image.Image, sigma: float) -> Image.Image:
    """The picture after a Gaussian blur, for which it goes on mirrored beyond its edges."""
    edge = math.ceil(3 * sigma)
    pixels = np.pad(np.asarray(picture), ((edge, edge), (edge, edge), (0, 0)), "reflect")
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma))
    return blurred.crop((edge, edge, edge + picture.width, edge + picture.height))


def _sample(pixels: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """`[3, H, W]` at the positions x, y by bilinear interpolation, mirrored beyond the edges."""
    height, width = pixels.shape[1:]
    grid = torch.stack([_mirror(x, width), _mirror(y, height)], -1).float()
    return F.grid_sample(
        pixels[None], grid[None], mode="bilinear", padding_mode="border", align_corners=True
    )[0]


def _mirror(position: torch.Tensor, size: int) -> torch.Tensor:
    """A position as grid_sample counts, −1…1 between the first and the last pixel, the edge pixels mirroring."""
    if size == 1:
        return torch.zeros_like(position)
    # A triangle wave of period 2·(size − 1).
    turn = (position / (size - 1)) % 2
    return 1 - 2 * (turn - 1).abs()


def _tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(picture, dtype=np.float32)).permute(2, 0, 1)
