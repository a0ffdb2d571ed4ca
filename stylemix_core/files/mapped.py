"""Numbers that lie in a mapped file until they are asked for, and safetensors, a format that is nothing but such."""

import mmap
import os
from typing import Any, BinaryIO

import numpy as np
import torch

from ..errors import CheckpointError
from .header import damaged, read_header
from .stored import StoredTensor

SAFETENSORS_DTYPES = {
    "F32": torch.float32,
    "F64": torch.float64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
AS_NUMPY = {
    dtype: np.dtype(np.int16) if dtype == torch.bfloat16 else torch.empty(0, dtype=dtype).numpy().dtype
    for dtype in SAFETENSORS_DTYPES.values()
}


def map_file(path: str | os.PathLike[str]) -> memoryview:
    """The file's bytes, read-only."""
    with open(path, "rb") as file:
        return map_bytes(file)


def map_bytes(file: BinaryIO) -> memoryview:
    """The same of an open file."""
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def release(view: memoryview) -> None:
    """Give the mapped file's memory back to the system, where that is possible; it is read again when needed."""
    if len(view) >= mmap.PAGESIZE and isinstance(view.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        view.obj.madvise(mmap.MADV_DONTNEED)


class Storage:
    """A run of numbers in the file. `data` is filled in when its place is known."""

    def __init__(self, dtype: torch.dtype, size: int):
        self.dtype, self.size = dtype, size
        self.data: memoryview | None = None

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def fill(self, data: memoryview) -> None:
        """Gives it its place: the first bytes of `data`."""
        if len(data) < self.nbytes:
            raise CheckpointError(f"a tensor's data is cut off: {len(data)} of {self.nbytes} bytes are there")
        self.data = data[: self.nbytes]

    def read(self, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> torch.Tensor:
        """A part of it, in memory of its own."""
        if self.data is None:
            raise CheckpointError("the file lacks the data of one of its tensors; it is damaged")
        step = self.dtype.itemsize
        strides = tuple(step * n for n in stride)
        view: np.ndarray = np.ndarray(size, AS_NUMPY[self.dtype], self.data, step * offset, strides)
        tensor = torch.from_numpy(view.copy())
        release(self.data)
        return tensor.view(self.dtype)


def require_sizes(shape: Any) -> int:
    """The product of `shape`, a tuple of at most 8 natural numbers."""
    if (
        not isinstance(shape, tuple)
        or len(shape) > 8
        or not all(type(n) is int and 0 <= n < 2**40 for n in shape)
    ):
        raise CheckpointError("a tensor's shape or stride is not a short tuple of natural numbers")
    product = 1
    for size in shape:
        product *= size
    return product


def read_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file. `CheckpointError` when the file is damaged or cut off.

    Tensors of a type that no supported network has, such as float8, are listed and cannot be loaded.
    The library's own reader is not used: its tensors are pages of the mapped file, which change when the file does and
    keep it from being replaced on Windows; it reads headers of a hundred megabytes from anybody; and the formats of
    other tools need the same `StoredTensor`s.
    """
    with open(path, "rb") as file:
        entries, metadata = read_header(file)
        numbers = map_bytes(file)[file.tell() :]
    tensors, end = {}, 0
    for name, entry in sorted(entries.items(), key=lambda item: offsets(*item)):
        start, stop = offsets(name, entry)
        if start != end or stop > len(numbers):
            raise damaged(f"the data of {name[:80]} is not where it belongs")
        end = stop
        tensors[name] = stored_tensor(name, entry, numbers[start:stop])
    if end != len(numbers):
        raise damaged(f"its tensors take {end} bytes, it has {len(numbers)}")
    return tensors, metadata


def offsets(name: str, entry: Any) -> tuple[int, int]:
    """First and last byte of a tensor's data."""
    found = entry.get("data_offsets") if isinstance(entry, dict) else None
    if isinstance(found, list) and len(found) == 2 and all(type(n) is int for n in found):
        start, stop = found
        if 0 <= start <= stop:
            return start, stop
    raise damaged(f"{name[:80]} has no place in it")


def stored_tensor(name: str, entry: dict[str, Any], data: memoryview) -> StoredTensor:
    """A tensor of a safetensors file, from its entry in the header and its bytes."""
    shape, kind = entry.get("shape"), entry.get("dtype")
    size = tuple(shape) if isinstance(shape, list) else ()
    count = require_sizes(size)
    dtype = SAFETENSORS_DTYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        return StoredTensor(size, lambda: refuse_type(name))
    storage = Storage(dtype, count)
    if storage.nbytes != len(data):
        raise damaged(f"{name[:80]} of shape {list(size)} has {len(data)} bytes")
    storage.fill(data)
    return StoredTensor(
        size, lambda: storage.read(size, contiguous(size)) if count else torch.empty(size, dtype=dtype)
    )


def refuse_type(name: str) -> torch.Tensor:
    raise CheckpointError(f"the tensor {name[:80]} is of a type that no supported network has")


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor without gaps."""
    strides = [1]
    for size in reversed(shape[1:]):
        strides.append(strides[-1] * size)
    return tuple(reversed(strides[: len(shape)]))
