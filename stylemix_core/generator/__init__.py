"""The StyleGAN2 generator."""

from .config import GeneratorConfig
from .network import Generator

__all__ = ["Generator", "GeneratorConfig"]
