"""Pivotal tuning (Roich et al. 2021, arXiv:2106.05744): changing the generator a little around one found code."""

import torch

from ..generator import Generator
from ..networks import put
from .losses import Objective, pyramid, sum_of_means
from .optimize import Spread, Watch, descend

RAMP_UP = 0.2
"""Share of the steps over which the learning rate rises: all weights start to move at once."""
FULL_RATE_STEPS = 40
"""With fewer steps the rate is lower in proportion: what the first large steps upset takes about as many to settle."""
LOCALITY_EVERY = 4
"""The regularisation is computed at every fourth step, as it costs more than a step."""
LOCALITY_DISTANCE = 0.6
"""How far from the pivot it looks, in mean distances between codes."""


def tune(
    generator: Generator,
    base: Generator,
    objective: Objective,
    w: torch.Tensor,
    spread: Spread,
    steps: int,
    seed: int,
    learning_rate: float,
    locality: float,
    watch: Watch,
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Tune so that the pivots `w` `[B, L, D]` draw their targets; one generator for the whole batch.

    generator: a working copy whose weights are replaced. base: one that stays as it is.
    learning_rate: the highest rate of the widest convolution, times the root of its inputs: a step moves a map by
        about as much in any generator. With fewer than 40 steps it is lower.
    locality: strength of the regularisation: codes near the pivots shall draw what `base` draws (section 3.3).
    Returns the changes of the weights by name, and the losses `[steps, B]`.
    """
    # `state_dict` gives what the copy's slots hold now; `put` fills the slots anew at every step.
    held = {name: tensor for name, tensor in generator.state_dict().items() if is_tuned(name)}
    changes = {
        name: torch.zeros_like(tensor, dtype=torch.float32, requires_grad=True)
        for name, tensor in held.items()
    }
    inputs = max(tensor[0].numel() for tensor in held.values())
    random = torch.Generator().manual_seed(seed % 2**63)

    def evaluate(progress: float):
        for name, tensor in held.items():
            put(generator, name, (tensor.float() + changes[name]).to(tensor.dtype))
        images = generator.synthesis(w)
        penalty = w.new_zeros([])
        if locality and round(progress * steps) % LOCALITY_EVERY == 0:
            near = nearby(w, spread, random)
            with torch.no_grad():
                before = pyramid(base.synthesis(near))
            after = pyramid(generator.synthesis(near))
            penalty = locality * sum_of_means(after, before).sum()
        return images, objective(images), penalty

    losses = descend(
        [(list(changes.values()), learning_rate * min(1, steps / FULL_RATE_STEPS) / inputs**0.5)],
        evaluate,
        steps,
        generator.dtype,
        watch,
        RAMP_UP,
    )
    return {name: change.detach() for name, change in changes.items()} if steps else {}, losses


def is_tuned(name: str) -> bool:
    """The convolutions' and to-RGB weights.

    Biases stay: they carry little, and with them a generator keeps its fingerprint, as codes for it stay valid.
    """
    return name.startswith("synthesis.") and name.endswith(
        (".conv0.weight", ".conv1.weight", ".torgb.weight", ".skip.weight")
    )


def nearby(w: torch.Tensor, spread: Spread, random: torch.Generator) -> torch.Tensor:
    """One of the pivots, moved towards a random w: `[1, L, D]`."""
    pivot = int(torch.randint(len(w), [1], generator=random))
    other = int(torch.randint(len(spread.codes), [1], generator=random))
    direction = spread.codes[other] - w[pivot]
    distance = LOCALITY_DISTANCE * spread.deviation * (2 * direction.numel()) ** 0.5
    return (w[pivot] + direction * (distance / direction.norm().clamp_min(1e-8)))[None]
