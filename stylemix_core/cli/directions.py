"""Sliders that nobody had to train."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..codes.direction_text import read_names
from ..wording import counted
from . import arguments
from .choices import DIRECTION_METHODS, DIRECTION_STRENGTH, MOST_COLUMNS, SAMPLES
from .fit import check_layers
from .mixing import save_figure
from .paths import LATENTS
from .verb import Options, out_folder, verb

if TYPE_CHECKING:
    from ..codes.directions import Directions
    from ..generator import Generator


@verb(
    "Find sliders that nobody had to train, show and apply them.",
    out_folder("directions"),
    checks=(check_layers,),
)
@click.option(
    "--method",
    type=click.Choice(DIRECTION_METHODS, case_sensitive=False),
    metavar=f"[{'|'.join(DIRECTION_METHODS)}]",
    default="SeFa",
    help="How to find them.",
)
@click.option(
    "--layers",
    default="all",
    callback=arguments.reading(arguments.one_mask),
    help="Where to find them, as in a mask.",
)
@click.option("--count", type=int, default=10, callback=arguments.number("count", 1), help="How many.")
@click.option(
    "--samples",
    type=int,
    default=SAMPLES,
    callback=arguments.number("samples", 1),
    help="Sampled w that GANSpace looks at.",
)
@click.option("--seed", type=int, default=0, help="Of GANSpace's samples.")
@click.option(
    "--load",
    type=Path,
    callback=arguments.existing("there is no file with directions at {path}; check the path"),
    help="Take saved directions instead of finding some.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NUMBER:NAME...",
    callback=arguments.reading(lambda lines: read_names("\n".join(lines))),
    help="Name directions, as in 1:smile.",
)
@arguments.sources(required=False)
@click.option("--apply", metavar="DIRECTION", help="Move the faces along one, by its number or name.")
@click.option(
    "--strength",
    type=float,
    default=3.0,
    callback=arguments.number("strength", -DIRECTION_STRENGTH, DIRECTION_STRENGTH),
    help="How far to apply, or to show both ways.",
)
@click.option(
    "--steps",
    type=int,
    default=5,
    callback=arguments.number("steps", 1, MOST_COLUMNS),
    help="Strengths on the sheet.",
)
@arguments.masks(
    None, "The layers to move: mask list, or a .txt file of one (those where the directions were found)."
)
@arguments.sampling
@arguments.noise
@arguments.models
def directions(options: Options) -> None:
    from ..codes.combine import join_latents
    from ..codes.directions import apply_direction, check_directions, save_directions
    from ..figures.sheets import direction_sheet, even_strengths
    from ..masks.mask_list import parse_masks
    from .files import code_names, decode, open_generator, say, source_codes, warn

    generator = open_generator(options)
    found = directions_of(generator, options).named(options.names)
    options.seeds = options.seeds or [0]
    sources = join_latents(source_codes(generator, options))
    masks = None if options.masks is None else parse_masks(options.masks, generator.num_ws)
    warn(options, {check_directions(sources, found)})
    if options.apply is None:
        strengths = even_strengths(-options.strength, options.strength, options.steps)
        figure = direction_sheet(sources, found, strengths, masks)
    else:
        moved = apply_direction(sources, found, options.apply, options.strength, masks)
    options.results.file(options.out / f"directions{LATENTS}", lambda path: save_directions(path, found))
    say(options, found.report())
    if options.apply is None:
        save_figure(generator, figure, options)
        return
    options.results.latents("results", moved)
    options.results.pictures("results", zip(code_names(moved), decode(generator, [moved], options)))
    say(options, f"{counted(len(moved), 'result')} in {options.out}")


def directions_of(generator: "Generator", options: Options) -> "Directions":
    from ..codes.directions import find_directions, load_directions
    from .files import progress

    if options.load is not None:
        return load_directions(options.load)
    with progress(options, options.samples, options.method) as bar:
        return find_directions(
            generator,
            options.method,
            options.layers,
            options.count,
            options.samples,
            options.seed,
            bar.step,
        )
