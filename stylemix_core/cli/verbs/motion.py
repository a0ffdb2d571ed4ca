"""Pictures in order: walk, video."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import StyleMixError
from ...files.names import file_name
from ...wording import counted, duration
from .. import options
from ..batch import naming
from ..begin import begin_results
from ..choices import CURVES, EASINGS, FILMS, SPEEDS
from ..fit import check_layers
from ..options import PATH, ModelOptions, Output, Sampling
from ..paths import CODES, expand
from ..reading import existing, number, reading, seed_list
from ..run import Run
from ..verb import gathered, verb

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
    if not (columns.isdecimal() and rows.isdecimal() and 1 <= int(columns) * int(rows) <= 64):
        raise StyleMixError(f"{text!r} is no grid; write columns x rows, as in 3x2, 64 cells at most")
    return int(columns), int(rows)


@dataclass(frozen=True)
class Walking:
    """How a walk leads through its keys."""

    frames: int
    curve: str
    speed: str
    once: bool
    hold: int
    ease: str


walking = gathered(
    "walking",
    Walking,
    click.option(
        "--frames",
        type=int,
        default=48,
        callback=number("frames", 1, 100_000),
        help="From each key to the next; of a circle, a random walk or a single key in all.",
    ),
    click.option(
        "--curve", type=click.Choice(CURVES), default="cubic", help="How it leads through the keys."
    ),
    click.option(
        "--speed",
        type=click.Choice(SPEEDS),
        default="visible",
        help="What is constant: the visible change, or the time from key to key.",
    ),
    click.option("--once", is_flag=True, help="End with the last key instead of leading back to the first."),
    click.option(
        "--hold", type=int, default=0, callback=number("hold", 0, 100_000), help="Frames to stay at each key."
    ),
    click.option(
        "--ease", type=click.Choice(EASINGS), default="none", help="Slow down at keys; with --speed even."
    ),
)


@verb(
    "A film that walks from face to face, or in which a style comes and goes, and its W+ codes.",
    "KEYS are seeds such as 1-6, W+ files, pictures, or folders of them, in the order of the walk. A single one stays, "
    "for a style: stylemix walk 96 --style bob.png --masks 4-5@0>>1>>0",
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
@walking
@click.option(
    "--seconds",
    type=float,
    callback=number("seconds", 0.01, 100_000),
    help="Instead of --frames: seconds from each key to the next.",
)
@options.code_files("--style")
@options.mask_list("all", help="With --style: the layers that take it, with strengths over the film.")
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
    walking: Walking,
    seconds: float | None,
    style: list[Path],
    masks: str,
    grid: tuple[int, int] | None,
    fps: float,
    film: str,
    sampling: Sampling,
    noise: str,
    models: ModelOptions,
) -> None:
    check_layers(models, masks if style else None, cutoff=sampling.cutoff)
    columns, rows = grid or (1, 1)
    if seconds is not None:
        walking = replace(walking, frames=max(round(seconds * fps), 1))
    results = begin_results(output, run)
    from ...codes.combine import join_latents
    from ...decoding import draw_each
    from ...masks.mask_list import parse_masks
    from ...mixing.inject import Injection
    from ...motion.film import CODECS, Film, drawn, named, side_by_side, stamp_of, video_library
    from ..inputs import open_generator, read_codes

    path = named(output.out / "walk", film)
    if path.suffix in CODECS:
        video_library()
    generator = open_generator(models)
    if random is not None:
        walks = random_walks(generator, random, columns * rows, walking, fps, sampling)
    else:
        faces = read_keys(keys, generator, sampling, models, run)
        walks = walks_through(generator, faces, columns * rows, walking, bool(style), run)
    if style:
        injection = Injection(parse_masks(masks, generator.num_ws))
        styles = join_latents(read_codes(style, generator, models, run))
        injected = [injection.run(walk, styles) for walk in walks]
        run.warn({warning for one in injected for warning in one.warnings})
        walks = [one.codes for one in injected]
    count, codes = len(walks[0]), side_by_side(join_latents(walks), len(walks))
    stamp = stamp_of(codes, generator, noise, columns, models.dtype)
    made = results.film(Film(path, count, fps, stamp))

    frames = drawn(codes, lambda some: draw_each(generator, [some], noise), columns, rows)
    with run.progress(count, "film") as bar:
        made.write(frames, bar.update)
    written = results.latents("walk", codes)
    run.say(f"{counted(count, 'frame')}, {duration(count / fps)}, in {made.path}; codes in {written.name}")


def random_walks(
    generator: "Generator", seed: int, count: int, walking: Walking, fps: float, sampling: Sampling
) -> "list[Latents]":
    """From this seed on; each is averaged over a second, or over a fifth of its frames if that is less: on its way it
    has some five faces, then."""
    from ...motion.walk import random_walk

    return [
        random_walk(
            generator,
            walking.frames,
            seed + place,
            min(fps, walking.frames / 5),
            sampling.psi,
            sampling.cutoff,
            sampling.class_label,
            not walking.once,
        )
        for place in range(count)
    ]


def walks_through(
    generator: "Generator", faces: "Latents", count: int, walking: Walking, styled: bool, run: Run
) -> "list[Latents]":
    """So many walks, to which the faces are dealt. styled: whether a single face may stay, for a style to change it."""
    from ...motion.walk import latent_walk

    each, over = divmod(len(faces), count)
    if over or not each:
        raise StyleMixError(f"{len(faces)} keys cannot be dealt to {count} walks; give as many to each")
    if each == 1 and styled:
        return [faces.take([place] * walking.frames) for place in range(count)]
    with run.progress(title="measure", shown=walking.speed == "visible") as bar:
        return [
            latent_walk(
                faces.take(range(first, first + each)),
                walking.frames,
                walking.curve,
                not walking.once,
                walking.speed,
                generator,
                holds=walking.hold,
                easing=walking.ease,
                on_step=bar.step,
            )
            for first in range(0, len(faces), each)
        ]


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


@verb(
    "Restyle a clip: the face in it takes layers of a style, from frame to frame.",
    "CLIP is a film, such as an .mp4. One person is followed through it; what lies around the face stays as it is.",
)
@options.output("video")
@click.argument("clip", type=PATH, callback=existing("there is no film at {path}; check the path"))
@options.style
@options.mask_list("all", help="Layers that take the style, with strengths over the clip: 4-5@0>1.")
@click.option(
    "--face", type=int, callback=number("face", 0), help="Which face, 0 the leftmost (the largest)."
)
@click.option(
    "--steady/--lively", default=True, help="Average colours and small structure over each scene, or not."
)
@click.option(
    "--feather",
    type=float,
    default=0.1,
    callback=number("feather", 0, 0.5),
    help="Width of the soft edge, of the face's side.",
)
@click.option(
    "--tune",
    type=int,
    default=0,
    callback=number("tune", 0, 10_000),
    help="Tune the generator to the face for so many steps, such as 100: nearer to it, and slower.",
)
@click.option(
    "--tune-seam",
    type=int,
    default=0,
    callback=number("tune-seam", 0, 10_000),
    help="Tune it for so many steps to draw the clip's surroundings around the changed heads, such as 50.",
)
@click.option("--mute", is_flag=True, help="Leave the clip's sound out.")
@click.option(
    "--film", type=click.Choice(FILMS), default="mp4", help="What to write; png is a folder of pictures."
)
@options.noise
@options.models_and_codes
def video(
    run: Run,
    output: Output,
    clip: Path,
    style: list[Path],
    masks: str,
    face: int | None,
    steady: bool,
    feather: float,
    tune: int,
    tune_seam: int,
    mute: bool,
    film: str,
    noise: str,
    models: ModelOptions,
) -> None:
    check_layers(models, masks)
    results = begin_results(output, run)
    from ...codes.combine import join_latents
    from ...files.writing import sha256
    from ...inversion import check_encoder
    from ...masks.mask_list import parse_masks
    from ...mixing.inject import Injection
    from ...motion.clip import Clip
    from ...motion.film import CODECS, Film, named, stamp_of
    from ...motion.restyle import ONE_MASK, Followed
    from ..inputs import open_generator, open_reader, read_codes

    read = Clip.of(clip)
    generator, encoder = open_generator(models), open_reader(models, run)
    run.warn({check_encoder(encoder, generator)})
    injection = Injection(parse_masks(masks, generator.num_ws))
    given = join_latents(read_codes(style, generator, models, run))
    if len(injection.masks.strengths) != 1:
        raise StyleMixError(ONE_MASK)
    with naming(clip):
        with run.progress(title="find the face") as bar:
            followed = Followed.of(read, face, not models.upright, bar.step)
        with run.progress(title="encode") as bar:
            codes = followed.encode(encoder, steady, on_step=bar.step)
    injected = injection.run(codes, given)
    run.warn(injected.warnings)
    if len(injected.codes) != len(codes):
        raise StyleMixError(ONE_MASK)
    if tune:
        with run.progress(title="tune") as bar:
            generator = followed.tune(generator, encoder, tune, bar.step).generator
    if tune_seam:
        with run.progress(title="tune the seam") as bar:
            tuned = followed.tune_seam(generator, injected.codes, tune_seam, noise, bar.step)
            generator = tuned.generator
    stamp = stamp_of(injected.codes, generator, sha256(clip), noise, feather, models.dtype, mute)
    name = file_name(clip.stem)
    path = named(output.out / name, film)
    sound = clip if read.sound and not mute and path.suffix in CODECS else None
    made = results.film(Film(path, len(read), float(read.rate), stamp, sound=sound))
    with run.progress(len(read), "film") as bar:
        made.write(
            lambda first: followed.frames(generator, injected.codes, first, noise, feather), bar.update
        )
    written = results.latents(f"{name}_codes", injected.codes)
    shown = counted(len(followed.numbers), "frame")
    run.say(f"{shown} of {len(read)} show the face; {made.path}, codes in {written.name}")
