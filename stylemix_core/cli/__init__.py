"""The command `stylemix`: the nodes' jobs on files and folders.

Every command but `inspect` writes into `--out`. Bad input ends with exit code 2 and a message that says what to do:
one line, and for a mask list also where in it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from .. import __version__
from ..checkpoints import PARTS
from ..directions import METHODS as DIRECTION_METHODS
from ..directions import SAMPLES
from ..errors import StyleMixError
from ..finding import CARE, LEGEND, OTHERS
from ..injection import CHANNEL_SHARE, SPACES
from ..inversion import METHODS, QUALITIES
from ..masks import STUDY_SWEEP
from ..wishes import KINDS
from .arguments import (
    add_mixing,
    add_models,
    add_pairing,
    add_sampling,
    add_source_and_style,
    add_sources,
    any_case,
    named_mask,
    seed_list,
)
from .directions import directions
from .faces import demo, encode, generate, invert
from .layers import explain, find
from .mixing import matrix, mix, strip
from .models import convert, inspect


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        with torch.inference_mode():
            options.command(options)
    except (StyleMixError, OSError, torch.OutOfMemoryError) as error:
        print(f"stylemix {options.name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"stylemix {options.name}: stopped; every file written so far is whole", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stylemix", description="StyleGAN2 faces and pSp styles on the command line."
    )
    parser.add_argument("--version", action="version", version=f"stylemix {__version__}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="command")

    def add(name: str, command, summary: str, out: str = "folder for results") -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(command=command, out=Path("."))
        if out:
            sub.add_argument(
                "--out", type=Path, default=Path(f"stylemix_{name}"), help=f"{out} (%(default)s)"
            )
        return sub

    add("demo", demo, "The experiment on the bundled models: four faces, one bob, seven masks.")

    sub = add("generate", generate, "Sample faces: pictures and their W+ codes.")
    sub.add_argument("--seeds", type=seed_list, required=True, help="for instance 0-3,7")
    add_sampling(sub)
    add_models(sub)

    sub = add("encode", encode, "Read pictures into W+ codes, one file each, and draw them again.")
    sub.add_argument("pictures", nargs="+", type=Path, help="picture files or folders of them")
    add_models(sub, encoder=True)

    sub = add("invert", invert, "Find the W+ codes that draw pictures again, by optimisation.")
    sub.add_argument("pictures", nargs="+", type=Path, help="picture files or folders of them")
    sub.add_argument("--method", choices=METHODS, default="optimize", help="(%(default)s)")
    sub.add_argument(
        "--steps", type=int, default=200, help="steps of optimize; tune adds as many (%(default)s)"
    )
    sub.add_argument(
        "--quality", choices=tuple(QUALITIES), default="balanced", help="what to favour (%(default)s)"
    )
    sub.add_argument("--seed", type=int, default=0, help="of the random numbers (%(default)s)")
    sub.add_argument(
        "--mask",
        type=Path,
        help="a picture that is white where the pictures (or the crops to their faces) are to be matched",
    )
    sub.add_argument(
        "--features", help="encoder, gradients, or a file with VGG16's or LPIPS' weights (the best)"
    )
    add_models(sub, encoder=True)

    sub = add("mix", mix, "Inject layers of a style into faces through a mask list.")
    add_mixing(sub, STUDY_SWEEP)
    add_pairing(sub)
    sub.add_argument(
        "--space",
        type=any_case(SPACES),
        choices=SPACES,
        default="W+",
        help="what of a layer to take (%(default)s)",
    )
    sub.add_argument(
        "--region",
        nargs="+",
        type=Path,
        help="pictures that are white where the style acts: one, or one per mask of the list",
    )
    sub.add_argument(
        "--channel-share",
        type=float,
        default=CHANNEL_SHARE,
        help="with --space channels: how many act in the region (%(default)s)",
    )

    sub = add("matrix", matrix, "StyleGAN's style-mixing figure: every source with every style.")
    add_mixing(sub, "0-3")

    sub = add("strip", strip, "Inject layers of a style with rising strength.")
    add_mixing(sub, "all")
    add_pairing(sub)
    sub.add_argument("--from", dest="first", type=float, default=0.0, help="first strength (%(default)s)")
    sub.add_argument("--to", dest="last", type=float, default=1.0, help="last strength (%(default)s)")
    sub.add_argument("--count", type=int, default=5, help="how many strengths (%(default)s)")

    sub = add("directions", directions, "Find sliders that nobody had to train, show and apply them.")
    sub.add_argument(
        "--method",
        type=any_case(DIRECTION_METHODS),
        choices=DIRECTION_METHODS,
        default="SeFa",
        help="(%(default)s)",
    )
    sub.add_argument("--layers", default="all", help="where to find them, as in a mask (%(default)s)")
    sub.add_argument("--count", type=int, default=10, help="how many (%(default)s)")
    sub.add_argument(
        "--samples", type=int, default=SAMPLES, help="sampled w that GANSpace looks at (%(default)s)"
    )
    sub.add_argument("--seed", type=int, default=0, help="of GANSpace's samples (%(default)s)")
    sub.add_argument("--load", type=Path, help="take saved directions instead of finding some")
    sub.add_argument(
        "--name",
        dest="names",
        nargs="+",
        default=[],
        metavar="NUMBER:NAME",
        help="name directions, as in 1:smile",
    )
    add_sources(sub, required=False)
    sub.add_argument("--apply", metavar="DIRECTION", help="move the faces along one, by its number or name")
    sub.add_argument(
        "--strength", type=float, default=3.0, help="how far to apply, or to show both ways (%(default)s)"
    )
    sub.add_argument("--steps", type=int, default=5, help="strengths on the sheet (%(default)s)")
    sub.add_argument(
        "--masks",
        help="the layers to move: mask list, or a .txt file of one (those where the directions were found)",
    )
    add_sampling(sub)
    add_models(sub, encoder=True)

    sub = add("explain", explain, "Inject each layer of a style alone, and show what it changes and where.")
    add_source_and_style(sub)
    sub.add_argument(
        "--region",
        action="append",
        type=named_mask,
        metavar="NAME=FILE",
        help="a picture that is white inside a region, instead of those found in the face; may be repeated",
    )
    sub.add_argument(
        "--features", help="compare by a file with VGG16's or LPIPS' weights, or by encoder (colours)"
    )
    sub.add_argument("--arcface", type=Path, help="a file with ArcFace's weights, to tell identity (encoder)")
    add_sampling(sub, noise=False)
    add_models(sub, encoder=True)

    sub = add("find", find, "Search the layers that change a wished region, and little else.")
    sub.epilog = "The table's columns. " + " ".join(LEGEND)
    add_source_and_style(sub)
    sub.add_argument(
        "--target",
        required=True,
        help='what shall change, in words: "hair shape", "hair and skin colour", "eyes and mouth", "colours", '
        '"everything but the face"; or a picture that is white there',
    )
    sub.add_argument(
        "--keep", help="what must stay above all: a region, identity, or a picture that is white there"
    )
    sub.add_argument("--what", choices=KINDS, help="what of the target (what its words say, else anything)")
    sub.add_argument(
        "--care", type=float, default=CARE, help="how much the rest counts: 0.5 bold, 4 careful (%(default)s)"
    )
    sub.add_argument(
        "--steps", type=int, default=8, help="of the descent on strengths, 0 for none (%(default)s)"
    )
    sub.add_argument("--count", type=int, default=5, help="masks to list (%(default)s)")
    sub.add_argument(
        "--others",
        type=int,
        default=OTHERS,
        help="random faces that the layers are tried with too; 0 for this pair alone (%(default)s)",
    )
    sub.add_argument(
        "--arcface", type=Path, help="a file with ArcFace's weights, for --keep identity (encoder)"
    )
    add_sampling(sub, noise=False)
    add_models(sub, encoder=True)

    sub = add(
        "convert",
        convert,
        "Write checkpoints as safetensors, which load faster and cannot run code.",
        out="folder for results, or a .safetensors file for one",
    )
    sub.add_argument("files", nargs="+", help='checkpoint files of any supported format, or "demo"')
    sub.add_argument(
        "--part", choices=(*PARTS, "both"), help="only the generator or the encoder (all that is there)"
    )
    sub.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="float16 halves the file (%(default)s)",
    )

    sub = add(
        "inspect",
        inspect,
        "Say what checkpoint files are, without loading them, and what files of W+ codes hold.",
        out="",
    )
    sub.add_argument("files", nargs="+", help='checkpoint files, files of W+ codes, or "demo"')
    sub.add_argument("--json", action="store_true", help="print one JSON object per file")
    return parser
