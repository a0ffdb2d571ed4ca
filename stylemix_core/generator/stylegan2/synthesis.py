"""W+ → pictures: the blocks of the synthesis network (StyleGAN2 section 4.1, figure 7)."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from ..engine.cuts import NO_CUT, Cut, drop
from ..engine.stages import Drawn, Stage, Styled
from ..engine.styles import Style
from ..engine.synthesis import Synthesis
from .config import GeneratorConfig
from .layers import Shortcut, SynthesisLayer, ToRGB
from .ops import fir_filter, upsample


class SynthesisNetwork(Synthesis):
    """W+ → pictures through blocks b4, b8, b16 …"""

    b4: "SynthesisBlock"

    def __init__(self, config: GeneratorConfig):
        super().__init__(config.num_ws, config.w_dim, config.colour_resolutions)
        self.resolutions = config.resolutions
        in_channels = 0
        for level, channels in enumerate(config.channels):
            self.add_module(f"b{4 << level}", SynthesisBlock(config, in_channels, channels, level))
            in_channels = channels

    def blocks(self) -> list["SynthesisBlock"]:
        """b4, b8, b16 …"""
        return [getattr(self, f"b{4 << level}") for level in range(len(self.resolutions))]

    def stages(self, resolution: int | None = None) -> "list[SynthesisBlock]":
        blocks = self.blocks()
        return blocks if resolution is None else [b for b in blocks if b.resolution <= resolution]

    def styled(self) -> list[tuple[int, Styled]]:
        """Every module that takes a style, with the index of the w that gives it.

        From b8 on, a block's first convolution shares its w with the to-RGB before it.
        """
        return [
            (max(2 * i - 1, 0) + j, module)
            for i, block in enumerate(self.blocks())
            for j, module in enumerate(block.styled())
        ]

    @property
    def maps_like(self) -> torch.Tensor:
        return self.b4.const


class SynthesisBlock(Stage):
    """One size of maps: up to two convolutions, and what the architecture puts around them."""

    const: nn.Parameter
    resample_filter: torch.Tensor
    conv0: SynthesisLayer
    conv1: SynthesisLayer
    skip: Shortcut | None
    torgb: ToRGB | None

    def __init__(self, config: GeneratorConfig, in_channels: int, channels: int, level: int):
        super().__init__()
        self.shape, self.channels = config.shape_at(level), channels
        self.resolution = max(self.shape)
        self.first = in_channels == 0
        self.register_buffer("resample_filter", fir_filter())
        if self.first:
            self.const = nn.Parameter(torch.randn(channels, *self.shape))
        else:
            self.conv0 = SynthesisLayer(config, in_channels, channels, self.shape, up=True)
        self.conv1 = SynthesisLayer(config, channels, channels, self.shape)
        residual = config.architecture == "resnet" and not self.first
        self.skip = Shortcut(in_channels, channels) if residual else None
        self.torgb = ToRGB(config, channels) if self.resolution in config.colour_resolutions else None

    def convolutions(self) -> list[SynthesisLayer]:
        return [self.conv1] if self.first else [self.conv0, self.conv1]

    def styled(self) -> list[Styled]:
        return [*self.convolutions(), *([] if self.torgb is None else [self.torgb])]

    def stored_noise(self) -> list[torch.Tensor]:
        return [layer.noise_const for layer in self.convolutions()]

    def derived(self) -> list[object]:
        return [layer.squares.known for layer in self.convolutions()]

    def cuttable(self) -> "SynthesisBlock | None":
        return None if self.first else self

    def forward(
        self,
        x: torch.Tensor | None,
        image: torch.Tensor | None,
        styles: Sequence[Style],
        noises: Sequence[torch.Tensor | None],
    ) -> Drawn:
        # x [B, I, H/2, W/2], image [B, C, H/2, W/2] → [B, O, H, W], [B, C, H, W]
        if x is None:
            x = self.const.repeat(len(styles[0]), 1, 1, 1).contiguous(memory_format=torch.channels_last)
        x, rgb = self.compute(x, styles, noises)
        return x, self.add(image, rgb)

    def compute(
        self,
        x: torch.Tensor,
        styles: Sequence[Style],
        noises: Sequence[torch.Tensor | None],
        cut: Cut = NO_CUT,
    ) -> Drawn:
        """The block's maps `[B, O, H, W]` and what they add to the picture `[B, C, H, W]`, None without a to-RGB."""
        shortcut = self.skip(x) if self.skip is not None else None
        layers = self.convolutions()
        for layer, style, noise in zip(layers, styles, noises):
            x = drop(layer(x, style, noise), cut)
        if shortcut is not None:
            # The factor keeps the sum at the variance of one.
            x = (x + drop(shortcut, cut, len(layers))).mul_(math.sqrt(0.5))
        return x, None if self.torgb is None else self.torgb(x, styles[-1])

    def add(self, image: torch.Tensor | None, colours: torch.Tensor | None) -> torch.Tensor | None:
        """The picture so far and a block's colours, which need not be there (figure 7b)."""
        if image is None or colours is None:
            return colours
        return upsample(image, self.resample_filter).add_(colours)
