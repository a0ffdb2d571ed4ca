"""The StyleGAN2 generator."""

from .network import Generator, GeneratorConfig

__all__ = ["Generator", "GeneratorConfig"]
