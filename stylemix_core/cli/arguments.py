"""Options that several commands share, and how their texts are read."""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ..injection import (
    PAIRINGS,
)

MAX_SEEDS = 100_000


def add_sources(parser: argparse.ArgumentParser, required: bool = True) -> None:
    source = parser.add_mutually_exclusive_group(required=required)
    source.add_argument("--source", nargs="+", type=Path, help="W+ files, pictures or folders of them")
    source.add_argument("--seeds", type=seed_list, help="sample the sources: for instance 0-3,7")


def add_source_and_style(parser: argparse.ArgumentParser) -> None:
    """What `source_and_style` reads."""
    add_sources(parser)
    parser.add_argument(
        "--style", nargs="+", type=Path, required=True, help="W+ files, pictures or folders of them"
    )


def add_mixing(parser: argparse.ArgumentParser, masks: str) -> None:
    """What `mixed_codes` reads."""
    add_source_and_style(parser)
    parser.add_argument(
        "--masks",
        default=masks,
        help='mask list, or a .txt file of one, as find writes (default "%(default)s")',
    )
    parser.add_argument(
        "--alpha", type=float, default=1.0, help="strength of terms without @, -2 to 3 (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="for random layers in the mask list (%(default)s)"
    )
    add_sampling(parser)
    add_models(parser, encoder=True)


def add_pairing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairing", choices=PAIRINGS, default="match", help="which source meets which style (%(default)s)"
    )


def add_sampling(parser: argparse.ArgumentParser, noise: bool = True) -> None:
    parser.add_argument(
        "--psi", type=float, default=0.7, help="truncation: 1 varied, 0 average (%(default)s)"
    )
    parser.add_argument("--cutoff", type=int, default=None, help="truncate only layers before this one (all)")
    parser.add_argument("--class-label", type=int, default=None, help="class of a conditional generator")
    if noise:
        parser.add_argument(
            "--noise", choices=("const", "random", "none"), default="const", help="noise (%(default)s)"
        )


def add_models(parser: argparse.ArgumentParser, encoder: bool = False) -> None:
    parser.add_argument(
        "--generator",
        help="generator checkpoint (the one in the encoder's file if it has one, else the bundled demo)",
    )
    parser.add_argument("--tuning", type=Path, help="a generator's tuning that stylemix invert has saved")
    if encoder:
        parser.add_argument("--encoder", default="demo", help="encoder checkpoint (the bundled demo)")
        parser.add_argument(
            "--align",
            choices=("auto", "always", "never"),
            default="auto",
            help="crop pictures to the largest face; auto: unless they are such crops already, or the encoder reads "
            "sketches or label maps (%(default)s)",
        )
    parser.add_argument("--device", default=None, help="cpu, cuda, mps (the fastest there is)")
    parser.add_argument("--dtype", default="float32", help="auto, float32, float16 or bfloat16 (%(default)s)")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="on a CPU, draw with code that PyTorch compiles: at most a tenth faster, after up to a minute",
    )


def any_case(choices: Sequence[str]) -> Callable[[str], str]:
    """For `type`: the choice that a text means, whatever the case of its letters."""

    def read(text: str) -> str:
        return next((choice for choice in choices if choice.casefold() == text.casefold()), text)

    return read


def named_mask(text: str) -> tuple[str, Path]:
    """Name and file of "hat=hat.png"."""
    name, _, path = text.partition("=")
    if not name.strip() or not path:
        raise argparse.ArgumentTypeError(f"{text!r} names no region and file; write for instance hat=hat.png")
    return name.strip(), Path(path)


def seed_list(text: str) -> list[int]:
    """Seeds of "0-3,7", each once."""
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise argparse.ArgumentTypeError(
                f"{part!r} is no seed or range of seeds; write for instance 0-3,7"
            )
        if last - first >= MAX_SEEDS:
            raise argparse.ArgumentTypeError(
                f"{part!r} asks for {last - first + 1} pictures; write for instance 0-3,7, {MAX_SEEDS} at most"
            )
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return list(seeds)
