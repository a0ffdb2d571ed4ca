"""The sheet that lies beside a data set: what made it, of what, by whose weights, under which licence."""

import json
from pathlib import Path

from ..checkpoints import inspect_checkpoint
from ..errors import StyleMixError
from ..files.writing import replacing
from .job import Job
from .plan import Plan


def write_datasheet(job: Job, folder: Path, plan: Plan, rows: int, failed: int) -> None:
    """Write DATASHEET.md, after Gebru et al., Datasheets for Datasets (arXiv:1803.09010), as far as a program knows."""
    known = json.loads((folder / "job.json").read_text(encoding="ascii"))
    source = job.source
    of = (
        f"seeds {source.seeds}, psi {source.psi:g}"
        if source.kind == "seeds"
        else f"{plan.count} {source.kind}"
    )
    lines = [
        "# Data sheet",
        "",
        "| | |",
        "|---|---|",
        f"| made by | StyleMix {known['stylemix']}, PyTorch {known['torch']} on {known['device']} |",
        f"| of | {of} |",
        f"| steps | {', '.join(step.name for step in job.steps)} (options: job.json) |",
        f"| results | {rows - failed} in {plan.parts} parts, {failed} failed with reasons in the index |",
        *(f"| {part} | {text} |" for part, text in networks(job)),
        *(f"| {name} | sha256 {checksum} |" for name, checksum in known["inputs"].items()),
        "",
        "Pictures that a network draws are of nobody, but look as those that it was trained on, with all that these",
        "leave out. Ask of its licence and of theirs before you publish them. People in photographs have rights of",
        "their own.",
        "",
        f"To make one picture again: `stylemix reproduce {folder.name} ROW`. To look at what the data set is like:",
        f"`stylemix report {folder.name}`.",
        "",
    ]
    with replacing(folder / "DATASHEET.md") as partial:
        partial.write_text("\n".join(lines), encoding="utf-8", errors="replace")


def networks(job: Job) -> list[tuple[str, str]]:
    """What the job's models are, and what their files say of their licence."""
    found = []
    for part, path in (("generator", job.models.generator or "demo"), ("encoder", job.models.encoder)):
        try:
            info = inspect_checkpoint(path, part)
        except StyleMixError:  # no file of the encoder's is needed to draw seeds
            continue
        name = "the bundled demo" if path == "demo" else Path(path).name
        licence = info.licence or "not told by the file: ask where it came from"
        found.append((part, f"{name}: {info.format}; licence: {licence}"))
    return found
