"""The whole network, from z to pictures."""

import torch

from ..family import Generator
from ..mapping import MappingNetwork
from .config import GeneratorConfig
from .synthesis import SynthesisNetwork


class StyleGAN2(Generator):
    """z → `mapping` → W+ → `synthesis` → pictures."""

    family = "StyleGAN2"
    config: GeneratorConfig
    mapping: MappingNetwork
    synthesis: SynthesisNetwork

    def __init__(self, config: GeneratorConfig):
        super().__init__(config)
        self.mapping = MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)

    def set_dtype(self, dtype: torch.dtype) -> "StyleGAN2":
        """Put constants and convolution weights into `dtype`; mapping, styles and to-RGB stay float32."""
        synthesis = self.synthesis
        synthesis.b4.const.data = synthesis.b4.const.data.to(dtype)
        for block in synthesis.blocks():
            for layer in (*block.convolutions(), block.skip):
                if layer is not None:
                    layer.weight.data = layer.weight.data.to(dtype)
            for convolution in block.convolutions():
                convolution.squares.forget()
        synthesis.graphs.forget()
        return self
