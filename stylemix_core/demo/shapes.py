"""Shapes and spots as maps over the picture: signed distances (negative inside), and smooth bumps.

Positions `x`, `y` and everything that shapes depend on are maps or columns of numbers that broadcast to `[B, R, R]`.
"""

import torch

Number = torch.Tensor | float


def between(low: float, high: float | torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    return low + (high - low) * position


def smoothstep(low: float, high: float, value: torch.Tensor) -> torch.Tensor:
    t = ((value - low) / (high - low)).clamp_(0, 1)
    return t * t * (3 - 2 * t)


def soft(distance: torch.Tensor, width: Number) -> torch.Tensor:
    """A smooth bump: 1 at `distance` 0, fading to 0 at `width`."""
    bump = (1 - (distance / width).square_()).clamp_(min=0)
    return bump.square_()


def blob(x: torch.Tensor, y: torch.Tensor, width: Number, height: Number) -> torch.Tensor:
    """A smooth round spot of the given half-width and half-height."""
    bump = (1 - (x / width).square_()).sub_((y / height).square_()).clamp_(min=0)
    return bump.square_()


def ellipse(x: torch.Tensor, y: torch.Tensor, width: Number, height: Number) -> torch.Tensor:
    """Signed distance to an ellipse, exact enough for edges that are a pixel soft."""
    u, v = x / width, y / height
    radius = (u.square() + v.square()).sqrt_()
    slope = ((u / width).square_() + (v / height).square_()).sqrt_().add_(1e-4)
    return (radius - 1).mul_(radius).div_(slope)


def superellipse(
    x: torch.Tensor, y: torch.Tensor, width: Number, height: Number, power_x: Number, power_y: Number
) -> torch.Tensor:
    """Signed distance to |x/width|^power_x + |y/height|^power_y = 1: an ellipse, squarer or more pointed."""
    u, v = (x.abs() / width).clamp_(min=1e-3), (y.abs() / height).clamp_(min=1e-3)
    across, along = u.pow(power_x), v.pow(power_y)
    slope = (across * (power_x / width) / u).square_() + (along * (power_y / height) / v).square_()
    return across.add_(along).sub_(1).div_(slope.sqrt_())


def smooth_max(a: torch.Tensor, b: torch.Tensor, round_by: float) -> torch.Tensor:
    """The intersection of two shapes with a rounded corner."""
    blend = (round_by - (a - b).abs_()).clamp_(min=0).square_().div_(4 * round_by)
    return blend.add_(torch.maximum(a, b))
