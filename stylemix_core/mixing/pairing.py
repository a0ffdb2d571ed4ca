"""Which source meets which style, what their results are called, and whether codes and masks fit each other."""

from dataclasses import dataclass

import torch

from ..codes.certainty import is_unsure
from ..codes.latents import Latents, for_other_generators, nested_origin
from ..errors import LatentMismatchError, StyleMixError
from ..masks.mask_list import MaskList, layers_text
from ..wording import counted

PAIRINGS = ("match", "all")


def pairs(sources: int, styles: int, pairing: str) -> list[tuple[int, int]]:
    """Which source meets which style, in the order of the results."""
    if not sources or not styles:
        raise LatentMismatchError(
            f"found {counted(sources, 'source')} and {counted(styles, 'style')}; injection needs one of each"
        )
    if pairing == "all":
        return [(i, j) for i in range(sources) for j in range(styles)]
    if pairing != "match":
        raise StyleMixError(f"pairing {pairing!r} is unknown; choose one of: {', '.join(PAIRINGS)}")
    if styles not in (1, sources):
        raise LatentMismatchError(
            f'{counted(sources, "source")} and {counted(styles, "style")} cannot be matched: pairing "match" takes '
            'one style or one per source. Choose pairing "all" to give every source every style.'
        )
    return [(i, i if styles > 1 else 0) for i in range(sources)]


def over_pairs(masks: MaskList, paired: list[tuple[int, int]], sources: int) -> torch.Tensor:
    """Strengths of every pair's results, float32 `[P, M, num_ws]`, or `[1, M, num_ws]` where all pairs have the same.

    Where strengths change over a film, the sources are its frames.
    """
    return masks.over(sources)[[i for i, _ in paired]] if masks.moves else masks.strengths[None]


def result_labels(masks: MaskList, sources: int, styles: int, pairing: str = "match") -> list[str]:
    """One label per result of `inject`, in its order.

    The mask's label, then what tells results of one mask apart: "0-6 · source 1 · style 2".
    """
    return _labels(masks, pairs(sources, styles, pairing), sources)


def _labels(masks: MaskList, paired: list[tuple[int, int]], sources: int) -> list[str]:
    labels = []
    for i, j in paired:
        suffix = f" · source {i + 1}" if sources > 1 else ""
        if len(paired) > sources:  # each meets several styles
            suffix += f" · style {j + 1}"
        labels += [label + suffix for label in masks.labels]
    return labels


@dataclass(frozen=True, eq=False)
class Meeting:
    """Sources, styles and masks that fit each other, and which meets which. Results are in the order of `inject`."""

    source: Latents
    style: Latents
    masks: MaskList
    pairs: list[tuple[int, int]]
    """Places of source and style. Each pair has one result per mask."""
    strengths: torch.Tensor
    """`over_pairs` of all."""

    @classmethod
    def of(
        cls, source: Latents, style: Latents, masks: MaskList, pairing: str, sure_only: bool = False
    ) -> "Meeting":
        """sure_only: take nothing of layers that the style's encoder is unsure of.

        `LatentMismatchError` when they do not fit, or when the style is one of several regions itself.
        """
        if style.regions:
            raise LatentMismatchError(
                "the style's codes were injected in a region, so they are not one style; give whole codes, or draw the "
                "pictures and encode them"
            )
        check_shapes(source.w, style.w, masks.strengths)
        paired = pairs(len(source), len(style), pairing)
        strengths = over_pairs(masks, paired, len(source))
        if sure_only and style.error_bars is not None:
            sure = ~is_unsure(style.error_bars)[[j for _, j in paired]]
            strengths = strengths * sure[:, None].to(strengths)
        return cls(source, style, masks, paired, strengths)

    @property
    def sources(self) -> list[int]:
        """The source of every result, by its place."""
        return [i for i, _ in self.pairs for _ in self.masks]

    def labels(self) -> list[str]:
        """`result_labels` of all results."""
        return _labels(self.masks, self.pairs, len(self.source))

    def origins(self, suffix: str = "") -> tuple[str, ...]:
        """How every result comes about: "seed 7 ← photo.png, layers 0-6"."""
        return tuple(
            origin_of(self.source.origins[i], self.style.origins[j], row) + suffix
            for (i, j), rows in zip(self.pairs, self.strengths.expand(len(self.pairs), -1, -1))
            for row in rows
        )


def origin_of(source: str, style: str, strengths: torch.Tensor) -> str:
    """How a result of strengths `[num_ws]` comes about: "seed 7 ← photo.png, layers 0-6"."""
    return f"{source} ← {nested_origin(style)}, layers {layers_text(strengths)}"


def check_shapes(w: torch.Tensor, style: torch.Tensor, strengths: torch.Tensor) -> None:
    """`LatentMismatchError` unless codes and strengths are of one model."""
    for name, code in (("source", w), ("style", style)):
        if code.ndim != 3:
            raise LatentMismatchError(
                f"the {name} has the shape {list(code.shape)}; expected [batch, num_ws, w_dim]"
            )
    (_, layers, size), (_, style_layers, style_size) = w.shape, style.shape
    if (layers, size) != (style_layers, style_size):
        raise LatentMismatchError(
            f"the source has {layers} layers of {size} numbers, the style {style_layers} of {style_size}: "
            "they belong to models of different shape. Sample or encode both for the same generator."
        )
    if strengths.ndim != 2 or not len(strengths):
        raise LatentMismatchError(
            f"the masks have the shape {list(strengths.shape)}; expected at least one: [masks, {layers}]"
        )
    if strengths.shape[1] != layers:
        raise LatentMismatchError(
            f"the masks are for a model with {strengths.shape[1]} layers, the codes have {layers}; "
            f"make the mask list for num_ws = {layers}"
        )


def refuse_same(w: torch.Tensor, style: torch.Tensor) -> None:
    """`StyleMixError` when the style's codes are the sources' own, in all pairs `[B, num_ws, w_dim]`."""
    if torch.equal(w, style.to(w).expand(len(w), -1, -1)):
        raise StyleMixError(
            "the style's codes are those of the source, so none of its layers changes anything; give another style"
        )


def check_styles(source: Latents, style: Latents) -> str | None:
    """A sentence to warn with when the style's codes are for another generator than the source's, else None.

    The layers of another generator mean other things, even where the shapes fit.
    """
    if not for_other_generators(source, style):
        return None
    return (
        "the style's W+ codes were made for a generator with other weights than the source's, so its layers may "
        "not mean the same; encode the style with the encoder that belongs to the source's generator"
    )
