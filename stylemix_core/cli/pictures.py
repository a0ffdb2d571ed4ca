"""From codes to pictures, and both into files."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from ..codes.latents import Latents, short_origin
from ..decoding import draw_each
from ..generator import Generator
from ..moving import STILL, Move
from ..wording import counted
from .paths import numbered
from .results import Results
from .run import Run

if TYPE_CHECKING:
    from ..figures.sheets import Figure


def decode(
    generator: Generator,
    parts: Sequence[Latents],
    noise: str,
    run: Run,
    seeds: Sequence[int] | None = None,
    move: Move = STILL,
) -> Iterator[torch.Tensor]:
    """`draw_each`, telling progress."""
    total = sum(map(len, parts))
    with run.progress(total, "decode") as bar:
        for done, picture in enumerate(draw_each(generator, parts, noise, seeds, move), 1):
            bar.update(done)
            if done == total:
                bar.close()  # now: nobody asks again after the last
            yield picture


def draw_codes(
    generator: Generator, latents: Latents, names: Iterable[str], noise: str, results: Results
) -> None:
    """Write codes that a verb has made, and their pictures by these names."""
    written = results.latents("latents", latents)
    results.pictures("", zip(names, decode(generator, [latents], noise, results.run)))
    results.run.say(f"{counted(len(latents), 'picture')} and {written.name} in {results.folder}")


def draw_figure(generator: Generator, figure: "Figure", noise: str, results: Results) -> None:
    """Write the codes of a figure's results, their pictures, and the sheet."""
    results.latents("results", figure.results)
    pictures = list(decode(generator, [figure.codes], noise, results.run))
    results.pictures("results", zip(numbered(figure.names), figure.result_pictures(pictures)))
    sheet = results.picture("grid", figure.sheet(pictures)[0])
    results.run.say(f"{counted(len(figure.labels), 'result')}; the comparison is {sheet}")


def code_names(*parts: Latents) -> Iterator[str]:
    """What the pictures of codes are called, in their order: "0002_seed0007"."""
    return numbered([short_origin(part, place)] for part in parts for place in range(len(part)))
