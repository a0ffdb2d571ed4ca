"""What an inversion gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from ..codes.latents import Latents
from ..generator import Generator
from .delta import Delta
from .report import draw_report


@dataclass(frozen=True, eq=False)
class InversionResult:
    """Codes for pictures, and how good they are. Tensors lie on the CPU; lists have one number a picture."""

    w: torch.Tensor
    """float32 W+ `[B, num_ws, w_dim]`."""
    images: torch.Tensor
    """What `generator` draws of `w`: `[B, C, R, R]` in −1…1."""
    generator: Generator
    """The generator that was given; where noise or weights were found, a new one that shares all other tensors."""
    delta: Delta | None
    """The difference between the two; None where there is none."""
    losses: torch.Tensor
    """The loss at every step, float32 `[steps, B]`."""
    tuned_from: int | None
    """The step from which on weights were tuned."""
    method: str
    features: str
    """The perceptual measure: "VGG16 (file)", "IR-SE encoder (file)" or "gradients"."""
    l2: list[float]
    """Mean squared error of the pictures in −1…1 (inside the mask)."""
    perceptual: list[float]
    """Perceptual distance; comparable between results of the same `features`."""
    start_l2: list[float]
    """`l2` of the code that was started from."""
    seconds: float

    @property
    def steps(self) -> int:
        return len(self.losses)

    def latents(self, names: Sequence[str] | None = None) -> Latents:
        """The codes with their provenance. names: what the pictures are called; None to number them."""
        if names is None:
            names = [f"picture {i}" for i in range(1, len(self.w) + 1)]
        how = f"({self.method}, {self.steps} steps)" if self.steps else f"({self.method})"
        origins = tuple(f"inverted {name} {how}" for name in names)
        return Latents(self.w, origins, self.generator.fingerprint())

    def figures(self) -> dict[str, Any]:
        """The report in plain numbers, for JSON."""
        return {
            "method": self.method,
            "steps": self.steps,
            "seconds": round(self.seconds, 2),
            "features": self.features,
            "l2": self.l2,
            "start_l2": self.start_l2,
            "perceptual": self.perceptual,
            "losses": self.losses.tolist(),
        }

    def report(self) -> Image.Image:
        """The loss of every picture over the steps, on a logarithmic scale, with the figures above."""
        lines = [
            f"{self.method}: {self.steps} steps, {self.seconds:.1f} s, perceptual: {self.features}",
            f"L2 {mean(self.start_l2):.5f} > {mean(self.l2):.5f}   perceptual {mean(self.perceptual):.5f}",
        ]
        return draw_report(lines, self.losses, self.tuned_from)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)
