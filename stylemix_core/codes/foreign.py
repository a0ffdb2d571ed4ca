"""W+ codes that other tools have written, read as data.

Projectors, encoders and inversions write arrays and tensors, alone, by picture or by step. A tool's layout is told by
what the file holds, never by its name; what the numbers do not say is said by the caller, or refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ..checkpoints.formats import MODELS
from ..encoder.config import MAX_WS
from ..errors import CheckpointError, LatentMismatchError, StyleMixError
from ..files.arrays import NPY_HEAD, read_npy, read_npz
from ..files.pickle_globals import StoredArray
from ..files.source import Source
from ..files.stored import StoredTensor
from ..wording import counted

FEWEST_WS = 8
"""Of a generator of 32 pixels. Fewer rows are w vectors, not the layers of one W+ code."""

CODES = ("w", "latent", "pivots")
"""What holds the codes in dictionaries with more: NVIDIA's projector, rosinality's, and STIT."""

MOST_CODES = 100_000

Stored = StoredTensor | StoredArray


def read_codes(path: Path, num_ws: int | None = None, iteration: int = -1) -> tuple[torch.Tensor, list[str]]:
    """Codes of another tool's file, float32 `[B, num_ws, w_dim]` on the CPU, and a name for each.

    Read are `.npy`, `.npz`, PyTorch's and plain pickle files: arrays and tensors `[B, num_ws, w_dim]`,
    `[num_ws, w_dim]`, `[B, w_dim]` and `[w_dim]` of any floating type; dictionaries of them by picture or frame, in
    which lists are the steps of one code; lists of them.
    num_ws: of the generator that they are for, where it is known: single w are repeated so often.
    iteration: which of several steps of a code, from 0 or, negative, from the last on.
    `CheckpointError` when the file holds no codes, `LatentMismatchError` when it does not say how many layers they
    have.
    """
    found = [*codes_in(content_of(path), iteration)]
    if not found:
        raise CheckpointError(
            "it holds no W+ codes; expected an array of [codes, layers, numbers] or [codes, numbers], or a "
            "dictionary of such"
        )
    whole = [(name, as_w_plus(x, num_ws)) for name, x in found]
    widths = {x.shape[1:] for _, x in whole}
    if len(widths) > 1:
        raise LatentMismatchError(f"the file's codes are of several shapes: {sorted(map(list, widths))}")
    names = [
        f"{name}, {i}" if name and len(x) > 1 else name or (str(i) if len(x) > 1 else "")
        for name, x in whole
        for i in range(len(x))
    ]
    if len(names) > MOST_CODES:
        raise CheckpointError(f"the file holds {len(names)} codes; give at most {MOST_CODES}")
    return torch.cat([x for _, x in whole]), names


def may_hold_codes(path: Path) -> bool:
    """Whether a file is of a kind that other tools write codes in, and no part of a model."""
    source = Source(path)
    if source.kind == "safetensors":
        return len(source.tensors) == 1 and not any("." in name for name in source.tensors)
    if source.kind == "other":
        return source.head.startswith(NPY_HEAD)
    return not any(model.detect(source) for model in MODELS)


def content_of(path: Path) -> Any:
    """What a file holds, whatever its ending."""
    source = Source(path)
    if source.head.startswith(NPY_HEAD):
        return read_npy(path)
    if source.kind == "zip":
        return read_npz(path)
    if source.kind == "safetensors":
        return source.tensors
    return source.content


def codes_in(content: Any, iteration: int) -> Iterator[tuple[str, torch.Tensor]]:
    """The codes of a file's content, and by what name each is found."""
    known = known_key(content)
    if known is not None:
        content = content[known]
    if isinstance(content, Stored):
        yield "", numbers(content)
    elif isinstance(content, dict):
        for key, value in content.items():
            inner = known_key(value)
            code = value[inner] if inner is not None else value
            if isinstance(code, list | tuple) and code:
                code = step_of(code, iteration)
            if isinstance(code, Stored):
                yield str(key), numbers(code)
    elif isinstance(content, list | tuple):
        for i, value in enumerate(content):
            yield str(i), numbers(value)


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


def numbers(stored: Any) -> torch.Tensor:
    """Stored numbers as float32 `[…, w_dim]`. `CheckpointError` when they are no codes."""
    if not isinstance(stored, Stored):
        raise CheckpointError("a code is not made of numbers")
    loaded = stored.load()
    x = loaded if isinstance(loaded, torch.Tensor) else torch.from_numpy(loaded)
    if not x.is_floating_point() or not 1 <= x.ndim <= 3 or not x.numel():
        raise CheckpointError(
            f"the file holds {x.dtype} {list(x.shape)}; expected codes of [codes, layers, numbers], [layers, numbers], "
            "[codes, numbers] or [numbers]"
        )
    if not x.isfinite().all():
        raise CheckpointError("the file's codes hold NaN or infinite numbers; make them anew")
    return x.float()


def as_w_plus(x: torch.Tensor, num_ws: int | None) -> torch.Tensor:
    """Codes of any of the layouts as `[B, num_ws, w_dim]`."""
    rows = len(x)
    if x.ndim == 3:
        return x
    if x.ndim == 2 and (rows == num_ws if num_ws else FEWEST_WS <= rows <= MAX_WS and rows % 2 == 0):
        return x[None]
    if num_ws is None:
        raise LatentMismatchError(
            f"the file holds {counted(1 if x.ndim == 1 else rows, 'w vector')}, one for all layers, and does not say "
            "how many layers there are; give the generator (num_ws)"
        )
    return x.reshape(-1, 1, x.shape[-1]).repeat(1, num_ws, 1)
