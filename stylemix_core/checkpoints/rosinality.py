"""rosinality's StyleGAN2 (.pt), and its tensor names, which pSp, e4e and ReStyle share → NVIDIA's.

A file is a dictionary with the averaged generator `g_ema`, often `g`, `d` and optimizer states beside it, and the
average w as `latent_avg` in files that were converted from NVIDIA's; or a generator's state dict alone.
Both tools store weights unscaled for an equalised learning rate, so names and shapes change and values do not;
only the low-pass kernels are stored four times as large.
"""

from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError
from .base import Checkpoint, StoredTensor, Tensors
from .canonical import complete, generator_checkpoint
from .source import Source

FORMAT = "rosinality checkpoint"
LICENCE = "that of the weights' publisher; converted NVIDIA weights are for non-commercial research"
WRAPPERS = ("module.", "generator.", "g_ema.")
"""What wrapped modules put before their tensors' names."""


def detect(source: Source) -> bool:
    """Whether the file is a PyTorch file with a generator of rosinality's."""
    content = source.content if source.kind == "torch" else None
    return isinstance(content, dict) and (isinstance(content.get("g_ema"), dict) or bool(state_dict(content)))


def read(source: Source) -> Checkpoint:
    """The averaged generator, or the one in training where the file has no average of it."""
    content = source.content
    format = FORMAT
    if not isinstance(content.get("g_ema"), dict) and isinstance(content.get("g"), dict):
        format += " without an averaged generator (its g is used)"
    tensors = convert(state_dict(content))
    average = content.get("latent_avg")
    if isinstance(average, StoredTensor):
        width = tensors["synthesis.b4.conv1.affine.weight"].shape[-1]
        tensors["mapping.w_avg"] = average.map(lambda x: x.reshape(-1, width).mean(0), (width,))
    return generator_checkpoint(source, tensors, format, licence=LICENCE)


def state_dict(content: Mapping[Any, Any]) -> dict[str, StoredTensor]:
    """The tensors of the best generator in the file by rosinality's names, none when there is none."""
    for holder in (content.get("g_ema"), content.get("g"), content):
        if not isinstance(holder, dict):
            continue
        tensors = {name: value for name, value in holder.items() if isinstance(value, StoredTensor)}
        prefix = next((one for one in ("", *WRAPPERS) if f"{one}input.input" in tensors), None)
        if prefix is not None:
            return {
                name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)
            }
    return {}


def to_nvidia(tensors: Tensors) -> dict[str, StoredTensor]:
    """A generator's tensors under NVIDIA's names, without `mapping.w_avg`.

    tensors: by rosinality's names, without a prefix. `CheckpointError` names a tensor that lacks.
    """
    _, completed = complete(convert(tensors))
    del completed["mapping.w_avg"]
    return completed


def convert(tensors: Tensors) -> dict[str, StoredTensor]:
    """As `to_nvidia`, without what the file leaves out."""
    if any(name.startswith("iwt.") or ".iwt." in name for name in tensors):
        raise CheckpointError(
            "the generator is a SWAGAN, which draws wavelets; expected rosinality's StyleGAN2"
        )
    try:
        return renamed(tensors)
    except KeyError as missing:
        raise CheckpointError(f"the generator lacks the tensor {missing} of rosinality's StyleGAN2") from None


def renamed(tensors: Tensors) -> dict[str, StoredTensor]:
    found: dict[str, StoredTensor] = {}
    layers = 0
    while f"style.{layers + 1}.weight" in tensors:
        layers += 1  # style.0 normalises and has no weights
        for kind in ("weight", "bias"):
            found[f"mapping.fc{layers - 1}.{kind}"] = tensors[f"style.{layers}.{kind}"]

    found["synthesis.b4.const"] = tensors["input.input"].map(lambda x: x[0])  # [1, C, 4, 4]
    add_layer(found, tensors, "conv1", "synthesis.b4.conv1", 0)
    add_rgb(found, tensors, "to_rgb1", "synthesis.b4.torgb")
    level = 0
    while f"to_rgbs.{level}.conv.weight" in tensors:
        block = f"synthesis.b{8 << level}"
        for i in (0, 1):
            index = 2 * level + i
            add_layer(found, tensors, f"convs.{index}", f"{block}.conv{i}", index + 1)
        add_rgb(found, tensors, f"to_rgbs.{level}", f"{block}.torgb")
        add_kernel(found, tensors, f"to_rgbs.{level}.upsample.kernel", block)
        level += 1
    return found


def add_layer(found: dict[str, StoredTensor], tensors: Tensors, name: str, to: str, index: int) -> None:
    add_convolution(found, tensors, name, to)
    found[f"{to}.bias"] = tensors[f"{name}.activate.bias"]
    found[f"{to}.noise_strength"] = tensors[f"{name}.noise.weight"].map(lambda x: x.reshape([]))  # [1]
    add_kernel(found, tensors, f"{name}.conv.blur.kernel", to)
    noise = tensors.get(f"noises.noise_{index}")
    if noise is not None:
        found[f"{to}.noise_const"] = noise.map(lambda x: x[0, 0])  # [1, 1, R, R]


def add_rgb(found: dict[str, StoredTensor], tensors: Tensors, name: str, to: str) -> None:
    add_convolution(found, tensors, name, to)
    found[f"{to}.bias"] = tensors[f"{name}.bias"].map(lambda x: x.reshape(-1))  # [1, 3, 1, 1]


def add_convolution(found: dict[str, StoredTensor], tensors: Tensors, name: str, to: str) -> None:
    found[f"{to}.weight"] = tensors[f"{name}.conv.weight"].map(lambda x: x[0])  # [1, O, I, k, k]
    for kind in ("weight", "bias"):
        found[f"{to}.affine.{kind}"] = tensors[f"{name}.conv.modulation.{kind}"]


def add_kernel(found: dict[str, StoredTensor], tensors: Tensors, name: str, to: str) -> None:
    if name in tensors:
        found[f"{to}.resample_filter"] = tensors[name].map(lambda x: x / 4, tensors[name].shape)
