"""Draws the demo avatars: the ground truth that the demo generator learns to paint.

An avatar is a row of numbers (see `attributes.py`). Every shape is a signed distance in units
where the picture spans −1…1 (y down), so edges are clean at any resolution, and the picture is a
continuous function of the attributes, so a network can learn it. Shapes are painted back to
front; the same coverages that mix the colours also mix the region labels, which gives exact masks.
"""

from dataclasses import dataclass

import torch

from ..errors import StyleMixError
from .attributes import ATTRIBUTES, Values
from .canvas import REGIONS, Canvas
from .colours import mix_colours
from .geometry import place, shape_eyes, shape_face, shape_hair
from .shading import (
    draw_background,
    draw_beard,
    draw_brows,
    draw_clothes,
    draw_ears,
    draw_eyes,
    draw_face,
    draw_glasses,
    draw_hair_back,
    draw_hair_front,
    draw_hat,
    draw_mouth,
    draw_neck,
    draw_nose,
    light,
)

# A chunk this large stays in the processor's cache, which makes drawing several times faster.
_CHUNK_PIXELS = 2**17


@dataclass(frozen=True)
class Avatars:
    """A batch of drawn avatars."""

    image: torch.Tensor
    """float32 [B, 3, R, R] in −1…1."""
    regions: dict[str, torch.Tensor]
    """What each pixel shows: region name → float32 [B, R, R] coverage; they sum to 1.
    Empty when drawn without regions."""


@torch.no_grad()
def render(
    attributes: torch.Tensor, resolution: int, with_regions: bool = True, noise: torch.Tensor | None = None
) -> Avatars:
    """Draw one avatar per row of `attributes` [B, len(ATTRIBUTES)] in 0…1, each `resolution` pixels square.

    noise: `[R, R]`, normal; where it is high there is a freckle or a darker hair. None draws neither.

    Runs on the device of `attributes`. `StyleMixError` when the shape does not fit.
    """
    if attributes.dim() != 2 or attributes.shape[1] != len(ATTRIBUTES):
        raise StyleMixError(
            f"attributes must have the shape [count, {len(ATTRIBUTES)}], not {list(attributes.shape)}"
        )
    if resolution < 1:
        raise StyleMixError(f"resolution must be at least 1, not {resolution}")
    attributes = attributes.float()
    count = len(attributes)
    image = attributes.new_empty(count, 3, resolution, resolution)
    labels = attributes.new_zeros(count, len(REGIONS), resolution, resolution) if with_regions else None
    step = max(1, _CHUNK_PIXELS // resolution**2)
    for start in range(0, count, step):
        part = slice(start, start + step)
        _draw(attributes[part], Canvas(image[part], None if labels is None else labels[part]), noise)
    regions = {} if labels is None else dict(zip(REGIONS, labels.unbind(1), strict=True))
    return Avatars(image.mul_(2).sub_(1), regions)


def sample_attributes(count: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """`count` random avatars: every attribute uniform in 0…1 and independent of the others."""
    device = "cpu" if generator is None else generator.device
    return torch.rand(count, len(ATTRIBUTES), generator=generator, device=device)


def _draw(attributes: torch.Tensor, canvas: Canvas, noise: torch.Tensor | None) -> None:
    a = Values(
        **{attribute.name: attributes[:, column, None, None] for column, attribute in enumerate(ATTRIBUTES)}
    )
    frame = place(a, canvas)
    colours = mix_colours(a)
    face = shape_face(a, frame)
    hair = shape_hair(a, frame, face)

    draw_background(a, canvas, frame, colours)
    draw_hair_back(a, canvas, frame, hair, colours)
    draw_neck(canvas, frame, face, colours)
    draw_clothes(a, canvas, frame, colours)
    draw_ears(a, canvas, frame, face, hair, colours)
    draw_face(a, canvas, frame, face, hair, colours, noise)
    draw_beard(a, canvas, frame, face, colours)
    draw_nose(a, canvas, frame, colours)
    draw_mouth(a, canvas, frame, face, colours)
    eyes = shape_eyes(a, frame)
    draw_eyes(canvas, frame, eyes, colours)
    draw_brows(a, canvas, eyes, colours)
    draw_glasses(a, canvas, frame, face, eyes)
    draw_hair_front(canvas, frame, hair, colours, noise)
    draw_hat(a, canvas, frame, hair, colours)
    light(a, canvas, frame)
