"""The globals that a pickle may name, and what stands in for each. `unpickle` refuses all others.

Nothing here imports, calls or makes what a file asks for: dictionaries stand in for their subclasses, `StoredTensor`s
for tensors, `Record`s for objects.
"""

import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch

from ..errors import CheckpointError
from .mapped import Storage, release, require_sizes
from .pickle_machine import Known, LongText, Record, Stateful, require_key, shown
from .stored import StoredTensor

BROADCAST_LIMIT = 1 << 20
"""Elements that a tensor may have beyond those of its storage (a stride of 0 repeats values)."""
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


class StoredArray(Stateful):
    """A numpy array in the file. `load` gives it memory of its own; of an object array there are `items`."""

    items: list[Any] | None = None
    shape: tuple[int, ...] = (0,)
    dtype: np.dtype = np.dtype(np.float32)
    data: bytes | memoryview | LongText = b""
    order: Literal["F", "C"] = "C"

    def set_state(self, state: Any) -> None:
        shape, dtype, fortran, data = state[-4:]
        self.fill(shape, dtype, data.encode("latin-1") if isinstance(data, str) else data, fortran)

    def fill(self, shape: Any, dtype: Any, data: Any, fortran: Any) -> None:
        size = require_sizes(shape)
        if (
            isinstance(dtype, Dtype)
            and dtype.numpy.hasobject
            and isinstance(data, list)
            and len(data) == size
        ):
            self.shape, self.dtype, self.items = shape, dtype.numpy, data
            return
        if (
            not isinstance(dtype, Dtype)
            or dtype.numpy.hasobject
            or not isinstance(data, bytes | memoryview | LongText)
        ):
            raise CheckpointError("an array is not made of a number type and bytes")
        expected = size * dtype.numpy.itemsize
        # UTF-8 makes up to two bytes of one.
        longest = 2 * expected if isinstance(data, LongText) else expected
        length = len(data.data) if isinstance(data, LongText) else len(data)
        if not expected <= length <= longest:
            raise CheckpointError(f"an array of shape {list(shape)} comes with {length} bytes of data")
        self.shape, self.dtype, self.data, self.order = shape, dtype.numpy, data, "F" if fortran else "C"

    def load(self) -> np.ndarray:
        if self.items is not None:
            raise CheckpointError("an array holds objects where numbers are expected")
        data = self.data
        if isinstance(data, LongText):
            data = str(data.data, "utf-8").encode("latin-1")
        array = np.frombuffer(data, self.dtype).reshape(self.shape, order=self.order)
        array = array.astype(self.dtype.newbyteorder("="))
        if isinstance(data, memoryview):
            release(data)
        return array


def rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> StoredTensor:
    """A view of a storage, as PyTorch writes every tensor."""
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


def make_dict(items: Any = ()) -> dict[Any, Any]:
    if isinstance(items, dict):
        return dict(items)
    if not isinstance(items, list | tuple) or not all(
        isinstance(i, list | tuple) and len(i) == 2 for i in items
    ):
        raise CheckpointError("a dictionary is not made of pairs")
    return {require_key(key): value for key, value in items}


def make_set(items: Any = ()) -> set[Any]:
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


class AnyDtype(Dtype):
    """The same, or Python's objects: in numpy's own files, whose object arrays hold dictionaries and lists."""

    def __init__(self, code: Any, *rest: Any):
        if code in ("O", "O8"):
            self.numpy = np.dtype(object)
        else:
            super().__init__(code, *rest)


def numpy_scalar(dtype: Any, data: Any) -> int | float | bool:
    data = data.encode("latin-1") if isinstance(data, str) else data
    if not isinstance(dtype, Dtype) or not isinstance(data, bytes) or len(data) != dtype.numpy.itemsize:
        raise CheckpointError("a numpy number does not fit its type")
    number: int | float | bool = np.frombuffer(data, dtype.numpy)[0].item()
    return number


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


def make_default_dict(factory: Any = None, items: Any = ()) -> dict[Any, Any]:
    """A defaultdict, whose factory makes nothing here."""
    return make_dict(items)


def make_list(items: Any = (), *_: Any) -> list[Any]:
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


def make_size(items: Any = ()) -> tuple[Any, ...]:
    if not isinstance(items, list | tuple):
        raise CheckpointError("a shape is not made of a list")
    return tuple(items)


def mentioned(*_: Any) -> None:
    """Stands in for classes that only serve as values, such as types of numbers."""
    raise CheckpointError("refused to make an object of a class that a checkpoint only mentions")


def record(name: str) -> Callable[..., Record]:
    """Makes the records that stand in for a class of this name."""
    return lambda *arguments: Record(name, arguments)


PERSISTENT_OBJECT = "torch_utils.persistence._reconstruct_persistent_obj"
TF_NETWORK = "dnnlib.tflib.network.Network"
PROGAN_NETWORK = "tfutil.Network"
NAMESPACES = ("argparse.Namespace", "types.SimpleNamespace")

BUILTINS = ("builtins", "__builtin__")  # the second is Python 2's name
INERT: Known = {
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

NESTED_GLOBALS: Known = {
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
