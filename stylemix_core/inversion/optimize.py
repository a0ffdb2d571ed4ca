"""Finding W+ by gradient descent, as StyleGAN2's projector does (Karras et al. 2020, arXiv:1912.04958, appendix D)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from ..generator import Generator
from ..networks import put
from .descent import Found, Task, descend

W_NOISE, W_NOISE_SHARE = 0.05, 0.75
"""Noise on W+ at the first step, in deviations of w, and the share of the steps over which it fades."""
GOOD_START = 0.2
"""How much of that noise there is where an encoder's code is started from, which is near already."""
NOISE_RATE = 0.05
NOISE_WEIGHT = 1e5


def optimize(task: Task, start: torch.Tensor, steps: int, w_noise: float = W_NOISE) -> Found:
    """Descend from `start` `[B, L, D]`.

    The task's generator gets the noise that is found, where `InversionOptions.noise` asks for it; the changes are those
    of its noise images. w_noise: as `W_NOISE`.
    """
    generator, spread, options = task.generator, task.spread, task.options
    w = start.clone().requires_grad_()
    images = dict(noise_images(generator)) if options.noise else {}
    found = {name: image.float().clone().requires_grad_() for name, image in images.items()}
    random = task.random()

    def evaluate(progress: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        for name, image in found.items():
            put(generator, name, image)
        # One draw for the whole batch: a picture's code does not depend on its neighbours.
        jitter = torch.randn(1, *w.shape[1:], generator=random).to(w.device)
        fade = max(0.0, 1 - progress / W_NOISE_SHARE) ** 2
        drawn = generator.synthesis(w + jitter * (w_noise * spread.deviation * fade))
        penalty = options.pull * off_w(w, spread.deviation).sum() if options.pull else w.new_zeros([])
        if task.prior is not None:
            penalty = penalty + options.trust * task.prior(w).sum()
        if found:
            penalty = penalty + NOISE_WEIGHT * sum(map(noise_correlation, found.values()))
        return drawn, task.objective(drawn), penalty

    groups = [([w], options.learning_rate * spread.deviation), (list(found.values()), NOISE_RATE)]
    losses = descend(groups, evaluate, steps, generator.dtype, task.watch)
    for name, image in found.items():
        put(generator, name, image.detach())
    return Found(w.detach(), losses, {name: found[name].detach() - images[name] for name in found})


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
