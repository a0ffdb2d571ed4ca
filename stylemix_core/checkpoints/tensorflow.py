"""NVIDIA's TensorFlow pickles of StyleGAN2 and StyleGAN2-ADA, without TensorFlow.

A tuple `(G, D, Gs)` of `dnnlib.tflib` networks, each with its source code, constructor arguments, variables as
numpy arrays, and components ("mapping", "synthesis") that are such networks again. Of the averaged generator `Gs`
the variables and arguments are read, of the others nothing, and no code.
"""

from typing import Any

import numpy as np
import torch

from ..errors import CheckpointError
from ..files.pickle_globals import PROGAN_NETWORK, TF_NETWORK, StoredArray
from ..files.pickle_machine import Record, shown
from ..files.source import Source
from ..files.stored import StoredTensor
from ..generator.stylegan2.ops import fir_filter
from .base import Checkpoint
from .canonical import generator_checkpoint, refuse_arguments, with_lr_multiplier

FORMAT = "NVIDIA TensorFlow pickle"
PARTS = ("mapping", "synthesis")
FIRST_VERSION = 4
"""Of StyleGAN2's networks; StyleGAN's are older."""
EXPECTED = "expected the averaged generator Gs of StyleGAN2 or StyleGAN2-ADA"

Tensors = dict[str, StoredTensor]


def detect(source: Source) -> bool:
    """Whether the file is a pickle of NVIDIA's TensorFlow networks."""
    return source.kind == "pickle" and bool(networks(source.content))


def read(source: Source) -> Checkpoint:
    """The averaged generator. `CheckpointError` for StyleGAN, progressive GANs and discriminators."""
    found = networks(source.content)
    if any(network.name == PROGAN_NETWORK for network in found):
        raise CheckpointError(f"this is a progressive GAN of 2017; {EXPECTED}")
    states = [network.state for network in found]
    generators = [state for state in states if "synthesis" in components(state)]
    if not generators:
        raise CheckpointError(f"the TensorFlow pickle holds {described(states)} only; {EXPECTED}")
    average = generators[-1]  # of (G, D, Gs)
    variables = variables_of(average)
    refuse_other_networks(average, variables)
    arguments = arguments_of(average)
    refuse_arguments(arguments, "resample_kernel", "nonlinearity", "mapping_nonlinearity")
    if arguments.get("normalize_latents", True) is not True:
        raise CheckpointError(f"the generator was built without normalised latents; {EXPECTED}")
    try:
        tensors = {
            **mapping(variables, arguments.get("mapping_lrmul", 0.01)),
            **synthesis(variables, arguments),
        }
    except KeyError as missing:
        raise CheckpointError(f"the generator lacks the variable {missing}; {EXPECTED}") from None
    clamp = arguments.get("conv_clamp")
    return generator_checkpoint(
        source,
        tensors,
        format=FORMAT,
        conv_clamp=float(clamp) if isinstance(clamp, int | float) else None,
    )


def networks(content: Any) -> list[Record]:
    """The networks of the file's tuple, or the one that a file holds alone."""
    held = content if isinstance(content, tuple | list) else (content,)
    return [
        item
        for item in held
        if isinstance(item, Record)
        and item.name in (TF_NETWORK, PROGAN_NETWORK)
        and isinstance(item.state, dict)
    ]


def components(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The states of a network's parts by their names."""
    parts = state.get("components")
    held = parts.items() if isinstance(parts, dict) else ()
    return {name: part.state for name, part in held if name in PARTS and networks(part)}


def described(states: list[dict[str, Any]]) -> str:
    """The names of the functions that built the networks."""
    return ", ".join(shown(state.get("build_func_name")).strip("'") for state in states[:3])


def refuse_other_networks(generator: dict[str, Any], variables: Tensors) -> None:
    """Refuses StyleGAN, under its own name and as StyleGAN2's configuration A."""
    version, function = generator.get("version"), described([generator, components(generator)["synthesis"]])
    if not isinstance(version, int) or version < FIRST_VERSION:
        raise CheckpointError(
            f"this is a StyleGAN of 2018 ({function}, version {shown(version)}); {EXPECTED}"
        )
    if "synthesis/4x4/Conv/mod_weight" not in variables:
        raise CheckpointError(f"the generator ({function}) has no modulated convolutions; {EXPECTED}")


def arguments_of(generator: dict[str, Any]) -> dict[str, Any]:
    """The constructor arguments of the generator, over those that its parts were made with."""
    arguments: dict[str, Any] = {}
    for state in (*components(generator).values(), generator):
        static = state.get("static_kwargs")
        arguments |= static if isinstance(static, dict) else {}
    return arguments


def variables_of(generator: dict[str, Any]) -> Tensors:
    """Every variable by its name, those of the parts after the part's name."""
    parts = {"": generator} | {f"{name}/": state for name, state in components(generator).items()}
    return {
        prefix + name: stored(value)
        for prefix, state in parts.items()
        for name, value in state.get("variables") or ()
        if isinstance(name, str) and isinstance(value, StoredArray | int | float)
    }


def stored(value: StoredArray | int | float) -> StoredTensor:
    if isinstance(value, StoredArray):
        return StoredTensor(value.shape, lambda: torch.from_numpy(np.require(value.load(), np.float32, "W")))
    return StoredTensor.of(torch.tensor(float(value)))


def mapping(variables: Tensors, lr_multiplier: Any) -> Tensors:
    """The mapping network under NVIDIA's PyTorch names."""
    found = {}
    layers = 0
    while f"mapping/Dense{layers}/weight" in variables:
        for kind, tensor in linear(variables, f"mapping/Dense{layers}").items():
            found[f"mapping.fc{layers}.{kind}"] = with_lr_multiplier(tensor, lr_multiplier)
        layers += 1
    if "mapping/LabelEmbed/weight" in variables:
        for kind, tensor in linear(variables, "mapping/LabelEmbed").items():
            found[f"mapping.embed.{kind}"] = tensor
    elif "mapping/LabelConcat/weight" in variables:  # before ADA
        found["mapping.embed.weight"] = variables["mapping/LabelConcat/weight"].map(lambda x: x.t())
    for name in ("dlatent_avg", "mapping/dlatent_avg"):
        if name in variables:
            found["mapping.w_avg"] = variables[name]
    return found


def linear(variables: Tensors, name: str) -> Tensors:
    return {
        "weight": variables[f"{name}/weight"].map(lambda x: x.t()),  # [I, O] → [O, I]
        "bias": variables[f"{name}/bias"],
    }


def synthesis(variables: Tensors, arguments: dict[str, Any]) -> Tensors:
    """The synthesis network under NVIDIA's PyTorch names."""
    fir = StoredTensor.of(fir_filter(arguments.get("resample_kernel", (1, 3, 3, 1))))
    found = {"synthesis.b4.const": variables["synthesis/4x4/Const/const"].map(lambda x: x[0])}
    resolutions = [4]
    while f"synthesis/{2 * resolutions[-1]}x{2 * resolutions[-1]}/Conv1/weight" in variables:
        resolutions.append(2 * resolutions[-1])
    for level, resolution in enumerate(resolutions):
        scope, block = f"synthesis/{resolution}x{resolution}", f"synthesis.b{resolution}"
        found[f"{block}.resample_filter"] = fir
        layers = {"conv1": "Conv"} if level == 0 else {"conv0": "Conv0_up", "conv1": "Conv1"}
        for layer, name in layers.items():
            found |= convolution(variables, f"{scope}/{name}", f"{block}.{layer}", up=layer == "conv0")
            found[f"{block}.{layer}.resample_filter"] = fir
            noise = f"synthesis/noise{2 * level - (layer == 'conv0')}"
            if noise in variables:
                found[f"{block}.{layer}.noise_const"] = variables[noise].map(lambda x: x[0, 0])
        if f"{scope}/Skip/weight" in variables:
            found[f"{block}.skip.weight"] = variables[f"{scope}/Skip/weight"].map(oihw)
            found[f"{block}.skip.resample_filter"] = fir
        if f"{scope}/ToRGB/weight" in variables:
            found |= convolution(variables, f"{scope}/ToRGB", f"{block}.torgb")
    if "synthesis/ToRGB_lod0/weight" in variables:  # grown progressively; the others drew smaller pictures
        found |= convolution(variables, "synthesis/ToRGB_lod0", f"synthesis.b{resolutions[-1]}.torgb")
    return found


def convolution(variables: Tensors, name: str, to: str, up: bool = False) -> Tensors:
    """A modulated convolution. The weights of one that upsamples are stored mirrored."""
    weight, style_bias = variables[f"{name}/weight"].map(oihw), variables[f"{name}/mod_bias"]
    found = {
        f"{to}.weight": weight.map(lambda x: x.flip(2, 3), weight.shape) if up else weight,
        f"{to}.bias": variables[f"{name}/bias"],
        f"{to}.affine.weight": variables[f"{name}/mod_weight"].map(lambda x: x.t()),
        f"{to}.affine.bias": style_bias.map(lambda x: x + 1, style_bias.shape),
    }
    if f"{name}/noise_strength" in variables:
        found[f"{to}.noise_strength"] = variables[f"{name}/noise_strength"]
    return found


def oihw(weight: torch.Tensor) -> torch.Tensor:
    """A convolution's weight in PyTorch's order of dimensions."""
    return weight.permute(3, 2, 0, 1)  # [h, w, I, O] → [O, I, h, w]
