"""Running a job: where it stands, what is left, and doing that here or on a cluster."""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..errors import StyleMixError, why_unwritable
from ..files.writing import replacing, sha256
from ..progress import OnStep
from ..wording import duration
from .chain import Inject, Vary
from .datasheet import write_datasheet
from .job import Job
from .plan import Plan, make_plan
from .sink import Store, files_of, locked
from .sources import Entry, list_entries
from .steps import Tools, direction_files, read_piece, run_steps, variants
from .work import Done, Worker

DEMO = Path(__file__).parent.parent / "demo"
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
    threads: of each process; by default all processors here, and one for each of Ray's workers. A job that goes on
        keeps what it began with, so that its results are the same to the bit.
    on_step: called after every part, with the items done and a note on rate and failures. What it raises stops the job.
    `StyleMixError` on a wrong job, a folder of another job, one that another run is writing into, and a full disk.

    >>> done = sm.run_job({"source": {"seeds": "0-3"}, "steps": ["decode"], "sink": {"folder": "faces"}})
    >>> done.rows, done.failed
    (4, 0)
    """
    job = Job.of(job)
    folder = Path(job.sink.folder)
    store = Store(folder, job.sink)
    try:
        store.make()
        with locked(folder):
            store.tidy()
            threads = begin(job, folder, threads or (1 if ray else torch.get_num_threads()))
            plan = make_plan(folder, job.source, job.part)
            before = store.done()
            if retry_failed:
                for part in [
                    part for part in before if any(row["status"] != "ok" for row in store.rows_of(part))
                ]:
                    store.undo(part)
                before = store.done()
            left = [part for part in range(plan.parts) if part not in before]
            told = Told(plan, folder, len(before), on_step)
            warnings: list[str] = []
            if left:
                for done in _do(job, folder, left, threads, ray, workers, gpus, warnings):
                    told.note(done)
            rows = failed = 0
            for row in store.rows():
                rows, failed = rows + 1, failed + (row["status"] != "ok")
            index = store.finish()
            write_datasheet(job, folder, plan, rows, failed)
    except OSError as error:
        raise StyleMixError(f"cannot write to {folder}: {why_unwritable(folder, error)}") from error
    return JobResult(folder, index, plan.count, rows, failed, len(before), tuple(warnings))


def _do(
    job: Job,
    folder: Path,
    left: list[int],
    threads: int,
    ray: str | None,
    workers: int | None,
    gpus: float,
    warnings: list[str],
) -> Iterator[Done]:
    if ray is not None:
        from .cluster import run_parts  # Ray is an extra

        yield from run_parts(job, folder, left, threads, ray, workers, gpus)
        return
    kept = torch.get_num_threads()
    try:
        worker = Worker(job, folder, threads)
        warnings += worker.warnings
        yield from worker.run(left)
    finally:
        torch.set_num_threads(kept)


def begin(job: Job, folder: Path, threads: int) -> int:
    """Write what the job is, or compare it with what the folder is of; the threads to compute with.

    `StyleMixError` names what differs.
    """
    path = folder / "job.json"
    told = job.described() | {"inputs": checksums(job), "stylemix": __version__}
    if not path.exists():
        made = told | {"threads": threads, "torch": torch.__version__}
        with replacing(path) as partial:
            partial.write_text(json.dumps(made, indent=1) + "\n", encoding="ascii")
        return threads
    known = read_job(folder)
    differences = list(different(told, {key: known.get(key) for key in told}))
    if differences:
        key, now, then = differences[0]
        raise StyleMixError(
            f"{folder} is of another job: {key} was {then}, and is {now} now. Choose a new folder, or give the job as "
            "it was"
        )
    return int(known["threads"])


def read_job(folder: Path) -> dict[str, Any]:
    """What `begin` wrote."""
    try:
        known = json.loads((folder / "job.json").read_text(encoding="ascii"))
        known["threads"] = int(known["threads"])
    except FileNotFoundError:
        raise StyleMixError(f"{folder} is no folder of a job: it has no job.json") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StyleMixError(
            f"{folder / 'job.json'} is damaged ({error}); give the job a new folder"
        ) from None
    return dict(known)


def different(one: Any, other: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Keys at which two plain values differ, with both."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            yield from different(one.get(name), other.get(name), f"{key}.{name}".lstrip("."))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (a, b) in enumerate(zip(one, other)):
            yield from different(a, b, f"{key}[{place}]")
    elif one != other:
        yield key, one, other


def checksums(job: Job) -> dict[str, str]:
    """Of all files that results depend on beside the source."""
    models = job.models
    files = {"encoder": models.encoder, "tuning": models.tuning, "generator": models.generator or "demo"}
    paths = {
        f"models.{name}": DEMO / f"{name}.safetensors" if path == "demo" else Path(path)
        for name, path in files.items()
        if path is not None
    }
    for place, step in enumerate(job.steps):
        used = (
            list(step.style) if isinstance(step, Inject) else [file for file, _, _ in direction_files(step)]
        )
        if isinstance(step, Vary):
            used += [factor.style for factor in step.factors.values() if factor.style is not None]
        paths |= {f"steps[{place}].{Path(file).name}": Path(file) for file in used}
    try:
        return {name: sha256(path) for name, path in paths.items()}
    except OSError as error:
        raise StyleMixError(f"{error.filename} cannot be read: {error.strerror}") from None


class Told:
    """Progress: for `on_step`, and a line a minute for machines."""

    def __init__(self, plan: Plan, folder: Path, before: int, on_step: OnStep | None):
        self.plan, self.folder, self.on_step = plan, folder, on_step
        self.before = min(before * plan.size, plan.count)
        self.items = self.failed = 0
        self.started = self.logged = time.monotonic()

    def note(self, done: Done) -> None:
        last = done.part == self.plan.parts - 1
        self.items += self.plan.count - done.part * self.plan.size if last else self.plan.size
        self.failed += done.failed
        now = time.monotonic()
        rate = self.items / max(now - self.started, 1e-9)
        finished = self.before + self.items
        left = max(self.plan.count - finished, 0)
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
            with open(self.folder / "log.jsonl", "a", encoding="ascii") as file:
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
    entries = list_entries(job.source)
    count, parts = len(entries), -(-len(entries) // job.part)
    done = len(Store(folder, job.sink).done()) if (folder / "index").is_dir() else 0
    tools = Tools(job)
    with torch.inference_mode():
        warnings = tools.prepare()
        seconds, size = _try(job, tools, [entries[i] for i in range(min(TRIED, count))])
    left = max(count - done * job.part, 0)
    return Estimate(
        count,
        count * variants(job),
        parts,
        parts - done,
        None if seconds is None else seconds * left,
        None if size is None else round(size * count),
        tuple(warnings),
    )


def _try(job: Job, tools: Tools, entries: Iterable[Entry]) -> tuple[float | None, float | None]:
    """Seconds and bytes an item; None where none of them can be used."""
    times, sizes = [], []
    for number, entry in enumerate(entries):
        started = time.perf_counter()
        try:
            made = run_steps([read_piece(number, entry, "tried", tools)], tools)
            files = [file for piece in made for file in files_of(piece, job.sink, {})]
        except StyleMixError:
            continue
        times.append(time.perf_counter() - started)
        sizes.append(sum(len(file.data) + BLOCK for file in files))
    if not times:
        return None, None
    times = times[1:] or times  # the first also gets ready
    return sum(times) / len(times), sum(sizes) / len(sizes)
