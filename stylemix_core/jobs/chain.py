"""The steps a job may have, as a job file says them, and whether one gives what the next needs."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from ..errors import StyleMixError
from ..faces.regions import SOURCES
from ..masks.grammar import MaskSource
from .schema import Lines, Numbers, Texts, ranged

AnyStep = TypeVar("AnyStep", bound="Step")
MOST_COMBINATIONS = 100_000


@dataclass(frozen=True)
class Step:
    """One thing that is done to every item."""

    name: ClassVar[str]
    needs: ClassVar[str]
    """What an item must have: "picture", "codes" or "crop"."""
    gives: ClassVar[str]
    """What it has then."""
    files: ClassVar[tuple[str, ...]] = ()
    """The fields that are paths."""

    def within(self: AnyStep, home: Path) -> AnyStep:
        """With paths that hold in any folder."""

        def whole(value: str | Texts | None) -> str | Texts | None:
            if value is None or value == "demo":
                return value
            if isinstance(value, tuple):
                return tuple(os.path.abspath(home / path) for path in value)
            return os.path.abspath(home / value)

        return replace(self, **{name: whole(getattr(self, name)) for name in self.files})


@dataclass(frozen=True)
class Align(Step):
    """Crop the largest face, as FFHQ's are."""

    name, needs, gives = "align", "picture", "crop"
    mode: Literal["auto", "always"] = "auto"
    """auto: not where the picture is such a crop already."""
    size: int | None = ranged(None, 16, 4096)
    """Side of the crop; by default what the encoder reads."""
    upright: bool = False


@dataclass(frozen=True)
class Encode(Step):
    """The encoder's code of the picture."""

    name, needs, gives = "encode", "picture", "codes"


@dataclass(frozen=True)
class Invert(Step):
    """A code that draws the picture again, by descent."""

    name, needs, gives = "invert", "picture", "codes"
    method: Literal["encode", "iterate", "optimize"] = "optimize"
    steps: int = ranged(200, 0, 100_000)
    quality: Literal["balanced", "editable", "faithful"] = "balanced"
    seed: int = ranged(0, 0, 2**32 - 1)


@dataclass(frozen=True)
class Truncate(Step):
    """Codes moved to the average."""

    name, needs, gives = "truncate", "codes", "codes"
    psi: float = ranged(0.7, -2, 2)
    cutoff: int | None = ranged(None, 0)


@dataclass(frozen=True)
class Inject(Step):
    """Layers of a style: a result for every style and mask."""

    name, needs, gives = "inject", "codes", "codes"
    files = ("style",)
    style: Texts
    """Files of W+ codes, or pictures."""
    masks: str = "all"
    alpha: float = ranged(1.0, -2, 3)
    seed: int = ranged(0, 0, 2**32 - 1)

    def __post_init__(self) -> None:
        MaskSource(self.masks)


@dataclass(frozen=True)
class Direction(Step):
    """Codes moved along a direction: a result for every strength."""

    name, needs, gives = "direction", "codes", "codes"
    files = ("file",)
    file: str
    strengths: Numbers
    direction: str | None = None
    """Its name, or its place from 0; by default the first."""
    masks: str = "all"

    def __post_init__(self) -> None:
        MaskSource(self.masks)


@dataclass(frozen=True)
class Factor:
    """Something that a data set varies: one of a style's layers, a direction, or an attribute of the demo's avatars."""

    values: Numbers
    """Strengths; of attributes 0 … 1."""
    style: str | None = None
    masks: str = "all"
    direction: str | None = None
    """A file of directions …"""
    which: str | None = None
    """… and which one of it, by name or place."""
    attribute: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("style", "direction", "attribute") if getattr(self, name) is not None]
        if len(given) != 1:
            raise StyleMixError(
                f"found {' and '.join(given) or 'none'}; give one of: style, direction, attribute"
            )
        if len({*self.values}) != len(self.values):
            raise StyleMixError("a value is there twice; give each once")
        if self.attribute is not None and not all(0 <= value <= 1 for value in self.values):
            raise StyleMixError("an attribute has values from 0 to 1")
        MaskSource(self.masks)


@dataclass(frozen=True)
class Vary(Step):
    """Every face with known values of some factors: a data set with truth."""

    name, needs, gives = "vary", "codes", "codes"
    factors: dict[str, Factor]
    design: Literal["full", "balanced"] = "full"
    """full: every combination of every face. balanced: `each` of them, so that over the faces all come up equally
    often, whatever the face."""
    each: int = ranged(1, 1, 100_000)
    """Combinations a face, in a balanced design."""
    seed: int = ranged(0, 0, 2**63 - 1)
    """Of the order of the combinations."""

    def __post_init__(self) -> None:
        if self.count > MOST_COMBINATIONS:
            raise StyleMixError(
                f"there are {self.count} combinations; {MOST_COMBINATIONS} at most are planned"
            )

    @property
    def count(self) -> int:
        """Of the combinations."""
        return math.prod(len(factor.values) for factor in self.factors.values())

    def within(self, home: Path) -> "Vary":
        def whole(factor: Factor) -> Factor:
            paths = {name: getattr(factor, name) for name in ("style", "direction")}
            return replace(factor, **{n: p and os.path.abspath(home / p) for n, p in paths.items()})

        return replace(self, factors={name: whole(factor) for name, factor in self.factors.items()})


@dataclass(frozen=True)
class Decode(Step):
    """The pictures of codes."""

    name, needs, gives = "decode", "codes", "picture"
    noise: Literal["const", "random", "none"] = "const"
    """random: of the seed, or of the item's number."""


@dataclass(frozen=True)
class Regions(Step):
    """Masks of the picture's regions, as pictures of their own: .hair.png."""

    name, needs, gives = "regions", "picture", "picture"
    names: Texts = ("hair", "face")
    source: str = "auto"
    """auto, photo, drawn, or a face parsing file."""

    @property
    def file(self) -> str | None:
        return None if self.source in SOURCES else self.source

    def within(self, home: Path) -> "Regions":
        return self if self.file is None else replace(self, source=os.path.abspath(home / self.source))


@dataclass(frozen=True)
class Paste(Step):
    """The picture put back into the photo that it was cropped from."""

    name, needs, gives = "paste", "crop", "photo"
    feather: float = ranged(0.1, 0, 0.5)
    colour_match: Literal["none", "seam", "whole"] = "seam"
    blend: Literal["head", "square"] = "head"


STEPS: dict[str, type[Step]] = {
    step.name: step
    for step in (Align, Encode, Invert, Truncate, Inject, Direction, Vary, Decode, Regions, Paste)
}


def check_chain(kind: str, steps: Sequence[Step], pictures: bool, lines: Lines) -> None:
    """`StyleMixError` where a step needs what none before it gives, or the sink has nothing to write.

    kind: of the source. pictures: whether the sink writes such.
    """
    codes = kind in ("seeds", "codes") or (kind == "tars" and not wants_pictures(steps))
    had = {"codes"} if codes else {"picture"}
    makers = {
        "picture": "pictures as source, or decode",
        "codes": "seeds or codes as source, encode or invert",
        "crop": "align as the first step",
    }
    for place, step in enumerate(steps):
        path = ("steps", place, step.name)
        if isinstance(step, Align) and place:
            raise lines.wrong(path, "faces are cropped as pictures are read; put align first")
        if step.needs not in had:
            raise lines.wrong(path, f"no step before it gives a {step.needs}; needs {makers[step.needs]}")
        if isinstance(step, Encode | Invert) and "drawn" in had:
            raise lines.wrong(path, "it would read what was drawn; end the job with decode")
        if isinstance(step, Paste) and ("drawn" not in had or place < len(steps) - 1):
            raise lines.wrong(
                path, "put decode before paste, and nothing after it: what it gives is the whole photo"
            )
        had |= {step.gives}
        if isinstance(step, Decode):
            had |= {"drawn"}
    if pictures and codes and "drawn" not in had:
        raise lines.wrong(("sink", "pictures"), "no step draws pictures; add decode, or say pictures: none")


def wants_pictures(steps: Sequence[Step]) -> bool:
    """Whether the steps begin with pictures, rather than with codes."""
    return steps[0].needs == "picture"
