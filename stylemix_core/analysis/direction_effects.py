"""What directions change in pictures: where, how much, and who is still seen; and what to call them by it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..codes.directions import Directions, meant_layers, moved
from ..codes.latents import Latents
from ..decoding import decode
from ..encoder.identity import Identity
from ..errors import NoFaceError, StyleMixError
from ..faces.detection import Face
from ..faces.regions import SOURCES, Regions, faces_of, find_regions
from ..generator import Generator
from ..generator.batches import Runner, in_chunks
from ..images import resize
from .before_after import before_or_after
from .measures import colour_change, difference, find_motion, shape_change

SIDE = 128
"""Pictures are compared in this size, in pixels."""
STRENGTH = 2.0
"""How far directions are moved both ways, to be measured."""
HARDLY = 0.1
"""Directions that change less than this part of what the strongest changes sink to the end."""
LEAST = 1e-3
"""Nor is a change seen that is smaller than this, a tenth of a grey level."""
LEGEND = (
    f"change: how much colours differ on average, 0 to 2, at strength {STRENGTH:g} either way; in brackets the regions "
    "where most of that lies"
)
MAIN = 0.6
"""A name has the regions that change so much, compared with the one that changes most."""
MOVED = 0.02
"""A head that moves this far, in sides of the picture, has another pose."""
STRUCTURE = 0.5
"""Where the shape changes (0…1) more than this part of what the colours do (0…2), the change is one of shape."""
FACE = ("face", "eyes", "brows", "nose", "mouth")
"""Regions by which a head is seen to move."""
NUMBERED = r"(SeFa|GANSpace|component)[ _][0-9]+"
"""Names that say nothing."""


@dataclass(frozen=True)
class DirectionEffect:
    """What one direction changes."""

    name: str
    proposal: str
    """What to call it: "hair colour", "pose"."""
    change: float
    """Mean difference of colours, 0…2, at strength ±`STRENGTH`."""
    shares: dict[str, float]
    """Region → part of all change that lies there, 0…1; empty where there is no face."""
    drift: float | None
    """Of identity, 1 − cosine; None where nothing sees it."""

    def line(self) -> str:
        """For people: name, proposal, and the three regions that change most."""
        most = sorted(self.shares.items(), key=lambda share: -share[1])[:3]
        where = ", ".join(f"{name} {100 * share:.0f} %" for name, share in most)
        drift = "" if self.drift is None else f"; identity {self.drift:.2f}"
        return (
            f"{self.name}: {self.proposal}, change {self.change:.3f}"
            + (f" ({where})" if where else "")
            + drift
        )


@torch.no_grad()
def measure_directions(
    generator: Generator,
    latents: Latents,
    directions: Directions,
    regions_by: str = "auto",
    identity: Identity | None = None,
    runner: Runner | None = None,
) -> list[DirectionEffect]:
    """What every direction changes in the pictures of a few faces, in their order.

    regions_by: as `find_regions` takes it; without a face regions are left out. identity: what sees who is there.
    runner: of the generator, where somebody else runs it. Directions times twice the faces are drawn, small ones kept.
    Errors as `moved` has them.
    """
    runner = runner or in_chunks(generator)
    source = small_pictures(runner, latents)
    try:
        faces = faces_of(source) if regions_by in SOURCES else None
        before = find_regions(source, faces, regions_by)
    except NoFaceError:
        faces, before = None, None
    people = None if identity is None else identity(source).repeat_interleave(2, 0)
    effects = []
    for place, name in enumerate(directions.names):
        both = both_ways(runner, latents, directions, place)
        change = torch.stack([difference(one[None], pair) for one, pair in zip(source, both, strict=True)])
        regions = {} if before is None else either(before, both, faces, regions_by)
        total = change.sum().clamp_min(1e-9)
        shares = {region: float((change * mask).sum() / total) for region, mask in regions.items()}
        drift = None
        if identity is not None and people is not None:
            drift = float(identity.drift(both.flatten(0, 1), people).mean())
        proposal = proposed(source, both, change, regions)
        effects.append(DirectionEffect(name, proposal, float(change.mean()), shares, drift))
    return [
        replace(one, proposal="hardly anything") if one.change < least_seen(effects) else one
        for one in effects
    ]


def least_seen(effects: Sequence[DirectionEffect]) -> float:
    """The change below which a direction does hardly anything."""
    return max(LEAST, HARDLY * max(effect.change for effect in effects))


def explained(directions: Directions, effects: Sequence[DirectionEffect]) -> Directions:
    """The directions with what they change in the names of those that are but numbered, "SeFa 3 · hair colour"; those
    that hardly change anything are last."""
    names = {
        place: f"{effect.name} · {effect.proposal}"
        for place, effect in enumerate(effects, 1)
        if re.fullmatch(NUMBERED, effect.name)
    }
    weak = least_seen(effects)
    order = sorted(range(len(effects)), key=lambda place: effects[place].change < weak)
    return directions.named(names).pick(order)


def condition_on_effects(
    generator: Generator,
    latents: Latents,
    directions: Directions,
    others: Directions,
    runner: Runner | None = None,
) -> Directions:
    """Directions without what others change in pictures: of each, so much of the others is taken away that their
    changes of the pictures are orthogonal, to first order.

    `StyleMixError` for directions in style channels or in Z.
    """
    if {directions.space, others.space} != {"W"}:
        raise StyleMixError(
            "only directions in W can be made independent of each other; these are in another space"
        )
    directions.refuse_mean()
    runner = runner or in_chunks(generator)
    theirs, own = (
        torch.stack([change_of(runner, latents, one, place) for place in range(len(one))])
        for one in (others, directions)
    )
    parts = torch.linalg.lstsq(theirs.T.double(), own.T.double()).solution.float()  # [J, K]
    steps = layered(others, latents) * others.units[:, None, None]
    vectors = layered(directions, latents) * directions.units[:, None, None] - torch.einsum(
        "jk,jld->kld", parts, steps
    )
    ones = torch.ones(len(directions))
    return replace(
        directions,
        vectors=vectors,
        units=ones,
        layers=torch.ones(latents.w.shape[1]),
        shares=None,
        confidence=None,
    )


def layered(directions: Directions, latents: Latents) -> torch.Tensor:
    """Vectors `[K, num_ws, w_dim]`, 0 in layers that the directions are not meant for."""
    return (
        directions.by_layer.expand(-1, latents.w.shape[1], -1) * meant_layers(latents, directions)[0][:, None]
    )


@torch.no_grad()
def change_of(runner: Runner, latents: Latents, directions: Directions, place: int) -> torch.Tensor:
    """Half of what strengths 1 and −1 set apart, all faces' pictures in one row `[N]`."""
    both = both_ways(runner, latents, directions, place, 1.0)
    return ((both[:, 1] - both[:, 0]) / 2).flatten()


def both_ways(
    runner: Runner, latents: Latents, directions: Directions, place: int, strength: float = STRENGTH
) -> torch.Tensor:
    """Small pictures of the faces moved along a direction backwards and forwards: `[B, 2, 3, S, S]`."""
    codes = moved(latents, directions, [place], [-strength, strength], meant_layers(latents, directions))
    return small_pictures(runner, codes).unflatten(0, (-1, 2))


def either(
    before: Regions, both: torch.Tensor, faces: Sequence[Face] | None, regions_by: str
) -> dict[str, torch.Tensor]:
    """The regions `[B, 2, S, S]` before or after a change. Faces are looked for before it alone."""
    again = None if faces is None else [face for face in faces for _ in range(2)]
    after = find_regions(both.flatten(0, 1), again, regions_by)
    twice = {name: mask.repeat_interleave(2, 0) for name, mask in before.items()}
    return {name: mask.unflatten(0, (-1, 2)) for name, mask in before_or_after(twice, after).items()}


def small_pictures(runner: Runner, latents: Latents) -> torch.Tensor:
    """`[B, 3, SIDE, SIDE]` on the CPU."""

    def forward(generator: Generator, items: slice) -> torch.Tensor:
        return resize(decode(generator, latents.take(items))[:, :3].clamp(-1, 1), SIDE, SIDE).expand(
            -1, 3, -1, -1
        )

    return runner(len(latents), forward).float().cpu()


def proposed(
    source: torch.Tensor, both: torch.Tensor, change: torch.Tensor, regions: dict[str, torch.Tensor]
) -> str:
    """What to call a change: pose, or the regions that change most, and whether their shape or their colour does."""
    if not regions:
        return "everything"
    face = torch.stack([regions[name] for name in FACE]).sum(0)[:, 0].clamp(0, 1)
    motion = torch.cat(
        [
            find_motion(one[None], pair, mask).parameters
            for one, pair, mask in zip(source, both, face, strict=True)
        ]
    )
    if float((motion[:, 4:].norm(dim=1) + motion[:, :4].norm(dim=1)).mean()) > MOVED * SIDE:
        return "pose"
    weight = {}
    for name, mask in regions.items():
        inside = (change * mask).sum()
        weight[name] = float(inside * (inside / mask.sum().clamp_min(1.0)).sqrt())
    ordered = sorted(weight, key=weight.__getitem__, reverse=True)
    main = [name for name in ordered[:2] if weight[name] >= MAIN * weight[ordered[0]]]
    shape = colour = 0.0
    chosen = torch.stack([regions[name] for name in main]).sum(0)
    for one, pair, places in zip(source, both, chosen, strict=True):
        for other, place in zip(pair, places.clamp(0, 1), strict=True):
            area = place.sum().clamp_min(1.0)
            shape += float((shape_change(one[None], other[None]) * place).sum() / area)
            colour += float((colour_change(one[None], other[None], place) * place).sum() / area)
    return f"{' and '.join(main)} {'shape' if shape > STRUCTURE * colour else 'colour'}"
