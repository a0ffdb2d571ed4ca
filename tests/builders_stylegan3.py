"""StyleGAN3 networks for the tests: their shapes by the paper, their weights by the formula of `builders.value`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.builders import Name, State, value, write_nvidia


@dataclass(frozen=True)
class Original:
    """What the original's constructor is given: 32 px pictures of z of 12 and w of 16."""

    c_dim: int = 0
    img_resolution: int = 32
    img_channels: int = 3
    mapping_layers: int = 2
    channel_base: int = 320
    channel_max: int = 12
    num_layers: int = 14
    num_critical: int = 2
    first_cutoff: float = 2
    first_stopband: float = 2**2.1
    margin_size: int = 10
    output_scale: float = 0.25
    num_fp16_res: int = 4
    conv_kernel: int = 3
    filter_size: int = 6
    lrelu_upsampling: int = 2
    use_radial_filters: bool = False
    conv_clamp: float | None = 256
    turned: bool = False
    """Whether the file stores another transform than none."""
    by_class: bool = False
    """Whether it is StyleGAN-XL's."""

    z_dim = 12
    w_dim = 16


VARIANTS = {
    "t": Original(),
    "r": Original(conv_kernel=1, use_radial_filters=True),
    "labels_grey": Original(c_dim=3, img_channels=1, mapping_layers=3),
    "ten_layers_radial_8": Original(num_layers=10, filter_size=8, use_radial_filters=True),
    "three_critical_clamp": Original(num_layers=8, num_critical=3, conv_clamp=0.4, output_scale=1.0),
    "margin_6_first_3": Original(margin_size=6, first_cutoff=3, first_stopband=3 * 2**1.1),
    "filters_of_5_up_4": Original(filter_size=5, lrelu_upsampling=4, conv_clamp=None),
    "24px_turned": Original(img_resolution=24, turned=True, num_layers=9),
    "xl": Original(c_dim=4, num_layers=8, by_class=True),
}
"""Networks whose numbers the original gave (NVlabs/stylegan3, and autonomousvision/stylegan-xl for "xl", on a CPU in
float32) with the weights of `state`. In
`stylegan3_expected.npz` are, by `{name}/`: `w` `[2, w_dim]`, of z = RandomState(7).randn(2, z_dim) and the labels 1 and
0; `w_truncated`, W+ with truncation 0.7 of the first four layers; `image`, drawn from the first of these; and `moved`,
the same with translate (0.1, −0.2) and rotate 25, where the file stores no transform."""

PATTERNS = Original(
    img_resolution=256,
    channel_base=4096,
    channel_max=32,
    num_layers=8,
    first_cutoff=4,
    first_stopband=7,
    conv_kernel=1,
    use_radial_filters=True,
)
"""What draws patterns on which turns and shifts are seen, with the weights of `write_patterns`."""


CLASSES = 7
"""Rows of StyleGAN-XL's table of classes: more than there are labels."""


@dataclass(frozen=True)
class Layer:
    """A layer of the original (section 3.2 and appendix D)."""

    name: str
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int
    in_rate: int
    out_rate: int
    in_band: tuple[float, float]
    """Cut-off and half-width of the input's spectrum."""
    out_band: tuple[float, float]
    half: bool
    to_rgb: bool
    critical: bool
    original: Original

    @property
    def kernel(self) -> int:
        return 1 if self.to_rgb else self.original.conv_kernel

    @property
    def factors(self) -> tuple[int, int]:
        """Of the sampling before and after the leaky ReLU."""
        inner = max(self.in_rate, self.out_rate) * (1 if self.to_rgb else self.original.lrelu_upsampling)
        return inner // self.in_rate, inner // self.out_rate

    @property
    def taps(self) -> tuple[int, int]:
        up, down = (
            1 if self.to_rgb or factor == 1 else factor * self.original.filter_size for factor in self.factors
        )
        return up, down

    @property
    def padding(self) -> list[int]:
        up, down = self.factors
        total = (self.out_size - 1) * down + 1 - (self.in_size + self.kernel - 1) * up + sum(self.taps) - 2
        low = (total + up) // 2
        return [low, total - low, low, total - low]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        up, down = self.taps
        radial = self.original.use_radial_filters and not self.critical
        filters = (
            {} if self.to_rgb else {"up_filter": (up,), "down_filter": (down, down) if radial else (down,)}
        )
        return {
            "affine.weight": (self.in_channels, self.original.w_dim),
            "affine.bias": (self.in_channels,),
            "weight": (self.out_channels, self.in_channels, self.kernel, self.kernel),
            "bias": (self.out_channels,),
            "magnitude_ema": (),
            **filters,
        }

    def attributes(self) -> dict[str, Any]:
        up, down = self.factors
        return {
            "is_torgb": self.to_rgb,
            "is_critically_sampled": self.critical,
            "use_fp16": self.half,
            "in_size": np.array([self.in_size, self.in_size]),
            "out_size": np.array([self.out_size, self.out_size]),
            "in_sampling_rate": self.in_rate,
            "out_sampling_rate": self.out_rate,
            "conv_clamp": self.original.conv_clamp,
            "up_factor": up,
            "down_factor": down,
            "padding": self.padding,
        }


def layers(one: Original) -> list[Layer]:
    count = one.num_layers
    progress = [min(i / (count - one.num_critical), 1) for i in range(count + 1)]
    cutoffs = [one.first_cutoff * (one.img_resolution / 2 / one.first_cutoff) ** x for x in progress]
    last_stopband = one.img_resolution / 2 * 2**0.3
    stopbands = [one.first_stopband * (last_stopband / one.first_stopband) ** x for x in progress]
    rates = [2 ** math.ceil(math.log2(min(2 * stop, one.img_resolution))) for stop in stopbands]
    sizes = [rate + 2 * one.margin_size for rate in rates[:-2]] + [one.img_resolution] * 2
    bands = [
        (cutoff, max(stop, rate / 2) - cutoff)
        for cutoff, stop, rate in zip(cutoffs, stopbands, rates, strict=True)
    ]
    channels = [round(min(one.channel_base / 2 / cutoff, one.channel_max)) for cutoff in cutoffs]
    channels[-1] = one.img_channels
    made = []
    for i in range(count + 1):
        before = max(i - 1, 0)
        made.append(
            Layer(
                name=f"L{i}_{sizes[i]}_{channels[i]}",
                in_channels=channels[before],
                out_channels=channels[i],
                in_size=sizes[before],
                out_size=sizes[i],
                in_rate=rates[before],
                out_rate=rates[i],
                in_band=bands[before],
                out_band=bands[i],
                half=rates[i] * 2**one.num_fp16_res > one.img_resolution,
                to_rgb=i == count,
                critical=i >= count - one.num_critical,
                original=one,
            )
        )
    return made


def state(one: Original) -> State:
    """The weights by the formula, under NVIDIA's names."""
    every = layers(one)
    width = every[0].in_channels
    shapes: dict[str, tuple[int, ...]] = {
        "synthesis.input.weight": (width, width),
        "synthesis.input.affine.weight": (4, one.w_dim),
        "synthesis.input.affine.bias": (4,),
        "synthesis.input.freqs": (width, 2),
        "synthesis.input.phases": (width,),
        "mapping.w_avg": (one.c_dim, one.w_dim) if one.by_class else (one.w_dim,),
    }
    features = one.z_dim
    if one.by_class:
        shapes |= {
            "mapping.embed.weight": (CLASSES, 10),
            "mapping.embed_proj.weight": (one.z_dim, 10),
            "mapping.embed_proj.bias": (one.z_dim,),
        }
        features += one.z_dim
    elif one.c_dim:
        shapes |= {"mapping.embed.weight": (one.w_dim, one.c_dim), "mapping.embed.bias": (one.w_dim,)}
        features += one.w_dim
    for i in range(one.mapping_layers):
        shapes |= {f"mapping.fc{i}.weight": (one.w_dim, features), f"mapping.fc{i}.bias": (one.w_dim,)}
        features = one.w_dim
    for layer in every:
        shapes |= {f"synthesis.{layer.name}.{name}": shape for name, shape in layer.shapes().items()}
    found = {name: number(name, shape) for name, shape in shapes.items()}
    found["synthesis.input.freqs"] *= one.first_cutoff / 2
    found["synthesis.input.transform"] = torch.eye(3)
    if one.turned:
        found["synthesis.input.transform"][:2] = torch.tensor([[0.8, -0.6, 0.1], [0.6, 0.8, -0.05]])
    return found


def with_filters(one: Original) -> State:
    """The weights with the low-pass filters of the paper (appendix C.1), in place of those of the formula."""
    found = state(one)
    for layer in layers(one):
        if not layer.to_rgb:
            rate = layer.in_rate * layer.factors[0]
            radial = one.use_radial_filters and not layer.critical
            up, down = (f"synthesis.{layer.name}.{which}_filter" for which in ("up", "down"))
            found[up] = low_pass(layer.taps[0], *layer.in_band, rate)
            found[down] = low_pass(layer.taps[1], *layer.out_band, rate, radial)
    return found


def low_pass(taps: int, cutoff: float, half_width: float, rate: float, radial: bool = False) -> torch.Tensor:
    """A Kaiser-windowed sinc `[taps]`, or of a radial one jinc `[taps, taps]`; the sum is 1."""
    attenuation = 2.285 * (taps - 1) * math.pi * 2 * half_width / (rate / 2) + 7.95
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    else:
        beta = 0.5842 * max(attenuation - 21, 0) ** 0.4 + 0.07886 * max(attenuation - 21, 0)
    window = torch.kaiser_window(taps, periodic=False, beta=beta, dtype=torch.float64)
    at = (torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2) / rate
    if radial:
        r = torch.hypot(at[:, None], at)
        fir = torch.special.bessel_j1(2 * cutoff * math.pi * r) / (math.pi * r) * torch.outer(window, window)
    else:
        fir = torch.sinc(2 * cutoff * at) * window
    return (fir / fir.sum()).float()


def number(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    x = value(name, shape)
    if name.endswith("_filter"):  # not symmetrical, unlike the originals', so that directions tell
        taps = 1 + 0.3 * x
        return taps / taps.sum()
    if name.endswith("magnitude_ema"):
        return 0.5 + x.abs()
    if name.endswith("input.affine.bias"):
        return torch.tensor([1.0, 0, 0, 0]) + 0.2 * x
    if name.endswith("input.affine.weight") or name.endswith("w_avg"):
        return 0.3 * x
    if name.startswith("mapping.fc"):
        return 100 * x if name.endswith("weight") else x
    if name.endswith("affine.bias"):
        return 1 + 0.1 * x
    return 0.1 * x if name.endswith("bias") else x


def attributes(one: Original) -> dict[str, dict[str, Any]]:
    """What the original's modules keep beside their tensors."""
    every = layers(one)
    return {
        "synthesis": {"layer_names": [layer.name for layer in every], "output_scale": one.output_scale},
        "synthesis.input": {
            "size": np.array([every[0].in_size, every[0].in_size]),
            "sampling_rate": np.float64(every[0].in_rate),
            "bandwidth": np.float64(one.first_cutoff),
        },
        **{f"synthesis.{layer.name}": layer.attributes() for layer in every},
    }


def write(path: Path, one: Original) -> Path:
    """A pickle of the structure that stylegan3 and StyleGAN-XL write."""
    table = {"mapping.embed": Name("torch.nn.modules.sparse", "Embedding")} if one.by_class else {}
    return write_nvidia(path, state(one), attributes(one), by_name=table)


def write_patterns(path: Path) -> Path:
    """`PATTERNS` with styles and biases that are small beside what the Fourier features bring, and bright colours."""
    weights = with_filters(PATTERNS)
    for name, tensor in weights.items():
        if name.endswith("affine.weight"):
            tensor *= 0.5
        elif name.startswith("synthesis.L") and name.endswith("affine.bias"):
            tensor.mul_(0.3).add_(1)
        elif name.startswith("synthesis.L") and name.endswith(".bias"):
            tensor *= 0.1
    last = layers(PATTERNS)[-1].name
    weights[f"synthesis.{last}.weight"] *= 12
    return write_nvidia(path, weights, attributes(PATTERNS))
