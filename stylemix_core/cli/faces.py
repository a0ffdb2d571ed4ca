"""Faces from seeds and from pictures: demo, generate, encode, invert, paste."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..texts import counted
from . import arguments
from .batch import Batch
from .choices import BLENDS, COLOUR_MATCHES, INVERSION_METHODS, QUALITIES
from .fit import check_layers
from .paths import LATENTS, PICTURES, file_name, numbered, result_name, unique
from .verb import Options, out_codes, out_folder, strict, verb

if TYPE_CHECKING:
    from PIL.Image import Image

    from .. import FaceTransform

PICTURES_ABOUT = "PICTURES are picture files or folders of them."

pictures = click.argument("pictures", nargs=-1, required=True, type=Path, callback=arguments.files(PICTURES))


@verb("The experiment on the bundled models: four faces, one bob, seven masks.", out_codes("demo"))
def demo(options: Options) -> None:
    from ..demo import experiment
    from ..images import save_image
    from ..masks import STUDY_SWEEP
    from .files import progress, save_codes, save_pictures, say

    with progress(options, len(experiment.SEEDS) * len(STUDY_SWEEP.split(";"))) as bar:
        done = experiment.run(bar.update)
    for name, latents in (("faces", done.sources), ("style", done.style), ("results", done.results)):
        save_codes(options, name, latents)
    faces = [f"seed {seed}" for seed in experiment.SEEDS]
    save_pictures(options, "faces", zip(map(result_name, faces), done.source_pictures))
    save_image(options.out / "style.png", done.style_picture[0])
    names = numbered((face, done.style.origins[0], label) for face in faces for label in done.labels)
    save_pictures(options, "results", zip(names, done.result_pictures))
    save_image(options.out / "grid.png", done.grid[0])
    say(options, f"{counted(len(done.results), 'result')}; the comparison is {options.out / 'grid.png'}")


@verb("Sample faces: pictures and their W+ codes.", out_codes("generate"), checks=(check_layers,))
@click.option(
    "--seeds", required=True, callback=arguments.reading(arguments.seed_list), help="For instance 0-3,7."
)
@arguments.sampling
@arguments.noise
@arguments.generator_only
def generate(options: Options) -> None:
    from ..images import save_image
    from .files import decode, open_generator, sample, save_codes, say

    generator = open_generator(options)
    latents = sample(generator, options)
    written = save_codes(options, "latents", latents)
    for seed, picture in zip(options.seeds, decode(generator, [latents], options, options.seeds)):
        save_image(options.out / f"{result_name(f'seed {seed}')}.png", picture)
    say(options, f"{counted(len(latents), 'picture')} and {written.name} in {options.out}")


@verb(
    "Read pictures into W+ codes, one file each, and draw them again.",
    out_codes("encode"),
    PICTURES_ABOUT,
)
@pictures
@strict
@arguments.models
def encode(options: Options) -> None:
    from ..images import save_image
    from ..latents import check_generator
    from .files import encode_picture, open_encoder, open_generator, save_codes, say, warn

    generator, encoder = open_generator(options), open_encoder(options)
    names = unique([file_name(path.stem) for path in options.pictures])
    batch = Batch(options)
    warnings = set()
    for place, latents in batch.each(options.pictures, lambda path: encode_picture(encoder, path, options)):
        warnings.add(check_generator(latents, generator))
        written = save_codes(options, names[place], latents)
        save_image(options.out / f"{written.stem}_reconstruction.png", generator.synthesis(latents.w)[0])
    warn(options, warnings)
    theirs = "its reconstruction" if batch.done == 1 else "their reconstructions"
    if batch.done:
        say(options, f"{counted(batch.done, 'W+ file')} and {theirs} in {options.out}")
    batch.end()


@verb(
    "Find the W+ codes that draw pictures again, by optimisation.",
    out_codes("invert"),
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
    from ..files import replacing
    from ..images import from_pil, load_mask, save_image
    from ..inversion import check_encoder, save_delta
    from ..inversion import invert as invert_pictures
    from .files import (
        keep_earlier,
        open_encoder,
        open_generator,
        progress,
        read_picture,
        save_codes,
        say,
        warn,
    )

    generator, encoder = open_generator(options), open_encoder(options)
    mask = None if options.mask is None else load_mask(options.mask)
    warn(options, {check_encoder(encoder, generator)})
    names = unique([file_name(path.stem) for path in options.pictures])
    batch = Batch(options)

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
        name = save_codes(options, names[place], result.latents([title])).stem
        if result.delta is not None:
            tuning = options.out / "tunings" / f"{name}{LATENTS}"
            keep_earlier(options, tuning, partial(save_delta, delta=result.delta))
        save_image(options.out / f"{name}_reconstruction.png", result.images[0])
        save_image(options.out / f"{name}_report.png", from_pil(result.report())[0])
        with replacing(options.out / f"{name}_report.json") as draft:
            draft.write_text(json.dumps({"picture": title} | result.figures()), encoding="utf-8")
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


@verb(
    "Put changed faces back into the photo that encode or invert cropped them from.",
    out_folder("paste"),
    "PHOTO is the whole picture, FACES are changed crops of it, in files or folders.",
)
@click.argument("photo", type=Path, callback=arguments.picture)
@click.argument("faces", nargs=-1, required=True, type=Path, callback=arguments.files(PICTURES))
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
    from ..images import from_pil, load_mask, open_image, save_image
    from .files import say

    photo = open_image(options.photo)
    mask = None if options.mask is None else load_mask(options.mask)
    transform = crop_of(photo, options)
    names = unique([file_name(path.stem) for path in options.faces])
    batch = Batch(options)
    for place, face in batch.each(options.faces, open_image):
        pasted = paste_face(
            photo, face, transform, options.feather, mask, options.colour_match, options.blend
        )
        save_image(options.out / f"{result_name(options.photo.name)}_{names[place]}.png", from_pil(pasted)[0])
    if batch.done:
        say(options, f"{counted(batch.done, 'picture')} in {options.out}")
    batch.end()


def crop_of(photo: "Image", options: Options) -> "FaceTransform":
    """Where encode and invert crop the photo: nowhere where it is a crop already."""
    from .. import FaceTransform, align_face
    from ..alignment import is_aligned

    which = "largest" if options.face is None else options.face
    _, transform = align_face(photo, face=which, any_angle=not options.upright)
    if options.face is not None or not is_aligned(transform):
        return transform
    end = photo.width - 0.5
    corners = (-0.5, -0.5), (-0.5, end), (end, end), (end, -0.5)
    return FaceTransform(corners, photo.width, photo.size)
