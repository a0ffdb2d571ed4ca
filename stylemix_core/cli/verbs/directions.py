"""Sliders: those that nobody had to train, other tools', and those learnt from examples."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...codes.direction_text import read_names
from ...wording import counted
from .. import options
from ..begin import begin_results
from ..choices import DIRECTION_METHODS, DIRECTION_STRENGTH, MOST_COLUMNS, SAMPLES
from ..fit import check_layers
from ..options import PATH, ModelOptions, Output, Sampling, Sources
from ..paths import LATENTS
from ..reading import existing, number, one_mask, reading
from ..run import Run
from ..verb import gathered, verb

SHOWN = 3
"""Faces on which `learn` shows its direction."""

if TYPE_CHECKING:
    from ...codes.directions import Directions
    from ...generator import Generator


@dataclass(frozen=True)
class Search:
    """How directions are found, or which are loaded."""

    method: str
    layers: str
    count: int
    samples: int
    seed: int
    load: Path | None
    space: str | None
    channels: str | None
    numbering: str
    names: dict[int, str]


search = gathered(
    "search",
    Search,
    click.option(
        "--method",
        type=click.Choice(DIRECTION_METHODS, case_sensitive=False),
        metavar=f"[{'|'.join(DIRECTION_METHODS)}]",
        default="SeFa",
        help="How to find them.",
    ),
    click.option(
        "--layers", default="all", callback=reading(one_mask), help="Where to find them, as in a mask."
    ),
    click.option("--count", type=int, default=10, callback=number("count", 1), help="How many."),
    click.option(
        "--samples",
        type=int,
        default=SAMPLES,
        callback=number("samples", 1),
        help="Sampled w that GANSpace looks at.",
    ),
    click.option("--seed", type=int, default=0, help="Of GANSpace's samples."),
    click.option(
        "--load",
        type=PATH,
        callback=existing("there is no file with directions at {path}; check the path"),
        help="Take saved directions instead of finding some, also other tools'.",
    ),
    click.option(
        "--space",
        type=click.Choice(("W", "Z")),
        help="Where loaded directions of other tools lie (boundaries in Z unless their name has a w, all others in W).",
    ),
    click.option(
        "--channels",
        metavar="MODULE:CHANNEL,...",
        help="Take single style channels instead, as in 6:50,9:40.",
    ),
    click.option(
        "--numbering",
        type=click.Choice(("all", "convolutions")),
        default="all",
        help="How their modules are counted: with to-RGBs (StyleSpace), or convolutions alone (StyleCLIP).",
    ),
    click.option(
        "--name",
        "names",
        multiple=True,
        metavar="NUMBER:NAME...",
        callback=reading(lambda lines: read_names("\n".join(lines))),
        help="Name directions, as in 1:smile.",
    ),
)


@verb("Find sliders that nobody had to train, show and apply them.")
@options.output("directions")
@search
@options.sources(required=False)
@click.option("--apply", metavar="DIRECTION", help="Move the faces along one, by its number or name.")
@click.option(
    "--strength",
    type=float,
    callback=number("strength", -DIRECTION_STRENGTH, DIRECTION_STRENGTH),
    help="How far to apply, or to show both ways (3; 1 where directions were learnt, as their examples differ).",
)
@click.option(
    "--steps",
    type=int,
    default=5,
    callback=number("steps", 1, MOST_COLUMNS),
    help="Strengths on the sheet.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Measure on the faces what each direction changes, name those that are numbered, and put those last that "
    "hardly change anything.",
)
@click.option(
    "--without",
    type=PATH,
    callback=existing("there is no file with directions at {path}; check the path"),
    help="Take out what the directions of this file do.",
)
@click.option(
    "--without-by",
    type=click.Choice(("W+", "pictures")),
    default="W+",
    help="Take it out in W+, layer by layer, or by what changes in pictures of the faces.",
)
@options.mask_list(
    None,
    help="The layers to move: mask list, or a .txt file of one (those where the directions were found).",
)
@options.sampling
@options.noise
@options.models_and_codes
def directions(
    run: Run,
    output: Output,
    search: Search,
    sources: Sources,
    apply: str | None,
    strength: float | None,
    steps: int,
    explain: bool,
    without: Path | None,
    without_by: str,
    masks: str | None,
    sampling: Sampling,
    noise: str,
    models: ModelOptions,
) -> None:
    check_layers(models, masks, search.layers, cutoff=sampling.cutoff)
    results = begin_results(output, run)
    from ...analysis.direction_effects import LEGEND, condition_on_effects, explained, measure_directions
    from ...codes.combine import join_latents
    from ...codes.derived_directions import condition_directions
    from ...codes.direction_files import load_directions, save_directions
    from ...codes.directions import apply_direction, check_confidence, check_directions
    from ...figures.sheets import direction_sheet, even_strengths
    from ...masks.mask_list import parse_masks
    from ..inputs import open_generator, source_codes
    from ..pictures import code_names, decode, draw_figure

    generator = open_generator(models)
    found = directions_of(generator, search, run).named(search.names)
    faces = join_latents(source_codes(generator, sources, sampling, models, run))
    moving = None if masks is None else parse_masks(masks, generator.num_ws)
    run.warn({check_directions(faces, found)})
    if strength is None:
        strength = 3.0 if found.confidence is None else 1.0
    if without is not None:
        others = load_directions(without, generator, search.space)
        run.warn({check_confidence(others)})
        found = (
            condition_directions(found, others)
            if without_by == "W+"
            else condition_on_effects(generator, faces, found, others)
        )
    if explain:
        effects = measure_directions(generator, faces, found)
        found = explained(found, effects)
        run.say("\n".join([*(effect.line() for effect in effects), LEGEND]))
    if apply is None:
        strengths = even_strengths(-strength, strength, steps)
        figure = direction_sheet(faces, found, strengths, moving)
    else:
        moved = apply_direction(faces, found, apply, strength, moving)
    results.file(output.out / f"directions{LATENTS}", lambda path: save_directions(path, found))
    run.say(found.report())
    if apply is None:
        draw_figure(generator, figure, noise, results)
        return
    results.latents("results", moved)
    results.pictures("results", zip(code_names(moved), decode(generator, [moved], noise, run)))
    run.say(f"{counted(len(moved), 'result')} in {output.out}")


def directions_of(generator: "Generator", search: Search, run: Run) -> "Directions":
    from ...codes.channel_directions import style_channels
    from ...codes.direction_files import load_directions
    from ...codes.unsupervised import find_directions

    if search.load is not None:
        return load_directions(search.load, generator, search.space)
    if search.channels is not None:
        return style_channels(generator, search.channels, search.numbering == "all")
    with run.progress(search.samples, search.method) as bar:
        return find_directions(
            generator, search.method, search.layers, search.count, search.samples, search.seed, bar.step
        )


@verb(
    "Learn a slider from faces with a feature and faces without it.",
    "Ten of both are enough for most things. Says how far to trust the result, and shows it on the faces without it.",
)
@options.output("learn")
@options.code_files("--positive", required=True)
@options.code_files("--negative", required=True)
@click.option("--name", default="learnt", help="What to call the direction.")
@click.option("--pairs", is_flag=True, help="Both are the same faces, after and before, in the same order.")
@click.option(
    "--seed", type=int, default=0, help="Of the shuffled labels that the direction is compared with."
)
@options.noise
@options.models_and_codes
def learn(
    run: Run,
    output: Output,
    positive: list[Path],
    negative: list[Path],
    name: str,
    pairs: bool,
    seed: int,
    noise: str,
    models: ModelOptions,
) -> None:
    results = begin_results(output, run)
    from ...codes.combine import join_latents
    from ...codes.direction_files import save_directions
    from ...codes.directions import check_confidence
    from ...codes.learning import CHANCES, RESAMPLES, learn_direction
    from ...figures.sheets import direction_sheet, even_strengths
    from ...files.names import file_name
    from ..inputs import open_generator, read_codes
    from ..pictures import draw_figure

    generator = open_generator(models)
    sides = [join_latents(read_codes(files, generator, models, run)) for files in (positive, negative)]
    with run.progress(1 + CHANCES + RESAMPLES, "learn") as bar:
        found = learn_direction(generator, sides[0], sides[1], name, pairs, seed, bar.step)
    run.warn({check_confidence(found)})
    results.file(output.out / f"{file_name(name)}{LATENTS}", lambda path: save_directions(path, found))
    run.say(found.report())
    shown = sides[1].take(range(min(SHOWN, len(sides[1]))))
    draw_figure(generator, direction_sheet(shown, found, even_strengths(-1, 2, 4)), noise, results)
