"""What a generator is, its families, and the engine that draws with all of them."""

from .family import Generator
from .stylegan2.config import GeneratorConfig
from .stylegan2.generator import StyleGAN2

__all__ = ["Generator", "GeneratorConfig", "StyleGAN2"]
