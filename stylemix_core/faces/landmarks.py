"""The four points of a face that decide how it is cropped."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

from ..errors import StyleMixError

Point = tuple[float, float]

EXAMPLE = "eye_left 293,215  eye_right 352,223  mouth_left 294,273  mouth_right 336,279"


@dataclass(frozen=True)
class Landmarks:
    """Centres of the eyes and corners of the mouth, (x, y) in pixels of the picture.

    Left and right are as seen when the face is upright. Whole numbers are the centres of pixels, (0, 0) that of
    the top left one.
    """

    eye_left: Point
    eye_right: Point
    mouth_left: Point
    mouth_right: Point

    @classmethod
    def of(cls, points: "Landmarks | Mapping[str, Sequence[float]]") -> "Landmarks":
        """From a mapping of the four names to (x, y). `StyleMixError` where that is not what it is."""
        if isinstance(points, Landmarks):
            return points
        names = [field.name for field in fields(cls)]
        if not isinstance(points, Mapping) or sorted(map(str, points)) != sorted(names):
            found = ", ".join(map(str, points)) if isinstance(points, Mapping) else type(points).__name__
            raise StyleMixError(
                f"the points are {found or 'empty'}; expected {', '.join(names)}, each an (x, y)"
            )
        return cls(**{name: _point(name, points[name]) for name in names})

    def check(self, width: int, height: int) -> None:
        """`StyleMixError` when these cannot be points of a face in a picture of this size."""
        left, right, mouth_left, mouth_right = astuple(self)
        for name, (x, y) in zip((field.name for field in fields(self)), astuple(self), strict=True):
            if abs(2 * x - width) > 2 * width or abs(2 * y - height) > 2 * height:
                raise StyleMixError(
                    f"the point {name} ({x:g}, {y:g}) lies far outside the picture of {width}×{height} pixels; "
                    "give pixels counted from the top left corner"
                )
        across = right[0] - left[0], right[1] - left[1]
        down = (
            (mouth_left[0] + mouth_right[0] - left[0] - right[0]) / 2,
            (mouth_left[1] + mouth_right[1] - left[1] - right[1]) / 2,
        )
        if math.hypot(*across) < 1 or math.hypot(*down) < 1:
            raise StyleMixError(
                "the points lie on top of each other: the eyes, and eyes and mouth, must be at least a pixel apart"
            )
        # Which way the mouth lies decides which way is right.
        if across[0] * down[1] - across[1] * down[0] <= 0.1 * math.hypot(*across) * math.hypot(*down):
            raise StyleMixError(
                "the points do not form a face: the mouth must lie below the eyes, and left is left as seen in "
                f"the upright picture, as in: {EXAMPLE}"
            )


def parse_landmarks(text: str) -> Landmarks:
    """The four points from text: names with coordinates (JSON or plain), or eight numbers in the names' order.

    >>> parse_landmarks("293,215 352,223 294,273 336,279").eye_right
    (352.0, 223.0)
    """
    names = [field.name for field in fields(Landmarks)]
    if text.lstrip().startswith("{"):
        try:
            return Landmarks.of(json.loads(text))
        except json.JSONDecodeError as error:
            raise StyleMixError(f"the points are not valid JSON ({error}); for example: {EXAMPLE}") from None
    number = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
    rest = re.sub(rf"{number}|{'|'.join(names)}|[\s,;:=()\[\]]", "", text)
    found = re.findall("|".join(names), text)
    numbers = [float(value) for value in re.findall(number, text)]
    if rest or len(numbers) != 8 or sorted(found) not in ([], sorted(names)):
        raise StyleMixError(
            f"the points {text.strip()!r} are not four points; expected eight numbers, x and y of the left eye, the "
            f"right eye, and the left and right corner of the mouth, for example: {EXAMPLE}"
        )
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return Landmarks.of(dict(zip(found or names, pairs, strict=True)))


def _point(name: str, value: Sequence[float]) -> Point:
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError):
        raise StyleMixError(
            f"the point {name} is {value!r}; expected two numbers, x and y in pixels"
        ) from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise StyleMixError(f"the point {name} is ({x}, {y}); expected two finite numbers, x and y in pixels")
    return x, y
