"""Layer-wise style injection in W+: the style mixing of StyleGAN (Karras et al. 2019, section 3.1)
with a strength for every layer.

`inject` mixes plain codes. `Injection` is the whole job, for codes with provenance, in a part of each layer and in a
region of the pictures.
"""

from dataclasses import dataclass, replace

import torch

from ..codes.certainty import is_unsure
from ..codes.combine import combine, of_to_rgbs
from ..codes.latents import Latents, Region
from ..errors import LatentMismatchError, StyleMixError
from ..generator.batches import Runner
from ..generator.fingerprint import picture_shape
from ..images import as_masks, check_proportions, resize
from ..masks.mask_list import MaskList, layers_text
from ..wording import counted
from .channels import ChannelPairs, measure_channels
from .pairing import Meeting, check_shapes, check_styles, over_pairs, pairs

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
    masks: a mask list, or its strengths `[M, num_ws]`. Where its strengths change over a film, as in `4-5@0>1`, the
        sources are the frames.
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
    check_shapes(w, style, strengths)
    paired = pairs(len(w), len(style), pairing)
    each = over_pairs(masks, paired, len(w)) if isinstance(masks, MaskList) else strengths[None]
    return mix_pairs(w, style, paired, each)


def mix_pairs(
    w: torch.Tensor, style: torch.Tensor, paired: list[tuple[int, int]], strengths: torch.Tensor
) -> torch.Tensor:
    """`mix` of pairs of codes, all of strengths `[P or 1, M, …, L]` for the first pair, then for the second, …

    w, style: `[·, …, L, D]`, of which `paired` names the places that meet. Returns `[P·M, …, L, D]`.
    """
    sources, styles = map(list, zip(*paired, strict=True))
    source = w[sources, None]  # [P, 1, …, L, D]
    target = style.to(w)[styles, None]  # [P, 1, …, L, D]
    return mix(source, target, strengths.to(w)).flatten(0, 1)  # [P, M, …, L, D] → [P·M, …, L, D]


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
    channels: for space "channels": float32 `[N, 2, num_ws, C]`, what the style changes in the style channels of every
        pair, or of every result (`channels.channel_changes`).
    `LatentMismatchError` when these do not fit each other, or when the style is one of several regions itself.
    """
    _check_space(space)
    meeting = Meeting.of(source, style, masks, pairing)
    regions = None if region is None else _regions(region, masks)
    return _mixed(meeting, space, channels, regions)


@dataclass(frozen=True, eq=False)
class Injected:
    """What an injection gives."""

    codes: Latents
    """The results, in the order of `inject`."""
    labels: list[str]
    """One per result, for `compare_grid`."""
    warnings: list[str]
    """Sentences on what does not belong together or changes nothing."""


@dataclass(frozen=True, eq=False)
class Injection:
    """How to inject a style; `run` does it to codes."""

    masks: MaskList
    pairing: str = "match"
    """As for `inject`."""
    space: str = "W+"
    """As for `inject_latents`. Space "channels" takes those style channels that act in the region."""
    region: torch.Tensor | None = None
    """As for `inject_latents`."""
    channel_share: float = CHANNEL_SHARE
    """For space "channels": how many of every module's channels to take, 0…1."""
    frames: int = 0
    """How many frames a single source becomes, over which strengths may change; 0: the sources are the frames."""
    sure_only: bool = False
    """Take nothing of layers that the style's encoder was unsure of (`codes.certainty`)."""

    def run(self, source: Latents, style: Latents, runner: Runner | None = None) -> Injected:
        """Check that all fits, pair sources and styles, and mix.

        runner: of the generator of the codes, for space "channels", which needs one and a region.
        Errors as of `inject_latents`.
        """
        _check_space(self.space)
        source = self._frames(source)
        meeting = Meeting.of(source, style, self.masks, self.pairing, self.sure_only)
        regions = None if self.region is None else _regions(self.region, self.masks)
        warnings = [check_styles(source, style), self._idle(regions), _squeezed(source, regions)]
        if self.sure_only:
            warnings.append(_left_out(style))
        if any(self.masks.courses) and len(source) == 1:
            warnings.append("the strengths change over a film, and this is one frame; give frames, or a walk")
        channels = None
        if self.space == "channels" and regions is not None and runner is not None:
            measured = ChannelPairs.of(meeting, regions)
            channels, warning = measure_channels(measured, self.channel_share, runner)
            warnings.append(warning)
            regions = None  # it told which channels to take; they act everywhere
        return Injected(
            _mixed(meeting, self.space, channels, regions),
            meeting.labels(),
            [warning for warning in warnings if warning is not None],
        )

    def alone(self, masks: MaskList, row: int) -> "Injection":
        """One mask of another list, injected in the same way: its region, if each has its own, and its first frame."""
        now = self.masks.curve[0] if self.masks.curve else 1.0
        one = replace(
            masks,
            strengths=now * masks.strengths[row : row + 1],
            labels=masks.labels[row : row + 1],
            named=None,
            courses=(),
        )
        region = None if self.region is None else as_masks(self.region, REGION)
        if region is not None:
            region = region[min(row, len(region) - 1)]
        return replace(self, masks=one, region=region, frames=0)

    def _frames(self, source: Latents) -> Latents:
        """The sources, one per frame. `LatentMismatchError` when they are neither one nor as many."""
        frames = self.frames or len(self.masks.curve or ()) or len(source)
        if len(source) not in (1, frames):
            raise LatentMismatchError(
                f"there are {counted(len(source), 'source')} for {counted(frames, 'frame')}; give one, or one per frame"
            )
        return source if len(source) == frames else source.take([0] * frames)

    def _idle(self, regions: torch.Tensor | None) -> str | None:
        """A sentence to warn with when results are the source although their masks take layers, else None."""
        reasons = [
            _black(regions),
            _without_modules(self.masks, self.space),
            "a channel share of 0 takes no channels; give more"
            if self.space == "channels" and self.channel_share == 0
            else None,
        ]
        given = "; and ".join(reason for reason in reasons if reason is not None)
        return f"results stay the source: {given}" if given else None


def _mixed(
    meeting: Meeting, space: str, channels: torch.Tensor | None, regions: torch.Tensor | None
) -> Latents:
    """The results of a meeting. regions: of `_regions`, in which the style acts; None for everywhere."""
    suffix = "" if space == "W+" else f" of {space}"
    origins = meeting.origins(suffix if regions is None else f"{suffix} in a region")
    if space == "channels":
        return _in_regions(meeting, regions, _with_channels(meeting, channels, origins))
    return _in_regions(meeting, regions, _with_layers(meeting, space, origins))


def _with_layers(meeting: Meeting, space: str, origins: tuple[str, ...]) -> Latents:
    """The sources with the style's layers, or with what the convolutions or to-RGBs take of them."""
    strengths = meeting.strengths
    acts = torch.tensor([space != "to-RGB", space != "convolutions"]).to(strengths)
    strengths = strengths[:, :, None] * acts[:, None]  # [P or 1, M, 2, L]
    sources = meeting.sources
    return combine(
        meeting.source,
        meeting.style,
        lambda w, style: mix_pairs(w, style, meeting.pairs, strengths),
        origins,
        lambda mask: mask[sources],
    )


def _with_channels(meeting: Meeting, channels: torch.Tensor | None, origins: tuple[str, ...]) -> Latents:
    """The sources with what the style changes in style channels added, each mask's layers by their strengths."""
    if channels is None:
        raise StyleMixError('space "channels" needs a generator and a region; give both')
    results = meeting.source.take(meeting.sources)
    each = channels.repeat_interleave(len(results) // len(channels), 0).to(results.w)
    strengths = meeting.strengths.to(each).expand(len(meeting.pairs), -1, -1).flatten(0, 1)
    added = each * strengths[:, None, :, None]  # [P·M, 2, L, C]
    before = results.channels
    return replace(results, origins=origins, channels=added if before is None else before + added)


def _in_regions(meeting: Meeting, regions: torch.Tensor | None, mixed: Latents) -> Latents:
    """The sources with results in their regions, on top of those that they have; the results where there are none."""
    if regions is None:
        return mixed
    around = replace(meeting.source.take(meeting.sources), origins=mixed.origins)
    resized = resize(regions[:, None], *_picture_shape(around))[:, 0]
    masks = (resized.clamp(0, 1) * 255).round().to(torch.uint8)
    masks = masks.to(around.w.device)
    if len(masks) > 1:
        masks = masks.repeat(len(meeting.pairs), 1, 1)
    masks = masks.expand(len(around), -1, -1)  # a film's frames share one
    return replace(around, regions=(*around.regions, Region(mixed.around(), masks)))


def _left_out(style: Latents) -> str | None:
    """A sentence on what `sure_only` leaves out of the styles, or why it leaves out nothing; None where all is sure."""
    if style.error_bars is None:
        return (
            "the style's code does not say which layers its encoder is sure of, so all are taken; read it with an "
            "encoder that tells, such as one that Make Encoder has trained"
        )
    unsure = is_unsure(style.error_bars)
    told = []
    for place in unsure.any(1).nonzero()[:, 0].tolist():
        whose = f"style {place + 1}'s " if len(style) > 1 else ""
        told.append(f"{whose}layers {layers_text(unsure[place].float())}")
    return f"nothing is taken of {'; '.join(told)}, which the encoder is unsure of" if told else None


def _picture_shape(codes: Latents) -> tuple[int, int]:
    return picture_shape(codes.w.shape[1], codes.generator)


def _check_space(space: str) -> None:
    if space not in SPACES:
        raise StyleMixError(f"space {space!r} is unknown; choose one of: {', '.join(SPACES)}")


def _regions(region: torch.Tensor, masks: MaskList) -> torch.Tensor:
    """One, or one for each mask of the list, float32 `[1 or masks, H, W]`."""
    return as_masks(region, REGION, len(masks), "layer mask")


def _squeezed(source: Latents, regions: torch.Tensor | None) -> str | None:
    """A sentence to warn with when regions are of other proportions than the pictures, else None."""
    if regions is None:
        return None
    return check_proportions("region", regions, _picture_shape(source))


def _black(regions: torch.Tensor | None) -> str | None:
    """Why the style acts nowhere, if a region has no place for it."""
    if regions is None:
        return None
    black = [number for number, one in enumerate(regions, 1) if not (one > 0.5 / 255).any()]
    if not black:
        return None
    which = f"region {', '.join(map(str, black))} of {len(regions)}" if len(regions) > 1 else REGION
    return f"{which} is black everywhere; paint it white where the style shall act"


def _without_modules(masks: MaskList, space: str) -> str | None:
    """Why masks do nothing, if all their layers lack what `space` takes of them."""
    layers = torch.arange(masks.num_ws)
    # The last layer goes to the last to-RGB alone.
    acting = {"to-RGB": of_to_rgbs(len(layers)), "convolutions": layers < len(layers) - 1}.get(
        space, layers >= 0
    )
    takes = masks.strengths != 0
    for mask, courses in enumerate(masks.courses):
        takes[mask, [*courses]] = True
    idle = takes.any(1) & ~(takes & acting).any(1)
    if not idle.any():
        return None
    names = ", ".join(label for label, nothing in zip(masks.labels, idle) if nothing)
    why = "only odd layers have to-RGBs" if space == "to-RGB" else "the last layer has no convolution"
    return f"in space {space} the masks {names} do nothing, as {why}; choose other layers, or space W+"
