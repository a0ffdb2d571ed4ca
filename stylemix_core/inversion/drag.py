"""Dragging points of a picture, and the face follows: DragGAN (Pan et al. 2023, arXiv:2305.10973) on W+.

Each step moves the code a little, so that what lies around a point looks like what lay one pixel of the maps behind it
(motion supervision, equation 1), and then looks for where the point has come to (point tracking, equation 2), both in
the maps that the generator colours. Looked for is all that lies around the point, not the point alone as in the paper:
that slides over what looks alike. Only chosen layers move, so that the others keep what they carry.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ..codes.latents import Latents
from ..device import exact_convolutions
from ..errors import StyleMixError
from ..generator import Generator
from ..images import as_masks
from ..masks.mask_list import MaskList
from ..networks import differentiable, twin, with_checkpoints
from ..wording import counted
from .start import Spread

MOST_PIXELS = 256
"""Side of the largest maps that are looked at; those of a quarter of the picture in networks of 1024 pixels."""
PULLING, KNOWN, WIDE = 5, 3, 10
"""Pixels of the maps around a point that pull it along, by which it is known, and among which it is looked for.

More pull than know it: a large piece moves as a whole and needs less of other things, but hides where its middle is."""
RATE, MOMENTUM = 0.25, 0.5
"""How far a step goes, in deviations of w, and how much of the last steps' direction it keeps.

Not Adam, which moves all numbers alike: what the gradient hardly needs shall hardly move."""
TRACKED, ARRIVED = 0.5, 0.5
"""Pixels of the maps by which points are tracked, and within which one has arrived."""
KEPT = 20.0
"""The weight of what must not move (equation 1's λ)."""
LAYERS = 6
"""How many layers move by themselves: the paper's, which carry pose and shapes."""

OnDrag = Callable[[int, "Dragged"], bool | None]
"""Called after each step with its number, from 1 on, and what there is so far; True stops."""


@dataclass(frozen=True)
class Drag:
    """A point of the picture and where it shall go; x to the right and y down, 0…1 from edge to edge."""

    start: tuple[float, float]
    end: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Dragged:
    """What dragging made of a code."""

    latents: Latents
    points: tuple[tuple[float, float], ...]
    """Where each point is now, 0…1."""
    left: tuple[float, ...]
    """How far each still has to go, in parts of the picture's side …"""
    arrived: tuple[bool, ...]
    """… and whether that is none that can be seen."""
    steps: int

    def report(self, side: int) -> str:
        """In words, how far each point came; side: of the picture, in pixels."""
        lines = [
            f"{sum(self.arrived)} of {counted(len(self.left), 'point')} arrived in {counted(self.steps, 'step')}"
        ]
        for number, ((x, y), left) in enumerate(zip(self.points, self.left), 1):
            lines.append(f"point {number}: at {x:.3f}, {y:.3f}, {left * side:.1f} pixels away")
        return "\n".join(lines)


def parse_drags(text: str) -> list[Drag]:
    """Drags from text, one per line or between semicolons: `0.50,0.58 > 0.54,0.58`. `StyleMixError` says what is wrong.

    >>> parse_drags("0.5,0.6 > 0.55,0.6")
    [Drag(start=(0.5, 0.6), end=(0.55, 0.6))]
    """
    drags = []
    number = r"\s*(\d*\.?\d+)\s*"
    for line in filter(None, map(str.strip, re.split(r"[;\n]", text))):
        found = re.fullmatch(rf"{number},{number}>{number},{number}", line)
        if found is None:
            raise StyleMixError(
                f"expected a point and where it shall go, as in 0.50,0.58 > 0.54,0.58; found {line!r}"
            )
        x, y, to_x, to_y = map(float, found.groups())
        if max(x, y, to_x, to_y) > 1:
            raise StyleMixError(f"places are from 0 to 1, from edge to edge; found {line!r}")
        drags.append(Drag((x, y), (to_x, to_y)))
    if not drags:
        raise StyleMixError("there is no point to drag; write one as 0.50,0.58 > 0.54,0.58")
    return drags


def drag_points(
    generator: Generator,
    latents: Latents,
    drags: Sequence[Drag],
    masks: MaskList | None = None,
    steps: int = 100,
    may_move: torch.Tensor | None = None,
    on_step: OnDrag | None = None,
    checkpointing: bool = False,
) -> Dragged:
    """Move the code of one face until its points lie where they are dragged to.

    generator: with one of the skip architectures, which colour their maps at several sizes.
    masks: one mask, whose strengths say how fast each layer moves; None for the first six.
    may_move: one mask, of any size, as `as_masks` takes it; what is 0 is held where it is. None for all.
    steps: at most; it ends sooner when all points have arrived.
    checkpointing: less memory for up to half more time.

    `StyleMixError` when there are several codes, or codes that are more than W+, and where a generator has no maps to
    look at.
    """
    sizes = [size for size in generator.synthesis.colour_resolutions[:-1] if size <= MOST_PIXELS]
    if not sizes:
        raise StyleMixError(
            "points can be dragged with StyleGAN2's skip generators; this one has no picture inside"
        )
    if len(latents) != 1:
        raise StyleMixError(
            f"one face is dragged at a time; found {counted(len(latents), 'code')}, so pick one"
        )
    strengths = _strengths(masks, latents.only_w("dragged").shape[1])
    # Gradients need ordinary tensors: what was made in inference mode is copied, all else is shared.
    with torch.inference_mode(False), torch.enable_grad(), exact_convolutions(generator.w_avg):
        work = twin(generator, differentiable)
        if checkpointing:
            with_checkpoints(work.synthesis.stages())
        return _drag(
            work,
            replace(latents, w=differentiable(latents.w), error_bars=None),
            drags,
            differentiable(strengths).to(generator.w_avg.device),
            max(sizes),
            steps,
            None if may_move is None else differentiable(may_move),
            on_step,
        )


def _drag(
    generator: Generator,
    latents: Latents,
    drags: Sequence[Drag],
    strengths: torch.Tensor,
    side: int,
    steps: int,
    may_move: torch.Tensor | None,
    on_step: OnDrag | None,
) -> Dragged:
    """As `drag_points`. strengths: `[1, L, 1]`. side: of the maps to look at."""
    device = generator.w_avg.device
    w0 = latents.w.to(device)
    deviation = Spread.of(generator, 0).deviation
    start, end = (
        torch.tensor([getattr(drag, name) for drag in drags], dtype=torch.float32, device=device)
        for name in ("start", "end")
    )

    def maps(w: torch.Tensor) -> torch.Tensor:
        return generator.synthesis.maps(w, side).float()

    delta = torch.zeros_like(w0, requires_grad=True)
    drift = torch.zeros_like(w0)

    def moved() -> torch.Tensor:
        return w0 + delta * deviation * strengths

    now = maps(moved())
    first = now.detach()
    height, width = first.shape[2:]
    size = torch.tensor([width, height], dtype=torch.float32, device=device)
    held = None if may_move is None else 1 - _fitted(may_move, first)
    pulling, known = _around(PULLING, 1, device) / size, _around(KNOWN, 1, device) / size
    wide = _around(WIDE, TRACKED, device) / size
    looks = _at(first, start[:, None] + known)  # [N, M, C]
    points = start

    def so_far(step: int) -> Dragged:
        left = ((end - points) * size).norm(dim=1).tolist()
        w, origins = moved().detach().to(latents.w), (f"{latents.origins[0]}, dragged",)
        return Dragged(
            replace(latents, w=w, origins=origins),
            tuple((float(x), float(y)) for x, y in points),
            tuple(each / max(width, height) for each in left),
            tuple(each <= ARRIVED for each in left),
            step,
        )

    result = so_far(0)
    for step in range(1, steps + 1):
        if all(result.arrived):
            break
        away = (end - points) * size
        left = away.norm(dim=1, keepdim=True)
        ahead = away / left.clamp_min(1e-6) * left.clamp_max(1) / size  # a pixel of the maps at most
        places = points[:, None] + pulling
        loss = (_at(now, places + ahead[:, None]) - _at(now.detach(), places)).abs().mean([1, 2]).sum()
        if held is not None:
            loss = loss + KEPT * ((now - first) * held).abs().mean()
        (gradient,) = torch.autograd.grad(loss, delta)
        drift.lerp_(gradient, 1 - MOMENTUM)
        with torch.no_grad():
            delta -= RATE * drift / drift.norm().clamp_min(1e-12)
        now = maps(moved())
        points = (points + wide[_most_alike(now.detach(), points, wide, known, looks)]).clamp(0, 1)
        result = so_far(step)
        if on_step is not None and on_step(step, result):
            break
    return result


def _most_alike(
    maps: torch.Tensor, points: torch.Tensor, wide: torch.Tensor, known: torch.Tensor, looks: torch.Tensor
) -> torch.Tensor:
    """Which of the places around each point look most like it did, `[N]`.

    points: `[N, 2]`. wide: the places, from each point; known: what lies around a place. looks: that of each point in
    the beginning, `[N, M, C]`.
    """
    seen = _at(maps, (points[:, None, None] + wide[:, None] + known).flatten(1, 2))  # [N, places · M, C]
    return (seen.unflatten(1, (len(wide), len(known))) - looks[:, None]).abs().sum((2, 3)).argmin(1)


def _strengths(masks: MaskList | None, num_ws: int) -> torch.Tensor:
    if masks is None:
        return (torch.arange(num_ws) < LAYERS).float()[None, :, None]
    if len(masks.labels) != 1:
        raise StyleMixError(f"one mask says which layers move; found {counted(len(masks.labels), 'mask')}")
    return masks.still().strengths[:, :, None].float()


def _fitted(may_move: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """A mask in the size of the maps, `[1, 1, H, W]`."""
    mask = as_masks(may_move, "what may move", 1)[:, None].to(maps)
    return F.interpolate(mask, size=maps.shape[2:], mode="area")


def _around(radius: int, step: float, device: torch.device) -> torch.Tensor:
    """Places within a circle, from its middle, every `step` pixels: `[M, 2]` in pixels."""
    line = torch.arange(-radius, radius + step, step, device=device, dtype=torch.float32)
    places = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).view(-1, 2)
    return places[places.norm(dim=1) <= radius + 0.1]


def _at(maps: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """What maps `[1, C, H, W]` show at places `[N, M, 2]` in 0…1: `[N, M, C]`."""
    return F.grid_sample(maps, places[None] * 2 - 1, padding_mode="border", align_corners=False)[0].permute(
        1, 2, 0
    )
