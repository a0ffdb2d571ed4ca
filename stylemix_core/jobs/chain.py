"""The steps a job may have, as a job file says them, and whether one gives what the next needs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from ..errors import StyleMixError
from ..masks.grammar import MaskSource
from .schema import Lines, Numbers, Texts, ranged

AnyStep = TypeVar("AnyStep", bound="Step")


@dataclass(frozen=True)
class Step:
    """One thing that is done to every item."""

    name: ClassVar[str]
    needs: ClassVar[str]
    """What an item must have: "picture", "codes", or "crop" and "codes"."""
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
    seed: int = ranged(0, 0)


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
    seed: int = ranged(0, 0)

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
    seed: int = ranged(0, 0)
    """Of the order of the combinations."""

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
    known = {"seeds": {"codes"}, "codes": {"codes"}, "tars": {"picture", "codes"}}.get(kind, {"picture"})
    makers = {
        "picture": "pictures as source, or decode",
        "codes": "seeds or codes as source, encode or invert",
        "crop": "align, and no step but decode and regions between the code and it",
    }
    had = set(known)
    for place, step in enumerate(steps):
        path = ("steps", place, step.name)
        if step.needs not in had:
            raise lines.wrong(path, f"no step before it gives a {step.needs}; needs {makers[step.needs]}")
        if step.gives == "photo" and "drawn" not in had:
            raise lines.wrong(path, "nothing was drawn that could be pasted; put decode before it")
        if step.gives == "photo" and len(steps) > place + 1:
            raise lines.wrong(path, "paste must be the last step: what it gives is the whole photo")
        had |= {step.gives}
        if step.gives == "crop" and "drawn" in had:
            raise lines.wrong(path, "what the generator draws is a crop already; put align before decode")
        if step.name == "decode":
            had |= {"drawn"}
        if step.name in ("encode", "invert") and "drawn" in had:
            raise lines.wrong(path, "it would encode what was drawn; end the job with decode")
    if (
        pictures
        and not any(isinstance(step, Decode | Align | Regions | Paste) for step in steps)
        and kind
        in (
            "seeds",
            "codes",
        )
    ):
        raise lines.wrong(("sink", "pictures"), "no step draws pictures; add decode, or say pictures: none")
