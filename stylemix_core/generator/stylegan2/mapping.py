"""z → w (StyleGAN2 section 2; ADA for class labels)."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from ...errors import StyleMixError
from ..engine.steps import LRELU_GAIN, LRELU_SLOPE
from ..family import Mapping
from .config import GeneratorConfig
from .layers import EqualLinear

MAPPING_LR_MULTIPLIER = 0.01
"""How much slower than the rest the mapping was trained: its weights are stored that much larger."""


class MappingNetwork(Mapping):
    """z → w by fully connected layers, repeated to W+."""

    embed: EqualLinear | nn.Linear

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws = config.z_dim, config.c_dim, config.num_ws
        self.num_layers, self.joint_labels = config.mapping_layers, config.joint_labels
        features = config.z_dim
        if config.c_dim:
            embed_width = config.embed_width or config.w_dim
            kind = partial(nn.Linear, bias=False) if config.joint_labels else EqualLinear
            self.embed = kind(config.c_dim, embed_width)
            features += embed_width
        for i in range(config.mapping_layers):
            width = (i < config.mapping_layers - 1 and config.mapping_width) or config.w_dim
            self.add_module(f"fc{i}", EqualLinear(features, width, lr_multiplier=MAPPING_LR_MULTIPLIER))
            features = width
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self,
        z: torch.Tensor,
        c: torch.Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> torch.Tensor:
        """Map z to W+.

        z: `[B, z_dim]`, standard normal.
        c: `[B, c_dim]` one-hot labels; needed by, and only by, a conditional generator.
        truncation_psi: 1 keeps w, 0 gives the average w; StyleGAN's truncation trick, w_avg + psi·(w − w_avg).
        truncation_cutoff: truncate only the layers before this one; None for all.
        Returns float32 `[B, num_ws, w_dim]`. `StyleMixError` on wrong shapes or a missing label.
        """
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise StyleMixError(
                f"z has the shape {list(z.shape)}; this generator takes [batch, {self.z_dim}]"
            )
        z = z.to(self.w_avg.device, torch.float32)
        parts = [z]
        if self.c_dim:
            if c is None or c.shape != (len(z), self.c_dim):
                found = "no label" if c is None else f"labels of shape {list(c.shape)}"
                raise StyleMixError(
                    f"this generator is conditional: it takes one-hot labels of shape [{len(z)}, {self.c_dim}], "
                    f"but was given {found}"
                )
            parts.append(self.embed(c.to(z)))
        if self.joint_labels:
            x = normalize(torch.cat(parts, dim=1))
        else:
            x = torch.cat([normalize(part) for part in parts], dim=1)
        for i in range(self.num_layers):
            x = F.leaky_relu(getattr(self, f"fc{i}")(x), LRELU_SLOPE) * LRELU_GAIN
        w = x.unsqueeze(1).repeat(1, self.num_ws, 1)  # [B, L, D]
        return self.truncate(w, truncation_psi, truncation_cutoff)


def normalize(x: torch.Tensor) -> torch.Tensor:
    """Scale every row to a mean square of one."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)
