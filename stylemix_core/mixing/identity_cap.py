"""Injecting as much of a style as a face can take before it becomes somebody else."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..codes.latents import Latents
from ..encoder.identity import Identity
from ..errors import StyleMixError
from ..generator import Generator
from ..generator.batches import Runner, in_chunks
from ..masks.grammar import MAX_STRENGTH
from ..masks.mask_list import MaskList
from .inject import mix
from .pairing import origin_of, pairs, result_labels

STEPS, HALVINGS = 8, 6
"""The strength is raised in so many steps; then the step that was too far is halved so often."""

See = Callable[[torch.Tensor], torch.Tensor]
"""W+ codes `[N, num_ws, w_dim]` → who their pictures show, directions `[N, C]` of length one."""


@dataclass(frozen=True, eq=False)
class Capped:
    """Injections as strong as a limit on identity drift allows, in the order of `inject`."""

    results: Latents
    strengths: torch.Tensor
    """float32 `[N]`: what the mask's strengths were multiplied with."""
    drifts: torch.Tensor
    """float32 `[N]`: 1 − cosine between source and result."""
    limited: torch.Tensor
    """bool `[N]`: whether more would have passed the limit. Where not, the highest strength stays below it."""
    labels: list[str]
    """One a result: the mask and the strength."""
    limit: float
    """Of the drift."""

    def report(self, measure: str) -> str:
        """What measured the drift, then a line per result."""
        lines = [f"Identity by {measure}, limit {self.limit:g}"]
        for label, drift, limited in zip(self.labels, self.drifts, self.limited, strict=True):
            lines.append(
                f"{label}: drift {max(float(drift), 0.0):.3f}" + ("" if limited else ", no more to raise")
            )
        return "\n".join(lines)


def cap_identity(
    source: Latents,
    style: Latents,
    masks: MaskList,
    limit: float,
    see: See,
    pairing: str = "match",
    highest: float = 1.0,
) -> Capped:
    """Raise every injection's strength until identity drifts as far as `limit`.

    limit: of the drift, 1 − cosine, above 0.
    see: for instance `seen_by(generator, identity)`.
    highest: how far to raise: what the masks' strengths are multiplied with at most.

    Drift need not grow with strength, so a bisection of the whole range may end beyond a place where the limit was
    passed. Therefore the strength is raised in `STEPS` even steps up to the first that passes the limit, and only that
    step is bisected. What is returned was seen to stay within the limit, and so was every step below it. All results
    are worked on together: at most STEPS + HALVINGS pictures each, and one per source.
    """
    if not 0 < limit <= 2:
        raise StyleMixError(f"the limit is {limit:g}; give a drift above 0 and up to 2, usually 0.1 to 0.5")
    if not 0 < highest <= MAX_STRENGTH:
        raise StyleMixError(f"highest is {highest:g}; give a strength above 0 and up to {MAX_STRENGTH:g}")
    rows = [(i, j, m) for i, j in pairs(len(source), len(style), pairing) for m in range(len(masks))]
    i, j, m = map(list, zip(*rows, strict=True))
    before, styles = (codes.only_w("injected up to a limit") for codes in (source, style))
    w, target, full = before[i], styles.to(before)[j], masks.still().strengths.to(before)[m]
    search = _Search(w, target, full, see(before)[i], limit, see)
    for step in range(1, STEPS + 1):
        search.try_strengths(torch.full([len(w)], highest * step / STEPS), search.unlimited())
    limited = ~search.unlimited()
    for _ in range(HALVINGS):
        search.try_strengths((search.low + search.high) / 2, limited)

    strengths = full * search.low[:, None].to(full)
    origins = tuple(
        origin_of(source.origins[a], style.origins[b], row) for a, b, row in zip(i, j, strengths, strict=True)
    )
    labels = [
        f"{masks.labels[mask]} ×{strength:.2f}{label[len(masks.labels[mask]) :]}"
        for mask, strength, label in zip(
            m, search.low, result_labels(masks, len(source), len(style), pairing), strict=True
        )
    ]
    results = Latents(mix(w, target, strengths), origins, source.generator)
    return Capped(results, search.low, search.drifts, limited, labels, limit)


class _Search:
    """The strengths of N injections between which each one passes the limit."""

    def __init__(
        self,
        w: torch.Tensor,
        target: torch.Tensor,
        full: torch.Tensor,
        faces: torch.Tensor,
        limit: float,
        see: See,
    ):
        """w, target: `[N, L, D]`; full: what strength 1 is, `[N, L]`; faces: who the sources are, `[N, C]`."""
        self.w, self.target, self.full, self.faces = w, target, full, faces
        self.limit, self.see = limit, see
        self.low = torch.zeros(len(w))
        """The highest strength that was seen to stay within the limit."""
        self.high = torch.full([len(w)], torch.inf)
        """The lowest that was seen to pass it; infinite where none was."""
        self.drifts = torch.zeros(len(w))
        """Of `low`."""

    def unlimited(self) -> torch.Tensor:
        """Which of them have passed the limit at no strength so far, bool `[N]`."""
        return self.high.isinf()

    def try_strengths(self, strengths: torch.Tensor, which: torch.Tensor) -> None:
        """See what strengths `[N]` do to those results that `which`, bool `[N]`, names; to none if it names none."""
        at = which.nonzero()[:, 0]
        if not len(at):
            return
        mixed = mix(self.w[at], self.target[at], self.full[at] * strengths[at, None].to(self.full))
        drift = 1 - (self.see(mixed) * self.faces[at]).sum(1).cpu()
        fine = drift <= self.limit
        self.low[at[fine]], self.drifts[at[fine]] = strengths[at[fine]], drift[fine]
        self.high[at[~fine]] = strengths[at[~fine]]


def seen_by(generator: Generator, identity: Identity) -> See:
    """Who the pictures of codes show, with constant noise; a few are drawn at a time."""
    return seen_through(in_chunks(generator), identity)


def seen_through(runner: Runner, identity: Identity) -> See:
    """`seen_by` of a generator that somebody else runs."""
    return lambda w: runner(len(w), lambda generator, items: identity(generator.synthesis(w[items])))
