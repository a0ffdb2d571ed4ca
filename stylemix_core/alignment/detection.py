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

MESH_SCORE = 0.5
SAME_FACE = 0.3
"""Boxes that overlap by more (intersection over union) are one face."""

REGION = 1.5
"""Side of the square that the mesh looks at, in sides of the detector's box."""

CHUNK = 8
"""Pictures looked at together. The mesh takes half the time a face in batches; the detector is indifferent."""

# Points of the mesh around each eye, and the corners of the mouth.
EYE_LEFT, EYE_RIGHT = (33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)
MOUTH_LEFT, MOUTH_RIGHT = 61, 291


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found."""

    points: np.ndarray
    """The mesh: float64 `[468, 2]`."""
    score: float
    """How sure both networks are that this is a face, 0…1."""

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


@dataclass(frozen=True)
class _Region:
    """A square of a picture, turned by `angle`: what the mesh looks at."""

    picture: int
    score: float
    centre: tuple[float, float]
    side: float
    angle: float


def find_faces(pictures: Sequence[Image.Image], any_angle: bool = False) -> list[list[Face]]:
    """The faces of every RGB picture, from left to right; an empty list where there is none.

    any_angle: look at every picture turned by each quarter, and trust what is surest. Without it, faces are found up
    to a quarter turn; drawn ones that lean by far more than 25° may be framed wrongly.
    """
    found: list[list[Face]] = [[] for _ in pictures]
    for quarters in range(4 if any_angle else 1):
        for start in range(0, len(pictures), CHUNK):
            part = range(start, min(start + CHUNK, len(pictures)))
            turned = [_turn(pictures[index], quarters) for index in part]
            for index, faces in zip(part, _find(turned), strict=True):
                width, height = pictures[index].size
                found[index] += [
                    Face(_turn_back(face.points, quarters, width, height), face.score) for face in faces
                ]
    return [sorted(_distinct(faces), key=lambda face: face.points[:, 0].mean()) for faces in found]


def _turn(picture: Image.Image, quarters: int) -> Image.Image:
    """Counterclockwise."""
    turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
    return picture.transpose(turns[quarters - 1]) if quarters else picture


def _turn_back(points: np.ndarray, quarters: int, width: int, height: int) -> np.ndarray:
    """Points of a turned picture in the original, which has the given size."""
    x, y = points.T
    right, bottom = width - 1, height - 1
    turned = ((x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x))
    return np.stack(turned[quarters], 1)


@torch.inference_mode()
def _find(pictures: Sequence[Image.Image]) -> list[list[Face]]:
    """A short-range detector has its turn where the other finds nothing."""
    found: list[list[Face]] = [[] for _ in pictures]
    for detector in networks()[:2]:
        missing = [index for index, faces in enumerate(found) if not faces]
        if missing:
            regions = _detect(detector, pictures, missing)
            for region, face in zip(regions, _meshes(pictures, regions), strict=True):
                if face.score >= MESH_SCORE:
                    found[region.picture].append(Face(face.points, face.score * region.score))
    return found


def _detect(detector: Detector, pictures: Sequence[Image.Image], which: Sequence[int]) -> list[_Region]:
    """Where faces may be in the pictures with the given numbers."""
    inputs = torch.stack([_letterbox(pictures[index], detector.input_size) for index in which])
    boxes, scores = detector(inputs)
    boxes, scores = boxes / detector.input_size, scores.clamp(-80, 80).sigmoid()
    points = boxes + anchors()[:, None]
    points[:, :, 1] = boxes[:, :, 1]  # sizes are not relative to the anchor
    regions = []
    for index, candidates, score in zip(which, points, scores, strict=True):
        likely = score > CANDIDATE_SCORE
        width, height = pictures[index].size
        longer = max(width, height)
        candidates, score = candidates[likely].double().numpy(), score[likely].numpy()
        for certainty, box in _suppress(candidates, score, detector.min_score):
            (x, y), left, right = (box[[0, 2, 3]] - 0.5) * longer + (width / 2, height / 2)
            angle = math.atan2(right[1] - left[1], right[0] - left[0])
            regions.append(_Region(index, certainty, (x, y), REGION * longer * box[1].max(), angle))
    return regions


def _letterbox(picture: Image.Image, side: int) -> torch.Tensor:
    """The whole picture within a grey square, `[3, side, side]` in −1…1."""
    scale = side / max(picture.size)
    width, height = (max(1, round(edge * scale)) for edge in picture.size)
    small = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
    left, top = (side - width) // 2, (side - height) // 2
    square = torch.zeros(3, side, side)
    square[:, top : top + height, left : left + width] = _tensor(small) * 2 - 1
    return square


def _suppress(boxes: np.ndarray, scores: np.ndarray, min_score: float) -> Iterator[tuple[float, np.ndarray]]:
    """Weighted non-maximum suppression: boxes `[N, 8, 2]` of one face become their mean, weighted by the scores.

    With it comes the best of the scores, which must reach `min_score`.
    """
    low, high = boxes[:, 0] - boxes[:, 1] / 2, boxes[:, 0] + boxes[:, 1] / 2
    left = np.argsort(-scores, kind="stable")
    while len(left) and scores[left[0]] >= min_score:
        same = _overlap(low[left[0]], high[left[0]], low[left], high[left]) > SAME_FACE
        same[0] = True
        group = left[same]
        yield float(scores[left[0]]), np.average(boxes[group], 0, scores[group])
        left = left[~same]


def _overlap(low: np.ndarray, high: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with several."""
    shared = (np.minimum(high, highs) - np.maximum(low, lows)).clip(0).prod(-1)
    return shared / ((high - low).prod(-1) + (highs - lows).prod(-1) - shared).clip(1e-12)


def _meshes(pictures: Sequence[Image.Image], regions: Sequence[_Region]) -> list[Face]:
    """The face of every region, with the mesh's own score, certain or not."""
    mesh = networks()[2]
    faces = []
    for start in range(0, len(regions), CHUNK):
        part = regions[start : start + CHUNK]
        views = torch.stack([_view(pictures[region.picture], region, mesh.input_size) for region in part])
        points, scores = mesh(views)
        for region, local, score in zip(
            part, points[:, :, :2].double().numpy(), scores.sigmoid(), strict=True
        ):
            cos, sin = math.cos(region.angle), math.sin(region.angle)
            offset = (local / mesh.input_size - 0.5) * region.side
            faces.append(Face(offset @ [[cos, sin], [-sin, cos]] + region.centre - 0.5, float(score)))
    return faces


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
    """`[3, H, W]` in 0…1."""
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)


def _distinct(faces: Sequence[Face]) -> list[Face]:
    """Without the less certain of two meshes of the same face."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        low, high = face.points.min(0), face.points.max(0)
        if all(_overlap(low, high, other.points.min(0), other.points.max(0)) <= SAME_FACE for other in kept):
            kept.append(face)
    return kept
