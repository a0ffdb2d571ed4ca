"""What an inversion gives, and its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont

from ..codes.latents import Latents
from ..drawing import BACKGROUND, TEXT
from ..generator import Generator
from .delta import Delta

WIDTH, HEIGHT, MARGIN = 640, 360, 56
LINES = ((96, 165, 250), (251, 146, 60), (74, 222, 128), (244, 114, 182), (250, 204, 21), (167, 139, 250))
AXIS = (82, 82, 91)


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
        sheet = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
        draw = ImageDraw.Draw(sheet)
        lines = [
            f"{self.method}: {self.steps} steps, {self.seconds:.1f} s, perceptual: {self.features}",
            f"L2 {mean(self.start_l2):.5f} > {mean(self.l2):.5f}   perceptual {mean(self.perceptual):.5f}",
        ]
        for i, line in enumerate(lines):
            draw.text((MARGIN, 10 + 20 * i), line, TEXT, ImageFont.load_default(14))
        draw_curves(draw, self.losses, self.tuned_from)
        return sheet


def draw_curves(draw: ImageDraw.ImageDraw, losses: torch.Tensor, tuned_from: int | None) -> None:
    left, top, right, bottom = MARGIN, MARGIN + 8, WIDTH - 16, HEIGHT - 32
    draw.rectangle((left, top, right, bottom), outline=AXIS)
    if not losses.numel():
        draw.text(
            ((left + right) / 2, (top + bottom) / 2),
            "no steps",
            TEXT,
            ImageFont.load_default(14),
            anchor="mm",
        )
        return
    values = losses.clamp_min(1e-9).log10()
    low, high = float(values.min()), float(values.max())
    height = max(high - low, 1e-6)

    def place(step: int, value: float) -> tuple[float, float]:
        x = left + (right - left) * step / max(len(values) - 1, 1)
        return x, bottom - (bottom - top) * (value - low) / height

    font = ImageFont.load_default(12)
    for value in (low, high):
        draw.text((left - 6, place(0, value)[1]), f"{10**value:.2g}", TEXT, font, anchor="rm")
    draw.text((right, bottom + 14), f"{len(values)} steps", TEXT, font, anchor="rm")
    if tuned_from is not None and 0 < tuned_from < len(values):
        x = place(tuned_from, low)[0]
        draw.line((x, top, x, bottom), AXIS)
        draw.text((x, bottom + 14), "tuning", TEXT, font, anchor="mm")
    for i, curve in enumerate(values.t().tolist()):
        points = [place(step, value) for step, value in enumerate(curve)]
        draw.line(points if len(points) > 1 else points * 2, LINES[i % len(LINES)], 2, joint="curve")


def mean(values: list[float]) -> float:
    return sum(values) / len(values)
