"""Parts, done: reading, networks and writing go on side by side, with little of each waiting for the next.

Several batches go through the networks at a time, each in a thread of its own that shares no processor: that keeps
them busier than many threads on one batch, which wait for each other while others read and write. A part is cut into
batches of the same items, each computed by one thread, whoever does it; so it is the same to the bit.
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

from ..device import resolve_device
from ..errors import StyleMixError
from .job import Job
from .plan import Plan
from .sink import File, Store, Writer, files_of
from .sources import Entry, key_of, name_of
from .steps import Piece, Tools, chunks, read_piece

Item = TypeVar("Item")
READERS = 2
WAITING = 2
"""Batches that wait for a network or to be written, at most."""
AHEAD_BYTES = 256 << 20
"""What is read ahead takes about as much memory at the most, beside what goes through the networks."""


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


Made = tuple[dict[str, Any], list[File]]
"""A line of the index, and the files that it is of; none of a failure."""


class Worker:
    """Does parts of a job, one after the other.

    threads: how many batches go through the networks at a time; on a GPU one.
    """

    def __init__(self, job: Job, folder: Path, threads: int):
        self.job = job
        self.threads = threads if resolve_device(job.models.device).type == "cpu" else 1
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
            helpers(self.threads, "compute") as computing,
            helpers(1, "write") as writing,
        ):
            items = (item for part in parts for item in self.plan.entries(part))
            read = self._ahead(reading, items)
            waiting: deque[Future[None]] = deque()
            ends: deque[Future[Done]] = deque()
            open_writers: list[Writer] = []
            try:
                for part in parts:
                    writer = self.store.writer(part)
                    open_writers.append(writer)
                    rows: list[dict[str, Any]] = []
                    written: list[Future[None]] = []
                    for number, group in enumerate(self._batches(read, self.plan.items_in(part))):
                        made = computing.submit(self._results, group, part, number)
                        written.append(writing.submit(self._write, writer, made, rows))
                        waiting.append(written[-1])
                        while len(waiting) > self.threads + WAITING:
                            waiting.popleft().result()
                    ends.append(writing.submit(self._finish, part, writer, written, rows, open_writers))
                    while ends and (ends[0].done() or len(ends) > 1):
                        yield ends.popleft().result()
                while ends:
                    yield ends.popleft().result()
            finally:
                for pool in (reading, computing, writing):
                    pool.shutdown(cancel_futures=True)
                for writer in open_writers:
                    writer.drop()

    def _ahead(
        self, pool: ThreadPoolExecutor, items: Iterator[tuple[int, Entry]]
    ) -> Iterator[Piece | Failure]:
        """What reading gives for every item, in order, a batch or two before it is asked for: fewer of large ones."""
        waiting: deque[Future[Piece | Failure]] = deque()
        most, largest = (self.threads + 1) * self.batch + READERS, 1
        for number, entry in items:
            waiting.append(pool.submit(self.read, number, entry))
            while len(waiting) >= min(most, max(READERS, AHEAD_BYTES // largest)):
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

    def _results(self, group: Sequence[Piece | Failure], part: int, number: int) -> list[Made]:
        """What becomes of a batch; where the steps fail, of its items one by one, so that the others are kept."""
        made: list[Made] = [(failed_row(one, part), []) for one in group if isinstance(one, Failure)]
        pieces = [one for one in group if isinstance(one, Piece)]
        if not pieces:
            return made
        try:
            started = chunks(pieces, self.tools)
        except Exception as error:
            stop_where_memory_ends(error)
            for place, piece in enumerate(pieces):
                made += self._alone(piece, part, f"{number}.{place}")
            return made
        for some in started:
            made += self._finished(some, part, str(number))
        return made

    def _alone(self, piece: Piece, part: int, batch: str) -> list[Made]:
        try:
            started = chunks([piece], self.tools)
        except Exception as error:
            return [(failed_row(Failure(piece.number, piece.entry, reason_of(error)), part), [])]
        return [one for some in started for one in self._finished(some, part, batch)]

    def _finished(self, pieces: list[Piece], part: int, batch: str) -> list[Made]:
        """The last steps of some results, and their files."""
        try:
            return [self.made(one, part, batch) for one in self.tools.finish(pieces)]
        except Exception as error:
            stop_where_memory_ends(error)
        made: list[Made] = []
        for piece in pieces:
            try:
                made += [self.made(one, part, batch, alone=True) for one in self.tools.finish([piece])]
            except Exception as error:
                failure = Failure(piece.number, piece.entry, reason_of(error))
                made.append((failed_row(failure, part) | {"key": piece.key, "batch": batch}, []))
        return made

    def made(self, piece: Piece, part: int, batch: str, alone: bool = False) -> Made:
        """The line of the index of a result, and its files."""
        row: dict[str, Any] = {
            "key": piece.key,
            "item": piece.number,
            "source": name_of(piece.entry),
            "part": part,
            "batch": batch,
            "status": "ok",
        }
        if alone:
            row["alone"] = True
        if piece.codes is not None:
            row["origin"] = piece.codes.origins[0]
        if piece.truth:
            row["truth"] = piece.truth
        return row, files_of(piece, self.job.sink, row)

    def _write(self, writer: Writer, made: Future[list[Made]], rows: list[dict[str, Any]]) -> None:
        """Write what became of a batch."""
        for row, files in made.result():
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
    """Threads, all of them started, each of which computes by itself."""
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
