"""The shape of a StyleGAN3 generator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from ...errors import CheckpointError
from ..fingerprint import fingerprint_of

LARGEST_MAPS = 4096 + 256
"""Pixels of a side, beyond any published network."""
LARGEST_FACTOR = 16
MOST_TAPS = 128
MOST_MAPS = 1 << 14


@dataclass(frozen=True)
class LayerConfig:
    """One layer: a convolution, and a leaky ReLU at a higher sampling rate (section 3.2, figure 4b)."""

    name: str
    """Its tensors' name, such as "L0_36_512"."""
    in_channels: int
    out_channels: int
    in_size: int
    """Height and width of its input."""
    out_size: int
    """Height and width of its maps, with the margin around the picture."""
    sampling_rate: int
    """Pixels of its maps in the width of the picture."""
    kernel: int
    """Pixels of the convolution's side: 3 in configuration T, 1 in R."""
    up: int
    """How much finer the leaky ReLU's sampling is than the input's."""
    down: int
    """How much coarser the output's is than that."""
    up_shape: tuple[int, ...] | None
    """Shape of the filter that makes maps finer: `[taps]`, or `[taps, taps]` where it is not separable."""
    down_shape: tuple[int, ...] | None
    """Of the one that makes them coarser again."""
    padding: tuple[int, int, int, int]
    """Pixels at the finer sampling: left, right, top, bottom; what is negative is cut off."""
    clamp: float | None
    """Limit on its maps; None for no limit."""
    half: bool
    """Whether it may be computed in half precision: the first layers are not (appendix D.1)."""
    to_rgb: bool
    """Whether its maps are colours: without demodulation, filters and leaky ReLU."""

    def check(self) -> None:
        """`CheckpointError` when no layer can be like this, or its sizes contradict one another."""
        taps = [side for shape in (self.up_shape, self.down_shape) for side in shape or ()]
        sides = (self.in_size, self.out_size, self.sampling_rate)
        if (
            not all(1 <= side <= LARGEST_MAPS for side in sides)
            or not 1 <= min(self.up, self.down) <= max(self.up, self.down) <= LARGEST_FACTOR
            or not all(1 <= side <= MOST_TAPS for side in taps)
            or any(len(shape or (1,)) > 2 or shape == () for shape in (self.up_shape, self.down_shape))
            or not 1 <= self.kernel <= 15
            or not 1
            <= min(self.in_channels, self.out_channels)
            <= max(self.in_channels, self.out_channels)
            <= MOST_MAPS
            or max(map(abs, self.padding)) > LARGEST_MAPS
        ):
            raise CheckpointError(f"the layer {self.name} announces sizes that no StyleGAN3 has")
        if self.to_rgb and (self.kernel, self.up, self.down, self.up_shape, self.down_shape) != (
            1,
            1,
            1,
            None,
            None,
        ):
            raise CheckpointError(f"the layer {self.name} makes colours, but filters them; no StyleGAN3 does")
        for lower, upper, axis in ((*self.padding[:2], -1), (*self.padding[2:], 0)):
            filters = sum(shape[axis] - 1 for shape in (self.up_shape, self.down_shape) if shape)
            finer = (self.in_size + self.kernel - 1) * self.up + lower + upper - filters
            if (finer + self.down - 1) // self.down != self.out_size:
                raise CheckpointError(
                    f"the layer {self.name} makes maps of {(finer + self.down - 1) // self.down} pixels of its "
                    f"input of {self.in_size}, but announces {self.out_size}"
                )
            if max(lower, upper) > filters:
                raise CheckpointError(
                    f"the layer {self.name} pads its maps by {max(lower, upper)} pixels, more than its filters reach"
                )


@dataclass(frozen=True)
class StyleGAN3Config:
    """What shape a generator has."""

    z_dim: int
    """Length of the latent z."""
    c_dim: int
    """Number of class labels, 0 for an unconditional generator."""
    w_dim: int
    """Length of one w vector."""
    img_resolution: int
    """Height and width of the pictures."""
    img_channels: int
    """3 for RGB."""
    mapping_layers: int
    """Fully connected layers between z and w."""
    input_channels: int
    """Fourier features that pictures grow from."""
    input_size: int
    """Height and width of their maps."""
    input_rate: float
    """Their pixels in the width of the picture."""
    bandwidth: float
    """Highest of their frequencies, in periods in the width of the picture (appendix D)."""
    layers: tuple[LayerConfig, ...]
    """The last of them gives the picture."""
    output_scale: float = 0.25
    """Factor on the last layer's maps, which makes pictures of them."""
    embed_width: int | None = None
    """Length of a class label's embedding; None for `w_dim`."""
    by_class: bool = False
    """Whether labels are looked up in a table and every class has an average w, as in StyleGAN-XL."""

    mapping_width = None
    joint_labels = False

    @property
    def num_ws(self) -> int:
        """Number of w vectors of a W+ code: the input's and every layer's; 16 of NVIDIA's."""
        return len(self.layers) + 1

    @property
    def img_shape(self) -> tuple[int, int]:
        """Height and width of the pictures."""
        return self.img_resolution, self.img_resolution

    @property
    def channels(self) -> tuple[int, ...]:
        """Numbers of maps of the layers."""
        return tuple(layer.out_channels for layer in self.layers)

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        """Pixels in the picture's width of the maps that each w acts on."""
        return round(self.input_rate), *(layer.sampling_rate for layer in self.layers)

    @property
    def network(self) -> str:
        """What to call it."""
        if self.by_class:
            return "StyleGAN-XL"
        return f"StyleGAN3, configuration {'T' if self.layers[0].kernel > 1 else 'R'}"

    def check(self) -> None:
        """`CheckpointError` when the layers do not follow one another to a picture."""
        widths = (self.z_dim, self.w_dim, self.input_channels, self.embed_width or 1)
        if not 1 <= min(widths) <= max(widths) <= MOST_MAPS or not 0 <= self.c_dim <= 1 << 20:
            raise CheckpointError("the network announces widths that no StyleGAN3 has")
        if len(self.layers) < 2 or any(layer.to_rgb for layer in self.layers[:-1]):
            raise CheckpointError(
                "the network's layers make no picture; expected the last one alone to make colours"
            )
        size, channels = self.input_size, self.input_channels
        for layer in self.layers:
            layer.check()
            if (layer.in_size, layer.in_channels) != (size, channels):
                raise CheckpointError(
                    f"the layer {layer.name} takes {layer.in_channels} maps of {layer.in_size} pixels, but is given "
                    f"{channels} of {size}"
                )
            size, channels = layer.out_size, layer.out_channels
        if (size, channels) != (self.img_resolution, self.img_channels) or not self.layers[-1].to_rgb:
            raise CheckpointError(
                f"the last layer gives {channels} maps of {size} pixels; expected a picture of "
                f"{self.img_channels} channels and {self.img_resolution} pixels"
            )
        if not 0 < self.bandwidth < self.input_rate / 2 <= LARGEST_MAPS:
            raise CheckpointError(
                f"the input has a bandwidth of {self.bandwidth} at a sampling rate of {self.input_rate}; expected less "
                "than half of the rate"
            )

    def fingerprint(self, tensor: Callable[[str], torch.Tensor]) -> str:
        """`Generator.fingerprint()` from tensors by name.

        It hashes the shapes and a few biases, which half precision leaves alone.
        """

        def biases() -> Iterator[torch.Tensor]:
            yield tensor("synthesis.input.affine.bias")
            yield tensor("synthesis.input.phases")
            for layer in (self.layers[0], self.layers[-1]):
                for bias in ("affine.bias", "bias"):
                    yield tensor(f"synthesis.{layer.name}.{bias}")

        names = tuple(layer.name for layer in self.layers)
        return fingerprint_of((names, self.img_channels, self.w_dim), biases(), picture=self.img_shape)
