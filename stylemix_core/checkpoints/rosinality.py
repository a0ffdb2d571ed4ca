"""rosinality's StyleGAN2 tensor names (pSp, e4e and ReStyle embed such a generator) → NVIDIA's.

Both store weights unscaled for an equalised learning rate, so names and shapes change and values do not;
only the low-pass kernels are stored four times as large.
"""

import zlib

import torch

from ..errors import CheckpointError
from ..generator.ops import fir_filter
from .base import StoredTensor, Tensors


def to_nvidia(tensors: Tensors) -> dict[str, StoredTensor]:
    """A generator's tensors under NVIDIA's names, without `mapping.w_avg`.

    tensors: by rosinality's names, without a prefix. `CheckpointError` names a tensor that lacks.
    """
    try:
        return convert(tensors)
    except KeyError as missing:
        raise CheckpointError(f"the generator lacks the tensor {missing} of rosinality's StyleGAN2") from None


def convert(tensors: Tensors) -> dict[str, StoredTensor]:
    found: dict[str, StoredTensor] = {}
    layers = 0
    while f"style.{layers + 1}.weight" in tensors:
        layers += 1  # style.0 normalises and has no weights
        for kind in ("weight", "bias"):
            found[f"mapping.fc{layers - 1}.{kind}"] = tensors[f"style.{layers}.{kind}"]

    found["synthesis.b4.const"] = tensors["input.input"].map(lambda x: x[0])  # [1, C, 4, 4]
    found["synthesis.b4.resample_filter"] = StoredTensor.of(fir_filter())
    add_layer(found, tensors, "conv1", "synthesis.b4.conv1", 4, 0)
    add_rgb(found, tensors, "to_rgb1", "synthesis.b4.torgb")
    level = 0
    while f"to_rgbs.{level}.conv.weight" in tensors:
        resolution = 8 << level
        block = f"synthesis.b{resolution}"
        for i in (0, 1):
            index = 2 * level + i
            add_layer(found, tensors, f"convs.{index}", f"{block}.conv{i}", resolution, index + 1)
        add_rgb(found, tensors, f"to_rgbs.{level}", f"{block}.torgb")
        found[f"{block}.resample_filter"] = kernel(tensors, f"to_rgbs.{level}.upsample.kernel")
        level += 1
    return found


def add_layer(
    found: dict[str, StoredTensor], tensors: Tensors, name: str, to: str, resolution: int, index: int
) -> None:
    add_convolution(found, tensors, name, to)
    found[f"{to}.bias"] = tensors[f"{name}.activate.bias"]
    found[f"{to}.noise_strength"] = tensors[f"{name}.noise.weight"].map(lambda x: x.reshape([]))  # [1]
    found[f"{to}.resample_filter"] = kernel(tensors, f"{name}.conv.blur.kernel")
    noise = tensors.get(f"noises.noise_{index}")
    found[f"{to}.noise_const"] = noise.map(lambda x: x[0, 0]) if noise else made_noise(to, resolution)


def add_rgb(found: dict[str, StoredTensor], tensors: Tensors, name: str, to: str) -> None:
    add_convolution(found, tensors, name, to)
    found[f"{to}.bias"] = tensors[f"{name}.bias"].map(lambda x: x.reshape(-1))  # [1, 3, 1, 1]


def add_convolution(found: dict[str, StoredTensor], tensors: Tensors, name: str, to: str) -> None:
    found[f"{to}.weight"] = tensors[f"{name}.conv.weight"].map(lambda x: x[0])  # [1, O, I, k, k]
    for kind in ("weight", "bias"):
        found[f"{to}.affine.{kind}"] = tensors[f"{name}.conv.modulation.{kind}"]


def kernel(tensors: Tensors, name: str) -> StoredTensor:
    stored = tensors.get(name)
    return stored.map(lambda x: x / 4, stored.shape) if stored else StoredTensor.of(fir_filter())


def made_noise(name: str, resolution: int) -> StoredTensor:
    """Noise for a file that keeps none: the original draws its own then, different in every run."""

    def load() -> torch.Tensor:
        random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        return torch.randn(resolution, resolution, generator=random)

    return StoredTensor((resolution, resolution), load)
