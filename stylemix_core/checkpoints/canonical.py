"""From a generator's tensors, under NVIDIA's names, to the one form that `Generator` loads.

Tools leave out what they can make again, and train with options that this project's network has no switch
for. What can be expressed in other weights is; the rest is refused by name.
"""

import re
import zlib
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import CheckpointError
from ..files.pickle_machine import shown
from ..files.source import Source
from ..files.stored import StoredTensor, Tensors, shapes
from ..generator import GeneratorConfig
from ..generator.mapping import MAPPING_LR_MULTIPLIER
from ..generator.stylegan2.ops import fir_filter
from .base import LICENCE, Checkpoint, of_generator, sampled_w_avg

CONVOLUTION = re.compile(r"(synthesis\.b(\d{1,5}))\.(conv[01]|skip)\.weight")


def generator_checkpoint(
    source: Source, tensors: Tensors, format: str, conv_clamp: float | None = None, licence: str = LICENCE
) -> Checkpoint:
    """What a file that holds a generator and nothing else is.

    tensors: by NVIDIA's names; `complete` adds those that are missing.
    """
    averaged = "mapping.w_avg" in tensors
    config, tensors = complete(tensors, conv_clamp)
    return of_generator(source, config, tensors, format=format, averaged=averaged, licence=licence)


def complete(
    tensors: Tensors, conv_clamp: float | None = None
) -> tuple[GeneratorConfig, dict[str, StoredTensor]]:
    """The generator's shape, and its tensors with filters, noise and average w where the file has none.

    `CheckpointError` when a tensor is missing that cannot be made, or a low-pass filter does not have 4 taps.
    """
    config = GeneratorConfig.from_shapes(shapes(tensors), conv_clamp)
    completed = dict(tensors)
    for block, name, layer in (match.groups() for match in map(CONVOLUTION.fullmatch, tensors) if match):
        for owner in (block, f"{block}.{layer}"):
            completed.setdefault(f"{owner}.resample_filter", StoredTensor.of(fir_filter()))
        if layer != "skip":
            level = int(name).bit_length() - 3  # 0 of b4
            add_noise(completed, f"{block}.{layer}", config.shape_at(level))
    for name, tensor in completed.items():
        if name.endswith("resample_filter") and tensor.shape != (4, 4):
            refuse_filter(tensor.shape[-1] if tensor.shape else 0)
    if "mapping.w_avg" not in completed:
        completed["mapping.w_avg"] = sampled_w_avg(config, completed)
    return config, completed


def add_noise(tensors: dict[str, StoredTensor], layer: str, shape: tuple[int, int]) -> None:
    """A layer that was built without noise gets none; one that lacks its stored noise gets some."""
    if f"{layer}.noise_strength" not in tensors:
        tensors[f"{layer}.noise_strength"] = StoredTensor((), lambda: torch.zeros([]))
        tensors[f"{layer}.noise_const"] = StoredTensor(shape, lambda: torch.zeros(shape))
    tensors.setdefault(f"{layer}.noise_const", made_noise(layer, shape))


def made_noise(name: str, shape: tuple[int, int]) -> StoredTensor:
    """Noise for a file that keeps none: the originals draw their own then, different in every run."""

    def load() -> torch.Tensor:
        random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        return torch.randn(shape, generator=random)

    return StoredTensor(shape, load)


def with_lr_multiplier(tensor: StoredTensor, lr_multiplier: Any) -> StoredTensor:
    """A mapping layer's weight or bias for this project's learning rate multiplier instead of its own.

    The network multiplies what is stored by the multiplier, so the product stays the same.
    """
    if not isinstance(lr_multiplier, int | float) or not 0 < lr_multiplier < 1e6:
        raise CheckpointError(
            f"the mapping's learning rate multiplier is {shown(lr_multiplier)}; expected a positive number"
        )
    factor = lr_multiplier / MAPPING_LR_MULTIPLIER
    return tensor if factor == 1 else tensor.map(lambda x: x * factor, tensor.shape)


def refuse_arguments(arguments: Mapping[str, Any], filter_name: str, *activation_names: str) -> None:
    """Refuses constructor arguments that make another network of the same tensors."""
    for name in activation_names:
        refuse_activation(arguments.get(name, "lrelu"), "lrelu", name)
    taps = arguments.get(filter_name, [1, 3, 3, 1])
    if not isinstance(taps, list | tuple) or len(taps) != 4:
        refuse_filter(len(taps) if isinstance(taps, list | tuple) else 0)


def refuse_activation(found: Any, expected: str, where: str) -> None:
    """Refuses activation functions other than the one `expected`."""
    if found != expected:
        raise CheckpointError(
            f"the generator was built with {shown(found)} as {where}; expected {expected!r}, as in NVIDIA's "
            "published StyleGAN2"
        )


def refuse_filter(taps: int) -> None:
    """Refuses low-pass filters that do not have 4 taps."""
    raise CheckpointError(
        f"the generator was built with a resample filter of {taps or 'unknown'} taps; expected the 4 taps "
        "1, 3, 3, 1 of NVIDIA's published StyleGAN2"
    )
