"""The commands' own option of writing shards: their work as a job, so that any number of pictures will do."""

from typing import Any

import click

from ..errors import StyleMixError
from .options import GeneratorOptions, ModelOptions, Output
from .run import Run

shards = click.option(
    "--shards",
    is_flag=True,
    help="Write WebDataset shards and an index, as stylemix run does: for any number, and resumable.",
)


def run_shards(
    source: dict[str, Any], steps: list[Any], output: Output, models: GeneratorOptions, run: Run
) -> None:
    """Do a command's work as a job. `StyleMixError` where its options mean what shards have not."""
    if output.overwrite:
        raise StyleMixError(
            "--shards goes on with what is there; leave --overwrite out, or choose a new folder"
        )
    from .begin import begin
    from .verbs.jobs import do

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


def aligned(models: ModelOptions, size: int | None = None) -> list[Any]:
    """The step that crops faces as the options say, if any."""
    if models.align == "never":
        return []
    return [{"align": {"mode": models.align, "upright": models.upright, "size": size}}]
