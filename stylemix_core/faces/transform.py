"""Where a crop lies in its picture."""

import math
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, replace
from typing import Any

import numpy as np
import torch

from ..errors import StyleMixError
from .landmarks import Landmarks, Point

MIN_SIZE, MAX_SIZE = 16, 2048
"""Sides that a crop may have."""

MIN_MARGIN, MAX_MARGIN = -0.5, 2.0


@dataclass(frozen=True)
class FaceTransform:
    """A square of a picture that is cropped, and everything that is needed to paste the crop back.

    Coordinates are pixels of the picture; whole numbers are the centres of pixels.
    """

    quad: tuple[Point, Point, Point, Point]
    """The crop's corners in the picture: top left, bottom left, bottom right and top right, as seen in the crop."""
    size: int
    """The crop's side in its own pixels."""
    picture_size: tuple[int, int]
    """Width and height of the picture."""
    picture: int = 0
    """Which picture of a batch."""

    def __repr__(self) -> str:
        """The square in words, for people."""
        (x, y), (width, height) = self.centre, self.picture_size
        return (
            f"a square of {self.side:.0f} pixels around ({x:.0f}, {y:.0f}) of picture {self.picture + 1} "
            f"({width}×{height}), as {self.size}×{self.size}"
        )

    @classmethod
    def ffhq(
        cls,
        landmarks: Landmarks,
        picture_size: tuple[int, int],
        size: int = 256,
        margin: float = 0.0,
        picture: int = 0,
    ) -> "FaceTransform":
        """The square that FFHQ's pictures show of a face (Karras et al. 2019, appendix A).

        Its axis x lies along the eyes, averaged with the direction across from eyes to mouth; its side is four
        times the eyes' distance or 3.6 times that from eyes to mouth, whichever is more; its centre lies a tenth
        of the way from eyes to mouth. margin: how much longer the side is, as a fraction.
        `StyleMixError` on a size, margin or points that make no sense.
        """
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise StyleMixError(f"the output size is {size}; choose {MIN_SIZE} to {MAX_SIZE} pixels")
        if not MIN_MARGIN <= margin <= MAX_MARGIN:
            raise StyleMixError(
                f"the margin is {margin:g}; choose {MIN_MARGIN:g} to {MAX_MARGIN:g}, 0 is as in FFHQ"
            )
        landmarks.check(*picture_size)
        eye_left, eye_right, mouth_left, mouth_right = np.array(astuple(landmarks))
        eyes, mouth = (eye_left + eye_right) / 2, (mouth_left + mouth_right) / 2
        eye_to_eye, eye_to_mouth = eye_right - eye_left, mouth - eyes
        x = eye_to_eye - _turned(eye_to_mouth)
        reach = max(2.0 * math.hypot(*eye_to_eye), 1.8 * math.hypot(*eye_to_mouth))
        x *= reach * (1 + margin) / math.hypot(*x)
        y = _turned(x)
        c = eyes + 0.1 * eye_to_mouth
        return cls(_points(c - x - y, c - x + y, c + x + y, c + x - y), size, picture_size, picture)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FaceTransform":
        """The inverse of `as_dict`. `StyleMixError` when something is missing or of another kind."""
        try:
            top_left, bottom_left, bottom_right, top_right = ((float(x), float(y)) for x, y in values["quad"])
            width, height = (int(side) for side in values["picture_size"])
            quad = (top_left, bottom_left, bottom_right, top_right)
            return cls(quad, int(values["size"]), (width, height), int(values.get("picture", 0)))
        except (KeyError, TypeError, ValueError) as error:
            raise StyleMixError(
                f"this is no transform ({error!r}); expected quad, size and picture_size, as as_dict() gives them"
            ) from None

    def in_part(self, box: tuple[int, int, int, int], size: tuple[int, int]) -> "FaceTransform":
        """The same square in a part of the picture (left, top, right, bottom) that was resized to `size`."""
        corner, extent = np.array(box[:2]), np.array(box[2:]) - box[:2]
        moved = ((np.array(self.quad) + 0.5 - corner) * (np.array(size) / extent)) - 0.5
        return replace(self, quad=_points(*moved), picture_size=size)

    def as_dict(self) -> dict[str, Any]:
        """The transform as a dict that `json.dumps` takes."""
        return asdict(self)

    @property
    def side(self) -> float:
        """The square's side in pixels of the picture."""
        return math.dist(self.quad[0], self.quad[3])

    @property
    def angle(self) -> float:
        """How far the face leans, in degrees: what the crop was turned back by. Positive is clockwise."""
        (x0, y0), (x1, y1) = self.quad[0], self.quad[3]
        return math.degrees(math.atan2(y1 - y0, x1 - x0))

    @property
    def centre(self) -> Point:
        """The square's centre in the picture."""
        (x0, y0), (x1, y1) = self.quad[0], self.quad[2]
        return (x0 + x1) / 2, (y0 + y1) / 2

    def to_picture(self, u: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Positions in the crop, 0…1 from edge to edge, as pixels x, y of the picture."""
        (x0, y0), (x1, y1), _, (x3, y3) = self.quad
        return x0 + u * (x3 - x0) + v * (x1 - x0), y0 + u * (y3 - y0) + v * (y1 - y0)

    def to_crop(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The inverse of `to_picture`."""
        (x0, y0), (x1, y1), _, (x3, y3) = self.quad
        (ax, ay), (bx, by) = (x3 - x0, y3 - y0), (x1 - x0, y1 - y0)
        determinant = ax * by - ay * bx
        x, y = x - x0, y - y0
        return (x * by - y * bx) / determinant, (y * ax - x * ay) / determinant

    def real_area(self, size: int | None = None) -> torch.Tensor:
        """Which pixels of the crop show the picture and not its padding: float32 `[S, S]` of ones and zeros."""
        line = pixel_centres(size or self.size)
        x, y = self.to_picture(line[None], line[:, None])
        width, height = self.picture_size
        return ((x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)).float()


def pixel_centres(size: int) -> torch.Tensor:
    """Where the centres of a row of pixels lie, float64 in 0…1."""
    return (torch.arange(size, dtype=torch.float64) + 0.5) / size


def _turned(vector: np.ndarray) -> np.ndarray:
    """The vector turned by 90° clockwise, as seen in the picture."""
    return np.array([-vector[1], vector[0]])


def _points(*points: np.ndarray) -> tuple[Point, Point, Point, Point]:
    a, b, c, d = ((float(x), float(y)) for x, y in points)
    return a, b, c, d
