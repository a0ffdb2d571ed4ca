"""The bodies of the encoders: residual units that turn a picture into features of shrinking size."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from .config import EncoderConfig
from .convolution import Conv3x3


def residual_units(config: EncoderConfig) -> "Iterator[ResidualUnit | BasicBlock]":
    """All units of the body, in order.

    A stage's first unit halves the picture. In a ResNet the first stage does not: its stem has done so.
    """
    width = config.stage_channels[0]
    resnet = config.traits.body == "resnet34"
    for stage, (channels, count) in enumerate(zip(config.stage_channels, config.stage_units, strict=True)):
        for i in range(count):
            stride = 1 if i or (resnet and stage == 0) else 2
            if resnet:
                yield BasicBlock(width, channels, stride)
            else:
                yield ResidualUnit(width, channels, stride, config.se_reduction)
            width = channels


class ResidualUnit(nn.Module):
    """IR-SE unit (ArcFace, Deng et al. 2019, arXiv:1801.07698): batch norm, two 3×3 convolutions, batch norm,
    channel attention, plus the shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int, reduction: int):
        super().__init__()
        self.shortcut_layer: nn.Module
        if in_channels == channels:
            self.shortcut_layer = Stride(stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            Conv3x3(in_channels, channels),
            nn.PReLU(channels),
            Conv3x3(channels, channels, stride),
            nn.BatchNorm2d(channels),
            ChannelAttention(channels, reduction),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.res_layer[:-1](x)
        return torch.addcmul(self.shortcut_layer(x), inner, self.res_layer[-1](inner))


class Stride(nn.Module):
    """Every so many pixels in either direction, or all of them."""

    def __init__(self, step: int):
        super().__init__()
        self.step = step

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, :: self.step, :: self.step]


class ChannelAttention(nn.Module):
    """Squeeze and excitation (Hu et al. 2018, arXiv:1709.01507): how much of every channel to keep."""

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squeezed = F.avg_pool2d(x, x.shape[2:])  # [B, C, 1, 1]; of half precision faster than a mean
        return torch.sigmoid(self.fc2(F.relu(self.fc1(squeezed))))


class BasicBlock(nn.Module):
    """ResNet-34's unit (He et al. 2016, arXiv:1512.03385): two 3×3 convolutions, plus the shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = Conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = Conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.downsample(x))
