"""What the face mesh says of a picture: outlines of the face and its features, and places in the face's own axes."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from ..detection import Face

SIDE = 256
"""Pictures are looked at in this size, in pixels."""

# Points of the mesh. Features' outlines are traced around the points of either side.
OVAL = (
    (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377)
    + (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
)  # fmt: skip
EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
NOSE = ((197, 198, 129, 98, 97, 2, 326, 327, 358, 420),)
MOUTH = ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),)
FEATURES = {"nose": NOSE, "mouth": MOUTH, "eyes": EYES, "brows": BROWS}
"""Painted in this order."""

GROWN = {"nose": 0.0, "mouth": 0.0, "eyes": 0.03, "brows": 0.0}
"""How far features reach beyond their outlines, lashes and lids included, in widths of the face."""


def width_of(face: Face) -> float:
    """The face's width in pixels."""
    left, right = face.points[234], face.points[454]
    return float(((right - left) ** 2).sum() ** 0.5)


def draw(face: Face, outlines: Sequence[Sequence[int]], grow: float = 0.0) -> torch.Tensor:
    """Polygons of the mesh's points as a mask `[SIDE, SIDE]`, `grow` pixels wider all around."""
    fine = 4
    places = [face.points[list(outline)] + 0.5 for outline in outlines]
    corners = np.concatenate(places)
    left, top = np.clip(np.floor(corners.min(0) - grow - 1), 0, SIDE - 1).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(0) + grow + 1), 1, SIDE).astype(int)
    mask = torch.zeros(SIDE, SIDE)
    picture = Image.new("L", ((right - left) * fine, (bottom - top) * fine))
    pen = ImageDraw.Draw(picture)
    for outline in places:
        points = [tuple((point - (left, top)) * fine) for point in outline]
        pen.polygon(points, 255)
        if grow:
            pen.line([*points, points[0], points[1]], 255, round(2 * grow * fine), "curve")
    pixels = torch.from_numpy(np.array(picture.reduce(fine)))
    mask[top:bottom, left:right] = pixels.float() / 255
    return mask


def axes(face: Face) -> tuple[torch.Tensor, torch.Tensor]:
    """Every place in the face's own axes, two `[SIDE, SIDE]`: −1…1 across and down its oval."""
    oval = torch.from_numpy(face.points[list(OVAL)]).float()
    left, right = (torch.from_numpy(face.points[list(eye)]).float().mean(0) for eye in EYES)
    across = F.normalize(right - left, dim=0)
    down = torch.stack([-across[1], across[0]])
    centre = (oval.amax(0) + oval.amin(0)) / 2
    line = torch.arange(SIDE).float()
    offset = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1) - centre
    u = (offset @ across) / ((oval - centre) @ across).abs().amax()
    v = (offset @ down) / ((oval - centre) @ down).abs().amax()
    return u, v
