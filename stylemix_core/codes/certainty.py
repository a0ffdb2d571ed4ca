"""Codes with their encoder's error bars, and what these say in words."""

from collections.abc import Sequence

import torch

from ..encoder import Encoder
from ..masks.mask_list import layers_text
from .latents import Latents

UNSURE = 0.5
"""A layer is called unsure when its error exceeds half of the spread more often than one time in five."""
FEW = 3
"""So many pictures are told of one by one."""


def read(encoder: Encoder, pictures: torch.Tensor, iterations: int | None = None) -> torch.Tensor:
    """Codes with their error bars beside them, `[B, num_ws, w_dim + len(SURE)]`; of encoders without, the codes alone.

    Arguments and errors as for `Encoder.forward`. `as_latents` takes both apart.
    """
    if encoder.errors is None:
        return encoder(pictures, iterations)
    return torch.cat(encoder.with_error_bars(pictures), 2)


def as_latents(encoder: Encoder, found: torch.Tensor, names: Sequence[str]) -> Latents:
    """What `read` found, on the CPU. names: of the pictures; what their error bars say joins them as the origin."""
    w, bars = found.float().cpu().tensor_split([encoder.w_dim], 2)
    if encoder.errors is None:
        return Latents(w.contiguous(), tuple(names), encoder.generator)
    origins = tuple(f"{name} ({told(one)})" for name, one in zip(names, bars, strict=True))
    return Latents(w.contiguous(), origins, encoder.generator, error_bars=bars.contiguous())


def told(bars: torch.Tensor) -> str:
    """How wrong a code may be, for people and for its origin: "usually 12 % wrong, unsure of layers 0-1, 9".

    bars: of one code, `[num_ws, len(SURE)]`, as `Encoder.with_error_bars` gives them.
    """
    usual = float(bars[:, 0].square().mean().sqrt())
    unsure = is_unsure(bars)
    layers = f", unsure of layers {layers_text(unsure.float())}" if unsure.any() else ""
    return f"usually {100 * usual:.0f} % wrong{layers}"


def told_of_all(bars: torch.Tensor) -> str:
    """What error bars `[B, num_ws, len(SURE)]` say: a line for each picture; of many, the usual and the worst."""
    if len(bars) <= FEW:
        return "\n".join(f"picture {i}: {told(one)}" for i, one in enumerate(bars, 1))
    worst = int(bars[..., 0].square().sum(1).argmax())
    usual = told(bars.median(0).values)
    return f"{len(bars)} pictures: {usual}; the worst, picture {worst + 1}: {told(bars[worst])}"


def is_unsure(bars: torch.Tensor) -> torch.Tensor:
    """Which layers are called unsure, bool `[…, num_ws]`. bars: `[…, num_ws, len(SURE)]`."""
    return bars[..., 1] > UNSURE
