"""Where StyleGAN3 puts its pictures, which other generators cannot choose; and how faces stood in their photographs."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

from .codes.foreign import numbers
from .errors import CheckpointError, StyleMixError
from .files.arrays import read_npy
from .files.damage import about
from .wording import counted

if TYPE_CHECKING:
    from .faces import FaceTransform

Value = TypeVar("Value")
Pose = tuple[float, tuple[float, float]]
"""Degrees counter-clockwise, then the shift right and down in picture widths."""
EXPECTED = "expected a dictionary of (degrees, [right, down], …) by picture, as stylegan3-editing writes it"


@dataclass(frozen=True)
class Move:
    """Where StyleGAN3 puts its pictures: turned, then shifted; all alike, or each in its own way."""

    translate: tuple[tuple[float, float], ...] | None = None
    """To the right and down, in picture widths: of all pictures, or of each. None leaves them where they are."""
    rotate: tuple[float, ...] | None = None
    """Degrees counter-clockwise."""

    @property
    def alike(self) -> bool:
        """Whether all pictures move alike."""
        return all(values is None or len(values) == 1 for values in (self.translate, self.rotate))

    def check(self, count: int) -> None:
        """`StyleMixError` unless it says how `count` pictures move."""
        for values in (self.translate, self.rotate):
            if values is not None and len(values) not in (1, count):
                raise StyleMixError(
                    f"there are moves of {counted(len(values), 'picture')}, but {counted(count, 'code')}; expected one "
                    "for all, or one for each"
                )

    def take(self, items: slice) -> "Move":
        """That of some of the pictures."""
        return Move(part(self.translate, items), part(self.rotate, items))

    def for_codes(self, count: int) -> "Move":
        """That of `count` pictures of faces that each move in their own way: all versions of the first face, then of
        the second, as `inject` has them. `StyleMixError` unless there are as many of every one."""
        if self.alike:
            return self
        faces = max(len(self.translate or ()), len(self.rotate or ()))
        if count % faces:
            raise StyleMixError(
                f"there are {counted(faces, 'face')} to turn and {counted(count, 'code')}; expected as many codes for "
                "every face. Take the transform of the pictures that were encoded."
            )
        versions = count // faces
        return Move(spread(self.translate, versions), spread(self.rotate, versions))


def part(values: tuple[Value, ...] | None, items: slice) -> tuple[Value, ...] | None:
    """What there is for some pictures; one value is for all."""
    return values if values is None or len(values) == 1 else values[items]


def spread(values: tuple[Value, ...] | None, versions: int) -> tuple[Value, ...] | None:
    """What there is for every face, for all its versions."""
    if values is None or len(values) == 1:
        return values
    return tuple(value for value in values for _ in range(versions))


STILL = Move()


def as_in_photos(
    transforms: Sequence["FaceTransform"], translate: tuple[float, float] = (0.0, 0.0), rotate: float = 0.0
) -> Move:
    """What turns faces as those of the crops stood in their photographs, by `rotate` more, and shifts them then."""
    return Move((translate,), tuple(rotate - transform.angle for transform in transforms))


def poses_by_name(path: str | os.PathLike[str], names: Sequence[Sequence[str]]) -> Move:
    """Poses of pictures from stylegan3-editing's `landmarks_transforms.npy`.

    names: what each picture may be called there, the likeliest first. Endings may be others, unless it is then not
        clear which picture is meant.
    `CheckpointError` when the file is another, or lacks a picture.
    """
    with about(path):
        known = read_poses(path)
        poses = [pose_for(given, known) for given in names]
    return Move(tuple(shift for _, shift in poses), tuple(degrees for degrees, _ in poses))


def pose_for(names: Sequence[str], known: Mapping[str, Pose]) -> Pose:
    """The pose of a picture by one of its names."""
    for name in names:
        if name in known:
            return known[name]
    for name in names:
        same = [other for other in known if PurePath(other).stem in (name, PurePath(name).stem)]
        if len(same) == 1:
            return known[same[0]]
    listed = ", ".join(list(known)[:5]) + (" …" if len(known) > 5 else "")
    raise StyleMixError(
        f"there is no one pose for {names[0]}; the file has those of {listed or 'no picture'}"
    )


def read_poses(path: str | os.PathLike[str]) -> dict[str, Pose]:
    """Poses by the names of the pictures that the file has one for."""
    content = read_npy(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"the file holds no poses; {EXPECTED}")
    return {str(name): read_pose(pose) for name, pose in content.items() if pose is not None}


def read_pose(stored: object) -> Pose:
    """One pose of the file."""
    if isinstance(stored, list | tuple) and len(stored) >= 2 and isinstance(stored[0], int | float):
        shift = numbers(stored[1], EXPECTED, most=1).tolist()
        if len(shift) == 2 and math.isfinite(stored[0]):
            return float(stored[0]), (shift[0], shift[1])
    raise CheckpointError(f"the file holds no poses; {EXPECTED}")
