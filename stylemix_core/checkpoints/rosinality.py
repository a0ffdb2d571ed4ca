"""rosinality's StyleGAN2 (.pt), and its tensor names, which pSp, e4e and ReStyle share → NVIDIA's.

A file is a dictionary with the averaged generator `g_ema`, often `g`, `d` and optimizer states beside it, and the
average w as `latent_avg` in files that were converted from NVIDIA's; or a generator's state dict alone.
Both tools store weights unscaled for an equalised learning rate, so names and shapes change and values do not;
only the low-pass kernels are stored four times as large.
"""

from ..errors import CheckpointError
from ..files.source import Source, below, prefix_of
from ..files.stored import StoredTensor, Tensors
from .base import Checkpoint
from .canonical import generator_checkpoint

FORMAT = "rosinality checkpoint"
LICENCE = "that of the weights' publisher; converted NVIDIA weights are for non-commercial research"
MARK = "input.input"
"""The tensor that every generator has, and no other network."""


def detect(source: Source) -> bool:
    """Whether the file has a generator under rosinality's names."""
    return prefix_of(source.tensors, MARK) is not None


def read(source: Source) -> Checkpoint:
    """The averaged generator, or the one in training where the file has no average of it."""
    prefix = prefix_of(source.tensors, MARK) or ""
    in_training = prefix.split(".")[0] == "g"
    tensors = convert(below(prefix, source.tensors))
    average = latent_avg(source.tensors, prefix)
    if average is not None:
        width = tensors["synthesis.b4.conv1.affine.weight"].shape[-1]
        tensors["mapping.w_avg"] = average.map(lambda x: x.reshape(-1, width).mean(0), (width,))
    format = f"{FORMAT} without an averaged generator (its g is used)" if in_training else FORMAT
    return generator_checkpoint(source, tensors, format, licence=LICENCE)


def latent_avg(tensors: Tensors, prefix: str) -> StoredTensor | None:
    """The average w that a file keeps beside the network whose names start with `prefix`, or outside of it."""
    while prefix and f"{prefix}latent_avg" not in tensors:
        prefix = prefix[: prefix.rstrip(".").rfind(".") + 1]
    return tensors.get(f"{prefix}latent_avg")


def convert(tensors: Tensors) -> dict[str, StoredTensor]:
    """A generator's tensors under NVIDIA's names, without what the file leaves out.

    tensors: by rosinality's names, without a prefix. `CheckpointError` names one that is missing.
    """
    if any(name.startswith("iwt.") or ".iwt." in name for name in tensors):
        raise CheckpointError(
            "the generator is a SWAGAN, which draws wavelets; expected rosinality's StyleGAN2"
        )
    try:
        return renamed(tensors)
    except KeyError as missing:
        raise CheckpointError(f"the generator lacks the tensor {missing} of rosinality's StyleGAN2") from None


def renamed(tensors: Tensors) -> dict[str, StoredTensor]:
    """The tensors under NVIDIA's names. `KeyError` with rosinality's name of one that is missing."""
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
