"""z → w (StyleGAN2 section 2; ADA for class labels; StyleGAN3 takes the same)."""

from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import StyleMixError
from .engine.steps import LRELU_GAIN, LRELU_SLOPE
from .family import Mapping
from .linear import EqualLinear

MAPPING_LR_MULTIPLIER = 0.01
"""How much slower than the rest the mapping was trained: its weights are stored that much larger."""


class MappingConfig(Protocol):
    """What a mapping is built from."""

    @property
    def z_dim(self) -> int: ...
    @property
    def c_dim(self) -> int: ...
    @property
    def w_dim(self) -> int: ...
    @property
    def num_ws(self) -> int: ...
    @property
    def mapping_layers(self) -> int: ...
    @property
    def mapping_width(self) -> int | None:
        """Features between the layers; None for `w_dim`."""
        ...

    @property
    def embed_width(self) -> int | None:
        """Length of a class label's embedding; None for `w_dim`."""
        ...

    @property
    def joint_labels(self) -> bool:
        """Whether z and the embedding are normalised as one vector, and the embedding has no bias."""
        ...


class MappingNetwork(Mapping):
    """z → w by fully connected layers, repeated to W+."""

    embed: EqualLinear | nn.Linear

    def __init__(self, config: MappingConfig):
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws = config.z_dim, config.c_dim, config.num_ws
        self.num_layers, self.joint_labels = config.mapping_layers, config.joint_labels
        features = config.z_dim + self.add_labels(config)
        for i in range(config.mapping_layers):
            width = (i < config.mapping_layers - 1 and config.mapping_width) or config.w_dim
            self.add_module(f"fc{i}", EqualLinear(features, width, lr_multiplier=MAPPING_LR_MULTIPLIER))
            features = width

    def add_labels(self, config: MappingConfig) -> int:
        """Add what labels need and the average w; the features that a label becomes, 0 without labels."""
        self.register_buffer("w_avg", torch.zeros(config.w_dim))
        if not config.c_dim:
            return 0
        width = config.embed_width or config.w_dim
        kind = partial(nn.Linear, bias=False) if config.joint_labels else EqualLinear
        self.embed = kind(config.c_dim, width)
        return width

    def embedded(self, c: torch.Tensor) -> torch.Tensor:
        """The features of one-hot labels `[B, c_dim]`."""
        features: torch.Tensor = self.embed(c)
        return features

    def centre(self, c: torch.Tensor | None) -> torch.Tensor:
        """The average w, `[w_dim]`, or of each label's class, `[B, 1, w_dim]`."""
        return self.w_avg

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
            c = c.to(z)
            parts.append(self.embedded(c))
        if self.joint_labels:
            x = normalize(torch.cat(parts, dim=1))
        else:
            x = torch.cat([normalize(part) for part in parts], dim=1)
        for i in range(self.num_layers):
            x = F.leaky_relu(getattr(self, f"fc{i}")(x), LRELU_SLOPE) * LRELU_GAIN
        w = x.unsqueeze(1).repeat(1, self.num_ws, 1)  # [B, L, D]
        return self.truncate(w, truncation_psi, truncation_cutoff, self.centre(c))


def normalize(x: torch.Tensor) -> torch.Tensor:
    """Scale every row to a mean square of one."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)
