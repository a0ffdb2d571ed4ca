"""Inversion: finding the W+ code, and where asked the generator, that draw a given picture.

`invert` is the one entry; `options` are what may be chosen and `inputs` what may be given. `losses` and `features` say
how far a picture is from its target, `start` finds a code to start from, `optimize` refines it and `tune` changes the
generator at that code, both by `descent`. `delta` keeps such a change apart from the generator it belongs to, `result`
is what comes out and `report` draws it. `drag` moves a code until points of its picture lie where they are dragged to.
"""

from .delta import Delta, holds_delta, load_delta, save_delta
from .drag import Drag, Dragged, drag_points, parse_drags
from .inputs import check_encoder
from .invert import invert
from .options import METHODS, QUALITIES, InversionOptions
from .result import InversionResult

__all__ = [
    "METHODS",
    "QUALITIES",
    "Delta",
    "Drag",
    "Dragged",
    "InversionOptions",
    "InversionResult",
    "check_encoder",
    "drag_points",
    "holds_delta",
    "invert",
    "load_delta",
    "parse_drags",
    "save_delta",
]
