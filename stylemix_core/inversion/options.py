"""What may be chosen: methods, qualities, and the options behind them."""

import dataclasses
import math
import os
from dataclasses import dataclass
from typing import Any

from ..errors import StyleMixError

METHODS = ("encode", "iterate", "optimize", "tune")


@dataclass(frozen=True)
class InversionOptions:
    """What an expert may set. `QUALITIES` has the usual choices."""

    learning_rate: float = 0.05
    """Highest rate of Adam in W+, in deviations of w."""
    pull: float = 0.02
    """Towards W, 0…1: keeps the layers of a code alike, so that they can be mixed."""
    trust: float = 0.03
    """How much the encoder's error bars hold a code near what the encoder saw: where it is sure more than where it is
    not. Without an encoder that has them it does nothing. Of drawn demo avatars the codes are then a third less wrong,
    and their pictures as near."""
    noise: bool = True
    """Also find the noise images, where the generator uses noise. The result's generator then holds them."""
    perceptual_weight: float = 1.0
    """0 compares pixels alone."""
    perceptual: str | os.PathLike[str] | None = None
    """Which features: None for the best at hand, "encoder", "gradients", or a file with VGG16's or LPIPS' weights."""
    identity_weight: float = 0.0
    """Weight of the identity that an encoder sees."""
    starts: int = 16
    """Codes that are tried to start from when there is no encoder."""
    iterations: int = 5
    """How often `iterate` refines a code."""
    tune_steps: int | None = None
    """Steps of `tune` after those of `optimize`; None for as many."""
    tune_learning_rate: float = 0.24
    """Highest rate of Adam for the generator's weights, times the root of the inputs of its widest convolution."""
    locality: float = 0.1
    """How much a tuned generator is kept as it was away from the pictures, 0 for not at all."""
    checkpointing: bool = False
    """Compute maps twice rather than keep them: less memory, more time."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
                raise StyleMixError(f"{field.name} is {value}; give a number from 0 up")
        if self.pull > 1:
            raise StyleMixError(f"pull is {self.pull}; give a strength from 0 (none) to 1 (keep to W)")
        for name, least in (("starts", 1), ("iterations", 1), ("tune_steps", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise StyleMixError(f"{name} is {value}; give a whole number from {least} up")


QUALITIES: dict[str, dict[str, Any]] = {
    "balanced": {},
    "editable": {"pull": 0.2, "trust": 0.1, "locality": 0.3},
    "faithful": {"pull": 0.0, "trust": 0.003, "learning_rate": 0.08, "locality": 0.03},
}
"""Options by name: how to weigh likeness against codes that can be mixed."""


def choose_options(quality: str, options: dict[str, Any]) -> InversionOptions:
    """The options of a quality with some overridden. `StyleMixError` where one is unknown or out of range."""
    if quality not in QUALITIES:
        raise StyleMixError(f"quality {quality!r} is unknown; choose one of: {', '.join(QUALITIES)}")
    known = [field.name for field in dataclasses.fields(InversionOptions)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise StyleMixError(f"the option {unknown[0]} is unknown; choose among: {', '.join(known)}")
    return InversionOptions(**{**QUALITIES[quality], **options})
