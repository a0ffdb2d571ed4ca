"""What an encoder's error bars say of where a code may be."""

import torch

from ..encoder import Encoder
from ..generator import Generator
from ..generator.spread import Spread


class Prior:
    """How improbable codes are for an encoder that has told how wrong each w may be.

    Its codes and its usual errors are taken as means and deviations of normal distributions, one for each layer, of
    what the w makes in the generator: where the encoder is sure a code is held, where it is not it may move.
    """

    def __init__(self, generator: Generator, w: torch.Tensor, encoder: Encoder, pictures: torch.Tensor):
        """w: many codes that the generator maps to, `[N, D]`. pictures: what the encoder reads, `[B, 3, H, W]`."""
        self.spread = Spread(generator, w[:, None].expand(-1, generator.num_ws, -1))
        codes, bars = encoder.with_error_bars(pictures)
        self.codes, self.usual = codes.to(w), bars[..., 0].to(w)

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        """The mean over layers of the squared errors of W+ `[B, L, D]`, in those deviations: `[B]`."""
        return (self.spread.errors(codes, self.codes) / self.usual.square()).mean(1)
