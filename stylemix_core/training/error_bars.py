"""An encoder's error bars: how they are learnt, and set and judged by samples that it was not trained on."""

import math
from dataclasses import dataclass

import torch

from ..encoder import SURE, Encoder
from ..generator.spread import Spread
from .samples import HELD_OUT, Samples, as_read

TO_JUDGE, TO_SET = HELD_OUT + 10**6, HELD_OUT + 2 * 10**6
"""The first samples that encoders are judged by, and that their bars are set by."""
WEIGHT = 0.1
BATCH = 16


def loss_of(encoder: Encoder, features: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
    """How far the usual errors that the encoder tells are from the true ones; teaches nothing but to tell them.

    features: of the last stage, `[B, C, h, w]`. errors: `Spread.errors` of what it found, `[B, num_ws]`.
    """
    assert encoder.errors is not None
    usual = encoder.errors(features.detach())
    return WEIGHT * (usual - 0.5 * errors.detach().clamp_min(1e-8).log()).square().mean()


@dataclass(frozen=True, eq=False)
class Judged:
    """What an encoder makes of held-out samples."""

    usual: torch.Tensor
    """The usual errors as it tells them, `[count, num_ws]`."""
    errors: torch.Tensor
    """The true ones, in units of the spread."""
    round_trip: float
    """Mean absolute difference of a picture and the picture of its code, in −1…1."""

    def coverage(self, encoder: Encoder) -> dict[str, float]:
        """How many errors lie below the encoder's bars, by how many should: "80%"."""
        assert encoder.errors is not None
        below = self.errors[..., None] <= self.usual[..., None] * encoder.errors.factors
        return {
            f"{sure:.0%}": share
            for sure, share in zip(SURE, below.float().mean((0, 1)).tolist(), strict=True)
        }


@torch.no_grad()
def judge(encoder: Encoder, samples: Samples, spread: Spread, first: int, count: int) -> Judged:
    """Let the encoder read `count` samples from number `first` on."""
    assert encoder.errors is not None
    usual, errors, apart = [], [], 0.0
    for place in range(first, first + count, BATCH):
        size = min(BATCH, first + count - place)
        w = samples.codes(place, size)
        drawn = samples.pictures(w, place)
        features = encoder.features(encoder.fit(as_read(drawn)))
        codes = encoder.codes_of(features) + encoder.latent_avg
        usual.append(encoder.errors(features[-1]).exp())
        errors.append(spread.errors(codes, w).sqrt())
        again = samples.generator.synthesis(codes).clamp(-1, 1)
        apart += float((again - drawn).abs().mean()) * size / count
    return Judged(torch.cat(usual), torch.cat(errors), apart)


def set_bars(encoder: Encoder, judged: Judged) -> None:
    """Set the bars so that as many errors lie below as `SURE` says; `judged` of samples at `TO_SET`."""
    assert encoder.errors is not None
    ratios = (judged.errors / judged.usual).sort(0).values
    # The smallest multiple that covers the share among one sample more than there are (Lei et al. 2018).
    places = [math.ceil(sure * (len(ratios) + 1)) - 1 for sure in SURE]
    encoder.errors.factors.copy_(ratios[places].t())
