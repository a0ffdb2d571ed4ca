"""Where in a picture of a face hair, eyes, … and background are: soft masks by name.

The face mesh (`detection`) draws the face and its features. What lies around them is told apart by colour: every
pixel belongs to hair, background, body or face as likely as its colour is common among the pixels that surely do
(histograms, refined by expectation and maximisation as in GrabCut, Rother et al. 2004), times how likely its place
beside the face is. Masks of the user's own replace all of this (`regions_of`).
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from ..errors import NoFaceError, StyleMixError
from ..images import as_masks, check_finite, resize, to_pil
from ..wording import counted, there_are
from .detection import Face, find_faces

REGIONS = ("hair", "face", "eyes", "brows", "nose", "mouth", "background", "body")
"""What `find_regions` finds. "face" is the bare skin of the face; "body" is neck, clothes and ears."""

SIDE = 256
"""Pictures are looked at in this size, in pixels."""

# Points of the mesh. Features' outlines are traced around the points of either side.
_OVAL = (
    (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377)
    + (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
)  # fmt: skip
_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
_NOSE = ((197, 198, 129, 98, 97, 2, 326, 327, 358, 420),)
_MOUTH = ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),)
_FEATURES = {"nose": _NOSE, "mouth": _MOUTH, "eyes": _EYES, "brows": _BROWS}
"""Painted in this order."""

_GROWN = {"nose": 0.0, "mouth": 0.0, "eyes": 0.03, "brows": 0.0}
"""How far features reach beyond their outlines, lashes and lids included, in widths of the face."""

_AROUND = ("hair", "background", "body", "face")
_BINS = 16
"""Levels of every colour in the histograms."""
_ROUNDS = 7

_SKULL = (1.3, 1.45)
"""Half axes of what counts as head in any case, in those of the face's oval; its middle lies a little higher."""
_GAP = 4
"""Gaps in a head are closed that are twice as many pixels wide."""


def find_regions(images: torch.Tensor, faces: Sequence[Face] | None = None) -> dict[str, torch.Tensor]:
    """The regions of pictures that show one face each.

    images: `[B, 3, H, W]` in −1…1. The largest face counts where there are several.
    faces: what `faces_of` found, one or one per picture, where it is known already.
    Returns `REGIONS` by name, float32 `[B, H, W]` in 0…1 on the device of the images; at every pixel they sum to 1.
    `NoFaceError` when a picture shows no face.
    """
    small = _small(images)
    faces = _largest_faces(small) if faces is None else faces
    maps = _around(small, faces)
    for name, outlines in _FEATURES.items():
        drawn = torch.stack([_draw(face, outlines, _GROWN[name] * _width(face)) for face in faces])
        maps = {other: mask * (1 - drawn) for other, mask in maps.items()}
        maps[name] = drawn.expand(len(small), -1, -1)
    stacked = resize(torch.stack([maps[name] for name in REGIONS], 1), *images.shape[2:]).to(images.device)
    return dict(zip(REGIONS, stacked.unbind(1), strict=True))


def find_heads(images: torch.Tensor) -> list[torch.Tensor | None]:
    """Hair and face of pictures `[B, 3, H, W]`, the largest where there are several, None where none is found.

    Each is float32 `[SIDE, SIDE]` in 0…1, without specks and gaps, and covers where hair usually is, as hair of the
    background's colours is not found.
    """
    small = _small(images)
    heads: list[torch.Tensor | None] = []
    for picture, found in zip(small, _faces(small), strict=True):
        if not found:
            heads.append(None)
            continue
        face = max(found, key=_width)
        around = _around(picture[None], [face])  # [1, SIDE, SIDE] each
        u, v = _axes(face)
        usual = ((u / _SKULL[0]).square() + ((v + 0.3) / _SKULL[1]).square() < 1).float()
        head = torch.maximum(around["hair"] + around["face"], usual)[None]
        gap = 2 * _GAP + 1
        closed = -F.max_pool2d(-F.max_pool2d(head, gap, 1, _GAP), gap, 1, _GAP)
        heads.append((2 * soften(closed, _GAP)[0, 0] - 0.5).clamp(0, 1))
    return heads


def grow(mask: torch.Tensor, reach: int) -> torch.Tensor:
    """A mask `[H, W]` with a soft edge around it, twice as many pixels wide."""
    return soften(F.max_pool2d(mask[None, None], 2 * reach + 1, 1, reach), reach)[0, 0]


def soften(maps: torch.Tensor, reach: int) -> torch.Tensor:
    """Maps `[B, C, H, W]` whose edges go over `reach` pixels to either side."""
    for part in range(3):  # three means in a row are nearly a Gaussian's
        side = (reach + part) // 3
        maps = F.avg_pool2d(F.pad(maps, [side] * 4, mode="replicate"), 2 * side + 1, 1)
    return maps


def faces_of(images: torch.Tensor) -> list[Face]:
    """The largest face of every picture `[B, 3, H, W]`, as `find_regions` takes them. Errors as for it."""
    return _largest_faces(_small(images))


def regions_of(
    images: torch.Tensor, regions: Mapping[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """The regions of pictures `[B, 3, H, W]`, found or given, each float32 `[B, H, W]` in 0…1.

    regions: None to find them, or masks of a user's own by name, of any size, one for all or one each, as `as_masks`
        takes them.
    Errors as for `find_regions` and `as_masks`.
    """
    if regions is None:
        return find_regions(images)
    count, _, height, width = images.shape
    if not regions:
        raise StyleMixError("there are no regions; give masks by name, or None to find them in the picture")
    checked = {}
    for name, mask in regions.items():
        mask = as_masks(mask, f"the region {name!r}", count)
        mask = resize(mask[:, None].to(images.device), height, width)[:, 0]
        checked[name] = mask.clamp(0, 1).expand(count, -1, -1)
    return checked


def name_masks(masks: torch.Tensor, names: str) -> dict[str, torch.Tensor]:
    """A batch of masks, as `as_masks` takes it, as regions, by names with commas in between; "region 1" and so on
    without names.

    Errors as there; `StyleMixError` when there are not as many names as masks, or one comes up again.
    """
    masks = as_masks(masks, "masks")
    given = [name.strip() for name in names.replace("\n", ",").split(",") if name.strip()]
    given = given or [f"region {number}" for number in range(1, len(masks) + 1)]
    if len(given) != len(masks):
        raise StyleMixError(
            f"{there_are(len(given), 'name')} ({', '.join(given)}) for {counted(len(masks), 'mask')}; "
            "give one name per mask"
        )
    if len(set(given)) != len(given):
        raise StyleMixError(f"the names {', '.join(given)} are not all different; give every mask its own")
    return dict(zip(given, masks, strict=True))


def _small(images: torch.Tensor) -> torch.Tensor:
    """The pictures as this room looks at them: on the CPU, `SIDE` pixels square."""
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise StyleMixError(
            f"the pictures have the shape {list(images.shape)}; expected [batch, 3, height, width]"
        )
    check_finite(images, "the pictures")
    return resize(images.detach().float().cpu(), SIDE, SIDE).clamp(-1, 1)


def _largest_faces(small: torch.Tensor) -> list[Face]:
    largest = []
    for number, found in enumerate(_faces(small), 1):
        if not found:
            raise NoFaceError(
                f"picture {number} shows no face, so its hair, eyes and background cannot be told apart; "
                "give regions as masks of your own, or choose another picture"
            )
        largest.append(max(found, key=_width))
    return largest


def _faces(small: torch.Tensor) -> list[list[Face]]:
    """The faces of every picture. They are crops, so faces are upright."""
    return find_faces([to_pil(picture) for picture in small], any_angle=False)


def _width(face: Face) -> float:
    """The face's width in pixels."""
    left, right = face.points[234], face.points[454]
    return float(((right - left) ** 2).sum() ** 0.5)


def _draw(face: Face, outlines: Sequence[Sequence[int]], grow: float = 0.0) -> torch.Tensor:
    """Polygons of the mesh's points as a mask `[SIDE, SIDE]`, `grow` pixels wider all around."""
    fine = 4
    picture = Image.new("L", (SIDE * fine, SIDE * fine))
    pen = ImageDraw.Draw(picture)
    for outline in outlines:
        points = [tuple((point + 0.5) * fine) for point in face.points[list(outline)]]
        pen.polygon(points, 255)
        if grow:
            pen.line([*points, points[0], points[1]], 255, round(2 * grow * fine), "curve")
    pixels = torch.frombuffer(bytearray(picture.reduce(fine).tobytes()), dtype=torch.uint8)
    return pixels.view(SIDE, SIDE).float() / 255


def _around(images: torch.Tensor, faces: Sequence[Face]) -> dict[str, torch.Tensor]:
    """What every pixel is apart from the features: maps `[B, SIDE, SIDE]` by the names `_AROUND`.

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
    around = resize(_expect(colours, places, common), SIDE, SIDE)
    return dict(zip(_AROUND, around.unbind(1), strict=True))


def _count(colours: torch.Tensor, belongs: torch.Tensor) -> torch.Tensor:
    """How common each colour is among what belongs to each of `_AROUND`: `[B, 4, bins³]`, adding up to one."""
    colours = colours.flatten(1)[:, None].expand(-1, len(_AROUND), -1)
    counted = torch.zeros(*belongs.shape[:2], _BINS**3).scatter_add_(2, colours, belongs.flatten(2))
    counted = _smooth_colours(counted)
    return counted / counted.sum(2, keepdim=True)


def _expect(colours: torch.Tensor, places: torch.Tensor, common: torch.Tensor) -> torch.Tensor:
    """How likely every pixel is each of `_AROUND`, `[B, 4, H, W]`, by its colour and place."""
    body, face = _AROUND.index("body"), _AROUND.index("face")
    common = common.clone()
    common[:, body] = torch.maximum(common[:, body], common[:, face])  # ears and neck have the face's colours
    likely = common.gather(2, colours.flatten(1)[:, None].expand(-1, len(_AROUND), -1)).view_as(places)
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


def _axes(face: Face) -> tuple[torch.Tensor, torch.Tensor]:
    """Every place in the face's own axes, two `[SIDE, SIDE]`: −1…1 across and down its oval."""
    oval = torch.from_numpy(face.points[list(_OVAL)]).float()
    left, right = (torch.from_numpy(face.points[list(eye)]).float().mean(0) for eye in _EYES)
    across = F.normalize(right - left, dim=0)
    down = torch.stack([-across[1], across[0]])
    centre = (oval.amax(0) + oval.amin(0)) / 2
    line = torch.arange(SIDE).float()
    offset = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1) - centre
    u = (offset @ across) / ((oval - centre) @ across).abs().amax()
    v = (offset @ down) / ((oval - centre) @ down).abs().amax()
    return u, v


def _places(face: Face) -> torch.Tensor:
    """How likely every place beside the face is one of `_AROUND`, whatever its colour: `[4, SIDE, SIDE]`, positive."""
    u, v = _axes(face)
    beyond = ((u.square() + v.square()).sqrt() - 1).clamp_min(0)
    inside = _draw(face, (_OVAL,), 0.02 * _width(face))
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
