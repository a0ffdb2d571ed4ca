"""The StyleGAN2 generator."""

from .stylegan2.config import GeneratorConfig
from .stylegan2.network import Generator

__all__ = ["Generator", "GeneratorConfig"]
