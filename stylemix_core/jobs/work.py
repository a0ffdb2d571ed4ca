"""Parts, done: reading, networks and writing go on side by side, with little of each waiting for the next.

Every part is cut into batches of the same items whoever does it, with as many threads, so it is the same to the bit.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import torch

from ..errors import StyleMixError
from .job import Job
from .plan import Plan
from .sink import File, Store, Writer, files_of
from .sources import Entry, key_of, name_of
from .steps import Piece, Tools, chunks, read_piece

Item = TypeVar("Item")
READERS = 3
WRITERS = 2
WAITING = 4
"""Batches that wait to be written, at most."""
WAITING_BYTES = 256 << 20
"""What is read ahead, and what waits to be written, takes about as much memory at the most, beside one batch."""


@dataclass
class Failure:
    """An item that could not be used, and why."""

    number: int
    entry: Entry
    reason: str


@dataclass
class Done:
    """What became of a part."""

    part: int
    rows: int = 0
    failed: int = 0


Made = tuple[dict[str, Any], Piece | None]
"""A line of the index, and what it is of; None of a failure."""


class Worker:
    """Does parts of a job, one after the other."""

    def __init__(self, job: Job, folder: Path, threads: int):
        torch.set_num_threads(threads)
        self.job, self.threads = job, threads
        self.store = Store(folder, job.sink)
        self.plan = Plan(folder, job.source, job.part)
        self.tools = Tools(job)
        self.warnings = self.tools.prepare()
        self.batch = max(1, job.batch // self.tools.variants)
        """Items that go through the steps at a time: as many results as the job says, or those of one item."""

    def run(self, parts: Iterable[int]) -> Iterator[Done]:
        """Do parts; tells of each as it is written. What stops it leaves no half of any."""
        parts = list(parts)
        with (
            helpers(READERS, "read") as reading,
            helpers(WRITERS, "encode") as encoding,
            helpers(1, "write") as writing,
        ):
            torch.set_num_threads(self.threads)  # after the helpers', which set what some libraries share
            items = (item for part in parts for item in self.plan.entries(part))
            read = self._ahead(reading, items)
            waiting: deque[tuple[Future[None], int]] = deque()
            ends: deque[Future[Done]] = deque()
            open_writers: list[Writer] = []
            try:
                for part in parts:
                    writer = self.store.writer(part)
                    open_writers.append(writer)
                    rows: list[dict[str, Any]] = []
                    written: list[Future[None]] = []
                    for number, group in enumerate(self._batches(read, len(self.plan.entries(part)))):
                        for made in self._results(group, part, number):
                            files = [encoding.submit(self._files, row, piece) for row, piece in made]
                            written.append(writing.submit(self._write, writer, files, rows))
                            waiting.append((written[-1], sum(piece.bytes for _, piece in made if piece)))
                            while len(waiting) > WAITING or sum(size for _, size in waiting) > WAITING_BYTES:
                                waiting.popleft()[0].result()
                    ends.append(writing.submit(self._finish, part, writer, written, rows, open_writers))
                    while ends and (ends[0].done() or len(ends) > 1):
                        yield ends.popleft().result()
                while ends:
                    yield ends.popleft().result()
            finally:
                for pool in (reading, encoding, writing):
                    pool.shutdown(cancel_futures=True)
                for writer in open_writers:
                    writer.drop()

    def _ahead(
        self, pool: ThreadPoolExecutor, items: Iterator[tuple[int, Entry]]
    ) -> Iterator[Piece | Failure]:
        """What reading gives for every item, in order, a batch or two before it is asked for: fewer of large ones."""
        waiting: deque[Future[Piece | Failure]] = deque()
        most, largest = 2 * self.batch + READERS, 1
        for number, entry in items:
            waiting.append(pool.submit(self.read, number, entry))
            while len(waiting) >= min(most, max(READERS, WAITING_BYTES // largest)):
                one = waiting.popleft().result()
                largest = max(largest, one.bytes if isinstance(one, Piece) else 1)
                yield one
        while waiting:
            yield waiting.popleft().result()

    def read(self, number: int, entry: Entry) -> Piece | Failure:
        """An item of the source; whatever a damaged file leads to is its failure alone."""
        try:
            return read_piece(number, entry, key_of(entry, number), self.tools)
        except Exception as error:
            return Failure(number, entry, reason_of(error))

    def _batches(self, read: Iterator[Piece | Failure], count: int) -> Iterator[list[Piece | Failure]]:
        """The next `count` items in batches, which fill across those that could not be read."""
        group: list[Piece | Failure] = []
        for _ in range(count):
            group.append(next(read))
            if sum(isinstance(one, Piece) for one in group) == self.batch:
                yield group
                group = []
        if group:
            yield group

    def _results(self, group: Sequence[Piece | Failure], part: int, number: int) -> Iterator[list[Made]]:
        """What the steps make of a batch, some at a time; where they fail of its items one by one, so that the others
        are kept."""
        failures = [one for one in group if isinstance(one, Failure)]
        if failures:
            yield [(failed_row(one, part), None) for one in failures]
        pieces = [one for one in group if isinstance(one, Piece)]
        try:
            started = chunks(pieces, self.tools) if pieces else []
        except Exception as error:
            stop_where_memory_ends(error)
            for place, piece in enumerate(pieces):
                yield from self._alone(piece, part, f"{number}.{place}")
            return
        for some in started:
            yield self._finished(some, part, str(number))

    def _alone(self, piece: Piece, part: int, batch: str) -> Iterator[list[Made]]:
        try:
            started = chunks([piece], self.tools)
        except Exception as error:
            yield [(failed_row(Failure(piece.number, piece.entry, reason_of(error)), part), None)]
            return
        for some in started:
            yield self._finished(some, part, batch)

    def _finished(self, pieces: list[Piece], part: int, batch: str) -> list[Made]:
        """The last steps of some results."""
        try:
            return [(self.row(one, part, batch), one) for one in self.tools.finish(pieces)]
        except Exception as error:
            stop_where_memory_ends(error)
        made: list[Made] = []
        for piece in pieces:
            try:
                made += [
                    (self.row(one, part, batch) | {"alone": True}, one) for one in self.tools.finish([piece])
                ]
            except Exception as error:
                failure = Failure(piece.number, piece.entry, reason_of(error))
                made.append((failed_row(failure, part) | {"key": piece.key, "batch": batch}, None))
        return made

    def row(self, piece: Piece, part: int, batch: str) -> dict[str, Any]:
        """The line of the index of a result, but for its files."""
        row: dict[str, Any] = {
            "key": piece.key,
            "item": piece.number,
            "source": name_of(piece.entry),
            "part": part,
            "batch": batch,
            "status": "ok",
        }
        if piece.codes is not None:
            row["origin"] = piece.codes.origins[0]
        if piece.truth:
            row["truth"] = piece.truth
        return row

    def _files(self, row: dict[str, Any], piece: Piece | None) -> tuple[dict[str, Any], list[File]]:
        if piece is None:
            return row, []
        try:
            return row, files_of(piece, self.job.sink, row)
        except Exception as error:
            failure = Failure(piece.number, piece.entry, reason_of(error))
            return failed_row(failure, row["part"]) | {"key": piece.key, "batch": row["batch"]}, []

    def _write(self, writer: Writer, made: Sequence[Future[Any]], rows: list[dict[str, Any]]) -> None:
        for one in made:
            row, files = one.result()
            if files:
                with writing_into(self.store.folder):
                    writer.add(row["key"], files)
            rows.append(row)

    def _finish(
        self,
        part: int,
        writer: Writer,
        written: Sequence[Future[None]],
        rows: list[dict[str, Any]],
        open_writers: list[Writer],
    ) -> Done:
        for batch in written:
            batch.result()  # one that could not be written is raised here: the part is not done
        rows.sort(key=lambda row: (row["item"], row["key"]))
        with writing_into(self.store.folder):
            writer.finish()
            open_writers.remove(writer)
            self.store.mark_done(part, rows)
        return Done(part, len(rows), sum(row["status"] != "ok" for row in rows))


def failed_row(failure: Failure, part: int) -> dict[str, Any]:
    return {
        "key": key_of(failure.entry, failure.number),
        "item": failure.number,
        "source": name_of(failure.entry),
        "part": part,
        "status": "failed",
        "reason": failure.reason,
    }


def reason_of(error: Exception) -> str:
    """Why an item failed: our own words, or what a library said of a file that it could not take."""
    if isinstance(error, StyleMixError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}"
    return f"{type(error).__name__}: {str(error)[:300]}"


def stop_where_memory_ends(error: Exception) -> None:
    """`StyleMixError` for want of memory: smaller batches instead would have other last bits."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        raise StyleMixError(
            "there is not enough memory; make the job's batch smaller, in a new folder"
        ) from error


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Makes the system's errors say what they mean for the job."""
    try:
        yield
    except OSError as error:
        reason = "no space is left" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise StyleMixError(
            f"cannot write to {folder}: {reason}. All parts that are done are whole; the same command goes on from "
            "there"
        ) from error


@contextmanager
def helpers(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads beside the networks', all of them started, each of which computes by itself."""
    started = Barrier(count + 1)

    def begin() -> None:
        torch.get_num_threads()  # a thread's first use would undo what is set before it
        torch.set_num_threads(1)

    with ThreadPoolExecutor(count, name, begin) as pool:
        try:
            for _ in range(count):
                pool.submit(started.wait)
            started.wait()
        except BaseException:
            started.abort()
            raise
        yield pool


def in_helper(function: Callable[..., Item], *arguments: Any) -> Item:
    """What a function gives in such a thread."""
    with helpers(1, "read") as pool:
        return pool.submit(function, *arguments).result()
