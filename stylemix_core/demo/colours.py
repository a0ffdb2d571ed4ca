"""The colours of an avatar."""

from dataclasses import dataclass

import torch

from .attributes import Values
from .shapes import between

Colour = tuple[float, float, float]

LIGHT_SKIN_TO_DARK = (
    (0.99, 0.87, 0.79),
    (0.94, 0.76, 0.64),
    (0.82, 0.60, 0.46),
    (0.64, 0.44, 0.32),
    (0.45, 0.30, 0.22),
    (0.33, 0.21, 0.16),
)
BLACK_TO_BLOND_HAIR = (
    (0.13, 0.10, 0.12),
    (0.26, 0.17, 0.14),
    (0.46, 0.28, 0.20),
    (0.70, 0.49, 0.33),
    (0.88, 0.79, 0.62),
)
WHEEL = ((0.5, -0.25, -0.25), (0.0, 0.43, -0.43), (-0.5, 0.25, 0.25), (0.0, -0.43, 0.43), (0.5, -0.25, -0.25))
"""Once around it, back at red; what it adds to a grey."""
IRISES = ((0.30, 0.17, 0.09), (0.45, 0.28, 0.12), (0.35, 0.47, 0.24), (0.22, 0.50, 0.55), (0.28, 0.52, 0.82))


@dataclass(frozen=True, eq=False)
class Colours:
    """Each `[B, 3, 1, 1]` in 0…1."""

    skin: torch.Tensor
    skin_shadow: torch.Tensor
    """What the skin's colour is multiplied by in its shadow …"""
    freckles: torch.Tensor
    """… and in a freckle."""
    hair: torch.Tensor
    hair_dark: torch.Tensor
    hair_bright: torch.Tensor
    brows: torch.Tensor
    iris: torch.Tensor
    lips: torch.Tensor
    lip_cover: torch.Tensor
    """How much of the skin the lips' colour covers, `[B, 1, 1]`."""
    background: torch.Tensor
    clothes: torch.Tensor
    hat: torch.Tensor


def mix_colours(a: Values) -> Colours:
    # Colours are sums of what each attribute adds: a layer's style is such a sum.
    rosy, golden = colour(0.02, -0.04, -0.01, a.age), colour(0.0, 0.01, -0.10, a.age)
    skin = ramp(a.skin_tone, LIGHT_SKIN_TO_DARK) + torch.lerp(rosy, golden, a.skin_warmth[:, None])
    cool, warm = colour(-0.05, 0.02, 0.10, skin), colour(0.06, -0.02, -0.10, skin)
    hair = ramp(a.hair_tone, BLACK_TO_BLOND_HAIR) + torch.lerp(cool, warm, a.hair_warmth[:, None])
    skin, hair = skin.clamp_(max=1), hair.clamp_(min=0)
    lips = torch.lerp(colour(0.80, 0.36, 0.36, skin), colour(0.74, 0.08, 0.20, skin), a.lip_colour[:, None])
    background = ramp(a.background_hue, WHEEL) * 0.30 + between(0.82, 0.44, a.background_strength)[:, None]
    clothes = ramp(a.clothes_hue, WHEEL) * 0.34 + between(0.28, 0.74, a.clothes_tone)[:, None]
    return Colours(
        skin=skin,
        skin_shadow=colour(0.78, 0.62, 0.60, skin),
        freckles=colour(0.72, 0.52, 0.44, skin),
        hair=hair,
        hair_dark=hair * 0.50,
        hair_bright=hair * 1.15 + 0.16,
        brows=hair * 0.42 + 0.02,
        iris=ramp(a.eye_colour, IRISES),
        lips=lips,
        lip_cover=between(0.50, 0.95, a.lip_colour),
        background=background,
        clothes=clothes,
        hat=clothes * 0.75 + 0.10,
    )


def colour(red: float, green: float, blue: float, like: torch.Tensor) -> torch.Tensor:
    return like.new_tensor((red, green, blue)).view(1, 3, 1, 1)


def ramp(position: torch.Tensor, table: tuple[Colour, ...]) -> torch.Tensor:
    """The colour at `position` (0…1) on a row of evenly spaced colours."""
    keys = torch.arange(len(table), device=position.device)
    weights = (1 - (position.flatten(1) * (len(table) - 1) - keys).abs()).clamp_(min=0)
    return (weights @ position.new_tensor(table))[:, :, None, None]
