"""Pictures into W+ codes: encode, invert."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import StyleMixError
from ...files.names import file_name, unique
from ...wording import counted
from .. import options
from ..batch import Batch
from ..begin import begin_results
from ..choices import INVERSION_METHODS, QUALITIES
from ..jobs import aligned, run_shards, shards
from ..options import PATH, ModelOptions, Output
from ..paths import LATENTS, PICTURES
from ..reading import any_file, mask_picture, model_file, number, reading
from ..run import Run
from ..verb import verb

if TYPE_CHECKING:
    import torch

    from ...inversion import InversionResult
    from ..results import Results

ABOUT = "PICTURES are picture files or folders of them."


@verb("Read pictures into W+ codes, one file each, and draw them again.", ABOUT)
@options.output("encode")
@options.pictures
@shards
@options.strict
@options.models
def encode(
    run: Run, output: Output, pictures: list[Path], shards: bool, strict: bool, models: ModelOptions
) -> None:
    if shards:
        steps = [*aligned(models), "encode", "decode"]
        run_shards({"pictures": [*map(str, pictures)]}, steps, output, models, run, strict)
        return
    results = begin_results(output, run)
    from ...codes.latents import check_generator
    from ..inputs import encode_picture, open_generator, open_reader

    generator, encoder = open_generator(models), open_reader(models, run)
    names = unique([file_name(path.stem) for path in pictures])
    batch = Batch(run, strict, PICTURES)
    warnings = set()
    for place, latents in batch.each(pictures, lambda path: encode_picture(encoder, path, models)):
        warnings.add(check_generator(latents, generator))
        name = results.latents(names[place], latents).stem
        results.picture(f"{name}_reconstruction", generator.synthesis(latents.w)[0])
        if encoder.errors is not None:
            run.say(f"{name}: {latents.origins[0]}")
    run.warn(warnings)
    theirs = "its reconstruction" if batch.done == 1 else "their reconstructions"
    if batch.done:
        run.say(f"{counted(batch.done, 'W+ file')} and {theirs} in {output.out}")
    batch.end()


@verb("Find the W+ codes that draw pictures again, by optimisation.", ABOUT)
@options.output("invert")
@options.pictures
@click.option("--method", type=click.Choice(INVERSION_METHODS), default="optimize", help="How.")
@click.option(
    "--steps",
    type=int,
    default=200,
    callback=number("steps", 0),
    help="Steps of optimize; tune adds as many.",
)
@click.option("--quality", type=click.Choice(QUALITIES), default="balanced", help="What to favour.")
@click.option("--seed", type=int, default=0, help="Of the random numbers.")
@click.option(
    "--mask",
    type=PATH,
    callback=reading(mask_picture),
    help="A picture that is white where the pictures (or the crops to their faces) are to be matched.",
)
@click.option(
    "--features",
    callback=model_file("encoder", "gradients"),
    shell_complete=any_file,
    help="encoder, gradients, or a file with VGG16's or LPIPS' weights (the best).",
)
@shards
@options.strict
@options.models
def invert(
    run: Run,
    output: Output,
    pictures: list[Path],
    shards: bool,
    method: str,
    steps: int,
    quality: str,
    seed: int,
    mask: Path | None,
    features: str | None,
    strict: bool,
    models: ModelOptions,
) -> None:
    if shards:
        if method == "tune" or mask or features:
            raise StyleMixError(
                "--shards takes no --mask, no --features and no method tune; leave --shards out"
            )
        how = {"method": method, "steps": steps, "quality": quality, "seed": seed}
        steps_of = [*aligned(models), {"invert": how}, "decode"]
        run_shards({"pictures": [*map(str, pictures)]}, steps_of, output, models, run, strict)
        return
    results = begin_results(output, run)
    from ...files.pictures import load_mask
    from ...inversion import check_encoder
    from ...inversion import invert as invert_pictures
    from ..inputs import open_generator, open_reader, read_picture

    generator, encoder = open_generator(models), open_reader(models, run)
    where = None if mask is None else load_mask(mask)
    run.warn({check_encoder(encoder, generator)})
    names = unique([file_name(path.stem) for path in pictures])
    batch = Batch(run, strict, PICTURES)

    def read(path: Path) -> "torch.Tensor":
        return read_picture(path, encoder, models, generator.img_resolution)

    for place, picture in batch.each(pictures, read, told=False):
        title = pictures[place].name
        with run.progress(title=title) as bar:
            given = generator, picture, encoder, method, steps, seed
            result = invert_pictures(
                *given, quality=quality, mask=where, on_step=bar.step, perceptual=features
            )
        write_inversion(results, names[place], title, result)
    if batch.done:
        tunings = f"; what was tuned is in {output.out / 'tunings'}" if method == "tune" else ""
        run.say(f"W+ files, reconstructions and reports in {output.out}: {batch.done} of each{tunings}")
    batch.end()


def write_inversion(results: "Results", name: str, title: str, result: "InversionResult") -> None:
    """Write what inverting the picture of that title gave: codes, tuning, reconstruction, report; and tell of it."""
    from ...images import from_pil
    from ...inversion import save_delta

    name = results.latents(name, result.latents([title])).stem
    if result.delta is not None:
        tuning = results.folder / "tunings" / f"{name}{LATENTS}"
        results.file(tuning, partial(save_delta, delta=result.delta))
    results.picture(f"{name}_reconstruction", result.images[0])
    figures = json.dumps({"picture": title} | result.figures())
    report = results.text(f"{name}_report.json", figures, same_figures)
    if report in results.written:
        results.picture(report.stem, from_pil(result.report())[0])
    results.run.say(
        f"{name}: L2 {result.start_l2[0]:.5f} → {result.l2[0]:.5f}, {result.steps} steps, {result.seconds:.1f} s, "
        f"perceptual: {result.features}"
    )


def same_figures(one: Path, other: Path) -> bool:
    """Whether two reports of inversions are of the same result: how long it took does not count."""

    def figures(path: Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8")) | {"seconds": None}

    try:
        return bool(figures(one) == figures(other))
    except (OSError, ValueError, TypeError):  # the other file is none
        return False
