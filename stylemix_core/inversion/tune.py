"""Pivotal tuning (Roich et al. 2021, arXiv:2106.05744): changing the generator a little around one found code."""

import torch

from ..generator import Generator
from ..networks import put
from .descent import Found, Task, descend
from .losses import pyramid, sum_of_means
from .start import Spread

RAMP_UP = 0.2
"""Share of the steps over which the learning rate rises: all weights start to move at once."""
FULL_RATE_STEPS = 40
"""With fewer steps the rate is lower in proportion: what the first large steps upset takes about as many to settle."""
LOCALITY_EVERY = 4
"""The regularisation is computed at every fourth step, as it costs more than a step."""
LOCALITY_DISTANCE = 0.6
"""How far from the pivot it looks, in mean distances between codes."""


def tune(task: Task, base: Generator, w: torch.Tensor, steps: int) -> Found:
    """Tune the task's generator so that the pivots `w` `[B, L, D]` draw their targets; one for the whole batch.

    base: a generator with the same weights that stays as it is: codes near the pivots shall draw what it draws, as far
        as `InversionOptions.locality` asks for it (section 3.3).
    The learning rate is that of the options over the root of the inputs of the widest convolution, so that a step moves
    a map by about as much in any generator.
    """
    generator, options = task.generator, task.options
    # `state_dict` gives what the copy's slots hold now; `put` fills the slots anew at every step.
    held = {name: tensor for name, tensor in generator.state_dict().items() if is_tuned(name)}
    changes = {
        name: torch.zeros_like(tensor, dtype=torch.float32, requires_grad=True)
        for name, tensor in held.items()
    }
    inputs = max(tensor[0].numel() for tensor in held.values())
    random = task.random()

    def evaluate(progress: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        for name, tensor in held.items():
            put(generator, name, (tensor.float() + changes[name]).to(tensor.dtype))
        images = generator.synthesis(w)
        penalty = w.new_zeros([])
        if options.locality and round(progress * steps) % LOCALITY_EVERY == 0:
            near = nearby(w, task.spread, random)
            with torch.no_grad():
                before = pyramid(base.synthesis(near))
            after = pyramid(generator.synthesis(near))
            penalty = options.locality * sum_of_means(after, before).sum()
        return images, task.objective(images), penalty

    rate = options.tune_learning_rate * min(1, steps / FULL_RATE_STEPS) / inputs**0.5
    losses = descend([(list(changes.values()), rate)], evaluate, steps, generator.dtype, task.watch, RAMP_UP)
    return Found(w, losses, {name: change.detach() for name, change in changes.items()})


def is_tuned(name: str) -> bool:
    """Whether a tensor of the generator is tuned: the weights of all that draws are, but for what makes styles of w.

    Biases stay: they carry little, and with them a generator keeps its fingerprint, as codes for it stay valid.
    """
    return name.startswith("synthesis.") and name.endswith(".weight") and ".affine." not in name


def nearby(w: torch.Tensor, spread: Spread, random: torch.Generator) -> torch.Tensor:
    """One of the pivots, moved towards a random w: `[1, L, D]`."""
    pivot = int(torch.randint(len(w), [1], generator=random))
    other = int(torch.randint(len(spread.codes), [1], generator=random))
    direction = spread.codes[other] - w[pivot]
    distance = LOCALITY_DISTANCE * spread.deviation * (2 * direction.numel()) ** 0.5
    moved: torch.Tensor = w[pivot] + direction * (distance / direction.norm().clamp_min(1e-8))
    return moved[None]
