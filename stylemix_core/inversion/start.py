"""Where an inversion starts: the encoder's code, or without an encoder the best of some random ones."""

from dataclasses import dataclass

import torch

from ..encoder import Encoder
from ..errors import StyleMixError
from ..generator import Generator
from ..generator.sampling import sampled_w
from ..networks import differentiable
from .losses import Objective
from .options import InversionOptions

SPREAD_SAMPLES = 1000
START_PSI = 0.7


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
        w = torch.cat([*sampled_w(generator.mapping, SPREAD_SAMPLES, seed)]).to(generator.w_avg)
        return cls(w, float((w - generator.w_avg).square().mean().sqrt().clamp_min(1e-6)))


@torch.no_grad()
def start_of(
    generator: Generator,
    objective: Objective,
    spread: Spread,
    encoder: Encoder | None,
    pictures: torch.Tensor,
    method: str,
    options: InversionOptions,
) -> torch.Tensor:
    """The codes `[B, L, D]` to start from, on the device of the objective's target.

    pictures: what the encoder reads, `[B, 3, H, W]`.
    """
    if encoder is None:
        w = nearest_start(generator, objective, spread, options.starts)
    elif method == "iterate":
        w = encoder(pictures, iterations=options.iterations)
    else:
        w = encoder(pictures)
    return w.to(objective.target.device)


def given_start(generator: Generator, start: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Codes of the user's own `[B, L, D]`. `StyleMixError` when they do not fit the generator and the pictures."""
    generator.synthesis.check_codes(start)
    if len(start) != len(pictures):
        raise StyleMixError(
            f"{len(start)} codes to start from do not belong to {len(pictures)} pictures; give one for each"
        )
    return differentiable(start)


def nearest_start(generator: Generator, objective: Objective, spread: Spread, starts: int) -> torch.Tensor:
    """The code to start from without an encoder: for every target the best of the average and random w's."""
    candidates = torch.cat(
        [generator.w_avg[None], generator.w_avg.lerp(spread.codes[: starts - 1], START_PSI)]
    )
    candidates = candidates[:, None].expand(-1, generator.num_ws, -1)
    losses = [objective(generator.synthesis(code[None])) for code in candidates]  # [B] each
    return candidates[torch.stack(losses).argmin(0)].clone()
