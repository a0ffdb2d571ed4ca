"""W+ codes that are at hand: decode, blend, truncate."""

from pathlib import Path

import click

from ..wording import counted
from . import arguments
from .batch import Batch
from .fit import check_cutoff, check_layers
from .paths import LATENTS, PICTURES, numbered
from .verb import Options, out_folder, strict, verb

CODES = PICTURES | {LATENTS}


@verb(
    "Draw the pictures of W+ codes.",
    out_folder("decode"),
    "FILES are W+ files or folders of them.",
)
@click.argument("files", nargs=-1, required=True, type=Path, callback=arguments.some_files({LATENTS}))
@strict
@arguments.noise
@arguments.generator_only
def decode(options: Options) -> None:
    from ..codes.latents import load_latents
    from .files import code_names, fitting, open_generator, say, warn
    from .files import decode as draw

    generator = open_generator(options)
    batch = Batch(options, {LATENTS})
    warnings: list[str | None] = []
    read = fitting(generator, load_latents, warnings)
    parts = [latents for _, latents in batch.each(options.files, read)]
    warn(options, warnings)
    if parts:
        options.results.pictures("", zip(code_names(*parts), draw(generator, parts, options)))
        say(options, f"{counted(sum(map(len, parts)), 'picture')} in {options.out}")
    batch.end()


@verb(
    "Blend faces: from a to b in all layers alike.",
    out_folder("blend"),
    "A and B are W+ files, pictures or folders of them: as many on both sides, or one on one.",
)
@click.argument("a", type=Path, callback=arguments.one_path(CODES))
@click.argument("b", type=Path, callback=arguments.one_path(CODES))
@click.option(
    "--weight",
    type=float,
    default=0.5,
    callback=arguments.number("weight", -1, 2, ", 0 is a and 1 is b"),
    help="How much of b: 0 is a, 1 is b; beyond that exaggerates.",
)
@arguments.noise
@arguments.models
def blend(options: Options) -> None:
    from ..codes.combine import blend_latents, join_latents
    from ..codes.latents import short_origin
    from .files import draw_codes, open_generator, read_codes

    generator = open_generator(options)
    a, b = (join_latents(read_codes(paths, generator, options)) for paths in (options.a, options.b))
    blended = blend_latents(a, b, options.weight)
    of = ([short_origin(part, place % len(part)) for part in (a, b)] for place in range(len(blended)))
    draw_codes(generator, blended, numbered(of), options)


@verb(
    "Move faces towards the generator's average face, or away from it.",
    out_folder("truncate"),
    "FILES are W+ files, pictures or folders of them.",
    checks=(check_layers,),
)
@click.argument("files", nargs=-1, required=True, type=Path, callback=arguments.some_files(CODES))
@strict
@arguments.truncation
@arguments.noise
@arguments.models
def truncate(options: Options) -> None:
    from ..codes.combine import join_latents, truncate_latents
    from .files import code_names, draw_codes, fitting, open_generator, reader, warn

    generator = open_generator(options)
    check_cutoff(options.cutoff, generator.num_ws)
    batch = Batch(options, CODES)
    warnings: list[str | None] = []
    read = fitting(generator, reader(options.files, options), warnings)
    parts = [latents for _, latents in batch.each(options.files, read)]
    warn(options, warnings)
    if parts:
        truncated = truncate_latents(join_latents(parts), generator, options.psi, options.cutoff)
        draw_codes(generator, truncated, code_names(truncated), options)
    batch.end()
