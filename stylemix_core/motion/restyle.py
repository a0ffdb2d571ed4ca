"""A clip restyled: a face followed, encoded, changed, drawn and pasted back, frame by frame.

`Followed.of` looks at the whole clip once, `Followed.encode` reads its faces; `frames` draws the changed clip in memory
that does not grow with it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from ..codes.latents import Latents
from ..decoding import decode
from ..encoder import Encoder
from ..errors import StyleMixError
from ..faces import FaceTransform
from ..faces.crop import crop_face
from ..faces.paste import paste_face
from ..faces.regions import find_heads, grow
from ..generator import Generator
from ..generator.engine.parts import CHUNK
from ..images import from_pil, resize, to_pil
from ..inversion import InversionResult, invert
from ..progress import OnStep
from .clip import Clip
from .film import Frame
from .tracking import crops, follow, look, runs

FINE = 8
"""The layer from which codes are averaged over a scene: colours and small structure stay, and would flicker."""
TUNED_TO = 8
"""Frames that the generator is tuned to."""
SEAM_REACH = 8
"""How far from a head the tuned seam begins, in pixels of `faces.regions.SIDE`."""
SEAM_SIGMA = 2.0
"""Frames over which the edge of what is pasted is smoothed."""
ONE_MASK = "a clip takes one mask of one style; give one of each"
HEAD_EVERY = 4
"""Heads hardly move in steadied crops: they are found in every fourth frame of a run, and in its last."""
HEAD = 256
"""Side of the pictures in which heads are found."""


@dataclass(frozen=True)
class Followed:
    """One person's face in a clip."""

    clip: Clip
    crops: tuple[FaceTransform | None, ...]
    """Where it is in each frame; None where it is out of sight."""
    runs: tuple[range, ...]
    """Frames of one scene that follow each other and show it."""

    @classmethod
    def of(
        cls, clip: Clip, face: int | None = None, any_angle: bool = False, on_step: OnStep | None = None
    ) -> "Followed":
        """Find it. face: which one of the first frame that has one, from the left; None for the largest.

        `NoFaceError` where there is none.
        """
        seen = []
        for frame in look(clip.frames(), any_angle):
            seen.append(frame)
            if on_step is not None:
                on_step(len(seen), len(clip))
        faces = follow(seen, face)
        return cls(clip, tuple(crops(seen, faces, clip.size, HEAD)), tuple(runs(seen, faces)))

    @property
    def numbers(self) -> list[int]:
        """The frames that show it."""
        return [number for run in self.runs for number in run]

    def encode(
        self, encoder: Encoder, steady: bool = True, chunk: int = CHUNK, on_step: OnStep | None = None
    ) -> Latents:
        """The code of each frame that shows it. steady: average layers from `FINE` on over each scene."""
        parts, origins = [], []
        waiting: list[torch.Tensor] = []

        def read() -> None:
            with torch.inference_mode():
                parts.append(encoder(torch.cat(waiting)).float().cpu())
            waiting.clear()

        for number, frame in enumerate(self.clip.frames()):
            transform = self.crops[number]
            if transform is not None:
                picture = crop_face(Image.fromarray(frame), replace(transform, size=encoder.input_size))
                waiting.append(from_pil(picture))
                origins.append(f"{self.clip.path.name}, frame {number}")
            if len(waiting) == chunk:
                read()
            if on_step is not None:
                on_step(number + 1, len(self.clip))
        if waiting:
            read()
        w = torch.cat(parts)
        if steady:
            start = 0
            for run in self.runs:
                w[start : start + len(run), FINE:] = w[start : start + len(run), FINE:].mean(0)
                start += len(run)
        return Latents(w, tuple(origins), encoder.generator)

    def tune(
        self,
        generator: Generator,
        encoder: Encoder,
        steps: int,
        on_step: OnStep | None = None,
        checkpointing: bool = False,
    ) -> InversionResult:
        """Tune the generator to the face, once for all of the clip (PTI; Roich et al. 2021).

        Its pivots are the encoder's codes of `TUNED_TO` frames that lie evenly in the clip.
        """
        crops = torch.cat([from_pil(crop) for _, crop in self._some(generator.img_resolution)])
        return invert(
            generator,
            crops,
            encoder,
            "tune",
            0,
            tune_steps=steps,
            checkpointing=checkpointing,
            on_step=on_step,
        )

    def tune_seam(
        self,
        generator: Generator,
        codes: Latents,
        steps: int,
        noise: str = "const",
        on_step: OnStep | None = None,
        checkpointing: bool = False,
    ) -> InversionResult:
        """Tune the generator so that around heads it draws the clip ("Stitch it in Time", Tzaban et al. 2022, 4.4).

        codes: as `frames` takes them. The generator learns to draw, of `TUNED_TO` of them, the heads as it draws them
        now, and what lies around them as it is in the clip. `StyleMixError` for codes that are more than W+.
        """
        if codes.w_rgb is not None or codes.channels is not None or codes.regions:
            raise StyleMixError(
                "the seam can be tuned for plain W+ codes alone, and the style's code has more; give a plain one, or "
                "leave out the seam's steps"
            )
        places, crops = zip(*self._some(generator.img_resolution), strict=True)
        w, targets = codes.w[list(places)], []
        for code, crop in zip(w, crops, strict=True):
            before = from_pil(crop)
            with torch.inference_mode():
                after = generator.synthesis(code[None], noise).cpu()
            old, new = find_heads(torch.cat([before, after]))
            if old is not None and new is not None:
                head = resize(grow(torch.maximum(old, new), SEAM_REACH)[None, None], *before.shape[2:])
                targets.append(before.lerp(after, head))
            else:
                targets.append(after)
        return invert(
            generator,
            torch.cat(targets),
            None,
            "tune",
            0,
            start=w,
            noise=False,
            tune_steps=steps,
            checkpointing=checkpointing,
            on_step=on_step,
        )

    def _some(self, size: int) -> "Iterator[tuple[int, Image.Image]]":
        """Places in `numbers` of `TUNED_TO` frames that lie evenly in the clip, and their crops of this size."""
        numbers = self.numbers
        places = {round(i * (len(numbers) - 1) / max(TUNED_TO - 1, 1)) for i in range(TUNED_TO)}
        place_of = {numbers[place]: place for place in places}
        for number, frame in enumerate(self.clip.frames()):
            transform = self.crops[number]
            if number in place_of and transform is not None:
                yield place_of[number], crop_face(Image.fromarray(frame), replace(transform, size=size))

    def frames(
        self,
        generator: Generator,
        codes: Latents,
        first: int = 0,
        noise: str = "const",
        feather: float = 0.1,
        chunk: int = CHUNK,
    ) -> Iterator[Frame]:
        """The clip's frames from a number on, with the faces of codes in the place of its own.

        codes: one for each of `numbers`. Frames without the face, and all pixels outside of the crops, are the clip's.
        """
        place = {number: place for place, number in enumerate(self.numbers)}
        reach = round(3 * SEAM_SIGMA)
        run_of = {number: run for run in self.runs for number in run}
        looked_at = {number for run in self.runs for number in (*run[::HEAD_EVERY], run[-1])}
        # What comes before the first frame has a part in the edge of its seam. Frames are drawn together with the same
        # others wherever one begins, since last bits depend on it.
        begin = max(first - reach, 0) // chunk * chunk
        changes = self._changes(generator, codes, place, looked_at, begin, noise, chunk)
        window: deque[_Change] = deque()
        ended = False
        for number in range(first, len(self.clip)):
            while not ended and (not window or window[-1].number < number + reach):
                change = next(changes, None)
                ended = change is None
                if change is not None:
                    window.append(change)
            while window[0].number < number - reach:
                window.popleft()
            here = next(change for change in window if change.number == number)
            transform = self.crops[number]
            if here.face is None or transform is None:
                yield here.frame
                continue
            run = run_of[number]
            near = [
                change for change in window if change.number in run and abs(change.number - number) <= reach
            ]
            mask = _mean_mask(near, number)
            colours = "seam" if mask is None else "none"
            pasted = paste_face(Image.fromarray(here.frame), here.face, transform, feather, mask, colours)
            yield np.asarray(pasted)

    def _changes(
        self,
        generator: Generator,
        codes: Latents,
        place: dict[int, int],
        looked_at: set[int],
        first: int,
        noise: str,
        chunk: int,
    ) -> "Iterator[_Change]":
        """Frames with their new faces, some drawn together."""
        waiting: list[tuple[int, Frame]] = []

        def drawn() -> "Iterator[_Change]":
            numbers = [number for number, _ in waiting if number in place]
            faces: dict[int, Image.Image] = {}
            heads: dict[int, torch.Tensor | None] = {}
            if numbers:
                with torch.inference_mode():
                    pictures = decode(
                        generator, codes.take([place[number] for number in numbers]), noise
                    ).cpu()
                for number, picture in zip(numbers, pictures, strict=True):
                    faces[number] = to_pil(picture)
            for number, frame in waiting:
                if number in looked_at:
                    after = from_pil(faces[number].resize((HEAD, HEAD), Image.Resampling.BOX))
                    old, new = find_heads(torch.cat([self._crop(frame, number), after]))
                    heads[number] = None if old is None or new is None else torch.maximum(old, new)
            for number, frame in waiting:
                yield _Change(number, frame, faces.get(number), heads.get(number))
            waiting.clear()

        for number, frame in enumerate(self.clip.frames(first), first):
            waiting.append((number, frame))
            if len(waiting) == chunk:
                yield from drawn()
        yield from drawn()

    def _crop(self, frame: Frame, number: int) -> torch.Tensor:
        transform = self.crops[number]
        assert transform is not None
        return from_pil(crop_face(Image.fromarray(frame), replace(transform, size=HEAD)))


@dataclass(frozen=True, eq=False)
class _Change:
    """A frame and the face that comes into it."""

    number: int
    frame: Frame
    face: Image.Image | None
    head: torch.Tensor | None
    """Where heads are in the old or the new crop, in 0…1, if they were looked for and found."""


def _mean_mask(changes: list[_Change], number: int) -> torch.Tensor | None:
    """The heads of neighbouring frames, averaged by a Gaussian; None where none is found."""
    heads = [(change.head, change.number - number) for change in changes if change.head is not None]
    if not heads:
        return None
    weights = torch.tensor([-0.5 * (offset / SEAM_SIGMA) ** 2 for _, offset in heads]).exp()
    stacked = torch.stack([head for head, _ in heads])
    mean: torch.Tensor = (weights[:, None, None] * stacked).sum(0) / weights.sum()
    return mean
