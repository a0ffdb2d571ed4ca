"""Finding W+ by gradient descent, as StyleGAN2's projector does (Karras et al. 2020, arXiv:1912.04958, appendix D)."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from ..generator import Generator
from ..networks import put
from ..progress import OnStep
from .losses import Objective

RAMP_UP, RAMP_DOWN = 0.05, 0.25
"""Shares of the steps over which the learning rate rises (in W+) and falls."""
W_NOISE, W_NOISE_SHARE = 0.05, 0.75
"""Noise on W+ at the first step, in deviations of w, and the share of the steps over which it fades."""
NOISE_RATE = 0.05
NOISE_WEIGHT = 1e5
SPREAD_SAMPLES = 1000
START_PSI = 0.7


class Watch:
    """Tells the caller how far the inversion is, and about once a second shows the newest pictures."""

    interval = 1.0

    def __init__(self, on_step: OnStep | None, total: int):
        self.on_step, self.total, self.done = on_step, total, 0
        self.shown = time.monotonic()

    def step(self, images: torch.Tensor) -> None:
        self.done += 1
        if self.on_step is None:
            return
        now, newest = time.monotonic(), None
        if now - self.shown >= self.interval:
            newest, self.shown = images.detach(), now
        self.on_step(self.done, self.total, newest)


@dataclass(frozen=True, eq=False)
class Spread:
    """How w is distributed."""

    codes: torch.Tensor
    """Random w, `[n, D]`."""
    deviation: float
    """Root of the mean variance of one number of w."""

    @classmethod
    @torch.no_grad()
    def of(cls, generator: Generator, seed: int) -> "Spread":
        random = torch.Generator().manual_seed(seed % 2**63)
        z = torch.randn(SPREAD_SAMPLES, generator.z_dim, generator=random)
        labels = None
        if generator.c_dim:
            labels = F.one_hot(torch.arange(len(z)) % generator.c_dim, generator.c_dim).float()
        w = generator.mapping(z, labels)[:, 0]
        return cls(w, float((w - generator.w_avg).square().mean().sqrt().clamp_min(1e-6)))


@torch.no_grad()
def nearest_start(generator: Generator, objective: Objective, spread: Spread, starts: int) -> torch.Tensor:
    """The code to start from without an encoder: for every target the best of the average and random w's."""
    candidates = torch.cat(
        [generator.w_avg[None], generator.w_avg.lerp(spread.codes[: starts - 1], START_PSI)]
    )
    candidates = candidates[:, None].expand(-1, generator.num_ws, -1)
    losses = [objective(generator.synthesis(code[None])) for code in candidates]  # [B] each
    return candidates[torch.stack(losses).argmin(0)].clone()


def optimize(
    generator: Generator,
    objective: Objective,
    start: torch.Tensor,
    spread: Spread,
    steps: int,
    seed: int,
    learning_rate: float,
    w_noise: float,
    pull: float,
    noise: bool,
    watch: Watch,
) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
    """Descend from `start` `[B, L, D]`.

    generator: a working copy; its noise buffers are replaced where `noise` asks for better noise.
    Returns W+, the changes of the noise buffers by name, and the losses `[steps, B]`.
    """
    w = start.clone().requires_grad_()
    images = dict(noise_images(generator)) if noise else {}
    found = {name: image.float().clone().requires_grad_() for name, image in images.items()}
    random = torch.Generator().manual_seed(seed % 2**63)

    def evaluate(progress: float):
        for name, image in found.items():
            put(generator, name, image)
        # One draw for the whole batch: a picture's code does not depend on its neighbours.
        jitter = torch.randn(1, *w.shape[1:], generator=random).to(w.device)
        fade = max(0.0, 1 - progress / W_NOISE_SHARE) ** 2
        drawn = generator.synthesis(w + jitter * (w_noise * spread.deviation * fade))
        penalty = pull * off_w(w, spread.deviation).sum() if pull else w.new_zeros([])
        if found:
            penalty = penalty + NOISE_WEIGHT * sum(map(noise_correlation, found.values()))
        return drawn, objective(drawn), penalty

    groups = [([w], learning_rate * spread.deviation), (list(found.values()), NOISE_RATE)]
    losses = descend(groups, evaluate, steps, generator.dtype, watch)
    for name, image in found.items():
        put(generator, name, image.detach())
    return w.detach(), {name: found[name].detach() - images[name] for name in found}, losses


def descend(
    groups: list[tuple[list[torch.Tensor], float]],
    evaluate: Callable[[float], tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    steps: int,
    dtype: torch.dtype,
    watch: Watch,
    ramp_up: float = RAMP_UP,
) -> torch.Tensor:
    """Adam. `evaluate(progress)`, progress 0…1, gives pictures, losses `[B]` and a penalty to minimise with them.

    groups: tensors and their highest learning rate. Returns the losses `[steps, B]`.
    """
    optimizer = torch.optim.Adam([{"params": tensors, "peak": rate} for tensors, rate in groups if tensors])
    device = groups[0][0][0].device
    # In float16 small gradients would be rounded to zero: they are computed larger.
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * schedule(step / steps, ramp_up)
        images, loss, penalty = evaluate(step / steps)
        optimizer.zero_grad()
        scaler.scale(loss.sum() + penalty).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.detach())
        watch.step(images)
    return torch.stack(losses) if losses else torch.zeros(0, 0, device=device)


def schedule(progress: float, ramp_up: float = RAMP_UP) -> float:
    """Up linearly, level, and down along a cosine."""
    falling = min(1.0, (1 - progress) / RAMP_DOWN)
    return min(1.0, (progress + 1e-3) / ramp_up) * (0.5 - 0.5 * math.cos(math.pi * falling))


def off_w(w: torch.Tensor, deviation: float) -> torch.Tensor:
    """How far the layers of a code are from one common w, in deviations: `[B]`, zero inside W."""
    return ((w - w.mean(1, keepdim=True)) / deviation).square().mean([1, 2])


def noise_images(generator: Generator) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and image of the noise of every layer that uses it."""
    for name, module in generator.named_modules():
        if hasattr(module, "noise_const") and float(module.noise_strength.abs()) > 0:
            yield f"{name}.noise_const", module.noise_const


def noise_correlation(image: torch.Tensor) -> torch.Tensor:
    """How far noise `[H, W]` is from white: correlations of neighbours on all scales from 8 px up (appendix D)."""
    total = image.new_zeros([])
    image = image[None, None]
    while min(image.shape[2:]) >= 8:
        for axis in (2, 3):
            total = total + (image * image.roll(1, axis)).mean().square()
        image = F.avg_pool2d(image, 2) * 2  # the sum of four independent numbers has twice the deviation
    return total


def with_checkpoints(generator: Generator) -> None:
    """Compute a block's inner maps again in the backward pass: a third more time, far less memory."""
    for block in generator.synthesis.stages():
        forward = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)
        block.forward = forward  # type: ignore[method-assign]
