"""What pictures grow from: Fourier features, turned and shifted by w (section 3.2; appendix D)."""

import math

import torch
from torch import nn

from ..engine.stages import Styled
from ..engine.styles import UniformStyle
from ..linear import EqualLinear
from .config import StyleGAN3Config

POSE = 4
"""Style channels: r_c, r_s, t_x, t_y."""


class SynthesisInput(Styled):
    """w → (r_c, r_s, t_x, t_y): rotation and translation of the whole picture → Fourier features, mixed."""

    transform: torch.Tensor
    freqs: torch.Tensor
    phases: torch.Tensor

    def __init__(self, config: StyleGAN3Config):
        super().__init__()
        channels = config.input_channels
        self.size, self.sampling_rate, self.bandwidth = config.input_size, config.input_rate, config.bandwidth
        self.affine = EqualLinear(config.w_dim, POSE)
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", torch.randn(channels, 2))
        self.register_buffer("phases", torch.zeros(channels))

    def forward(self, x: torch.Tensor, style: UniformStyle) -> torch.Tensor:
        # x [B, POSE, 1, 1], what the style scales: ones. style of POSE channels, or of POSE + 6 where the picture is
        # moved → [B, C, H, W]
        matrix = self.inverse(style.values)  # [B, 2, 3]
        phases = self.phases + (self.freqs @ matrix[:, :, 2:]).squeeze(2)  # [B, C]
        freqs = self.freqs @ matrix[:, :, :2]  # [B, C, 2]
        # Frequencies that the sampling could not hold fade out.
        above = (freqs.norm(dim=2) - self.bandwidth) / (self.sampling_rate / 2 - self.bandwidth)
        amplitudes = (1 - above).clamp(0, 1)

        pixels = torch.arange(self.size, device=freqs.device, dtype=torch.float32)
        axis = (pixels - (self.size - 1) / 2) / self.sampling_rate  # the picture reaches from −½ to ½
        turns = axis[:, None, None] * freqs[:, None, None, :, 1] + axis[:, None] * freqs[:, None, None, :, 0]
        waves = torch.sin((turns + phases[:, None, None]) * (2 * math.pi)) * amplitudes[:, None, None]
        x = waves @ (self.weight.t() / math.sqrt(len(self.weight)))  # [B, H, W, C]
        return x.permute(0, 3, 1, 2)  # channels-last

    def inverse(self, style: torch.Tensor) -> torch.Tensor:
        """Where the features of every place come from, `[B, 2, 3]`: style first, then the stored transform, then the
        user's."""
        pose = style[:, :POSE] / style[:, :2].norm(dim=1, keepdim=True)
        cos, sin, x, y = pose.unbind(1)
        # Rotation after translation, both inverse.
        rows = (cos, -sin, sin * y - cos * x, sin, cos, -sin * x - cos * y)
        own = torch.stack(rows, 1).view(-1, 2, 3)
        matrix = joined(own, self.transform[:2].expand(len(own), -1, -1))
        return joined(matrix, style[:, POSE:].view(-1, 2, 3)) if style.shape[1] > POSE else matrix


def joined(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The product of affine maps `[B, 2, 3]`, whose third row is 0, 0, 1."""
    turn = first[:, :, :2] @ second[:, :, :2]
    return torch.cat([turn, first[:, :, :2] @ second[:, :, 2:] + first[:, :, 2:]], 2)


def inverse_motion(translate: torch.Tensor, rotate: torch.Tensor) -> torch.Tensor:
    """The inverse of turning pictures by `rotate` `[B]` degrees, then shifting them by `translate` `[B, 2]` widths.

    Returns the first two rows of the matrix, `[B, 6]`.
    Positive angles turn it counter-clockwise as seen, positive shifts move it right and down.
    """
    angle = rotate * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    x, y = translate.unbind(1)
    return torch.stack((cos, -sin, sin * y - cos * x, sin, cos, -sin * x - cos * y), 1)
