"""The one reader of pickles: it interprets them as data and runs nothing that they name.

A pickle is a program for a small stack machine. Python's own machine imports and calls whatever the
program asks for; this one knows the few globals that a benign checkpoint needs, gives each a harmless
meaning of its own and refuses all others by name. No module named by a file is imported, no class of
a file is made: classes become inert `Record`s, tensors become `StoredTensor`s that stay in the file
until they are asked for.

Files are mapped into memory. PyTorch's files, in the zip layout and in the older one, are read here too.
"""

import io
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch

from ..errors import CheckpointError
from .base import StoredTensor
from .machine import Global, Machine, Record, Stateful, Stream, map_file, require_key, require_sizes

BROADCAST_LIMIT = 1 << 20
"""Elements that a tensor may have beyond those of its storage (a stride of 0 repeats values)."""
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first value of a PyTorch file in the layout from before version 1.6."""
LEGACY_HEAD = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
"""That value as the file's first bytes."""

DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What reading a damaged pickle may end in before any of its values has been checked."""


def read_pickle(path: str | os.PathLike) -> Any:
    """The value of a plain pickle file, made of builtin containers, numbers, texts and the classes below.

    `CheckpointError` when the file names a global that no checkpoint needs, or is damaged.
    """
    with guarded("pickle"):
        return Machine(GLOBALS).run(Stream(map_file(path)))


def read_torch(path: str | os.PathLike) -> Any:
    """The value of a file written by `torch.save`, zip layout or older; see `read_pickle`."""
    with guarded("PyTorch file"):
        return read_torch_data(map_file(path), GLOBALS)


class StoredArray(Stateful):
    """A numpy array in the file."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.load: Callable[[], np.ndarray] = lambda: np.empty(0)

    def set_state(self, state: Any) -> None:
        shape, dtype, fortran, data = state[-4:]
        size = require_sizes(shape)
        if len(data) != size * dtype.numpy.itemsize:
            raise CheckpointError(f"an array of shape {list(shape)} comes with {len(data)} bytes of data")
        order: Literal["F", "C"] = "F" if fortran else "C"
        self.shape = shape
        self.load = lambda: np.frombuffer(data, dtype.numpy).reshape(shape, order=order)


class guarded:
    """Turns whatever reading a damaged file ends in into a `CheckpointError`."""

    def __init__(self, what: str):
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> None:
        if isinstance(error, CheckpointError):
            return
        if isinstance(error, (*DAMAGE, zipfile.BadZipFile, NotImplementedError, OSError)):
            raise CheckpointError(
                f"the {self.what} is damaged or cut off ({error or kind.__name__}); download or copy it again"
            ) from error


# PyTorch's files


class Storage:
    """A run of numbers in the file. `data` is filled in when its place is known."""

    def __init__(self, dtype: torch.dtype, size: int):
        self.dtype, self.size = dtype, size
        self.data: memoryview | None = None

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def fill(self, data: memoryview) -> None:
        if len(data) < self.nbytes:
            raise CheckpointError(f"a tensor's data is cut off: {len(data)} of {self.nbytes} bytes are there")
        self.data = data[: self.nbytes]

    def tensor(self) -> torch.Tensor:
        if self.data is None:
            raise CheckpointError("the file lacks the data of a tensor")
        if self.size == 0:
            return torch.empty(0, dtype=self.dtype)
        misaligned = np.frombuffer(self.data, np.uint8).ctypes.data % self.dtype.itemsize
        return torch.frombuffer(bytearray(self.data) if misaligned else self.data, dtype=self.dtype)


def read_torch_data(data: memoryview, known: Mapping[str, Callable]) -> Any:
    if data[:4] == b"PK\x03\x04":
        return read_torch_zip(data, known)
    return read_torch_legacy(data, known)


def read_torch_zip(data: memoryview, known: Mapping[str, Callable]) -> Any:
    entries = zip_entries(data)
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError(
            "this is a zip archive, but not one written by torch.save; unpack it and use what it holds"
        )
    root = pickles[0].removesuffix("data.pkl")
    if root + "constants.pkl" in entries:
        raise CheckpointError(
            "this is a TorchScript program, not a checkpoint; use the file that it was made from"
        )
    if bytes(entries.get(root + "byteorder", b"little")) != b"little":
        raise CheckpointError("the file was written on a big-endian machine; save it again on a common one")
    storages: dict[str, Storage] = {}

    def persistent(identity: Any) -> Storage:
        key, storage = storage_of(identity, storages)
        if storage.data is None:
            storage.fill(entries[f"{root}data/{key}"])
        return storage

    return Machine(known, persistent).run(Stream(entries[pickles[0]]))


def zip_entries(data: memoryview) -> dict[str, memoryview]:
    """Every member of an uncompressed archive, as PyTorch writes them, as a view."""
    entries = {}
    with zipfile.ZipFile(ViewFile(data)) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise CheckpointError(
                    "this is a compressed zip archive; unpack it and use the checkpoint inside"
                )
            header = bytes(data[info.header_offset : info.header_offset + 30])
            start = info.header_offset + 30
            start += int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            if start + info.file_size > len(data):
                raise CheckpointError("the archive is cut off; download or copy it again")
            entries[info.filename] = data[start : start + info.file_size]
    return entries


class ViewFile(io.RawIOBase):
    """A seekable file over mapped memory, for `zipfile`."""

    def __init__(self, data: memoryview):
        self.data, self.position = data, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: len(self.data)}[whence]
        if base + offset < 0:
            raise OSError("seek before the start")
        self.position = base + offset
        return self.position

    def readinto(self, buffer) -> int:
        piece = self.data[self.position : self.position + len(buffer)]
        buffer[: len(piece)] = piece
        self.position += len(piece)
        return len(piece)


def read_torch_legacy(data: memoryview, known: Mapping[str, Callable]) -> Any:
    storages: dict[str, Storage] = {}
    stream = Stream(data)
    machine = Machine(known, lambda identity: storage_of(identity, storages)[1])
    if Machine({}).run(stream) != LEGACY_MAGIC:
        raise CheckpointError("these are not the first bytes of a PyTorch file")
    Machine({}).run(stream)  # protocol version
    Machine({}).run(stream)  # sizes of C types on the writer's machine
    value = machine.run(stream)
    for key in Machine({}).run(stream):
        count = int.from_bytes(stream.read(8), "little", signed=True)
        if key not in storages or count != storages[key].size:
            raise CheckpointError(
                "a tensor's announced size differs from its stored size; the file is damaged"
            )
        start, stream.position = stream.position, stream.position + storages[key].nbytes
        storages[key].fill(data[start : stream.position])
    return value


def storage_of(identity: Any, storages: dict[str, Storage]) -> tuple[str, Storage]:
    """The storage that a persistent id stands for: ("storage", type, key, device, size[, view])."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise CheckpointError("refused a persistent id that is not a tensor's storage")
    _, kind, key, _, size = identity[:5]
    dtype = DTYPES.get(kind.name.rpartition(".")[2]) if isinstance(kind, Global) else None
    if dtype is None or not isinstance(key, str) or identity[5:] not in ((), (None,)):
        raise CheckpointError("a tensor's storage is of an unknown kind")
    require_sizes((size,))
    storage = storages.setdefault(key, Storage(dtype, size))
    if storage.dtype != dtype or storage.size != size:
        raise CheckpointError("two tensors disagree about the storage that they share")
    return key, storage


# What stands in for the allowed globals


def rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> StoredTensor:
    count = require_sizes(size)
    require_sizes(stride)
    require_sizes((offset,))
    if not isinstance(storage, Storage) or len(size) != len(stride):
        raise CheckpointError("a tensor is not made of a storage, a shape and strides")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and (last >= storage.size or count > max(storage.size, BROADCAST_LIMIT)):
        raise CheckpointError(
            f"a tensor of shape {list(size)} reaches beyond its data of {storage.size} numbers"
        )

    def load() -> torch.Tensor:
        return torch.as_strided(storage.tensor(), size, stride, offset) if count else torch.empty(size)

    return StoredTensor(size, load)


def rebuild_parameter(data: Any, *_: Any) -> StoredTensor:
    if not isinstance(data, StoredTensor):
        raise CheckpointError("a parameter is not made of a tensor")
    return data


def load_from_bytes(payload: Any) -> Any:
    # A payload holds one storage. It has no payloads of its own.
    return read_torch_data(memoryview(payload), NESTED_GLOBALS)


def make_dict(items: Any = ()) -> dict:
    pairs = items.items() if isinstance(items, dict) else items
    return {require_key(key): value for key, value in pairs}


def make_set(items: Any = ()) -> set:
    if not isinstance(items, list | tuple | set | frozenset):
        raise CheckpointError("a set is not made of a list")
    return {require_key(item) for item in items}


class Dtype(Stateful):
    """A numpy number type."""

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", code):
            raise CheckpointError(f"refused the numpy type {code!r}; a checkpoint holds numbers only")
        self.numpy = np.dtype(code)

    def set_state(self, state: Any) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise CheckpointError("refused an unknown byte order")
        if state[1] != "|":
            self.numpy = self.numpy.newbyteorder(state[1])


def numpy_scalar(dtype: Any, data: Any) -> int | float | bool:
    if not isinstance(dtype, Dtype) or len(data) != dtype.numpy.itemsize:
        raise CheckpointError("a numpy number does not fit its type")
    return np.frombuffer(data, dtype.numpy)[0].item()


def numpy_array(*_: Any) -> StoredArray:
    return StoredArray()


def array_from_buffer(data: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> StoredArray:
    if order not in ("C", "F"):
        raise CheckpointError("a numpy array is in an unknown order")
    array = StoredArray()
    array.set_state((shape, dtype, order == "F", data))
    return array


def encode_text(text: Any, encoding: Any = "utf-8") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        raise CheckpointError("refused an unusual text encoding")
    return text.encode(encoding)


def make_device(kind: Any = "", index: Any = None) -> str:
    return str(kind)[:32] if isinstance(kind, str) else "unknown"


def make_size(items: Any = ()) -> tuple:
    return tuple(items)


def not_callable(*_: Any) -> None:
    raise CheckpointError("refused to make an object of a class that a checkpoint only mentions")


def record(name: str) -> Callable[..., Record]:
    return lambda *arguments: Record(name, arguments)


PERSISTENT_OBJECT = "torch_utils.persistence._reconstruct_persistent_obj"
TF_NETWORK = "dnnlib.tflib.network.Network"
PROGAN_NETWORK = "tfutil.Network"
NAMESPACE = "argparse.Namespace"

NESTED_GLOBALS: dict[str, Callable] = {
    "collections.OrderedDict": make_dict,
    "dnnlib.util.EasyDict": make_dict,
    "dnnlib.EasyDict": make_dict,
    "builtins.set": make_set,
    "__builtin__.set": make_set,
    "_codecs.encode": encode_text,
    "torch.Size": make_size,
    "torch.device": make_device,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "numpy.dtype": Dtype,
    "numpy.ndarray": not_callable,
    **{f"torch.{name}": not_callable for name in DTYPES},
    **{f"numpy.{module}.multiarray.scalar": numpy_scalar for module in ("core", "_core")},
    **{f"numpy.{module}.multiarray._reconstruct": numpy_array for module in ("core", "_core")},
    **{f"numpy.{module}.numeric._frombuffer": array_from_buffer for module in ("core", "_core")},
    **{name: record(name) for name in (PERSISTENT_OBJECT, TF_NETWORK, PROGAN_NETWORK, NAMESPACE)},
}
GLOBALS: dict[str, Callable] = {**NESTED_GLOBALS, "torch.storage._load_from_bytes": load_from_bytes}
"""Every global that a pickle may name, and nothing else."""
