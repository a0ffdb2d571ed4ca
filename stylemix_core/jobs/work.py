"""Parts, done: reading, networks and writing go on side by side, with little of each waiting for the next.

Every part is cut into batches of the same items whoever does it, with as many threads, so it is the same to the bit.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import torch

from ..errors import StyleMixError
from .job import Job
from .plan import Plan
from .sink import File, Store, Writer, files_of
from .sources import Entry, key_of, name_of
from .steps import Piece, Tools, read_piece, run_steps, variants

Item = TypeVar("Item")
Result = TypeVar("Result")
READERS = 3
WRITERS = 2
WAITING = 4
"""Batches that wait to be written, at most."""


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


@dataclass
class Unit:
    """Items that go through the steps together, and what becomes of them."""

    number: int
    pieces: list[Piece]
    rows: list[tuple[dict[str, Any], Piece | None]] = field(default_factory=list)


class Worker:
    """Does parts of a job, one after the other."""

    def __init__(self, job: Job, folder: Path, threads: int):
        torch.set_num_threads(threads)
        self.job, self.threads = job, threads
        self.store = Store(folder, job.sink)
        self.plan = Plan(folder, job.source, job.part)
        self.tools = Tools(job)
        self.batch = max(1, job.batch // variants(job))
        """Items that go through the steps at a time: as many pictures as the job says, or the results of one item."""
        with torch.inference_mode():
            self.warnings = self.tools.prepare()

    def run(self, parts: Iterable[int]) -> Iterator[Done]:
        """Do parts; tells of each as it is written. What stops it leaves no half of any."""
        parts = list(parts)
        with (
            helpers(READERS, "read") as reading,
            helpers(WRITERS, "encode") as encoding,
            helpers(1, "write") as writing,
        ):
            torch.set_num_threads(self.threads)  # after the helpers', which set what some libraries share
            items = ((part, number, entry) for part in parts for number, entry in self.plan.entries(part))
            read = ahead(reading, self._read, items, 2 * self.batch + READERS)
            waiting: deque[Future[Any]] = deque()
            ends: deque[Future[Done]] = deque()
            open_writers: list[Writer] = []
            try:
                for part in parts:
                    count = len(self.plan.entries(part))
                    writer = self.store.writer(part)
                    open_writers.append(writer)
                    rows: list[dict[str, Any]] = []
                    written: list[Future[None]] = []
                    for unit in self._units(read, count):
                        self._compute(unit, part)
                        made = [encoding.submit(self._files, row, piece) for row, piece in unit.rows]
                        written.append(writing.submit(self._write, writer, made, rows))
                        waiting.append(written[-1])
                        while len(waiting) > WAITING:
                            waiting.popleft().result()
                    ends.append(writing.submit(self._finish, part, writer, written, rows, open_writers))
                    while ends and (ends[0].done() or len(ends) > 1):
                        yield ends.popleft().result()
                while ends:
                    yield ends.popleft().result()
                while waiting:
                    waiting.popleft().result()
            except OSError as error:
                raise unwritable(self.store.folder, error) from error
            finally:
                reading.shutdown(cancel_futures=True)
                encoding.shutdown(cancel_futures=True)
                writing.shutdown(cancel_futures=True)
                for writer in open_writers:
                    writer.drop()

    def _read(self, item: tuple[int, int, Entry]) -> Piece | Failure:
        _, number, entry = item
        try:
            return read_piece(number, entry, key_of(entry, number), self.tools)
        except (StyleMixError, OSError, MemoryError) as error:
            return Failure(number, entry, reason_of(error))

    def _units(self, read: Iterator[Piece | Failure], count: int) -> Iterator[Unit]:
        """The next `count` items in batches, which fill across those that could not be read."""
        number, pieces, failures = 0, [], []
        for _ in range(count):
            one = next(read)
            if isinstance(one, Failure):
                failures.append(one)
            else:
                pieces.append(one)
            if len(pieces) == self.batch:
                yield self._unit(number, pieces, failures)
                number, pieces, failures = number + 1, [], []
        if pieces or failures:
            yield self._unit(number, pieces, failures)

    def _unit(self, number: int, pieces: list[Piece], failures: Sequence[Failure]) -> Unit:
        return Unit(number, pieces, [(failed_row(failure), None) for failure in failures])

    def _compute(self, unit: Unit, part: int) -> None:
        """Take a batch through the steps; where that fails its items one by one, so that the others are kept."""
        made: list[tuple[dict[str, Any], Piece | None]] = []
        for row, _ in unit.rows:
            row["part"] = part
        if unit.pieces:
            try:
                made = [
                    (self._row(piece, part, str(unit.number)), piece) for piece in self.compute(unit.pieces)
                ]
            except StyleMixError:
                for place, piece in enumerate(unit.pieces):
                    made += self._alone(piece, part, f"{unit.number}.{place}")
        unit.rows = sorted(unit.rows + made, key=lambda one: (one[0]["item"], one[0]["key"]))

    def _alone(self, piece: Piece, part: int, batch: str) -> list[tuple[dict[str, Any], Piece | None]]:
        try:
            return [(self._row(one, part, batch), one) for one in self.compute([piece])]
        except StyleMixError as error:
            return [(failed_row(Failure(piece.number, piece.entry, str(error))) | {"part": part}, None)]

    def compute(self, pieces: list[Piece]) -> list[Piece]:
        """What the steps make of items that go through them together."""
        with torch.inference_mode():
            return run_steps(pieces, self.tools)

    def _row(self, piece: Piece, part: int, batch: str) -> dict[str, Any]:
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
        except StyleMixError as error:
            return failed_row(Failure(piece.number, piece.entry, str(error))) | {"part": row["part"]}, []

    def _write(self, writer: Writer, made: Sequence[Future[Any]], rows: list[dict[str, Any]]) -> None:
        for one in made:
            row, files = one.result()
            if files:
                writer.add(row["key"], files)
            rows.append(row)

    def _finish(
        self,
        part: int,
        writer: Writer,
        written: Sequence[Future[None]],
        rows: Sequence[dict[str, Any]],
        open_writers: list[Writer],
    ) -> Done:
        for batch in written:
            batch.result()  # one that could not be written is raised here: the part is not done
        writer.finish()
        open_writers.remove(writer)
        self.store.mark_done(part, rows)
        return Done(part, len(rows), sum(row["status"] != "ok" for row in rows))


def failed_row(failure: Failure) -> dict[str, Any]:
    return {
        "key": key_of(failure.entry, failure.number),
        "item": failure.number,
        "source": name_of(failure.entry),
        "status": "failed",
        "reason": failure.reason,
    }


def reason_of(error: BaseException) -> str:
    return (
        f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error) or "out of memory"
    )


def unwritable(folder: Path, error: OSError) -> StyleMixError:
    reason = "no space is left" if error.errno == errno.ENOSPC else error.strerror or str(error)
    return StyleMixError(
        f"cannot write to {folder}: {reason}. All parts that are done are whole; the same command goes on from there"
    )


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], most: int
) -> Iterator[Result]:
    """What `work` gives for every item, in order, at most `most` of them before they are asked for."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def helpers(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads beside the networks', all of them started, each of which computes by itself and keeps no gradients."""
    started = Barrier(count + 1)

    def begin() -> None:
        torch.set_num_threads(1)
        torch.inference_mode().__enter__()

    with ThreadPoolExecutor(count, name, begin) as pool:
        for _ in range(count):
            pool.submit(started.wait)
        started.wait()
        yield pool
