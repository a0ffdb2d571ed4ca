"""What an encoder's error bars say, in words."""

import torch

from ..masks.mask_list import layers_text

UNSURE = 0.5
"""A layer is called unsure when its error exceeds half of the spread more often than one time in five."""


def told(bars: torch.Tensor) -> str:
    """How wrong a code may be, for people and for its origin: "usually 12 % wrong, unsure of layers 0-1, 9".

    bars: of one code, `[num_ws, len(SURE)]`, as `Encoder.with_error_bars` gives them.
    """
    usual = float(bars[:, 0].square().mean().sqrt())
    unsure = bars[:, 1] > UNSURE
    layers = f", unsure of layers {layers_text(unsure.float())}" if unsure.any() else ""
    return f"usually {100 * usual:.0f} % wrong{layers}"
