"""Layer-wise style injection in W+: the style mixing of StyleGAN (Karras et al. 2019, section 3.1)
with a strength for every layer.
"""

import torch

from .errors import LatentMismatchError, StyleMixError
from .latents import Latents, for_other_generators, within
from .masks import MaskList, layers_text

PAIRINGS = ("match", "all")


def inject(
    w: torch.Tensor, style: torch.Tensor, masks: MaskList | torch.Tensor, pairing: str = "match"
) -> torch.Tensor:
    """Move layers of `w` towards those of `style`: w + strength·(style − w).

    w: source codes `[B, num_ws, w_dim]`.
    style: style codes `[S, num_ws, w_dim]`.
    masks: a mask list, or its strengths `[M, num_ws]`.
    pairing: "match" gives source i style i, or the one style there is; "all" gives every source every style.
    Returns `[B·M, num_ws, w_dim]` (`[B·S·M, …]` for "all"): all masks of source 0, then of source 1, …;
    within a source style by style. Strength 0 keeps the source and strength 1 takes the style bit for bit.
    `LatentMismatchError` when codes, styles and masks do not fit each other.
    """
    strengths = masks.strengths if isinstance(masks, MaskList) else masks
    if not isinstance(strengths, torch.Tensor):
        raise StyleMixError(f"masks is a {type(masks).__name__}; make it with parse_masks(masks, num_ws)")
    _check_shapes(w, style, strengths)
    sources, styles = map(list, zip(*pairs(len(w), len(style), pairing), strict=True))
    source = w[sources, None]  # [P, 1, L, D]
    target = style.to(w)[styles, None]  # [P, 1, L, D]
    return mix(source, target, strengths.to(w)).flatten(0, 1)  # [P, M, L, D] → [P·M, L, D]


def mix(source: torch.Tensor, target: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """source + strengths·(target − source) for codes `[…, L, D]` and strengths `[…, L]`; 0 and 1 are bit for bit."""
    t = strengths[..., None]
    mixed = source + t * (target - source)
    return torch.where(t == 0, source, torch.where(t == 1, target, mixed))


def inject_latents(source: Latents, style: Latents, masks: MaskList, pairing: str = "match") -> Latents:
    """`inject` for codes with provenance: "seed 7 ← photo.png, layers 0-6". The generator is the source's."""
    w = inject(source.w, style.w, masks, pairing)
    origins = []
    for i, j in pairs(len(source), len(style), pairing):
        origin = within(style.origins[j])
        origins += [f"{source.origins[i]} ← {origin}, layers {layers_text(row)}" for row in masks]
    return Latents(w, tuple(origins), source.generator)


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


def result_labels(masks: MaskList, sources: int, styles: int, pairing: str = "match") -> list[str]:
    """One label per result of `inject`, in its order.

    The mask's label, then what tells results of one mask apart: "0-6 · source 1 · style 2".
    """
    labels = []
    for i, j in pairs(sources, styles, pairing):
        suffix = f" · source {i + 1}" if sources > 1 else ""
        if styles > 1 and pairing == "all":
            suffix += f" · style {j + 1}"
        labels += [label + suffix for label in masks.labels]
    return labels


def pairs(sources: int, styles: int, pairing: str) -> list[tuple[int, int]]:
    """Which source meets which style, in the order of the results."""
    if not sources or not styles:
        raise LatentMismatchError(f"found {sources} sources and {styles} styles; injection needs one of each")
    if pairing == "all":
        return [(i, j) for i in range(sources) for j in range(styles)]
    if pairing != "match":
        raise StyleMixError(f"pairing {pairing!r} is unknown; choose one of: {', '.join(PAIRINGS)}")
    if styles not in (1, sources):
        raise LatentMismatchError(
            f'{sources} source(s) and {styles} styles cannot be matched: pairing "match" takes one style or '
            'one per source. Choose pairing "all" to give every source every style.'
        )
    return [(i, i if styles > 1 else 0) for i in range(sources)]


def _check_shapes(w: torch.Tensor, style: torch.Tensor, strengths: torch.Tensor) -> None:
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
