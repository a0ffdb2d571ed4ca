"""Sheets of many codes at once: a style-mixing matrix, a strip of strengths, a sheet of directions.

A figure says which codes to draw and how their pictures are laid out. Drawing is the caller's:

>>> figure = sm.mixing_matrix(sm.Latents.of(faces), sm.Latents.of(style), sm.parse_masks("0-3", G.num_ws))
>>> sheet = figure.sheet(G.synthesis(figure.codes.w))
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, TypeVar

import torch

from ..codes.combine import join_latents
from ..codes.directions import Directions, meant_layers, moved
from ..codes.latents import Latents, pick_latents, short_origin
from ..errors import StyleMixError
from ..masks.grammar import MAX_STRENGTH, MIN_STRENGTH
from ..masks.mask_list import MaskList, layers_text
from ..mixing.inject import inject_latents
from ..mixing.pairing import pairs, result_labels
from .grid import compare_grid

MOST_COLUMNS = 64
"""Strengths side by side, at most."""

PerCode = TypeVar("PerCode", torch.Tensor, list[Any])


@dataclass(frozen=True, eq=False)
class Figure:
    """Codes with their places on a sheet."""

    codes: Latents
    """All codes to draw: those that stand beside the results, then the results."""
    labels: list[str]
    """One per result, for `compare_grid`."""
    names: Sequence[Sequence[str]]
    """What every result is of, for its file's name: source, style, mask, …"""
    source: Sequence[int] = ()
    """The code beside every row, by its place in `codes`."""
    style: Sequence[int] = ()
    """The second code beside every row."""
    top: Sequence[int] = ()
    """The codes above the columns."""
    heads: Sequence[str] = ()
    """A heading per column."""
    rows: Sequence[str] = ()
    """A label per row."""

    @property
    def results(self) -> Latents:
        """The codes without those beside them."""
        return pick_latents(self.codes, len(self.codes) - len(self.labels), len(self.labels))

    def sheet(self, pictures: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
        """The figure, `[1, 3, height, width]`, of the pictures of all `codes`: `[B, 3, R, R]`, or one by one."""

        def at(places: Sequence[int]) -> list[torch.Tensor] | None:
            return [pictures[place] for place in places] or None

        results, beside = self.result_pictures([*pictures]), self.source or self.style
        return compare_grid(
            results,
            [*self.heads] if beside else [*self.heads, *[""] * (len(results) - len(self.heads))],
            0 if beside else len(self.heads),
            at(self.source),
            at(self.style),
            self.rows,
            at(self.top),
        )

    def result_pictures(self, pictures: PerCode) -> PerCode:
        """The results' share of the pictures of all `codes`, or of whatever there is one of per code."""
        return pictures[len(pictures) - len(self.labels) :]


def mixing_matrix(source: Latents, style: Latents, masks: MaskList) -> Figure:
    """StyleGAN's style-mixing figure (Karras et al. 2019, figure 3) for any mask list.

    Sources down the side, styles along the top, each above one column per mask. Results are in the order of
    `inject` with pairing "all".
    """
    results = inject_latents(source, style, masks.still(), "all")
    faces, styles = _names(source), _names(style)
    return Figure(
        _with_others(results, source, style),
        result_labels(masks, len(source), len(style), "all"),
        [(face, other, label) for face in faces for other in styles for label in masks.labels],
        heads=[f"{label} · {name}" if len(style) > 1 else label for name in styles for label in masks.labels],
        rows=faces,
        source=range(len(source)),
        top=range(len(source), len(source) + len(style)),
    )


def strength_strip(
    source: Latents, style: Latents, masks: MaskList, strengths: Sequence[float], pairing: str = "match"
) -> Figure:
    """Every mask with its strengths times each of `strengths`: a row per source, style and mask, a column per strength.

    Results are in that order. `StyleMixError` when a strength is out of the range of mask lists, −2 … 3.
    """
    _check_strengths(strengths, MIN_STRENGTH, MAX_STRENGTH)
    scaled = MaskList(
        (masks.still().strengths[:, None] * torch.tensor(strengths)[None, :, None]).flatten(0, 1),
        [f"{label} · {strength:g}" for label in masks.labels for strength in strengths],
    )
    results = inject_latents(source, style, scaled, pairing)
    faces, styles = _names(source), _names(style)
    rows = [(i, j, label) for i, j in pairs(len(source), len(style), pairing) for label in masks.labels]
    # What is the same in every row goes without saying.
    varies = [len(source) > 1, len(style) > 1, True]
    return Figure(
        _with_others(results, source, style),
        result_labels(scaled, len(source), len(style), pairing),
        [(faces[i], styles[j], label, f"x{strength:g}") for i, j, label in rows for strength in strengths],
        heads=[f"×{strength:g}" for strength in strengths],
        rows=[" · ".join(compress([faces[i], styles[j], label], varies)) for i, j, label in rows],
        source=[i for i, *_ in rows],
        style=[len(source) + j for _, j, _ in rows],
    )


def direction_sheet(
    latents: Latents,
    directions: Directions,
    strengths: Sequence[float],
    masks: MaskList | None = None,
) -> Figure:
    """All directions at all strengths: a row per code, mask and direction, a column per strength.

    masks: layers and their strengths; None for the layers that the directions are meant for.
    """
    _check_strengths(strengths)
    layers = meant_layers(latents, directions) if masks is None else masks.still().strengths
    codes = moved(latents, directions, range(len(directions)), strengths, layers)
    # What is the same in every row goes without saying.
    varies = [True, len(layers) > 1, len(latents) > 1]
    heads = [f"{strength:+g}" if strength else "0" for strength in strengths]
    origins, labels, rows, names = [], [], [], []
    for face, origin in zip(_names(latents), latents.origins):
        for mask, mask_layers in zip([""] if masks is None else masks.labels, layers):
            for direction in directions.names:
                rows.append(" · ".join(compress([direction, mask, face], varies)))
                labels += [f"{rows[-1]} · {head}" for head in heads]
                names += [
                    (face, direction, *filter(None, [mask]), f"x{strength:g}") for strength in strengths
                ]
                where = f"layers {layers_text(mask_layers)}"
                origins += [f"{origin}, {head} {direction}, {where}" for head in heads]
    return Figure(
        replace(codes, origins=tuple(origins)),
        labels,
        names,
        heads=heads,
        rows=rows,
    )


def _names(latents: Latents) -> list[str]:
    """What a sheet calls codes."""
    return [short_origin(latents, place) for place in range(len(latents))]


def _with_others(results: Latents, source: Latents, style: Latents) -> Latents:
    """All codes in one batch, for the results' generator."""
    return replace(join_latents([source, style, results]), generator=results.generator)


def even_strengths(first: float, last: float, count: int) -> list[float]:
    """`count` strengths from `first` to `last`, evenly spaced, to three digits after the point."""
    if not 1 <= count <= MOST_COLUMNS:
        raise StyleMixError(f"{count} strengths do not make a figure; give 1 to {MOST_COLUMNS}")
    return [round(first + (last - first) * i / max(count - 1, 1), 3) + 0.0 for i in range(count)]


def _check_strengths(
    strengths: Sequence[float], least: float = -float("inf"), most: float = float("inf")
) -> None:
    """`StyleMixError` when there is no strength, or one is not within the range."""
    if not strengths:
        raise StyleMixError("there are no strengths; give at least one")
    for strength in strengths:
        if not least <= strength <= most:
            raise StyleMixError(
                f"the strength {strength:g} is out of range; use a number from {least:g} to {most:g}"
            )
