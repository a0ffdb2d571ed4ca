"""The mapping of StyleGAN-XL (Sauer et al. 2022, arXiv:2202.00273, section 3.2): labels are looked up in a table."""

import torch
import torch.nn.functional as F
from torch import nn

from ..engine.steps import LRELU_GAIN, LRELU_SLOPE
from ..linear import EqualLinear
from ..mapping import MappingConfig, MappingNetwork


class ClassMapping(MappingNetwork):
    """z and the features of a class → w. Every class has an average of its own, which truncation pulls towards."""

    embed: nn.Embedding  # type: ignore[assignment]
    class_averages: torch.Tensor

    def add_labels(self, config: MappingConfig) -> int:
        width = config.embed_width or config.z_dim
        self.embed = nn.Embedding(config.c_dim, width)
        self.embed_proj = EqualLinear(width, config.z_dim)
        self.register_buffer("class_averages", torch.zeros(config.c_dim, config.w_dim))
        return config.z_dim

    @property
    def w_avg(self) -> torch.Tensor:  # type: ignore[override]
        """The mean of the classes' averages, `[w_dim]`."""
        return self.class_averages.mean(0)

    def embedded(self, c: torch.Tensor) -> torch.Tensor:
        features = self.embed_proj(self.embed(c.argmax(1)))
        return F.leaky_relu(features, LRELU_SLOPE) * LRELU_GAIN

    def centre(self, c: torch.Tensor | None) -> torch.Tensor:
        assert c is not None
        return self.class_averages[c.argmax(1)][:, None]
