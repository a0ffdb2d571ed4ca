"""Pictures in order: walk."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import StyleMixError
from ...wording import counted, duration
from .. import options
from ..begin import begin_results
from ..choices import CURVES, EASINGS, FILMS, SPEEDS
from ..fit import check_layers
from ..options import ModelOptions, Output, Sampling
from ..paths import CODES, expand
from ..reading import number, reading, seed_list
from ..run import Run
from ..verb import verb

if TYPE_CHECKING:
    from ...codes.latents import Latents
    from ...generator import Generator

Keys = list["list[int] | list[Path]"]
"""Seeds and files in the order in which they were given."""


def keyframes(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> Keys:
    """What each word means: a file or folder that is there, else seeds."""
    if not value and ctx.params["random"] is None:
        raise click.UsageError("give keyframes: seeds such as 1-6, W+ files or pictures; or --random", ctx)
    if value and ctx.params["random"] is not None:
        raise click.UsageError("keyframes and --random exclude each other; give either", ctx)
    found: Keys = []
    for word in value:
        is_file = Path(word).exists() or Path(word).suffix
        found.append(expand([Path(word)], CODES) if is_file else seed_list(word))
    return found


def cells(text: str) -> tuple[int, int]:
    """Columns and rows of "3x2"."""
    columns, _, rows = text.lower().replace("×", "x").partition("x")
    if not (columns.isdigit() and rows.isdigit() and 1 <= int(columns) * int(rows) <= 64):
        raise StyleMixError(f"{text!r} is no grid; write columns x rows, as in 3x2, 64 cells at most")
    return int(columns), int(rows)


@verb(
    "A film that walks from face to face, and its W+ codes.",
    "KEYS are seeds such as 1-6, W+ files, pictures, or folders of them, in the order of the walk.",
)
@options.output("walk")
@click.option(
    "--random",
    type=int,
    is_eager=True,
    metavar="SEED",
    callback=number("random", 0),
    help="Instead of keys: a smooth random walk.",
)
@click.argument("keys", nargs=-1, callback=keyframes)
@click.option(
    "--frames",
    type=int,
    default=48,
    callback=number("frames", 1, 100_000),
    help="From each key to the next; of a circle or a random walk in all.",
)
@click.option("--curve", type=click.Choice(CURVES), default="cubic", help="How it leads through the keys.")
@click.option(
    "--speed",
    type=click.Choice(SPEEDS),
    default="visible",
    help="What is constant: the visible change, or the time from key to key.",
)
@click.option("--once", is_flag=True, help="End with the last key instead of leading back to the first.")
@click.option(
    "--hold", type=int, default=0, callback=number("hold", 0, 100_000), help="Frames to stay at each key."
)
@click.option(
    "--ease", type=click.Choice(EASINGS), default="none", help="Slow down at keys; with --speed even."
)
@click.option(
    "--grid", callback=reading(cells), help="Several walks side by side, as in 3x2; the keys are dealt."
)
@click.option("--fps", type=float, default=24.0, callback=number("fps", 0.01, 1000), help="Frames a second.")
@click.option(
    "--film",
    type=click.Choice(FILMS),
    default="mp4",
    help="mp4, webm and mov (ProRes) need PyAV; png is a folder of pictures.",
)
@options.sampling
@options.noise
@options.models_and_codes
def walk(
    run: Run,
    output: Output,
    random: int | None,
    keys: Keys,
    frames: int,
    curve: str,
    speed: str,
    once: bool,
    hold: int,
    ease: str,
    grid: tuple[int, int] | None,
    fps: float,
    film: str,
    sampling: Sampling,
    noise: str,
    models: ModelOptions,
) -> None:
    check_layers(models, cutoff=sampling.cutoff)
    columns, rows = grid or (1, 1)
    results = begin_results(output, run)
    from ...codes.combine import join_latents
    from ...decoding import draw_each
    from ...motion.film import CODECS, Film, frames_of, stamp_of, video_library
    from ...motion.walk import latent_walk, random_walk
    from ..inputs import open_generator

    ending = "" if film == "png" else f".{film}"
    if ending in CODECS:
        video_library()
    generator = open_generator(models)
    if random is not None:
        walks = [
            random_walk(
                generator,
                frames,
                random + place,
                smooth=fps,
                psi=sampling.psi,
                cutoff=sampling.cutoff,
                label=sampling.class_label,
                loop=not once,
            )
            for place in range(columns * rows)
        ]
    else:
        faces = read_keys(keys, generator, sampling, models, run)
        each, over = divmod(len(faces), columns * rows)
        if over:
            raise StyleMixError(
                f"{len(faces)} keys cannot be dealt to {columns * rows} walks; give as many to each"
            )
        walks = []
        with run.progress(title="measure", shown=speed == "visible") as bar:
            for first in range(0, len(faces), each):
                dealt = faces.take(range(first, first + each))
                walks.append(
                    latent_walk(
                        dealt,
                        frames,
                        curve,
                        not once,
                        speed,
                        generator,
                        holds=hold,
                        easing=ease,
                        on_step=bar.step,
                    )
                )
    count = len(walks[0])
    codes = join_latents(walks)
    codes = codes.take([walk * count + frame for frame in range(count) for walk in range(len(walks))])
    stamp = stamp_of(codes, generator.fingerprint(), noise, columns, models.dtype)
    made = results.film(Film(output.out / f"walk{ending}", count, fps, stamp))
    with run.progress(count, "film") as bar:
        made.write(
            lambda first: frames_of(
                draw_each(generator, [codes.take(slice(first * len(walks), None))], noise), columns, rows
            ),
            bar.update,
        )
    written = results.latents("walk", codes)
    run.say(f"{counted(count, 'frame')}, {duration(count / fps)}, in {made.path}; codes in {written.name}")


def read_keys(
    keys: Keys, generator: "Generator", sampling: Sampling, models: ModelOptions, run: Run
) -> "Latents":
    """The codes of all keys, in their order."""
    from ...codes.combine import join_latents
    from ..inputs import read_codes, sample

    parts = []
    for group in keys:
        if isinstance(group[0], int):
            parts.append(sample(generator, [seed for seed in group if isinstance(seed, int)], sampling))
        else:
            parts += read_codes([path for path in group if isinstance(path, Path)], generator, models, run)
    return join_latents(parts)
