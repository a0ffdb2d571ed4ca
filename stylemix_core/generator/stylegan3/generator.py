"""The whole network, from z to pictures."""

import torch

from ..family import Generator
from ..mapping import MappingNetwork
from .config import StyleGAN3Config
from .mapping import ClassMapping
from .synthesis import SynthesisNetwork


class StyleGAN3(Generator):
    """z → `mapping` → W+ → `synthesis` → pictures, which `translate` and `rotate` move."""

    family = "StyleGAN3"
    config: StyleGAN3Config
    mapping: MappingNetwork
    synthesis: SynthesisNetwork

    def __init__(self, config: StyleGAN3Config):
        super().__init__(config)
        self.mapping = ClassMapping(config) if config.by_class else MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)

    @property
    def working_bytes(self) -> int:
        """The finest sampled maps of a layer, float32, before and after its leaky ReLU."""
        finest = max(layer.out_channels * (layer.in_size * layer.up) ** 2 for layer in self.config.layers)
        return 2 * 4 * finest

    def set_dtype(self, dtype: torch.dtype) -> "StyleGAN3":
        """Put the weights of those layers that bear it into `dtype`; the first ones and the last stay float32."""
        for layer in self.synthesis.layers():
            if layer.layer.half and not layer.to_rgb:
                layer.weight.data = layer.weight.data.to(dtype)
                layer.squares.forget()
        self.synthesis.graphs.forget()
        return self
