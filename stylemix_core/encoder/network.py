"""The encoders of pSp (Richardson et al. 2021, arXiv:2008.00951), e4e (Tov et al. 2021, arXiv:2102.02766) and
ReStyle (Alaluf et al. 2021, arXiv:2104.02699), with their authors' tensor names.

All are one build: a body that finds features at 1/2 … 1/16 of the picture's size, and heads that make W+ codes of
them. `KINDS` says which body and which heads; widths and depths are configurable, so that the published 256 px
models and the small bundled one are the same code.
"""

import math
from collections import ChainMap
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from ..device import exact_convolutions
from ..errors import CheckpointError, StyleMixError
from ..files.info import CheckpointInfo
from ..generator import Generator
from ..generator.linear import EqualLinear
from ..images import average
from ..networks import adopt, without_numbers
from .body import residual_units
from .config import EncoderConfig
from .convolution import Conv3x3
from .pictures import fit, network_input

HEAD_SLOPE = 0.01
"""Negative slope of the leaky ReLU inside the style heads."""

LAST_POOL = 7
"""Side of the features that the last-layer W+ encoder reads."""

ITERATIONS = 5
"""How often an iterative encoder refines its codes unless told otherwise."""


class Encoder(nn.Module):
    """Pictures → W+.

    Attributes: `num_ws`, `w_dim`, `input_size`, `config`, `latent_avg` `[num_ws, w_dim]`, and `generator`,
    the fingerprint (`Generator.fingerprint()`) of the generator that the codes are meant for, and `info`, what
    `inspect_checkpoint` says of the file that it was loaded from, each None where unknown. `decoder` is the
    generator itself where the encoder needs it to refine codes, else None.
    """

    latent_avg: torch.Tensor
    decoder: Generator | None
    generator: str | None = None
    info: CheckpointInfo | None = None
    tf32 = False
    """Whether float32 may be TF32; see `device.TF32`."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.num_ws, self.w_dim, self.input_size = config.num_ws, config.w_dim, config.input_size

        width = config.stage_channels[0]
        if config.traits.body == "resnet34":
            self.conv1 = nn.Conv2d(config.input_nc, width, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.relu = nn.PReLU(width)
        else:
            self.input_layer = nn.Sequential(
                nn.Conv2d(config.input_nc, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.PReLU(width),
            )
        self.body = nn.ModuleList(residual_units(config))

        width, heads = config.stage_channels[3], config.traits.heads
        if heads == "w":
            self.linear = EqualLinear(width, config.w_dim)
        elif heads == "w+":
            self.output_layer_2 = nn.Sequential(
                nn.BatchNorm2d(width),
                nn.AdaptiveAvgPool2d(LAST_POOL),
                nn.Flatten(),
                nn.Linear(width * LAST_POOL**2, config.w_dim),
            )
            self.linear = EqualLinear(config.w_dim, config.w_dim * config.num_ws)
        else:
            convs = int(math.log2(config.input_size // 16))
            self.styles = nn.ModuleList(
                StyleHead(width, config.style_channels, config.w_dim, convs + level)
                for level in config.levels
            )
        if heads == "pyramid":
            self.latlayer1 = nn.Conv2d(config.stage_channels[2], width, 1)
            self.latlayer2 = nn.Conv2d(config.stage_channels[1], width, 1)
        self.errors = ErrorBars(width, config.num_ws) if config.error_bars else None
        self.register_buffer("latent_avg", torch.zeros(config.num_ws, config.w_dim))
        self.register_module("decoder", None)

    @classmethod
    def from_state_dict(
        cls,
        config: EncoderConfig,
        state_dict: Mapping[str, torch.Tensor],
        decoder: Generator | None = None,
    ) -> "Encoder":
        """An encoder that holds `state_dict` itself, without initialising or copying weights first.

        `latent_avg` may be `[num_ws, w_dim]`, `[1, w_dim]` or `[w_dim]` (repeated), or absent (zeros).
        decoder: the generator of an iterative encoder.
        `CheckpointError` names the tensors that are missing or of another shape.
        """
        with without_numbers():
            encoder = cls(config)
        given: ChainMap[str, torch.Tensor] = ChainMap({}, state_dict)  # type: ignore[arg-type]
        average = given.get("latent_avg", torch.zeros(config.w_dim))
        if average.numel() == config.w_dim:
            given["latent_avg"] = average.reshape(1, -1).repeat(config.num_ws, 1)
        encoder = adopt(encoder, given, "encoder")
        if config.iterative:
            check_decoder(config, decoder)
            encoder.decoder = decoder
        return encoder

    @property
    def iterative(self) -> bool:
        """Whether it refines its codes in several iterations, as ReStyle's encoders do."""
        return self.config.iterative

    @property
    def dtype(self) -> torch.dtype:
        """Precision of everything but the last linear layers."""
        return next(self.body.parameters()).dtype

    def set_dtype(self, dtype: torch.dtype) -> "Encoder":
        """Compute features in `dtype`. The last linear layers and the average stay float32."""
        for name, module in self.named_children():
            if name not in ("decoder", "styles", "linear"):
                module.to(dtype)
        if hasattr(self, "styles"):
            for head in self.styles:
                head.convs.to(dtype)
        if self.decoder is not None:
            self.decoder.set_dtype(dtype)
        return self

    def fit(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures `[B, C, H, W]` in the size that the encoder reads, otherwise as they are."""
        return fit(images, self.config)

    def forward(self, images: torch.Tensor, iterations: int | None = None) -> torch.Tensor:
        """Encode pictures.

        images: `[B, 3, H, W]` in −1…1, of any size; other sizes than the encoder's are resized. Encoders of
            sketches read them as grey, those of label maps take the grey level 0…255 for the label. What such a
            network reads may also be given itself: `[B, 1, H, W]` in 0…1, or one channel per label.
        iterations: how often to refine the codes; None for 5 where the encoder does so (ReStyle), and else for 1,
            the only number that other encoders take.
        Returns float32 W+ `[B, num_ws, w_dim]` with the latent average added. `StyleMixError` when an argument
        does not fit.
        """
        if iterations is None:
            iterations = ITERATIONS if self.iterative else 1
        if iterations != 1 and not self.iterative:
            raise StyleMixError(
                f"iterations is {iterations}, but this encoder ({self.config.kind}) does not iterate; leave it at 1"
            )
        if not isinstance(iterations, int) or iterations < 1:
            raise StyleMixError(f"iterations is {iterations}; give a whole number from 1 up, usually 5")
        x = network_input(images, self.config).to(self.latent_avg.device)
        with exact_convolutions(x, self.tf32):
            if self.iterative:
                return self.refine(x, iterations)
            return self.codes(x) + self.latent_avg  # [B, L, D]

    def refine(self, pictures: torch.Tensor, iterations: int) -> torch.Tensor:
        """ReStyle (its section 3): what a code's picture still lacks gives the step to the next code.

        w₀ is the average, w₊ = w + E([picture ‖ G(w)]). Of the average one picture is drawn for the whole batch.
        """
        w = self.latent_avg[None]  # [1, L, D], from the first step on [B, L, D]
        for _ in range(iterations):
            drawn = self.draw(w).expand(len(pictures), -1, -1, -1)
            w = w + self.codes(torch.cat([pictures, drawn], dim=1))
        return w

    def draw(self, w: torch.Tensor) -> torch.Tensor:
        """The decoder's pictures of W+ codes in the size that the encoder reads, the middle of them if it is lower."""
        assert self.decoder is not None  # `from_state_dict` gives one to every iterative encoder
        height, width = self.config.input_shape
        images = average(self.decoder.synthesis(w, noise_mode="const"), width, width)
        return images[:, :, (width - height) // 2 :][:, :, :height]

    def with_error_bars(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode pictures, and tell how wrong each w may be.

        images: as for `forward`.
        Returns W+ `[B, num_ws, w_dim]` and its `ErrorBars`, `[B, num_ws, len(SURE)]`. `StyleMixError` when this encoder
        has none.
        """
        if self.errors is None:
            raise StyleMixError(
                "this encoder does not tell how wrong its codes may be; train one with `stylemix train-encoder`"
            )
        x = network_input(images, self.config).to(self.latent_avg.device)
        with exact_convolutions(x, self.tf32):
            features = self.features(x)
            return self.codes_of(features) + self.latent_avg, self.errors.bars(features[-1])

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """The network itself, without the average: `[B, input_nc, height, width]` → `[B, L, D]`."""
        return self.codes_of(self.features(x))

    def codes_of(self, features: list[torch.Tensor]) -> torch.Tensor:
        """The codes of what `features` found, without the average, `[B, L, D]`."""
        config = self.config
        _, c1, c2, c3 = features
        heads = config.traits.heads
        if heads == "w":
            w: torch.Tensor = self.linear(c3.float().mean([2, 3]))
            return w[:, None].expand(-1, config.num_ws, -1)
        if heads == "w+":
            all_w: torch.Tensor = self.linear(self.output_layer_2(c3).float())
            return torch.unflatten(all_w, 1, (config.num_ws, config.w_dim))
        pyramid = [c3]
        if heads == "pyramid":
            pyramid.append(upsample_add(c3, self.latlayer1(c2)))
            pyramid.append(upsample_add(pyramid[1], self.latlayer2(c1)))
        codes = [head(pyramid[level]) for head, level in zip(self.styles, config.levels, strict=True)]
        if config.traits.progressive:
            codes[1:] = [codes[0] + delta for delta in codes[1:]]
        return torch.stack(codes, dim=1)

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What the four stages find, at 1/2, 1/4, 1/8 and 1/16 of the picture's size."""
        x = x.to(self.dtype).contiguous(memory_format=torch.channels_last)
        resnet = self.config.traits.body == "resnet34"
        x = self.relu(self.bn1(self.conv1(x))) if resnet else self.input_layer(x)
        stages = []
        units = iter(self.body)
        for count in self.config.stage_units:
            for _ in range(count):
                x = next(units)(x)
            stages.append(x)
        return stages


class StyleHead(nn.Module):
    """One w from features: 3×3 convolutions with stride 2 until one pixel is left, then a linear layer."""

    def __init__(self, in_channels: int, channels: int, w_dim: int, num_convs: int):
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(num_convs):
            layers.append(Conv3x3(channels if i else in_channels, channels, stride=2, bias=True))
            layers.append(nn.LeakyReLU(HEAD_SLOPE, inplace=True))
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(channels, w_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w: torch.Tensor = self.linear(self.convs(x).flatten(1).float())
        return w  # [B, D]


SURE = (0.5, 0.8, 0.95)
"""How many errors lie below each of the bars."""


class ErrorBars(nn.Module):
    """How wrong each w may be, seen from the picture's features.

    A small network tells the usual error; the bars are multiples of it, one for each layer and each of `SURE`, which
    held-out samples gave (split conformal prediction: Lei et al. 2018, arXiv:1604.04173), so that as many errors lie
    below as `SURE` says, as far as pictures are like those samples.
    Errors are root mean squares of what the w makes in the generator, its styles, in units of their spread: 0 is exact,
    1 no better than the average code.
    """

    factors: torch.Tensor
    """`[num_ws, len(SURE)]`."""

    def __init__(self, channels: int, num_ws: int, width: int = 64):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * channels, width), nn.PReLU(width), nn.Linear(width, num_ws))
        self.register_buffer("factors", torch.ones(num_ws, len(SURE)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The natural logarithm of the usual errors, `[B, num_ws]`, of features `[B, C, h, w]`."""
        features = features.float()
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        told: torch.Tensor = self.layers(pooled)
        return told

    def bars(self, features: torch.Tensor) -> torch.Tensor:
        """The errors below which the shares `SURE` lie, `[B, num_ws, len(SURE)]`."""
        return self(features).exp()[..., None] * self.factors


def upsample_add(x: torch.Tensor, lateral: torch.Tensor) -> torch.Tensor:
    """The coarser pyramid level x, brought to the size of `lateral`, plus `lateral`."""
    return F.interpolate(x, size=lateral.shape[2:], mode="bilinear", align_corners=True) + lateral


def check_decoder(config: EncoderConfig, decoder: Generator | None) -> None:
    """`CheckpointError` unless the iterative encoder `config` can refine codes with `decoder`."""
    if decoder is None:
        raise CheckpointError(
            f"this encoder ({config.name}) refines its codes with the generator that it was trained for, but "
            "the file holds no generator; use the original .pt file, or convert encoder and generator into one file"
        )
    if decoder.img_shape[0] != decoder.img_shape[1]:
        height, width = decoder.img_shape
        raise CheckpointError(
            f"this encoder ({config.name}) looks at its generator's pictures as squares, but the generator in the file "
            f"draws {width}×{height}; the generator can be loaded alone"
        )
    needed = (config.num_ws, config.w_dim, config.picture_nc)
    found = (decoder.num_ws, decoder.w_dim, decoder.img_channels)
    if needed != found:
        raise CheckpointError(
            f"the encoder refines codes of {needed[0]} w vectors of {needed[1]} by {needed[2]}-channel pictures, but "
            f"the generator in the file takes {found[0]} of {found[1]} and draws {found[2]} channels"
        )
