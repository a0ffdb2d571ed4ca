"""Checkpoints of every supported tool: recognise, read without running anything, load.

A format is one module; `formats` lists them and finds the one that a file is of. `canonical` and `base` are what the
formats share, `load` and `convert` what is done with a checkpoint once it is understood, `describe` says of other files
what they are.
"""

from ..files.info import CheckpointInfo
from .base import Checkpoint
from .convert import PARTS, convert_checkpoint
from .formats import DEMO, FORMATS, inspect_checkpoint, read_checkpoint, what_is
from .load import generator_beside, load_encoder, load_generator

__all__ = [
    "DEMO",
    "FORMATS",
    "PARTS",
    "Checkpoint",
    "CheckpointInfo",
    "convert_checkpoint",
    "generator_beside",
    "inspect_checkpoint",
    "load_encoder",
    "load_generator",
    "read_checkpoint",
    "what_is",
]
