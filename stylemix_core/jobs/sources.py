"""What a job works on: a list of entries, each enough to read one item, and the reading.

An entry is a list that JSON keeps: ["file", path], ["member", tar, offset, bytes, name], ["row", table, number],
["seed", 7], ["code", file, place], or ["lost", where, why] for what is known to be unreadable.
"""

import bisect
import io
import os
import re
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image

from ..codes.latents import Latents, load_latents
from ..errors import StyleMixError
from ..files.endings import CODES, HEIC, PICTURES
from ..files.names import file_name
from ..files.pictures import open_image
from .job import Source

Entry = list[Any]
Kept = TypeVar("Kept")
WHOLE = re.compile(r"\s*(\d{1,20})(?:\s*[-–]\s*(\d{1,20}))?\s*")
MAX_SEED = 2**64 - 1
END = b"\0" * 1024
"""Two empty blocks end a tar."""
KEPT = 4
"""Files of codes and groups of table rows that are kept in memory."""


class Seeds(Sequence[Entry]):
    """Entries of "0-99999,7" without a list of them."""

    def __init__(self, text: str):
        self.ranges: list[range] = []
        for part in text.split(","):
            match = WHOLE.fullmatch(part)
            if not match:
                raise StyleMixError(f"{part!r} is no seed or range of seeds; write for instance 0-99999,7")
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first:
                raise StyleMixError(f"the range {first}-{last} runs backwards; write {last}-{first}")
            if last > MAX_SEED:
                raise StyleMixError(f"{last} is no seed; seeds are 0 to {MAX_SEED}")
            self.ranges.append(range(first, last + 1))
        in_order = sorted(self.ranges, key=lambda one: one.start)
        for one, other in zip(in_order, in_order[1:]):
            if other.start < one.stop:
                raise StyleMixError(f"the seed {other.start} is there twice; give each once")
        self.ends = list(np.cumsum([float(len(one)) for one in self.ranges]).astype(np.int64).tolist())

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        which = bisect.bisect_right(self.ends, place)
        return ["seed", self.ranges[which][place - (self.ends[which - 1] if which else 0)]]


def list_entries(source: Source) -> Sequence[Entry]:
    """Everything that the source names, in an order that holds on any machine.

    `StyleMixError` when a path is not there or cannot be read, and when there is nothing.
    """
    kind, paths = source.kind, getattr(source, source.kind)
    if kind == "seeds":
        return Seeds(paths)
    entries: list[Entry]
    if kind == "pictures":
        entries = [["file", path] for path in find_files(paths, (*PICTURES, *HEIC))]
    elif kind == "tars":
        entries = [entry for path in find_files(paths, (".tar",)) for entry in members(path)]
    elif kind == "codes":
        entries = [entry for path in find_files(paths, CODES) for entry in codes_in(path, source.iteration)]
    else:
        entries = [
            entry for path in find_files(paths, (".parquet",)) for entry in rows_in(path, source.column)
        ]
    if not entries:
        raise StyleMixError(f"there is nothing to work on in {', '.join(map(str, paths[:3]))}")
    return entries


def find_files(paths: Sequence[str], endings: Sequence[str]) -> Iterator[str]:
    """The files that paths, folders and patterns mean, each once. Folders are searched to the bottom.

    Links to folders are not followed below the ones named, so circles of them do not matter.
    """
    seen: set[str] = set()
    for path in paths:
        found = [path] if os.path.exists(path) else matching(path)
        if not found:
            raise StyleMixError(f"there is no file or folder {path}; check the path")
        for one in found:
            for file in walk(one, endings) if os.path.isdir(one) else [one]:
                if file not in seen:
                    seen.add(file)
                    yield file


def matching(pattern: str) -> list[str]:
    """The names in one folder that a pattern means, sorted."""
    folder, name = os.path.split(pattern)
    if not {*name} & {*"*?["} or not os.path.isdir(folder):
        return []
    return [os.path.join(folder, one) for one in sorted(listing(folder)) if fnmatch(one, name)]


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
            if name.lower().endswith(tuple(endings)):
                yield os.path.join(place, name)


def members(path: str) -> Iterator[Entry]:
    """The pictures and codes in a shard; what is cut off is told as lost."""
    size = os.path.getsize(path)
    try:
        with tarfile.open(path, "r:") as tar:
            end = 0
            while (member := tar.next()) is not None:
                end = member.offset_data + -(-member.size // 512) * 512
                if member.offset_data + member.size > size:
                    yield [
                        "lost",
                        f"{path}: {member.name}",
                        "the shard is cut off in the middle of it; copy it again",
                    ]
                    return
                if member.isfile() and member.name.lower().endswith((*PICTURES, ".w.npy")):
                    yield ["member", path, member.offset_data, member.size, member.name]
        with open(path, "rb") as file:
            file.seek(end)
            if file.read(len(END)) != END:
                yield ["lost", path, f"the shard is cut off after {end} bytes; copy it again"]
    except tarfile.ReadError as error:
        yield [
            "lost",
            path,
            f"it is no tar that can be read ({error}); packed ones (.tar.gz) must be unpacked first",
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
        raise StyleMixError("Parquet needs pyarrow; install it: pip install stylemix[parquet]") from None
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
        self.lock = threading.Lock()

    def picture(self, entry: Entry) -> Image.Image | None:
        """The picture of an entry, None where it is a code. `StyleMixError` when it cannot be read."""
        kind = entry[0]
        if kind == "lost":
            raise StyleMixError(f"{entry[1]}: {entry[2]}")
        if kind == "file":
            return open_image(entry[1])
        if kind == "member" and not entry[4].lower().endswith(".npy"):
            return open_image(io.BytesIO(self._member(entry)), name_of(entry))
        if kind == "row":
            value = self._rows(entry)[entry[4]]
            if isinstance(value, dict):  # as the data sets of Hugging Face have it
                value = value.get("bytes") or value.get("path")
            if isinstance(value, str):
                return open_image(os.path.join(os.path.dirname(entry[1]), value))
            if not isinstance(value, bytes):
                raise StyleMixError(f"{name_of(entry)} holds no picture and no path of one")
            return open_image(io.BytesIO(value), name_of(entry))
        return None

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

    def _rows(self, entry: Entry) -> list[Any]:
        _, path, column, group, _ = entry

        def read() -> list[Any]:
            with pyarrow().ParquetFile(path) as table:
                rows: list[Any] = table.read_row_group(group, columns=[column])[column].to_pylist()
                return rows

        return self._once((path, column, group), read)

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
    """A W+ code `[num_ws, w_dim]` or single w of an .npy file's bytes."""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
        if array.ndim not in (2, 3) or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"{array.dtype} {list(array.shape)}")
    except (ValueError, OSError, EOFError) as error:
        raise StyleMixError(f"{name} holds no W+ code ({error}); expected float [num_ws, w_dim]") from None
    return torch.from_numpy(array).float().reshape(-1, *array.shape[-2:])[:1]
