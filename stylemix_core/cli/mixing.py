"""Layers of a style in other faces: mix, matrix, strip."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import StyleMixError
from ..masks.grammar import STUDY_SWEEP, MaskSource
from ..wording import counted, there_are
from . import arguments
from .choices import CHANNEL_SHARE, MOST_COLUMNS, SPACES
from .fit import check_layers
from .paths import numbered
from .verb import Options, out_folder, verb

if TYPE_CHECKING:
    from ..codes.latents import Latents
    from ..figures.sheets import Figure
    from ..generator import Generator
    from ..masks.mask_list import MaskList


def check_region(options: Options) -> None:
    masks = MaskSource(options.masks).masks
    if options.region and len(options.region) not in (1, len(masks)):
        raise StyleMixError(
            f"{there_are(len(options.region), 'region picture')} for {counted(len(masks), 'mask')}; "
            "give one for all, or one per mask"
        )
    if options.space == "channels" and not options.region:
        raise StyleMixError(
            "--space channels takes those that act in a region; give a picture of it by --region"
        )


@verb(
    "Inject layers of a style into faces through a mask list.",
    out_folder("mix"),
    checks=(check_layers, check_region),
)
@arguments.mixing(STUDY_SWEEP)
@arguments.pairing
@click.option(
    "--space",
    type=click.Choice(SPACES, case_sensitive=False),
    metavar=f"[{'|'.join(SPACES)}]",
    default="W+",
    help="What of a layer to take.",
)
@click.option(
    "--region",
    multiple=True,
    metavar="PATH...",
    type=Path,
    callback=arguments.mask_pictures,
    help="Pictures that are white where the style acts: one, or one per mask of the list.",
)
@click.option(
    "--channel-share",
    type=float,
    default=CHANNEL_SHARE,
    callback=arguments.number("channel_share", 0, 1),
    help="With --space channels: how many act in the region.",
)
def mix(options: Options) -> None:
    from ..codes.latents import short_origin
    from ..decoding import describe_leakage, leakage
    from ..figures.grid import compare_grid
    from ..mixing.pairing import pairs
    from .files import decode, mixed_codes, open_generator, say

    generator = open_generator(options)
    sources, styles, masks = mixed_codes(generator, options)
    results = inject_into(generator, sources, styles, masks, options)
    for name, latents in (("sources", sources), ("styles", styles), ("results", results)):
        options.results.latents(name, latents)
    drawn = decode(generator, [results, sources, styles], options)
    pictures, source_pictures, style_pictures = (
        list(islice(drawn, len(part))) for part in (results, sources, styles)
    )
    rows = pairs(len(sources), len(styles), options.pairing)
    names = numbered(
        (short_origin(sources, i), short_origin(styles, j), label) for i, j in rows for label in masks.labels
    )
    options.results.pictures("results", zip(names, pictures))
    grid = compare_grid(
        pictures,
        masks.labels,
        source=[source_pictures[i] for i, _ in rows],
        style=[style_pictures[j] for _, j in rows],
        rows=row_labels(sources, styles, rows),
    )
    sheet = options.results.picture("grid", grid[0])
    if options.region and results.regions:
        say(options, describe_leakage(*leakage(generator, results.take([0]))[0].tolist()))
    say(options, f"{counted(len(results), 'result')}; the comparison is {sheet}")


def inject_into(
    generator: "Generator", sources: "Latents", styles: "Latents", masks: "MaskList", options: Options
) -> "Latents":
    """The codes injected in the space and the region asked for."""
    import torch

    from ..generator.batches import in_chunks
    from ..generator.fingerprint import picture_shape
    from ..images import resize
    from ..mixing.inject import Injection
    from .files import progress, read_regions, warn

    region = None
    if options.region:
        given = read_regions(options.region, generator, options)
        shape = picture_shape(generator.num_ws, sources.generator)
        region = torch.cat([resize(mask[None, None], *shape) for mask in given])[:, 0]
    injection = Injection(masks, options.pairing, options.space, region, options.channel_share)
    with progress(options, title="channels") as bar:
        injected = injection.run(sources, styles, in_chunks(generator, bar.step))
    warn(options, injected.warnings)
    return injected.codes


@verb(
    "StyleGAN's style-mixing figure: every source with every style.",
    out_folder("matrix"),
    checks=(check_layers,),
)
@arguments.mixing("0-3")
def matrix(options: Options) -> None:
    from ..figures.sheets import mixing_matrix
    from .files import mixed_codes, open_generator

    generator = open_generator(options)
    save_figure(generator, mixing_matrix(*mixed_codes(generator, options)), options)


@verb("Inject layers of a style with rising strength.", out_folder("strip"), checks=(check_layers,))
@arguments.mixing("all")
@arguments.pairing
@click.option(
    "--from",
    "first",
    type=float,
    default=0.0,
    callback=arguments.reading(arguments.strength),
    help="First strength.",
)
@click.option(
    "--to",
    "last",
    type=float,
    default=1.0,
    callback=arguments.reading(arguments.strength),
    help="Last strength.",
)
@click.option(
    "--count",
    type=int,
    default=5,
    callback=arguments.number("count", 1, MOST_COLUMNS),
    help="How many strengths.",
)
def strip(options: Options) -> None:
    from ..figures.sheets import even_strengths, strength_strip
    from .files import mixed_codes, open_generator

    strengths = even_strengths(options.first, options.last, options.count)
    generator = open_generator(options)
    codes = mixed_codes(generator, options)
    save_figure(generator, strength_strip(*codes, strengths, options.pairing), options)


def save_figure(generator: "Generator", figure: "Figure", options: Options) -> None:
    """The results' codes, their pictures, and the sheet."""
    from .files import decode, say

    options.results.latents("results", figure.results)
    pictures = list(decode(generator, [figure.codes], options))
    options.results.pictures("results", zip(numbered(figure.names), figure.result_pictures(pictures)))
    sheet = options.results.picture("grid", figure.sheet(pictures)[0])
    say(options, f"{counted(len(figure.labels), 'result')}; the comparison is {sheet}")


def row_labels(sources: "Latents", styles: "Latents", rows: Sequence[tuple[int, int]]) -> list[str]:
    """What each row is of: seeds and files, the style only where there are several."""
    from ..codes.latents import short_origin

    labels = [short_origin(sources, i) for i, _ in rows]
    if len(styles) == 1:
        return labels
    return [f"{label} · {short_origin(styles, j)}" for label, (_, j) in zip(labels, rows)]
