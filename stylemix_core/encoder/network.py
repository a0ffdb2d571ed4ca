"""pSp's encoder (Richardson et al. 2021, arXiv:2008.00951), with its authors' tensor names.

`GradualStyleEncoder`: an IR-SE50 body, a feature pyramid over its last three stages, and one small
convolutional head ("map2style") for every w of the W+ code. Widths and depths are configurable, so
that the same build serves both the published 256 px models and the small bundled one.
"""

import math
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..device import exact_convolutions
from ..errors import CheckpointError, StyleMixError
from ..generator.network import EqualLinear
from ..images import resize
from ..weights import adopt, without_numbers

HEAD_SLOPE = 0.01
"""Negative slope of the leaky ReLU inside the style heads."""


@dataclass(frozen=True)
class EncoderConfig:
    """What shape an encoder has. The defaults are pSp's for a 1024 px generator."""

    num_ws: int = 18
    """Number of w vectors of the codes it writes."""
    w_dim: int = 512
    """Length of one w vector."""
    input_size: int = 256
    """Width and height of the pictures it reads, a power of two."""
    input_nc: int = 3
    """Channels of the pictures it reads."""
    stage_channels: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of the body's four stages; the first is the stem's too, the last the pyramid's."""
    stage_units: tuple[int, ...] = (3, 4, 14, 3)
    """Residual units of each stage; a stage's first unit halves the picture."""
    style_channels: int = 512
    """Channels inside a style head."""
    coarse_ws: int = 3
    """Heads 0 … `coarse_ws` − 1 read the smallest features, 1/16 of the picture."""
    middle_ws: int = 7
    """Heads `coarse_ws` … `middle_ws` − 1 read 1/8 of the picture, all later ones 1/4."""
    se_reduction: int = 16
    """Squeeze factor of the channel attention."""

    def __post_init__(self):
        # JSON metadata brings lists.
        object.__setattr__(self, "stage_channels", tuple(self.stage_channels))
        object.__setattr__(self, "stage_units", tuple(self.stage_units))
        if len(self.stage_channels) != 4 or len(self.stage_units) != 4:
            raise StyleMixError(
                f"the encoder has {len(self.stage_channels)} stage widths and {len(self.stage_units)} stage "
                "depths; expected 4 of each"
            )
        if self.input_size < 32 or self.input_size & (self.input_size - 1):
            raise StyleMixError(
                f"the encoder's input_size is {self.input_size}; expected a power of two from 32 up"
            )

    @property
    def levels(self) -> tuple[int, ...]:
        """For every w the pyramid level that it is read from: 0 coarse, 1 middle, 2 fine."""
        return tuple((i >= self.coarse_ws) + (i >= self.middle_ws) for i in range(self.num_ws))

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> "EncoderConfig":
        """Read the configuration off the tensors' shapes (pSp's names without the prefix `encoder.`).

        A new stage is seen by its change of channels. `CheckpointError` when a tensor lacks or the
        build is another one.
        """
        try:
            widths: list[int] = []
            while f"body.{len(widths)}.res_layer.1.weight" in shapes:
                widths.append(shapes[f"body.{len(widths)}.res_layer.1.weight"][0])
            stages = [width for i, width in enumerate(widths) if i == 0 or width != widths[i - 1]]
            if len(stages) != 4:
                raise CheckpointError(
                    f"the encoder's body has {len(widths)} residual units in {len(stages)} widths; expected "
                    "four widths, as in pSp's IR-SE50"
                )
            convs: list[int] = []
            while f"styles.{len(convs)}.linear.weight" in shapes:
                prefix = f"styles.{len(convs)}.convs."
                convs.append(sum(name.startswith(prefix) and name.endswith(".weight") for name in shapes))
            if "styles.0.linear.weight" not in shapes or "latlayer1.weight" not in shapes:
                raise CheckpointError(
                    "this encoder has no style heads over a pyramid of features; expected pSp's "
                    "GradualStyleEncoder"
                )
            return cls(
                num_ws=len(convs),
                w_dim=shapes["styles.0.linear.weight"][0],
                input_size=16 << convs[0],
                input_nc=shapes["input_layer.0.weight"][1],
                stage_channels=tuple(stages),
                stage_units=tuple(widths.count(width) for width in stages),
                style_channels=shapes["styles.0.linear.weight"][1],
                coarse_ws=convs.count(convs[0]),
                middle_ws=convs.count(convs[0]) + convs.count(convs[0] + 1),
                se_reduction=widths[0] // shapes["body.0.res_layer.5.fc1.weight"][0],
            )
        except KeyError as missing:
            raise CheckpointError(
                f"the encoder lacks the tensor {missing}; expected pSp's GradualStyleEncoder on an IR-SE50 "
                "body"
            ) from None


class Encoder(nn.Module):
    """Pictures → W+.

    Attributes: `num_ws`, `w_dim`, `input_size`, `config`, `latent_avg` `[num_ws, w_dim]`, and `generator`,
    the fingerprint (`Generator.fingerprint()`) of the generator that the codes are meant for, and `source`, the
    name of the file that it was loaded from, each None where unknown.
    """

    latent_avg: torch.Tensor
    generator: str | None = None
    source: str | None = None

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.num_ws, self.w_dim, self.input_size = config.num_ws, config.w_dim, config.input_size

        width = config.stage_channels[0]
        self.input_layer = nn.Sequential(
            nn.Conv2d(config.input_nc, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.PReLU(width),
        )
        units = []
        for channels, count in zip(config.stage_channels, config.stage_units, strict=True):
            for i in range(count):
                units.append(
                    ResidualUnit(width, channels, stride=1 if i else 2, reduction=config.se_reduction)
                )
                width = channels
        self.body = nn.ModuleList(units)
        convs = int(math.log2(config.input_size // 16))
        self.styles = nn.ModuleList(
            StyleHead(width, config.style_channels, config.w_dim, convs + level) for level in config.levels
        )
        self.latlayer1 = nn.Conv2d(config.stage_channels[2], width, 1)
        self.latlayer2 = nn.Conv2d(config.stage_channels[1], width, 1)
        self.register_buffer("latent_avg", torch.zeros(config.num_ws, config.w_dim))

    @classmethod
    def from_state_dict(cls, config: EncoderConfig, state_dict: Mapping[str, torch.Tensor]) -> "Encoder":
        """An encoder that holds `state_dict` itself, without initialising or copying weights first.

        `latent_avg` may be `[num_ws, w_dim]`, `[1, w_dim]` or `[w_dim]` (repeated), or absent (zeros).
        `CheckpointError` names the tensors that are missing or of another shape.
        """
        with without_numbers():
            encoder = cls(config)
        given: ChainMap[str, torch.Tensor] = ChainMap({}, state_dict)  # type: ignore[arg-type]
        average = given.get("latent_avg", torch.zeros(config.w_dim))
        if average.numel() == config.w_dim:
            given["latent_avg"] = average.reshape(1, -1).repeat(config.num_ws, 1)
        for name in encoder.state_dict():
            # Only training reads this counter, and files written before PyTorch 0.4.1 lack it.
            if name.endswith("num_batches_tracked"):
                given.setdefault(name, torch.tensor(0))
        return adopt(encoder, given, "encoder")

    @property
    def dtype(self) -> torch.dtype:
        """Precision of everything but the last linear layers."""
        return self.latlayer1.weight.dtype

    def set_dtype(self, dtype: torch.dtype) -> "Encoder":
        """Compute features in `dtype`. The last linear layers and the average stay float32."""
        for module in (self.input_layer, self.body, self.latlayer1, self.latlayer2):
            module.to(dtype)
        for head in self.styles:
            head.convs.to(dtype)
        return self

    def forward(self, images: torch.Tensor, iterations: int = 1) -> torch.Tensor:
        """Encode pictures.

        images: `[B, input_nc, H, W]` in −1…1, of any size: other sizes than `input_size` are resized.
        iterations: for encoders that refine their codes; pSp's does not, and takes 1.
        Returns float32 W+ `[B, num_ws, w_dim]` with the latent average added. `StyleMixError` when an argument
        does not fit.
        """
        if iterations != 1:
            raise StyleMixError(
                f"iterations is {iterations}, but this pSp encoder does not iterate; leave it at 1"
            )
        if images.ndim != 4 or images.shape[1] != self.config.input_nc:
            raise StyleMixError(
                f"the pictures have the shape {list(images.shape)}; this encoder takes "
                f"[batch, {self.config.input_nc}, height, width]"
            )
        images = resize(images.float(), self.input_size, self.input_size)
        x = images.to(self.latent_avg.device, self.dtype).contiguous(memory_format=torch.channels_last)
        with exact_convolutions(x):
            return self.codes(x) + self.latent_avg  # [B, L, D]

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """The network itself, without the average: `[B, input_nc, input_size, input_size]` → `[B, L, D]`."""
        x = self.input_layer(x)
        stages = []
        units = iter(self.body)
        for count in self.config.stage_units:
            for _ in range(count):
                x = next(units)(x)
            stages.append(x)
        _, c1, c2, c3 = stages  # input_size/2, /4, /8, /16
        p2 = upsample_add(c3, self.latlayer1(c2))
        p1 = upsample_add(p2, self.latlayer2(c1))
        pyramid = (c3, p2, p1)
        codes = [head(pyramid[level]) for head, level in zip(self.styles, self.config.levels, strict=True)]
        return torch.stack(codes, dim=1)


class ResidualUnit(nn.Module):
    """IR-SE unit: batch norm, two 3×3 convolutions, batch norm, channel attention, plus the shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int, reduction: int):
        super().__init__()
        self.shortcut_layer: nn.Module
        if in_channels == channels:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, channels, 3, padding=1, bias=False),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            ChannelAttention(channels, reduction),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class ChannelAttention(nn.Module):
    """Squeeze and excitation (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squeezed = x.mean([2, 3], keepdim=True)  # [B, C, 1, 1]
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(squeezed))))


class StyleHead(nn.Module):
    """One w from features: 3×3 convolutions with stride 2 until one pixel is left, then a linear layer."""

    def __init__(self, in_channels: int, channels: int, w_dim: int, num_convs: int):
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(num_convs):
            layers.append(nn.Conv2d(channels if i else in_channels, channels, 3, stride=2, padding=1))
            layers.append(nn.LeakyReLU(HEAD_SLOPE))
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(channels, w_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.convs(x).flatten(1).float())  # [B, D]


def upsample_add(x: torch.Tensor, lateral: torch.Tensor) -> torch.Tensor:
    """The coarser pyramid level x, brought to the size of `lateral`, plus `lateral`."""
    return F.interpolate(x, size=lateral.shape[2:], mode="bilinear", align_corners=True) + lateral
