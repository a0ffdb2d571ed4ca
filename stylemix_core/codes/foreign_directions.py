"""Directions that other tools have written, read as data. A tool's layout is told by what the file holds.

Only in which space a boundary of InterFaceGAN lies is told by its name, since nothing else tells it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..errors import CheckpointError, LatentMismatchError
from ..files.arrays import NPY_HEAD, numpy_heads
from ..files.damage import reading
from ..files.source import Source, parse_json
from ..generator import Generator
from ..wording import counted
from .channel_directions import channel_counts, channels
from .directions import Directions
from .foreign import CLOSED_FORM, GANSPACE, PRINCIPAL, Stored, are_layers, content_of, is_foreign, numbers
from .foreign_codes import CODES

MOST_DIRECTIONS = 10_000
EXPECTED = "expected directions of [numbers], [directions, numbers], [layers, numbers] or [directions, layers, numbers]"
ORDER = "component_order"
"""The metadata in which dfl's pack keeps the order of its directions."""


@reading("file")
def read_directions(source: Source, generator: Generator | None, space: str | None) -> Directions:
    """What `load_directions` reads of another tool's file."""
    content = content_of(source)
    if isinstance(content, Mapping) and ORDER in source.safetensors[1]:
        order = parse_json(f'{{"order": {source.safetensors[1][ORDER]}}}').get("order")
        if isinstance(order, list) and {*map(str, order)} == {*content}:
            content = {str(name): content[name] for name in order}
    for keys, read in LAYOUTS:
        if isinstance(content, Mapping) and keys <= {*content}:
            return read(content)
    if isinstance(content, Mapping) and {*CODES} & {*content}:
        raise CheckpointError("it holds codes, not directions; load it as such")
    stem = source.path.stem
    if isinstance(content, Stored):
        return one_array(content, stem, generator, space or space_of(source))
    if isinstance(content, Mapping):
        named = {str(name): value for name, value in content.items() if isinstance(value, Stored)}
        if named:
            return by_name(named, generator, space or "W")
    raise CheckpointError(f"it holds no directions; {EXPECTED}, or several by name")


def describe_directions(source: Source) -> str:
    """What a file of another tool holds, for people. Errors as `load_directions` has them."""
    found = read_directions(source, None, None)
    own = (
        f"{found.num_ws} layers of {found.vectors.shape[-1]}"
        if found.num_ws
        else str(found.vectors.shape[-1])
    )
    names = ", ".join(name[:40] for name in found.names[:10])
    sets = ", which set a coordinate" if found.mean is not None else ""
    return f"{counted(len(found), 'direction')} in {found.space} of {own} numbers ({names}){sets}"


def may_hold_directions(source: Source) -> bool:
    """Whether another tool's file has arrays of the shapes of directions. No numbers are read."""
    if not is_foreign(source):
        return False
    if source.head.startswith(NPY_HEAD) or source.kind == "zip":
        return any(dtype.kind == "f" and 1 <= len(shape) <= 3 for shape, dtype in numpy_heads(source.path))
    if source.kind == "other":
        return False
    content = content_of(source)
    stored = [*content.values()] if isinstance(content, Mapping) else [content]
    return any(isinstance(one, Stored) and 1 <= len(one.shape) <= 3 for one in stored)


def space_of(source: Source) -> str:
    """In what the directions of a file lie, by its name: InterFaceGAN calls its files `…_boundary.npy`."""
    words = re.split(r"[^a-z0-9]+", source.path.stem.lower())
    return "Z" if "boundary" in words and "w" not in words and "wp" not in words else "W"


def one_array(stored: Any, stem: str, generator: Generator | None, space: str) -> Directions:
    """An array without further names."""
    x = numbers(stored, EXPECTED)
    rows = len(x)
    if x.ndim == 1:
        x = x[None]
    elif x.ndim == 2 and generator is not None and rows in (widths := channel_counts(generator)):
        return channels(
            generator, x.T, [f"{stem} {i}" for i in range(1, x.shape[1] + 1)], to_rgbs=rows == widths[1]
        )
    elif x.ndim == 2 and space == "W" and are_layers(rows, None if generator is None else generator.num_ws):
        x = x[None]
    elif x.ndim == 3 and x.shape[1] == 1:
        x = x[:, 0]
    names = [stem] if len(x) == 1 else [f"{stem} {i}" for i in range(1, len(x) + 1)]
    return plain(x, names, "boundary" if space == "Z" else "a file", space)


def by_name(named: Mapping[str, Any], generator: Generator | None, space: str) -> Directions:
    """Directions of one file, each under its name."""
    found = {name: one_array(value, name, generator, space) for name, value in named.items()}
    shapes = {tuple(one.vectors.shape[1:]) for one in found.values()}
    if len(shapes) > 1:
        raise LatentMismatchError(f"the file's directions are of several shapes: {sorted(map(list, shapes))}")
    names = [name for one in found.values() for name in one.names]
    return plain(torch.cat([one.vectors for one in found.values()]), names, "a file", space)


def plain(x: torch.Tensor, names: list[str], method: str, space: str = "W") -> Directions:
    """Vectors as they are, of whatever length."""
    if len(x) > MOST_DIRECTIONS:
        raise CheckpointError(f"the file holds {len(x)} directions; give at most {MOST_DIRECTIONS}")
    return Directions(x, torch.ones(len(x)), None, tuple(names), None, method, space=space)


def principal_components(content: Mapping[str, Any]) -> Directions:
    """e4e's `ffhq_pca.pt`: a strength is the coordinate to go to, in standard deviations."""
    vectors, mean, units = (numbers(content[key], EXPECTED) for key in ("comp", "mean", "std"))
    if not (units > 0).all():
        raise CheckpointError(
            "a standard deviation is 0, so nothing goes along its component; make the file anew"
        )
    names = tuple(f"component {i}" for i in range(len(vectors)))
    return Directions(
        vectors.flatten(1), units.flatten(), None, names, None, "principal components", mean=mean.flatten()
    )


def ganspace(content: Mapping[str, Any]) -> Directions:
    """GANSpace's components of w, those of activations as w leads to them; each goes by its standard deviation."""
    vectors, units = (numbers(content[key], EXPECTED) for key in ("lat_comp", "lat_stdev"))
    vectors = vectors[:, 0] if vectors.ndim == 3 and vectors.shape[1] == 1 else vectors
    shares = numbers(content["var_ratio"], EXPECTED).flatten() if "var_ratio" in content else None
    names = tuple(f"GANSpace {i}" for i in range(1, len(vectors) + 1))
    return Directions(vectors, units.flatten(), shares, names, None, "GANSpace")


def closed_form(content: Mapping[str, Any]) -> Directions:
    """rosinality's `closed_form_factorization`, which is SeFa: eigenvectors in columns."""
    vectors = numbers(content["eigvec"], EXPECTED, 2)
    return plain(
        vectors.T.contiguous(), [f"SeFa {i}" for i in range(1, vectors.shape[1] + 1)], "SeFa, closed form"
    )


LAYOUTS: tuple[tuple[set[str], Callable[[Mapping[str, Any]], Directions]], ...] = (
    (PRINCIPAL, principal_components),
    (GANSPACE, ganspace),
    (CLOSED_FORM, closed_form),
)
"""Which keys a tool's file has, and what reads it."""
