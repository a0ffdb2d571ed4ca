"""Layers of a style in other faces: mix, matrix, strip."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import StyleMixError
from ...masks.grammar import STUDY_SWEEP, MaskSource
from ...wording import counted, there_are
from .. import options
from ..begin import begin_results
from ..choices import CHANNEL_SHARE, MOST_COLUMNS, SPACES
from ..fit import check_layers
from ..options import PATH, Mixing, Output
from ..paths import numbered
from ..reading import each, mask_picture, number, reading, strength
from ..run import Run
from ..verb import verb

if TYPE_CHECKING:
    import torch

    from ...codes.latents import Latents
    from ...generator import Generator


@verb("Inject layers of a style into faces through a mask list.")
@options.output("mix")
@options.mixing(STUDY_SWEEP)
@options.pairing
@click.option(
    "--space",
    type=click.Choice(SPACES, case_sensitive=False),
    metavar=f"[{'|'.join(SPACES)}]",
    default="W+",
    help="What of a layer to take.",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="PATH...",
    type=PATH,
    callback=each(mask_picture),
    help="Pictures that are white where the style acts: one, or one per mask of the list.",
)
@click.option(
    "--channel-share",
    type=float,
    default=CHANNEL_SHARE,
    callback=number("channel_share", 0, 1),
    help="With --space channels: how many act in the region.",
)
@click.option(
    "--sure-only", is_flag=True, help="Leave alone the layers that the style's encoder was unsure of."
)
def mix(
    run: Run,
    output: Output,
    mixing: Mixing,
    pairing: str,
    space: str,
    regions: list[Path],
    channel_share: float,
    sure_only: bool,
) -> None:
    check_layers(mixing.models, mixing.masks.text, cutoff=mixing.sampling.cutoff)
    check_regions(regions, mixing.masks.text, space)
    results = begin_results(output, run)
    from ...codes.latents import short_origin
    from ...decoding import describe_leakage, leakage
    from ...figures.grid import compare_grid
    from ...generator.batches import in_chunks
    from ...mixing.inject import Injection
    from ...mixing.pairing import pairs
    from ..inputs import mixed_codes, open_generator
    from ..pictures import decode

    generator = open_generator(mixing.models)
    sources, styles, masks = mixed_codes(generator, mixing, run)
    region = one_size(regions, sources, generator, run) if regions else None
    injection = Injection(masks, pairing, space, region, channel_share, sure_only=sure_only)
    with run.progress(title="channels") as bar:
        injected = injection.run(sources, styles, in_chunks(generator, bar.step))
    run.warn(injected.warnings)
    for name, latents in (("sources", sources), ("styles", styles), ("results", injected.codes)):
        results.latents(name, latents)
    drawn = decode(generator, [injected.codes, sources, styles], mixing.noise, run)
    pictures, source_pictures, style_pictures = (
        list(islice(drawn, len(part))) for part in (injected.codes, sources, styles)
    )
    rows = pairs(len(sources), len(styles), pairing)
    names = numbered(
        (short_origin(sources, i), short_origin(styles, j), label) for i, j in rows for label in masks.labels
    )
    results.pictures("results", zip(names, pictures))
    grid = compare_grid(
        pictures,
        masks.labels,
        source=[source_pictures[i] for i, _ in rows],
        style=[style_pictures[j] for _, j in rows],
        rows=row_labels(sources, styles, rows),
    )
    sheet = results.picture("grid", grid[0])
    if regions and injected.codes.regions:
        run.say(describe_leakage(*leakage(generator, injected.codes.take([0]))[0].tolist()))
    run.say(f"{counted(len(injected.codes), 'result')}; the comparison is {sheet}")


def check_regions(regions: list[Path], mask_list: str, space: str) -> None:
    """Errors where pictures of regions do not fit the masks or the space."""
    masks = MaskSource(mask_list).masks
    if regions and len(regions) not in (1, len(masks)):
        raise StyleMixError(
            f"{there_are(len(regions), 'region picture')} for {counted(len(masks), 'mask')}; "
            "give one for all, or one per mask"
        )
    if space == "channels" and not regions:
        raise StyleMixError(
            "--space channels takes those that act in a region; give a picture of it by --region"
        )


def one_size(regions: list[Path], sources: "Latents", generator: "Generator", run: Run) -> "torch.Tensor":
    """Pictures of regions as masks `[N, H, W]`, of the size of what is drawn."""
    import torch

    from ...generator.fingerprint import picture_shape
    from ...images import resize
    from ..inputs import read_regions

    shape = picture_shape(generator.num_ws, sources.generator)
    masks = read_regions(regions, generator, run)
    return torch.cat([resize(mask[None, None], *shape) for mask in masks])[:, 0]


def row_labels(sources: "Latents", styles: "Latents", rows: Sequence[tuple[int, int]]) -> list[str]:
    """What each row is of: seeds and files, the style only where there are several."""
    from ...codes.latents import short_origin

    labels = [short_origin(sources, i) for i, _ in rows]
    if len(styles) == 1:
        return labels
    return [f"{label} · {short_origin(styles, j)}" for label, (_, j) in zip(labels, rows)]


@verb("StyleGAN's style-mixing figure: every source with every style.")
@options.output("matrix")
@options.mixing("0-3")
def matrix(run: Run, output: Output, mixing: Mixing) -> None:
    check_layers(mixing.models, mixing.masks.text, cutoff=mixing.sampling.cutoff)
    results = begin_results(output, run)
    from ...figures.sheets import mixing_matrix
    from ..inputs import mixed_codes, open_generator
    from ..pictures import draw_figure

    generator = open_generator(mixing.models)
    figure = mixing_matrix(*mixed_codes(generator, mixing, run))
    draw_figure(generator, figure, mixing.noise, results)


@verb("Inject layers of a style with rising strength.")
@options.output("strip")
@options.mixing("all")
@options.pairing
@click.option("--from", "first", type=float, default=0.0, callback=reading(strength), help="First strength.")
@click.option("--to", "last", type=float, default=1.0, callback=reading(strength), help="Last strength.")
@click.option(
    "--count", type=int, default=5, callback=number("count", 1, MOST_COLUMNS), help="How many strengths."
)
def strip(
    run: Run, output: Output, mixing: Mixing, pairing: str, first: float, last: float, count: int
) -> None:
    check_layers(mixing.models, mixing.masks.text, cutoff=mixing.sampling.cutoff)
    results = begin_results(output, run)
    from ...figures.sheets import even_strengths, strength_strip
    from ..inputs import mixed_codes, open_generator
    from ..pictures import draw_figure

    strengths = even_strengths(first, last, count)
    generator = open_generator(mixing.models)
    figure = strength_strip(*mixed_codes(generator, mixing, run), strengths, pairing)
    draw_figure(generator, figure, mixing.noise, results)
