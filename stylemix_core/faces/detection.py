"""Finding faces and their landmarks in pictures: BlazeFace, weighted non-maximum suppression, FaceMesh.

Coordinates are pixels of the picture; whole numbers are the centres of pixels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from .landmarks import Landmarks
from .networks import Detector, anchors, networks

CANDIDATE_SCORE = 0.5
"""What a box of a detector needs to count towards a face's mean box; the best needs `Detector.min_score`."""

MESH_LOGIT = 0.0
"""What the mesh's score, before the sigmoid, needs for a face."""
MOST_LEAN = 50.0
"""By how many degrees a face may lean for the mesh to be trusted wholly, which has learned upright ones."""

SAME_FACE = 0.3
"""Boxes that overlap by more (intersection over union) are one face."""

REGION = 1.5
"""Side of the square that the mesh looks at, in sides of the detector's box."""

CHUNK = 8
"""Views looked at together. The mesh takes half the time a face in batches; the detector longer in large ones."""

# Points of the mesh around each eye, and the corners of the mouth.
EYE_LEFT, EYE_RIGHT = (33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)
MOUTH_LEFT, MOUTH_RIGHT = 61, 291


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found."""

    points: np.ndarray
    """The mesh: float64 `[468, 2]`."""

    @property
    def landmarks(self) -> Landmarks:
        """The points that decide the crop."""
        eye_left, eye_right = (self.points[list(eye)].mean(0) for eye in (EYE_LEFT, EYE_RIGHT))
        named = {
            "eye_left": eye_left,
            "eye_right": eye_right,
            "mouth_left": self.points[MOUTH_LEFT],
            "mouth_right": self.points[MOUTH_RIGHT],
        }
        return Landmarks.of({name: point.tolist() for name, point in named.items()})

    @property
    def area(self) -> float:
        """Of the upright box around the mesh, in square pixels: which of several faces is the largest."""
        return float(np.ptp(self.points, 0).prod())


@dataclass(frozen=True)
class _Region:
    """A square of a picture, turned by `angle`: what the mesh looks at."""

    picture: int
    quarters: int
    """How far the picture was turned when the detector saw it, counterclockwise."""
    centre: tuple[float, float]
    side: float
    angle: float


@dataclass(frozen=True, eq=False)
class _Found:
    """A face, and what speaks for it."""

    face: Face
    logit: float
    """The mesh's score, before the sigmoid, which saturates."""
    leans: bool
    """Whether it leans by more than `MOST_LEAN` from the upright of the turn in which it was found."""


def find_faces(pictures: Sequence[Image.Image], any_angle: bool = True) -> list[list[Face]]:
    """The faces of every RGB picture, from left to right; an empty list where there is none.

    any_angle: look at every picture turned by each quarter. False for upright faces alone, several times faster:
    those that lean by far more than 25° may be missed, and one upside down may be taken for an upright one.

    Of several meshes of one face, which the quarters give, the mesh's own score decides, and those that lean little
    in their turn go before those that lean much. The detector's score says nothing about which way is up.
    """
    found: list[list[_Found]] = []
    for start in range(0, len(pictures), CHUNK):
        found += _find(pictures[start : start + CHUNK], range(4 if any_angle else 1))
    return [sorted(_distinct(faces), key=lambda face: face.points[:, 0].mean()) for faces in found]


@torch.inference_mode()
def _find(pictures: Sequence[Image.Image], turns: Sequence[int]) -> list[list[_Found]]:
    """The faces of pictures that are looked at turned by quarters, every face as often as it is found.

    A short-range detector has its turn where the other finds nothing.
    """
    found: dict[tuple[int, int], list[_Found]] = {
        (index, quarters): [] for index in range(len(pictures)) for quarters in turns
    }
    for detector in networks()[:2]:
        missing = [view for view, faces in found.items() if not faces]
        regions = _detect(detector, pictures, missing)
        for region, (points, logit) in zip(regions, _meshes(pictures, regions), strict=True):
            if logit >= MESH_LOGIT:
                face = Face(points)
                lean = (_angle(face.landmarks) - 90 * region.quarters + 180) % 360 - 180
                found[region.picture, region.quarters].append(_Found(face, logit, abs(lean) > MOST_LEAN))
    return [[face for quarters in turns for face in found[index, quarters]] for index in range(len(pictures))]


def _angle(points: Landmarks) -> float:
    """How far a face leans clockwise, in degrees."""
    (x0, y0), (x1, y1) = points.eye_left, points.eye_right
    return math.degrees(math.atan2(y1 - y0, x1 - x0))


def _detect(
    detector: Detector, pictures: Sequence[Image.Image], views: Sequence[tuple[int, int]]
) -> list[_Region]:
    """Where faces may be in pictures, which are given by their numbers and the quarters that they are turned by."""
    if not views:
        return []
    seen = {index for index, _ in views}  # most are turned by several quarters
    squares = {index: _letterbox(pictures[index], detector.input_size) for index in seen}
    inputs = torch.stack([squares[index].rot90(quarters, (1, 2)) for index, quarters in views])
    boxes, scores = (
        torch.cat(parts) for parts in zip(*map(detector, torch.split(inputs, CHUNK)), strict=True)
    )
    boxes, scores = boxes / detector.input_size, scores.clamp(-80, 80).sigmoid()
    points = boxes + anchors()[:, None]
    points[:, :, 1] = boxes[:, :, 1]  # sizes are not relative to the anchor
    regions = []
    for (index, quarters), candidates, score in zip(views, points, scores, strict=True):
        likely = score > CANDIDATE_SCORE
        width, height = pictures[index].size
        longer = max(width, height)
        candidates, score = candidates[likely].double().numpy(), score[likely].numpy()
        for box in _suppress(candidates, score, detector.min_score):
            places = (
                _turned_back(box[[0, 2, 3]] - 0.5, quarters) * longer + (width / 2, height / 2)
            ).tolist()
            (x, y), left, right = places
            angle = math.atan2(right[1] - left[1], right[0] - left[0])
            regions.append(_Region(index, quarters, (x, y), REGION * longer * box[1].max(), angle))
    return regions


def _turned_back(points: np.ndarray, quarters: int) -> np.ndarray:
    """Points x, y `[N, 2]` around the middle of a picture that was turned counterclockwise, in the unturned one."""
    for _ in range(quarters):
        points = np.stack([-points[:, 1], points[:, 0]], 1)
    return points


def _letterbox(picture: Image.Image, side: int) -> torch.Tensor:
    """The whole picture within a grey square, `[3, side, side]` in −1…1."""
    scale = side / max(picture.size)
    width, height = (max(1, round(edge * scale)) for edge in picture.size)
    small = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
    left, top = (side - width) // 2, (side - height) // 2
    square = torch.zeros(3, side, side)
    square[:, top : top + height, left : left + width] = _tensor(small) * 2 - 1
    return square


def _suppress(boxes: np.ndarray, scores: np.ndarray, min_score: float) -> Iterator[np.ndarray]:
    """Weighted non-maximum suppression: boxes `[N, 8, 2]` of one face become their mean, weighted by the scores.

    The best of the scores must reach `min_score`.
    """
    low, high = boxes[:, 0] - boxes[:, 1] / 2, boxes[:, 0] + boxes[:, 1] / 2
    left = np.argsort(-scores, kind="stable")
    while len(left) and scores[left[0]] >= min_score:
        same = _overlap(low[left[0]], high[left[0]], low[left], high[left]) > SAME_FACE
        same[0] = True
        group = left[same]
        yield np.average(boxes[group], 0, scores[group])
        left = left[~same]


def _overlap(low: np.ndarray, high: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with several."""
    shared = (np.minimum(high, highs) - np.maximum(low, lows)).clip(0).prod(-1)
    either = (high - low).prod(-1) + (highs - lows).prod(-1) - shared
    overlap: np.ndarray = shared / either.clip(1e-12)
    return overlap


def _meshes(
    pictures: Sequence[Image.Image], regions: Sequence[_Region]
) -> Iterator[tuple[np.ndarray, float]]:
    """The mesh of every region, `[468, 2]`, and its score before the sigmoid, certain or not."""
    mesh = networks()[2]
    for start in range(0, len(regions), CHUNK):
        part = regions[start : start + CHUNK]
        views = torch.stack([_view(pictures[region.picture], region, mesh.input_size) for region in part])
        points, scores = mesh(views)
        for region, local, score in zip(
            part, points[:, :, :2].double().numpy(), scores.tolist(), strict=True
        ):
            cos, sin = math.cos(region.angle), math.sin(region.angle)
            offset = (local / mesh.input_size - 0.5) * region.side
            yield offset @ [[cos, sin], [-sin, cos]] + region.centre - 0.5, score


def _view(picture: Image.Image, region: _Region, side: int) -> torch.Tensor:
    """A region turned upright, `[3, side, side]` in 0…1, black outside the picture."""
    (x, y), scale = region.centre, region.side / side
    if scale > 2:  # without this, bilinear sampling would skip pixels
        reach = region.side * math.sqrt(0.5)
        left, right = (min(max(round(edge), 0), picture.width) for edge in (x - reach, x + reach))
        top, bottom = (min(max(round(edge), 0), picture.height) for edge in (y - reach, y + reach))
        shrink = 1.5 / scale
        size = (max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink)))
        # The box is as large as makes both sides shrink alike.
        box = (
            left,
            top,
            min(left + size[0] / shrink, picture.width),
            min(top + size[1] / shrink, picture.height),
        )
        picture = picture.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=2)
        x, y, scale = (x - left) * shrink, (y - top) * shrink, 1.5
    cos, sin = scale * math.cos(region.angle), scale * math.sin(region.angle)
    half = side / 2
    # From a pixel of the view to one of the picture.
    matrix = (cos, -sin, x - half * (cos - sin), sin, cos, y - half * (sin + cos))
    return _tensor(picture.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


def _tensor(picture: Image.Image) -> torch.Tensor:
    """A picture as `[3, H, W]` in 0…1."""
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)


def _distinct(found: Sequence[_Found]) -> list[Face]:
    """The faces, without the less trusted of two meshes of the same one."""
    kept: list[Face] = []
    for one in sorted(found, key=lambda one: (one.leans, -one.logit)):
        low, high = one.face.points.min(0), one.face.points.max(0)
        if all(_overlap(low, high, other.points.min(0), other.points.max(0)) <= SAME_FACE for other in kept):
            kept.append(one.face)
    return kept
