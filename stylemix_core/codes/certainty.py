"""Codes with their encoder's error bars, and what these say in words."""

import torch

from ..encoder import Encoder
from ..masks.mask_list import layers_text

UNSURE = 0.5
"""A layer is called unsure when its error exceeds half of the spread more often than one time in five."""


def read(encoder: Encoder, pictures: torch.Tensor, iterations: int | None) -> torch.Tensor:
    """Codes with their error bars beside them, `[B, num_ws, w_dim + len(SURE)]`; of encoders without, the codes alone.

    Arguments and errors as for `Encoder.forward`. `apart` takes both apart.
    """
    if encoder.errors is None:
        return encoder(pictures, iterations)
    return torch.cat(encoder.with_error_bars(pictures), 2)


def apart(encoder: Encoder, found: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The codes `[B, num_ws, w_dim]` and their error bars, which are none of encoders without."""
    w, bars = found.tensor_split([encoder.w_dim], 2)
    return w.contiguous(), bars.cpu()


def origin(name: str, bars: torch.Tensor) -> str:
    """Where a code comes from, with what its error bars say, if it has any."""
    return f"{name} ({told(bars)})" if bars.numel() else name


def told(bars: torch.Tensor) -> str:
    """How wrong a code may be, for people and for its origin: "usually 12 % wrong, unsure of layers 0-1, 9".

    bars: of one code, `[num_ws, len(SURE)]`, as `Encoder.with_error_bars` gives them.
    """
    usual = float(bars[:, 0].square().mean().sqrt())
    unsure = bars[:, 1] > UNSURE
    layers = f", unsure of layers {layers_text(unsure.float())}" if unsure.any() else ""
    return f"usually {100 * usual:.0f} % wrong{layers}"
