"""What a job's folder is of: kept beside its results, and compared by every run."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..device import resolve_device
from ..errors import StyleMixError
from ..files.writing import replacing, sha256
from .chain import Inject, Regions, Vary
from .job import Job
from .schema import shown
from .sink import Store
from .steps import direction_files

DEMO = Path(__file__).parent.parent / "demo"


def begin(job: Job, folder: Path) -> dict[str, Any]:
    """Write what the job is and what computes it, or read that again. `StyleMixError` names what differs."""
    path = folder / "job.json"
    told = job.described() | {"inputs": checksums(job), "stylemix": __version__}
    if not path.exists():
        made = told | computed_by(job)
        with replacing(path) as partial:
            partial.write_text(json.dumps(made, indent=1) + "\n", encoding="ascii")
        return made
    known = read_job(folder)
    compared = {key: known[key] for key in told}
    for one in (told, compared):
        one["models"] = one["models"] | {"identity": None}  # of reports alone
    for key, now, then in different(told, compared):
        if key == "stylemix":
            raise StyleMixError(
                f"{folder} was begun by StyleMix {then}, and this is {now}, which may give other results: choose a "
                f"new folder, or go on with StyleMix {then}"
            )
        raise StyleMixError(
            f"{folder} is of another job: {key} was {shown(then)}, and is {shown(now)} now. Choose a new folder, or "
            "give the job as it was"
        )
    return known


def computed_by(job: Job) -> dict[str, str]:
    """What else last bits depend on."""
    return {"torch": torch.__version__, "device": str(resolve_device(job.models.device))}


def changed(known: dict[str, Any], job: Job) -> list[str]:
    """Sentences to warn with where a job goes on with something else than it began with."""
    return [
        f"the job began with {name} {known[name]} and goes on with {now}; its results may differ in last bits"
        for name, now in computed_by(job).items()
        if known[name] != now
    ]


def read_job(folder: Path) -> dict[str, Any]:
    """What `begin` wrote. `StyleMixError` where there is none that can be read."""
    path = folder / "job.json"
    try:
        known: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
        job_in(known, folder)
        for key in ("inputs", "stylemix", "torch", "device"):
            known[key]
    except FileNotFoundError:
        raise StyleMixError(f"{folder} is no folder of a job: it has no job.json") from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StyleMixError(f"{path} is damaged ({error}); give the job a new folder") from None
    return known


def job_in(known: dict[str, Any], folder: Path) -> Job:
    """The job that `begin` described."""
    keys = ("source", "steps", "models", "part", "batch")
    return Job.of({key: known[key] for key in keys} | {"sink": known["sink"] | {"folder": str(folder)}})


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
        used = [file for file, _, _ in direction_files(step)]
        if isinstance(step, Inject):
            used += step.style
        if isinstance(step, Vary):
            used += [factor.style for factor in step.factors.values() if factor.style is not None]
        if isinstance(step, Regions) and step.file is not None:
            used.append(step.file)
        paths |= {f"steps[{place}] {number}": Path(file) for number, file in zip(count(1), used)}
    try:
        return {name: sha256(path) for name, path in paths.items()}
    except OSError as error:
        raise StyleMixError(f"{error.filename} cannot be read: {error.strerror}") from None


class Retry:
    """The parts that are to be done again because something failed in them. They stay as they are until they are
    replaced, and are kept in a file until all are, so that a retry that is stopped goes on."""

    NAME = "retry.json"

    def __init__(self, store: Store, done: set[int]):
        self.store, self.path = store, store.folder / self.NAME
        if self.path.exists():
            self.parts: set[int] = {*json.loads(self.path.read_text(encoding="ascii"))} & done
        else:
            self.parts = {part for part in done if any(row["status"] != "ok" for row in store.rows_of(part))}
        self._write()

    def _write(self) -> None:
        with replacing(self.path) as partial:
            partial.write_text(json.dumps(sorted(self.parts)), encoding="ascii")

    def done(self, part: int) -> None:
        self.parts.discard(part)
        self._write()

    def end(self) -> None:
        self.path.unlink(missing_ok=True)
