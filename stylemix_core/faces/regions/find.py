"""Where in a picture of a face hair, eyes, … and background are: soft masks by name."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import torch
import torch.nn.functional as F

from ...errors import NoFaceError, StyleMixError
from ...images import check_finite, resize, to_pil
from ...wording import percent
from ..detection import Face, find_faces
from ..person import find_person
from .drawn import AROUND, divide_drawn
from .mesh import FEATURES, GROWN, OVAL, SIDE, axes, draw, width_of
from .parsing import read_parsing
from .photo import divide_photos

REGIONS = ("hair", "face", "eyes", "brows", "nose", "mouth", "background", "body")
"""What `find_regions` finds. "face" is the bare skin of the face; "body" is neck, clothes and ears."""

SOURCES = ("auto", "photo", "drawn")
"""What regions are found by: the person network and colours, for photographs; colours alone, for drawn faces; or
whichever fits each picture. The path of a face-parsing file (`parsing`) is a fourth one."""

_KNOWN = 0.95
"""How surely the face must be a person, to the person network, for it to be asked. Photographs have 0.996 or more."""
_CHUNK = 8
"""Pictures divided together."""

_SKULL = (1.3, 1.45)
"""Half axes of what counts as head in any case, in those of the face's oval; its middle lies a little higher."""
_GAP = 4
"""Gaps in a head are closed that are twice as many pixels wide."""


_WORDS = {
    "photo": "by the person network and colours",
    "drawn": "by colours",
}


def described(source: str) -> str:
    """What found regions (`Regions.sources`), in words."""
    return _WORDS.get(source, f"by {source}")


class Regions(dict[str, torch.Tensor]):
    """Regions by name, float32 `[B, H, W]` in 0…1, and how they were found."""

    sources: tuple[str, ...]
    """For each picture "photo", "drawn", or the name of the face-parsing file."""

    @property
    def found_by(self) -> str:
        """What told them apart, in words."""
        return "; ".join(dict.fromkeys(map(described, self.sources)))

    @property
    def told(self) -> str:
        """The same, and how surely it did (`sureness`), on average of the pictures."""
        sure = (f"{name} {percent(float(sureness(self[name]).mean()))}" for name in AROUND)
        return f"told apart {self.found_by}, sure of {', '.join(sure)}"

    def masks(self) -> torch.Tensor:
        """All regions of the first picture, then of the second, …: `[B·len(self), H, W]`."""
        return torch.stack([*self.values()], 1).flatten(0, 1)


def find_regions(
    images: torch.Tensor, faces: Sequence[Face] | None = None, source: str | PathLike[str] = "auto"
) -> Regions:
    """The regions of pictures that show one face each.

    images: `[B, 3, H, W]` in −1…1. The largest face counts where there are several.
    faces: what `faces_of` found, one for all or one per picture, where it is known already.
    source: one of `SOURCES`, or the path of a face-parsing file, which needs no `faces` and finds any number of them.
    Returns `REGIONS` by name, float32 `[B, H, W]` in 0…1 on the device of the images; at every pixel they sum to 1.
    `NoFaceError` when a picture shows no face, `CheckpointError` when the file holds no face parsing.
    """
    if source in SOURCES:
        found, sources = _find(images, faces, str(source))
    else:
        _check(images)
        found = read_parsing(source).to(images.device).regions(images.detach())
        sources = (Path(source).name,) * len(images)
    regions = Regions((name, found[name]) for name in REGIONS)
    regions.sources = sources
    return regions


def _find(
    images: torch.Tensor, faces: Sequence[Face] | None, source: str
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    small = _small(images)
    faces = _largest_faces(small) if faces is None else faces
    maps, sources = _around(small, faces, source)
    for name, outlines in FEATURES.items():
        drawn = torch.stack([draw(face, outlines, GROWN[name] * width_of(face)) for face in faces])
        maps = {other: mask * (1 - drawn) for other, mask in maps.items()}
        maps[name] = drawn.expand(len(small), -1, -1)
    stacked = resize(torch.stack([*maps.values()], 1), *images.shape[2:]).to(images.device)
    return dict(zip(maps, stacked.unbind(1), strict=True)), sources


def _around(
    small: torch.Tensor, faces: Sequence[Face], source: str
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """What lies around the features, maps `[B, SIDE, SIDE]` by name, and by which source for each picture.

    faces: one for all or one per picture.
    """
    if source == "drawn":
        return divide_drawn(small, faces), ("drawn",) * len(small)
    person = torch.cat([find_person(part) for part in small.split(_CHUNK)])
    photos = [*range(len(small))]
    if source == "auto":
        ovals = torch.stack([draw(face, (OVAL,)) for face in faces])
        known = (person * ovals).sum((1, 2)) / ovals.sum((1, 2)) > _KNOWN
        photos = known.nonzero()[:, 0].tolist()
    drawn = [i for i in range(len(small)) if i not in photos]
    maps = {name: torch.empty_like(person) for name in AROUND}

    def own(part: list[int]) -> Sequence[Face]:
        return faces if len(faces) == 1 else [faces[i] for i in part]

    for part in (photos[i : i + _CHUNK] for i in range(0, len(photos), _CHUNK)):
        for name, mask in divide_photos(small[part], own(part), person[part]).items():
            maps[name][part] = mask
    if drawn:
        for name, mask in divide_drawn(small[drawn], own(drawn)).items():
            maps[name][drawn] = mask
    return maps, tuple("drawn" if i in drawn else "photo" for i in range(len(small)))


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
        face = max(found, key=width_of)
        around, _ = _around(picture[None], [face], "auto")
        u, v = axes(face)
        usual = ((u / _SKULL[0]).square() + ((v + 0.3) / _SKULL[1]).square() < 1).float()
        head = torch.maximum(around["hair"] + around["face"], usual)[None]
        gap = 2 * _GAP + 1
        closed = -F.max_pool2d(-F.max_pool2d(head, gap, 1, _GAP), gap, 1, _GAP)
        heads.append((2 * soften(closed, _GAP)[0, 0] - 0.5).clamp(0, 1))
    return heads


def sureness(masks: torch.Tensor) -> torch.Tensor:
    """How surely regions are what they are called, `[…, H, W]` → `[…]`: the mean of a mask over itself, 0…1.

    Masks give how likely each pixel belongs to the region, so this is the share of the region that one expects to be
    right. On avatars without hats it goes with how far hair overlaps with the truth: their correlation is 0.98 where
    the person network divides them, 0.86 where colours do. Hats are surely called hair. 1 for an empty region.
    """
    area = masks.sum((-2, -1))
    return torch.where(area > 0, masks.square().sum((-2, -1)) / area.clamp_min(1e-6), 1.0)


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


def _check(images: torch.Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise StyleMixError(
            f"the pictures have the shape {list(images.shape)}; expected [batch, 3, height, width]"
        )
    check_finite(images, "the pictures")


def _small(images: torch.Tensor) -> torch.Tensor:
    """The pictures as this room looks at them: on the CPU, `SIDE` pixels square."""
    _check(images)
    return resize(images.detach().float().cpu(), SIDE, SIDE).clamp(-1, 1)


def _largest_faces(small: torch.Tensor) -> list[Face]:
    largest = []
    for number, found in enumerate(_faces(small), 1):
        if not found:
            raise NoFaceError(
                f"picture {number} shows no face, so its hair, eyes and background cannot be told apart; "
                "give regions as masks of your own, or choose another picture"
            )
        largest.append(max(found, key=width_of))
    return largest


def _faces(small: torch.Tensor) -> list[list[Face]]:
    """The faces of every picture. They are crops, so faces are upright."""
    return find_faces([to_pil(picture) for picture in small], any_angle=False)
