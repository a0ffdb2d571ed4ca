"""W+ codes that other tools have written, read as data.

Projectors, encoders and inversions write arrays and tensors, alone, by picture or by step. A tool's layout is told by
what the file holds, never by its name; what the numbers do not say is said by the caller, or refused.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import CheckpointError, LatentMismatchError, StyleMixError
from ..files.arrays import NPY_HEAD, PNG_HEAD, numpy_heads, png_text
from ..files.damage import reading
from ..files.source import Source
from ..wording import counted
from .foreign import CLOSED_FORM, GANSPACE, PRINCIPAL, Stored, are_layers, content_of, is_foreign, numbers

CODES = ("w", "latent", "pivots")
"""What holds the codes in dictionaries with more: NVIDIA's projector, rosinality's, and STIT."""

MOST_CODES = 100_000
EXPECTED = "expected codes of [codes, layers, numbers], [layers, numbers], [codes, numbers] or [numbers]"


@dataclass(frozen=True)
class Found:
    """One array of codes in a file."""

    name: str
    numbers: torch.Tensor
    """float32 `[B, num_ws, w_dim]`, `[num_ws, w_dim]`, `[B, w_dim]` or `[w_dim]`."""
    steps: int
    """How many steps of them the file has."""

    def fits(self, num_ws: int | None) -> bool:
        """Whether a code for every layer is there, as far as the numbers tell."""
        if self.numbers.ndim == 3:
            return self.numbers.shape[1] > 1
        return self.numbers.ndim == 2 and are_layers(len(self.numbers), num_ws)

    def in_w_plus(self, num_ws: int | None) -> torch.Tensor:
        """`[B, num_ws, w_dim]`; a single w is repeated. `LatentMismatchError` when nobody knows how often."""
        x = self.numbers
        if self.fits(num_ws):
            return x if x.ndim == 3 else x[None]
        x = x.reshape(-1, 1, x.shape[-1])
        if num_ws is None:
            raise LatentMismatchError(
                f"the file holds {counted(len(x), 'w vector')}, one for all layers, and does not "
                "say how many layers there are; give the generator (num_ws)"
            )
        return x.repeat(1, num_ws, 1)


@reading("file")
def read_codes(
    source: Source, num_ws: int | None = None, iteration: int = -1
) -> tuple[torch.Tensor, list[str]]:
    """Codes of another tool's file, float32 `[B, num_ws, w_dim]` on the CPU, and a name for each.

    Read are `.npy`, `.npz`, PyTorch's and plain pickle files: arrays and tensors `[B, num_ws, w_dim]`,
    `[num_ws, w_dim]`, `[B, w_dim]` and `[w_dim]` of any floating type; dictionaries of them by picture or frame, in
    which lists are the steps of one code; lists of them; and PNG pictures of dfl's ComfyUI-StyleGan.
    num_ws: of the generator that they are for, where it is known: single w are repeated so often.
    iteration: which of several steps of a code, from 0 or, negative, from the last on.
    `CheckpointError` when the file holds no codes, `LatentMismatchError` when it does not say how many layers they
    have.
    """
    found = all_codes(source, iteration)
    count = sum(1 if one.numbers.ndim == 1 else len(one.numbers) for one in found)
    if count > MOST_CODES:
        raise CheckpointError(f"the file holds {count} codes; give at most {MOST_CODES}")
    whole = [(one.name, one.in_w_plus(num_ws)) for one in found]
    shapes = sorted({tuple(x.shape[1:]) for _, x in whole})
    if len(shapes) > 1:
        raise LatentMismatchError(f"the file's codes are of several shapes: {[*map(list, shapes)]}")
    names = [
        ", ".join(filter(None, [name, str(i) if len(x) > 1 else ""]))
        for name, x in whole
        for i in range(len(x))
    ]
    return torch.cat([x for _, x in whole]), [
        f"{source.path.name}: {name}" if name else source.path.name for name in names
    ]


def describe_codes(source: Source) -> str:
    """What a file of another tool holds, for people: "3 W+ codes of 18 w vectors of 512". Errors of `read_codes`."""
    found = all_codes(source, -1)
    counts: Counter[tuple[str, str]] = Counter()
    for one in found:
        *rows, width = one.numbers.shape
        steps = f", {one.steps} iterations each" if one.steps > 1 else ""
        if one.fits(None):
            counts["W+ code", f"of {rows[-1]} w vectors of {width}{steps}"] += (
                rows[0] if len(rows) == 2 else 1
            )
        else:
            counts["w vector", f"of {width} numbers, one for all layers{steps}"] += rows[0] if rows else 1
    parts = [f"{counted(count, kind)} {shape}" for (kind, shape), count in counts.items()]
    return f"{' and '.join(parts)}, a source or a style"


def may_hold_codes(source: Source) -> bool:
    """Whether another tool's file has arrays of the shapes of codes. No numbers are read."""
    if not is_foreign(source):
        return False
    if source.head.startswith(PNG_HEAD):
        return png_text(source.path) is not None
    if source.head.startswith(NPY_HEAD) or source.kind == "zip":
        return any(
            dtype.hasobject or (dtype.kind == "f" and 1 <= len(shape) <= 3)
            for shape, dtype in numpy_heads(source.path)
        )
    if source.kind == "safetensors":
        return len(source.tensors) == 1 and all(1 <= len(x.shape) <= 3 for x in source.tensors.values())
    return any(
        isinstance(stored, Stored) and 1 <= len(stored.shape) <= 3
        for _, stored, _ in codes_in(content_of(source), -1)
    )


def all_codes(source: Source, iteration: int) -> list[Found]:
    """Every array of codes in a file. `CheckpointError` when there is none."""
    content, found = content_of(source), []
    if isinstance(content, dict) and any(keys <= {*content} for keys in (PRINCIPAL, GANSPACE, CLOSED_FORM)):
        raise CheckpointError(
            f"it holds directions ({', '.join(map(str, content))}), not codes; load it as such"
        )
    for name, stored, steps in codes_in(content, iteration):
        found.append(Found(name, numbers(stored, EXPECTED), steps))
    if not found:
        raise CheckpointError(f"it holds no W+ codes; {EXPECTED}, or a dictionary of such")
    return found


def codes_in(content: Any, iteration: int) -> Iterator[tuple[str, Any, int]]:
    """By what name each array of codes is found, the array, and how many steps of it there are."""
    known = known_key(content)
    if known is not None:
        content = content[known]
    if isinstance(content, Stored):
        yield "", content, 1
    elif isinstance(content, dict):
        for key, value in content.items():
            inner = known_key(value)
            code = value[inner] if inner is not None else value
            steps = 1
            if isinstance(code, list | tuple) and code and isinstance(code[0], Stored):
                code, steps = step_of(code, iteration), len(code)
            if isinstance(code, Stored):
                yield str(key), code, steps
    elif isinstance(content, list | tuple):
        for i, value in enumerate(content):
            yield str(i), value, 1


def known_key(content: Any) -> str | None:
    """Under which of `CODES` a dictionary has the codes."""
    return next((key for key in CODES if isinstance(content, dict) and key in content), None)


def step_of(steps: list[Any] | tuple[Any, ...], iteration: int) -> Any:
    """One of the steps of a code. `StyleMixError` when there is none such."""
    if not -len(steps) <= iteration < len(steps):
        raise StyleMixError(
            f"a code has {counted(len(steps), 'iteration')}, 0 to {len(steps) - 1}; there is no {iteration}"
        )
    return steps[iteration]
