"""Injecting as much of a style as a face can take before it becomes somebody else."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..codes.latents import Latents, within
from ..encoder.identity import Identity
from ..errors import StyleMixError
from ..generator import Generator
from ..masks.mask_list import MAX_STRENGTH, MaskList, layers_text
from .inject import mix, pairs, result_labels

STEPS, HALVINGS = 8, 6
"""The strength is raised in so many steps; then the step that was too far is halved so often."""
CHUNK = 4
"""Pictures that are drawn at a time."""

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
    w, target, full = source.w[i], style.w.to(source.w)[j], masks.strengths.to(source.w)[m]
    faces = see(source.w)[i]  # [N, C]

    low = torch.zeros(len(rows))  # within the limit
    high = torch.full([len(rows)], torch.inf)  # beyond it, where one was met
    drifts = torch.zeros(len(rows))

    def try_strengths(strengths: torch.Tensor, which: torch.Tensor) -> None:
        """See what these strengths do to the results `which`."""
        at = which.nonzero()[:, 0]
        mixed = mix(w[at], target[at], full[at] * strengths[at, None].to(full))
        drift = 1 - (see(mixed) * faces[at]).sum(1).cpu()
        fine = drift <= limit
        low[at[fine]], drifts[at[fine]] = strengths[at[fine]], drift[fine]
        high[at[~fine]] = strengths[at[~fine]]

    for step in range(1, STEPS + 1):
        rising = high.isinf()
        if rising.any():
            try_strengths(torch.full([len(rows)], highest * step / STEPS), rising)
    limited = high.isfinite()
    for _ in range(HALVINGS):
        if limited.any():
            try_strengths((low + high) / 2, limited)

    strengths = full * low[:, None].to(full)
    origins = tuple(
        f"{source.origins[i]} ← {within(style.origins[j])}, layers {layers_text(row)}"
        for (i, j, _), row in zip(rows, strengths, strict=True)
    )
    labels = [
        f"{masks.labels[m]} ×{strength:.2f}{label[len(masks.labels[m]) :]}"
        for (_, _, m), strength, label in zip(
            rows, low, result_labels(masks, len(source), len(style), pairing), strict=True
        )
    ]
    return Capped(
        Latents(mix(w, target, strengths), origins, source.generator), low, drifts, limited, labels, limit
    )


def seen_by(generator: Generator, identity: Identity) -> See:
    """Who the pictures of codes show, with constant noise; a few are drawn at a time."""

    def see(w: torch.Tensor) -> torch.Tensor:
        return torch.cat([identity(generator.synthesis(codes)) for codes in w.split(CHUNK)])

    return see
