"""How wrong codes are, layer by layer, in what the generator makes of them."""

import torch

from .family import Generator


class Spread:
    """The variance of a generator's codes and styles, which errors are told in.

    An error of 0 is none, one of 1 is as large as the spread: no better than the average code.
    """

    def __init__(self, generator: Generator, codes: torch.Tensor):
        """codes: many of the generator's W+, `[N, num_ws, w_dim]`."""
        self.generator = generator
        self.layers = torch.tensor([layer for layer, _ in generator.synthesis.styled()], device=codes.device)
        self.average = codes.mean((0, 1))
        self.w = codes.var(0).sum(1).clamp_min(1e-12)  # [L]
        self.styles = [style.var(0).sum().clamp_min(1e-12) for style in generator.synthesis.styles(codes)]

    def errors(self, codes: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """Of each w, the share of its styles' variance that is wrong, `[B, num_ws]`; the mean where it gives several.

        codes, true: W+ `[B, num_ws, w_dim]`. Differentiable in `codes`.
        """
        found, given = (self.generator.synthesis.styles(w) for w in (codes, true))
        wrong = [
            (one - other).square().sum(1) / variance
            for one, other, variance in zip(found, given, self.styles, strict=True)
        ]
        total = codes.new_zeros(len(codes), self.generator.num_ws)
        return total.index_add(1, self.layers, torch.stack(wrong, 1)) / self.layers.bincount()

    def errors_of_w(self, codes: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """The same of the w themselves, whose coordinates a layer may not read, `[B, num_ws]`."""
        return (codes - true).square().sum(2) / self.w
