"""What a generator is, its families, and the engine that draws with all of them."""

from collections.abc import Mapping

import torch

from .family import Config, Generator
from .stylegan2.config import GeneratorConfig
from .stylegan2.generator import StyleGAN2
from .stylegan3.config import StyleGAN3Config
from .stylegan3.generator import StyleGAN3

__all__ = ["Config", "Generator", "GeneratorConfig", "StyleGAN2", "StyleGAN3", "StyleGAN3Config", "build"]

FAMILIES: dict[type[Config], type[Generator]] = {GeneratorConfig: StyleGAN2, StyleGAN3Config: StyleGAN3}
"""By the kind of their configuration."""


def build(config: Config, weights: Mapping[str, torch.Tensor]) -> Generator:
    """The generator of that shape that holds `weights` themselves; see `Generator.from_state_dict`."""
    return FAMILIES[type(config)].from_state_dict(config, weights)
