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
from .machine import Budget, Global, LongText, Machine, Record, Stateful, Stream, require_key, shown
from .mapped import Storage, map_file, release, require_sizes
from .stored import StoredTensor

BROADCAST_LIMIT = 1 << 20
"""Elements that a tensor may have beyond those of its storage (a stride of 0 repeats values)."""
DIRECTORY_PER_STEP = 8
"""Bytes of a zip archive's directory that cost as much as a step. An entry has some hundred."""
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
        budget = Budget()
        return Machine(file_globals(budget), budget).run(Stream(map_file(path)))


def read_torch(path: str | os.PathLike) -> Any:
    """The value of a file written by `torch.save`, zip layout or older; see `read_pickle`."""
    with guarded("PyTorch file"):
        budget = Budget()
        return read_torch_data(map_file(path), file_globals(budget), budget)


class StoredArray(Stateful):
    """A numpy array in the file. `load` gives it memory of its own."""

    shape: tuple[int, ...] = (0,)
    dtype: np.dtype = np.dtype(np.float32)
    data: bytes | memoryview | LongText = b""
    order: Literal["F", "C"] = "C"

    def set_state(self, state: Any) -> None:
        shape, dtype, fortran, data = state[-4:]
        self.fill(shape, dtype, data.encode("latin-1") if isinstance(data, str) else data, fortran)

    def fill(self, shape: Any, dtype: Any, data: Any, fortran: Any) -> None:
        size = require_sizes(shape)
        if not isinstance(dtype, Dtype) or not isinstance(data, bytes | memoryview | LongText):
            raise CheckpointError("an array is not made of a number type and bytes")
        expected = size * dtype.numpy.itemsize
        # UTF-8 makes up to two bytes of one.
        longest = 2 * expected if isinstance(data, LongText) else expected
        length = len(data.data) if isinstance(data, LongText) else len(data)
        if not expected <= length <= longest:
            raise CheckpointError(f"an array of shape {list(shape)} comes with {length} bytes of data")
        self.shape, self.dtype, self.data, self.order = shape, dtype.numpy, data, "F" if fortran else "C"

    def load(self) -> np.ndarray:
        data = self.data
        if isinstance(data, LongText):
            data = str(data.data, "utf-8").encode("latin-1")
        array = np.frombuffer(data, self.dtype).reshape(self.shape, order=self.order)
        array = array.astype(self.dtype.newbyteorder("="))
        if isinstance(data, memoryview):
            release(data)
        return array


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


def read_torch_data(data: memoryview, known: Mapping[str, Callable], budget: Budget) -> Any:
    read = read_torch_zip if data[:4] == b"PK\x03\x04" else read_torch_legacy
    return read(data, known, budget)


def read_torch_zip(data: memoryview, known: Mapping[str, Callable], budget: Budget) -> Any:
    entries = zip_entries(data, budget)
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
    if root + "byteorder" in entries and member(data, entries[root + "byteorder"])[:7] != b"little":
        raise CheckpointError("the file was written on a big-endian machine; save it again on a common one")
    storages: dict[str, Storage] = {}

    def persistent(identity: Any) -> Storage:
        key, storage = storage_of(identity, storages)
        if storage.data is None:
            storage.fill(member(data, entries[f"{root}data/{key}"]))
        return storage

    return Machine(known, budget, persistent).run(Stream(member(data, entries[pickles[0]])))


def zip_entries(data: memoryview, budget: Budget) -> dict[str, zipfile.ZipInfo]:
    """The directory of an archive."""
    with zipfile.ZipFile(Directory(data, budget)) as archive:  # type: ignore[arg-type]
        return {info.filename: info for info in archive.infolist()}


def member(data: memoryview, info: zipfile.ZipInfo) -> memoryview:
    """A member of an uncompressed archive, as PyTorch writes them."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise CheckpointError("this is a compressed zip archive; unpack it and use the checkpoint inside")
    header = bytes(data[info.header_offset : info.header_offset + 30])
    start = info.header_offset + 30
    start += int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    if not header.startswith(b"PK\x03\x04") or start + info.file_size > len(data):
        raise CheckpointError("the archive is damaged or cut off; download or copy it again")
    return data[start : start + info.file_size]


class Directory(io.RawIOBase):
    """What `zipfile` reads of an archive: the list of its members, whose length is paid for before it is read."""

    def __init__(self, data: memoryview, budget: Budget):
        self.data, self.budget, self.position = data, budget, 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: len(self.data)}[whence]
        if base + offset < 0:
            raise OSError("seek before the start")
        self.position = base + offset
        return self.position

    def read(self, count: int = -1) -> bytes:
        end = len(self.data) if count < 0 else self.position + count
        piece = self.data[self.position : end]
        self.budget.spend(len(piece) // DIRECTORY_PER_STEP)
        self.position += len(piece)
        return bytes(piece)


def read_torch_legacy(data: memoryview, known: Mapping[str, Callable], budget: Budget) -> Any:
    storages: dict[str, Storage] = {}
    stream = Stream(data)
    plain = Machine({}, budget)
    if plain.run(stream) != LEGACY_MAGIC:
        raise CheckpointError("these are not the first bytes of a PyTorch file")
    plain.run(stream)  # protocol version
    plain.run(stream)  # sizes of C types on the writer's machine
    value = Machine(known, budget, lambda identity: storage_of(identity, storages)[1]).run(stream)
    keys = plain.run(stream)
    for key in keys if isinstance(keys, list) else ():
        count = int.from_bytes(stream.read(8), "little", signed=True)
        if require_key(key) not in storages or count != storages[key].size:
            raise CheckpointError(
                "a tensor's announced size differs from its stored size; the file is damaged"
            )
        storages[key].fill(stream.view(storages[key].nbytes))
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
        return storage.read(size, stride, offset) if count else torch.empty(size, dtype=storage.dtype)

    return StoredTensor(size, load)


def rebuild_parameter(data: Any, *_: Any) -> StoredTensor:
    if not isinstance(data, StoredTensor):
        raise CheckpointError("a parameter is not made of a tensor")
    return data


def make_dict(items: Any = ()) -> dict:
    if isinstance(items, dict):
        return dict(items)
    if not isinstance(items, list | tuple) or not all(
        isinstance(i, list | tuple) and len(i) == 2 for i in items
    ):
        raise CheckpointError("a dictionary is not made of pairs")
    return {require_key(key): value for key, value in items}


def make_set(items: Any = ()) -> set:
    if not isinstance(items, list | tuple | set | frozenset):
        raise CheckpointError("a set is not made of a list")
    return {require_key(item) for item in items}


class Dtype(Stateful):
    """A numpy number type."""

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", code):
            raise CheckpointError(f"refused the numpy type {shown(code)}; a checkpoint holds numbers only")
        self.numpy = np.dtype(code)

    def set_state(self, state: Any) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise CheckpointError("refused an unknown byte order")
        if state[1] != "|":
            self.numpy = self.numpy.newbyteorder(state[1])


def numpy_scalar(dtype: Any, data: Any) -> int | float | bool:
    data = data.encode("latin-1") if isinstance(data, str) else data
    if not isinstance(dtype, Dtype) or not isinstance(data, bytes) or len(data) != dtype.numpy.itemsize:
        raise CheckpointError("a numpy number does not fit its type")
    return np.frombuffer(data, dtype.numpy)[0].item()


def numpy_array(*_: Any) -> StoredArray:
    return StoredArray()


def numpy_from_buffer(data: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> StoredArray:
    """As protocol 5 writes an array."""
    if order not in ("C", "F") or isinstance(data, LongText):
        raise CheckpointError("an array is not made of bytes in a known order")
    array = StoredArray()
    array.fill(shape, dtype, data, order == "F")
    return array


def encode_text(text: Any, encoding: Any = "utf-8") -> bytes | LongText:
    if isinstance(text, LongText) and encoding in ("latin1", "latin-1"):
        return text
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        raise CheckpointError("refused an unusual text encoding")
    return text.encode(encoding)


def make_default_dict(factory: Any = None, items: Any = ()) -> dict:
    """A defaultdict, whose factory makes nothing here."""
    return make_dict(items)


def make_list(items: Any = (), *_: Any) -> list:
    if not isinstance(items, list | tuple):
        raise CheckpointError("a queue is not made of a list")
    return list(items)


def make_path(*parts: Any) -> str:
    """A `pathlib` path as its text, with slashes whatever system it is of."""
    if not all(isinstance(part, str) for part in parts):
        raise CheckpointError("a path is not made of texts")
    return "/".join(part.rstrip("/\\") for part in parts)


def make_device(kind: Any = "", index: Any = None) -> str:
    return str(kind)[:32] if isinstance(kind, str) else "unknown"


def make_size(items: Any = ()) -> tuple:
    if not isinstance(items, list | tuple):
        raise CheckpointError("a shape is not made of a list")
    return tuple(items)


def mentioned(*_: Any) -> None:
    raise CheckpointError("refused to make an object of a class that a checkpoint only mentions")


def record(name: str) -> Callable[..., Record]:
    return lambda *arguments: Record(name, arguments)


PERSISTENT_OBJECT = "torch_utils.persistence._reconstruct_persistent_obj"
TF_NETWORK = "dnnlib.tflib.network.Network"
PROGAN_NETWORK = "tfutil.Network"
NAMESPACES = ("argparse.Namespace", "types.SimpleNamespace")

BUILTINS = ("builtins", "__builtin__")  # the second is Python 2's name
INERT: dict[str, Callable] = {
    "collections.OrderedDict": make_dict,
    "collections.Counter": make_dict,
    "collections.defaultdict": make_default_dict,
    "collections.deque": make_list,
    "dnnlib.util.EasyDict": make_dict,
    "dnnlib.EasyDict": make_dict,
    "easydict.EasyDict": make_dict,
    "munch.Munch": make_dict,
    "addict.addict.Dict": make_dict,
    "yacs.config.CfgNode": make_dict,
    **{
        f"{module}.{kind}Path": make_path
        for module in ("pathlib", "pathlib._local")  # the second is Python 3.13's name
        for kind in ("", "Posix", "Windows", "Pure", "PurePosix", "PureWindows")
    },
    **{f"{module}.{kind}": make_set for module in BUILTINS for kind in ("set", "frozenset")},
    **{
        name: record(name)
        for name in (
            *NAMESPACES,
            *(f"{module}.{kind}" for module in BUILTINS for kind in ("complex", "range", "slice", "xrange")),
            *(f"datetime.{kind}" for kind in ("date", "datetime", "time", "timedelta", "timezone")),
            "decimal.Decimal",
            "fractions.Fraction",
            "uuid.UUID",
        )
    },
    **{
        f"{module}.{kind}": mentioned
        for module in BUILTINS
        for kind in (
            "bool",
            "bytes",
            "dict",
            "float",
            "int",
            "list",
            "long",
            "object",
            "str",
            "tuple",
            "unicode",
        )
    },
    **{f"torch.{name}": mentioned for name in DTYPES},
    **{str(dtype): mentioned for dtype in DTYPES.values()},
    **{
        f"numpy.{kind}": mentioned
        for kind in ("ndarray", "bool_", "float16", "float32", "float64", "int64", "uint8")
    },
}
"""What options and training states hold beside numbers: classes of the standard library, dictionaries of other ones,
types of numbers. None of them acts when it is made here; they become containers, texts and records."""

NESTED_GLOBALS: dict[str, Callable] = {
    **INERT,
    "_codecs.encode": encode_text,
    "torch.Size": make_size,
    "torch.device": make_device,
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter,
    "numpy.dtype": Dtype,
    **{f"numpy.{module}.multiarray.scalar": numpy_scalar for module in ("core", "_core")},
    **{f"numpy.{module}.multiarray._reconstruct": numpy_array for module in ("core", "_core")},
    **{f"numpy.{module}.numeric._frombuffer": numpy_from_buffer for module in ("core", "_core")},
    **{name: record(name) for name in (PERSISTENT_OBJECT, TF_NETWORK, PROGAN_NETWORK)},
}
"""Every global that a pickle may name but one, which only the outermost may: `STORED_STORAGE`."""
STORED_STORAGE = "torch.storage._load_from_bytes"


def file_globals(budget: Budget) -> dict[str, Callable]:
    """Every global that a file may name, and nothing else."""

    def load_from_bytes(payload: Any) -> Storage:
        # A payload is a PyTorch file that holds one storage. It has no payloads of its own.
        storage = read_torch_data(memoryview(payload), NESTED_GLOBALS, budget)
        if not isinstance(storage, Storage):
            raise CheckpointError("a tensor's data in the pickle is not a storage")
        return storage

    return {**NESTED_GLOBALS, STORED_STORAGE: load_from_bytes}
