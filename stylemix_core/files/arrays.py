"""numpy's files as data: numbers are read by numpy without pickles, object arrays through the one reader of pickles."""

import io
import os
import zipfile
from typing import Any

import numpy as np

from ..errors import CheckpointError
from .damage import reading
from .mapped import map_file
from .pickle_globals import AnyDtype, Dtype, StoredArray
from .pickle_machine import Budget
from .unpickle import Directory, read_pickle_data

NPY_HEAD = b"\x93NUMPY"
LONGEST_HEADER = 12_000
"""numpy itself reads headers of up to 10,000 bytes."""
LONGEST_ARRAY = 1 << 30
"""Bytes of an array in an archive, where it may be compressed: 29,000 W+ codes of 18 layers."""
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(path: str | os.PathLike[str]) -> Any:
    """What `np.save` wrote: an array of numbers, or the value that an object array holds."""
    with reading("numpy file"):
        return npy_value(map_file(path), Budget())


def read_npz(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `np.savez` wrote, by name, compressed or not."""
    with reading("numpy archive"):
        budget, found = Budget(), {}
        with zipfile.ZipFile(Directory(map_file(path), budget)) as archive:
            for info in archive.infolist():
                if not info.filename.endswith(".npy"):
                    raise CheckpointError(
                        "this is a zip archive, but not one written by numpy; unpack it first"
                    )
                if info.file_size > LONGEST_ARRAY:
                    raise CheckpointError(
                        f"the array {info.filename[:60]!r} would have {info.file_size} bytes"
                    )
                with archive.open(info) as file:
                    data = file.read(info.file_size + 1)
                found[info.filename.removesuffix(".npy")] = npy_value(memoryview(data), budget)
        return found


def npy_value(data: memoryview, budget: Budget) -> Any:
    """An array of numbers, or what the object array holds: one value, or a list of them."""
    stream = io.BytesIO(data[:LONGEST_HEADER])
    version = np.lib.format.read_magic(stream)
    if version not in HEADERS:
        raise CheckpointError(f"the numpy file is of version {version}; save it again with a common numpy")
    shape, fortran, dtype = HEADERS[version](stream)
    content = data[stream.tell() :]
    if dtype.hasobject:
        array = read_pickle_data(content, budget, {"numpy.dtype": AnyDtype})
        if not isinstance(array, StoredArray) or array.items is None:
            raise CheckpointError("the numpy file announces objects and holds something else; it is damaged")
        return array.items if array.shape else array.items[0]
    array = StoredArray()
    array.fill(shape, Dtype(dtype.str), content, fortran)
    return array
