"""Checkpoint files, and files of codes: convert, inspect."""

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import StyleMixError
from ..wording import counted
from . import arguments
from .batch import Batch
from .choices import PARTS
from .paths import LATENTS, file_name, unique
from .verb import Options, Place, group, overwrite, strict, verb

if TYPE_CHECKING:
    from ..checkpoints import CheckpointInfo

SHOWN = 10
"""Origins of codes that are printed, at most."""


def check_target(options: Options) -> None:
    if len(options.files) > 1 and names_file(options.out):
        raise StyleMixError(
            f"--out names one file, {options.out}, for {len(options.files)} checkpoints; name a folder, or give one "
            "checkpoint"
        )


def names_file(out: Path) -> bool:
    return out.suffix.lower() == LATENTS and not out.is_dir()


@verb(
    "Write checkpoints as safetensors, which load faster and cannot run code.",
    group(
        click.option(
            "--out",
            type=Place(LATENTS),
            default="stylemix_convert",
            help="Folder for results, or a .safetensors file for one.",
        ),
        overwrite,
    ),
    'FILES are checkpoint files of any supported format, or "demo".',
    checks=(check_target,),
)
@click.argument(
    "files", nargs=-1, required=True, callback=arguments.some(arguments.check_model, arguments.model_files)
)
@click.option(
    "--part",
    type=click.Choice((*PARTS, "both")),
    help="Only the generator or the encoder (all that is there).",
)
@click.option(
    "--dtype", type=click.Choice(("float32", "float16")), default="float32", help="float16 halves the file."
)
@strict
def convert(options: Options) -> None:
    from ..checkpoints import convert_checkpoint, inspect_checkpoint
    from .files import say

    names = unique([file_name(Path(file).stem) for file in options.files])
    targets = [options.out / f"{name}{LATENTS}" for name in names]
    if names_file(options.out):
        targets = [options.out]
    batch, next_target = Batch(options), iter(targets).__next__

    def read(file: str) -> str:
        save = partial(convert_checkpoint, file, dtype=options.dtype, part=options.part)
        written = options.results.file(next_target(), save)
        return f"{written}: {inspect_checkpoint(written).summary()}"

    for _, text in batch.each(options.files, read):
        say(options, text)
    batch.end()


@verb(
    "Say what checkpoint files are, without loading them, and what files of W+ codes hold.",
    about='FILES are checkpoint files, files of W+ codes, directions or tunings, or "demo".',
)
@click.argument(
    "files", nargs=-1, required=True, callback=arguments.some(arguments.check_model, arguments.model_files)
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file.")
@strict
def inspect(options: Options) -> None:
    from .files import say

    batch = Batch(options)
    for _, text in batch.each(options.files, lambda file: describe(file, options.as_json), told=False):
        say(options, text)
    batch.end()


def describe(file: str, as_json: bool) -> str:
    """What `inspect` tells of a file."""
    from ..checkpoints import inspect_checkpoint
    from ..codes.latents import holds_latents

    if holds_latents(file):
        return describe_codes(file, as_json)
    info: CheckpointInfo = inspect_checkpoint(file)
    if as_json:
        return json.dumps({"file": file} | dataclasses.asdict(info))
    options = ", ".join(f"{name}={value}" for name, value in sorted(info.opts.items()))
    return f"{file}: {info.summary()}" + (f"\n  options: {options}" if options else "")


def describe_codes(file: str, as_json: bool) -> str:
    """Say what a file of W+ codes holds, where they come from, and which generator they are for."""
    from ..checkpoints import inspect_checkpoint
    from ..codes.latents import load_latents
    from ..generator.fingerprint import picture_shape

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
