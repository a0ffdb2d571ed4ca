"""Which layer carries what: every W+ layer of a style injected alone, and what that changes, where and how much.

Effects are measured, not assumed, so they hold for the generator and the faces at hand. The report sets what is
`published` for FFHQ models beside them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike

import torch

from ..encoder import Encoder
from ..encoder.identity import Identity, find_identity
from ..errors import StyleMixError
from ..faces.regions import SOURCES, GivenRegions, faces_of, find_regions, regions_of
from ..generator import Generator
from ..images import resize
from ..inversion.features import Features, cached_vgg, perceptual_features
from ..mixing.inject import inject
from ..mixing.pairing import refuse_same
from ..progress import OnStep
from .before_after import before_or_after
from .explain_report import LayerReport

SIDE = 512
"""Larger pictures are measured and kept in this size, in pixels."""

CHUNK = 4
"""Pictures in one pass through a network."""

EDGE = 0.01
"""The edge of what lies in front of the background counts as its own this far beyond it, in sides of the picture:
where it moves a little, the change lies there."""

REST = "elsewhere"
"""The region that a user's masks leave out."""

COLOUR = "colour difference"
"""The measure where there are no perceptual features: mean absolute difference in 0…1."""

VISIBLE = 0.01
"""Differences of colour up to this part of the range are not seen, and do not count for the shares: a trace of a
change all over the picture would outweigh one that is small and plain."""


@torch.no_grad()
def explain_layers(
    G: Generator,
    w: torch.Tensor,
    style: torch.Tensor,
    regions: GivenRegions = None,
    encoder: Encoder | None = None,
    perceptual: str | PathLike[str] | None = None,
    arcface: str | PathLike[str] | None = None,
    chunk: int = CHUNK,
    on_step: OnStep | None = None,
) -> LayerReport:
    """Inject every layer of a style alone, and all but every layer, and measure what changes. Noise is constant.

    w: sources `[B, num_ws, w_dim]`; several give averages, with the pictures of the first.
    style: one `[1, num_ws, w_dim]`, or one per source.
    regions: masks by name `[h, w]` or `[1 or B, h, w]`; None to find hair, eyes, …, or by which source, as for
        `find_regions`. A change counts where something is before or after it: hair that grows over the background is
        hair's. Masks stay as given, and what they leave out is `REST`.
    encoder: where the measure of identity comes from, if nothing better is given.
    perceptual: a file with VGG16's or LPIPS' weights; None for torchvision's VGG16 if its weights are in the cache,
        else differences of colour; "gradients" to insist on these. "encoder" compares by the encoder's features,
        which see shapes better than colours.
    arcface: a file with ArcFace's weights, the better measure of identity.
    chunk: pictures in one pass through a network. Nothing larger is held on the generator's device.
    on_step: called with how many pictures are drawn and how many it will be.
    `LatentMismatchError` when codes do not fit, `StyleMixError` when every style is its source, `NoFaceError` when
    regions are to be found and there is no face.

    >>> report = sm.explain_layers(G, faces, style, regions={"corner": torch.ones(32, 32).tril()})
    >>> report.effect.shape, report.shares["corner"].shape
    (torch.Size([8]), torch.Size([8]))
    """
    if chunk < 1:
        raise StyleMixError(f"chunk is {chunk}; expected how many pictures to draw at a time, at least 1")
    measures = _measures(G, encoder, perceptual, arcface, chunk)
    codes = torch.unflatten(inject(w, style, _strengths(w.shape[1])), 0, (len(w), -1))  # [B, 2 + 2L, L, D]
    refuse_same(w, style)
    count, rows = codes.shape[:2]
    masks, source = None, "auto"
    if isinstance(regions, Mapping):
        masks = regions_of(torch.empty(1).expand(count, 3, *_measured_shape(G.img_shape)), regions)
    elif regions is not None:
        source = str(regions)

    pairs = []
    for number, pair_codes in enumerate(codes):
        pictures = _draw(G, pair_codes, chunk, on_step, number * rows, count * rows)
        given = None if masks is None else _with_rest({name: mask[number] for name, mask in masks.items()})
        pair = _measure_pair(measures, pictures, given, source)
        pairs.append(pair if number == 0 else pair.without_pictures())
    return _report(G, pairs, measures)


@dataclass(frozen=True, eq=False)
class _Measures:
    """What tells how much pictures differ, and whether they show the same person."""

    features: Features | None
    """Perceptual ones; None for differences of colour."""
    identity: Identity | None
    device: torch.device
    chunk: int
    """Pictures in one pass through a network."""

    def changes(self, images: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """How much every pixel of `[B, 3, S, S]` differs from the one reference, `[B, S, S]` on the CPU."""
        reference = reference.to(self.device)
        if self.features is None:
            return torch.cat([((part - reference).abs().mean(1) / 2).cpu() for part in self._parts(images)])
        theirs = self.features(reference)
        return torch.cat([_apart_in(self.features(part), theirs, part).cpu() for part in self._parts(images)])

    def drift(self, images: torch.Tensor, reference: torch.Tensor) -> torch.Tensor | None:
        """How far identity is from the one reference's, `[B]` on the CPU; None where nothing sees it."""
        if self.identity is None:
            return None
        person = self.identity(reference.to(self.device))
        return torch.cat([self.identity.drift(part, person).cpu() for part in self._parts(images)])

    def _parts(self, images: torch.Tensor) -> Iterator[torch.Tensor]:
        for part in torch.split(images, self.chunk):
            yield part.to(self.device)


def _apart_in(
    features: Sequence[torch.Tensor], reference: Sequence[torch.Tensor], images: torch.Tensor
) -> torch.Tensor:
    """How far features are from the one reference's at every pixel of their images, `[B, S, S]`."""
    differences = [
        resize((ours - theirs).square().sum(1, keepdim=True), *images.shape[2:])
        for ours, theirs in zip(features, reference, strict=True)
    ]
    return torch.cat(differences, 1).sum(1)


def _measures(
    G: Generator,
    encoder: Encoder | None,
    perceptual: str | PathLike[str] | None,
    arcface: str | PathLike[str] | None,
    chunk: int,
) -> _Measures:
    device = G.w_avg.device
    wanted = perceptual is not None or cached_vgg() is not None
    features = perceptual_features(perceptual, encoder, device) if wanted else None
    return _Measures(features, find_identity(arcface, encoder, device), device, chunk)


@dataclass(frozen=True, eq=False)
class _Pair:
    """The figures of one source and style."""

    effect: torch.Tensor  # [L]
    visible: torch.Tensor  # [L]: the change that counts for the shares
    inside: dict[str, torch.Tensor]  # [L]: the part of it in each region
    left_out: torch.Tensor  # [L]
    whole: torch.Tensor  # []
    drift: torch.Tensor | None  # [L]
    pictures: torch.Tensor  # [2 + 2L, 3, S, S]: source, all layers, each alone, all but each
    changes: torch.Tensor  # [L, S, S]
    regions: dict[str, torch.Tensor]  # [S, S]
    regions_by: str | None

    def without_pictures(self) -> "_Pair":
        none = torch.empty(0)
        return replace(self, pictures=none, changes=none, regions={})


def _strengths(layers: int) -> torch.Tensor:
    """What is injected, `[2 + 2L, L]`: nothing, everything, each layer alone, all but each."""
    alone = torch.eye(layers)
    return torch.cat([torch.zeros(1, layers), torch.ones(1, layers), alone, 1 - alone])


def _with_rest(masks: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Masks, and what they leave out. `StyleMixError` when one is called as that."""
    if REST in masks:
        raise StyleMixError(
            f"a mask is called {REST!r}, as is what all of them leave out; choose another name"
        )
    return masks | {REST: 1 - torch.stack([*masks.values()]).amax(0)}


def _draw(
    G: Generator, codes: torch.Tensor, chunk: int, on_step: OnStep | None, before: int, total: int
) -> torch.Tensor:
    """Pictures `[N, 3, S, S]` of codes `[N, L, D]`, on the CPU. Codes that are alike are drawn once."""
    distinct, place = torch.unique(codes.cpu(), dim=0, return_inverse=True)  # Apple's GPUs cannot
    drawn = []
    done = len(codes) - len(distinct)
    for part in torch.split(distinct.to(codes.device), chunk):
        images = G.synthesis(part)
        done += len(part)
        if on_step is not None:
            on_step(before + done, total)
        size = _measured_shape(images.shape[2:])
        drawn.append(resize(images[:, :3].clamp(-1, 1), *size).expand(-1, 3, -1, -1).cpu())
    return torch.cat(drawn)[place]


def _measured_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Height and width in which pictures of a shape are measured."""
    scale = min(1, SIDE / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _measure_pair(
    measures: _Measures, pictures: torch.Tensor, masks: dict[str, torch.Tensor] | None, found_by: str
) -> _Pair:
    """masks: the regions, `[S, S]` each; None to find them, by the source `found_by`."""
    source, full, alone, without = _apart(pictures)
    changes = measures.changes(alone, source)
    if masks is None:
        masks, counting, regions_by = _before_or_after(source, alone, found_by)
    else:
        counting, regions_by = masks, None
    visible = (changes - VISIBLE).clamp_min(0) if measures.features is None else changes
    return _Pair(
        effect=changes.mean([1, 2]),
        visible=visible.mean([1, 2]),
        inside={name: (visible * mask).mean([1, 2]) for name, mask in counting.items()},
        left_out=measures.changes(without, full).mean([1, 2]),
        whole=measures.changes(full, source).mean(),
        drift=measures.drift(alone, source),
        pictures=pictures,
        changes=changes,
        regions=masks,
        regions_by=regions_by,
    )


def _apart(pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Source, all layers, each alone and all but each, of a pair's pictures `[2 + 2L, …]`."""
    layers = len(pictures) // 2 - 1
    return torch.split(pictures, [1, 1, layers, layers])


def _before_or_after(
    source: torch.Tensor, alone: torch.Tensor, found_by: str
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], str]:
    """The source's regions `[S, S]`, those that count for each layer's change, `[L, S, S]`, and how they were found.

    The face is looked for once, in the source, and all are divided as it is: the layers of pose alone move it, and not
    far.
    """
    faces = None if found_by not in SOURCES else faces_of(source)
    before = find_regions(source, faces, found_by)
    (regions_by,) = before.sources
    after = find_regions(alone, faces, regions_by if faces else found_by)
    counting = before_or_after(before, after, round(EDGE * source.shape[-1]))
    return {name: mask[0] for name, mask in before.items()}, counting, regions_by


def _report(G: Generator, pairs: Sequence[_Pair], measures: _Measures) -> LayerReport:
    def mean(values: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.stack([*values]).mean(0)

    first = pairs[0]
    effect = mean([pair.effect for pair in pairs])
    source, full, alone, without = _apart(first.pictures)
    visible = mean([pair.visible for pair in pairs])
    drifts = [pair.drift for pair in pairs if pair.drift is not None]
    return LayerReport(
        effect=effect,
        shares={
            name: mean([pair.inside[name] for pair in pairs]) / visible.clamp_min(1e-12)
            for name in first.inside
        },
        identity_drift=mean(drifts) if drifts else None,
        left_out=mean([pair.left_out for pair in pairs]),
        whole=float(mean([pair.whole for pair in pairs])),
        resolutions=G.synthesis.layer_resolutions,
        measure=COLOUR if measures.features is None else measures.features.name,
        identity=None if measures.identity is None else measures.identity.name,
        pairs=len(pairs),
        source=source[0],
        full=full[0],
        alone=alone,
        without=without,
        changes=first.changes,
        regions=first.regions,
        regions_by=first.regions_by,
    )
