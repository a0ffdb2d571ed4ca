"""One picture of a job, made again from its line of the index."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StyleMixError
from .folder import begin, job_in, read_job
from .sink import File, Store
from .steps import Piece, chunks
from .work import Failure, Worker, in_helper


@dataclass(frozen=True)
class Reproduced:
    """What was made again."""

    row: dict[str, Any]
    """The line of the index."""
    files: tuple[File, ...]
    """None where it failed, as `reason` says."""
    differing: tuple[str, ...]
    """Endings of files that are not, bit for bit, what the index says; or are in one of both alone."""
    reason: str | None = None


def reproduce(folder: str | os.PathLike[str], row: int | str) -> Reproduced:
    """Make one picture of a job again, together with those that went through the networks with it.

    folder: the job's, or its index. row: the number of the line from 0, or its key.
    Other processors and other versions of PyTorch may change last bits. `StyleMixError` when there is no such line, and
    when the job's models, styles or directions have changed since.
    """
    place = Path(folder)
    place = place if place.is_dir() else place.parent
    job = job_in(read_job(place), place)
    begin(job, place)
    line = find_row(Store(place, job.sink), row)
    return in_helper(again, Worker(job, place, 1), line)


def find_row(store: Store, row: int | str) -> dict[str, Any]:
    """A line of the index, by its number or its key."""
    number = int(row) if isinstance(row, int) or row.isdigit() else None
    count = 0
    for count, line in enumerate(store.rows(), 1):
        if count - 1 == number or line["key"] == row:
            return line
    raise StyleMixError(
        f"the index has no line {row}; it has 0 to {count - 1}, and keys such as seed00000007"
    )


def again(worker: Worker, line: dict[str, Any]) -> Reproduced:
    """Read the items of the line's batch, and take them through the steps as a run does."""
    entries = dict(worker.plan.entries(line["part"]))
    mates = {
        row["item"]
        for row in worker.store.rows_of(line["part"])
        if "batch" in line and row.get("batch") == line["batch"]
    } | {line["item"]}
    pieces: list[Piece] = []
    for item in sorted(mates):
        read = worker.read(item, entries[item])
        if isinstance(read, Failure):
            whose = "" if item == line["item"] else "one that went through the networks with it: "
            return Reproduced(line, (), (), f"{whose}{read.reason}")
        pieces.append(read)
    try:
        some = next(
            some for some in chunks(pieces, worker.tools) if any(one.key == line["key"] for one in some)
        )
        given = [one for one in some if one.key == line["key"]] if line.get("alone") else some
        piece = next(one for one in worker.tools.finish(given) if one.key == line["key"])
        _, files = worker.made(piece, line["part"], line.get("batch", "0"), "alone" in line)
    except StopIteration:
        return Reproduced(line, (), (), "its steps no longer give this result")
    except StyleMixError as error:
        return Reproduced(line, (), (), str(error))
    then = line.get("files", {})
    now = {file.ending[1:]: file.checksum for file in files if file.ending != ".json"}
    differing = [ending for ending in {**then, **now} if then.get(ending) != now.get(ending)]
    return Reproduced(line, tuple(files), tuple(differing))
