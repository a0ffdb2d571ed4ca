"""W+ codes that are at hand: decode, blend, truncate, export."""

from pathlib import Path

import click

from ...errors import StyleMixError
from ...files.endings import EXPORTS
from ...files.names import file_name, unique
from ...wording import counted
from .. import options
from ..batch import Batch
from ..begin import begin_results
from ..fit import check_cutoff, check_layers
from ..options import PATH, GeneratorOptions, ModelOptions, Moving, Output, Truncation
from ..paths import CODE_FILES, CODES, numbered, refuse_to_replace
from ..reading import number, one_path, some_files
from ..run import Run
from ..verb import verb


@verb("Draw the pictures of W+ codes.", "FILES are W+ files or folders of them.")
@options.output("decode")
@click.argument("files", nargs=-1, required=True, type=PATH, callback=some_files(CODE_FILES))
@options.strict
@options.noise
@options.moving_or_posed
@options.generator_of_codes
def decode(
    run: Run,
    output: Output,
    files: list[Path],
    strict: bool,
    noise: str,
    moving: Moving,
    models: GeneratorOptions,
) -> None:
    results = begin_results(output, run)
    from ...codes.latents import load_latents
    from ..inputs import move_of, open_generator, read_batch
    from ..pictures import code_names
    from ..pictures import decode as draw

    generator = open_generator(models)
    batch = Batch(run, strict, CODE_FILES)
    parts = read_batch(
        batch, files, generator, lambda file: load_latents(file, generator.num_ws, models.iteration)
    )
    if parts:
        pictures = draw(generator, parts, noise, run, move=move_of(moving, parts))
        results.pictures("", zip(code_names(*parts), pictures))
        run.say(f"{counted(sum(map(len, parts)), 'picture')} in {output.out}")
    batch.end()


@verb(
    "Blend faces: from a to b in all layers alike.",
    "A and B are W+ files, pictures or folders of them: as many on both sides, or one on one.",
)
@options.output("blend")
@click.argument("a", type=PATH, callback=one_path(CODES))
@click.argument("b", type=PATH, callback=one_path(CODES))
@click.option(
    "--weight",
    type=float,
    default=0.5,
    callback=number("weight", -1, 2, ", 0 is a and 1 is b"),
    help="How much of b: 0 is a, 1 is b; beyond that exaggerates.",
)
@options.noise
@options.models_and_codes
def blend(
    run: Run, output: Output, a: list[Path], b: list[Path], weight: float, noise: str, models: ModelOptions
) -> None:
    results = begin_results(output, run)
    from ...codes.combine import blend_latents, join_latents
    from ...codes.latents import short_origin
    from ..inputs import open_generator, read_codes
    from ..pictures import draw_codes

    generator = open_generator(models)
    sides = [join_latents(read_codes(paths, generator, models, run)) for paths in (a, b)]
    blended = blend_latents(sides[0], sides[1], weight)
    of = ([short_origin(side, place % len(side)) for side in sides] for place in range(len(blended)))
    draw_codes(generator, blended, numbered(of), noise, results)


@verb(
    "Move faces towards the generator's average face, or away from it.",
    "FILES are W+ files, pictures or folders of them.",
)
@options.output("truncate")
@click.argument("files", nargs=-1, required=True, type=PATH, callback=some_files(CODES))
@options.strict
@options.truncation
@options.noise
@options.models_and_codes
def truncate(
    run: Run,
    output: Output,
    files: list[Path],
    strict: bool,
    truncation: Truncation,
    noise: str,
    models: ModelOptions,
) -> None:
    check_layers(models, cutoff=truncation.cutoff)
    results = begin_results(output, run)
    from ...codes.combine import join_latents, truncate_latents
    from ..inputs import open_generator, read_batch, reader
    from ..pictures import code_names, draw_codes

    generator = open_generator(models)
    check_cutoff(truncation.cutoff, generator.num_ws)
    batch = Batch(run, strict, CODES)
    parts = read_batch(batch, files, generator, reader(files, generator, models, run))
    if parts:
        codes = truncate_latents(join_latents(parts), generator, truncation.psi, truncation.cutoff)
        draw_codes(generator, codes, code_names(codes), noise, results)
    batch.end()


@verb(
    "Write W+ codes and directions for other tools.",
    "FILES are W+ files, files of directions or folders of them. An .npz has the code under w, as NVIDIA's projector "
    "writes it, and directions as GANSpace does; .npy and .pt are one array.",
)
@options.output("export")
@click.argument("files", nargs=-1, required=True, type=PATH, callback=some_files(CODE_FILES))
@click.option("--format", type=click.Choice(EXPORTS), default="npz", help="Kind of file.")
@options.strict
@options.iteration
def export(run: Run, output: Output, files: list[Path], format: str, strict: bool, iteration: int) -> None:
    results = begin_results(output, run)
    from ...codes.direction_files import holds_directions, load_directions, may_be_directions, save_directions
    from ...codes.latents import load_latents, save_latents

    batch = Batch(run, strict, CODE_FILES)
    names = unique([file_name(file.stem) for file in files])
    targets = dict(zip(files, (output.out / f"{name}.{format}" for name in names), strict=True))
    if output.overwrite:
        refuse_to_replace(files, targets.values())

    def write(file: Path) -> Path:
        target = targets[file]
        latents = None
        if not holds_directions(file):
            try:
                latents = load_latents(file, iteration=iteration)
            except StyleMixError:
                if not may_be_directions(file):
                    raise  # else it is another tool's, and no codes
        if latents is None:
            directions = load_directions(file)
            return results.file(target, lambda path: save_directions(path, directions))
        return results.file(target, lambda path: save_latents(path, latents))

    for _, written in batch.each(files, write):
        run.say(str(written))
    batch.end()
