"""Mask lists for a model: which W+ layers take the style, and how strongly. `grammar` reads their text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch

from ..errors import LatentMismatchError, StyleMixError
from ..wording import counted
from .grammar import NAMES, Course, MaskSource, Term, check_strength, list_text, plain


@dataclass(frozen=True, eq=False)
class MaskList:
    """Several masks; each gives one result. Iterating gives the rows of `strengths`."""

    strengths: torch.Tensor
    """float32 `[M, num_ws]`: 0 keeps the source's layer, 1 takes the style's."""
    labels: list[str]
    """One a mask: the label that was given, else the mask's own text."""
    named: list[bool] | None = None
    """Which of the labels were given; None for all of them."""
    courses: tuple[Mapping[int, Course], ...] = ()
    """The layers of each mask whose strengths change over a film, and how; empty where none does. `strengths` are those
    of its first frame."""
    curve: tuple[float, ...] | None = None
    """What all strengths are multiplied with at each frame of a film."""

    @property
    def num_ws(self) -> int:
        """Number of layers of the model that the masks are for."""
        return self.strengths.shape[1]

    @property
    def text(self) -> str:
        """The list with every range, strength and random choice spelled out.

        Parsing it gives these strengths again, whatever default strength and seed made them.
        """
        masks = []
        for label, row, named, courses in zip(
            self.labels, self.strengths, self._named(), self._courses(), strict=True
        ):
            layers = layers_text(row, courses)
            can_be_read = label != layers and not re.search(r"[;:,#\n]", plain(label))
            masks.append(f"{label}: {layers}" if named and can_be_read else layers)
        return "; ".join(masks)

    def _named(self) -> list[bool]:
        return [True] * len(self.labels) if self.named is None else self.named

    def _courses(self) -> tuple[Mapping[int, Course], ...]:
        return self.courses or ({},) * len(self.labels)

    @property
    def moves(self) -> bool:
        """Whether any strength changes over a film."""
        return any(self.courses) or self.curve is not None

    def over(self, frames: int) -> torch.Tensor:
        """The strengths at each frame of a film, float32 `[frames, M, num_ws]`.

        `LatentMismatchError` when the curve has another number of frames.
        """
        strengths = self.strengths.repeat(frames, 1, 1)
        for mask, courses in enumerate(self.courses):
            for layer, course in courses.items():
                strengths[:, mask, layer] = torch.tensor(course.over(frames))
        if self.curve is None:
            return strengths
        if len(self.curve) != frames:
            raise LatentMismatchError(
                f"the curve has {counted(len(self.curve), 'frame')}, and there are {counted(frames, 'code')}; make "
                "both alike"
            )
        return strengths * torch.tensor(self.curve)[:, None, None]

    def still(self) -> "MaskList":
        """Itself. `StyleMixError` where strengths change over a film, for what works on single faces."""
        if self.moves:
            raise StyleMixError(
                "the strengths of the mask list change over a film, as in 0>1, which is for injecting into its frames; "
                "give one number each"
            )
        return self

    def __str__(self) -> str:
        return self.text

    def resolve(self, num_ws: int) -> "MaskList":
        """Itself, as `MaskText.resolve`. `LatentMismatchError` when the masks are for another model."""
        if self.num_ws != num_ws:
            raise LatentMismatchError(
                f"the masks are for a model with {self.num_ws} layers, the codes have {num_ws}; "
                f"make the mask list for num_ws = {num_ws}"
            )
        return self

    @classmethod
    def join(cls, *lists: "MaskList") -> "MaskList":
        """One list of all masks, in order. `LatentMismatchError` when they are for different models."""
        sizes = sorted({masks.num_ws for masks in lists})
        if len(sizes) != 1:
            found = " and ".join(map(str, sizes)) or "no"
            raise LatentMismatchError(
                f"mask lists for models with {found} layers cannot be joined; make all of them for one model"
            )
        labels = [label for masks in lists for label in masks.labels]
        named = [named for masks in lists for named in masks._named()]
        courses = tuple(one for masks in lists for one in masks._courses())
        return cls(
            torch.cat([masks.strengths for masks in lists]), labels, named, courses if any(courses) else ()
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self.strengths)


@dataclass(frozen=True)
class MaskText:
    """Mask lists for a model that is not known yet; `resolve` reads them for one.

    `MaskSyntaxError` at once where the text is wrong whatever the model.
    """

    source: str
    """Text in the grammar of mask lists."""
    strength: float = 1.0
    """What a term without `@` gets, −2 … 3."""
    seed: int = 0
    """Where `random` draws its layers from."""
    before: "MaskText | MaskList | None" = None
    """Masks that come first. They keep the strength and seed they were made with."""

    def __post_init__(self) -> None:
        check_strength(self.strength)
        MaskSource(self.source)

    @classmethod
    def of(cls, masks: object, strength: float = 1.0, seed: int = 0) -> "MaskText | MaskList":
        """Whatever says a mask list: text, lists, a `MaskText` or a `MaskList`; the last two stay as they are."""
        if isinstance(masks, MaskText | MaskList):
            return masks
        return cls(masks if isinstance(masks, str) else list_text(masks), strength, seed)

    @property
    def text(self) -> str:
        """All masks, one a line, with their strengths. `random` stays: its layers depend on the seed."""
        lines = [self.before.text.replace("; ", "\n")] if self.before is not None else []
        for label, terms in MaskSource(self.source).masks:
            layers = ", ".join(
                term.text + (_suffix(self.strength) if term.strength is None and term.name != "none" else "")
                for term in terms
            )
            lines.append(f"{label}: {layers}" if label else layers or "none")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def resolve(self, num_ws: int) -> MaskList:
        """The masks for a model with `num_ws` layers. `MaskSyntaxError` when it has no such layers."""
        masks = parse_masks(self.source, num_ws, self.strength, self.seed)
        return masks if self.before is None else MaskList.join(self.before.resolve(num_ws), masks)


def parse_masks(
    masks: str | Sequence[int] | Sequence[Sequence[int]], num_ws: int, strength: float = 1.0, seed: int = 0
) -> MaskList:
    """Read a mask list for a model with `num_ws` layers.

    masks: text in the grammar of mask lists, a list of layers (one mask) or a list of such lists.
    strength: what a term without `@` gets, −2 … 3.
    seed: where `random` draws its layers from; several of them in one list draw different ones.
    `MaskSyntaxError` quotes the text, points at the column and shows a correct example.

    >>> parse_masks("hair: 2-3, 5@0.5; none", num_ws=6).strengths.tolist()
    [[0.0, 0.0, 1.0, 1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    check_strength(strength)
    text = masks if isinstance(masks, str) else list_text(masks)
    return _resolve(MaskSource(text), num_ws, strength, seed)


def layers_text(row: torch.Tensor, courses: Mapping[int, Course] | None = None) -> str:
    """The shortest text of one mask, strengths `[num_ws]`: "0-6, 9@0.5"; "none" when all are zero.

    courses: of layers whose strengths change.
    """
    strengths = row.detach().cpu().to(torch.float32).numpy()
    suffixes = {layer: _suffix(strength) for layer, strength in enumerate(strengths) if strength != 0}
    suffixes |= {layer: f"@{course.text}" for layer, course in (courses or {}).items()}
    terms = []
    for suffix, run in groupby(range(len(strengths)), key=suffixes.get):
        if suffix is not None:
            layers = list(run)
            term = f"{layers[0]}-{layers[-1]}" if len(layers) > 1 else f"{layers[0]}"
            terms.append(term + suffix)
    return ", ".join(terms) or "none"


def _suffix(strength: float | np.floating) -> str:
    """A strength as a term ends with it: "@0.5", or nothing for 1."""
    # Positional and as short as it gets: the grammar has no exponents.
    return "" if strength == 1 else "@" + np.format_float_positional(strength, trim="-")


def _resolve(source: MaskSource, num_ws: int, strength: float, seed: int) -> MaskList:
    """The masks for a model."""
    source.require(num_ws)
    random = np.random.RandomState(seed % 2**32)
    rows, labels = np.zeros((len(source.masks), num_ws), dtype=np.float32), []
    courses: list[dict[int, Course]] = [{} for _ in source.masks]
    for row, moving, (label, terms) in zip(rows, courses, source.masks):
        for term in terms:
            layers = _layers(term, num_ws, random)
            given = strength if term.strength is None else term.strength
            for layer in layers:
                moving.pop(layer, None)
            if isinstance(given, Course):
                moving.update(dict.fromkeys(layers, given))
                given = given.over(1)[0]
            row[layers] = given
        if source.is_lists:
            marks = torch.zeros(num_ws)
            marks[[layer for term in terms for layer in term.numbers]] = 1
            label = layers_text(marks)
        labels.append(label or ", ".join(term.text for term in terms))
    named = [bool(label) for label, _ in source.masks]
    return MaskList(torch.from_numpy(rows), labels, named, tuple(courses) if any(courses) else ())


def _layers(term: Term, num_ws: int, random: np.random.RandomState) -> Sequence[int]:
    """The layers of a model that a term means, which it has."""
    if term.name == "random":
        return [int(layer) for layer in random.permutation(num_ws)[: term.numbers[0]]]
    if term.name:
        return range(num_ws)[NAMES[term.name]]
    return range(term.numbers[0], term.numbers[-1] + 1)
