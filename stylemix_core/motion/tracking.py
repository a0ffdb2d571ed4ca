"""Where one person's face is in a clip, from frame to frame."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from PIL import Image

from ..errors import NoFaceError, StyleMixError
from ..faces import Face, FaceTransform, find_faces
from .film import Frame

CENTRE_SIGMA, AXES_SIGMA = 1.0, 3.0
"""Frames over which crops are smoothed, as in "Stitch it in Time" (Tzaban et al. 2022, section 3.1)."""
CUT = 0.18
"""How much of the full range the mean pixel of a small picture changes where a new scene begins."""
SMALL = 32
"""Side of the pictures by which scenes are told apart."""
NEAR = 0.6
"""How far a face may move from one frame to the next, in its own widths."""
LOST = 24
"""Frames after which a face that was out of sight may come back anywhere."""
AT_ONCE = 8
"""Frames in which faces are looked for together."""


@dataclass(frozen=True)
class Seen:
    """What is known of a frame."""

    faces: tuple[Face, ...]
    cut: bool
    """Whether a new scene begins."""


def look(frames: Iterable[Frame], any_angle: bool = False) -> Iterator[Seen]:
    """The faces of frames, and where scenes begin, a few frames at a time."""
    before: np.ndarray[Any, Any] | None = None
    waiting: list[Frame] = []

    def seen(some: list[Frame]) -> Iterator[Seen]:
        nonlocal before
        pictures = [Image.fromarray(frame) for frame in some]
        for picture, faces in zip(pictures, find_faces(pictures, any_angle), strict=True):
            small = np.asarray(picture.resize((SMALL, SMALL), Image.Resampling.BOX), np.float32) / 255
            cut = before is not None and float(np.abs(small - before).mean()) > CUT
            yield Seen(tuple(face for face in faces if _can_be_cropped(face, picture.size)), cut)
            before = small

    for frame in frames:
        waiting.append(frame)
        if len(waiting) == AT_ONCE:
            yield from seen(waiting)
            waiting = []
    if waiting:
        yield from seen(waiting)


def _can_be_cropped(face: Face, size: tuple[int, int]) -> bool:
    """Not where its points are in places where no face has them, as in a blur."""
    try:
        face.landmarks.check(*size)
    except StyleMixError:
        return False
    return True


def follow(seen: Sequence[Seen], face: int | None = None) -> list[Face | None]:
    """One person's face in every frame, None where it is out of sight.

    face: which face of the first frame that has one, 0 being the leftmost; None for the largest. In every other scene
        it is the largest.
    `NoFaceError` when no frame has a face, or the first that has one does not have so many.
    """
    found: list[Face | None] = []
    last: Face | None = None
    missed = 0
    for frame in seen:
        if frame.cut:
            last = None
        chosen = None
        if last is None and frame.faces:
            chosen = _first(frame.faces, face if not any(found) else None)
        elif last is not None:
            distances = [_distance(one, last) for one in frame.faces]
            if distances and min(distances) <= NEAR * (1 + missed):
                chosen = frame.faces[distances.index(min(distances))]
        missed = 0 if chosen is not None else missed + 1
        last = chosen if chosen is not None else (last if missed < LOST else None)
        found.append(chosen)
    if not any(found):
        raise NoFaceError(
            "no face was found in any frame; give a clip of a face, larger than a twentieth of it"
        )
    return found


def _first(faces: Sequence[Face], number: int | None) -> Face:
    if number is None:
        return max(faces, key=lambda one: one.area)
    if number >= len(faces):
        raise NoFaceError(f"there is no face number {number}; the first frame with faces has {len(faces)}")
    return faces[number]


def _distance(face: Face, before: Face) -> float:
    """How far a face moved, in its widths before."""
    moved = face.points.mean(0) - before.points.mean(0)
    return float(np.hypot(*moved) / max(np.ptp(before.points, 0).max(), 1))


def crops(
    seen: Sequence[Seen], faces: Sequence[Face | None], size: tuple[int, int], side: int
) -> list[FaceTransform | None]:
    """The FFHQ crops of the faces in frames of a width and height, smoothed over time inside each scene."""
    raw = [
        None if face is None else FaceTransform.ffhq(face.landmarks, size, side, picture=number)
        for number, face in enumerate(faces)
    ]
    smoothed: list[FaceTransform | None] = list(raw)
    for run in runs(seen, faces):
        quads = np.array([transform.quad for transform in (raw[i] for i in run) if transform is not None])
        centre = smooth(quads.mean(1), CENTRE_SIGMA)
        x = smooth((quads[:, 3] - quads[:, 0]) / 2, AXES_SIGMA)
        y = np.stack([-x[:, 1], x[:, 0]], 1)
        for number, *corners in zip(run, centre - x - y, centre - x + y, centre + x + y, centre + x - y):
            transform = raw[number]
            assert transform is not None
            one, two, three, four = ((float(across), float(down)) for across, down in corners)
            smoothed[number] = replace(transform, quad=(one, two, three, four))
    return smoothed


def runs(seen: Sequence[Seen], faces: Sequence[Face | None]) -> list[range]:
    """Frames of one scene that follow each other and have a face."""
    scene = np.cumsum([frame.cut for frame in seen])
    keys = [(face is not None, int(number)) for face, number in zip(faces, scene, strict=True)]
    found = []
    for (has, _), group in groupby(range(len(keys)), key=keys.__getitem__):
        numbers = list(group)
        if has:
            found.append(range(numbers[0], numbers[-1] + 1))
    return found


def smooth(values: np.ndarray[Any, Any], sigma: float) -> np.ndarray[Any, Any]:
    """Rows `[N, …]` averaged by a Gaussian over their neighbours, as far as there are any."""
    total, weight = np.zeros_like(values, dtype=np.float64), np.zeros(len(values))
    reach = min(round(4 * sigma), len(values) - 1)
    for offset in range(-reach, reach + 1):
        share = float(np.exp(-0.5 * (offset / sigma) ** 2))
        here = slice(max(0, -offset), len(values) - max(0, offset))
        there = slice(max(0, offset), len(values) - max(0, -offset))
        total[here] += share * values[there]
        weight[here] += share
    mean: np.ndarray[Any, Any] = total / weight.reshape(-1, *[1] * (values.ndim - 1))
    return mean
