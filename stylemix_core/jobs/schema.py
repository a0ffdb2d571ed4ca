"""What a job file may say, and where it says something else.

A section of the file is a frozen dataclass; its fields are the keys. The reader below checks names, kinds and ranges of
any such dataclass and names line and key of what is wrong.
"""

import difflib
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import StyleMixError

Section = TypeVar("Section")
Texts = tuple[str, ...]
"""A list of texts in the file, or a single one."""
Numbers = tuple[float, ...]
LARGEST = 1e300


def ranged(default: Any, least: float = -math.inf, most: float = math.inf) -> Any:
    """A field of numbers in a range."""
    return field(default=default, metadata={"range": (least, most)})


@dataclass(frozen=True)
class Lines:
    """Where in a file its keys stand, by their path: ("steps", 0, "encode")."""

    name: str = "the job"
    numbers: Mapping[tuple[Any, ...], int] = field(default_factory=dict)

    def wrong(self, path: tuple[Any, ...], message: str) -> StyleMixError:
        """The error that says what is wrong at a key."""
        at, line = path, None
        while at and (line := self.numbers.get(at)) is None:
            at = at[:-1]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        place = f"{self.name}, line {line}" if line else self.name
        return StyleMixError(f"{place}: {key + ': ' if key else ''}{message}")


def read_yaml(text: str, name: str) -> tuple[Any, Lines]:
    """The plain values of a YAML text, and its lines. `StyleMixError` when it is none, or repeats keys or parts."""
    try:
        import yaml
    except ImportError:
        raise StyleMixError("job files need PyYAML; install it: pip install pyyaml") from None

    numbers: dict[tuple[Any, ...], int] = {}
    lines = Lines(name, numbers)
    seen: set[int] = set()
    try:
        loader = yaml.SafeLoader(text)
    except yaml.YAMLError as error:
        raise StyleMixError(f"{name}: this is no YAML ({error})") from None

    def plain(node: Any, path: tuple[Any, ...]) -> Any:
        numbers.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_object(node)
        if id(node) in seen:
            raise lines.wrong(path, "a part of the file is used twice by its anchor; write it out")
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [plain(item, (*path, i)) for i, item in enumerate(node.value)]
        values: dict[Any, Any] = {}
        for key_node, value in node.value:
            key = loader.construct_object(key_node)
            if not isinstance(key, str):
                raise lines.wrong(path, f"{key!r} is no name of a key")
            here = (*path, key)
            numbers[here] = key_node.start_mark.line + 1
            if key in values:
                raise lines.wrong(here, "the key is there twice; keep one of them")
            values[key] = plain(value, here)
        return values

    try:
        node = loader.get_single_node()
        return (None if node is None else plain(node, ())), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        raise StyleMixError(f"{name}{where}: this is no YAML ({getattr(error, 'problem', error)})") from None
    except StyleMixError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # What PyYAML leads to on dates and tags that are none, and on a thousand brackets.
        raise StyleMixError(f"{name}: this is no job file ({error})") from None
    finally:
        loader.dispose()


def build(section: type[Section], value: Any, lines: Lines, path: tuple[Any, ...]) -> Section:
    """The section that the file means by `value`. `StyleMixError` with line and key of what does not fit."""
    if value is None:
        value = {}
    if not isinstance(value, Mapping):
        raise lines.wrong(path, f"found {shown(value)}; expected {of_keys(section)}")
    known = {one.name: one for one in fields(section)}  # type: ignore[arg-type]
    kinds = get_type_hints(section)
    for key in value:
        if key not in known:
            raise lines.wrong((*path, key), unknown(key, known))
    given = {key: convert(kinds[key], one, known[key], lines, (*path, key)) for key, one in value.items()}
    missing = [
        name
        for name, one in known.items()
        if name not in given and one.default is MISSING and one.default_factory is MISSING
    ]
    if missing:
        raise lines.wrong(path, f"{missing[0]} is missing; {of_keys(section)} are expected")
    try:
        return section(**given)
    except StyleMixError as error:
        raise lines.wrong(path, str(error)) from None


def convert(kind: Any, value: Any, one: Field[Any], lines: Lines, path: tuple[Any, ...]) -> Any:
    """A value of the kind that a field is annotated with."""
    choices = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        if value is None and type(None) in choices:
            return None
        (kind,) = (choice for choice in choices if choice is not type(None))
        return convert(kind, value, one, lines, path)
    if get_origin(kind) is Literal:
        if value not in choices:
            raise lines.wrong(path, f"found {shown(value)}; choose one of: {', '.join(map(str, choices))}")
        return value
    if get_origin(kind) is tuple:
        items = value if isinstance(value, list | tuple) else [value]
        if not items:
            raise lines.wrong(path, "the list is empty; give at least one")
        return tuple(convert(choices[0], item, one, lines, (*path, i)) for i, item in enumerate(items))
    if get_origin(kind) is dict:
        if not isinstance(value, Mapping) or not value:
            raise lines.wrong(path, f"found {shown(value)}; expected names with values")
        return {name: convert(choices[1], item, one, lines, (*path, name)) for name, item in value.items()}
    if hasattr(kind, "__dataclass_fields__"):
        return value if isinstance(value, kind) else build(kind, value, lines, path)
    if kind is bool:
        fits = isinstance(value, bool)
    elif kind is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    elif kind is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:  # a text; YAML takes seeds such as 7 and masks such as 4-5 for what they are
        value = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        fits = isinstance(value, str) and bool(value.strip())
    expected = {bool: "true or false", float: "a number", int: "a whole number"}.get(kind, "a text")
    if not fits:
        raise lines.wrong(path, f"found {shown(value)}; expected {expected}")
    least, most = one.metadata.get("range", (-math.inf, math.inf))
    if kind in (int, float) and not least <= value <= most:
        span = f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise lines.wrong(path, f"found {shown(value)}; expected {span}")
    return kind(value)


def unknown(key: str, known: Mapping[str, Any]) -> str:
    """What to say of a key that is not there."""
    near = difflib.get_close_matches(key, known, 1)
    return f"there is no such key; {f'did you mean {near[0]}?' if near else 'choose of: ' + ', '.join(known)}"


def of_keys(section: type[Any]) -> str:
    return f"keys of: {', '.join(one.name for one in fields(section))}"


def shown(value: Any) -> str:
    """A value for messages."""
    return "nothing" if value is None else f"{str(value):.60}"


def read_text(path: Path) -> str:
    """A job file's text. `StyleMixError` when there is none."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StyleMixError(f"there is no job file at {path}; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise StyleMixError(f"{path} cannot be read: {reason}") from None
