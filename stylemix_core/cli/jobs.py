"""Jobs on the command line: those of files, and the commands that do their own work as one, by --shards."""

from typing import TYPE_CHECKING, Any

import click

from ..errors import StyleMixError
from ..wording import counted
from .options import GeneratorOptions, ModelOptions, Output
from .run import Run

if TYPE_CHECKING:
    from ..jobs.job import Job

shards = click.option(
    "--shards",
    is_flag=True,
    help="Write WebDataset shards and an index, as stylemix run does: for any number, and resumable.",
)


def do(
    job: "Job",
    run: Run,
    retry_failed: bool = False,
    ray: str | None = None,
    workers: int | None = None,
    gpus: float = 0.0,
    threads: int | None = None,
) -> None:
    """Run a job with a progress bar, and tell what became of it. `SomeFailed` where pictures could not be used."""
    from ..jobs.run import run_job
    from .batch import SomeFailed

    with run.progress(title="job") as bar:
        done = run_job(
            job,
            retry_failed=retry_failed,
            ray=ray,
            workers=workers,
            gpus=gpus,
            threads=threads,
            on_step=bar.step,
        )
    run.warn(done.warnings)
    run.say(f"{counted(done.rows - done.failed, 'result')} of {counted(done.items, 'item')} in {done.folder}")
    if done.failed:
        told = f"{done.failed} could not be used; why is in {done.index}, and --retry-failed tries them again"
        raise SomeFailed([told], 1 if done.rows > done.failed else 2)


def run_shards(
    source: dict[str, Any],
    steps: list[Any],
    output: Output,
    models: GeneratorOptions,
    run: Run,
    strict: bool = False,
) -> None:
    """Do a command's work as a job. `StyleMixError` where its options mean what shards have not."""
    if output.overwrite:
        raise StyleMixError(
            "--shards goes on with what is there; leave --overwrite out, or choose a new folder"
        )
    if strict:
        raise StyleMixError("--shards tells of failures in the index; leave --strict out")
    from .begin import begin

    begin()
    from ..jobs.job import Job

    described = {
        "generator": models.generator,
        "encoder": models.encoder,
        "tuning": None if models.tuning is None else str(models.tuning),
        "device": models.device,
        "dtype": models.dtype,
        "compile": models.compile,
    }
    sink = {"folder": str(output.out)}
    do(Job.of({"source": source, "steps": steps, "sink": sink, "models": described}), run)


def aligned(models: ModelOptions) -> list[Any]:
    """The step that crops faces as the options say, if any."""
    if models.align == "never":
        return []
    return [{"align": {"mode": models.align, "upright": models.upright}}]
