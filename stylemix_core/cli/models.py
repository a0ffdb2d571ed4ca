"""Checkpoint files: convert, inspect."""

import argparse
import dataclasses
import json

from ..checkpoints import convert_checkpoint, inspect_checkpoint
from ..errors import StyleMixError
from ..progress import ProgressBar
from .files import LATENTS, file_name, unique


def convert(options: argparse.Namespace) -> None:
    names = unique([file_name(path.stem) for path in options.files])
    targets = [options.out / f"{name}{LATENTS}" for name in names]
    if options.out.suffix.lower() == LATENTS and not options.out.is_dir():
        if len(targets) > 1:
            raise StyleMixError(
                f"--out names one file, {options.out}, for {len(targets)} checkpoints; name a folder, or give one "
                "checkpoint"
            )
        targets = [options.out]
    bar = ProgressBar(len(targets), "convert")
    for i, (target, path) in enumerate(zip(targets, options.files)):
        info = convert_checkpoint(path, target, options.dtype, options.part)
        bar.update(i + 1)
        print(f"{target}: {info.summary()}")
    bar.close()


def inspect(options: argparse.Namespace) -> None:
    for file in options.files:
        info = inspect_checkpoint(file)
        if options.json:
            print(json.dumps({"file": str(file)} | dataclasses.asdict(info)))
            continue
        print(f"{file}: {info.summary()}")
        if info.opts:
            print("  options: " + ", ".join(f"{name}={value}" for name, value in sorted(info.opts.items())))
