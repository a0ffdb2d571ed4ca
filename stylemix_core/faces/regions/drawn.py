"""Regions of a face by colour and place alone: of drawn faces, which the person network does not know.

Every pixel belongs to hair, background, body or face as likely as its colour is common among the pixels that surely do
(histograms, refined by expectation and maximisation as in GrabCut, Rother et al. 2004), times how likely its place
beside the face is.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ...images import resize
from ..detection import Face
from .mesh import OVAL, SIDE, axes, draw, width_of

AROUND = ("hair", "background", "body", "face")
_BINS = 16
"""Levels of every colour in the histograms."""
_ROUNDS = 7
_BARE = 0.58
"""How alike the colours of hair and background are (Bhattacharyya coefficient) where there is no hair: of drawn heads 7
in 8 bald ones are above it, 2 in 66 with hair."""


def divide_drawn(images: torch.Tensor, faces: Sequence[Face]) -> dict[str, torch.Tensor]:
    """What every pixel is apart from the features: maps `[B, SIDE, SIDE]` by the names `AROUND`.

    Half the size is enough to tell places apart, and every fourth pixel of that to learn colours from.
    """
    places = F.avg_pool2d(torch.stack([_places(face) for face in faces]), 2)  # [1 or B, 4, S/2, S/2]
    places = places.expand(len(images), -1, -1, -1)
    levels = ((F.avg_pool2d(images, 2) + 1) * (_BINS / 2)).long().clamp(0, _BINS - 1)
    colours = (levels[:, 0] * _BINS + levels[:, 1]) * _BINS + levels[:, 2]  # [B, S/2, S/2]
    some_places, some_colours = places[:, :, ::2, ::2], colours[:, ::2, ::2]
    belongs = some_places / some_places.sum(1, keepdim=True)
    for _ in range(_ROUNDS):
        common = _count(some_colours, belongs)
        belongs = _expect(some_colours, some_places, common)
    hair, background = AROUND.index("hair"), AROUND.index("background")
    alike = (common[:, hair] * common[:, background]).sqrt().sum(1)
    common[:, hair] *= (alike < _BARE)[:, None]
    around = resize(_expect(colours, places, common), SIDE, SIDE)
    return dict(zip(AROUND, around.unbind(1), strict=True))


def _count(colours: torch.Tensor, belongs: torch.Tensor) -> torch.Tensor:
    """How common each colour is among what belongs to each of `AROUND`: `[B, 4, bins³]`, adding up to one."""
    colours = colours.flatten(1)[:, None].expand(-1, len(AROUND), -1)
    counted = torch.zeros(*belongs.shape[:2], _BINS**3).scatter_add_(2, colours, belongs.flatten(2))
    counted = _smooth_colours(counted)
    return counted / counted.sum(2, keepdim=True)


def _expect(colours: torch.Tensor, places: torch.Tensor, common: torch.Tensor) -> torch.Tensor:
    """How likely every pixel is each of `AROUND`, `[B, 4, H, W]`, by its colour and place."""
    body, face = AROUND.index("body"), AROUND.index("face")
    common = common.clone()
    common[:, body] = torch.maximum(common[:, body], common[:, face])  # ears and neck have the face's colours
    likely = common.gather(2, colours.flatten(1)[:, None].expand(-1, len(AROUND), -1)).view_as(places)
    evidence = 3 * F.avg_pool2d((likely + 1e-6).log(), 3, 1, 1, count_include_pad=False)
    return (evidence + places.log()).softmax(1)


def _smooth_colours(histogram: torch.Tensor) -> torch.Tensor:
    """Neighbouring colours count as well: `[B, C, bins³]` blurred by ¼ ½ ¼ along each colour."""
    cube = histogram.view(-1, 1, _BINS, _BINS, _BINS)
    line = torch.tensor([0.25, 0.5, 0.25])
    for axis in range(3):
        kernel = line.view([3 if axis == i else 1 for i in range(3)])
        cube = F.conv3d(cube, kernel[None, None], padding=[int(axis == i) for i in range(3)])
    return cube.view_as(histogram)


def _places(face: Face) -> torch.Tensor:
    """How likely every place beside the face is one of `AROUND`, whatever its colour: `[4, SIDE, SIDE]`, positive."""
    u, v = axes(face)
    beyond = ((u.square() + v.square()).sqrt() - 1).clamp_min(0)
    inside = draw(face, (OVAL,), 0.02 * width_of(face))
    outside = 1 - inside

    # The hairline may lie lower than the oval's top, and locks over the cheeks.
    over_face = (((-0.45 - v) * 1.8).clamp(0, 0.7) + ((u.abs() - 0.75) * 2).clamp(0, 0.4)).clamp(0, 0.8)
    near = torch.exp(-(beyond / 0.45).square())
    below = torch.sigmoid(
        (v - 1.1 - 0.35 * (u.abs() - 0.4).clamp(0, 1.2)) * 6
    )  # the line of neck and shoulders
    neck, locks = torch.exp(-(u / 0.65).square()), torch.exp(-((u.abs() - 1) / 0.5).square())
    hair = outside * (near * (1 - below) + 0.8 * below * locks) + inside * over_face
    background = outside * (1.2 - near) * (1 - 0.4 * below)
    ears = near * torch.sigmoid((v + 0.5) * 8)
    body = outside * (below * (0.2 + 0.8 * neck) + 0.05 * ears)
    # Foreheads reach a little beyond the oval; further up, what has the skin's colour is a highlight on hair.
    forehead = torch.exp(-(beyond / 0.2).square()) * torch.sigmoid((-0.5 - v) * 8)
    skin = inside * (1 - over_face) + 0.3 * outside * forehead
    return torch.stack([hair, background, body, skin]) + 1e-4
