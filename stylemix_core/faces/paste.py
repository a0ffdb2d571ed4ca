"""Putting a face back where it was cropped from.

Only the crop's square changes, and of that only what the blend, the mask, the feathered edge and the picture's own
border leave: every other number of the picture stays the very same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ..errors import StyleMixError
from ..images import as_masks, check_finite, comfy_to_pil, cut, from_pil, resize, to_rgb
from .crop import crop_face, find_padding
from .regions import SIDE, find_heads, grow, soften
from .transform import FaceTransform

BLENDS = ("head", "square")
"""What `paste_face` puts back: hair and face, old and new, or all of the crop."""

MAX_FEATHER = 0.5
"""The widest soft edge, as a fraction of the crop's side: to the middle."""

COLOUR_MATCHES = ("none", "seam", "whole")
"""How `paste_face` fits colours: not at all, the mean along the edge, or mean and contrast of all that is pasted."""

SEAM = 0.1
"""How far from the edge colours count as those of the seam, in sides of the crop."""

NEAR = SIDE // 6
"""How far the background's colours around a head spread into it, in pixels of `SIDE`."""

BAND_PIXELS = 1 << 19
"""Pixels of the picture that are worked on at a time."""


@dataclass(frozen=True)
class _Edge:
    """How the face goes over into the picture."""

    feather: float
    colour_match: str
    blend: str

    def __post_init__(self) -> None:
        if not 0 <= self.feather <= MAX_FEATHER:
            raise StyleMixError(
                f"the feather is {self.feather:g}; choose 0 (a hard edge) to {MAX_FEATHER:g} (to the middle)"
            )
        if self.colour_match not in COLOUR_MATCHES:
            raise StyleMixError(
                f"the colour match {self.colour_match!r} is unknown; choose one of: {', '.join(COLOUR_MATCHES)}"
            )
        if self.blend not in BLENDS:
            raise StyleMixError(f"the blend {self.blend!r} is unknown; choose one of: {', '.join(BLENDS)}")


def paste_face(
    picture: Image.Image,
    face: Image.Image,
    transform: FaceTransform,
    feather: float = 0.1,
    mask: torch.Tensor | None = None,
    colour_match: str = "seam",
    blend: str = "head",
) -> Image.Image:
    """Put a face back into the picture that `align_face` cropped it from.

    picture: of the size it had then.
    face: the crop, changed as one likes, of any size.
    feather: width of the soft edge, as a fraction of the crop's side, 0…0.5; around the head half of it.
    mask: where on the crop the face is pasted, as `as_masks` takes it, instead of the blend.
    colour_match: "none"; "seam": the face's mean colour along the edge becomes the picture's there, or around a head
        the background's, while the head keeps its colours; "whole": mean and contrast of all that is pasted do, which
        a cast over the whole crop needs.
    blend: "head" pastes hair and face, so that the background stays as it was ("square" where no head is found);
        "square" all of the crop.
    Returns an RGB picture of the same size. `StyleMixError` when something does not fit.
    """
    edge = _Edge(feather, colour_match, blend)
    result = to_rgb(picture)
    _check_size(transform, result.size)
    result = result.copy() if result is picture else result
    box = _bounds(transform)
    # In place where it can be: the face may fill a huge picture.
    area = _to_float(cut(result, box))
    if area.numel():
        colours = _to_float(to_rgb(face)).permute(2, 0, 1)
        if mask is not None:
            mask = as_masks(mask, "the mask", 1)[0]
        elif blend == "head":
            colours, mask, edge = _head(_Before.of(result, transform), colours, edge)
        _paste(area, box[:2], colours, transform, mask, edge)
        pixels = area.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
        result.paste(Image.fromarray(pixels.numpy()), box[:2])
    return result


def paste_faces(
    pictures: torch.Tensor,
    faces: torch.Tensor,
    transforms: Sequence[FaceTransform],
    feather: float = 0.1,
    masks: torch.Tensor | None = None,
    colour_match: str = "seam",
    blend: str = "head",
) -> torch.Tensor:
    """`paste_face` for batches in ComfyUI's layout, in which untouched pixels keep their exact values.

    pictures: float `[P, H, W, 1, 3 or 4]` in 0…1; transparency stays as it is.
    faces: float `[N·k, h, w, 3]` in 0…1 for N transforms: all k versions of the first face, then of the second,
        as `inject` gives them.
    masks: one, N or N·k over the crops, as `as_masks` takes them.
    Returns `[P·k, H, W, C]`: picture 0 with version 0 of all its faces, with version 1, …, then picture 1.
    `StyleMixError` when counts or sizes do not fit, and where `check_finite` and `as_masks` have it.
    """
    edge = _Edge(feather, colour_match, blend)
    masks = _check_batches(pictures, faces, transforms, masks)
    versions = len(faces) // len(transforms)
    pictures, faces = pictures.float(), faces.float()  # places have more digits than half precision
    if pictures.shape[3] == 1:
        pictures = pictures.expand(-1, -1, -1, 3)
    device = pictures.device
    if device.type == "mps":  # has no float64, in which places are computed
        pictures, faces = pictures.cpu(), faces.cpu()
    result = pictures.repeat_interleave(versions, 0)
    before: dict[int, _Before] = {}
    for index, face in enumerate(faces):
        transform = transforms[index // versions]
        colours, mask, how = face[:, :, :3].permute(2, 0, 1), None, edge
        if masks is not None:
            mask = masks[0 if len(masks) == 1 else index * len(masks) // len(faces)]
        elif blend == "head":
            number = index // versions
            if number not in before:
                (picture,) = comfy_to_pil(pictures[transform.picture : transform.picture + 1])
                before[number] = _Before.of(picture, transform)
            colours, mask, how = _head(before[number], colours, edge)
        left, top, right, bottom = _bounds(transform)
        area = result[transform.picture * versions + index % versions, top:bottom, left:right, :3]
        if area.numel():
            _paste(area, (left, top), colours, transform, mask, how)
    return result.to(device)


def _check_batches(
    pictures: torch.Tensor,
    faces: torch.Tensor,
    transforms: Sequence[FaceTransform],
    masks: torch.Tensor | None,
) -> torch.Tensor | None:
    """The masks as `as_masks` gives them. `StyleMixError` when what `paste_faces` takes does not fit together."""
    check_finite(pictures, "the image")
    check_finite(faces, "the face")
    count = len(transforms)
    if not count or len(faces) % count or not len(faces):
        raise StyleMixError(
            f"{len(faces)} faces do not belong to {count} transforms; give every face that Align Face found as "
            "many versions"
        )
    masks = None if masks is None else as_masks(masks, "the mask")
    if masks is not None and len(masks) not in (1, count, len(faces)):
        raise StyleMixError(
            f"there are {len(masks)} masks; expected one, or one for each of the {len(faces)} faces"
        )
    for transform in transforms:
        if not 0 <= transform.picture < len(pictures):
            raise StyleMixError(
                f"a face belongs to picture {transform.picture + 1}, but there are {len(pictures)}; give the pictures "
                "that went into Align Face"
            )
        _check_size(transform, (pictures.shape[2], pictures.shape[1]))
    return masks


@dataclass(frozen=True, eq=False)
class _Before:
    """The crop that a face takes the place of."""

    crop: torch.Tensor
    """`[1, 3, SIDE, SIDE]` in −1…1."""
    head: torch.Tensor | None
    """Where its head is, `[SIDE, SIDE]` in 0…1, if one is found."""

    @classmethod
    def of(cls, picture: Image.Image, transform: FaceTransform) -> "_Before":
        """The place that `transform` describes in an RGB picture."""
        crop = from_pil(crop_face(picture, replace(transform, size=SIDE)))
        return cls(crop, find_heads(crop)[0])


def _head(
    before: _Before, face: torch.Tensor, edge: _Edge
) -> tuple[torch.Tensor, torch.Tensor | None, _Edge]:
    """What `_paste` needs for the blend "head": the face's colours, where they go, and how.

    Pasted is where the head was or is, with half of the feather around it. What shows of the new background there
    takes the colours of the old one next to it, if the seam's colours are to match; the head keeps its own.
    face: float `[3, h, w]` in 0…1. Without a head in either picture, it is "square".
    """
    after = resize(face[None].float().cpu() * 2 - 1, SIDE, SIDE)
    old, new = before.head, find_heads(after)[0]
    if old is None or new is None:
        return face, None, edge
    mask = grow(torch.maximum(old, new), round(edge.feather * SIDE / 4))
    if edge.colour_match != "seam":
        return face, mask, edge
    seen = ((1 - old) * (1 - new))[None, None]  # the background in both
    change = (before.crop - after) / 2 * seen
    least = 1e-3  # where there is none nearby, that of the whole crop
    far = change.sum((2, 3), keepdim=True) / seen.sum().clamp(min=1)
    near = (soften(change, NEAR) + least * far) / (soften(seen, NEAR) + least)
    face = face + resize(near * (1 - new), *face.shape[1:])[0].to(face)
    return face.clamp(0, 1), mask, replace(edge, colour_match="none")


def _to_float(picture: Image.Image) -> torch.Tensor:
    """A picture as `[H, W, 3]` in 0…1."""
    return torch.from_numpy(np.array(picture)).float().div_(255)


@dataclass(frozen=True)
class _Band:
    """Some rows of the area that is pasted into."""

    rows: slice
    face: torch.Tensor
    """The face's colours there, `[h, w, 3]`."""
    alpha: torch.Tensor
    """How much of the face shows, `[h, w, 1]`."""
    seam: torch.Tensor
    """1 near the crop's edge, else 0, `[h, w, 1]`."""


def _paste(
    area: torch.Tensor,
    corner: tuple[int, int],
    face: torch.Tensor,
    transform: FaceTransform,
    mask: torch.Tensor | None,
    edge: _Edge,
) -> None:
    """Change `area` `[h, w, 3]`, the part of the picture whose top left pixel is `corner`."""
    gain, offset = torch.ones(3), torch.zeros(3)
    if edge.colour_match != "none":
        gain, offset = _match(area, corner, face, transform, mask, edge)
    gain, offset = gain.to(area), offset.to(area)
    for band in _bands(area, corner, face, transform, mask, edge):
        there = area[band.rows]
        colours = (band.face * gain + offset).clamp(0, 1)
        area[band.rows] = torch.where(band.alpha > 0, torch.lerp(there, colours, band.alpha), there)


def _match(
    area: torch.Tensor,
    corner: tuple[int, int],
    face: torch.Tensor,
    transform: FaceTransform,
    mask: torch.Tensor | None,
    edge: _Edge,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gain and offset `[3]` that give the face the picture's colours."""
    # Weighted sums of 1, colour and colour², of the picture and of the face.
    sums = torch.zeros(2, 3, 3, dtype=torch.float64)
    for band in _bands(area, corner, face, transform, mask, edge):
        weight = (band.seam if edge.colour_match == "seam" else 1) * (band.alpha > 0)
        for total, colours in zip(sums, (area[band.rows], band.face)):
            powers = (torch.ones_like(colours), colours, colours.square())
            total += torch.stack([(weight * power).sum((0, 1)) for power in powers]).double().cpu()
    count = sums[:, 0].clamp(min=1)
    mean = sums[:, 1] / count
    spread = (sums[:, 2] / count - mean.square()).clamp(min=1e-6).sqrt()
    gain = (spread[0] / spread[1]).clamp(0.5, 2) if edge.colour_match == "whole" else torch.ones(3)
    return gain, mean[0] - gain * mean[1]


def _bands(
    area: torch.Tensor,
    corner: tuple[int, int],
    face: torch.Tensor,
    transform: FaceTransform,
    mask: torch.Tensor | None,
    edge: _Edge,
) -> Iterator[_Band]:
    """The area from top to bottom, in bands that bound the memory used."""
    # A face of more pixels than its place has would alias.
    shown = max(1, round(min(transform.side, face.shape[1])))
    layers = [resize(face[None].to(area), shown, shown)]
    if mask is not None:
        layers.append(resize(mask[None, None].to(area), shown, shown))
    source = torch.cat(layers, 1)
    padding = find_padding(transform)
    height, width = area.shape[:2]
    step = max(1, BAND_PIXELS // max(width, 1))
    x = torch.arange(width, dtype=torch.float64, device=area.device)[None] + corner[0]
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        y = torch.arange(rows.start, rows.stop, dtype=torch.float64, device=area.device)[:, None] + corner[1]
        u, v = transform.to_crop(x, y)
        grid = torch.stack([2 * u - 1, 2 * v - 1], -1).to(area)
        sampled = F.grid_sample(
            source, grid[None], mode="bicubic", padding_mode="border", align_corners=False
        )[0]
        inside = 0.5 - torch.maximum((u - 0.5).abs(), (v - 0.5).abs())  # distance to the crop's edge
        alpha = _ramp(inside, edge.feather, transform.side)
        if padding is not None:
            alpha *= 1 - padding.blur(x, y)  # what the padding had blurred
        if mask is not None:
            alpha = alpha * sampled[3].clamp(0, 1)
        seam = ((inside >= 0) & (inside <= SEAM)).to(area)
        colours = sampled[:3].clamp(0, 1).permute(1, 2, 0)
        yield _Band(rows, colours, alpha.to(area)[..., None], seam[..., None])


def _ramp(inside: torch.Tensor, feather: float, side: float) -> torch.Tensor:
    """From 0 at the crop's edge to 1, smoothly; at least a pixel wide."""
    t = (inside / max(feather, 1 / side)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _bounds(transform: FaceTransform) -> tuple[int, int, int, int]:
    """The pixels of the picture that the crop touches: left, top, right, bottom."""
    width, height = transform.picture_size
    xs, ys = zip(*transform.quad, strict=True)
    left, right = max(int(min(xs)), 0), min(int(max(xs)) + 2, width)
    top, bottom = max(int(min(ys)), 0), min(int(max(ys)) + 2, height)
    return left, top, max(right, left), max(bottom, top)


def _check_size(transform: FaceTransform, size: tuple[int, int]) -> None:
    if size != transform.picture_size:
        raise StyleMixError(
            f"the picture has {size[0]}×{size[1]} pixels, but the face was cropped from one of "
            f"{transform.picture_size[0]}×{transform.picture_size[1]}; give the picture that it was cropped from"
        )
