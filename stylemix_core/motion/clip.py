"""Clips that are read: frames in the order in which they are shown, upright, at a constant rate."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StyleMixError
from .film import FASTEST, SLOWEST, Frame, read_film, sound_in, video_library

STEADY = 0.25
"""How far steps from frame to frame may differ, of the mean step, before the rate counts as variable."""


@dataclass(frozen=True)
class Clip:
    """A film in a file. `of` opens one."""

    path: Path
    rate: Fraction
    """Frames a second."""
    size: tuple[int, int]
    """Width and height, as it is shown."""
    shown: tuple[int, ...]
    """For each frame, which of the file's frames it is: where the file's rate varies some are there twice, or not."""
    sound: bool

    @classmethod
    def of(cls, path: Path) -> "Clip":
        """`StyleMixError` when there is no such file, it holds no film, or it is damaged from the start."""
        av = video_library()
        if not path.is_file():
            raise StyleMixError(f"there is no film at {path}; check the path")
        try:
            with read_film(path) as container:
                if not container.streams.video:
                    raise StyleMixError(f"{path.name} holds no pictures; give a film, such as .mp4 or .webm")
                stream = container.streams.video[0]
                known, sound = stream.average_rate, sound_in(container) is not None
                times = sorted(
                    packet.pts * packet.time_base
                    for packet in container.demux(stream)
                    if packet.pts is not None and not packet.is_discard  # what is cut off from the start
                )
            with read_film(path) as container:
                first = upright(next(container.decode(video=0)), shape_of(container))
        except (av.error.FFmpegError, StopIteration) as error:
            reason = "it has no frames" if isinstance(error, StopIteration) else error.strerror or str(error)
            raise StyleMixError(f"{path.name} cannot be read as a film: {reason}") from None
        if not times:
            raise StyleMixError(f"{path.name} does not say when its frames are shown; save it as .mp4 first")
        height, width = first.shape[:2]
        rate = rate_of(times, known)
        if not SLOWEST <= rate <= FASTEST:
            raise StyleMixError(
                f"{path.name} has {float(rate):g} frames a second; {SLOWEST} to {FASTEST} can be read"
            )
        return cls(path, rate, (width, height), at_rate(times, rate), sound)

    def __len__(self) -> int:
        return len(self.shown)

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """The frames from a number on. Where the file is damaged, `StyleMixError` tells at which one."""
        av = video_library()
        wanted = first
        number = -1
        try:
            with read_film(self.path) as container:
                shape = shape_of(container)
                for number, decoded in enumerate(container.decode(video=0)):
                    picture = None
                    while wanted < len(self) and self.shown[wanted] == number:
                        picture = upright(decoded, shape) if picture is None else picture
                        yield picture
                        wanted += 1
                    if wanted >= len(self):
                        return
        except av.error.FFmpegError as error:
            reason = error.strerror or error
            raise StyleMixError(
                f"{self.path.name} is damaged behind its frame {number + 1}: {reason}"
            ) from None
        if wanted < len(self):
            raise StyleMixError(
                f"{self.path.name} ends at its frame {number + 1}, and says that it has {len(self)}; it is damaged"
            )


def rate_of(times: list[Any], known: Fraction | None) -> Fraction:
    """Frames a second: as the file says, else the mean of these times (seconds, rising).

    What FFmpeg guesses where the file does not say is how finely times are told, which can be 1000 a second.
    """
    if known:
        return Fraction(known)
    lasts = times[-1] - times[0]
    return Fraction(len(times) - 1) / Fraction(lasts) if lasts else Fraction(25)


def at_rate(times: list[Any], rate: Fraction) -> tuple[int, ...]:
    """For each frame at a constant rate, which of the frames at these times (seconds, rising) is shown then."""
    steps = [float(later - earlier) for earlier, later in pairwise(times)]
    mean = sum(steps) / len(steps) if steps else 0.0
    if all(abs(step - mean) <= STEADY * mean for step in steps):
        return tuple(range(len(times)))
    count = round((times[-1] - times[0]) * rate) + 1
    half = 1 / (2 * rate)
    return tuple(bisect_right(times, times[0] + Fraction(i) / rate + half) - 1 for i in range(count))


def shape_of(container: Any) -> Fraction:
    """How wide a pixel of the film is, of its height: not 1 in films of camcorders and DVDs."""
    return Fraction(container.streams.video[0].sample_aspect_ratio or 1)


def upright(decoded: Any, shape: Fraction) -> Frame:
    """A decoded frame as RGB, turned as the file says that it is shown, of square pixels. shape: as by `shape_of`."""
    unspecified = 2
    known = int(decoded.colorspace) not in (0, unspecified)
    source = decoded.colorspace if known else ("ITU709" if decoded.height >= 720 else "ITU601")
    width, height = round(decoded.width * max(shape, 1)), round(decoded.height / min(shape, 1))
    pixels: Frame = decoded.to_ndarray(format="rgb24", width=width, height=height, src_colorspace=source)
    turns = round(decoded.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
