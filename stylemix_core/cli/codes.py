"""W+ codes that are at hand: decode, blend, truncate."""

from pathlib import Path

import click

from ..texts import counted
from . import arguments
from .batch import Batch
from .fit import check_cutoff, check_layers
from .paths import LATENTS, PICTURES, numbered
from .verb import Options, out_codes, out_folder, strict, verb

CODES = PICTURES | {LATENTS}


@verb(
    "Draw the pictures of W+ codes.",
    out_folder("decode"),
    "FILES are W+ files or folders of them.",
)
@click.argument("files", nargs=-1, required=True, type=Path, callback=arguments.files({LATENTS}))
@strict
@arguments.noise
@arguments.generator_only
def decode(options: Options) -> None:
    from ..latents import check_generator, load_latents
    from .files import code_names, open_generator, save_pictures, say, warn
    from .files import decode as draw

    generator = open_generator(options)
    batch = Batch(options)
    parts = [latents for _, latents in batch.each(options.files, load_latents)]
    warn(options, {check_generator(latents, generator) for latents in parts})
    if parts:
        save_pictures(options, "", zip(code_names(*parts), draw(generator, parts, options)))
        say(options, f"{counted(sum(map(len, parts)), 'picture')} in {options.out}")
    batch.end()


@verb(
    "Blend faces: from a to b in all layers alike.",
    out_codes("blend"),
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
    from ..latents import blend_latents, check_generator, join_latents, short_origin
    from .files import draw_codes, open_generator, read_codes, warn

    generator = open_generator(options)
    a, b = (join_latents(read_codes(paths, options)) for paths in (options.a, options.b))
    warn(options, {check_generator(a, generator), check_generator(b, generator)})
    blended = blend_latents(a, b, options.weight)
    of = ([short_origin(part, place % len(part)) for part in (a, b)] for place in range(len(blended)))
    draw_codes(generator, blended, numbered(of), options)


@verb(
    "Move faces towards the generator's average face, or away from it.",
    out_codes("truncate"),
    "FILES are W+ files, pictures or folders of them.",
    checks=(check_layers,),
)
@click.argument("files", nargs=-1, required=True, type=Path, callback=arguments.files(CODES))
@arguments.truncation
@arguments.noise
@arguments.models
def truncate(options: Options) -> None:
    from ..latents import check_generator, join_latents, truncate_latents
    from .files import code_names, draw_codes, open_generator, read_codes, warn

    generator = open_generator(options)
    check_cutoff(options.cutoff, generator.num_ws)
    latents = join_latents(read_codes(options.files, options))
    warn(options, {check_generator(latents, generator)})
    truncated = truncate_latents(latents, generator, options.psi, options.cutoff)
    draw_codes(generator, truncated, code_names(truncated), options)
