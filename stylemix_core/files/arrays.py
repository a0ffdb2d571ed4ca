"""Arrays in files, as data: numpy's own, and those that packs for ComfyUI write into the texts of PNG pictures.

Numbers are read by numpy without pickles, object arrays through the one reader of pickles.
"""

import base64
import io
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import CheckpointError
from ..images import without_size_warning
from .damage import reading
from .mapped import map_file
from .pickle_globals import AnyDtype, Dtype, StoredArray
from .pickle_machine import Budget
from .unpickle import Directory, read_pickle_data
from .writing import replacing

NPY_HEAD = b"\x93NUMPY"
PNG_HEAD = b"\x89PNG"
PNG_TEXT = "stylegan_latent"
"""The text of a PNG picture in which dfl's ComfyUI-StyleGan keeps the code: `np.save`, by zlib, in base 64."""
LONGEST_HEADER = 12_000
"""numpy itself reads headers of up to 10,000 bytes."""
LONGEST_ARRAYS = 1 << 30
"""Bytes of all arrays in an archive, where they may be compressed: 29,000 W+ codes of 18 layers."""
LONGEST_TEXT = 1 << 24
"""Bytes of an array in a picture."""
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(path: str | os.PathLike[str]) -> Any:
    """What `np.save` wrote: an array of numbers, or the value that an object array holds."""
    with reading("numpy file"):
        return npy_value(map_file(path), Budget())


def numpy_heads(path: str | os.PathLike[str]) -> Iterator[tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of what `np.save` or `np.savez` wrote, without reading it. Objects have the type of objects."""
    with reading("numpy file"):
        data = map_file(path)
        if bytes(data[: len(NPY_HEAD)]) == NPY_HEAD:
            yield numpy_head(data)[:2]
            return
        with zipfile.ZipFile(Directory(data, Budget())) as archive:
            for info in members(archive):
                with archive.open(info) as file:
                    yield numpy_head(memoryview(file.read(LONGEST_HEADER)))[:2]


def png_text(path: str | os.PathLike[str]) -> str | None:
    """The text of a PNG picture that holds a code; None where it has none. Its pixels are not read."""
    with reading("picture"):
        try:
            with without_size_warning(), Image.open(path, formats=["PNG"]) as image:
                text = image.info.get(PNG_TEXT)
        except (SyntaxError, Image.DecompressionBombError) as error:  # Pillow's word for damage
            raise ValueError(str(error)) from error
    return text if isinstance(text, str) else None


def read_png_code(path: str | os.PathLike[str]) -> Any:
    """The array that `png_text` holds. `CheckpointError` where there is none."""
    text = png_text(path)
    if text is None:
        raise CheckpointError(
            f"the picture carries no W+ code (a text named {PNG_TEXT}); encode it, or choose a file with codes"
        )
    with reading("code in the picture"):
        unpacked = zlib.decompressobj()
        data = unpacked.decompress(base64.b64decode(text, validate=True), LONGEST_TEXT)
        if not unpacked.eof:
            raise ValueError("it is cut off, or too long")
        return npy_value(memoryview(data), Budget())


def read_npz(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `np.savez` wrote, by name, compressed or not."""
    with reading("numpy archive"):
        budget, found = Budget(), {}
        with zipfile.ZipFile(Directory(map_file(path), budget)) as archive:
            for info in members(archive):
                with archive.open(info) as file:
                    data = file.read(info.file_size + 1)
                found[info.filename.removesuffix(".npy")] = npy_value(memoryview(data), budget)
        return found


def members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The arrays of an archive. `CheckpointError` where it is none of numpy's, or its arrays are too large together."""
    found = archive.infolist()
    if not all(
        info.filename.endswith(".npy") and info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        for info in found
    ):
        raise CheckpointError("this is a zip archive, but not one written by numpy; unpack it first")
    size = sum(info.file_size for info in found)
    if size > LONGEST_ARRAYS:
        raise CheckpointError(
            f"the archive's arrays would have {size} bytes; at most {LONGEST_ARRAYS} are read"
        )
    return found


def npy_value(data: memoryview, budget: Budget) -> Any:
    """An array of numbers, or what the object array holds: one value, or a list of them."""
    shape, dtype, fortran, start = numpy_head(data)
    content = data[start:]
    if dtype.hasobject:
        array = read_pickle_data(content, budget, {"numpy.dtype": AnyDtype})
        if not isinstance(array, StoredArray) or array.items is None:
            raise CheckpointError("the numpy file announces objects and holds something else; it is damaged")
        return array.items if array.shape else array.items[0]
    array = StoredArray()
    array.fill(shape, Dtype(dtype.str), content, fortran)
    return array


def numpy_head(data: memoryview) -> tuple[tuple[int, ...], np.dtype, bool, int]:
    """Of a numpy file: its shape, its type, whether it is in Fortran's order, and where its content begins."""
    stream = io.BytesIO(data[:LONGEST_HEADER])
    version = np.lib.format.read_magic(stream)
    if version not in HEADERS:
        raise CheckpointError(f"the numpy file is of version {version}; save it again with a common numpy")
    try:
        shape, fortran, dtype = HEADERS[version](stream)
    except (SyntaxError, tokenize.TokenError) as error:  # numpy reads its header as a text of Python
        raise CheckpointError("the numpy file's header is damaged; copy the file again") from error
    return shape, dtype, fortran, stream.tell()


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, torch.Tensor]) -> None:
    """Write tensors for other tools, by the ending of `path`: `.npz` all by name, `.npy` and `.pt` the first alone.

    The file appears complete or not at all.
    """
    ending = Path(path).suffix.lower()
    whole = {name: tensor.detach().cpu().clone() for name, tensor in arrays.items()}
    first = next(iter(whole.values()))
    with replacing(path) as partial, open(partial, "wb") as file:
        if ending == ".npz":
            np.savez(file, allow_pickle=False, **{name: tensor.numpy() for name, tensor in whole.items()})
        elif ending == ".npy":
            np.save(file, first.numpy())
        else:
            torch.save(first, file)
