"""What a job works on: a list of entries, each enough to read one item, and the reading.

An entry is a list that JSON keeps: ["file", path], ["member", tar, offset, bytes, name], ["row", table, number],
["seed", 7], ["code", file, place], or ["lost", where, why] for what is known to be unreadable.
"""

import bisect
import io
import os
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image

from ..codes.latents import Latents, load_latents
from ..codes.seed_text import seed_ranges
from ..errors import StyleMixError
from ..files.endings import CODES, HEIC, PICTURES
from ..files.names import file_name
from ..files.pictures import open_image
from .job import Source

Entry = list[Any]
Kept = TypeVar("Kept")
MOST_SEEDS = 10**9
MOST_BYTES = 1 << 30
"""Of one picture or code in a shard."""
END = b"\0" * 1024
"""Two empty blocks end a tar."""
KEPT = 2
"""Files of codes and slices of tables that are kept in memory."""
ROWS = 64
"""Rows of a table that are read together."""


class Seeds(Sequence[Entry]):
    """Entries of "0-99999,7" without a list of them."""

    def __init__(self, text: str):
        self.ranges = seed_ranges(text)
        in_order = sorted(self.ranges, key=lambda one: one.start)
        for one, other in zip(in_order, in_order[1:]):
            if other.start < one.stop:
                raise StyleMixError(f"the seed {other.start} is there twice; give each once")
        self.ends = [*accumulate(one.stop - one.start for one in self.ranges)]
        if self.ends[-1] > MOST_SEEDS:
            raise StyleMixError(f"these are {self.ends[-1]} seeds; a job has {MOST_SEEDS} at most")

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        which = bisect.bisect_right(self.ends, place)
        return ["seed", self.ranges[which][place - (self.ends[which - 1] if which else 0)]]


def list_entries(source: Source, pictures: bool = True) -> Sequence[Entry]:
    """Everything that the source names, in an order that holds on any machine.

    pictures: whether they are read of shards, rather than codes.
    `StyleMixError` when a path is not there or cannot be read, and when there is nothing.
    """
    kind, paths = source.kind, getattr(source, source.kind)
    if kind == "seeds":
        return Seeds(paths)
    entries: list[Entry]
    if kind == "pictures":
        entries = [["file", path] for path in find_pictures(paths)]
    elif kind == "tars":
        entries = [entry for path in find_files(paths, (".tar",)) for entry in members(path, pictures)]
    elif kind == "codes":
        entries = [entry for path in find_files(paths, CODES) for entry in codes_in(path, source.iteration)]
    else:
        entries = [
            entry for path in find_files(paths, (".parquet",)) for entry in rows_in(path, source.column)
        ]
    if not entries:
        raise StyleMixError(f"there is nothing to work on in {', '.join(map(str, paths[:3]))}")
    return entries


def find_pictures(paths: Sequence[str]) -> Iterator[str]:
    return find_files(paths, (*PICTURES, *HEIC))


def find_files(paths: Sequence[str], endings: Sequence[str]) -> Iterator[str]:
    """The files that paths, folders and patterns mean, each once. Folders are searched to the bottom.

    Links to folders are not followed below the ones named, so circles of them do not matter.
    """
    seen: set[str] = set()
    for path in paths:
        found = [path] if os.path.exists(path) else matching(path, endings)
        if not found:
            raise StyleMixError(f"there is no file or folder {path}; check the path")
        for one in found:
            for file in walk(one, endings) if os.path.isdir(one) else [one]:
                if file not in seen:
                    seen.add(file)
                    yield file


def matching(pattern: str, endings: Sequence[str]) -> list[str]:
    """The names in one folder that a pattern means, sorted."""
    folder, name = os.path.split(pattern)
    if not {*name} & {*"*?["} or not os.path.isdir(folder):
        return []
    return [
        os.path.join(folder, one)
        for one in sorted(listing(folder))
        if fnmatch(one, name) and one.lower().endswith(tuple(endings))
    ]


def listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise StyleMixError(f"the folder {folder} cannot be read: {error.strerror}") from error


def walk(folder: str, endings: Sequence[str]) -> Iterator[str]:
    """Files below a folder, in the order of their names."""

    def fail(error: OSError) -> None:
        raise StyleMixError(f"the folder {error.filename} cannot be read: {error.strerror}") from error

    for place, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(place, name)
            if name.lower().endswith(tuple(endings)) and os.path.isfile(path):
                yield path


def members(path: str, pictures: bool) -> Iterator[Entry]:
    """The pictures or the codes in a shard; what cannot be read of it is told as lost.

    As in WebDataset, a name ends where its first dot stands: "7.hair.png" is no picture of its own.
    """
    endings = PICTURES if pictures else (".w.npy",)
    end = 0
    try:
        size = os.path.getsize(path)
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                if member.size < 0 or tar.offset <= end:
                    raise tarfile.ReadError(f"a header at byte {member.offset} makes no sense")
                end = tar.offset
                _, dot, ending = os.path.basename(member.name.lower()).partition(".")
                if dot + ending not in endings:
                    continue
                lost = ["lost", f"{path}: {member.name}"]
                if not member.isreg() or member.issparse():
                    yield [*lost, "it is a link or sparse; pack the shard anew with the files themselves"]
                elif member.offset_data + member.size > size:
                    yield [*lost, "the shard is cut off in the middle of it; copy it again"]
                    return
                elif member.size > MOST_BYTES:
                    yield [*lost, f"it has {member.size} bytes; {MOST_BYTES} at most are read"]
                else:
                    yield ["member", path, member.offset_data, member.size, member.name]
        with open(path, "rb") as file:
            file.seek(end)
            if end > size or file.read(len(END)) != END:
                yield ["lost", path, "the shard is cut off at its end; copy it again"]
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        if end:
            yield ["lost", path, f"the shard is cut off or damaged after byte {end} ({error}); copy it again"]
        else:
            yield [
                "lost",
                path,
                f"it is no tar that can be read ({error}); unpack .tar.gz and the like first",
            ]
    except OSError as error:
        yield ["lost", path, f"it cannot be read: {error.strerror}"]


def codes_in(path: str, iteration: int) -> Iterator[Entry]:
    try:
        count = len(load_latents(path, iteration=iteration))
    except StyleMixError as error:
        yield ["lost", path, str(error)]
        return
    for place in range(count):
        yield ["code", path, place, iteration]


def rows_in(path: str, column: str) -> Iterator[Entry]:
    parquet = pyarrow()
    try:
        table = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        yield ["lost", path, f"it is no Parquet table that can be read ({str(error)[:200]})"]
        return
    with table:
        names = table.schema_arrow.names
        if column not in names:
            raise StyleMixError(f"{path} has no column {column!r}; there are: {', '.join(names)}")
        for group in range(table.num_row_groups):
            for row in range(table.metadata.row_group(group).num_rows):
                yield ["row", path, column, group, row]


def pyarrow() -> Any:
    """The module that reads Parquet."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise StyleMixError("Parquet needs pyarrow; install it: pip install pyarrow") from None
    return pyarrow.parquet


def name_of(entry: Entry) -> str:
    """What an item is called, for users: its path, or its seed."""
    kind = entry[0]
    if kind == "seed":
        return f"seed {entry[1]}"
    if kind == "member":
        return f"{entry[1]}: {entry[4]}"
    if kind == "code":
        return f"{entry[1]}: {entry[2]}"
    if kind == "row":
        return f"{entry[1]}: row {entry[4]} of group {entry[3]}"
    return str(entry[1])


def key_of(entry: Entry, number: int) -> str:
    """What its files are called: its number, so that no two are alike, and its name where it has one."""
    if entry[0] == "seed":
        return f"seed{entry[1]:08d}"
    name = {"file": entry[1], "member": entry[-1], "code": entry[1]}.get(entry[0], "")
    stem = file_name(os.path.basename(str(name)).split(".")[0])[:80] if name else "row"
    return f"{number:08d}_{stem}"


class Reader:
    """Reads entries; threads may share it."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self.at: tuple[Any, int, Any] = (None, 0, None)
        """The group of rows being read, which slice is next, and what reads it."""
        self.lock = threading.Lock()

    def picture(self, entry: Entry) -> Image.Image:
        """The picture of an entry. `StyleMixError` when it cannot be read."""
        kind = entry[0]
        if kind == "lost":
            raise StyleMixError(f"{entry[1]}: {entry[2]}")
        if kind == "file":
            return open_image(entry[1])
        if kind == "member":
            return open_image(io.BytesIO(self._member(entry)), name_of(entry))
        value = self._row(entry)
        if isinstance(value, dict):  # as the data sets of Hugging Face have it
            value = value.get("bytes") or value.get("path")
        if isinstance(value, str):
            return open_image(os.path.join(os.path.dirname(entry[1]), value))
        if not isinstance(value, bytes):
            raise StyleMixError(f"{name_of(entry)} holds no picture and no path of one")
        return open_image(io.BytesIO(value), name_of(entry))

    def codes(self, entry: Entry) -> Latents | None:
        """The code of an entry, None where it is a picture or a seed."""
        if entry[0] == "code":
            _, path, place, iteration = entry
            read = self._once((path, iteration), lambda: load_latents(path, iteration=iteration))
            return read.take([place])
        if entry[0] == "member" and entry[4].lower().endswith(".npy"):
            w = read_array(self._member(entry), name_of(entry))
            return Latents.of(w, os.path.basename(entry[4]).split(".")[0])
        return None

    def _member(self, entry: Entry) -> bytes:
        _, path, offset, size, _ = entry
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def _row(self, entry: Entry) -> Any:
        _, path, column, group, row = entry
        key = (path, column, group, row // ROWS)
        return self._once(key, lambda: self._slice(path, column, group, row // ROWS))[row % ROWS]

    def _slice(self, path: str, column: str, group: int, place: int) -> list[Any]:
        """Some rows of a group, which as a whole may be larger than the memory. Asked for in order they are read in
        order; else from the group's start."""
        here = (path, column, group)
        if self.at[:2] != (here, place):
            table = pyarrow().ParquetFile(path)
            batches = table.iter_batches(ROWS, row_groups=[group], columns=[column])
            for _ in range(place):
                next(batches)
        else:
            batches = self.at[2]
        rows: list[Any] = next(batches)[column].to_pylist()
        self.at = (here, place + 1, batches)
        return rows

    def _once(self, key: tuple[Any, ...], read: Callable[[], Kept]) -> Kept:
        """What `read` gives, read once while it is among the last few."""
        with self.lock:
            if key not in self.kept:
                self.kept[key] = read()
                while len(self.kept) > KEPT:
                    self.kept.popitem(last=False)
            self.kept.move_to_end(key)
            kept: Kept = self.kept[key]
            return kept


def read_array(data: bytes, name: str) -> torch.Tensor:
    """The W+ code `[1, num_ws, w_dim]` in an .npy file's bytes. `StyleMixError` when there is none."""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
        found = f"{array.dtype} {list(array.shape)}"
        if array.dtype.kind != "f" or not array.size or not np.isfinite(array).all():
            raise ValueError(found)
        if array.ndim == 3 and len(array) == 1:
            array = array[0]
        if array.ndim != 2:
            raise ValueError(found)
    except Exception as error:  # damaged headers lead NumPy to errors of any kind
        raise StyleMixError(f"{name} holds no W+ code ({error}); expected float [num_ws, w_dim]") from None
    return torch.from_numpy(array.astype(np.float32))[None]
