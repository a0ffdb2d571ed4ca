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
import zipfile
from typing import Any

from ..errors import CheckpointError
from .damage import reading
from .mapped import Storage, map_file, require_sizes
from .pickle_globals import DTYPES, NESTED_GLOBALS, STORED_STORAGE
from .pickle_machine import Budget, Global, Known, Machine, Stream, require_key

DIRECTORY_PER_STEP = 8
"""Bytes of a zip archive's directory that cost as much as a step. An entry has some hundred."""
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first value of a PyTorch file in the layout from before version 1.6."""
LEGACY_HEAD = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
"""That value as the file's first bytes."""


def read_pickle(path: str | os.PathLike[str]) -> Any:
    """The value of a plain pickle file: builtin containers, numbers, texts, `Record`s, tensors and arrays in the file.

    `CheckpointError` when the file names a global that no checkpoint needs, or is damaged.
    """
    with reading("pickle"):
        return read_pickle_data(map_file(path), Budget())


def read_pickle_data(data: memoryview, budget: Budget, more: Known | None = None) -> Any:
    """The value of a pickle in memory. more: globals that it may name besides, or that mean something else in it."""
    return Machine({**file_globals(budget), **(more or {})}, budget).run(Stream(data))


def read_torch(path: str | os.PathLike[str]) -> Any:
    """The value of a file written by `torch.save`, zip layout or older; see `read_pickle`."""
    with reading("PyTorch file"):
        budget = Budget()
        return read_torch_data(map_file(path), file_globals(budget), budget)


# PyTorch's files


def read_torch_data(data: memoryview, known: Known, budget: Budget) -> Any:
    """The value of a PyTorch file in memory."""
    read = read_torch_zip if bytes(data[:4]) == b"PK\x03\x04" else read_torch_legacy
    return read(data, known, budget)


def read_torch_zip(data: memoryview, known: Known, budget: Budget) -> Any:
    """The layout since PyTorch 1.6: an uncompressed archive of one pickle and a member for each storage."""
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
    if root + "byteorder" in entries and bytes(member(data, entries[root + "byteorder"])[:7]) != b"little":
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
    with zipfile.ZipFile(Directory(data, budget)) as archive:
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


def read_torch_legacy(data: memoryview, known: Known, budget: Budget) -> Any:
    """The older layout: pickles one after the other, then the storages' bytes."""
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


def file_globals(budget: Budget) -> Known:
    """Every global that a file may name, and nothing else."""

    def load_from_bytes(payload: Any) -> Storage:
        # A payload is a PyTorch file that holds one storage. It has no payloads of its own.
        storage = read_torch_data(memoryview(payload), NESTED_GLOBALS, budget)
        if not isinstance(storage, Storage):
            raise CheckpointError("a tensor's data in the pickle is not a storage")
        return storage

    return {**NESTED_GLOBALS, STORED_STORAGE: load_from_bytes}
