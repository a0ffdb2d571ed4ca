"""Films, written as their pictures are drawn: in pieces that are whole or not there, joined at the end.

A film that is stopped goes on from its last whole piece when it is written again, and its frames are then the same
bytes: every piece is encoded by itself. Pieces lie beside the film, in a folder of its name with `.parts`.
"""

import hashlib
import heapq
import json
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from .. import __version__
from ..codes.latents import Latents
from ..decoding import keys_of
from ..errors import StyleMixError, why_unwritable
from ..files.writing import move, replacing
from ..images import to_pil, to_rgb
from ..wording import counted

PIECE = 240
"""Frames that are encoded as one."""
AHEAD = 16
"""Frames that wait for the encoder, at most."""
MOST_BYTES = 2 << 30
"""Of an animation's pixels, all of which are in memory at once."""
SLOWEST, FASTEST = 0.01, 1000
"""Frames a second."""
FASTEST_GIF = 50
"""Frames a second: its times are in hundredths, and players take one hundredth for no time given."""
STAMP = "film.json"
EXACT = {"fflags": "bitexact"}
"""No random numbers in files."""

Frame = np.ndarray[Any, np.dtype[np.uint8]]
"""RGB, `[height, width, 3]`."""
Frames = Callable[[int], Iterable[Frame]]
"""A film's frames from a number on."""


@dataclass(frozen=True)
class Codec:
    """How PyAV is asked to encode."""

    name: str
    pixels: str
    options: Mapping[str, str] = field(default_factory=dict)


CODECS = {
    ".mp4": Codec("libx264", "yuv420p", {"crf": "17", "preset": "faster", "threads": "1"}),
    ".webm": Codec(
        "libvpx-vp9", "yuv420p", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "threads": "4"}
    ),
    ".mov": Codec("prores_ks", "yuv422p10le", {"profile": "3", "threads": "4"}),
}
"""By the film's ending: H.264, VP9, ProRes 422 HQ.

Bytes depend on the number of threads, so it is fixed. With several of x264's they also depend on chance, once in a
hundred films.
"""
SOUNDS = {".mp4": "aac", ".webm": "libopus", ".mov": "pcm_s16le"}
"""By the film's ending: the codec of its sound."""
SAMPLES = 48_000
"""Of sound, a second."""
AT_ONCE = 480
"""Samples of which all are kept or, before the first picture, none."""
ANIMATIONS = (".webp", ".gif")
ENDINGS = (*CODECS, *ANIMATIONS)
FOLDER = "png"
"""The kind of a film that is a folder of pictures; those of others are their endings."""


@dataclass(frozen=True)
class Film:
    """Where a film goes, and what it is."""

    path: Path
    """Its ending says what it is encoded as; without one it is a folder of numbered PNGs."""
    count: int
    """Of its frames."""
    fps: float
    stamp: str = ""
    """What tells its frames from those of other films, as `stamp_of` makes it."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Kept in the file: the workflow, for instance."""
    sound: Path | None = None
    """A film or a sound whose sound it has."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise StyleMixError("the film has no frames; give one or more")
        if not SLOWEST <= self.fps <= FASTEST:
            raise StyleMixError(f"fps is {self.fps:g}; give {SLOWEST} to {FASTEST} frames a second")
        if self.ending == ".gif" and self.fps > FASTEST_GIF:
            raise StyleMixError(
                f"fps is {self.fps:g}; a .gif shows {FASTEST_GIF} frames a second at most, .webp and .mp4 show more"
            )
        if self.ending not in ("", *ENDINGS):
            raise StyleMixError(
                f"{self.path.name} has the ending {self.ending}; films end with {', '.join(ENDINGS)}, and a name "
                "without an ending is a folder of PNGs"
            )
        if self.ending in CODECS:
            video_library()

    @property
    def ending(self) -> str:
        return self.path.suffix.lower()

    @property
    def rate(self) -> Fraction:
        """Frames a second, exactly: 23.976 is 24000/1001."""
        return Fraction(self.fps).limit_denominator(1001)

    def write(self, frames: Frames, on_frame: Callable[[int], None] | None = None) -> None:
        """Write the film, or what is missing of it.

        frames: called with the number of the first frame that is needed. on_frame: called with how many are done.
        Whatever stops it, what was encoded by then is joined and can be played, and writing it again goes on.
        `StyleMixError` when frames differ in size or the place cannot be written to.
        """
        told = on_frame or (lambda done: None)
        try:
            if self.ending in CODECS:
                self._encode(frames, told)
            elif self.ending:
                self._animate(frames, told)
            else:
                self._number(frames, told)
        except OSError as error:
            reason = why_unwritable(self.path.parent, error)
            raise StyleMixError(
                f"cannot write {self.path}: {reason}; check the folder and its free space"
            ) from error

    def _begin(self, folder: Path) -> None:
        """A folder with the film's stamp."""
        if stamp_in(folder) == self._told():
            return
        if folder == self.path and folder.exists() and any(folder.iterdir()):
            raise StyleMixError(f"{folder} holds something else than this film; choose a new name")
        shutil.rmtree(folder, ignore_errors=True)
        with replacing(folder / STAMP) as partial:
            partial.write_text(json.dumps(self._told()), encoding="utf-8")

    def _told(self) -> dict[str, Any]:
        return {"stamp": self.stamp, "frames": self.count, "fps": self.fps}

    def begun(self) -> "Film | None":
        """This very film under the name that an earlier run gave it and was stopped in, so that `write` goes on."""
        ending = ".parts" if self.ending else ""
        last = f"{self.count - 1:05d}.png"  # of a film in pictures, which is finished with it
        for path in sorted(self.path.parent.glob(f"*{self.ending}{ending}")):
            if stamp_in(path) == self._told() and not (path / last).exists():
                return replace(self, path=path.with_name(path.name.removesuffix(".parts")))
        return None

    def clear(self) -> None:
        """Take away a folder of pictures that an earlier film left under this name; nothing else."""
        if not self.ending and stamp_in(self.path) is not None:
            shutil.rmtree(self.path)

    @property
    def parts(self) -> Path:
        """Where its pieces are while it is made."""
        return self.path.with_name(f"{self.path.name}.parts")

    def _encode(self, frames: Frames, told: Callable[[int], None]) -> None:
        self._begin(self.parts)
        pieces = [self.parts / f"{number:05d}{self.ending}" for number in range(-(-self.count // PIECE))]
        missing = [number for number, piece in enumerate(pieces) if not piece.exists()]
        source: Iterator[Frame] | None = None
        at = -1
        for number in missing:
            first = number * PIECE
            if source is None or at != first:
                source = iter(frames(first))
            at = min(first + PIECE, self.count)
            partial = pieces[number].with_suffix(f".partial{self.ending}")
            try:
                encode(partial, self, taken(source, first, at, told))
            except BaseException:
                has_frames = partial.exists() and partial.stat().st_size > 0
                if whole := [*pieces[:number], *([partial] if has_frames else [])]:
                    join(whole, self)
                raise
            move(partial, pieces[number])
        join(pieces, self)
        shutil.rmtree(self.parts)

    def _animate(self, frames: Frames, told: Callable[[int], None]) -> None:
        pictures: list[Image.Image] = []
        for frame in taken(iter(frames(0)), 0, self.count, told):
            if frame.nbytes * self.count > MOST_BYTES:
                raise StyleMixError(
                    f"{counted(self.count, 'frame')} of {frame.shape[1]}×{frame.shape[0]} pixels are too much for "
                    f"{self.ending}, which is written as a whole; choose .mp4 or .webm"
                )
            pictures.append(Image.fromarray(frame))
        unit = 10 if self.ending == ".gif" else 1  # milliseconds
        ends = [unit * round(number * 1000 / unit / self.fps) for number in range(self.count + 1)]
        durations = [end - start for start, end in pairwise(ends)]
        save = {"save_all": True, "append_images": pictures[1:], "duration": durations, "loop": 0}
        with replacing(self.path) as partial:
            if self.ending == ".gif":
                pictures[0].save(partial, "GIF", **save)
            else:
                pictures[0].save(partial, "WEBP", quality=90, **save)

    def _number(self, frames: Frames, told: Callable[[int], None]) -> None:
        self._begin(self.path)
        done = 0
        while done < self.count and (self.path / f"{done:05d}.png").exists():
            done += 1
        for number, frame in enumerate(taken(iter(frames(done)), done, self.count, told), done):
            with replacing(self.path / f"{number:05d}.png") as partial:
                Image.fromarray(frame).save(partial, "PNG")


def stamp_in(folder: Path) -> object:
    """What `Film` has written about the pieces in a folder; None where there are none."""
    try:
        return json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def stamp_of(codes: Latents, generator: torch.nn.Module, *settings: object) -> str:
    """A checksum of all that a film's frames depend on: weights too, as a tuning changes no name and no fingerprint."""
    digest = hashlib.sha256(repr((__version__, *settings)).encode())
    for tensor in generator.state_dict().values():
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
    for key in keys_of(codes):
        digest.update(key)
    return digest.hexdigest()


def side_by_side(codes: Latents, walks: int) -> Latents:
    """The codes of so many walks, given one walk after the other, frame by frame, as `drawn` takes them.

    `StyleMixError` when they are not equally long.
    """
    count, over = divmod(len(codes), walks)
    if over or not count:
        raise StyleMixError(
            f"{len(codes)} codes are not {walks} equally long walks; give as many frames to each"
        )
    return codes.take([walk * count + frame for frame in range(count) for walk in range(walks)])


def columns_for(cells: int) -> int:
    """Columns of the squarest full grid of so many cells, at least as many as rows."""
    return next(columns for columns in range(1, cells + 1) if columns**2 >= cells and cells % columns == 0)


def drawn(
    codes: Latents, draw: Callable[[Latents], Iterable[torch.Tensor]], columns: int = 1, rows: int = 1
) -> Frames:
    """The frames of codes, of which each shows so many pictures side by side, in order.

    Pieces are drawn apart, so that pictures are drawn together with the same others wherever a film goes on: last bits
    depend on it.
    """
    cells = columns * rows
    piece = PIECE * cells

    def frames(first: int) -> Iterator[Frame]:
        for start in range(first * cells, len(codes), piece):
            yield from frames_of(draw(codes.take(slice(start, start + piece))), columns, rows)

    return frames


def frames_of(pictures: Iterable[torch.Tensor], columns: int = 1, rows: int = 1) -> Iterator[Frame]:
    """Frames of pictures `[C, H, W]` in −1…1, each of so many side by side."""
    source = iter(pictures)
    while cells := [np.asarray(to_rgb(to_pil(one))) for one in islice(source, columns * rows)]:
        yield np.concatenate(
            [np.concatenate(cells[at : at + columns], 1) for at in range(0, len(cells), columns)]
        )


def video_library() -> Any:
    """PyAV. `StyleMixError` where it is missing."""
    try:
        import av
    except ImportError:
        raise StyleMixError(
            "films need PyAV; install it: pip install av. Without it, .webp, .gif and folders of PNGs can be written"
        ) from None
    return av


def read_film(path: Path) -> Any:
    """A film or sound, opened. Whatever its texts are written in does not matter."""
    return video_library().open(str(path), metadata_errors="replace")


def sound_in(container: Any) -> Any:
    """The first stream of sound that can be decoded, None where there is none."""
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def named(path: Path, kind: str) -> Path:
    """Where a film of a kind goes: a path without ending gets it; a dot in that of a `FOLDER` would begin one."""
    return path.with_name(path.name.replace(".", "_") if kind == FOLDER else f"{path.name}.{kind}")


def taken(
    source: Iterator[Frame], first: int, end: int, told: Callable[[int], None]
) -> Generator[Frame, None, None]:
    """Frames of these numbers, all of one size. `StyleMixError` where there are too few."""
    shape = None
    for number in range(first, end):
        frame = next(source, None)
        if frame is None:
            raise StyleMixError(f"there are {number} frames; {end} were expected")
        shape = shape or frame.shape
        if frame.shape != shape:
            raise StyleMixError(
                f"frame {number} is {frame.shape[1]}×{frame.shape[0]} pixels, those before it "
                f"{shape[1]}×{shape[0]}; give frames of one size"
            )
        yield frame
        told(number + 1)


def encode(path: Path, film: Film, frames: Generator[Frame, None, None]) -> None:
    """Encode a piece. Where something stops it, what has come so far is a whole file; an empty one, if nothing has."""
    av, codec = video_library(), CODECS[film.ending]
    waiting: deque[Future[None]] = deque()
    with av.open(str(path), "w", options=EXACT) as container, ThreadPoolExecutor(1, "encoder") as encoder:
        stream = container.add_stream(codec.name, rate=film.rate, options=dict(codec.options))
        stream.pix_fmt = codec.pixels
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1  # ITU-R BT.709
        started = 0

        def add(frame: Frame, number: int) -> None:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture = picture.reformat(format=codec.pixels, dst_colorspace="ITU709")
            picture.pts, picture.time_base = number, 1 / film.rate
            container.mux(stream.encode(picture))

        try:
            with closing(frames):
                for frame in map(even, frames):
                    if not started:
                        stream.height, stream.width = frame.shape[:2]
                    waiting.append(encoder.submit(add, frame, started))
                    started += 1
                    if len(waiting) > AHEAD:
                        waiting.popleft().result()
        finally:
            for future in waiting:
                future.result()
            if started:
                container.mux(stream.encode(None))


def even(frame: Frame) -> Frame:
    """The frame with even sides, which codecs want: the last row or column is repeated."""
    height, width = frame.shape[:2]
    return (
        np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), "edge") if height % 2 or width % 2 else frame
    )


def join(pieces: Sequence[Path], film: Film) -> None:
    """Write the film out of its pieces, without encoding their pictures again, and with its sound."""
    av = video_library()
    with replacing(film.path) as partial, ExitStack() as opened:
        kept = {"movflags": "use_metadata_tags+faststart"} if film.ending != ".webm" else {}
        container = opened.enter_context(
            av.open(str(partial), "w", format=film.ending[1:], options=EXACT | kept)
        )
        container.metadata.update(film.texts)
        with av.open(str(pieces[0])) as read:
            stream = container.add_stream_from_template(read.streams.video[0])
        packets = [_pictures(pieces, film, stream)]
        if film.sound is not None:
            source = opened.enter_context(read_film(film.sound))
            if sound_in(source) is not None:
                packets.append(_sound(source, container, film))
        # In the order of their times, or one kind would wait in memory for the other.
        for packet in heapq.merge(*packets, key=lambda one: one.dts * one.time_base):
            container.mux(packet)


def _pictures(pieces: Sequence[Path], film: Film, stream: Any) -> Iterator[Any]:
    """The packets of all pieces, one behind the other."""
    first = 0
    for piece in pieces:
        with video_library().open(str(piece)) as read:
            video = read.streams.video[0]
            shift = round(first / film.rate / video.time_base)
            for packet in read.demux(video):
                if packet.dts is None:  # the mark of the end
                    continue
                packet.pts += shift
                packet.dts += shift
                packet.stream = stream
                yield packet
                first += 1


def _sound(source: Any, container: Any, film: Film) -> Iterator[Any]:
    """The packets of a sound, as long as the film, in the film's own codec for sound; damaged ones are left out."""
    stream = container.add_stream(SOUNDS[film.ending], rate=SAMPLES, layout="stereo")
    resampler = video_library().AudioResampler(stream.format, "stereo", SAMPLES, frame_size=AT_ONCE)
    length, written = round(film.count / film.rate * SAMPLES), None
    for decoded in chain(_decoded(source), [None]):
        if written is None:
            written = 0 if decoded is None else _start(decoded, source)
        for frame in resampler.resample(decoded):
            frame.pts, frame.time_base = written, Fraction(1, SAMPLES)
            written += frame.samples
            if frame.pts >= 0:
                yield from stream.encode(frame)
        if written >= length:
            break
    yield from stream.encode(None)


def _decoded(source: Any) -> Iterator[Any]:
    """What can be decoded of a film's sound."""
    damaged = video_library().error.FFmpegError
    packets = source.demux(sound_in(source))
    while True:
        try:
            packet = next(packets, None)
            decoded = [] if packet is None else packet.decode()
        except damaged:
            continue
        if packet is None:
            return
        yield from decoded


def _start(sound: Any, source: Any) -> int:
    """When the first of a film's sound is heard, in samples from its first picture on."""
    pictures = source.streams.video[0] if source.streams.video else None
    if pictures is None or pictures.start_time is None or sound.pts is None:
        return 0
    return round((sound.pts * sound.time_base - pictures.start_time * pictures.time_base) * SAMPLES)
