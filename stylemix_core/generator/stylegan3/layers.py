"""The layers of the network."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..engine.maps import by_maps
from ..engine.stages import Drawn, Rowwise, Stage, Styled
from ..engine.styles import Squares, Style
from ..linear import EqualLinear
from .config import LayerConfig, StyleGAN3Config
from .input import POSE, SynthesisInput
from .ops import Resampling, filtered_lrelu_in_strips, styled_convolution


class SynthesisLayer(Styled):
    """Modulated convolution, bias and filtered leaky ReLU (figure 4b)."""

    magnitude_ema: torch.Tensor
    up_filter: torch.Tensor | None
    down_filter: torch.Tensor | None

    def __init__(self, config: StyleGAN3Config, layer: LayerConfig):
        super().__init__()
        self.layer, self.to_rgb = layer, layer.to_rgb
        self.affine = EqualLinear(config.w_dim, layer.in_channels, bias_init=1.0)
        self.weight = nn.Parameter(
            torch.randn(layer.out_channels, layer.in_channels, layer.kernel, layer.kernel)
        )
        self.squares = Squares()
        self.bias = nn.Parameter(torch.zeros(layer.out_channels))
        self.register_buffer("magnitude_ema", torch.ones([]))
        for name, shape in (("up_filter", layer.up_shape), ("down_filter", layer.down_shape)):
            self.register_buffer(name, None if shape is None else torch.empty(shape))

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "SynthesisLayer":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.squares.forget()  # the weights moved or changed their type
        return self

    def forward(self, x: torch.Tensor, style: Style) -> torch.Tensor:
        # [B, I, H, W] → [B, O, H', W']
        return self.coloured(x, style) if self.to_rgb else self.resampled(x, style, self.resampling())

    def coloured(self, x: torch.Tensor, style: Style) -> torch.Tensor:
        """A to-RGB: x → colours, `[B, C, H', W']`."""
        weight = self.weight[:, :, 0, 0] * self.magnitude_ema.rsqrt()
        rgb = F.pad(style.colour(x.to(weight.dtype), weight, self.bias), self.layer.padding)
        return rgb if self.layer.clamp is None else rgb.clamp(-self.layer.clamp, self.layer.clamp)

    def resampled(self, x: torch.Tensor, style: Style, how: Resampling, padded: bool = False) -> torch.Tensor:
        """Any other layer. padded: whether x has the convolution's padding above and below."""
        gain, squares = self.magnitude_ema.rsqrt(), self.squares(self.weight)
        x = x.to(self.weight.dtype)

        def convolve(part: slice) -> torch.Tensor:
            convolution = styled_convolution(self.weight[part], squares[part], padded)
            return style.convolve(x, convolution, gain, self.bias[part])

        return by_maps(x, self.layer.out_channels, convolve, lambda maps: filtered_lrelu_in_strips(maps, how))

    def resampling(self) -> Resampling:
        """How its leaky ReLU is computed."""
        layer, none = self.layer, self.bias.new_ones(1, dtype=torch.float32)  # where the sampling stays
        up = none if self.up_filter is None else self.up_filter
        down = none if self.down_filter is None else self.down_filter
        return Resampling(up, down, layer.up, layer.down, layer.padding, layer.clamp)


class InputStage(Stage):
    """The Fourier features."""

    def __init__(self, config: StyleGAN3Config, features: SynthesisInput):
        super().__init__()
        self.resolution, self.channels = config.input_size, config.input_channels
        self.shape = (config.input_size, config.input_size)
        self.features = features

    @property
    def rate(self) -> int:
        return round(self.features.sampling_rate)

    def fields(self) -> Mapping[int, int]:
        return {self.resolution: self.rate}

    def styled(self) -> Sequence[Styled]:
        return [self.features]

    def forward(
        self,
        x: torch.Tensor | None,
        image: torch.Tensor | None,
        styles: Sequence[Style],
        noises: Sequence[torch.Tensor | None],
    ) -> Drawn:
        whole = self.features.weight.new_ones(len(styles[0]), POSE, 1, 1)
        return self.features(whole, styles[0]), None


class LayerStage(Stage):
    """One layer; the last one's maps, scaled, are the picture."""

    def __init__(self, config: StyleGAN3Config, layer: SynthesisLayer):
        super().__init__()
        self.resolution, self.channels = layer.layer.out_size, layer.layer.out_channels
        self.shape = (layer.layer.out_size, layer.layer.out_size)
        self.layer, self.output_scale = layer, config.output_scale

    @property
    def rate(self) -> int:
        return self.layer.layer.sampling_rate

    def fields(self) -> Mapping[int, int]:
        layer = self.layer.layer
        convolved = layer.in_size + layer.kernel - 1  # at the input's rate
        before = max(layer.down * layer.sampling_rate // layer.up, 1)
        return {convolved: before, layer.out_size: layer.sampling_rate}

    def styled(self) -> Sequence[Styled]:
        return [self.layer]

    def derived(self) -> Sequence[object]:
        return [self.layer.squares.known]

    def rowwise(self) -> Rowwise | None:
        return None if self.layer.to_rgb and any(self.layer.layer.padding) else self

    def reach(self, first: int, last: int) -> tuple[int, int]:
        if self.layer.to_rgb:
            return first, last
        above, below, _ = self.of_rows(first, last)
        return above - self.layer.layer.kernel + 1, below

    def rows(self, x: torch.Tensor, style: Style, first: int, last: int) -> torch.Tensor:
        if self.layer.to_rgb:
            return self.layer.coloured(x, style).float() * self.output_scale
        return self.layer.resampled(x, style, self.of_rows(first, last)[2], padded=True)

    def of_rows(self, first: int, last: int) -> tuple[int, int, Resampling]:
        """`Resampling.of_rows` of the convolution's result."""
        layer = self.layer.layer
        return self.layer.resampling().of_rows(first, last, layer.in_size + layer.kernel - 1)

    def forward(
        self,
        x: torch.Tensor | None,
        image: torch.Tensor | None,
        styles: Sequence[Style],
        noises: Sequence[torch.Tensor | None],
    ) -> Drawn:
        assert x is not None
        x = self.layer(x, styles[0])
        return x, x.float() * self.output_scale if self.layer.to_rgb else None
