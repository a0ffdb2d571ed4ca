"""Inversion: finding the W+ code, and where asked the generator, that draw a given picture.

`invert` is the one entry. `losses` and `features` say how far a picture is from its target, `optimize` looks for the
code, `tune` changes the generator at that code, `delta` keeps such a change apart from the generator it belongs to.
"""

from .delta import Delta, holds_delta, load_delta, save_delta
from .invert import METHODS, QUALITIES, InversionOptions, check_encoder, invert
from .result import InversionResult

__all__ = [
    "METHODS",
    "QUALITIES",
    "Delta",
    "InversionOptions",
    "InversionResult",
    "check_encoder",
    "holds_delta",
    "invert",
    "load_delta",
    "save_delta",
]
