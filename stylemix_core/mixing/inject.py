"""Layer-wise style injection in W+: the style mixing of StyleGAN (Karras et al. 2019, section 3.1)
with a strength for every layer.
"""

from dataclasses import dataclass, replace

import torch

from ..codes.latents import Latents, Region, combine, for_other_generators, within
from ..codes.style_space import channels_in, choose_channels, pack, styles_of
from ..errors import LatentMismatchError, StyleMixError
from ..generator import Generator
from ..generator.fingerprint import picture_shape
from ..images import as_masks, resize
from ..masks.mask_list import MaskList, layers_text
from ..wording import counted

PAIRINGS = ("match", "all")
SPACES = ("W+", "convolutions", "to-RGB", "channels")
"""What of a layer the style gives."""
CHANNEL_SHARE = 0.25
"""How many of a module's channels are taken for a region, unless told."""
REGION = "the region"
"""What messages call it."""


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

    >>> masks = sm.parse_masks("0-3; all@0.5", G.num_ws)
    >>> mixed = sm.inject(faces, style, masks)
    >>> len(faces), len(masks), mixed.shape
    (2, 2, torch.Size([4, 8, 16]))
    >>> torch.equal(mixed[0, :4], style[0, :4]), torch.equal(mixed[0, 4:], faces[0, 4:])
    (True, True)
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


def inject_latents(
    source: Latents,
    style: Latents,
    masks: MaskList,
    pairing: str = "match",
    space: str = "W+",
    region: torch.Tensor | None = None,
    channels: torch.Tensor | None = None,
) -> Latents:
    """`inject` for codes with provenance: "seed 7 ← photo.png, layers 0-6". The generator is the source's.

    space: "W+" takes all of a layer, "convolutions" what shapes and "to-RGB" what colours take of it; "channels" takes
        `channels`.
    region: one mask for all or one per mask of the list, as `as_masks` takes them: the style acts where it is 1, the
        source where it is 0. Where an earlier injection's region is below, the new one covers it.
    channels: for space "channels": what `channel_changes` gives for the `meetings` of these.
    `LatentMismatchError` when these do not fit each other, or when the style is one of several regions itself.
    """
    if space not in SPACES:
        raise StyleMixError(f"space {space!r} is unknown; choose one of: {', '.join(SPACES)}")
    _refuse_regions(style)
    _check_shapes(source.w, style.w, masks.strengths)
    met = pairs(len(source), len(style), pairing)
    origins = tuple(
        f"{source.origins[i]} ← {within(style.origins[j])}, layers {layers_text(row)}"
        + ("" if space == "W+" else f" of {space}")
        + ("" if region is None else " in a region")
        for i, j in met
        for row in masks
    )
    count = len(masks)
    sources = [i for i, _ in met for _ in range(count)]

    if space == "channels":
        if channels is None:
            raise StyleMixError('space "channels" needs a generator and a region; give both')
        each = channels.repeat_interleave(len(sources) // len(channels), 0).to(source.w)
        added = each * masks.strengths.to(each).repeat(len(met), 1)[:, None, :, None]  # [P·M, 2, L, C]
        before = source.take(sources).channels
        added = added if before is None else before + added
        mixed = replace(source.take(sources), origins=origins, channels=added)
    else:
        acts = torch.tensor([space != "to-RGB", space != "convolutions"])
        strengths = (masks.strengths[:, None] * acts[:, None].to(masks.strengths)).flatten(1)  # [M, 2·L]

        def mix(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return inject(one.flatten(1, 2), other.flatten(1, 2), strengths, pairing).unflatten(1, (2, -1))

        mixed = combine(source, style, mix, origins, lambda mask: mask[sources])
    if region is None:
        return mixed
    around = replace(source.take(sources), origins=origins)
    mask = region_masks(region, count, around).to(around.w.device).repeat(len(met), 1, 1)
    return replace(around, regions=(*around.regions, Region(mixed.around(), mask)))


def region_masks(region: torch.Tensor, count: int, codes: Latents) -> torch.Tensor:
    """A region for each of `count` masks, uint8 `[count, H, W]` as the pictures of `codes` are. region: as for
    `inject_latents`."""
    shape = picture_shape(codes.w.shape[1], codes.generator)
    sized = resize(_regions(region, count)[:, None], *shape)[:, 0]
    return (sized.clamp(0, 1) * 255).round().to(torch.uint8).expand(count, -1, -1)


@dataclass(frozen=True, eq=False)
class Meetings:
    """Which source meets which style in which region, for `channel_changes`; equally many of all."""

    sources: Latents
    styles: Latents
    regions: torch.Tensor
    """float32 `[N, H, W]`."""

    def take(self, places: slice) -> "Meetings":
        return Meetings(self.sources.take(places), self.styles.take(places), self.regions[places])


def meetings(
    source: Latents, style: Latents, masks: MaskList, pairing: str, region: torch.Tensor
) -> Meetings:
    """The pairs of `inject_latents`, or all its results where the masks have regions of their own.

    Errors as there; sources with regions are refused too, as they have several sets of channels.
    """
    _refuse_regions(style)
    if source.regions:
        raise LatentMismatchError(
            "the source's codes were injected in a region before; inject channels first, and in regions after that"
        )
    _check_shapes(source.w, style.w, masks.strengths)
    region = _regions(region, len(masks))
    met = [pair for pair in pairs(len(source), len(style), pairing) for _ in range(len(region))]
    sources, styles = map(list, zip(*met))
    regions = region.repeat(len(met) // len(region), 1, 1)
    return Meetings(source.take(sources), style.take(styles), regions)


def channel_changes(generator: Generator, met: Meetings, share: float) -> torch.Tensor:
    """What the style changes in those style channels that act inside the region, float32 `[N, 2, num_ws, C]`.

    share: how many of every module's channels, 0…1: those that act inside the most, in source and style together.
    """
    inside, everywhere = channels_in(generator, met.sources, met.regions)
    for sums, other in zip((inside, everywhere), channels_in(generator, met.styles, met.regions)):
        sums.add_(other)
    source, style = (pack(generator, styles_of(generator, codes)) for codes in (met.sources, met.styles))
    return choose_channels(inside, everywhere, share) * (style - source)


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


def check_acts(
    masks: MaskList, space: str = "W+", region: torch.Tensor | None = None, channel_share: float = 1.0
) -> str | None:
    """A sentence to warn with when results are the source although their masks take layers, else None.

    space, region: as for `inject_latents`; channel_share: as for `channel_changes`.
    """
    warnings = []
    if region is not None:
        region = as_masks(region, REGION)
        black = [number for number, one in enumerate(region, 1) if not (one > 0.5 / 255).any()]
        if black:
            which = (
                f"region {', '.join(map(str, black))} of {len(region)}" if len(region) > 1 else "the region"
            )
            warnings.append(f"{which} is black everywhere; paint it white where the style shall act")
    layers = torch.arange(masks.strengths.shape[1])
    # To-RGBs take odd layers, and the last layer goes to the last of them alone.
    acting = {"to-RGB": layers % 2 == 1, "convolutions": layers < len(layers) - 1}.get(space, layers >= 0)
    takes = masks.strengths != 0
    idle = takes.any(1) & ~(takes & acting).any(1)
    if idle.any():
        names = ", ".join(label for label, nothing in zip(masks.labels, idle) if nothing)
        why = "only odd layers have to-RGBs" if space == "to-RGB" else "the last layer has no convolution"
        warnings.append(
            f"in space {space} the masks {names} do nothing, as {why}; choose other layers, or space W+"
        )
    if space == "channels" and channel_share == 0:
        warnings.append("a channel share of 0 takes no channels; give more")
    return f"results stay the source: {'; and '.join(warnings)}" if warnings else None


def refuse_same(w: torch.Tensor, style: torch.Tensor) -> None:
    """`StyleMixError` when the style's codes are the sources' own, in all pairs `[B, num_ws, w_dim]`."""
    if torch.equal(w, style.to(w).expand(len(w), -1, -1)):
        raise StyleMixError(
            "the style's codes are those of the source, so none of its layers changes anything; give another style"
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


def _regions(region: torch.Tensor, count: int) -> torch.Tensor:
    """One, or one for each of `count` masks of the list, float32 `[1 or count, H, W]`."""
    return as_masks(region, REGION, count, "layer mask")


def _refuse_regions(style: Latents) -> None:
    if style.regions:
        raise LatentMismatchError(
            "the style's codes were injected in a region, so they are not one style; give whole codes, or draw the "
            "pictures and encode them"
        )


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
