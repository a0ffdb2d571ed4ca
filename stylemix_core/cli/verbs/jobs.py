"""Jobs of many pictures: run, reproduce, report."""

import json
from pathlib import Path

import click

from ...errors import StyleMixError
from ...wording import counted
from .. import options
from ..begin import begin, begin_results
from ..jobs import do
from ..options import PATH, Output
from ..reading import any_file, existing, number
from ..run import Run
from ..verb import verb

job_folder = click.argument(
    "folder", type=PATH, callback=existing("there is no folder of a job at {path}; check the path")
)


@verb(
    "Do what a job file says, for any number of pictures; or go on where it was stopped.",
    "JOB is a YAML file with a source, steps and a sink, as docs/scale.md describes them.",
)
@click.argument("job", type=PATH, callback=existing("there is no job file at {path}; check the path"))
@click.option(
    "--dry-run", is_flag=True, help="Tell what there is to do, how long it takes and how large it gets."
)
@click.option("--retry-failed", is_flag=True, help="Do parts again in which something failed.")
@click.option(
    "--ray",
    metavar="local|ADDRESS",
    shell_complete=any_file,
    help="Work on a Ray cluster: on this machine, or there.",
)
@click.option(
    "--workers",
    type=int,
    callback=number("workers", 1),
    help="With --ray: how many processes (one for every processor).",
)
@click.option(
    "--gpus",
    type=float,
    callback=number("gpus", 0),
    help="With --ray: how many each process has, such as 0.5.",
)
@click.option(
    "--threads",
    type=int,
    callback=number("threads", 1),
    help="Batches that each process works on at a time (one a processor; with --ray 1).",
)
@options.quiet
def run(
    run: Run,
    job: Path,
    dry_run: bool,
    retry_failed: bool,
    ray: str | None,
    workers: int | None,
    gpus: float | None,
    threads: int | None,
) -> None:
    if ray is None and (workers or gpus):
        raise StyleMixError("--workers and --gpus are of a cluster; say --ray local, or leave them out")
    begin()
    from ...jobs.job import Job
    from ...jobs.run import estimate_job

    described = Job.of(job)
    if dry_run:
        found = estimate_job(described)
        run.warn(found.warnings)
        run.say(str(found))
        return
    do(described, run, retry_failed, ray, workers, gpus or 0.0, threads)


@verb(
    "Make one picture of a job again, from its line of the index.",
    "FOLDER is the job's, or its index; ROW is the number of a line, from 0, or a key such as seed00000007.",
)
@options.output("reproduce")
@job_folder
@click.argument("row")
def reproduce(run: Run, output: Output, folder: Path, row: str) -> None:
    results = begin_results(output, run)
    from ...files.writing import replacing
    from ...jobs.reproduce import reproduce as make_again

    made = make_again(folder, row)
    if made.reason is not None:
        raise StyleMixError(f"{made.row['source']} failed again: {made.reason}")
    for file in made.files:

        def save(path: Path, data: bytes = file.data) -> None:
            with replacing(path) as partial:
                partial.write_bytes(data)

        results.file(output.out / f"{made.row['key']}{file.ending}", save)
    if made.differing:
        raise StyleMixError(
            f"{made.row['key']} differs from what the index says, in: {', '.join(made.differing)}; other processors "
            "and versions of PyTorch change last bits"
        )
    run.say(
        f"{made.row['key']}: {counted(len(made.files), 'file')} in {output.out}, to the bit as the index says"
    )


@verb(
    "Say what a job's data set is like: balance, leakage, near-duplicates, failures, and what to do.",
    "FOLDER is the job's.",
)
@options.output("report")
@job_folder
def report(run: Run, output: Output, folder: Path) -> None:
    results = begin_results(output, run)
    from ...jobs.report import report_job

    found = report_job(folder)
    results.text("report.json", json.dumps(found.as_json(), indent=1, ensure_ascii=False))
    run.say(str(found))
    run.say(f"also in {results.text('report.md', str(found))}")
