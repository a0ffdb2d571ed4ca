"""The search for the mask of the highest score: from single layers to sets of layers to strengths.

Masks are tried by `Trials`; what has been tried is handed on and ranked at the end.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch

from ..errors import StyleMixError
from ..masks.grammar import NAMES
from .found import FoundMask
from .trials import Strengths, Trials

HOPELESS = -0.3
"""A layer that alone is worth less than this is not tried together with others."""

LEAST_DIFFERENCE = 0.01
"""A strength between 0 and 1 has to be worth this much."""

STEP, FINEST = 0.25, 0.05
"""How far the first step of the descent moves a strength, and to what strengths are rounded."""


@dataclass(frozen=True, eq=False)
class Tried:
    """What a search has found, as in `FoundLayers`."""

    candidates: tuple[FoundMask, ...]
    singles: tuple[FoundMask, ...]
    without: tuple[FoundMask, ...]
    presets: tuple[FoundMask, ...]


def search(trials: Trials, steps: int, count: int, wish: str) -> Tried:
    """Singles, all but one and presets first; then greedy, then the strengths. Everything measured is ranked.

    steps: of the descent on the strengths. count: of candidates, at most. `StyleMixError` when none does the wish,
    which is told by its words.
    """
    num_ws = trials.num_ws
    layers = range(num_ws)
    singles = trials.singles()
    without = trials(
        [mask_of({*layers} - {layer}, num_ws) for layer in layers], [f"all but {layer}" for layer in layers]
    )
    named = {name: layers[NAMES[name]] for name in ("coarse", "middle", "fine", "all") if layers[NAMES[name]]}
    presets = trials([mask_of(chosen, num_ws) for chosen in named.values()], list(named))
    sets = greedy(trials, [layer for layer in layers if singles[layer].score > HOPELESS])
    tried = [*singles, *without, *presets, *sets]
    best = max(sets, key=lambda mask: mask.score, default=None)
    if steps and best is not None and best.score > 0:
        tried.append(refine(trials, best, steps))
    ranked = rank(dict.fromkeys(tried), count)  # each once, as trials know it
    ranked = simplest_first(useful(ranked, wish), singles)[:count]
    return Tried(tuple(ranked), tuple(singles), tuple(without), tuple(presets))


def greedy(trials: Trials, layers: Sequence[int]) -> list[FoundMask]:
    """Add the layer that is worth most as long as one is, then leave out what is worth nothing.

    Returns all masks on the way. The best of them is where it ends, unless none is worth anything.
    """
    tried: list[FoundMask] = []
    chosen: frozenset[int] = frozenset()
    best = 0.0
    for change in (frozenset.union, frozenset.difference):
        while True:
            options = [change(chosen, {layer}) for layer in layers]
            options = [option for option in options if option and option != chosen]
            found = trials([mask_of(option, trials.num_ws) for option in options], "greedy")
            tried += found
            scores = [mask.score for mask in found]
            if not scores or max(scores) <= best:
                break
            best = max(scores)
            chosen = options[scores.index(best)]
    return tried


def refine(trials: Trials, best: FoundMask, steps: int) -> FoundMask:
    """Move the strengths along the gradient of the score, and take what comes of it, rounded and pruned."""
    (found,) = trials(
        [rounded((climb(trials, best.strengths, steps) / FINEST).round() * FINEST)], "strengths"
    )
    moved = (found.strengths - best.strengths).abs()
    # What hardly helps is put back, small moves first.
    for layer in sorted(moved.nonzero().flatten().tolist(), key=lambda layer: float(moved[layer])):
        simpler = found.strengths.clone()
        simpler[layer] = best.strengths[layer]
        (other,) = trials([rounded(simpler)], "strengths")
        if other.score >= found.score - LEAST_DIFFERENCE:
            found = other
    return found


def climb(trials: Trials, strengths: torch.Tensor, steps: int) -> torch.Tensor:
    """Strengths `[num_ws]` in 0…1, moved up the slope of the score in ever shorter steps."""
    for step in range(steps):
        slope = trials.slope(strengths)
        # At an end only the way back is open.
        stuck = (strengths <= 0) & (slope < 0) | (strengths >= 1) & (slope > 0)
        slope = slope.masked_fill(stuck, 0.0)
        steepest = float(slope.abs().max())
        if steepest == 0 or not math.isfinite(steepest):
            break
        strengths = (strengths + STEP * (1 - step / steps) * slope / steepest).clamp(0, 1)
    return strengths


def rank(found: Iterable[FoundMask], count: int) -> list[FoundMask]:
    """The best masks, without those that only add layers to a better one."""
    ranked: list[FoundMask] = []
    for mask in sorted(found, key=lambda mask: -mask.score):
        if not any(mask.layers > better.layers for better in ranked):
            ranked.append(mask)
    return ranked[:count]


def useful(ranked: Sequence[FoundMask], wish: str) -> list[FoundMask]:
    """Without the masks that gain nothing: to inject none of the layers, which scores 0, is as good.

    Where none gains anything, those that do move the target are the least bad. `StyleMixError` when none does.
    """
    for gaining in (
        [mask for mask in ranked if mask.score > 0],
        [mask for mask in ranked if mask.inside > 0],
    ):
        if gaining:
            return gaining
    raise StyleMixError(
        f"no layers do this ({wish}) for these faces: none brings the target nearer to the style; try another style or "
        "target"
    )


def simplest_first(ranked: list[FoundMask], singles: Sequence[FoundMask]) -> list[FoundMask]:
    """With one of the best mask's layers before it, where that layer alone does better for the pair in hand.

    Better is more inside, less outside. What the other layers do with other styles they do not do here.
    """
    best = ranked[0]
    alone = max((singles[layer] for layer in sorted(best.layers)), key=lead)
    return ranked if lead(alone) <= lead(best) else [alone, *(mask for mask in ranked if mask is not alone)]


def lead(mask: FoundMask) -> float:
    """How much more changes inside than outside."""
    return mask.inside - mask.outside


def mask_of(chosen: Collection[int], num_ws: int) -> Strengths:
    """These layers wholly, the others not at all."""
    return tuple(float(layer in chosen) for layer in range(num_ws))


def rounded(strengths: torch.Tensor) -> Strengths:
    return tuple(round(float(strength), 4) for strength in strengths)
