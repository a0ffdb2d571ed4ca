"""A job on a Ray cluster: Ray Data hands parts to a pool of workers, which write them where all machines see them.

Parts' numbers and counts are all that goes through Ray's memory, however large pictures are.
"""

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StyleMixError
from .job import Job
from .work import Done, Worker

STORE_BYTES = 256 << 20
"""Ray's memory on this machine, for "local"."""
TRIES = 4
"""How many workers a part may cost; Ray itself would give it to new ones for ever."""


class Actor:
    """One of the workers; it has the networks in its memory from the first part to the last."""

    def __init__(self, job: Job, folder: Path, threads: int):
        self.made_of = job, folder, threads
        self.worker: Worker | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """What became of the parts. Errors are told as texts: Ray's own wrap and colour them."""
        parts = [int(part) for part in batch["part"]]
        try:
            for part in parts:
                count_try(self.made_of[1], part)
            if self.worker is None:
                self.worker = Worker(*self.made_of)
            done = list(self.worker.run(parts))
        except StyleMixError as error:
            return {
                "part": parts,
                "rows": [0] * len(parts),
                "failed": [0] * len(parts),
                "error": [str(error)] * len(parts),
            }
        return {
            "part": [one.part for one in done],
            "rows": [one.rows for one in done],
            "failed": [one.failed for one in done],
            "error": [""] * len(done),
        }


def count_try(folder: Path, part: int) -> None:
    """`StyleMixError` where too many workers died at a part."""
    with (folder / "tries" / str(part)).open("ab") as tries:
        tries.write(b".")
        if tries.tell() > TRIES:
            raise StyleMixError(
                f"{TRIES} workers died at part {part}; Ray's logs say why, and often it is memory: give a smaller "
                "batch, or fewer workers"
            )


@dataclass(frozen=True)
class Cluster:
    """Where a job's parts are done."""

    address: str
    """Of a Ray cluster, or "local"."""
    workers: int | None = None
    """Processes; None for as many as this machine's processors have room for."""
    gpus: float = 0.0
    """Of each process."""

    def __post_init__(self) -> None:
        try:
            import ray  # noqa: F401
        except ImportError:
            raise StyleMixError('a cluster needs Ray; install it: pip install "ray[data]"') from None
        if self.workers is not None and self.workers < 1:
            raise StyleMixError(f"workers is {self.workers}; give 1 or more")

    def run(self, job: Job, folder: Path, parts: Sequence[int], threads: int) -> Iterator[Done]:
        """Do parts. A worker that dies is replaced, and its part done again."""
        import ray
        import ray.data

        count = self.workers or max((os.cpu_count() or 1) // threads, 1)
        if ray.is_initialized():
            raise StyleMixError("this process uses Ray already; call ray.shutdown() first")
        connect(ray, self.address, count * threads)
        tries = folder / "tries"
        shutil.rmtree(tries, ignore_errors=True)
        tries.mkdir()
        try:
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            ray.data.DataContext.get_current().enable_progress_bars = False
            items = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
            done = items.map_batches(
                Actor,
                fn_constructor_args=(job, folder, threads),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=min(count, len(parts))),
                num_cpus=threads,
                num_gpus=self.gpus or None,
            )
            for row in done.iter_rows():
                if row["error"]:
                    raise StyleMixError(row["error"])
                yield Done(int(row["part"]), int(row["rows"]), int(row["failed"]))
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1][:300]
            raise StyleMixError(
                f"Ray failed ({reason}); parts that are done are whole, and the same command goes on"
            ) from error
        finally:
            ray.shutdown()
            shutil.rmtree(tries, ignore_errors=True)


def connect(ray: Any, address: str, cpus: int) -> None:
    """Start a cluster of this machine, or join the one at an address."""
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == "local":
            ray.init(
                address="local",
                num_cpus=cpus,
                object_store_memory=STORE_BYTES,
                include_dashboard=False,
                **quiet,
            )
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise StyleMixError(
            f"there is no Ray cluster at {address!r} ({str(error).splitlines()[0][:200]}); start one by "
            'ray start --head, or say "local"'
        ) from None
