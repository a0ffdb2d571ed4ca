"""How mask lists are written: their grammar, read without a model in mind and without tensors.

    list  = mask { (";" | newline) mask }          0; 1; 2; 3; 4; 5; 0-6
    mask  = [label ":"] term { "," term }          hair: 2-6, 7-9@0.5
    term  = (index | first "-" last | name) ["@" (strength | course)]
    name  = all | none | pose | coarse | middle | fine | random | random(k)
    course = key { (">" | ">>") key } | sin | sin(k)        0>1    0>1/30%>1/70%>0    0>>1>>0
    key   = strength ["/" percent "%"]

Each mask of a list gives one result. `#` starts a comment that ends with the line. Lists work as
they are: `[[0], [1], [0, 1, 2]]` is three masks, `[0, 2, 5]` is one. Typographic dashes, as text that was pasted has
them, are hyphens in ranges and minus signs in strengths: `0–6`, `3@−1`. Full-width signs, as East Asian keyboards
have them, are those of ASCII, and a tilde makes ranges, too: `０～６；８＠０.５`.

A course is a strength over the frames of a film: from key to key, straight by > and eased by >>, each at its part of
the film or spread evenly; sin goes from 0 to 1 and back, k times.

What the masks are for a model is told by `mask_list`.
"""

import json
import math
import operator
import re
from itertools import pairwise
from typing import NamedTuple, NoReturn
from unicodedata import east_asian_width

from ..errors import MaskSyntaxError, StyleMixError

MIN_STRENGTH, MAX_STRENGTH = -2.0, 3.0
MOST_WAVES = 1000

_PLAIN = (
    {0xFF01 + place: chr(0x21 + place) for place in range(94)}  # full-width forms of all of ASCII's signs
    | dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-")
    | {ord("〜"): "~", ord("、"): ","}
)

RANGE_SIGN = "[-~]"
"""What stands between a range's first and last, in `plain` text."""

OTHER_RANGE = re.compile(r"\s*(?:\.\.+|…|to\b)\s*(?P<last>[0-9]+)", re.IGNORECASE)
"""What follows the first number where a range is written in another way, in `plain` text: `0..6`."""

NAMES = {
    "all": slice(None),
    "none": slice(0, 0),
    "pose": slice(0, 1),  # StyleGAN3: where the picture is and how it is turned, nothing else
    "coarse": slice(0, 4),  # 4–8 pixels
    "middle": slice(4, 8),  # 16–32 pixels
    "fine": slice(8, None),  # 64 pixels and up
}

STUDY_SWEEP = "0; 1; 2; 3; 4; 5; 0-6"
"""The study project's experiment: each of the first layers alone, then all of them together."""

# Holds for every model from 32 pixels on.
EXAMPLE = "0; 1; 0-6; hair: 2-4, 5-6@0.5; coarse; random(3)"

STRENGTH_RANGE = f"use a number from {MIN_STRENGTH:g} to {MAX_STRENGTH:g}"


def plain(text: str) -> str:
    """The text with ASCII's own signs instead of full-width ones and typographic dashes; every position stays."""
    return text.translate(_PLAIN)


def check_strength(strength: float) -> None:
    if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
        raise MaskSyntaxError(f"the strength {strength:g} is out of range; {STRENGTH_RANGE}")


def refuse_several(text: str) -> None:
    """`StyleMixError` when a text holds more than one mask."""
    count = len(MaskSource(text).masks)
    if count != 1:
        raise StyleMixError(f"{text!r} holds {count} masks; give the layers as one mask, as in 4-5, 8")


def list_text(masks: object) -> str:
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


_MASK = re.compile(r"[^;\n]+")
_COMMENT = re.compile(r"#[^\n]*")
_LAYERS = re.compile(
    rf"(?P<first>[0-9]+)(\s*{RANGE_SIGN}\s*(?P<last>[0-9]+))?"
    r"|(?ai:random(\s*\(\s*(?P<count>[0-9]+)\s*\))?|(?P<name>[a-z]+))"
)
_AT = re.compile(r"\s*@\s*")
_KEY = re.compile(
    r"(?P<strength>[-+]?([0-9]+\.?[0-9]*|\.[0-9]+))(\s*/\s*(?P<percent>[0-9]+\.?[0-9]*|\.[0-9]+)\s*%)?"
)
_ARROW = re.compile(r"\s*(?P<arrow>>>?)\s*")
_WAVE = re.compile(r"(?ai:sin)(\s*\(\s*(?P<times>[0-9]+)\s*\))?")
_SPACE = re.compile(r"\s*")
# A bracket opens a list, unless it belongs to a label as in "[old] hair: 2-6".
_LIST = re.compile(r"\s*\[(?![^;:,\n]*:)")
_LIST_ITEM = re.compile(r"[^\s\[\],]+")
_TRAILING_COMMA = re.compile(r",(?=\s*\])")


def _number(digits: str) -> int:
    """Nine digits are enough to be out of range; Python refuses to read thousands."""
    return int(digits.lstrip("0")[:9] or 0)


class Key(NamedTuple):
    """A strength that a course has at some place."""

    strength: float
    place: float
    """Of the film, 0 to 1."""
    eased: bool = False
    """Whether the way from the key before it starts and ends slowly."""


class Course(NamedTuple):
    """A strength over the frames of a film."""

    keys: tuple[Key, ...]
    waves: int
    """How often it goes from 0 to 1 and back, instead of along keys."""
    text: str
    """As it was written, without spaces and with plain signs."""

    def over(self, frames: int) -> list[float]:
        """The strength at each frame. The first key is at the first frame and the last at the last; waves go on from
        the last frame to the first."""
        if self.waves:
            return [(1 - math.cos(2 * math.pi * self.waves * i / frames)) / 2 for i in range(frames)]
        return [self._at(i / max(frames - 1, 1)) for i in range(frames)]

    def _at(self, place: float) -> float:
        before = self.keys[0]
        if place < before.place:
            return before.strength
        for key in self.keys[1:]:
            if place < key.place:
                t = (place - before.place) / (key.place - before.place)
                t = t * t * (3 - 2 * t) if key.eased else t
                return before.strength + t * (key.strength - before.strength)
            before = key
        return before.strength


class Term(NamedTuple):
    """One term as it was written. Whether a model has its layers is not known yet."""

    name: str
    """A key of `NAMES`, "random", or empty for indices."""
    numbers: tuple[int, ...]
    """The index, or a range's first and last; how many layers `random` draws."""
    positions: tuple[int, ...]
    """Where the numbers stand in the text, or the name."""
    strength: float | Course | None
    """None: the default."""
    text: str
    """Without spaces and with plain signs."""


class Mask(NamedTuple):
    label: str
    """Empty when there is none."""
    terms: list[Term]


class MaskSource:
    """One text, read without a model in mind. Positions count from its start, for the error's caret."""

    def __init__(self, text: str):
        self.text = text.replace("\r\n", "\n")
        # Comments become spaces, which keeps every position.
        self.source = _COMMENT.sub(lambda comment: " " * len(comment[0]), plain(self.text))
        self.is_lists = bool(_LIST.match(self.source))
        self.masks = self.lists() if self.is_lists else self.grammar()
        if not self.masks:
            self.fail(0, "the mask list is empty")

    def grammar(self) -> list[Mask]:
        return [self.mask(*m.span()) for m in _MASK.finditer(self.source) if m[0].strip()]

    def mask(self, start: int, end: int) -> Mask:
        """The mask in `source[start:end]`."""
        label = ""
        colon = self.source.find(":", start, end)
        if colon >= 0:
            label = " ".join(self.text[start:colon].split())  # as it was written
            if not label:
                self.fail(colon, "there is no label before the colon")
            comma = self.source.find(",", start, colon)
            if comma >= 0:
                self.fail(comma, "a label cannot contain a comma")
            start = colon + 1
        terms = []
        for term in self.source[start:end].split(","):
            terms.append(self.term(start, start + len(term)))
            start += len(term) + 1
        return Mask(label, terms)

    def term(self, start: int, end: int) -> Term:
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
        if name == "random" and not numbers:
            numbers = (1,)

        position = found.end()
        keys: list[re.Match[str]] = []
        at = _AT.match(self.source, position, end)
        if at:
            keys = self.strength(at.end(), end)
            position = keys[-1].end()
        position = self.skip_space(position, end)
        if position < end:
            self.fail_rest(found, position, start, end)

        # What a term means is looked at when all of it is understood.
        if len(numbers) == 2 and numbers[1] < numbers[0]:
            first, last = numbers
            self.fail(start, f"the range {first}-{last} runs backwards; write {last}-{first}")
        strength = self.meant(keys) if keys else None
        positions = tuple(found.start(group) for group in groups) or (start,)
        text = "".join(self.source[start:end].split()).replace("~", "-").lower()
        return Term(name, numbers, positions, strength, text)

    def strength(self, start: int, end: int) -> list[re.Match[str]]:
        """What stands behind an at sign: matches of one key or of several, or of a wave."""
        wave = _WAVE.match(self.source, start, end)
        if wave:
            return [wave]
        keys: list[re.Match[str]] = []
        after = "@"
        while True:
            key = _KEY.match(self.source, start, end)
            if not key:
                self.fail(start, f"expected a strength after {after!r}, found {self.quote(start, end)}")
            keys.append(key)
            arrow = _ARROW.match(self.source, key.end(), end)
            if not arrow:
                return keys
            after, start = arrow["arrow"], arrow.end()

    def meant(self, keys: list[re.Match[str]]) -> float | Course:
        """The strength, or the course, that matches of `strength` mean."""
        first, last = keys[0], keys[-1]
        text = "".join(self.source[first.start() : last.end()].split()).lower()
        if first.re is _WAVE:
            waves = _number(first["times"] or "1")
            if not 1 <= waves <= MOST_WAVES:
                self.fail(first.start("times"), f"sin goes up and down 1 to {MOST_WAVES} times")
            return Course((), waves, text)
        for key in keys:
            if not MIN_STRENGTH <= float(key["strength"]) <= MAX_STRENGTH:
                written = self.text[slice(*key.span("strength"))]
                self.fail(key.start(), f"the strength {written:.20} is out of range; {STRENGTH_RANGE}")
        if first is last:
            if first["percent"]:
                self.fail(
                    first.start("percent"), "a course has two keys or more; write for instance 0>1/30%>0"
                )
            return float(first["strength"])
        places = self.places(keys)
        eases = [False, *(">>" in self.source[one.end() : other.start()] for one, other in pairwise(keys))]
        return Course(
            tuple(
                Key(float(key["strength"]), place, eased) for key, place, eased in zip(keys, places, eases)
            ),
            0,
            text,
        )

    def places(self, keys: list[re.Match[str]]) -> list[float]:
        """Where in the film keys are: as they say, or spread evenly between those that say it and both ends."""
        given = {0: 0.0, len(keys) - 1: 1.0}
        least = 0.0
        for i, key in enumerate(keys):
            if key["percent"]:
                place = float(key["percent"]) / 100
                if not least <= place <= 1:
                    self.fail(
                        key.start("percent"),
                        f"the places of a course rise from 0% to 100%; found {key['percent']:.20}%",
                    )
                given[i] = least = place
        known = sorted(given)
        places = [given[0]]
        for one, other in pairwise(known):
            step = (given[other] - given[one]) / (other - one)
            places += [given[one] + step * i for i in range(1, other - one)] + [given[other]]
        return places

    def fail_rest(self, found: re.Match[str], position: int, start: int, end: int) -> NoReturn:
        """For the term in `source[start:end]`, which goes on at `position`, after the layers that were `found`."""
        problem = f"{self.quote(start, end)} is not understood from here on"
        other = OTHER_RANGE.match(self.source, found.end(), end)
        if other and found["first"] and not found["last"]:
            problem += f"; a range is written {_number(found['first'])}-{_number(other['last'])}"
        self.fail(position, problem)

    def lists(self) -> list[Mask]:
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
                terms.append(Term("", (layer,), (position,), None, str(layer)))
            found.append(Mask("", terms))
        return found

    def require(self, num_ws: int) -> None:
        """`MaskSyntaxError` when a model with `num_ws` layers has not all that the masks name."""
        model_range = f"this model has the layers 0-{num_ws - 1}"
        for term in (term for mask in self.masks for term in mask.terms):
            first = NAMES[term.name].start if term.name in NAMES else None
            if first is not None and first >= num_ws:
                self.fail(term.positions[0], f"{term.name} starts at layer {first}, but {model_range}")
            for number, position in zip(term.numbers, term.positions):
                if term.name == "random" and not 1 <= number <= num_ws:
                    self.fail(position, f"random can draw 1 to {num_ws} layers from this model")
                if not term.name and not 0 <= number < num_ws:
                    self.fail(position, f"there is no layer {number}: {model_range}")

    def skip_space(self, start: int, end: int) -> int:
        return _SPACE.match(self.source, start, end).end()  # type: ignore[union-attr]  # always matches

    def quote(self, start: int, end: int) -> str:
        """What stands there as it was written, without the comment that may end it."""
        found = self.text[start : start + len(self.source[start:end].rstrip())].strip()
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
