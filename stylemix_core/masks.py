"""Mask lists: text or lists that say which W+ layers take the style, and how strongly.

    list  = mask { (";" | newline) mask }          0; 1; 2; 3; 4; 5; 0-6
    mask  = [label ":"] term { "," term }          hair: 2-6, 7-9@0.5
    term  = (index | first "-" last | name) ["@" strength]
    name  = all | none | coarse | middle | fine | random | random(k)

Each mask of a list gives one result. `#` starts a comment that ends with the line. Lists work as
they are: `[[0], [1], [0, 1, 2]]` is three masks, `[0, 2, 5]` is one.
"""

import json
import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, NoReturn
from unicodedata import east_asian_width

import numpy as np
import torch

from .errors import LatentMismatchError, MaskSyntaxError

MIN_STRENGTH, MAX_STRENGTH = -2.0, 3.0

NAMES = {
    "all": slice(None),
    "none": slice(0, 0),
    "coarse": slice(0, 4),  # 4–8 pixels
    "middle": slice(4, 8),  # 16–32 pixels
    "fine": slice(8, None),  # 64 pixels and up
}

STUDY_SWEEP = "0; 1; 2; 3; 4; 5; 0-6"
"""The study project's experiment: each of the first layers alone, then all of them together."""

# Holds for every model from 32 pixels on.
EXAMPLE = "0; 1; 0-6; hair: 2-4, 5-6@0.5; coarse; random(3)"


@dataclass(frozen=True, eq=False)
class MaskList:
    """Several masks; each gives one result. Iterating gives the rows of `strengths`."""

    strengths: torch.Tensor
    """float32 `[M, num_ws]`: 0 keeps the source's layer, 1 takes the style's."""
    labels: list[str]
    """One a mask: the label that was given, else the mask's own text."""

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
        for label, row in zip(self.labels, self.strengths, strict=True):
            layers = layers_text(row)
            needs_label = label != layers and not re.search(r"[;:,#\n]", label)
            masks.append(f"{label}: {layers}" if needs_label else layers)
        return "; ".join(masks)

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
        return cls(torch.cat([masks.strengths for masks in lists]), labels)

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
    """Text in the grammar above."""
    strength: float = 1.0
    """What a term without `@` gets, −2 … 3."""
    seed: int = 0
    """Where `random` draws its layers from."""
    before: "MaskText | MaskList | None" = None
    """Masks that come first. They keep the strength and seed they were made with."""

    def __post_init__(self) -> None:
        _check_strength(self.strength)
        _Parser(self.source)

    @classmethod
    def of(cls, masks: object, strength: float = 1.0, seed: int = 0) -> "MaskText | MaskList":
        """Whatever says a mask list: text, lists, a `MaskText` or a `MaskList`; the last two stay as they are."""
        if isinstance(masks, MaskText | MaskList):
            return masks
        return cls(masks if isinstance(masks, str) else _list_text(masks), strength, seed)

    @property
    def text(self) -> str:
        """All masks, one a line, with their strengths. `random` stays: its layers depend on the seed."""
        lines = [self.before.text.replace("; ", "\n")] if self.before is not None else []
        for label, terms in _Parser(self.source).masks:
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

    masks: text in the grammar above, a list of layers (one mask) or a list of such lists.
    strength: what a term without `@` gets, −2 … 3.
    seed: where `random` draws its layers from; several of them in one list draw different ones.
    `MaskSyntaxError` quotes the text, points at the column and shows a correct example.

    >>> parse_masks("hair: 2-3, 5@0.5; none", num_ws=6).strengths.tolist()
    [[0.0, 0.0, 1.0, 1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    _check_strength(strength)
    text = masks if isinstance(masks, str) else _list_text(masks)
    return _Parser(text).resolve(num_ws, strength, seed)


def layers_text(row: torch.Tensor) -> str:
    """The shortest text of one mask, strengths `[num_ws]`: "0-6, 9@0.5"; "none" when all are zero."""
    strengths = row.detach().cpu().to(torch.float32).numpy()
    terms = []
    for strength, run in groupby(range(len(strengths)), key=lambda layer: strengths[layer]):
        if strength != 0:
            layers = list(run)
            term = f"{layers[0]}-{layers[-1]}" if len(layers) > 1 else f"{layers[0]}"
            terms.append(term + _suffix(strength))
    return ", ".join(terms) or "none"


def _suffix(strength: float | np.floating) -> str:
    """A strength as a term ends with it: "@0.5", or nothing for 1."""
    # Positional and as short as it gets: the grammar has no exponents.
    return "" if strength == 1 else "@" + np.format_float_positional(strength, trim="-")


def _check_strength(strength: float) -> None:
    if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
        raise MaskSyntaxError(f"the strength {strength:g} is out of range; {_STRENGTH_RANGE}")


def _list_text(masks: object) -> str:
    """Lists as JSON, so that one parser reads both and errors can quote what they point at."""
    try:
        if isinstance(masks, (list, tuple)):
            return json.dumps(masks, default=operator.index)  # index: numpy's and torch's whole numbers
    except (TypeError, ValueError, RecursionError):
        pass
    raise MaskSyntaxError(
        f"a mask list is text or lists of layer numbers, not {masks!r:.80}\n"
        f"Example: {EXAMPLE}\nor: [[0], [1], [0, 1, 2]]"
    )


_STRENGTH_RANGE = f"use a number from {MIN_STRENGTH:g} to {MAX_STRENGTH:g}"

_MASK = re.compile(r"[^;\n]+")
_COMMENT = re.compile(r"#[^\n]*")
_LAYERS = re.compile(
    r"(?P<first>[0-9]+)(\s*-\s*(?P<last>[0-9]+))?|random(\s*\(\s*(?P<count>[0-9]+)\s*\))?|(?P<name>[a-z]+)",
    re.IGNORECASE | re.ASCII,
)
_AT = re.compile(r"\s*@\s*")
_STRENGTH = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_SPACE = re.compile(r"\s*")
# A bracket opens a list, unless it belongs to a label as in "[old] hair: 2-6".
_LIST = re.compile(r"\s*\[(?![^;:,\n]*:)")
_LIST_ITEM = re.compile(r"[^\s\[\],]+")
_TRAILING_COMMA = re.compile(r",(?=\s*\])")


def _number(digits: str) -> int:
    """Nine digits are enough to be out of range; Python refuses to read thousands."""
    return int(digits.lstrip("0")[:9] or 0)


class _Term(NamedTuple):
    """One term as it was written. Whether a model has its layers is not known yet."""

    name: str
    """A key of `NAMES`, "random", or empty for indices."""
    numbers: tuple[int, ...]
    """The index, or a range's first and last; how many layers `random` draws."""
    positions: tuple[int, ...]
    """Where the numbers stand in the text, or the name."""
    strength: float | None
    """None: the default."""
    text: str
    """Without spaces."""


class _Mask(NamedTuple):
    label: str
    """Empty when there is none."""
    terms: list[_Term]


class _Parser:
    """One text, read without a model in mind. Positions count from its start, for the error's caret."""

    def __init__(self, text: str):
        self.text = text.replace("\r\n", "\n")
        # Comments become spaces, which keeps every position.
        self.source = _COMMENT.sub(lambda comment: " " * len(comment[0]), self.text)
        self.is_lists = bool(_LIST.match(self.source))
        self.masks = self.lists() if self.is_lists else self.grammar()
        if not self.masks:
            self.fail(0, "the mask list is empty")

    def resolve(self, num_ws: int, strength: float, seed: int) -> MaskList:
        """The masks for a model."""
        random = np.random.RandomState(seed % 2**32)
        rows, labels = np.zeros((len(self.masks), num_ws), dtype=np.float32), []
        for row, (label, terms) in zip(rows, self.masks):
            for term in terms:
                row[self.layers(term, num_ws, random)] = strength if term.strength is None else term.strength
            if self.is_lists:
                marks = torch.zeros(num_ws)
                marks[[layer for term in terms for layer in term.numbers]] = 1
                label = layers_text(marks)
            labels.append(label or ", ".join(term.text for term in terms))
        return MaskList(torch.from_numpy(rows), labels)

    def layers(self, term: _Term, num_ws: int, random: np.random.RandomState) -> Sequence[int]:
        """The layers of a model that a term means."""
        model_range = f"this model has the layers 0-{num_ws - 1}"
        if term.name == "random":
            (count,) = term.numbers
            if not 1 <= count <= num_ws:
                self.fail(term.positions[0], f"random can draw 1 to {num_ws} layers from this model")
            return random.permutation(num_ws)[:count].tolist()
        if term.name:
            layers = range(num_ws)[NAMES[term.name]]
            if not layers and term.name != "none":
                start = NAMES[term.name].start
                self.fail(term.positions[0], f"{term.name} starts at layer {start}, but {model_range}")
            return layers
        for layer, position in zip(term.numbers, term.positions):
            if not 0 <= layer < num_ws:
                self.fail(position, f"there is no layer {layer}: {model_range}")
        return range(term.numbers[0], term.numbers[-1] + 1)

    def grammar(self) -> list[_Mask]:
        return [self.mask(*m.span()) for m in _MASK.finditer(self.source) if m[0].strip()]

    def mask(self, start: int, end: int) -> _Mask:
        """The mask in `source[start:end]`."""
        label = ""
        colon = self.source.find(":", start, end)
        if colon >= 0:
            label = " ".join(self.source[start:colon].split())
            if not label:
                self.fail(colon, "there is no label before the colon")
            if "," in label:
                self.fail(self.source.index(",", start), "a label cannot contain a comma")
            start = colon + 1
        terms = []
        for term in self.source[start:end].split(","):
            terms.append(self.term(start, start + len(term)))
            start += len(term) + 1
        return _Mask(label, terms)

    def term(self, start: int, end: int) -> _Term:
        """The term in `source[start:end]`."""
        start = self.skip_space(start, end)
        found = _LAYERS.match(self.source, start, end)
        if not found:
            self.fail(start, f"expected a layer, a range or a name here, found {self.quote(start, end)}")
        name = (found["name"] or ("" if found["first"] else "random")).lower()
        if name not in (*NAMES, "random", ""):
            names = ", ".join((*NAMES, "random", "random(k)"))
            self.fail(start, f"{name[:40]!r} is unknown; names are {names}; a label ends with a colon")
        groups = [group for group in ("first", "last", "count") if found[group]]
        numbers = tuple(_number(found[group]) for group in groups)
        if len(numbers) == 2 and numbers[1] < numbers[0]:
            first, last = numbers
            self.fail(start, f"the range {first}-{last} runs backwards; write {last}-{first}")
        if name == "random" and not numbers:
            numbers = (1,)

        strength = None
        position = found.end()
        at = _AT.match(self.source, position, end)
        if at:
            number = _STRENGTH.match(self.source, at.end(), end)
            if not number:
                self.fail(at.end(), f"expected a strength after '@', found {self.quote(at.end(), end)}")
            strength = float(number[0])
            if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
                self.fail(number.start(), f"the strength {number[0]:.20} is out of range; {_STRENGTH_RANGE}")
            position = number.end()

        position = self.skip_space(position, end)
        if position < end:
            self.fail(position, f"{self.quote(start, end)} is not understood from here on")
        positions = tuple(found.start(group) for group in groups) or (start,)
        return _Term(name, numbers, positions, strength, "".join(self.source[start:end].split()).lower())

    def lists(self) -> list[_Mask]:
        """The masks of `[0, 2, 5]` or `[[0], [1]]`."""
        try:
            value = json.loads(_TRAILING_COMMA.sub(" ", self.source))
        except (ValueError, RecursionError) as error:
            self.fail(getattr(error, "pos", 0), "the list is not understood from here on")
        if not value:
            return []
        masks = value if any(isinstance(mask, list) for mask in value) else [value]
        # The text's items come in the order in which the loops below meet them.
        items = _LIST_ITEM.finditer(self.source)
        found = []
        for mask in masks:
            if not isinstance(mask, list):
                self.fail(next(items).start(), "layers and lists are mixed; put brackets around every mask")
            terms = []
            for layer in mask:
                item = next(items, None)
                position = item.start() if item else 0
                if isinstance(layer, list):
                    self.fail(position, "the brackets are nested too deep; expected lists of layers")
                if type(layer) is not int:  # bool is an int to isinstance
                    quoted = self.quote(position, item.end() if item else position)
                    self.fail(position, f"a list holds layers, which are whole numbers, found {quoted}")
                terms.append(_Term("", (layer,), (position,), None, str(layer)))
            found.append(_Mask("", terms))
        return found

    def skip_space(self, start: int, end: int) -> int:
        return _SPACE.match(self.source, start, end).end()  # type: ignore[union-attr]  # always matches

    def quote(self, start: int, end: int) -> str:
        found = self.source[start:end].strip()
        return repr(found if len(found) <= 40 else found[:39] + "…") if found else "nothing"

    def fail(self, position: int, problem: str) -> NoReturn:
        line_start = self.text.rfind("\n", 0, position) + 1
        line = self.text[line_start:].partition("\n")[0]
        # Under a wide character stands a wide space, so that the caret stays below its column.
        before = self.text[line_start:position]
        pad = "".join("\u3000" if east_asian_width(c) in "WF" else "\t" if c == "\t" else " " for c in before)
        number = self.text.count("\n", 0, position) + 1
        raise MaskSyntaxError(
            f"{problem}\n  line {number}, column {position - line_start + 1}:\n"
            f"    {line}\n    {pad}^\nExample: {EXAMPLE}"
        ) from None
