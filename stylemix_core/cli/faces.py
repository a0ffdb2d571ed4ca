"""Faces from seeds and from pictures: demo, generate, encode, invert, paste."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..wording import counted
from . import arguments
from .batch import Batch, naming
from .choices import BLENDS, COLOUR_MATCHES, INVERSION_METHODS, QUALITIES
from .fit import check_layers
from .paths import LATENTS, PICTURES, file_name, numbered, result_name, unique
from .verb import Options, out_folder, strict, verb

if TYPE_CHECKING:
    from PIL.Image import Image

    from .. import FaceTransform

PICTURES_ABOUT = "PICTURES are picture files or folders of them."

pictures = click.argument(
    "pictures", nargs=-1, required=True, type=Path, callback=arguments.some_files(PICTURES)
)


@verb("The experiment on the bundled models: four faces, one bob, seven masks.", out_folder("demo"))
def demo(options: Options) -> None:
    from ..demo import experiment
    from .files import progress, say

    results = options.results
    with progress(options) as bar:
        done = experiment.run(bar.step)
    for name, latents in (("faces", done.sources), ("style", done.style), ("results", done.results)):
        results.latents(name, latents)
    faces = [f"seed {seed}" for seed in experiment.SEEDS]
    results.pictures("faces", zip(map(result_name, faces), done.source_pictures))
    results.picture("style", done.style_picture[0])
    names = numbered((face, done.style.origins[0], label) for face in faces for label in done.labels)
    results.pictures("results", zip(names, done.result_pictures))
    sheet = results.picture("grid", done.grid[0])
    say(options, f"{counted(len(done.results), 'result')}; the comparison is {sheet}")


@verb("Sample faces: pictures and their W+ codes.", out_folder("generate"), checks=(check_layers,))
@click.option(
    "--seeds", required=True, callback=arguments.reading(arguments.seed_list), help="For instance 0-3,7."
)
@arguments.sampling
@arguments.noise
@arguments.generator_only
def generate(options: Options) -> None:
    from .files import decode, open_generator, sample, say

    generator = open_generator(options)
    latents = sample(generator, options)
    written = options.results.latents("latents", latents)
    names = (result_name(f"seed {seed}") for seed in options.seeds)
    options.results.pictures("", zip(names, decode(generator, [latents], options, options.seeds)))
    say(options, f"{counted(len(latents), 'picture')} and {written.name} in {options.out}")


@verb(
    "Read pictures into W+ codes, one file each, and draw them again.",
    out_folder("encode"),
    PICTURES_ABOUT,
)
@pictures
@strict
@arguments.models
def encode(options: Options) -> None:
    from ..codes.latents import check_generator
    from .files import encode_picture, open_generator, open_reader, say, warn

    generator, encoder = open_generator(options), open_reader(options)
    names = unique([file_name(path.stem) for path in options.pictures])
    batch = Batch(options, PICTURES)
    warnings = set()
    for place, latents in batch.each(options.pictures, lambda path: encode_picture(encoder, path, options)):
        warnings.add(check_generator(latents, generator))
        name = options.results.latents(names[place], latents).stem
        options.results.picture(f"{name}_reconstruction", generator.synthesis(latents.w)[0])
    warn(options, warnings)
    theirs = "its reconstruction" if batch.done == 1 else "their reconstructions"
    if batch.done:
        say(options, f"{counted(batch.done, 'W+ file')} and {theirs} in {options.out}")
    batch.end()


@verb(
    "Find the W+ codes that draw pictures again, by optimisation.",
    out_folder("invert"),
    PICTURES_ABOUT,
)
@pictures
@click.option("--method", type=click.Choice(INVERSION_METHODS), default="optimize", help="How.")
@click.option(
    "--steps",
    type=int,
    default=200,
    callback=arguments.number("steps", 0),
    help="Steps of optimize; tune adds as many.",
)
@click.option("--quality", type=click.Choice(QUALITIES), default="balanced", help="What to favour.")
@click.option("--seed", type=int, default=0, help="Of the random numbers.")
@click.option(
    "--mask",
    type=Path,
    callback=arguments.reading(arguments.mask_picture),
    help="A picture that is white where the pictures (or the crops to their faces) are to be matched.",
)
@click.option(
    "--features",
    callback=arguments.model_file("encoder", "gradients"),
    help="encoder, gradients, or a file with VGG16's or LPIPS' weights (the best).",
)
@strict
@arguments.models
def invert(options: Options) -> None:
    from ..files.pictures import load_mask
    from ..images import from_pil
    from ..inversion import check_encoder, save_delta
    from ..inversion import invert as invert_pictures
    from .files import open_generator, open_reader, progress, read_picture, say, warn

    generator, encoder = open_generator(options), open_reader(options)
    mask = None if options.mask is None else load_mask(options.mask)
    warn(options, {check_encoder(encoder, generator)})
    names = unique([file_name(path.stem) for path in options.pictures])
    results, batch = options.results, Batch(options, PICTURES)

    def read(path: Path):
        return read_picture(path, encoder, options, generator.img_resolution)

    for place, picture in batch.each(options.pictures, read, told=False):
        title = options.pictures[place].name
        with progress(options, title=title) as bar:
            result = invert_pictures(
                generator,
                picture,
                encoder,
                options.method,
                options.steps,
                options.seed,
                quality=options.quality,
                mask=mask,
                on_step=bar.step,
                perceptual=options.features,
            )
        name = results.latents(names[place], result.latents([title])).stem
        if result.delta is not None:
            tuning = options.out / "tunings" / f"{name}{LATENTS}"
            results.file(tuning, partial(save_delta, delta=result.delta))
        results.picture(f"{name}_reconstruction", result.images[0])
        figures = json.dumps({"picture": title} | result.figures())
        report = results.text(f"{name}_report.json", figures, same_figures)
        if report in results.written:
            results.picture(report.stem, from_pil(result.report())[0])
        say(
            options,
            f"{name}: L2 {result.start_l2[0]:.5f} → {result.l2[0]:.5f}, {result.steps} steps, {result.seconds:.1f} s, "
            f"perceptual: {result.features}",
        )
    if batch.done:
        tunings = f"; what was tuned is in {options.out / 'tunings'}" if options.method == "tune" else ""
        say(
            options,
            f"W+ files, reconstructions and reports in {options.out}: {batch.done} of each{tunings}",
        )
    batch.end()


def same_figures(one: Path, other: Path) -> bool:
    """Whether two reports of inversions are of the same result: how long it took does not count."""

    def figures(path: Path) -> dict:
        return json.loads(path.read_text(encoding="utf-8")) | {"seconds": None}

    try:
        return figures(one) == figures(other)
    except (OSError, ValueError, TypeError):  # the other file is none
        return False


@verb(
    "Put changed faces back into the photo that encode or invert cropped them from.",
    out_folder("paste"),
    "PHOTO is the whole picture, FACES are changed crops of it, in files or folders.",
)
@click.argument("photo", type=Path, callback=arguments.picture)
@click.argument("faces", nargs=-1, required=True, type=Path, callback=arguments.some_files(PICTURES))
@click.option(
    "--face",
    type=int,
    callback=arguments.number("face", 0),
    help="Which of its faces, 0 the leftmost (the largest).",
)
@click.option(
    "--feather",
    type=float,
    default=0.1,
    callback=arguments.number("feather", 0, 0.5),
    help="Width of the soft edge, of the face's side.",
)
@click.option(
    "--colour-match", type=click.Choice(COLOUR_MATCHES), default="seam", help="What of the colours to fit."
)
@click.option(
    "--blend",
    type=click.Choice(BLENDS),
    default="head",
    help="What is pasted: hair and face, so that the background stays, or all of the crop.",
)
@click.option(
    "--mask",
    type=Path,
    callback=arguments.reading(arguments.mask_picture),
    help="A picture that is white where on the crop faces are pasted, instead of the blend.",
)
@arguments.upright
@strict
def paste(options: Options) -> None:
    from .. import paste_face
    from ..files.pictures import load_mask, open_image
    from ..images import from_pil
    from .files import say

    photo = open_image(options.photo)
    mask = None if options.mask is None else load_mask(options.mask)
    with naming(options.photo):
        transform = crop_of(photo, options)
    names = unique([file_name(path.stem) for path in options.faces])
    batch = Batch(options, PICTURES)

    def read(path: Path) -> "Image":
        face = open_image(path)
        return paste_face(photo, face, transform, options.feather, mask, options.colour_match, options.blend)

    for place, pasted in batch.each(options.faces, read):
        options.results.picture(f"{result_name(options.photo.name)}_{names[place]}", from_pil(pasted)[0])
    if batch.done:
        say(options, f"{counted(batch.done, 'picture')} in {options.out}")
    batch.end()


def crop_of(photo: "Image", options: Options) -> "FaceTransform":
    """Where encode and invert crop the photo: nowhere where it is a crop already."""
    from .. import FaceTransform, align_face
    from ..faces import is_aligned

    which = "largest" if options.face is None else options.face
    _, transform = align_face(photo, face=which, any_angle=not options.upright)
    if options.face is not None or not is_aligned(transform):
        return transform
    end = photo.width - 0.5
    corners = (-0.5, -0.5), (-0.5, end), (end, end), (end, -0.5)
    return FaceTransform(corners, photo.width, photo.size)
