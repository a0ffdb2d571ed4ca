"""Checkpoint files, and files of codes: convert, inspect."""

import argparse
import dataclasses
import json
from pathlib import Path

from ..checkpoints import convert_checkpoint, inspect_checkpoint
from ..errors import StyleMixError
from ..latents import holds_latents, load_latents, picture_shape
from ..progress import ProgressBar
from ..texts import counted
from .files import LATENTS, file_name, unique

SHOWN = 10
"""Origins of codes that are printed, at most."""


def convert(options: argparse.Namespace) -> None:
    names = unique([file_name(Path(file).stem) for file in options.files])
    targets = [options.out / f"{name}{LATENTS}" for name in names]
    if options.out.suffix.lower() == LATENTS and not options.out.is_dir():
        if len(targets) > 1:
            raise StyleMixError(
                f"--out names one file, {options.out}, for {len(targets)} checkpoints; name a folder, or give one "
                "checkpoint"
            )
        targets = [options.out]
    bar = ProgressBar(len(targets), "convert")
    for i, (target, file) in enumerate(zip(targets, options.files)):
        info = convert_checkpoint(file, target, options.dtype, options.part)
        bar.update(i + 1)
        print(f"{target}: {info.summary()}")
    bar.close()


def inspect(options: argparse.Namespace) -> None:
    for file in options.files:
        if holds_latents(file):
            inspect_codes(file, options.json)
            continue
        info = inspect_checkpoint(file)
        if options.json:
            print(json.dumps({"file": str(file)} | dataclasses.asdict(info)))
            continue
        print(f"{file}: {info.summary()}")
        if info.opts:
            print("  options: " + ", ".join(f"{name}={value}" for name, value in sorted(info.opts.items())))


def inspect_codes(file: str, as_json: bool) -> None:
    """Say what a file of W+ codes holds, where they come from, and which generator they are for."""
    latents = load_latents(file)
    count, num_ws, w_dim = latents.w.shape
    beyond = {"codes of the to-RGBs": latents.w_rgb, "style channels": latents.channels}
    held = [name for name, tensor in beyond.items() if tensor is not None]
    held += [counted(len(latents.regions), "region")] if latents.regions else []
    if as_json:
        print(
            json.dumps(
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
        )
        return
    height, width = picture_shape(num_ws, latents.generator)
    whose = "an unknown generator"
    if latents.generator is not None:
        bundled = latents.generator == inspect_checkpoint("demo").generator_fingerprint
        whose = f"{'the bundled demo generator' if bundled else 'the generator'} (fingerprint {latents.generator})"
    print(
        f"{file}: {counted(count, 'W+ code')} of {num_ws} w vectors of {w_dim}"
        + (f", with {' and '.join(held)}" if held else "")
        + f", for {whose}, which draws {width}×{height} pictures. They are a source or a style."
    )
    for number, origin in enumerate(latents.origins[:SHOWN]):
        print(f"  {number}: {origin}")
    if count > SHOWN:
        print(f"  … and {count - SHOWN} more")
