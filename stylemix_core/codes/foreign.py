"""What other tools' files hold, whatever their ending: arrays and tensors, alone or in dictionaries and lists.

`foreign_codes` and `foreign_directions` read codes and directions of it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from ..checkpoints import own_files
from ..checkpoints.formats import MODELS
from ..encoder.config import MAX_WS
from ..errors import CheckpointError
from ..files.arrays import NPY_HEAD, PNG_HEAD, read_npy, read_npz, read_png_code
from ..files.damage import using
from ..files.pickle_globals import StoredArray
from ..files.source import Source
from ..files.stored import StoredTensor

Result = TypeVar("Result")
Stored = StoredTensor | StoredArray
FEWEST_WS = 8
"""Of a generator of 32 pixels. Fewer rows are single vectors, not one for every layer."""
PRINCIPAL, GANSPACE, CLOSED_FORM = {"comp", "mean", "std"}, {"lat_comp", "lat_stdev"}, {"eigvec"}
"""What files of directions hold: e4e's `ffhq_pca.pt`, GANSpace's, and rosinality's."""


def content_of(source: Source) -> Any:
    """What a file holds, as data. `CheckpointError` when it cannot be read, or is a model."""
    if source.head.startswith(NPY_HEAD):
        return read_npy(source.path)
    if source.head.startswith(PNG_HEAD):
        return read_png_code(source.path)
    if source.kind == "zip":
        return read_npz(source.path)
    if source.kind == "safetensors":
        return source.tensors
    return source.content


def is_foreign(source: Source) -> bool:
    """Whether a file is of a kind in which other tools keep arrays, and no model.

    Names with dots are those of a network's parts.
    """
    if source.kind == "other":
        return source.head.startswith((NPY_HEAD, PNG_HEAD))
    if own_files.detect(source) or (
        source.kind == "safetensors" and any("." in name for name in source.tensors)
    ):
        return False
    return not any(model.detect(source) for model in MODELS)


def numbers(stored: Any, expected: str, most: int = 3) -> torch.Tensor:
    """Stored numbers of any floating type and of up to `most` dimensions, float32 on the CPU.

    expected: which there should be, for messages. `CheckpointError` when these are others, or not finite.
    """
    if not isinstance(stored, Stored):
        raise CheckpointError(f"the file holds something else than numbers; {expected}")
    loaded = stored.load()
    x = loaded if isinstance(loaded, torch.Tensor) else torch.from_numpy(loaded)
    if not x.is_floating_point():
        raise CheckpointError(
            f"the file holds whole numbers ({x.dtype}); {expected}, as floating-point numbers"
        )
    if not x.numel() or not 1 <= x.ndim <= most:
        raise CheckpointError(f"the file holds {x.dtype} {list(x.shape)}; {expected}")
    x = x.float()
    if not x.isfinite().all():
        raise CheckpointError("the file holds NaN or infinite numbers, or too large ones; make it anew")
    return x


def are_layers(rows: int, num_ws: int | None) -> bool:
    """Whether rows are those of one code or direction, one for every layer, as far as their number tells.

    num_ws: of the generator, where it is known.
    """
    return rows == num_ws if num_ws else FEWEST_WS <= rows <= MAX_WS and rows % 2 == 0


def read_foreign(path: Path, read: Callable[[Source], Result]) -> Result | None:
    """What `read` makes of another tool's file; None where it is none. Errors name the file."""
    with using(path):
        source = Source(path)
        return read(source) if is_foreign(source) else None
