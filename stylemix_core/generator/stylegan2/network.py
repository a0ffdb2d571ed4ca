"""StyleGAN2's generator (Karras et al. 2020, arXiv:1912.04958), with NVIDIA's tensor names.

Mapping turns z into W+, synthesis turns W+ into pictures. Weights may come from any tool:
`stylemix_core.checkpoints` brings them into these names.
"""

import copy
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain

import torch
import torch.nn.functional as F
from torch import nn

from ...device import exact_convolutions
from ...errors import LatentMismatchError, StyleMixError
from ...files.info import CheckpointInfo
from ...networks import adopt, without_numbers
from ..engine import fused
from ..engine.compiled import activate, colours, compiling
from ..engine.graphs import Graphs
from ..engine.spatial import SpatialStyle
from ..engine.strips import drop, has_large_maps, in_strips, strip_rows
from ..fingerprint import fingerprint
from .config import GeneratorConfig
from .ops import LRELU_GAIN, LRELU_SLOPE, Squares, fir_filter, modulated_conv, upsample

NOISE_MODES = ("const", "random", "none")
CHUNK = 4
"""Pictures that are drawn at a time at most, unless gradients are wanted."""

MAPPING_LR_MULTIPLIER = 0.01
"""How much slower than the rest the mapping was trained: its weights are stored that much larger."""


class Generator(nn.Module):
    """z → `mapping` → W+ → `synthesis` → pictures.

    Attributes: `z_dim`, `c_dim`, `w_dim`, `num_ws`, `img_shape` (height, width) of the pictures and `img_resolution`,
    the larger of both, `img_channels`, `w_avg` `[w_dim]`, `config`, and `info`, what `inspect_checkpoint` says of the
    file that it was loaded from, or None.
    """

    info: CheckpointInfo | None = None

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)
        self.z_dim, self.c_dim, self.w_dim = config.z_dim, config.c_dim, config.w_dim
        self.num_ws = config.num_ws
        self.img_shape, self.img_resolution = config.img_shape, config.img_resolution
        self.img_channels = config.img_channels

    @classmethod
    def from_state_dict(cls, config: GeneratorConfig, state_dict: Mapping[str, torch.Tensor]) -> "Generator":
        """A generator that holds `state_dict` itself, without initialising or copying weights first.

        `CheckpointError` names the tensors that are missing or of another shape.
        """
        with without_numbers():
            generator = cls(config)
        return adopt(generator, state_dict, "generator")

    @property
    def w_avg(self) -> torch.Tensor:
        """The average w, float32 `[w_dim]`: the centre that truncation pulls towards."""
        return self.mapping.w_avg

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the synthesis convolutions."""
        return self.synthesis.b4.const.dtype

    def set_dtype(self, dtype: torch.dtype) -> "Generator":
        """Put constants and convolution weights into `dtype`; mapping, styles and to-RGB stay float32."""
        for block in self.synthesis.blocks():
            rounded = [layer for layer in block.children() if not isinstance(layer, ToRGB)]
            for module in (block, *rounded):
                for name in ("const", "weight"):
                    if hasattr(module, name):
                        parameter = getattr(module, name)
                        parameter.data = parameter.data.to(dtype)
            for layer in block.convolutions():
                layer.squares.forget()
        self.synthesis.graphs.forget()
        return self

    def compiled(self) -> "Generator":
        """This very network, its modules and tensors shared, drawing with compiled code where that is possible."""
        view = copy.copy(self)
        view._modules = {**self._modules, "synthesis": copy.copy(self.synthesis)}
        view.synthesis.compiled = True
        return view

    def fingerprint(self) -> str:
        """Short text that tells whether two generators hold the same weights in the same shapes."""
        return fingerprint(self.config, self.state_dict().__getitem__)


class MappingNetwork(nn.Module):
    """z → w by fully connected layers, repeated to W+ (StyleGAN2 section 2, ADA for class labels)."""

    embed: "EqualLinear | nn.Linear"
    w_avg: torch.Tensor

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

    def truncate(self, w: torch.Tensor, psi: float, cutoff: int | None = None) -> torch.Tensor:
        """StyleGAN's truncation trick on W+ `[B, num_ws, w_dim]`; arguments as for `forward`. Changes no input."""
        if not math.isfinite(psi):
            raise StyleMixError(f"truncation_psi is {psi}; give a number, usually 0 to 1")
        if cutoff is not None and cutoff < 0:
            raise StyleMixError(f"truncation_cutoff is {cutoff}; give a number of layers, or None for all")
        if cutoff is not None and cutoff > w.shape[1]:
            raise StyleMixError(
                f"truncation_cutoff is {cutoff}, but this model has {w.shape[1]} layers; choose 0 to {w.shape[1]}"
            )
        if psi == 1:
            return w
        truncated = self.w_avg.lerp(w, psi)
        if cutoff is not None:
            truncated[:, cutoff:] = w[:, cutoff:]
        return truncated


class SynthesisNetwork(nn.Module):
    """W+ → pictures through blocks b4, b8, b16 …"""

    b4: "SynthesisBlock"

    compiled = False
    """Whether pictures are drawn with compiled code where that is possible; see `Generator.compiled`."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.num_ws, self.w_dim = config.num_ws, config.w_dim
        self.resolutions, self.colour_resolutions = config.resolutions, config.colour_resolutions
        self.graphs = Graphs()
        in_channels = 0
        for level, channels in enumerate(config.channels):
            block = SynthesisBlock(config, in_channels, channels, level)
            self.add_module(f"b{4 << level}", block)
            in_channels = channels

    def _apply(self, fn, recurse=True):
        self.graphs.forget()
        return super()._apply(fn, recurse)

    def blocks(self, last: int | None = None) -> list["SynthesisBlock"]:
        """b4, b8, b16 … up to the one whose larger side has `last` pixels, None for all."""
        last = last or self.resolutions[-1]
        sizes = enumerate(self.resolutions)
        return [getattr(self, f"b{4 << level}") for level, resolution in sizes if resolution <= last]

    def styled(self) -> "list[tuple[int, SynthesisLayer | ToRGB]]":
        """Every module that takes a style, with the index of the w that gives it.

        From b8 on, a block's first convolution shares its w with the to-RGB before it.
        """
        return [
            (max(2 * i - 1, 0) + j, module)
            for i, block in enumerate(self.blocks())
            for j, module in enumerate(block.styled())
        ]

    def forward(
        self,
        w: torch.Tensor,
        noise_mode: str = "const",
        noise_seed: int | Sequence[int] | None = None,
        resolution: int | None = None,
    ) -> torch.Tensor:
        """Draw the pictures of W+ codes `[B, num_ws, w_dim]`; the rest as for `draw`.

        `LatentMismatchError` when w does not fit.
        """
        self.check_codes(w)
        self.check_choices(noise_mode, resolution)
        return self._draw([w], lambda codes: self.styles(*codes), noise_mode, noise_seed, resolution)

    def styles(self, w: torch.Tensor, w_rgb: torch.Tensor | None = None) -> list[torch.Tensor]:
        """W+ → S, the style channels of every module (Wu et al. 2021, arXiv:2011.12799, section 3.1).

        w: `[B, num_ws, w_dim]`.
        w_rgb: the same for the to-RGBs, where they take another code than the convolutions.
        Returns float32 `[B, channels]` for every module of `styled()`, in its order.
        """
        self.check_codes(w, w_rgb)
        w = w.to(self.b4.const.device, torch.float32)
        w_rgb = w if w_rgb is None else w_rgb.to(w)
        return [
            module.affine((w_rgb if isinstance(module, ToRGB) else w)[:, layer])
            for layer, module in self.styled()
        ]

    def draw(
        self,
        styles: Sequence[torch.Tensor],
        noise_mode: str = "const",
        noise_seed: int | Sequence[int] | None = None,
        resolution: int | None = None,
    ) -> torch.Tensor:
        """Draw pictures from styles.

        styles: as `styles` gives them.
        noise_mode: "const" takes the noise that was stored in training, "random" draws new noise for every
            picture, "none" leaves noise out.
        noise_seed: makes "random" repeatable; picture i of the batch draws from `noise_seed + i`, or from its
            own of a list of seeds.
        resolution: stop after the block of this larger side and return its smaller picture, which the skip
            architecture has; None for the full size.
        Returns float32 `[B, img_channels, H, W]`, nominally −1…1. `LatentMismatchError` when styles do not fit.
        """
        self.check(styles, noise_mode, resolution)
        return self._draw(styles, lambda styles: styles, noise_mode, noise_seed, resolution)

    def _draw(
        self,
        codes: Sequence[torch.Tensor],
        to_styles: Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor]],
        noise_mode: str,
        noise_seed: int | Sequence[int] | None,
        resolution: int | None,
    ) -> torch.Tensor:
        """`draw` from codes, of which `to_styles` makes the styles."""
        blocks, count, const = self.blocks(resolution), len(codes[0]), self.b4.const
        noise = NoiseSource(noise_mode, noise_seed, count)

        def draw(codes: Sequence[torch.Tensor]) -> torch.Tensor:
            size = len(codes[0])
            return gathered(run(blocks, None, None, to_styles(codes), noise[:size]), size)

        def squares() -> list:
            return [layer.squares.known for block in blocks for layer in block.convolutions()]

        with self.drawing(codes):
            codes = [code.to(const.device, torch.float32) for code in codes]
            if not self.draws_graphs(noise_mode, count):
                return gathered(run_in_parts(CHUNK, blocks, None, None, to_styles(codes), noise), count)
            if self.graphs.known:  # something was drawn before, so more may come
                fused.prepare(const.device, const.dtype)
            stream = torch.cuda.current_stream().cuda_stream
            key, state = (len(codes), noise_mode, resolution, stream), self.state()
            parts = ([code[part] for code in codes] for part in parts_of(count, CHUNK))
            return gathered((self.graphs.draw(key, state, part, draw, squares) for part in parts), count)

    def draws_graphs(self, noise_mode: str, count: int) -> bool:
        """Whether such a pass can become a CUDA graph."""
        if self.b4.const.device.type != "cuda" or torch.is_grad_enabled():
            return False
        return count > 0 and noise_mode != "random" and not torch.cuda.is_current_stream_capturing()

    def state(self) -> Hashable:
        """Changes when a tensor of the network does."""
        tensors = chain(self.parameters(), self.buffers())
        return tuple((x.data_ptr(), None if x.is_inference() else x._version) for x in tensors)

    def check(self, styles: Sequence[torch.Tensor], noise_mode: str, resolution: int | None) -> None:
        """Raise `draw`'s errors."""
        expected = [module.affine.out_features for _, module in self.styled()]
        if [style.shape[1:] for style in styles] != [(channels,) for channels in expected]:
            raise LatentMismatchError(
                f"the styles have the shapes {[list(style.shape) for style in styles]}; "
                f"this generator takes {len(expected)} of {expected} channels"
            )
        self.check_choices(noise_mode, resolution)

    def check_codes(self, *codes: torch.Tensor | None) -> None:
        """Raise `forward`'s error."""
        for code in codes:
            if code is not None and (code.ndim != 3 or code.shape[1:] != (self.num_ws, self.w_dim)):
                raise LatentMismatchError(
                    f"the W+ code has the shape {list(code.shape)}; "
                    f"this generator takes [batch, {self.num_ws}, {self.w_dim}]. "
                    "Use codes that were sampled or encoded for a generator of the same resolution."
                )

    def check_choices(self, noise_mode: str, resolution: int | None) -> None:
        """Raise what `forward` and `draw` have in common."""
        if noise_mode not in NOISE_MODES:
            raise StyleMixError(
                f"noise_mode {noise_mode!r} is unknown; choose one of: {', '.join(NOISE_MODES)}"
            )
        if resolution is not None and resolution not in self.colour_resolutions:
            raise StyleMixError(
                f"there is no picture of {resolution} pixels inside; "
                f"choose one of: {', '.join(map(str, self.colour_resolutions))}"
            )

    @contextmanager
    def drawing(self, styles: Sequence[torch.Tensor]) -> Iterator[None]:
        """How pictures of these styles are drawn: exactly, with gradients only where they are wanted."""
        const = self.b4.const
        with (
            torch.cuda.device_of(const),  # of several GPUs, graphs run on the current one
            exact_convolutions(const),
            torch.set_grad_enabled(self.wants_gradient(styles)),
            compiling(self.compiled, const.device, const.dtype),
        ):
            yield

    def wants_gradient(self, styles: Sequence[torch.Tensor]) -> bool:
        """Whether pictures of these styles are to be differentiated, by the styles or by the network's tensors."""
        tensors = chain(styles, self.parameters(), self.buffers())
        return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def run(
    blocks: "Sequence[SynthesisBlock]",
    x: torch.Tensor | None,
    image: torch.Tensor | None,
    styles: Sequence[torch.Tensor | SpatialStyle],
    noise: "NoiseSource",
) -> Iterator[torch.Tensor]:
    """Pictures of the last of `blocks`, `[b, C, H, W]` at a time, in the order of the batch.

    x: the first block's input `[B, I, H/2, W/2]`, None for b4's. image: what was drawn before, or None.
    styles: `[B, channels]` of every module of `blocks`.
    """
    for i, block in enumerate(blocks):
        if x is not None and len(x) > 1 and not torch.is_grad_enabled() and has_large_maps(x, block.channels):
            yield from run_in_parts(1, blocks[i:], x, image, styles, noise)
            return
        own = len(block.styled())
        x, image = block(x, image, styles[:own], noise)
        styles = styles[own:]
    assert image is not None  # the last block of every network draws
    yield image


def run_in_parts(
    size: int,
    blocks: "Sequence[SynthesisBlock]",
    x: torch.Tensor | None,
    image: torch.Tensor | None,
    styles: Sequence[torch.Tensor | SpatialStyle],
    noise: "NoiseSource",
) -> Iterator[torch.Tensor]:
    """`run`, with `size` pictures at a time where no gradient is wanted: that bounds memory."""
    count = len(styles[0])
    for part in parts_of(count, size):
        before = [tensor if tensor is None else tensor[part] for tensor in (x, image)]
        yield from run(blocks, before[0], before[1], [style[part] for style in styles], noise[part])


def parts_of(count: int, size: int) -> list[slice]:
    """A batch's places, `size` at a time; all at once where gradients are wanted."""
    if count <= size or torch.is_grad_enabled():
        return [slice(0, count)]
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def gathered(parts: Iterator[torch.Tensor], count: int) -> torch.Tensor:
    """All `count` pictures in one batch. While a part is drawn, there is no second copy of those before it."""
    pictures = None
    done = 0
    for part in parts:
        if len(part) == count:
            return part
        if pictures is None:
            pictures = part.new_empty(count, *part.shape[1:])
        pictures[done : done + len(part)] = part
        done += len(part)
        del part
    assert pictures is not None
    return pictures


class SynthesisBlock(nn.Module):
    """One size of maps: up to two convolutions, and what the architecture puts around them."""

    const: nn.Parameter
    resample_filter: torch.Tensor
    conv0: "SynthesisLayer"
    conv1: "SynthesisLayer"
    skip: "Shortcut | None"
    torgb: "ToRGB | None"

    def __init__(self, config: GeneratorConfig, in_channels: int, channels: int, level: int):
        super().__init__()
        shape = config.shape_at(level)
        self.resolution, self.channels = max(shape), channels
        self.last = level == len(config.channels) - 1
        self.register_buffer("resample_filter", fir_filter())
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(channels, *shape))
        else:
            self.conv0 = SynthesisLayer(config, in_channels, channels, shape, up=True)
        self.conv1 = SynthesisLayer(config, channels, channels, shape)
        residual = config.architecture == "resnet" and in_channels != 0
        self.skip = Shortcut(in_channels, channels) if residual else None
        self.torgb = ToRGB(config, channels) if self.resolution in config.colour_resolutions else None

    def convolutions(self) -> list["SynthesisLayer"]:
        return [self.conv0, self.conv1] if hasattr(self, "conv0") else [self.conv1]

    def styled(self) -> "list[SynthesisLayer | ToRGB]":
        """The modules that take a style, in the order in which they act."""
        return [*self.convolutions(), self.torgb] if self.torgb is not None else [*self.convolutions()]

    def forward(self, x, image, styles, noise):
        # x [B, I, H/2, W/2] or None, image [B, C, H/2, W/2] or None, styles [B, channels] of every module of `styled`
        noises = [noise.draw(layer.noise_const) for layer in self.convolutions()]
        if x is None:
            x = self.const.repeat(len(styles[0]), 1, 1, 1).contiguous(memory_format=torch.channels_last)
            return self.compute(x, styles, noises)
        rows = strip_rows(x, self.channels)
        if rows < x.shape[2]:
            x, rgb = in_strips(self.compute, x, styles, noises, rows, maps=not self.last)
        else:
            x, rgb = self.compute(x, styles, noises)
        return x, rgb if image is None or rgb is None else upsample(image, self.resample_filter).add_(rgb)

    def compute(self, x, styles, noises, cut=(0, 0)):
        """The block's maps `[B, O, H, W]` and what they add to the picture `[B, C, H, W]`, None without a to-RGB."""
        shortcut = self.skip(x) if self.skip is not None else None
        layers = self.convolutions()
        styles = [
            style if isinstance(style, torch.Tensor) else style.drop(cut, i) for i, style in enumerate(styles)
        ]
        for i, (layer, style, noise) in enumerate(zip(layers, styles, noises)):
            x = drop(layer(x, style, noise if noise is None else drop(noise, cut, i)), cut)
        if shortcut is not None:
            # The factor keeps the sum at the variance of one.
            x = (x + drop(shortcut, cut, len(layers))).mul_(math.sqrt(0.5))
        return x, None if self.torgb is None else self.torgb(x, styles[-1])


class Shortcut(nn.Module):
    """The resnet architecture's way around a block: 1×1 convolution and upsampling, nothing else."""

    resample_filter: torch.Tensor

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.register_buffer("resample_filter", fir_filter())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # [B, I, H/2, W/2] → [B, O, H, W]
        return upsample(F.conv2d(x, self.weight / math.sqrt(x.shape[1])), self.resample_filter)


class SynthesisLayer(nn.Module):
    """Modulated 3×3 convolution, noise, bias and leaky ReLU."""

    noise_const: torch.Tensor
    resample_filter: torch.Tensor

    def __init__(
        self,
        config: GeneratorConfig,
        in_channels: int,
        out_channels: int,
        shape: tuple[int, int],
        up: bool = False,
    ):
        super().__init__()
        self.up = self.transposed = up
        self.conv_clamp = config.conv_clamp
        self.affine = EqualLinear(config.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.squares = Squares()
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(shape))
        self.register_buffer("resample_filter", fir_filter())

    def _apply(self, fn, recurse=True):
        self.squares.forget()  # the weights are about to move or to change their type
        return super()._apply(fn, recurse)

    def forward(
        self, x: torch.Tensor, style: torch.Tensor | SpatialStyle, noise: torch.Tensor | None
    ) -> torch.Tensor:
        # The leaky ReLU's gain is applied to its input: lrelu(a)·g = lrelu(a·g) for g > 0, and it is free there.
        fir = self.resample_filter if self.up else None
        convolve = style.convolve if isinstance(style, SpatialStyle) else partial(modulated_conv, style=style)
        bias = self.bias * LRELU_GAIN
        in_one = fused.fuses(x)
        x = convolve(
            x,
            self.weight,
            fir=fir,
            gain=LRELU_GAIN,
            bias=None if in_one else bias,
            squares=self.squares(self.weight),
        )
        if noise is not None:
            noise = noise * (self.noise_strength * LRELU_GAIN)
        return (
            fused.finish(x, bias, noise, self.conv_clamp) if in_one else activate(x, noise, self.conv_clamp)
        )


class ToRGB(nn.Module):
    """Modulated 1×1 convolution to colours, without demodulation; in float32, but for float16 on a GPU (`colours`)."""

    def __init__(self, config: GeneratorConfig, in_channels: int):
        super().__init__()
        self.conv_clamp = config.conv_clamp
        self.affine = EqualLinear(config.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))

    def forward(self, x: torch.Tensor, style: torch.Tensor | SpatialStyle) -> torch.Tensor:
        if isinstance(style, SpatialStyle):
            rgb = style.colour(x, self.weight[:, :, 0, 0], self.bias)
            return rgb if self.conv_clamp is None else rgb.clamp(-self.conv_clamp, self.conv_clamp)
        # With so few outputs it is cheaper to scale the weights than the activations.
        batch, channels, height, width = x.shape
        style = style / math.sqrt(channels)
        weight = self.weight[:, :, 0, 0] * style[:, None, :]  # [B, C, I]
        pixels = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)  # a view: x is channels-last
        rgb = colours(pixels, weight, self.bias)  # [B, C, H·W]
        if self.conv_clamp is not None:
            rgb = rgb.clamp(-self.conv_clamp, self.conv_clamp)
        return rgb.reshape(batch, len(self.weight), height, width)


class EqualLinear(nn.Module):
    """Fully connected layer with an equalised learning rate: weights are stored unscaled."""

    def __init__(
        self, in_features: int, out_features: int, lr_multiplier: float = 1.0, bias_init: float = 0.0
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.normal_(self.weight, std=1 / lr_multiplier)
        self.bias = nn.Parameter(torch.full([out_features], bias_init / lr_multiplier))
        self.out_features = out_features
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, x, self.weight.t(), beta=self.bias_gain, alpha=self.weight_gain)


class NoiseSource:
    """The noise of one synthesis pass."""

    def __init__(self, mode: str, seed: int | Sequence[int] | None, batch: int):
        self.mode, self.batch = mode, batch
        self.generators = None
        if mode == "random" and seed is not None:
            # One CPU generator a picture: the same noise on every device and in every batch size.
            seeds = range(seed, seed + batch) if isinstance(seed, int) else seed
            self.generators = [torch.Generator().manual_seed(one % 2**63) for one in seeds]

    def __getitem__(self, part: slice) -> "NoiseSource":
        """The noise of some of the pictures; it goes on where theirs is."""
        share = copy.copy(self)
        share.batch = len(range(self.batch)[part])
        share.generators = self.generators and self.generators[part]
        return share

    def draw(self, const: torch.Tensor) -> torch.Tensor | None:
        """Noise for a layer whose stored noise is `const` `[H, W]`: `[H, W]`, `[B, 1, H, W]` or None."""
        if self.mode == "none":
            return None
        if self.mode == "const":
            return const
        if self.generators is None:
            return torch.randn(self.batch, 1, *const.shape, device=const.device)
        drawn = [torch.randn(1, *const.shape, generator=generator) for generator in self.generators]
        return torch.stack(drawn).to(const.device)


def normalize(x: torch.Tensor) -> torch.Tensor:
    """Scale every row to a mean square of one."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)
