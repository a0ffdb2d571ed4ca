"""Options that several verbs share, and how their texts are read."""

import math
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..analysis.wish_text import check_wish, read_wish
from ..errors import StyleMixError
from ..masks.grammar import OTHER_RANGE, RANGE_SIGN, check_strength, plain, refuse_several
from .choices import ALIGN_MODES, DEVICES, DTYPES, NOISE_MODES, PAIRINGS
from .paths import LATENTS, PICTURES, check_file, expand, inside, mask_text, matching
from .verb import Decorator, group

MAX_SEED = 2**64 - 1
"""As ComfyUI's nodes have them."""
MAX_SEEDS = 100_000
MIN_PSI, MAX_PSI = -2.0, 2.0

Callback = Callable[[click.Context, click.Parameter, Any], Any]


def reading(read: Callable[[Any], Any]) -> Callback:
    """A callback that gives `read` the value of an option, unless there is none."""
    return lambda ctx, param, value: None if value is None else read(value)


def number(name: str, least: float, most: float = math.inf, usual: str = "") -> Callback:
    """A callback that refuses numbers out of a range, and NaN."""

    def check(value: float) -> float:
        if not least <= value <= most:
            span = f"{least:g} or more" if most == math.inf else f"a number from {least:g} to {most:g}"
            raise StyleMixError(f"{name} is {value:g}; give {span}{usual}")
        return value

    return reading(check)


def files(endings: Collection[str]) -> Callback:
    """A callback for paths: the files meant, None where none are given."""
    return lambda ctx, param, value: expand(value, endings) if value else None


def some(check: Callable[[Any], object], find: Callable[[Any], list] = list) -> Callback:
    """A callback for what a `Batch` works on: what `find` makes of it, refused where `check` refuses all."""

    def read(ctx: click.Context, param: click.Parameter, value: Any) -> list:
        found = find(value)
        refusals = []
        for item in found:
            try:
                check(item)
            except StyleMixError as error:
                refusals.append(error)
            else:
                return found
        if len(found) == 1:
            raise refusals[0]
        raise StyleMixError(f"{refusals[0]}; none of the {len(found)} files can be used")

    return read


def some_files(endings: Collection[str]) -> Callback:
    """A callback for the paths of a `Batch`: the files meant, of which some may be unusable."""
    return some(partial(check_file, endings=endings), partial(inside, endings=endings))


def model_files(files: Sequence[str]) -> list[str]:
    """The files meant by paths and patterns. "demo" stands for itself."""
    return [str(path) for file in files for path in matching(Path(file))]


def check_model(file: str | Path) -> None:
    """`StyleMixError` unless there is a file, or it is "demo"."""
    if str(file) != "demo" and not Path(file).exists():
        raise StyleMixError(f"{file}: there is no such file; check the path")


def existing(message: str) -> Callback:
    """A callback for the path of one file, with what to say when there is none."""

    def check(value: str | Path) -> str | Path:
        if not Path(value).exists():
            raise StyleMixError(message.format(path=value))
        return value

    return reading(check)


def model_file(*known: str) -> Callback:
    """A callback for the path of a model, or one of the names that stand for models."""
    check = existing("{path}: there is no such file; check the path")
    return lambda ctx, param, value: value if value in known else check(ctx, param, value)


picture = existing("there is no picture at {path}; check the path")


def mask_picture(path: str | Path) -> Path:
    """The path of a picture that is white inside a region. `StyleMixError` when it is plainly something else."""
    if not Path(path).exists():
        raise StyleMixError(f"there is no picture at {path}; check the path")
    from ..files.coloured import refuse_plainly_coloured  # Pillow, which most commands need much later

    refuse_plainly_coloured(path)
    return Path(path)


def mask_pictures(ctx: click.Context, param: click.Parameter, value: Sequence[Path]) -> list[Path]:
    """A callback for several pictures of regions."""
    return [mask_picture(path) for path in value]


def one_path(endings: Collection[str]) -> Callback:
    """A callback for one path: the files meant."""
    return reading(lambda value: expand([value], endings))


_SEEDS = re.compile(rf"\s*(?P<first>[0-9]+)(?:\s*{RANGE_SIGN}\s*(?P<last>[0-9]+))?\s*")


def seed_list(text: str) -> list[int]:
    """Seeds of "0-3,7", each once."""
    seeds: dict[int, None] = {}
    start = 0
    for part in plain(text).split(","):
        written, start = text[start : start + len(part)], start + len(part) + 1
        match = _SEEDS.fullmatch(part)
        if not match:
            found = _SEEDS.match(part)
            other = OTHER_RANGE.fullmatch(part.rstrip(), found.end("first")) if found else None
            hint = f"{found['first']:.40}-{other['last']:.40}" if found and other else "for instance 0-3,7"
            raise click.BadParameter(f"{written!r} is no seed or range of seeds; write {hint}")
        # Forty digits are enough to be too many; Python refuses to read thousands.
        first, last = int(match["first"][:40]), int((match["last"] or match["first"])[:40])
        if last < first:
            raise click.BadParameter(f"the range {first}-{last} runs backwards; write {last}-{first}")
        if last > MAX_SEED:
            raise click.BadParameter(
                f"{written.strip()} is no seed; seeds are 0 to {MAX_SEED}; write for instance 0-3,7"
            )
        if last - first >= MAX_SEEDS:
            raise click.BadParameter(
                f"{written!r} asks for {last - first + 1} pictures; write for instance 0-3,7, {MAX_SEEDS} at most"
            )
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return list(seeds)


def device(text: str) -> str:
    """A name that a device may have. Whether it is there is told later."""
    if not re.fullmatch(rf"({'|'.join(DEVICES)})(:[0-9]+)?", text):
        raise StyleMixError(
            f"there is no device {text!r}; choose one of: {', '.join(DEVICES)}, with a number as in cuda:1 where there "
            "are several, or leave --device out for the fastest there is"
        )
    return text


def one_mask(text: str) -> str:
    """Layers, written as a single mask."""
    refuse_several(text)
    return text


def strength(value: float) -> float:
    check_strength(value)
    return value


class NamedMask(click.ParamType):
    """Name and file of "hat=hat.png"."""

    name = "region"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        name, _, path = value.partition("=")
        if not name.strip() or not path:
            self.fail(f"{value!r} names no region and file; write for instance hat=hat.png", param, ctx)
        return name.strip(), mask_picture(path)


def wish_or_picture(text: str) -> str | Path:
    """A wish in words, checked, or the path of a picture that is white there."""
    if Path(text).suffix.lower() in PICTURES:
        return mask_picture(text)
    check_wish(read_wish(text))
    return text


def one_source(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """For `--seeds`, after the eager `--source`: they exclude each other."""
    if value is not None and ctx.params["source"]:
        raise click.UsageError("--source and --seeds exclude each other; give one of them", ctx)
    return None if value is None else seed_list(value)


def one_source_at_least(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    if value is None and not ctx.params["source"]:
        raise click.UsageError("give --source or --seeds", ctx)
    return one_source(ctx, param, value)


def sources(required: bool = True) -> Decorator:
    return group(
        click.option(
            "--source",
            multiple=True,
            metavar="PATH...",
            type=Path,
            is_eager=True,
            callback=files(PICTURES | {LATENTS}),
            help="W+ files, pictures or folders of them.",
        ),
        click.option(
            "--seeds",
            callback=one_source_at_least if required else one_source,
            help="Sample the sources: for instance 0-3,7.",
        ),
    )


style = click.option(
    "--style",
    multiple=True,
    metavar="PATH...",
    type=Path,
    required=True,
    callback=files(PICTURES | {LATENTS}),
    help="W+ files, pictures or folders of them.",
)

truncation = group(
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

sampling = group(
    truncation,
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

generator_file = group(
    click.option(
        "--generator",
        callback=model_file("demo"),
        help="Generator checkpoint (the one in the encoder's file if it has one, else the bundled demo).",
    ),
    click.option(
        "--tuning",
        type=Path,
        callback=model_file(),
        help="A generator's tuning that stylemix invert has saved.",
    ),
)

upright = click.option(
    "--upright", is_flag=True, help="Look for upright faces only, which is quicker; photos are not turned."
)

encoder_file = group(
    click.option(
        "--encoder",
        default="demo",
        callback=model_file("demo"),
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

running = group(
    click.option(
        "--device", callback=reading(device), help="cpu, cuda, cuda:1 and so on, mps (the fastest there is)."
    ),
    click.option("--dtype", type=click.Choice(DTYPES), default="float32", help="Precision."),
    click.option(
        "--compile",
        is_flag=True,
        help="On a CPU, draw with code that PyTorch compiles: at most a tenth faster, after up to a minute.",
    ),
)

generator_only = group(generator_file, running)
models = group(generator_file, encoder_file, running)


def masks(default: str | None, help: str = "Mask list, or a .txt file of one, as find writes.") -> Decorator:
    return click.option("--masks", default=default, callback=reading(mask_text), help=help)


def mixing(default: str) -> Decorator:
    """What `mixed_codes` reads."""
    return group(
        sources(),
        style,
        masks(default),
        click.option(
            "--alpha",
            type=float,
            default=1.0,
            callback=reading(strength),
            help="Strength of terms without @, -2 to 3.",
        ),
        click.option("--seed", type=int, default=0, help="For random layers in the mask list."),
        sampling,
        noise,
        models,
    )


pairing = click.option(
    "--pairing", type=click.Choice(PAIRINGS), default="match", help="Which source meets which style."
)
