"""The network that tells a person from the background: MediaPipe's selfie segmentation, the general model.

A small MobileNetV3 (Howard et al. 2019, arXiv:1905.02244) and a decoder that takes the encoder's maps up again, each
stage gated by what its map and the coarser one have on average. The weights are Google's (see NOTICE); the order of the
layers here is the order in which their file runs them. It was made for photographs, and knows few drawings.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from ..images import resize
from .networks import Convolution, load


class Gate(nn.Module):
    """How much every channel counts, 0…1, by its mean over the picture (squeeze and excitation, Hu et al. 2018)."""

    def __init__(self, channels: int, middle: int):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, middle, 1)
        self.excite = nn.Conv2d(middle, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))).sigmoid()


class InvertedResidual(nn.Module):
    """Widened, filtered channel by channel, weighed by a gate if there is one, and made narrow again."""

    def __init__(
        self,
        in_channels: int,
        wide: int,
        out_channels: int,
        size: int = 5,
        stride: int = 1,
        gate: int = 0,
        activation: type[nn.Module] = nn.Hardswish,
    ):
        super().__init__()
        self.expand = Convolution(in_channels, wide, 1)
        self.depthwise = Convolution(wide, wide, size, stride, groups=wide)
        self.gate = Gate(wide, gate) if gate else None
        self.project = Convolution(wide, out_channels, 1)
        self.activation = activation()
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.activation(self.depthwise(self.activation(self.expand(x))))
        if self.gate is not None:
            wide = wide * self.gate(wide)
        narrow: torch.Tensor = self.project(wide)
        return narrow + x if self.residual else narrow


class Refine(nn.Module):
    """Twice the size: the coarse map, narrowed, and the encoder's map of that size, gated by the two."""

    def __init__(self, coarse_channels: int, channels: int):
        super().__init__()
        self.narrow = nn.Conv2d(coarse_channels, channels, 1)
        self.gate = Gate(channels, channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.depthwise = Convolution(channels, channels, 3, groups=channels)

    def forward(self, coarse: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = self.narrow(resize(coarse, *skip.shape[2:]))
        x = F.relu(self.pointwise(skip * self.gate(skip + x) + x))
        return x + F.relu(self.depthwise(x))


class PersonNet(nn.Module):
    """Pictures `[B, 3, 256, 256]` in 0…1 → how surely every pixel is a person, `[B, 1, 256, 256]` in 0…1."""

    def __init__(self) -> None:
        super().__init__()
        relu = nn.ReLU
        self.stem = Convolution(3, 16, 3, 2)  # 128²
        self.down64 = InvertedResidual(16, 16, 16, 3, 2, gate=8, activation=relu)  # 64²
        self.down32 = nn.Sequential(  # 32²
            InvertedResidual(16, 72, 24, 3, 2, activation=relu),
            InvertedResidual(24, 88, 24, 3, activation=relu),
        )
        self.down16 = nn.Sequential(  # 16²
            InvertedResidual(24, 96, 32, stride=2, gate=24),
            InvertedResidual(32, 128, 32, gate=32),
            InvertedResidual(32, 128, 32, gate=32),
            InvertedResidual(32, 96, 32, gate=24),
            InvertedResidual(32, 96, 32, gate=24),
        )
        self.widen = nn.Conv2d(32, 128, 1)
        self.weigh = nn.Conv2d(32, 128, 1)
        self.up32, self.up64, self.up128 = Refine(128, 24), Refine(24, 16), Refine(16, 16)
        self.up256 = nn.ConvTranspose2d(16, 1, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        at128 = F.hardswish(self.stem(x))
        at64 = self.down64(at128)
        at32 = self.down32(at64)
        at16 = self.down16(at32)
        weight = self.weigh(at16.mean((2, 3), keepdim=True)).sigmoid()
        x = F.relu(self.widen(at16)) * weight
        x = self.up128(self.up64(self.up32(x, at32), at64), at128)
        person: torch.Tensor = self.up256(x).sigmoid()
        return person


@cache
def person_net() -> PersonNet:
    """The network with its weights, on the CPU; read once."""
    with torch.device("meta"):
        network = PersonNet()
    return load(network, "person")


@torch.inference_mode()
def find_person(images: torch.Tensor) -> torch.Tensor:
    """How surely every pixel of pictures `[B, 3, 256, 256]` in −1…1 is a person: float32 `[B, 256, 256]` in 0…1."""
    return person_net()((images + 1) / 2)[:, 0]
