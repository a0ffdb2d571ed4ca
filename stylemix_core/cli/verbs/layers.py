"""Which layer carries what: explain, find."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...analysis.find_legend import LEGEND
from ...analysis.wish_text import KINDS, read_wish
from ...files.names import file_name
from .. import options
from ..begin import begin_results
from ..choices import CARE, OTHERS, REGION_SOURCES
from ..fit import check_layers
from ..options import PATH, ModelOptions, Output, Sampling, Sources
from ..reading import any_file, model_file, named_masks, number, reading, wish_or_picture
from ..run import Run
from ..verb import verb

if TYPE_CHECKING:
    import torch

    from ...analysis.found import FoundLayers
    from ...generator import Generator
    from ..results import Results

arcface = click.option(
    "--arcface",
    type=PATH,
    callback=model_file(),
    help="A file with ArcFace's weights, to tell identity (encoder).",
)

regions_by = click.option(
    "--regions-by",
    default="auto",
    callback=model_file(*REGION_SOURCES),
    shell_complete=any_file,
    help="What finds hair, face, …: auto, photo, drawn, or a face parsing file (see regions).",
)


@verb(
    "Inject each layer of a style alone, and show what it changes and where.",
)
@options.output("explain")
@options.sources()
@options.style
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="NAME=FILE",
    callback=named_masks,
    help="A picture that is white inside a region, instead of those found in the face; may be repeated.",
)
@click.option(
    "--features",
    callback=model_file("encoder"),
    shell_complete=any_file,
    help="Compare by a file with VGG16's or LPIPS' weights, or by encoder (colours).",
)
@regions_by
@arcface
@options.sampling
@options.models_and_codes
def explain(
    run: Run,
    output: Output,
    sources: Sources,
    style: list[Path],
    regions: dict[str, Path],
    features: str | None,
    regions_by: str,
    arcface: Path | None,
    sampling: Sampling,
    models: ModelOptions,
) -> None:
    check_layers(models, cutoff=sampling.cutoff)
    results = begin_results(output, run)
    from ...analysis.explain import explain_layers
    from ...images import from_pil
    from ..inputs import open_encoder, open_generator, read_regions, source_and_style

    generator = open_generator(models)
    source, styles = source_and_style(generator, sources, style, sampling, models, run)
    masks = None
    if regions:
        masks = dict(zip(regions, read_regions([*regions.values()], generator, run)))
    with run.progress() as bar:
        report = explain_layers(
            generator,
            source.only_w("explained"),
            styles.only_w("explained"),
            regions_by if masks is None else masks,
            open_encoder(models) if suits(models) else None,
            features,
            arcface,
            on_step=bar.step,
        )
    results.text("table.txt", report.table())
    results.text("table.json", json.dumps(report.figures(), indent=2))
    for folder, pictures in (
        ("pictures", report.alone),
        ("without", report.without),
        ("heat_maps", report.heat_maps()),
    ):
        results.pictures(folder, ((f"layer{layer:02d}", picture) for layer, picture in enumerate(pictures)))
    sheet = results.picture("sheet", from_pil(report.sheet())[0])
    run.say(f"{report.table()}\n\nthe sheet is {sheet}")


@verb(
    "Search the layers that change a wished region, and little else.",
    epilog="The table's columns. " + " ".join(LEGEND),
)
@options.output("find")
@options.sources()
@options.style
@click.option(
    "--target",
    required=True,
    callback=reading(wish_or_picture),
    shell_complete=any_file,
    help='What shall change, in words: "hair shape", "hair and skin colour", "eyes and mouth", "colours", '
    '"everything but the face"; or a picture that is white there.',
)
@click.option(
    "--keep",
    callback=reading(wish_or_picture),
    shell_complete=any_file,
    help="What must stay above all: a region, identity, or a picture that is white there.",
)
@click.option(
    "--what", type=click.Choice(KINDS), help="What of the target (what its words say, else anything)."
)
@click.option(
    "--care",
    type=float,
    default=CARE,
    callback=number("care", 0, usual=", usually 0.5 to 4"),
    help="How much the rest counts: 0.5 bold, 4 careful.",
)
@click.option(
    "--steps",
    type=int,
    default=8,
    callback=number("steps", 0),
    help="Of the descent on strengths, 0 for none.",
)
@click.option("--count", type=int, default=5, callback=number("count", 1), help="Masks to list.")
@click.option(
    "--others",
    type=int,
    default=OTHERS,
    callback=number("others", 0),
    help="Random faces that the layers are tried with too; 0 for this pair alone.",
)
@regions_by
@arcface
@options.sampling
@options.models_and_codes
def find(
    run: Run,
    output: Output,
    sources: Sources,
    style: list[Path],
    target: str | Path,
    keep: str | Path | None,
    what: str | None,
    care: float,
    steps: int,
    count: int,
    others: int,
    regions_by: str,
    arcface: Path | None,
    sampling: Sampling,
    models: ModelOptions,
) -> None:
    check_layers(models, cutoff=sampling.cutoff)
    results = begin_results(output, run)
    from ...analysis.find import find_layers
    from ...encoder.identity import find_identity
    from ..inputs import open_encoder, open_generator, source_and_style

    for name, wish, kind in (("target", target, what), ("keep", keep, None)):
        if isinstance(wish, str):
            run.say(f"{name}: {wish!r} is read as {read_wish(wish).describe(kind)}")
    generator = open_generator(models)
    source, styles = source_and_style(generator, sources, style, sampling, models, run)
    identity = None
    if keep == "identity" and (suits(models) or arcface):
        reader = open_encoder(models) if suits(models) else None
        identity = find_identity(arcface, reader, generator.w_avg.device)
    with run.progress() as bar:
        found = find_layers(
            generator,
            source.only_w("searched"),
            styles.only_w("searched"),
            words_or_mask(target, generator, run),
            None if keep is None else words_or_mask(keep, generator, run),
            what,
            regions=regions_by,
            care=care,
            steps=steps,
            count=count,
            others=others,
            identity=identity,
            on_step=bar.step,
        )
    write_found(results, found)


def write_found(results: "Results", found: "FoundLayers") -> None:
    """Write the table, the mask list, the pictures and the sheet of the masks found; and tell of them."""
    from ...images import from_pil

    results.text("table.txt", found.table())
    results.text("table.json", json.dumps(found.figures(), indent=2))
    results.text("mask_list.txt", found.masks.text)
    names = [f"{rank:02d}_{file_name(mask.mask_text)}" for rank, mask in enumerate(found, 1)]
    results.pictures("pictures", zip(names, found.pictures))
    sheet = results.picture("sheet", from_pil(found.sheet())[0])
    best = "the best mask is" if found.warning is None else "the least bad mask is"
    results.run.say(f"{found.table()}\n\n{best} {found[0].mask_text}; the sheet is {sheet}")
    results.run.warn({found.warning})


def suits(models: ModelOptions) -> bool:
    """Whether the encoder knows the generator's faces: the bundled one knows nothing of others'."""
    return models.encoder != "demo" or models.generator in (None, "demo")


def words_or_mask(wish: str | Path, generator: "Generator", run: Run) -> "str | torch.Tensor":
    """A wish in words, or a picture's brightness `[H, W]` in 0…1."""
    from ..inputs import read_regions

    if isinstance(wish, str):
        return wish
    (mask,) = read_regions([wish], generator, run)
    return mask
