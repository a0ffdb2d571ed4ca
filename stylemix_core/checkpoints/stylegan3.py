"""What a StyleGAN3 generator is, from the modules of a pickle or from the names and shapes of its tensors.

A pickle's modules say all that matters: sizes, factors, padding. A state dict says less; what it leaves open follows
from the layers' names, which carry the sizes of their maps, and from the constructor's arguments where a file has them.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import torch

from ..errors import CheckpointError
from ..files.pickle_globals import StoredArray
from ..files.pickle_machine import shown
from ..files.stored import StoredTensor, Tensors, shapes
from ..generator import StyleGAN3Config
from ..generator.stylegan3.config import LayerConfig
from .base import sampled_w_avg

MARK = "synthesis.input.freqs"
"""The tensor that every generator has."""
LAYER = re.compile(r"(L(\d{1,3})_(\d{1,4})_(\d{1,5}))\.weight")
MOST_LAYERS = 64
MARGIN, BANDWIDTH, CLAMP, OUTPUT_SCALE, HALF_RESOLUTIONS, FINER = 10, 2.0, 256.0, 0.25, 4, 2
"""What the original's constructor takes unless told otherwise: `margin_size`, `first_cutoff`, `conv_clamp`,
`output_scale`, `num_fp16_res`, `lrelu_upsampling`."""

State = Mapping[str, Any]


def from_modules(tensors: Tensors, synthesis: State, modules: Mapping[str, State]) -> StyleGAN3Config:
    """The configuration as the modules of a pickle keep it.

    tensors: by NVIDIA's names, completed. synthesis: attributes of the synthesis network. modules: those of its parts.
    """
    names = synthesis.get("layer_names")
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(name, str) and name in modules for name in names)
    ):
        raise CheckpointError(
            "the network does not name its layers; expected `layer_names`, as StyleGAN3 has them"
        )
    sizes = shapes(tensors)
    start = modules.get("input", {})
    layers = [layer_of_module(name, sizes, modules[name]) for name in names[:MOST_LAYERS]]
    return configuration(
        sizes,
        layers,
        size=side(start.get("size")),
        rate=number(start.get("sampling_rate")),
        bandwidth=number(start.get("bandwidth")),
        output_scale=number(synthesis.get("output_scale", OUTPUT_SCALE)),
    )


def layer_of_module(name: str, sizes: Mapping[str, tuple[int, ...]], state: State) -> LayerConfig:
    """A layer as its module keeps it."""
    padding = state.get("padding")
    if not isinstance(padding, list | tuple) or len(padding) != 4:
        raise CheckpointError(f"the layer {name[:60]} has no padding of four numbers")
    left, right, top, bottom = (whole(one) for one in padding)
    clamp = state.get("conv_clamp")
    return layer(
        name,
        sizes,
        in_size=side(state.get("in_size")),
        out_size=side(state.get("out_size")),
        sampling_rate=whole(state.get("out_sampling_rate")),
        up=whole(state.get("up_factor")),
        down=whole(state.get("down_factor")),
        padding=(left, right, top, bottom),
        clamp=None if clamp is None else number(clamp),
        half=bool(state.get("use_fp16")),
        to_rgb=bool(state.get("is_torgb")),
    )


def from_names(tensors: Tensors, arguments: Mapping[str, Any]) -> StyleGAN3Config:
    """The configuration from the names and shapes of the tensors, and what is known of the constructor's arguments."""
    sizes = shapes(tensors)
    matches = (LAYER.fullmatch(name.removeprefix("synthesis.")) for name in sizes)
    found = sorted((int(match[2]), match[1], int(match[3])) for match in matches if match)[:MOST_LAYERS]
    if len(found) < 3:
        raise CheckpointError("the generator has fewer than three layers; expected a StyleGAN3 generator")
    margin = arguments.get("margin_size")
    finer = whole(arguments.get("lrelu_upsampling", FINER))
    clamp = arguments.get("conv_clamp", CLAMP)
    most_exact = whole(arguments.get("num_fp16_res", HALF_RESOLUTIONS))
    resolution = found[-1][2]
    full = 1 << (resolution - 1).bit_length()  # sampling rates are powers of two
    rates = rates_of([size for _, _, size in found], margin, full)
    layers = []
    before = [(found[0][2], rates[0]), *zip((size for _, _, size in found), rates, strict=True)]
    for (_, name, size), rate, (in_size, in_rate) in zip(found, rates, before, strict=False):
        to_rgb = name == found[-1][1]
        inner = max(in_rate, rate) * (1 if to_rgb else finer)
        up, down = inner // in_rate, inner // rate
        padding = padding_of(sizes, name, in_size, size, up, down)
        layers.append(
            layer(
                name,
                sizes,
                in_size=in_size,
                out_size=size,
                sampling_rate=rate,
                up=up,
                down=down,
                padding=padding,
                clamp=None if clamp is None else number(clamp),
                half=rate > resolution >> min(most_exact, 64),
                to_rgb=to_rgb,
            )
        )
    return configuration(
        sizes,
        layers,
        size=found[0][2],
        rate=rates[0],
        bandwidth=number(arguments.get("first_cutoff", BANDWIDTH)),
        output_scale=number(arguments.get("output_scale", OUTPUT_SCALE)),
    )


def rates_of(sizes: list[int], margin: Any, full: int) -> list[int]:
    """The sampling rates of layers by the sizes of their maps, which reach beyond the picture but for the last two.

    margin: by how much, where that is known; else what makes all rates powers of two. full: the last rate.
    """
    for beyond in (MARGIN, *range(100)) if margin is None else (whole(margin),):
        rates = [full if size == sizes[-1] else size - 2 * beyond for size in sizes]
        if all(0 < rate <= full and rate & (rate - 1) == 0 for rate in rates):
            return rates
    listed = ", ".join(map(str, sizes))
    raise CheckpointError(
        f"the layers' sizes ({listed}) are no sampling rates and a margin; use the original pickle, which says how its "
        "layers fit together"
    )


def padding_of(
    sizes: Mapping[str, tuple[int, ...]], name: str, in_size: int, out_size: int, up: int, down: int
) -> tuple[int, int, int, int]:
    """The padding that makes `out_size` pixels of `in_size`, its halves as in the paper's appendix C.3."""
    taps = sum((sizes.get(f"synthesis.{name}.{which}_filter") or (1,))[0] - 1 for which in ("up", "down"))
    kernel = sizes[f"synthesis.{name}.weight"][-1]
    total = (out_size - 1) * down + 1 - (in_size + kernel - 1) * up + taps
    before = (total + up) // 2
    return before, total - before, before, total - before


def from_metadata(stored: Mapping[str, Any]) -> StyleGAN3Config:
    """The configuration as this package's own files store it: the fields of the dataclasses."""
    layers = tuple(LayerConfig(**plain(LayerConfig, one)) for one in list(stored["layers"])[:MOST_LAYERS])
    config = StyleGAN3Config(**plain(StyleGAN3Config, stored), layers=layers)
    config.check()
    return config


def plain(kind: type, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass that are stored, but for the layers, as what they should be."""
    values: dict[str, Any] = {}
    for name, of in get_type_hints(kind).items():
        if name == "layers" or (name not in stored and hasattr(kind, name)):
            continue
        value = stored[name]
        if value is None and type(None) in get_args(of):
            values[name] = None
        elif isinstance(value, list):
            values[name] = tuple(map(whole, value))
        elif of is bool or of is str:
            if not isinstance(value, of):
                raise CheckpointError(
                    f"the network has {shown(value)} as its {name}; expected a {of.__name__}"
                )
            values[name] = value
        else:
            values[name] = number(value) if of is float or float in get_args(of) else whole(value)
    return values


def layer(name: str, sizes: Mapping[str, tuple[int, ...]], **known: Any) -> LayerConfig:
    """A layer of which the shapes of its tensors tell the rest."""
    weight = sizes.get(f"synthesis.{name}.weight", ())
    if len(weight) != 4 or weight[2] != weight[3]:
        raise CheckpointError(f"the layer {name[:60]} has no weight of a square convolution")
    return LayerConfig(
        name=name,
        in_channels=weight[1],
        out_channels=weight[0],
        kernel=weight[2],
        up_shape=sizes.get(f"synthesis.{name}.up_filter"),
        down_shape=sizes.get(f"synthesis.{name}.down_filter"),
        **known,
    )


def configuration(
    sizes: Mapping[str, tuple[int, ...]],
    layers: list[LayerConfig],
    *,
    size: int,
    rate: float,
    bandwidth: float,
    output_scale: float,
) -> StyleGAN3Config:
    """The whole configuration, checked."""
    try:
        mapping_layers = 0
        while f"mapping.fc{mapping_layers}.weight" in sizes:
            mapping_layers += 1
        w_dim = sizes["synthesis.input.affine.weight"][1]
        by_class = "mapping.class_averages" in sizes
        embedding = sizes.get("mapping.embed.weight", (0, 0))
        width, c_dim = (embedding[1], embedding[0]) if by_class else embedding
        first = sizes["mapping.fc0.weight"][1] if mapping_layers else w_dim
        z_dim = first // 2 if by_class else first - width
        config = StyleGAN3Config(
            z_dim=z_dim,
            c_dim=c_dim,
            w_dim=w_dim,
            img_resolution=layers[-1].out_size,
            img_channels=layers[-1].out_channels,
            mapping_layers=mapping_layers,
            input_channels=sizes["synthesis.input.weight"][0],
            input_size=size,
            input_rate=rate,
            bandwidth=bandwidth,
            layers=tuple(layers),
            output_scale=output_scale,
            embed_width=width if width not in (0, w_dim) or by_class else None,
            by_class=by_class,
        )
    except KeyError as missing:
        raise CheckpointError(
            f"the generator lacks the tensor {missing}; expected a StyleGAN3 generator"
        ) from None
    except IndexError:
        raise CheckpointError(
            "a tensor of the generator has too few axes; the file is no StyleGAN3"
        ) from None
    config.check()
    return config


def completed(tensors: Tensors) -> dict[str, StoredTensor]:
    """The tensors with what files may lack, and as this package names them.

    StyleGAN-XL keeps its table of classes where no labels are used, rows for more classes than there are, and an
    average w for each.
    """
    found = dict(tensors)
    average = found.get("mapping.w_avg")
    if average is not None and len(average.shape) == 2:
        classes = average.shape[0]
        found["mapping.class_averages"] = found.pop("mapping.w_avg")
        table = found.get("mapping.embed.weight")
        if table is not None and len(table.shape) == 2 and table.shape[0] > classes:
            found["mapping.embed.weight"] = table.map(
                lambda x: x[:classes].clone(), (classes, table.shape[1])
            )
    elif not {"mapping.embed.bias", "mapping.class_averages"} & found.keys():
        found.pop("mapping.embed.weight", None)
    found.setdefault("synthesis.input.transform", StoredTensor((3, 3), lambda: torch.eye(3)))
    return found


def with_average(config: StyleGAN3Config, tensors: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The tensors with an average w, sampled where the file has none."""
    if not config.by_class and "mapping.w_avg" not in tensors:
        tensors["mapping.w_avg"] = sampled_w_avg(config, tensors)
    return tensors


def side(value: Any) -> int:
    """Pixels of a square's side, which the original keeps as a pair."""
    if isinstance(value, StoredArray):
        if value.shape != (2,):
            raise CheckpointError(
                f"the maps have an array of {list(value.shape)} for their size; expected two numbers"
            )
        value = value.load().tolist()
    if isinstance(value, list | tuple) and len(value) == 2:
        height, width = map(whole, value)
        if height != width:
            raise CheckpointError(f"the maps are {height}×{width} pixels; StyleGAN3's are squares")
        return height
    return whole(value)


def whole(value: Any) -> int:
    """A whole number that a file keeps."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise CheckpointError(f"the network has {shown(value)} where a whole number is expected")
    return int(value)


def number(value: Any) -> float:
    """A finite number that a file keeps."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CheckpointError(f"the network has {shown(value)} where a number is expected")
    return float(value)
