"""Which layer carries what: every W+ layer of a style injected alone, and what that changes, where and how much.

Effects are measured, not assumed, so they hold for the generator and the faces at hand. Beside them stands what is
published for FFHQ models (`FINDINGS`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image

from ..encoder import Encoder
from ..encoder.identity import Identity, find_identity
from ..errors import StyleMixError
from ..faces.regions import faces_of, find_regions, regions_of
from ..generator import Generator
from ..images import resize
from ..inversion.features import Features, cached_vgg, perceptual_features
from ..mixing.inject import inject
from ..mixing.pairing import refuse_same
from ..progress import OnStep

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

VISIBLE = 0.01
"""Differences of colour up to this part of the range are not seen, and do not count for the shares: a trace of a
change all over the picture would outweigh one that is small and plain."""


@dataclass(frozen=True)
class Finding:
    """What a paper says some layers of its FFHQ model (1024 px, 18 layers) carry."""

    what: str
    first: int
    last: int
    source: str


FINDINGS = (
    Finding("pose, hair style, face shape", 0, 3, "StyleGAN"),
    Finding("smaller features, eyes", 4, 7, "StyleGAN"),
    Finding("colours and micro-structure", 8, 17, "StyleGAN"),
    Finding("hair length, face roundness", 0, 4, "GANSpace"),
    Finding("dark hair", 8, 8, "GANSpace"),
    Finding("lipstick", 10, 10, "GANSpace"),
    Finding("head angle", 1, 3, "GANSpace"),
    Finding("smile, hairline", 4, 4, "GANSpace"),
    Finding("hair colour", 7, 8, "GANSpace"),
    Finding("baldness", 2, 4, "GANSpace"),
    Finding("white hair", 7, 9, "GANSpace"),
    Finding("curls, jaw", 3, 5, "GANSpace"),
    Finding("glasses", 1, 2, "StyleSpace"),
    Finding("waves", 3, 5, "StyleSpace"),
    Finding("gender", 6, 6, "StyleSpace"),
    Finding("grey hair", 7, 7, "StyleSpace"),
    Finding("black, blond", 8, 8, "StyleSpace"),
    Finding("bangs", 2, 6, "StyleSpace"),
)
"""Karras et al. 2019 (arXiv:1812.04948, section 3.1), Härkönen et al. 2020 (arXiv:2004.02546), and Wu et al. 2021
(arXiv:2011.12799). A layer of a smaller model acts at the same resolution as the FFHQ layer of its number."""


@dataclass(frozen=True, eq=False)
class LayerReport:
    """What each of L layers changes, averaged over the pairs. Pictures are the first pair's; all lies on the CPU.

    Pictures are float32 in −1…1, at most `SIDE` pixels square: S.
    """

    effect: torch.Tensor
    """`[L]`: the mean change of a pixel when the layer alone is injected, as `measure` sees it."""
    shares: dict[str, torch.Tensor]
    """Region → `[L]`: which part of a layer's visible change lies inside it, 0…1; 0 where there is none."""
    identity_drift: torch.Tensor | None
    """`[L]`: 1 − cosine of the faces before and after; None without a measure."""
    left_out: torch.Tensor
    """`[L]`: the mean change from all layers to all but this one. Where it differs from `effect`, the layer's part
    depends on what the others carry."""
    whole: float
    """The mean change when all layers are injected, what effects may be compared with."""
    resolutions: tuple[int, ...]
    """In pixels, where each layer's convolutions act; of the last one, where it colours."""
    measure: str
    """`COLOUR` (mean absolute difference in 0…1), or what the perceptual features come from."""
    identity: str | None
    """What sees the identity."""
    pairs: int
    source: torch.Tensor
    """`[3, S, S]`."""
    full: torch.Tensor
    """All layers injected: what the style's code draws, `[3, S, S]`."""
    alone: torch.Tensor
    """Each layer injected alone, `[L, 3, S, S]`."""
    without: torch.Tensor
    """All layers but one injected, `[L, 3, S, S]`."""
    changes: torch.Tensor
    """What each layer changed and how much, `[L, S, S]`; its mean is the first pair's effect."""
    regions: dict[str, torch.Tensor]
    """Region → `[S, S]` in 0…1, in the source."""

    def __len__(self) -> int:
        return len(self.effect)

    @property
    def strongest(self) -> int:
        """The layer with the largest effect."""
        return int(self.effect.argmax())

    def main_regions(self, layer: int) -> list[str]:
        """Where most of a layer's change lies: the two largest shares of at least 10 %."""
        names = sorted(self.shares, key=lambda name: -float(self.shares[name][layer]))
        return [name for name in names[:2] if float(self.shares[name][layer]) >= 0.1]

    def percent(self, values: torch.Tensor) -> list[str]:
        """Effects as "52 %" or "3.1 %" of that of all layers together. They need not add up to 100."""
        parts = [100 * float(value) / self.whole if self.whole else 0.0 for value in values]
        return [f"{part:.1f} %" if part < 9.95 else f"{part:.0f} %" for part in parts]

    def figures(self) -> dict[str, Any]:
        """The report in plain numbers, for JSON."""
        return {
            "measure": self.measure,
            "identity": self.identity,
            "pairs": self.pairs,
            "whole": round(self.whole, 6),
            "layers": [
                {
                    "layer": layer,
                    "resolution": self.resolutions[layer],
                    "effect": round(float(self.effect[layer]), 6),
                    "left_out": round(float(self.left_out[layer]), 6),
                    "identity_drift": None
                    if self.identity_drift is None
                    else round(float(self.identity_drift[layer]), 4),
                    "shares": {name: round(float(share[layer]), 4) for name, share in self.shares.items()},
                    "published": published(layer),
                }
                for layer in range(len(self))
            ],
        }

    def table(self) -> str:
        """The report as text, one line a layer; then what papers found, a line each."""
        names = list(self.shares)
        drift = (
            ["-"] * len(self) if self.identity_drift is None else [f"{d:.2f}" for d in self.identity_drift]
        )
        rows = [["layer", "px", "effect", "left out", "identity", *names]]
        for layer, effect, left_out in zip(
            range(len(self)), self.percent(self.effect), self.percent(self.left_out)
        ):
            shares = [f"{100 * float(self.shares[name][layer]):.0f} %" for name in names]
            px = str(self.resolutions[layer])
            rows.append([str(layer), px, effect, left_out, drift[layer], *shares])
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]
        return "\n".join([*self.notes(), "", *lines, "", *published_lines(len(self))])

    def notes(self) -> list[str]:
        """How the figures are to be read, in a few lines."""
        pairs = "one pair" if self.pairs == 1 else f"the mean of {self.pairs} pairs"
        return [
            f"Effect of each layer of the style injected alone, in % of all layers together ({self.measure}, {pairs}).",
            "Left out: what is missing when all layers but this one are injected.",
            f"Identity: 1 - cosine, seen by {self.identity}."
            if self.identity
            else "Identity: no encoder was given.",
        ]

    def heat_maps(self) -> torch.Tensor:
        """Where each layer changed the source: glowing over the darkened source, `[L, 3, S, S]`. All on one scale."""
        from .explain_sheet import glow

        return glow(self.source, self.changes)

    def sheet(self) -> Image.Image:
        """All of it as one labelled picture."""
        from .explain_sheet import draw_sheet

        return draw_sheet(self)


@torch.no_grad()
def explain_layers(
    G: Generator,
    w: torch.Tensor,
    style: torch.Tensor,
    regions: Mapping[str, torch.Tensor] | None = None,
    encoder: Encoder | None = None,
    perceptual: str | PathLike | None = None,
    arcface: str | PathLike | None = None,
    chunk: int = CHUNK,
    on_step: OnStep | None = None,
) -> LayerReport:
    """Inject every layer of a style alone, and all but every layer, and measure what changes. Noise is constant.

    w: sources `[B, num_ws, w_dim]`; several give averages, with the pictures of the first.
    style: one `[1, num_ws, w_dim]`, or one per source.
    regions: masks by name `[h, w]` or `[1 or B, h, w]`; None to find hair, eyes, … (`find_regions`). A change counts
        where something is before or after it: hair that grows over the background is hair's. Masks stay as given,
        and what they leave out is `REST`.
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
    device = G.w_avg.device
    wanted = perceptual is not None or cached_vgg() is not None
    features = perceptual_features(perceptual, encoder, device) if wanted else None
    identity = find_identity(arcface, encoder, device)
    codes = inject(w, style, _strengths(w.shape[1])).unflatten(0, (len(w), -1))  # [B, 2 + 2L, L, D]
    refuse_same(w, style)
    count, rows = codes.shape[:2]
    if regions is not None:
        regions = regions_of(torch.empty(1).expand(count, 3, *_measured(G.img_shape)), regions)

    pairs = []
    for number, pair_codes in enumerate(codes):
        pictures = _draw(G, pair_codes, chunk, on_step, number * rows, count * rows)
        masks = None if regions is None else _with_rest({name: m[number] for name, m in regions.items()})
        pair = _explain(pictures, masks, features, identity, chunk, device)
        pairs.append(pair if number == 0 else pair.without_pictures())
    return _report(G, pairs, features, identity)


@dataclass(frozen=True, eq=False)
class _Pair:
    """The figures of one source and style."""

    effect: torch.Tensor  # [L]
    seen: torch.Tensor  # [L]: the change that counts for the shares
    inside: dict[str, torch.Tensor]  # [L]: the part of it in each region
    left_out: torch.Tensor  # [L]
    whole: torch.Tensor  # []
    drift: torch.Tensor | None  # [L]
    pictures: torch.Tensor  # [2 + 2L, 3, S, S]: source, all layers, each alone, all but each
    changes: torch.Tensor  # [L, S, S]
    regions: dict[str, torch.Tensor]  # [S, S]

    def without_pictures(self) -> "_Pair":
        none = torch.empty(0)
        return replace(self, pictures=none, changes=none, regions={})


def _strengths(layers: int) -> torch.Tensor:
    """What is injected, `[2 + 2L, L]`: nothing, everything, each layer alone, all but each."""
    alone = torch.eye(layers)
    return torch.cat([torch.zeros(1, layers), torch.ones(1, layers), alone, 1 - alone])


def _with_rest(masks: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return masks | {REST: 1 - torch.stack([*masks.values()]).amax(0)}


def _draw(
    G: Generator, codes: torch.Tensor, chunk: int, on_step: OnStep | None, before: int, total: int
) -> torch.Tensor:
    """Pictures `[N, 3, S, S]` of codes `[N, L, D]`, on the CPU. Codes that are alike are drawn once."""
    distinct, place = torch.unique(codes.cpu(), dim=0, return_inverse=True)  # Apple's GPUs cannot
    drawn = []
    done = len(codes) - len(distinct)
    for part in distinct.to(codes.device).split(chunk):
        images = G.synthesis(part)
        done += len(part)
        if on_step is not None:
            on_step(before + done, total)
        size = _measured(images.shape[2:])
        drawn.append(resize(images[:, :3].clamp(-1, 1), *size).expand(-1, 3, -1, -1).cpu())
    return torch.cat(drawn)[place]


def _measured(shape: Sequence[int]) -> tuple[int, int]:
    """Height and width in which pictures of a shape are measured."""
    scale = min(1, SIDE / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _explain(
    pictures: torch.Tensor,
    masks: dict[str, torch.Tensor] | None,
    features: Features | None,
    identity: Identity | None,
    chunk: int,
    device: torch.device,
) -> _Pair:
    layers = len(pictures) // 2 - 1
    source, full, alone, without = pictures.split([1, 1, layers, layers])

    def change(images: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        return torch.cat(
            [_change(part.to(device), reference.to(device), features).cpu() for part in images.split(chunk)]
        )

    changes = change(alone, source)
    if masks is None:
        masks, where = _before_or_after(source, alone)
    else:
        where = masks
    seen = (changes - VISIBLE).clamp_min(0) if features is None else changes
    drift = None
    if identity is not None:
        who = identity(source.to(device))
        drift = torch.cat([identity.drift(part.to(device), who).cpu() for part in alone.split(chunk)])
    return _Pair(
        effect=changes.mean([1, 2]),
        seen=seen.mean([1, 2]),
        inside={name: (seen * mask).mean([1, 2]) for name, mask in where.items()},
        left_out=change(without, full).mean([1, 2]),
        whole=change(full, source).mean(),
        drift=drift,
        pictures=pictures,
        changes=changes,
        regions=masks,
    )


def _change(images: torch.Tensor, reference: torch.Tensor, features: Features | None) -> torch.Tensor:
    """How much every pixel of `[B, 3, S, S]` differs from the one reference, `[B, S, S]`."""
    if features is None:
        return (images - reference).abs().mean(1) / 2
    differences = [
        resize((mine - other).square().sum(1, keepdim=True), *images.shape[2:])
        for mine, other in zip(features(images), features(reference), strict=True)
    ]
    return torch.cat(differences, 1).sum(1)


def _before_or_after(
    source: torch.Tensor, alone: torch.Tensor
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The source's regions `[S, S]`, and those that count for each layer's change, `[L, S, S]`.

    The face is looked for once, in the source: the layers of pose alone move it, and not far. What lies in front of
    the background before or after counts; the background is what it is in both.
    """
    found = find_regions(torch.cat([source, alone]), faces_of(source))
    either = {name: torch.maximum(mask[:1], mask[1:]) for name, mask in found.items()}
    background = torch.minimum(found["background"][:1], found["background"][1:])
    edge = 2 * round(EDGE * source.shape[-1]) + 1
    either["background"] = -F.max_pool2d(-background, edge, 1, edge // 2)
    total = sum(either.values())
    counting = {name: mask / total for name, mask in either.items()}
    return {name: mask[0] for name, mask in found.items()}, counting


def _report(
    G: Generator, pairs: Sequence[_Pair], features: Features | None, identity: Identity | None
) -> LayerReport:
    def mean(values: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.stack([*values]).mean(0)

    first = pairs[0]
    effect = mean([pair.effect for pair in pairs])
    layers = len(effect)
    source, full, alone, without = first.pictures.split([1, 1, layers, layers])
    seen = mean([pair.seen for pair in pairs])
    drifts = [pair.drift for pair in pairs if pair.drift is not None]
    return LayerReport(
        effect=effect,
        shares={
            name: mean([pair.inside[name] for pair in pairs]) / seen.clamp_min(1e-12) for name in first.inside
        },
        identity_drift=mean(drifts) if drifts else None,
        left_out=mean([pair.left_out for pair in pairs]),
        whole=float(mean([pair.whole for pair in pairs])),
        resolutions=tuple(
            G.config.resolutions[min((layer + 1) // 2, layers // 2 - 1)] for layer in range(layers)
        ),
        measure=COLOUR if features is None else features.name,
        identity=None if identity is None else identity.name,
        pairs=len(pairs),
        source=source[0],
        full=full[0],
        alone=alone,
        without=without,
        changes=first.changes,
        regions=first.regions,
    )


def published_lines(layers: int) -> list[str]:
    """What papers found on the FFHQ layers of a model's numbers, a line a paper."""
    told: dict[str, list[str]] = {}
    for finding in FINDINGS:
        if finding.first < layers:
            last = min(finding.last, layers - 1)
            where = f"{finding.first}" if last == finding.first else f"{finding.first}-{last}"
            told.setdefault(finding.source, []).append(f"{where} {finding.what}")
    return [
        "Published for FFHQ models, by layer:",
        *(f"{source}: {'; '.join(what)}." for source, what in told.items()),
    ]


def published(layer: int) -> dict[str, list[str]]:
    """What papers found on the FFHQ layer of this number, by paper."""
    told: dict[str, list[str]] = {}
    for finding in FINDINGS:
        if finding.first <= layer <= finding.last:
            told.setdefault(finding.source, []).append(finding.what)
    return told
