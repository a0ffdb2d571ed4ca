"""Where a job's results go. A part is a shard, or a folder of files, and its lines of the index: whole, or not there.

folder/job.json           what the job is, and the checksums of all it reads
folder/plan.jsonl         what it works on, a line a part
folder/parts/00000.tar    or 00000/
folder/index/00000.jsonl  a line for every picture of the part; a part that has it is done
folder/index.jsonl        all lines, once all parts are done
folder/log.jsonl          a line a minute
"""

import errno
import hashlib
import io
import json
import os
import shutil
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from ..codes.latents import Latents
from ..errors import StyleMixError
from ..images import to_pil, to_rgb
from .job import Sink
from .steps import Piece

PARTIAL = ".partial-"
"""In the names of what is being written."""
HUFFMAN_ONLY = 2
"""zlib's way of packing PNGs: within 3 % of the size of the usual one, in a quarter of the time."""


def part_name(part: int) -> str:
    return f"{part:05d}"


@dataclass(frozen=True)
class File:
    """One file of a piece: key + ending."""

    ending: str
    data: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def files_of(piece: Piece, sink: Sink, row: dict[str, Any]) -> list[File]:
    """What is written of a piece, and last its own line of the index, to which the checksums of the others go."""
    files = []
    if sink.pictures != "none":
        image = piece.photo or (None if piece.picture is None else to_pil(piece.picture))
        if image is None and piece.image is not None:  # nothing has drawn another
            image = to_rgb(piece.image)
        if image is not None:
            files.append(File(f".{sink.pictures}", encoded(image, sink)))
    for name, mask in piece.masks.items():
        files.append(File(f".{name.replace(' ', '_')}.png", encoded(to_pil(mask[None] * 2 - 1).convert("L"))))
    if sink.codes and piece.codes is not None:
        files.append(File(".w.npy", array_of(piece.codes)))
    row["files"] = {file.ending[1:]: file.checksum for file in files}
    files.append(File(".json", (json.dumps(row, sort_keys=True) + "\n").encode("ascii")))
    return files


def encoded(image: Any, sink: Sink | None = None) -> bytes:
    """A picture as the sink has them; without one as PNG."""
    data = io.BytesIO()
    if sink is None or sink.pictures == "png":
        image.save(data, "PNG", compress_type=HUFFMAN_ONLY)
    elif sink.pictures == "jpg":
        image.convert("RGB").save(data, "JPEG", quality=sink.quality)
    else:
        image.save(data, "WEBP", quality=sink.quality)
    return data.getvalue()


def array_of(codes: Latents) -> bytes:
    """A W+ code as the bytes of an .npy file: float32 `[num_ws, w_dim]`."""
    if codes.beyond_w:
        raise StyleMixError(
            "the code is more than W+, which .w.npy cannot hold; say codes: false in the sink"
        )
    data = io.BytesIO()
    np.save(data, codes.w[0].detach().cpu().numpy())
    return data.getvalue()


class Writer(Protocol):
    """What takes a part's files."""

    def add(self, key: str, files: Sequence[File]) -> None: ...
    def finish(self) -> None: ...
    def drop(self) -> None: ...


class ShardWriter:
    """A tar whose bytes depend on the files alone."""

    def __init__(self, folder: Path, part: int):
        self.path = folder / "parts" / f"{part_name(part)}.tar"
        self.partial = self.path.with_name(f"{self.path.name}{PARTIAL}{uuid.uuid4().hex}")
        self.file: IO[bytes] = open(self.partial, "wb")  # noqa: SIM115
        self.tar = tarfile.open(fileobj=self.file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, key: str, files: Sequence[File]) -> None:
        for one in files:
            member = tarfile.TarInfo(f"{key}{one.ending}")
            member.size = len(one.data)
            self.tar.addfile(member, io.BytesIO(one.data))

    def finish(self) -> None:
        self.tar.close()
        flush(self.file)
        self.file.close()
        os.replace(self.partial, self.path)
        flush_folder(self.path.parent)

    def drop(self) -> None:
        with suppress(OSError):  # what waits to be written may not fit
            self.file.close()
        with suppress(OSError):
            self.partial.unlink()


class FolderWriter:
    """A folder of files."""

    def __init__(self, folder: Path, part: int):
        self.path = folder / "parts" / part_name(part)
        self.partial = self.path.with_name(f"{self.path.name}{PARTIAL}{uuid.uuid4().hex}")
        self.partial.mkdir()

    def add(self, key: str, files: Sequence[File]) -> None:
        for one in files:
            with open(self.partial / f"{key}{one.ending}", "wb") as file:
                file.write(one.data)
                flush(file)

    def finish(self) -> None:
        flush_folder(self.partial)
        before = self.path.with_name(f"{self.path.name}{PARTIAL}{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):  # of a run that ended before its index, or that failed in some
            os.replace(self.path, before)
        os.replace(self.partial, self.path)
        flush_folder(self.path.parent)
        shutil.rmtree(before, ignore_errors=True)

    def drop(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)


def flush(file: IO[bytes]) -> None:
    """Let the bytes be on the disk, so that a name never stands for less after a power cut."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Let the names in a folder be on the disk, where systems can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class Store:
    """A job's folder."""

    def __init__(self, folder: Path, sink: Sink):
        self.folder, self.sink = folder, sink

    def make(self) -> None:
        for name in ("parts", "index"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def tidy(self) -> None:
        """Remove what runs that were killed had begun to write."""
        for name in ("parts", "index"):
            for path in (self.folder / name).glob(f"*{PARTIAL}*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def writer(self, part: int) -> Writer:
        return (ShardWriter if self.sink.format == "tar" else FolderWriter)(self.folder, part)

    def mark_done(self, part: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the part's lines of the index. From here on it is done."""
        path = self.folder / "index" / f"{part_name(part)}.jsonl"
        partial = path.with_name(f"{path.name}{PARTIAL}{uuid.uuid4().hex}")
        with open(partial, "wb") as file:
            for row in rows:
                file.write((json.dumps(row, sort_keys=True) + "\n").encode("ascii"))
            flush(file)
        os.replace(partial, path)
        flush_folder(path.parent)

    def done(self) -> set[int]:
        """The parts that are done: they have lines in the index, and files."""
        there = {
            name.partition(".tar")[0] for name in os.listdir(self.folder / "parts") if PARTIAL not in name
        }
        with os.scandir(self.folder / "index") as found:
            names = {entry.name.removesuffix(".jsonl") for entry in found if entry.stat().st_size}
        return {int(name) for name in names & there if name.isdigit()}

    def undo(self, part: int) -> None:
        """Let a part count as not done."""
        (self.folder / "index" / f"{part_name(part)}.jsonl").unlink(missing_ok=True)
        flush_folder(self.folder / "index")

    def rows(self) -> Iterator[dict[str, Any]]:
        """The lines of the index of all parts that are done, in order."""
        return (row for part in sorted(self.done()) for row in self.rows_of(part))

    def rows_of(self, part: int) -> list[dict[str, Any]]:
        path = self.folder / "index" / f"{part_name(part)}.jsonl"
        try:
            rows: list[dict[str, Any]] = json.loads(
                f"[{','.join(path.read_text(encoding='ascii').splitlines())}]"
            )
            if not all({"key", "item", "source", "status"} <= row.keys() for row in rows):
                raise ValueError("a line lacks its item")
        except (ValueError, AttributeError) as error:
            raise damaged(path, error) from None
        return rows

    def files(self, part: int) -> Iterator[tuple[str, dict[str, bytes]]]:
        """The keys of a part that is done, and their files by ending. `StyleMixError` when it is damaged."""
        try:
            for key, of_one in groupby(self._files(part), lambda one: one[0].partition(".")[0]):
                yield key, {name.partition(".")[2]: read() for name, read in of_one}
        except tarfile.TarError as error:
            raise StyleMixError(
                f"part {part_name(part)} of {self.folder} is damaged ({error}); delete it and its index, and run the "
                "job again"
            ) from None

    def _files(self, part: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Names of a part's files, and what reads each."""
        place = self.folder / "parts" / part_name(part)
        if self.sink.format == "files":
            for path in sorted(place.iterdir()):
                yield path.name, path.read_bytes
            return
        with tarfile.open(f"{place}.tar", "r:") as tar:
            for member in tar:
                if (data := tar.extractfile(member)) is not None:
                    yield member.name, data.read

    def finish(self) -> Path:
        """Write the whole index, once all parts are done; returns where."""
        path = self.folder / f"index.{self.sink.index}"
        partial = path.with_name(f"{path.name}{PARTIAL}{uuid.uuid4().hex}")
        try:
            if self.sink.index == "parquet":
                self._write_table(partial)
            else:
                with open(partial, "wb") as whole:
                    for part in sorted(self.done()):
                        with open(self.folder / "index" / f"{part_name(part)}.jsonl", "rb") as file:
                            shutil.copyfileobj(file, whole)
                    flush(whole)
            os.replace(partial, path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        return path

    def _write_table(self, path: Path) -> None:
        from .sources import pyarrow

        parquet = pyarrow()
        import pyarrow as arrow

        texts = ("key", "source", "status", "reason", "batch", "origin")
        columns = [(name, arrow.string()) for name in (*texts, "truth", "files")]
        schema = arrow.schema([*columns, *((name, arrow.int64()) for name in ("item", "part"))])
        with parquet.ParquetWriter(path, schema) as writer:
            for part in sorted(self.done()):
                rows = [
                    {name: written(row.get(name)) for name in texts}
                    | {name: json.dumps(row.get(name, {}), sort_keys=True) for name in ("truth", "files")}
                    | {name: row[name] for name in ("item", "part")}
                    for row in self.rows_of(part)
                ]
                writer.write_table(arrow.Table.from_pylist(rows, schema))


def written(text: str | None) -> str | None:
    """A text as UTF-8 has it: names may be of any bytes."""
    return None if text is None else text.encode(errors="replace").decode()


def damaged(path: Path, why: object) -> StyleMixError:
    """For a part's lines of the index."""
    return StyleMixError(f"{path} is damaged ({why}); delete it, and the same command makes that part again")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a job's folder. The system gives it back when a process ends, however it does."""
    with open(folder / ".lock", "a+b") as file:
        try:
            lock(file)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise
            raise StyleMixError(
                f"another run is writing into {folder}; wait until it ends, or choose another folder"
            ) from None
        yield


def lock(file: IO[bytes]) -> None:
    """`OSError` when somebody else has the file locked."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
