"""One picture of a job, made again from its line of the index."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import StyleMixError
from .job import Job
from .run import begin, read_job
from .sink import File, Store, files_of
from .sources import key_of
from .steps import Piece, read_piece
from .work import Worker


@dataclass(frozen=True)
class Reproduced:
    """What was made again."""

    row: dict[str, Any]
    """The line of the index."""
    files: tuple[File, ...]
    differing: tuple[str, ...]
    """Endings of the files that are not, bit for bit, what the index says."""
    reason: str | None = None
    """Why it failed, where it fails again."""


def reproduce(folder: str | Path, row: int | str, threads: int | None = None) -> Reproduced:
    """Make one picture of a job again, together with those that went through the networks with it.

    folder: the job's, or its index. row: the number of the line from 0, or its key.
    threads: those of the job, by default. Other numbers of threads, other processors and other versions of PyTorch may
        change last bits.
    `StyleMixError` when there is no such line, and when the job's files have changed since.
    """
    place = Path(folder)
    place = place if place.is_dir() else place.parent
    job = job_of(place)
    known = begin(job, place, 1)
    line = find_row(Store(place, job.sink), row)
    kept = torch.get_num_threads()
    try:
        worker = Worker(job, place, threads or known)
        return again(worker, line)
    finally:
        torch.set_num_threads(kept)


def job_of(folder: Path) -> Job:
    """The job whose folder it is."""
    told = read_job(folder)
    keys = ("source", "steps", "models", "part", "batch")
    return Job.of({key: told[key] for key in keys} | {"sink": told["sink"] | {"folder": str(folder)}})


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
    rows = worker.store.rows_of(line["part"])
    entries = dict(worker.plan.entries(line["part"]))
    items = {row["item"] for row in rows if row.get("batch") == line.get("batch", line["item"])} or {
        line["item"]
    }
    try:
        with torch.inference_mode():
            given = [(item, entries[item]) for item in sorted(items)]
            pieces = [read_piece(item, entry, key_of(entry, item), worker.tools) for item, entry in given]
        made = worker.compute(pieces)
    except StyleMixError as error:
        return Reproduced(line, (), (), str(error))
    piece = next((one for one in made if one.key == line["key"]), None)
    if piece is None:
        return Reproduced(line, (), (), "it has another key now")
    return compare(piece, worker, line)


def compare(piece: Piece, worker: Worker, line: dict[str, Any]) -> Reproduced:
    row = {key: value for key, value in line.items() if key != "files"}
    files = files_of(piece, worker.job.sink, row)
    wanted = json.loads(json.dumps(line.get("files", {})))
    differing = [ending for ending, checksum in wanted.items() if row["files"].get(ending) != checksum]
    return Reproduced(line, tuple(files), tuple(differing))
