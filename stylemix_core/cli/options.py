"""Options that several verbs share, and the frozen dataclasses in which verbs get them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..errors import StyleMixError
from .choices import ALIGN_MODES, NOISE_MODES, PAIRINGS, PRECISIONS
from .paths import CODES, PICTURES, mask_text
from .reading import (
    any_file,
    any_folder,
    device,
    files,
    finite,
    model_file,
    number,
    place,
    pose_file,
    reading,
    seed_list,
    some_files,
    strength,
)
from .run import Run
from .verb import Decorator, gathered, in_order

MIN_PSI, MAX_PSI = -2.0, 2.0

PATH = click.Path(readable=False, path_type=Path)
"""A path that shells complete. Callbacks say what is wrong with it."""

quiet = click.option(
    "--quiet",
    "run",
    is_flag=True,
    callback=lambda ctx, param, value: Run(ctx.command.name, value),
    help="Print warnings and errors only.",
)
"""Every verb has it, and gets its `Run`."""


@dataclass(frozen=True)
class Output:
    """Where results go."""

    out: Path
    overwrite: bool


def output(name: str, help: str = "Folder for results.", ending: str | None = None) -> Decorator:
    """For verbs that write files. ending: of a file that may be named instead of a folder."""
    folder = click.option(
        "--out",
        metavar="FOLDER",
        default=f"stylemix_{name}",
        callback=place(ending),
        shell_complete=any_folder if ending is None else any_file,
        help=help,
    )
    overwrite = click.option(
        "--overwrite",
        is_flag=True,
        help="Replace files of earlier runs in that folder. Without it, they are kept, and new ones get a number.",
    )
    return in_order(gathered("output", Output, folder, overwrite), quiet)


pictures = click.argument("pictures", nargs=-1, required=True, type=PATH, callback=some_files(PICTURES))
"""Files, or folders of them."""

strict = click.option("--strict", is_flag=True, help="Stop at the first file that cannot be used.")


def code_files(name: str, **more: Any) -> Decorator:
    """An option for whatever W+ codes are read from."""
    return click.option(
        name,
        multiple=True,
        metavar="PATH...",
        type=PATH,
        callback=files(CODES),
        help="W+ files, pictures or folders of them.",
        **more,
    )


@dataclass(frozen=True)
class Sources:
    """Where the faces come from that are worked on: one of both."""

    source: list[Path]
    seeds: list[int] | None


def one_source(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """For `--seeds`, after the eager `--source`: they exclude each other."""
    if value is not None and ctx.params["source"]:
        raise click.UsageError("--source and --seeds exclude each other; give one of them", ctx)
    return None if value is None else seed_list(value)


def one_source_at_least(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """`one_source`, where one of both must be given."""
    if value is None and not ctx.params["source"]:
        raise click.UsageError("give --source or --seeds", ctx)
    return one_source(ctx, param, value)


def sources(required: bool = True) -> Decorator:
    seeds = click.option(
        "--seeds",
        callback=one_source_at_least if required else one_source,
        help="Sample the sources: for instance 0-3,7.",
    )
    return gathered("sources", Sources, code_files("--source", is_eager=True), seeds)


style = code_files("--style", required=True)


@dataclass(frozen=True)
class Truncation:
    """How far codes are moved to the average."""

    psi: float
    cutoff: int | None


@dataclass(frozen=True)
class Sampling(Truncation):
    """How faces are made of seeds."""

    class_label: int | None


psi_and_cutoff = in_order(
    click.option(
        "--psi",
        type=float,
        default=0.7,
        callback=number("truncation_psi", MIN_PSI, MAX_PSI, ", usually 0 to 1"),
        help="Truncation: 1 varied, 0 average.",
    ),
    click.option(
        "--cutoff",
        type=int,
        callback=number("truncation_cutoff", 0, usual=" layers, or none of it for all"),
        help="Truncate only layers before this one.",
    ),
)

truncation = gathered("truncation", Truncation, psi_and_cutoff)

sampling = gathered(
    "sampling",
    Sampling,
    psi_and_cutoff,
    click.option(
        "--class-label",
        type=int,
        callback=number("class_label", 0),
        help="Class of a conditional generator.",
    ),
)

noise = click.option(
    "--noise", type=click.Choice(NOISE_MODES), default="const", help="Noise of the pictures."
)


@dataclass(frozen=True)
class Moving:
    """Where StyleGAN3 puts its pictures."""

    translate: tuple[float, float] | None
    rotate: float | None
    poses: Path | None = None

    def __post_init__(self) -> None:
        if self.poses is not None and (self.translate, self.rotate) != (None, None):
            raise StyleMixError("--poses excludes --translate and --rotate; give either")


_translate = click.option(
    "--translate",
    type=float,
    nargs=2,
    metavar="X Y",
    callback=reading(lambda pair: tuple(finite("translate", value) for value in pair)),
    help="StyleGAN3: shift right and down, in picture widths.",
)
_rotate = click.option(
    "--rotate",
    type=float,
    metavar="DEGREES",
    callback=reading(lambda value: finite("rotate", value)),
    help="StyleGAN3: turn counter-clockwise, before shifting.",
)


_poses = click.option(
    "--poses",
    type=PATH,
    metavar="FILE",
    callback=reading(pose_file),
    help="StyleGAN3: turn faces as in a photo, or by stylegan3-editing's landmarks_transforms.npy.",
)
moving = gathered("moving", Moving, _translate, _rotate)
moving_or_posed = gathered("moving", Moving, _translate, _rotate, _poses)


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions:
    """The generator asked for, and how it runs."""

    generator: str | None
    tuning: Path | None
    device: str | None
    dtype: str
    compile: bool
    encoder: str = "demo"
    """Its file may bring the generator along."""
    iteration: int = -1
    """Of codes that keep their steps."""


@dataclass(frozen=True, kw_only=True)
class ModelOptions(GeneratorOptions):
    """A generator, and an encoder that reads pictures."""

    align: str
    upright: bool


generator_file = in_order(
    click.option(
        "--generator",
        callback=model_file("demo"),
        shell_complete=any_file,
        help="Generator checkpoint (the one in the encoder's file if it has one, else the bundled demo).",
    ),
    click.option(
        "--tuning",
        type=PATH,
        callback=model_file(),
        help="A generator's tuning that stylemix invert has saved.",
    ),
)

upright = click.option(
    "--upright", is_flag=True, help="Look for upright faces only, which is quicker; photos are not turned."
)

encoder_file = in_order(
    click.option(
        "--encoder",
        default="demo",
        callback=model_file("demo"),
        shell_complete=any_file,
        help="Encoder checkpoint (the bundled demo).",
    ),
    click.option(
        "--align",
        type=click.Choice(ALIGN_MODES),
        default="auto",
        help="Crop pictures to the largest face; auto: unless they are such crops already, or the encoder reads "
        "sketches or label maps.",
    ),
    upright,
)

running = in_order(
    click.option(
        "--device", callback=reading(device), help="cpu, cuda, cuda:1 and so on, mps (the fastest there is)."
    ),
    click.option("--dtype", type=click.Choice(PRECISIONS), default="float32", help="Precision."),
    click.option(
        "--compile",
        is_flag=True,
        help="On a CPU, draw with code that PyTorch compiles: at most a tenth faster, after up to a minute.",
    ),
)

iteration = click.option(
    "--iteration",
    type=int,
    default=-1,
    help="Which one of codes that keep their steps, as ReStyle's do: from 0, or negative from the last.",
)

generator_only = gathered("models", GeneratorOptions, generator_file, running)
generator_of_codes = gathered("models", GeneratorOptions, generator_file, iteration, running)
models = gathered("models", ModelOptions, generator_file, encoder_file, running)
models_and_codes = gathered("models", ModelOptions, generator_file, encoder_file, iteration, running)


def mask_list(
    default: str | None, name: str = "masks", help: str = "Mask list, or a .txt file of one, as find writes."
) -> Decorator:
    return click.option(
        "--masks", name, default=default, callback=reading(mask_text), shell_complete=any_file, help=help
    )


@dataclass(frozen=True)
class Masks:
    """A mask list and what it means by itself."""

    text: str
    alpha: float
    seed: int


@dataclass(frozen=True)
class Mixing:
    """Faces, a style, the layers of it, and the models that draw the result."""

    sources: Sources
    style: list[Path]
    masks: Masks
    sampling: Sampling
    noise: str
    models: ModelOptions


def mixing(default: str) -> Decorator:
    """What `mixed_codes` reads."""
    masks = gathered(
        "masks",
        Masks,
        mask_list(default, "text"),
        click.option(
            "--alpha",
            type=float,
            default=1.0,
            callback=reading(strength),
            help="Strength of terms without @, -2 to 3.",
        ),
        click.option("--seed", type=int, default=0, help="For random layers in the mask list."),
    )
    return gathered("mixing", Mixing, sources(), style, masks, sampling, noise, models_and_codes)


pairing = click.option(
    "--pairing", type=click.Choice(PAIRINGS), default="match", help="Which source meets which style."
)
