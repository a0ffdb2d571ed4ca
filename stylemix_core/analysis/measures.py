"""What has changed between pictures: anything at all, the shapes in them, or their colours.

A change of *shape* is what no recolouring of a neighbourhood explains, a change of *colour* what one recolouring of a
whole region explains; a recolouring is an affine map of RGB. So hair of another colour keeps its shape, and hair that
moves over a cheek is no new colour. What only moves, turns or grows as a whole keeps its shape as well (`find_motion`).
"""

import torch
import torch.nn.functional as F

WINDOW = 3
"""Radius of a neighbourhood, in pixels of the small pictures that are compared."""
NOISE = 0.03
"""Variance of colours (−1…1, all three together) below which a neighbourhood counts as flat: it has no shape."""
RIDGE = 3e-5
"""Added to the colours' variances, so that neighbourhoods of one colour have a solution."""

ROUNDS = {2: 4, 1: 4, 0: 4}
"""Steps of the search for a motion on pictures that are blurred so far, in pixels, one after the other."""
REACH = 6.0
"""Longest motion that is looked for, in pixels of the small pictures."""
STILLNESS = 2e-3
"""How much evidence a motion needs: regions without structure stay where they are."""
AROUND = 3
"""Motion is also read from so many pixels around a region."""


def difference(picture: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Any change: mean absolute difference of the colours, `[1, 3, H, W]`, `[B, 3, H, W]` → `[B, H, W]` in 0…2."""
    return (others - picture).abs().mean(1)


def shape_change(picture: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The share of a neighbourhood's structure that no recolouring explains, `[B, H, W]` in 0…1.

    Around every pixel each picture's colours are fitted by an affine map of the other's, as a guided filter does
    (He et al. 2010, section 3.3); the residual variances of both are held against the variances themselves.
    """
    picture, others = picture.double(), others.double()  # most neighbourhoods have one colour, nearly
    xx, yy = covariance(picture, picture), covariance(others, others)
    xy = covariance(picture, others)
    ridge = RIDGE * torch.eye(3, device=picture.device, dtype=picture.dtype)
    yx = xy.transpose(-1, -2)
    left = trace(yy) - trace(yx @ inverse(xx + ridge) @ xy)
    left = left.clamp_min(0) + (trace(xx) - trace(xy @ inverse(yy + ridge) @ yx)).clamp_min(0)
    return (left / (trace(xx) + trace(yy) + 2 * NOISE)).float()


def colour_change(picture: torch.Tensor, others: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """How far the recolouring moves colours that best explains the change of a region `[H, W]`: `[B, H, W]` in 0…2.

    Least squares over the region; the map is drawn everywhere, and means something inside alone.
    """
    colours = picture[0].flatten(1).t()  # [P, 3]
    inputs = torch.cat([colours, torch.ones_like(colours[:, :1])], 1)  # [P, 4]
    weighted = inputs * (region / region.sum().clamp_min(1e-6)).flatten()[:, None]
    change = (others - picture).flatten(2).transpose(1, 2)  # [B, P, 3]
    normal = weighted.t() @ inputs + 1e-3 * torch.eye(4, device=picture.device)
    solved = torch.linalg.solve(normal, weighted.t() @ change)  # [B, 4, 3]
    return torch.unflatten((inputs @ solved).abs().mean(2), 1, picture.shape[2:])


def covariance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Of the colours in every neighbourhood, `[B, H, W, 3, 3]`."""
    products = (a[:, :, None] * b[:, None]).flatten(1, 2)
    means = (blur(a)[:, :, None] * blur(b)[:, None]).flatten(1, 2)
    return torch.unflatten(blur(products) - means, 1, (3, 3)).permute(0, 3, 4, 1, 2)


def blur(x: torch.Tensor, radius: int = WINDOW) -> torch.Tensor:
    """Means over neighbourhoods, those at the edges over what lies inside."""
    if not radius:
        return x
    size = 2 * radius + 1
    across = F.avg_pool2d(x, (1, size), 1, (0, radius), count_include_pad=False)
    return F.avg_pool2d(across, (size, 1), 1, (radius, 0), count_include_pad=False)


def trace(matrices: torch.Tensor) -> torch.Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)


def inverse(matrices: torch.Tensor) -> torch.Tensor:
    """Of symmetric 3×3 matrices, by their cofactors: `torch.linalg` is slow on so many small ones."""
    a, b, c = matrices.unbind(-2)
    cofactors = torch.stack(
        [torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], -1
    )
    return cofactors / (a * cofactors[..., 0]).sum(-1)[..., None, None]


class Motion:
    """How a region of one picture has moved in others: shifted, turned and scaled as a whole, a similarity each."""

    def __init__(self, region: torch.Tensor, count: int):
        weight = F.max_pool2d(region[None], 2 * AROUND + 1, 1, AROUND)[0]
        self.weight = weight / weight.sum().clamp_min(1e-6)
        height, width = region.shape
        self.y, self.x = torch.meshgrid(
            torch.arange(height).float(), torch.arange(width).float(), indexing="ij"
        )
        u, v = self.x - (self.x * self.weight).sum(), self.y - (self.y * self.weight).sum()
        radius = ((u.square() + v.square()) * self.weight).sum().sqrt().clamp_min(1)
        self.u, self.v = u / radius, v / radius
        self.parameters = torch.zeros(count, 6)
        """`[B, 6]`, in pixels: an affine map's columns for u, v and 1, at the region's mean radius."""

    def undo(self, pictures: torch.Tensor) -> torch.Tensor:
        """The pictures `[B, C, H, W]` with the region back in its place."""
        x_u, y_u, x_v, y_v, x_1, y_1 = self.parameters.t()[:, :, None, None]
        height, width = pictures.shape[2:]
        x = self.x + x_u * self.u + x_v * self.v + x_1
        y = self.y + y_u * self.u + y_v * self.v + y_1
        places = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
        return F.grid_sample(pictures, places, padding_mode="border", align_corners=False)


@torch.no_grad()
def find_motion(picture: torch.Tensor, others: torch.Tensor, region: torch.Tensor) -> Motion:
    """The motion of a region `[H, W]` from a picture to others, by Gauss and Newton's method (Lucas & Kanade 1981).

    Pictures are compared by their colours relative to the neighbourhood's, which a recolouring changes little.
    """
    motion = Motion(region, len(others))
    start, goal = relative(others), relative(picture)
    for radius, rounds in ROUNDS.items():
        blurred, fixed = blur(start, radius), blur(goal, radius)
        for _ in range(rounds):
            moved = motion.undo(blurred)
            right = F.pad((moved[..., 2:] - moved[..., :-2]) / 2, (1, 1, 0, 0))
            down = F.pad((moved[..., 2:, :] - moved[..., :-2, :]) / 2, (0, 0, 1, 1))
            u, v = motion.u, motion.v
            slopes = torch.stack(
                [right * u, down * u, right * v, down * v, right, down], 1
            )  # [B, 6, C, H, W]
            weighted = (slopes * motion.weight).flatten(2)
            normal = weighted @ slopes.flatten(2).transpose(1, 2) + STILLNESS * torch.eye(6)
            error = (weighted @ (moved - fixed).flatten(1)[:, :, None])[:, :, 0]
            step = torch.linalg.solve(normal, error + STILLNESS * motion.parameters)
            motion.parameters = (motion.parameters - step).clamp(-REACH, REACH)
    return motion


def relative(pictures: torch.Tensor) -> torch.Tensor:
    """Colours as deviations from the neighbourhood's mean, in its standard deviations."""
    apart = pictures - blur(pictures, WINDOW + 1)
    return apart * torch.rsqrt(blur(apart.square().mean(1, keepdim=True), WINDOW + 1) + 0.01)
