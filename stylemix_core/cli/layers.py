"""Which layer carries what: explain, find."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..analysis.find_legend import LEGEND
from ..analysis.wish_text import KINDS, read_wish
from . import arguments
from .choices import CARE, OTHERS
from .fit import check_layers
from .paths import file_name
from .verb import Options, out_folder, verb

if TYPE_CHECKING:
    import torch

    from ..generator import Generator


arcface = click.option(
    "--arcface",
    type=Path,
    callback=arguments.model_file(),
    help="A file with ArcFace's weights, to tell identity (encoder).",
)


@verb(
    "Inject each layer of a style alone, and show what it changes and where.",
    out_folder("explain"),
    checks=(check_layers,),
)
@arguments.sources()
@arguments.style
@click.option(
    "--region",
    multiple=True,
    metavar="NAME=FILE",
    type=arguments.NamedMask(),
    help="A picture that is white inside a region, instead of those found in the face; may be repeated.",
)
@click.option(
    "--features",
    callback=arguments.model_file("encoder"),
    help="Compare by a file with VGG16's or LPIPS' weights, or by encoder (colours).",
)
@arcface
@arguments.sampling
@arguments.models
def explain(options: Options) -> None:
    from ..analysis.explain import explain_layers
    from ..images import from_pil
    from .files import open_encoder, open_generator, progress, read_regions, say, source_and_style

    generator = open_generator(options)
    sources, styles = source_and_style(generator, options)
    regions = None
    if options.region:
        names, paths = zip(*options.region)
        regions = dict(zip(names, read_regions(paths, generator, options)))
    with progress(options) as bar:
        report = explain_layers(
            generator,
            sources.w,
            styles.w,
            regions,
            open_encoder(options) if suits(options) else None,
            options.features,
            options.arcface,
            on_step=bar.step,
        )
    results = options.results
    results.text("table.txt", report.table())
    results.text("table.json", json.dumps(report.figures(), indent=2))
    for folder, pictures in (
        ("pictures", report.alone),
        ("without", report.without),
        ("heat_maps", report.heat_maps()),
    ):
        results.pictures(folder, ((f"layer{layer:02d}", picture) for layer, picture in enumerate(pictures)))
    sheet = results.picture("sheet", from_pil(report.sheet())[0])
    say(options, f"{report.table()}\n\nthe sheet is {sheet}")


@verb(
    "Search the layers that change a wished region, and little else.",
    out_folder("find"),
    epilog="The table's columns. " + " ".join(LEGEND),
    checks=(check_layers,),
)
@arguments.sources()
@arguments.style
@click.option(
    "--target",
    required=True,
    callback=arguments.reading(arguments.wish_or_picture),
    help='What shall change, in words: "hair shape", "hair and skin colour", "eyes and mouth", "colours", '
    '"everything but the face"; or a picture that is white there.',
)
@click.option(
    "--keep",
    callback=arguments.reading(arguments.wish_or_picture),
    help="What must stay above all: a region, identity, or a picture that is white there.",
)
@click.option(
    "--what", type=click.Choice(KINDS), help="What of the target (what its words say, else anything)."
)
@click.option(
    "--care",
    type=float,
    default=CARE,
    callback=arguments.number("care", 0, usual=", usually 0.5 to 4"),
    help="How much the rest counts: 0.5 bold, 4 careful.",
)
@click.option(
    "--steps",
    type=int,
    default=8,
    callback=arguments.number("steps", 0),
    help="Of the descent on strengths, 0 for none.",
)
@click.option("--count", type=int, default=5, callback=arguments.number("count", 1), help="Masks to list.")
@click.option(
    "--others",
    type=int,
    default=OTHERS,
    callback=arguments.number("others", 0),
    help="Random faces that the layers are tried with too; 0 for this pair alone.",
)
@arcface
@arguments.sampling
@arguments.models
def find(options: Options) -> None:
    from ..analysis.find import find_layers
    from ..encoder.identity import find_identity
    from ..images import from_pil
    from .files import open_encoder, open_generator, progress, say, source_and_style, warn

    for name, wish in (("target", options.target), ("keep", options.keep)):
        if isinstance(wish, str):
            kind = options.what if name == "target" else None
            say(options, f"{name}: {wish!r} is read as {read_wish(wish).describe(kind)}")
    generator = open_generator(options)
    sources, styles = source_and_style(generator, options)
    identity = None
    if options.keep == "identity" and (suits(options) or options.arcface):
        identity = find_identity(options.arcface, open_encoder(options) if suits(options) else None)
    with progress(options) as bar:
        found = find_layers(
            generator,
            sources.w,
            styles.w,
            words_or_mask(options.target, generator, options),
            None if options.keep is None else words_or_mask(options.keep, generator, options),
            options.what,
            care=options.care,
            steps=options.steps,
            count=options.count,
            others=options.others,
            identity=identity,
            on_step=bar.step,
        )
    results = options.results
    results.text("table.txt", found.table())
    results.text("table.json", json.dumps(found.figures(), indent=2))
    results.text("mask_list.txt", found.masks.text)
    names = [f"{rank:02d}_{file_name(mask.mask_text)}" for rank, mask in enumerate(found, 1)]
    results.pictures("pictures", zip(names, found.pictures))
    sheet = results.picture("sheet", from_pil(found.sheet())[0])
    best = "the best mask is" if found.warning is None else "the least bad mask is"
    say(options, f"{found.table()}\n\n{best} {found[0].mask_text}; the sheet is {sheet}")
    warn(options, {found.warning})


def suits(options: Options) -> bool:
    """Whether the encoder knows the generator's faces: the bundled one knows nothing of others'."""
    return options.encoder != "demo" or options.generator in (None, "demo")


def words_or_mask(wish: str | Path, generator: "Generator", options: Options) -> "str | torch.Tensor":
    """A wish in words, or a picture's brightness `[H, W]` in 0…1."""
    from .files import read_regions

    if isinstance(wish, str):
        return wish
    (mask,) = read_regions([wish], generator, options)
    return mask
