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
from typing import NoReturn
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
    if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
        raise MaskSyntaxError(f"the strength {strength:g} is out of range; {_STRENGTH_RANGE}")
    text = masks if isinstance(masks, str) else _list_text(masks)
    return _Parser(text, num_ws, strength, seed).parse()


def layers_text(row: torch.Tensor) -> str:
    """The shortest text of one mask, strengths `[num_ws]`: "0-6, 9@0.5"; "none" when all are zero."""
    strengths = row.detach().cpu().to(torch.float32).numpy()
    terms = []
    for strength, run in groupby(range(len(strengths)), key=lambda layer: strengths[layer]):
        if strength != 0:
            layers = list(run)
            term = f"{layers[0]}-{layers[-1]}" if len(layers) > 1 else f"{layers[0]}"
            # Positional and as short as float32 allows: the grammar has no exponents.
            suffix = "" if strength == 1 else "@" + np.format_float_positional(strength, trim="-")
            terms.append(term + suffix)
    return ", ".join(terms) or "none"


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
    r"(?P<first>[0-9]{1,9})(\s*-\s*(?P<last>[0-9]{1,9}))?|random(\s*\(\s*(?P<count>[0-9]{1,9})\s*\))?|(?P<name>[a-z]+)",
    re.IGNORECASE | re.ASCII,
)
_AT = re.compile(r"\s*@\s*")
_STRENGTH = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_SPACE = re.compile(r"\s*")
# A bracket opens a list, unless it belongs to a label as in "[old] hair: 2-6".
_LIST = re.compile(r"\s*\[(?![^;:,\n]*:)")
_LIST_ITEM = re.compile(r"[^\s\[\],]+")
_TRAILING_COMMA = re.compile(r",(?=\s*\])")


class _Parser:
    """One pass over one text. Positions count from the text's start, for the error's caret."""

    def __init__(self, text: str, num_ws: int, strength: float, seed: int):
        self.text = text.replace("\r\n", "\n")
        self.num_ws, self.strength = num_ws, strength
        self.random = np.random.RandomState(seed % 2**32)
        # Comments become spaces, which keeps every position.
        self.source = _COMMENT.sub(lambda comment: " " * len(comment[0]), self.text)

    def parse(self) -> MaskList:
        if _LIST.match(self.source):
            masks = self.lists()
        else:
            masks = [self.mask(*m.span()) for m in _MASK.finditer(self.source) if m[0].strip()]
        if not masks:
            self.fail(0, "the mask list is empty")
        labels, rows = zip(*masks, strict=True)
        return MaskList(torch.from_numpy(np.stack(rows)), list(labels))

    def mask(self, start: int, end: int) -> tuple[str, np.ndarray]:
        """Label and strengths of `source[start:end]`."""
        label = ""
        colon = self.source.find(":", start, end)
        if colon >= 0:
            label = " ".join(self.source[start:colon].split())
            if not label:
                self.fail(colon, "there is no label before the colon")
            if "," in label:
                self.fail(self.source.index(",", start), "a label cannot contain a comma")
            start = colon + 1
        row = np.zeros(self.num_ws, dtype=np.float32)
        terms = []
        for term in self.source[start:end].split(","):
            layers, strength = self.term(start, start + len(term))
            row[layers] = strength
            terms.append("".join(term.split()).lower())
            start += len(term) + 1
        return label or ", ".join(terms), row

    def term(self, start: int, end: int) -> tuple[Sequence[int], float]:
        """Layers and strength of `source[start:end]`."""
        start = self.skip_space(start, end)
        found = _LAYERS.match(self.source, start, end)
        if not found:
            self.fail(start, f"expected a layer, a range or a name here, found {self.quote(start, end)}")
        layers = self.layers(found)

        strength = self.strength
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
        return layers, strength

    def layers(self, found: re.Match[str]) -> Sequence[int]:
        """The layers that a match of `_LAYERS` means."""
        if found["first"]:
            first = self.index(found, "first")
            last = self.index(found, "last") if found["last"] else first
            if last < first:
                self.fail(found.start(), f"the range {first}-{last} runs backwards; write {last}-{first}")
            return range(first, last + 1)
        if not found["name"]:
            count = int(found["count"] or 1)
            if not 1 <= count <= self.num_ws:
                self.fail(found.start("count"), f"random can draw 1 to {self.num_ws} layers from this model")
            return self.random.permutation(self.num_ws)[:count].tolist()
        name = found["name"].lower()
        if name not in NAMES:
            names = ", ".join((*NAMES, "random", "random(k)"))
            self.fail(
                found.start(), f"{name[:40]!r} is unknown; names are {names}; a label ends with a colon"
            )
        layers = range(self.num_ws)[NAMES[name]]
        if not layers and name != "none":
            start = NAMES[name].start
            self.fail(found.start(), f"{name} starts at layer {start}, but {self.model_range()}")
        return layers

    def index(self, found: re.Match[str], group: str) -> int:
        layer = int(found[group])
        self.check_index(layer, found.start(group))
        return layer

    def check_index(self, layer: int, position: int) -> None:
        if not 0 <= layer < self.num_ws:
            self.fail(position, f"there is no layer {layer}: {self.model_range()}")

    def lists(self) -> list[tuple[str, np.ndarray]]:
        """Labels and strengths of `[0, 2, 5]` or `[[0], [1]]`."""
        try:
            value = json.loads(_TRAILING_COMMA.sub(" ", self.source))
        except (ValueError, RecursionError) as error:
            self.fail(getattr(error, "pos", 0), "the list is not understood from here on")
        if not value:
            return []
        masks = value if any(isinstance(mask, list) for mask in value) else [value]
        # The text's items come in the order in which the loops below meet them.
        items = _LIST_ITEM.finditer(self.source)
        rows = []
        for mask in masks:
            if not isinstance(mask, list):
                self.fail(next(items).start(), "layers and lists are mixed; put brackets around every mask")
            row = np.zeros(self.num_ws, dtype=np.float32)
            for layer in mask:
                item = next(items, None)
                position = item.start() if item else 0
                if isinstance(layer, list):
                    self.fail(position, "the brackets are nested too deep; expected lists of layers")
                if type(layer) is not int:  # bool is an int to isinstance
                    found = self.quote(position, item.end() if item else position)
                    self.fail(position, f"a list holds layers, which are whole numbers, found {found}")
                self.check_index(layer, position)
                row[layer] = 1
            rows.append((layers_text(torch.from_numpy(row)), row * np.float32(self.strength)))
        return rows

    def skip_space(self, start: int, end: int) -> int:
        return _SPACE.match(self.source, start, end).end()  # type: ignore[union-attr]  # always matches

    def quote(self, start: int, end: int) -> str:
        found = self.source[start:end].strip()
        return repr(found if len(found) <= 40 else found[:39] + "…") if found else "nothing"

    def model_range(self) -> str:
        return f"this model has the layers 0-{self.num_ws - 1}"

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
