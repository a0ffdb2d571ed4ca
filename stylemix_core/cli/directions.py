"""Sliders that nobody had to train."""

import argparse

from ..directions import (
    Directions,
    apply_direction,
    check_directions,
    find_directions,
    load_directions,
    read_names,
    save_directions,
)
from ..figures import direction_sheet, even_strengths
from ..generator import Generator
from ..latents import (
    check_generator,
    join_latents,
    save_latents,
)
from ..masks import parse_masks
from ..progress import ProgressBar
from ..texts import counted
from .files import LATENTS, decode, mask_text, open_generator, save_pictures, source_codes, warn
from .mixing import save_figure


def directions(options: argparse.Namespace) -> None:
    generator = open_generator(options)
    found = directions_of(generator, options).named(read_names("\n".join(options.names)))
    options.seeds = options.seeds or [0]
    sources = join_latents(source_codes(generator, options))
    masks = None if options.masks is None else parse_masks(mask_text(options.masks), generator.num_ws)
    warn(options, {check_generator(sources, generator), check_directions(sources, found)})
    if options.apply is None:
        strengths = even_strengths(-options.strength, options.strength, options.steps)
        figure = direction_sheet(sources, found, strengths, masks)
    else:
        moved = apply_direction(sources, found, options.apply, options.strength, masks)
    save_directions(options.out / f"directions{LATENTS}", found)
    print(found.report())
    if options.apply is None:
        save_figure(generator, figure, options)
        return
    save_latents(options.out / f"results{LATENTS}", moved)
    pictures = decode(generator, [moved], options.noise)
    save_pictures(options, "results", ((f"{i:04d}", picture) for i, picture in enumerate(pictures)))
    print(f"{counted(len(moved), 'result')} in {options.out}")


def directions_of(generator: Generator, options: argparse.Namespace) -> Directions:
    if options.load is not None:
        return load_directions(options.load)
    bar = ProgressBar(options.samples, options.method)
    found = find_directions(
        generator,
        options.method,
        options.layers,
        options.count,
        options.samples,
        options.seed,
        lambda done, total, images: bar.update(done),
    )
    bar.close()
    return found
