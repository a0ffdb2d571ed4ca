"""A job on a Ray cluster: Ray Data hands parts to a pool of workers, which write them where all machines see them.

Parts' numbers and counts are all that goes through Ray's memory, however large pictures are.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import StyleMixError
from .job import Job
from .work import Done, Worker

STORE_BYTES = 256 << 20
"""Ray's memory on this machine, for "local"."""


class Actor:
    """One of the workers; it has the networks in its memory from the first part to the last."""

    def __init__(self, job: Job, folder: Path, threads: int):
        self.worker = Worker(job, folder, threads)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        done = list(self.worker.run([int(part) for part in batch["part"]]))
        return {
            "part": [one.part for one in done],
            "rows": [one.rows for one in done],
            "failed": [one.failed for one in done],
        }


def run_parts(
    job: Job,
    folder: Path,
    parts: Sequence[int],
    threads: int,
    address: str,
    workers: int | None,
    gpus: float,
) -> Iterator[Done]:
    """Do parts by so many workers. One that dies is replaced, and its part done again."""
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    try:
        import ray
        import ray.data
    except ImportError:
        raise StyleMixError("a cluster needs Ray; install it: pip install stylemix[ray]") from None
    count = workers or max((os.cpu_count() or 1) // threads, 1)
    if ray.is_initialized():
        raise StyleMixError("this process uses Ray already; call ray.shutdown() first")
    connect(ray, address, count * threads)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        items = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
        done = items.map_batches(
            Actor,
            fn_constructor_args=(job, folder, threads),
            batch_size=1,
            concurrency=min(count, len(parts)),
            num_cpus=threads,
            num_gpus=gpus or None,
            max_restarts=-1,
            max_task_retries=-1,
        )
        for row in done.iter_rows():
            yield Done(int(row["part"]), int(row["rows"]), int(row["failed"]))
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, StyleMixError):
            raise cause from None
        raise StyleMixError(f"a worker failed: {cause}") from error
    except ray.exceptions.RayError as error:
        raise StyleMixError(
            f"Ray failed: {error}; parts that are done are whole, the same command goes on"
        ) from error
    finally:
        ray.shutdown()


def connect(ray: Any, address: str, cpus: int) -> None:
    """Start a cluster of this machine, or join the one at an address."""
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == "local":
            ray.init(address="local", num_cpus=cpus, object_store_memory=STORE_BYTES, **quiet)
        else:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise StyleMixError(
            f"there is no Ray cluster at {address!r} ({str(error).splitlines()[0][:200]}); start one by "
            'ray start --head, or say "local"'
        ) from None
