"""Faces as the generator draws them, their regions, and back in their photo: demo, generate, regions, paste."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import StyleMixError
from ...files.names import file_name, unique
from ...wording import counted
from .. import options
from ..batch import Batch, naming
from ..begin import begin_results
from ..choices import BLENDS, COLOUR_MATCHES, REGION_SOURCES
from ..fit import check_layers
from ..jobs import run_shards, shards
from ..options import PATH, GeneratorOptions, Moving, Output, Sampling
from ..paths import PICTURES, numbered, result_name
from ..reading import any_file, mask_picture, model_file, number, picture, reading, seed_list, some_files
from ..run import Run
from ..verb import verb

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from ... import FaceTransform
    from ...faces.regions import Regions


@verb("The experiment on the bundled models: four faces, one bob, seven masks.")
@options.output("demo")
def demo(run: Run, output: Output) -> None:
    results = begin_results(output, run)
    from ...demo import experiment

    with run.progress() as bar:
        done = experiment.run(bar.step)
    for name, latents in (("faces", done.sources), ("style", done.style), ("results", done.results)):
        results.latents(name, latents)
    faces = [f"seed {seed}" for seed in experiment.SEEDS]
    results.pictures("faces", zip(map(result_name, faces), done.source_pictures))
    results.picture("style", done.style_picture[0])
    names = numbered((face, done.style.origins[0], label) for face in faces for label in done.labels)
    results.pictures("results", zip(names, done.result_pictures))
    sheet = results.picture("grid", done.grid[0])
    run.say(f"{counted(len(done.results), 'result')}; the comparison is {sheet}")


@verb("Sample faces: pictures and their W+ codes.")
@options.output("generate")
@click.option("--seeds", required=True, callback=reading(seed_list), help="For instance 0-3,7.")
@options.sampling
@options.noise
@options.moving
@shards
@options.generator_only
def generate(
    run: Run,
    output: Output,
    seeds: list[int],
    shards: bool,
    sampling: Sampling,
    noise: str,
    moving: Moving,
    models: GeneratorOptions,
) -> None:
    check_layers(models, cutoff=sampling.cutoff)
    if shards:
        if moving != Moving(None, None):
            raise StyleMixError("--shards takes no --translate and no --rotate; leave --shards out")
        source = {
            "seeds": in_ranges(seeds),
            "psi": sampling.psi,
            "cutoff": sampling.cutoff,
            "class_label": sampling.class_label,
        }
        run_shards(source, [{"decode": {"noise": noise}}], output, models, run)
        return
    results = begin_results(output, run)
    from ..inputs import move_of, open_generator, sample
    from ..pictures import decode

    generator = open_generator(models)
    latents = sample(generator, seeds, sampling)
    written = results.latents("latents", latents)
    names = (result_name(f"seed {seed}") for seed in seeds)
    results.pictures("", zip(names, decode(generator, [latents], noise, run, seeds, move_of(moving))))
    run.say(f"{counted(len(latents), 'picture')} and {written.name} in {output.out}")


def in_ranges(seeds: list[int]) -> str:
    """Seeds as one writes them: "0-3,7"."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


@verb(
    "Tell hair, face, eyes, background, … of pictures apart: a mask of each, and a preview.",
    "PICTURES are picture files or folders of them. They are cropped to the face as encode does, unless they are.",
)
@options.output("regions")
@options.pictures
@click.option(
    "--source",
    default="auto",
    callback=model_file(*REGION_SOURCES),
    shell_complete=any_file,
    help="auto, photo, drawn, or a face parsing file: parsing_bisenet.pth or 79999_iter.pth.",
)
@click.option("--size", type=int, default=512, callback=number("size", 64, 4096), help="Side of the results.")
@options.upright
@options.strict
def regions(
    run: Run, output: Output, pictures: list[Path], source: str, size: int, upright: bool, strict: bool
) -> None:
    results = begin_results(output, run)
    from ...faces import align_batch
    from ...faces.regions import find_regions
    from ...faces.regions.preview import paint_regions
    from ...files.pictures import open_image
    from ...images import from_pil

    names = unique([file_name(path.stem) for path in pictures])
    batch = Batch(run, strict, PICTURES)

    def read(path: Path) -> "tuple[torch.Tensor, Regions]":
        crop, _ = align_batch(from_pil(open_image(path)), size, any_angle=not upright)
        return crop, find_regions(crop, source=source)

    for place, (crop, found) in batch.each(pictures, read):
        name = names[place]
        results.picture(f"{name}_crop", crop[0])
        for region, mask in found.items():
            results.picture(f"{name}_{region}", mask.expand(3, -1, -1) * 2 - 1)
        results.picture(f"{name}_regions", paint_regions(crop, found)[0])
        run.say(f"{pictures[place].name}: {found.told}")
    if batch.done:
        run.say(f"crop, masks and preview of {counted(batch.done, 'picture')} in {output.out}")
    batch.end()


@verb(
    "Put changed faces back into the photo that encode or invert cropped them from.",
    "PHOTO is the whole picture, FACES are changed crops of it, in files or folders.",
)
@options.output("paste")
@click.argument("photo", type=PATH, callback=picture)
@click.argument("faces", nargs=-1, required=True, type=PATH, callback=some_files(PICTURES))
@click.option(
    "--face", type=int, callback=number("face", 0), help="Which of its faces, 0 the leftmost (the largest)."
)
@click.option(
    "--feather",
    type=float,
    default=0.1,
    callback=number("feather", 0, 0.5),
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
    type=PATH,
    callback=reading(mask_picture),
    help="A picture that is white where on the crop faces are pasted, instead of the blend.",
)
@options.upright
@options.strict
def paste(
    run: Run,
    output: Output,
    photo: Path,
    faces: list[Path],
    face: int | None,
    feather: float,
    colour_match: str,
    blend: str,
    mask: Path | None,
    upright: bool,
    strict: bool,
) -> None:
    results = begin_results(output, run)
    from ... import paste_face
    from ...files.pictures import load_mask, open_image
    from ...images import from_pil

    whole = open_image(photo)
    where = None if mask is None else load_mask(mask)
    with naming(photo):
        transform = crop_of(whole, face, upright)
    names = unique([file_name(f"{photo.stem}_{path.stem}") for path in faces])
    batch = Batch(run, strict, PICTURES)

    def read(path: Path) -> "Image":
        return paste_face(whole, open_image(path), transform, feather, where, colour_match, blend)

    for place, pasted in batch.each(faces, read):
        results.picture(names[place], from_pil(pasted)[0])
    if batch.done:
        run.say(f"{counted(batch.done, 'picture')} in {output.out}")
    batch.end()


def crop_of(photo: "Image", face: int | None, upright: bool) -> "FaceTransform":
    """Where encode and invert crop the photo: nowhere where it is a crop already."""
    from ... import FaceTransform, align_face
    from ...faces import is_aligned

    _, transform = align_face(photo, face="largest" if face is None else face, any_angle=not upright)
    if face is not None or not is_aligned(transform):
        return transform
    end = photo.width - 0.5
    corners = (-0.5, -0.5), (-0.5, end), (end, end), (end, -0.5)
    return FaceTransform(corners, photo.width, photo.size)
