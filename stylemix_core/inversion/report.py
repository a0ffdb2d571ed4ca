"""The report of an inversion as a picture: its losses as curves."""

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from ..drawing import BACKGROUND, TEXT

WIDTH, HEIGHT, MARGIN = 640, 360, 56
CURVES = ((96, 165, 250), (251, 146, 60), (74, 222, 128), (244, 114, 182), (250, 204, 21), (167, 139, 250))
"""Their colours, which take turns."""
AXIS = (82, 82, 91)


def draw_report(
    lines: Sequence[str], losses: torch.Tensor, tuned_from: int | None = None, along: str | None = None
) -> Image.Image:
    """Some lines of text above the loss of every picture over the steps, on a logarithmic scale.

    losses: `[steps, B]`. tuned_from: a step to mark as the one from which weights were tuned. along: what stands at the
    end of the axis, rather than the number of steps.
    """
    sheet = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for i, line in enumerate(lines):
        draw.text((MARGIN, 10 + 20 * i), line, TEXT, ImageFont.load_default(14))
    draw_curves(draw, losses, tuned_from, along or f"{len(losses)} steps")
    return sheet


def draw_curves(draw: ImageDraw.ImageDraw, losses: torch.Tensor, tuned_from: int | None, along: str) -> None:
    """The axes, and a curve for every picture; as for `draw_report`."""
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
    draw.text((right, bottom + 14), along, TEXT, font, anchor="rm")
    if tuned_from is not None and 0 < tuned_from < len(values):
        x = place(tuned_from, low)[0]
        draw.line((x, top, x, bottom), AXIS)
        draw.text((x, bottom + 14), "tuning", TEXT, font, anchor="mm")
    for i, curve in enumerate(values.t().tolist()):
        points = [place(step, value) for step, value in enumerate(curve)]
        draw.line(points if len(points) > 1 else points * 2, CURVES[i % len(CURVES)], 2, joint="curve")
