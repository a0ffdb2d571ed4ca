"""Running a job: where it stands, what is left, and doing that here or on a cluster."""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import StyleMixError
from ..progress import OnStep
from ..wording import duration
from .chain import wants_pictures
from .datasheet import write_datasheet
from .folder import Retry, begin, changed
from .job import Job
from .plan import FILE as PLAN
from .plan import Plan, grown, make_plan
from .sink import Store, damaged, files_of, locked, part_name
from .sources import Entry, list_entries, pyarrow
from .steps import Tools, chunks, read_piece
from .work import Done, Worker, in_helper, writing_into

if TYPE_CHECKING:
    from .cluster import Cluster

MOST_THREADS = 1024
LOG_SECONDS = 60
TRIED = 8
"""Items that an estimate works on."""
BLOCK = 1024
"""What a file takes in a shard beside its bytes."""


@dataclass(frozen=True)
class JobResult:
    """What a run of a job has done."""

    folder: Path
    index: Path
    items: int
    rows: int
    """Lines of the index: results and failures."""
    failed: int
    done_before: int
    """Parts that earlier runs had done."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """What a job would do."""

    items: int
    results: int
    parts: int
    parts_left: int
    seconds: float | None
    """On this machine; None where nothing could be tried."""
    bytes: int | None
    """What all results take."""
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        told = f"{self.items} items, {self.results} results in {self.parts} parts, {self.parts_left} of them left"
        if self.seconds is None or self.bytes is None:
            return (
                f"{told}; none of the first {TRIED} items could be used, so nothing is known of time and disk"
            )
        hours = self.seconds / 3600
        time_left = duration(self.seconds) if hours < 2 else f"{hours:.0f} hours"
        return f"{told}; about {time_left} on this machine, {self.bytes / 1e6:,.0f} MB in all"


def run_job(
    job: Job | Mapping[str, Any] | str | os.PathLike[str],
    *,
    retry_failed: bool = False,
    ray: str | None = None,
    workers: int | None = None,
    gpus: float = 0.0,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> JobResult:
    """Do a job, or go on with it: parts that are done are left as they are.

    job: a job file, or the same as a dictionary, whose paths are as seen from the current folder.
    retry_failed: also do parts again in which something failed.
    ray: "local" or the address of a Ray cluster; its machines must see the same folders. workers: how many processes
        there, by default one for every processor of this machine. gpus: how many each has, such as 0.5.
    threads: how many batches each process works on at a time; by default one for every processor, and one for each of
        Ray's workers. Results do not depend on it, to the bit.
    on_step: called after every part, with the items done and a note on rate and failures. What it raises stops the job.
    `StyleMixError` on a wrong job, a folder of another job, one that another run is writing into, and a full disk.

    >>> done = sm.run_job({"source": {"seeds": "0-3"}, "steps": ["decode"], "sink": {"folder": "faces"}})
    >>> done.rows, done.failed
    (4, 0)
    """
    job = Job.of(job)
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise StyleMixError(f"threads is {threads}; give 1 to {MOST_THREADS}")
    cluster = None
    if ray is not None:
        from .cluster import Cluster  # Ray is an extra

        cluster = Cluster(ray, workers, gpus)
    if job.sink.index == "parquet":
        pyarrow()  # rather now than after all the work
    folder = Path(job.sink.folder)
    store = Store(folder, job.sink)
    with writing_into(folder):
        store.make()
    with locked(folder):
        with writing_into(folder):
            store.tidy()
            known = begin(job, folder)
            listed = (folder / PLAN).exists()
            plan = make_plan(folder, job)
        before = store.done()
        retry = Retry(store, before) if retry_failed or (folder / Retry.NAME).exists() else None
        again = set() if retry is None else retry.parts
        left = [part for part in range(plan.parts) if part not in before or part in again]
        told = Told(plan, folder, left, on_step)
        warnings = changed(known, job) + (grown(plan, job.source) if listed else [])
        if left:
            for done in _do(job, folder, left, threads, cluster, warnings):
                told.note(done)
                if retry is not None:
                    retry.done(done.part)
        rows, failed = count_rows(store, plan)
        with writing_into(folder):
            index = store.finish()
            write_datasheet(job, folder, plan, rows, failed)
            if retry is not None:
                retry.end()
    return JobResult(folder, index, plan.count, rows, failed, plan.parts - len(left), tuple(warnings))


def count_rows(store: Store, plan: Plan) -> tuple[int, int]:
    """Lines of the whole index, and failures among them. `StyleMixError` where items are missing."""
    rows = failed = 0
    for part in range(plan.parts):
        lines = store.rows_of(part)
        if len({row["item"] for row in lines}) != plan.items_in(part):
            raise damaged(store.folder / "index" / f"{part_name(part)}.jsonl", "it lacks items")
        rows, failed = rows + len(lines), failed + sum(row["status"] != "ok" for row in lines)
    return rows, failed


def _do(
    job: Job,
    folder: Path,
    left: list[int],
    threads: int | None,
    cluster: "Cluster | None",
    warnings: list[str],
) -> Iterator[Done]:
    """Do parts, here or on a cluster."""
    if cluster is not None:
        yield from cluster.run(job, folder, left, threads or 1)
        return
    worker = Worker(job, folder, threads or torch.get_num_threads())
    warnings += worker.warnings
    yield from worker.run(left)


class Told:
    """Progress: for `on_step`, and a line a minute for machines."""

    def __init__(self, plan: Plan, folder: Path, left: list[int], on_step: OnStep | None):
        self.plan, self.folder, self.on_step = plan, folder, on_step
        self.before = plan.count - sum(map(plan.items_in, left))
        self.items = self.failed = 0
        self.started = self.logged = time.monotonic()

    def note(self, done: Done) -> None:
        self.items += self.plan.items_in(done.part)
        self.failed += done.failed
        now = time.monotonic()
        rate = self.items / max(now - self.started, 1e-9)
        finished = self.before + self.items
        left = self.plan.count - finished
        if now - self.logged >= LOG_SECONDS or not left:
            self.logged = now
            line = {
                "time": round(time.time()),
                "done": finished,
                "items": self.plan.count,
                "failed": self.failed,
                "per_second": round(rate, 3),
                "seconds_left": round(left / rate),
            }
            with writing_into(self.folder), open(self.folder / "log.jsonl", "a", encoding="ascii") as file:
                file.write(json.dumps(line) + "\n")
        if self.on_step is not None:
            note = f"{rate:.1f}/s" + (f", {self.failed} failed" if self.failed else "")
            self.on_step(finished, self.plan.count, None, note)


def estimate_job(job: Job | Mapping[str, Any] | str | os.PathLike[str]) -> Estimate:
    """What a job would do, by doing its first few items, of which nothing is written.

    Errors as for `run_job`, but for those of its folder.
    """
    job = Job.of(job)
    folder = Path(job.sink.folder)
    entries = list_entries(job.source, wants_pictures(job.steps))
    count, parts = len(entries), -(-len(entries) // job.part)
    done = len(Store(folder, job.sink).done()) if (folder / "index").is_dir() else 0
    tools = Tools(job)
    warnings = tools.prepare()
    seconds, size = in_helper(_try, job, tools, [entries[i] for i in range(min(TRIED, count))])
    left = max(count - done * job.part, 0)
    return Estimate(
        count,
        count * tools.variants,
        parts,
        parts - done,
        None if seconds is None else seconds * left / torch.get_num_threads(),
        None if size is None else round(size * count),
        tuple(warnings),
    )


def _try(job: Job, tools: Tools, entries: Iterable[Entry]) -> tuple[float | None, float | None]:
    """Seconds and bytes an item; None where none of them can be used."""
    times, sizes = [], []
    for number, entry in enumerate(entries):
        started = time.perf_counter()
        try:
            started_with = chunks([read_piece(number, entry, "tried", tools)], tools)
            made = [piece for some in started_with for piece in tools.finish(some)]
            files = [file for piece in made for file in files_of(piece, job.sink, {})]
        except Exception:  # as a run would, which tells what it was
            continue
        times.append(time.perf_counter() - started)
        sizes.append(sum(len(file.data) + BLOCK for file in files))
    if not times:
        return None, None
    times = times[1:] or times  # the first also gets ready
    return sum(times) / len(times), sum(sizes) / len(sizes)
