"""Hair, face, body and background of photographs, by the person network, place beside the face, and colours.

The person is divided. What the place says is a logistic regression; what the colour says is how much more common it is
among what surely is hair than on the skin, whose colour changes evenly over the face as light falls from one side. Over
the face and below the ears only what hangs together with other hair is hair. A guided filter (He and Sun 2015,
arXiv:1505.00996) takes the answer to the edges of the picture.

Constants are fitted to photographs with hair drawn in, half of them tuned on the other half.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ...images import resize
from ..detection import Face
from .mesh import BROWS, EYES, MOUTH, OVAL, SIDE, axes, draw, width_of

HALF = SIDE // 2
"""Pixels in which colours are compared."""

# Weights of the functions of the place (see `_place_features`), their log odds' gain and offset.
_PLACE = (0.17, -3.2, 3.78, 3.8, -0.56, -3.38, -1.01, -1.23, -0.5, -3.16, 0.5, 4.96, 1.4, -5.03, 0.29, 0.72)
_GAIN, _OFFSET = 1.3, 0.6
_FRINGE = -1.5
"""Log odds of hair over the forehead, at least."""
_BALD, _BALD_SHARE = 4.0, 0.8
"""Log odds that hair loses where the crown looks like skin, and the share of the crown that must not."""
_UNLIKE, _SEED = 8.0, 20.0
"""Squared distances from the skin's colour that count as unlike it: on the crown, and for what surely is hair."""
_SPREAD = 2.8
"""Of the skin's colour, in its measured variance."""
_RARE = 1.2e-3
"""How common every colour is at least."""
_TRUST = 1.3
"""In colour, against place."""
_LEVELS = (20, 16, 16)
"""Of L, a and b in the histogram of hair."""
_LOWEST, _RANGE = (0.0, -40.0, -35.0), (100.0, 100.0, 105.0)
"""What of L, a and b the histogram covers."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is known of pictures before they are divided; maps `[B, HALF, HALF]`; places `[1, …]` for one face."""

    person: torch.Tensor
    u: torch.Tensor
    """Across the face's oval, −1…1 …"""
    v: torch.Tensor
    """… and down it."""
    oval: torch.Tensor
    unlike: torch.Tensor
    """Squared distance from the skin's colour there, in its spread."""
    volume: torch.Tensor
    """Of that spread, its logarithm, `[B, 1, 1]`."""
    levels: torch.Tensor
    """Which cell of the histogram every pixel's colour is in."""


def divide_photos(
    images: torch.Tensor, faces: Sequence[Face], person: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Hair, face, body and background, each `[B, SIDE, SIDE]` in 0…1, adding up to 1.

    images: `[B, 3, SIDE, SIDE]` in −1…1. faces: one for all or one each. person: as `find_person` gives it.
    """
    seen = _look(images, faces, person)
    hair = _hair(seen)
    hair, skin = _sharpen((images + 1) / 2, torch.stack([hair, seen.person - hair], 1)).unbind(1)
    room = (person / (hair + skin).clamp_min(1e-3)).clamp_max(1)
    hair, skin = hair * room, skin * room
    oval, v = (resize(each[:, None], SIDE, SIDE)[:, 0] for each in (seen.oval, seen.v))
    front = torch.maximum(oval, torch.sigmoid((-0.3 - v) * 8))  # a bald scalp is face, ears and neck are body
    face = skin * front
    body = (person - hair - face).clamp_min(0)
    return {"hair": hair, "face": face, "body": body, "background": 1 - person}


def _look(images: torch.Tensor, faces: Sequence[Face], person: torch.Tensor) -> _Seen:
    colour = _lab(F.avg_pool2d(images, 2))
    drawn = torch.stack([_outlines(face) for face in faces])  # [1 or B, 4, SIDE, SIDE]
    oval, *features = F.avg_pool2d(drawn, 2).unbind(1)
    u, v = (
        F.avg_pool2d(torch.stack(axis)[:, None], 2)[:, 0]
        for axis in zip(*(axes(face) for face in faces), strict=True)
    )
    # Not as far down as beards grow.
    bare = oval * (1 - torch.stack(features).amax(0)) * ((v > -0.5) & (v < 0.4) & (u.abs() < 0.75))
    unlike, volume = _distance_from_skin(colour, u, v, bare)
    return _Seen(F.avg_pool2d(person[:, None], 2)[:, 0], u, v, oval, unlike, volume, _quantise(colour))


def _outlines(face: Face) -> torch.Tensor:
    """The face's oval, its eyes, brows and mouth, `[4, SIDE, SIDE]`."""
    width = width_of(face)
    features = ((EYES, 0.05), (BROWS, 0.02), (MOUTH, 0.02))
    return torch.stack([draw(face, (OVAL,)), *(draw(face, lines, grow * width) for lines, grow in features)])


def _place_features(seen: _Seen) -> torch.Tensor:
    """Functions of the place beside the face in which the log odds of hair are linear, `[B, HALF, HALF, 16]`."""
    u, v, oval = seen.u, seen.v, seen.oval
    side, radius = u.abs(), (u * u + v * v).sqrt().clamp_min(0.3)
    up, out = -v / radius, (radius - 1).clamp_min(0)
    rim = torch.exp(-(((radius - 1) / 0.2) ** 2))
    low, middle, far = torch.sigmoid((v - 0.9) * 5), torch.sigmoid((v + 0.1) * 8), (radius - 1).clamp(0, 1.5)
    features = (
        torch.ones_like(u),
        oval,
        oval * (-v - 0.5).clamp_min(0),
        oval * (side - 0.7).clamp_min(0),
        rim * torch.sigmoid((up - 0.6) * 8),
        rim * torch.sigmoid((up - 0.85) * 20),
        middle,
        low,
        low * v.clamp_max(2),
        low * torch.exp(-((u / 0.6) ** 2)),
        middle * rim,
        out.clamp_max(1.5),
        far * low,
        far**2,
        (side - 1.1).clamp_min(0) * low,
        (-v - 1.5).clamp_min(0),
    )
    return torch.stack(features, -1)


def _distance_from_skin(
    colour: torch.Tensor, u: torch.Tensor, v: torch.Tensor, bare: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`_Seen.unlike` and `_Seen.volume`. colour: Lab `[B, 3, HALF, HALF]`. bare: where the face's bare skin is.

    The skin's Lab is linear in the place, fitted robustly: beards, glasses and locks count less.
    """
    place = torch.stack([torch.ones_like(u), u.clamp(-1.1, 1.1), v.clamp(-1, 1)], -1).flatten(
        1, 2
    )  # [B, N, 3]
    lab, given = colour.flatten(2).mT, bare.flatten(1)[..., None]  # [B, N, 3], [B, N, 1]
    ridge, floor = torch.tensor([1e-6, 0.05, 0.05]).diag(), torch.tensor([9.0, 2.0, 2.0]).diag()
    weight = given
    for _ in range(5):
        total = weight.sum(1, keepdim=True) + 1e-3
        slope = torch.linalg.solve(place.mT @ (place * weight) + ridge * total, place.mT @ (lab * weight))
        rest = lab - place @ slope
        spread = rest.mT @ (rest * weight) / total + floor
        distance = (rest @ torch.linalg.inv(spread) * rest).sum(2, keepdim=True)
        weight = given / (1 + (distance / 6) ** 2)
    return distance.view_as(colour[:, 0]), torch.logdet(spread)[:, None, None]


def _hair(seen: _Seen) -> torch.Tensor:
    """Hair, `[B, HALF, HALF]` in 0…1: by its place and its colour, like hair's or like skin."""
    u, v, unlike, person = seen.u, seen.v, seen.unlike, seen.person
    crown = torch.exp(-((((u * u + v * v).sqrt() - 1.15) / 0.2) ** 2)) * (
        (v < -0.7) & (v > -1.6) & (u.abs() < 1.1)
    )
    crown = crown * (1 - seen.oval) * (person > 0.6)
    covered = _total(crown * (1 - torch.exp(-unlike / _UNLIKE))) / _total(crown).clamp_min(1)
    odds = (_place_features(seen) @ torch.tensor(_PLACE)) * _GAIN + _OFFSET
    odds = odds + _BALD * (covered / _BALD_SHARE - 1).clamp_max(0)
    odds = torch.where(v < -0.3, odds.clamp_min(_FRINGE), odds)
    may = odds.sigmoid().clamp(0.005, 0.99)

    cell = math.prod(_RANGE) / math.prod(_LEVELS)
    peak = cell / (2 * math.pi * _SPREAD) ** 1.5
    of_skin = peak * torch.exp(-0.5 * unlike.clamp_max(80) / _SPREAD - 0.5 * seen.volume)
    surely = may * person * (1 - torch.exp(-unlike / _SEED)) * (person > 0.6)
    of_hair = _how_common(
        seen.levels, surely * torch.sigmoid((0.5 - v) * 12)
    )  # what lies lower may be clothes
    ratio = ((of_hair + _RARE) / (of_skin + _RARE)).log()
    ratio = F.avg_pool2d(ratio[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
    beard = torch.sigmoid(12 * (1 - (u / 0.6).square() - ((v - 0.6) / 0.6).square()))  # the chin's place
    hair = (may.logit() + _TRUST * ratio).sigmoid() * person * (1 - beard)
    return _connected(hair, v, seen.oval)


def _total(maps: torch.Tensor) -> torch.Tensor:
    return maps.sum((1, 2), keepdim=True)


def _connected(hair: torch.Tensor, v: torch.Tensor, oval: torch.Tensor) -> torch.Tensor:
    """Over the face, and below the ears, only what hangs together with the hair above: not eyes, nor dark clothes."""
    above = hair * (v < 0.1) * (1 - oval)
    coarse, reached = (F.avg_pool2d(each[:, None], 4) for each in (hair, above))
    for _ in range(HALF // 8):
        reached = torch.minimum(coarse, F.max_pool2d(reached, 3, 1, 1))
    return torch.minimum(hair, torch.maximum(resize(reached, HALF, HALF)[:, 0] * 1.2, above))


def _sharpen(guide: torch.Tensor, maps: torch.Tensor, radius: int = 5, edge: float = 1e-3) -> torch.Tensor:
    """Maps `[B, C, HALF, HALF]` to the size and the edges of the guide `[B, 3, SIDE, SIDE]`: a guided filter, fitted
    in half the size. edge: variances of the guide far below it are no edges."""
    small = F.avg_pool2d(guide, 2)
    count, channels = len(guide), maps.shape[1]
    place = torch.arange(HALF)
    near = ((place - place[:, None]).abs() <= radius).float()
    near /= near.sum(1, keepdim=True)

    def mean(each: torch.Tensor) -> torch.Tensor:
        # Products of matrices take a fraction of the time of torch's pooling.
        return near @ each @ near.T

    def products(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Means of all products of two maps' channels, less those of the means: `[B, H, W, A, B]`."""
        both = mean((a[:, :, None] * b[:, None]).flatten(1, 2)).view(
            count, a.shape[1], b.shape[1], HALF, HALF
        )
        return (both - mean(a)[:, :, None] * mean(b)[:, None]).permute(0, 3, 4, 1, 2)

    slope = torch.linalg.solve(
        products(small, small) + edge * torch.eye(3), products(small, maps)
    )  # [B, H, W, 3, C]
    slope = slope.permute(0, 3, 4, 1, 2)  # [B, 3, C, H, W]
    shift = mean(maps) - (slope * mean(small)[:, :, None]).sum(1)
    slope = resize(mean(slope.flatten(1, 2)), SIDE, SIDE).view(count, 3, channels, SIDE, SIDE)
    return ((slope * guide[:, :, None]).sum(1) + resize(mean(shift), SIDE, SIDE)).clamp(0, 1)


def _lab(images: torch.Tensor) -> torch.Tensor:
    """sRGB `[B, 3, H, W]` in −1…1 → CIE L*a*b* (white: D65)."""
    rgb = ((images + 1) / 2).clamp(0, 1)
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    to_xyz = torch.tensor([[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8726]])
    xyz = torch.einsum("ij,bjhw->bihw", to_xyz, linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp_min(1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def _quantise(lab: torch.Tensor) -> torch.Tensor:
    """Which cell of the histogram each colour is in, `[B, H, W]`."""
    cells = torch.zeros_like(lab[:, 0], dtype=torch.long)
    for channel, lowest, size, levels in zip(lab.unbind(1), _LOWEST, _RANGE, _LEVELS, strict=True):
        cells = cells * levels + ((channel - lowest) / size * levels).long().clamp(0, levels - 1)
    return cells


def _how_common(levels: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """How common every pixel's colour is among all, weighed by `weight`; `[B, H, W]`. Neighbouring colours count as
    well, by ¼ ½ ¼ along each axis."""
    flat = levels.flatten(1)
    cube = torch.zeros(len(flat), math.prod(_LEVELS)).scatter_add_(1, flat, weight.flatten(1) + 1e-7)
    cube = cube.view(-1, 1, *_LEVELS)
    line = torch.tensor([0.25, 0.5, 0.25])
    for axis in range(3):
        kernel = line.view([3 if axis == i else 1 for i in range(3)])
        cube = F.conv3d(cube, kernel[None, None], padding=[int(axis == i) for i in range(3)])
    histogram = cube.flatten(1)
    return (histogram / histogram.sum(1, keepdim=True)).gather(1, flat).view_as(levels)
