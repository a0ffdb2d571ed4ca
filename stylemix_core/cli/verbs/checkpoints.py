"""Checkpoint files, and files of codes: convert, inspect."""

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import StyleMixError
from ...files.names import file_name, unique
from ...wording import counted
from .. import options
from ..batch import Batch
from ..begin import begin, begin_results
from ..choices import PARTS
from ..options import Output
from ..paths import LATENTS, refuse_to_replace
from ..reading import any_file, check_model, model_files, some
from ..run import Run
from ..verb import verb

if TYPE_CHECKING:
    from ...checkpoints import CheckpointInfo

SHOWN = 10
"""Origins of codes that are printed, at most."""


checkpoint_files = click.argument(
    "files", nargs=-1, required=True, callback=some(check_model, model_files), shell_complete=any_file
)


@verb(
    "Write checkpoints as safetensors, which load faster and cannot run code.",
    'FILES are checkpoint files of any supported format, or "demo": the bundled generator, and with --part encoder the '
    "bundled encoder.",
)
@options.output("convert", "Folder for results, or a .safetensors file for one.", LATENTS)
@checkpoint_files
@click.option(
    "--part",
    type=click.Choice((*PARTS, "both")),
    help="Only the generator or the encoder (all that is there).",
)
@click.option(
    "--dtype", type=click.Choice(("float32", "float16")), default="float32", help="float16 halves the file."
)
@options.strict
def convert(run: Run, output: Output, files: list[str], part: str | None, dtype: str, strict: bool) -> None:
    targets = targets_of(files, output.out, part)
    if output.overwrite:
        refuse_to_replace(files, targets)
    results = begin_results(output, run)
    from ...checkpoints import convert_checkpoint, inspect_checkpoint

    batch, next_target = Batch(run, strict), iter(targets).__next__

    def read(file: str) -> str:
        save = partial(convert_checkpoint, file, dtype=dtype, part=part)
        written = results.file(next_target(), save)
        return f"{written}: {inspect_checkpoint(written).summary()}"

    for _, text in batch.each(files, read):
        run.say(text)
    batch.end()


def targets_of(files: list[str], out: Path, part: str | None) -> list[Path]:
    """Where each file, or its part, goes. `StyleMixError` where several would go into one."""
    if out.suffix.lower() != LATENTS or out.is_dir():
        suffix = f"_{part}" if part in PARTS else ""
        names = unique([file_name(Path(file).stem + suffix) for file in files])
        return [out / f"{name}{LATENTS}" for name in names]
    if len(files) > 1:
        raise StyleMixError(
            f"--out names one file, {out}, for {len(files)} checkpoints; name a folder, or give one checkpoint"
        )
    return [out]


@verb(
    "Say what checkpoint files are, without loading them, and what files of codes, directions and tunings hold.",
    'FILES are checkpoint files, files of W+ codes, directions or tunings, or "demo".',
)
@options.quiet
@checkpoint_files
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file.")
@options.strict
def inspect(run: Run, files: list[str], as_json: bool, strict: bool) -> None:
    begin()
    batch = Batch(run, strict)
    for _, text in batch.each(files, lambda file: describe(file, as_json), told=False):
        run.say(text)
    batch.end()


def describe(file: str, as_json: bool) -> str:
    """What `inspect` tells of a file."""
    from ...checkpoints import inspect_checkpoint
    from ...codes.foreign_files import describe_foreign
    from ...codes.latents import holds_latents

    found = None if file == "demo" else describe_foreign(Path(file))
    if found is not None:
        return (
            json.dumps({"file": file, "format": "foreign", "found": found}) if as_json else f"{file}: {found}"
        )
    if holds_latents(file):
        return describe_codes(file, as_json)
    info: CheckpointInfo = inspect_checkpoint(file)
    if as_json:
        return json.dumps({"file": file} | dataclasses.asdict(info))
    trained = ", ".join(f"{name}={value}" for name, value in sorted(info.opts.items()))
    return f"{file}: {info.summary()}" + (f"\n  options: {trained}" if trained else "")


def describe_codes(file: str, as_json: bool) -> str:
    """Say what a file of W+ codes holds, where they come from, and which generator they are for."""
    from ...checkpoints import inspect_checkpoint
    from ...codes.latents import load_latents
    from ...generator.fingerprint import picture_shape

    latents = load_latents(file)
    count, num_ws, w_dim = latents.w.shape
    beyond = {"codes of the to-RGBs": latents.w_rgb, "style channels": latents.channels}
    held = [name for name, tensor in beyond.items() if tensor is not None]
    held += [counted(len(latents.regions), "region")] if latents.regions else []
    if as_json:
        return json.dumps(
            {
                "file": file,
                "format": "W+ codes",
                "codes": count,
                "num_ws": num_ws,
                "w_dim": w_dim,
                "beyond": held,
                "generator_fingerprint": latents.generator,
                "origins": latents.origins,
            }
        )
    height, width = picture_shape(num_ws, latents.generator)
    whose = "an unknown generator"
    if latents.generator is not None:
        bundled = latents.generator == inspect_checkpoint("demo").generator_fingerprint
        whose = f"{'the bundled demo generator' if bundled else 'the generator'} (fingerprint {latents.generator})"
    lines = [
        f"{file}: {counted(count, 'W+ code')} of {num_ws} w vectors of {w_dim}"
        + (f", with {' and '.join(held)}" if held else "")
        + f", for {whose}, which draws {width}×{height} pictures. They are a source or a style."
    ]
    lines += [f"  {number}: {origin}" for number, origin in enumerate(latents.origins[:SHOWN])]
    if count > SHOWN:
        lines.append(f"  … and {count - SHOWN} more")
    return "\n".join(lines)
