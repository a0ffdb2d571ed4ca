"""A batch on its way through the stages: as many pictures at a time as memory and caches like."""

from collections.abc import Iterator, Sequence

import torch

from . import rows
from .noise import Noise, NoiseSource
from .stages import Drawn, Stage
from .strips import has_large_maps, in_strips, strip_rows
from .styles import Style

CHUNK = 4
"""Pictures that are drawn at a time at most, unless gradients are wanted."""


def run(
    stages: Sequence[Stage],
    x: torch.Tensor | None,
    image: torch.Tensor | None,
    styles: Sequence[Style],
    noise: NoiseSource,
) -> Iterator[torch.Tensor]:
    """Pictures of the last of `stages`, `[b, C, H, W]` at a time, in the order of the batch.

    x: the first stage's input, None at the start. image: what was drawn before, or None.
    styles: those of every module of `stages`.
    """
    for i, stage in enumerate(stages):
        if x is not None and len(x) > 1 and not torch.is_grad_enabled() and has_large_maps(x, stage.channels):
            yield from run_in_parts(1, stages[i:], x, image, styles, noise)
            return
        if x is not None and rows.fits(stages[i:], x, styles):
            yield rows.in_rows(stages[i:], x, styles)
            return
        own = len(stage.styled())
        x, image = pass_through(stage, x, image, styles[:own], noise, maps=i < len(stages) - 1)
        styles = styles[own:]
    assert image is not None  # the last stage of every network draws
    yield image


def run_in_parts(
    size: int,
    stages: Sequence[Stage],
    x: torch.Tensor | None,
    image: torch.Tensor | None,
    styles: Sequence[Style],
    noise: NoiseSource,
) -> Iterator[torch.Tensor]:
    """`run`, with `size` pictures at a time where no gradient is wanted: that bounds memory."""
    count = len(styles[0])
    for part in parts_of(count, size):
        before = [tensor if tensor is None else tensor[part] for tensor in (x, image)]
        yield from run(stages, before[0], before[1], [style[part] for style in styles], noise[part])


def pass_through(
    stage: Stage,
    x: torch.Tensor | None,
    image: torch.Tensor | None,
    styles: Sequence[Style],
    noise: Noise,
    maps: bool = True,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The maps and the picture after a stage, whose maps are computed in strips where that is faster.

    maps: whether the maps themselves are wanted; if not, they may be None.
    """
    noises = [noise.draw(const) for const in stage.stored_noise()]
    cuttable = stage.cuttable()
    if x is not None and cuttable is not None:
        height = strip_rows(x, stage.channels)
        if height < x.shape[2]:
            features, colours = in_strips(cuttable, x, styles, noises, height, maps)
            return features, cuttable.add(image, colours)
    drawn: Drawn = stage(x, image, styles, noises)
    return drawn


def parts_of(count: int, size: int) -> list[slice]:
    """A batch's places, `size` at a time; all at once where gradients are wanted."""
    if count <= size or torch.is_grad_enabled():
        return [slice(0, count)]
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def gathered(parts: Iterator[torch.Tensor], count: int) -> torch.Tensor:
    """All `count` pictures in one batch. While a part is drawn, there is no second copy of those before it."""
    pictures = None
    done = 0
    for part in parts:
        if len(part) == count:
            return part
        if pictures is None:
            pictures = part.new_empty(count, *part.shape[1:])
        pictures[done : done + len(part)] = part
        done += len(part)
        del part
    assert pictures is not None
    return pictures
