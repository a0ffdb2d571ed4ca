"""What every reader returns: tensors that stay in their file until they are asked for, and what they form."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ..encoder import EncoderConfig
from ..errors import CheckpointError
from ..files.info import CheckpointInfo
from ..files.source import Source
from ..files.stored import StoredTensor, Tensors, Weights
from ..generator import Config
from ..generator.mapping import MappingConfig, MappingNetwork
from ..generator.sampling import sampled_w
from ..networks import without_numbers

LICENCE = "that of the weights' publisher; NVIDIA's own are for non-commercial research"
AVERAGE_SAMPLES = 10_000
AVERAGE_CHUNK = 500

MADE_NUMBERS = 1 << 22
"""Numbers that readers may make up where a file keeps none, such as the noise of a 1024 px generator."""
WIDEST = 4096
"""z, w and pictures. StyleGAN2's are 512, 512 and at most 1024."""
MOST_CLASSES = 20_000
DEEPEST_MAPPING = 64


@dataclass(frozen=True)
class Checkpoint:
    """A file that has been understood. Nothing but its description has been read yet."""

    info: CheckpointInfo
    generator: Config | None = None
    generator_tensors: Tensors = field(default_factory=dict)
    """By NVIDIA's names."""
    encoder: EncoderConfig | None = None
    encoder_tensors: Tensors = field(default_factory=dict)
    """By pSp's names without the prefix `encoder.`, and `latent_avg`."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why a part ("generator", "encoder") that the file holds cannot be loaded."""

    def part(self, name: str) -> tuple[Any, Weights]:
        """Configuration and weights of "generator" or "encoder". `CheckpointError` when there is none."""
        config = self.generator if name == "generator" else self.encoder
        if config is None:
            held = " and ".join(self.info.contents)
            raise CheckpointError(
                self.refusals.get(name)
                or f"the file holds no {name}; it is a {self.info.format} with {held} only"
            )
        tensors = self.generator_tensors if name == "generator" else self.encoder_tensors
        return config, Weights(tensors)

    def require_content(self, size: int) -> None:
        """`CheckpointError` unless there is something, and a file of `size` bytes can hold it.

        Many tensors may share a few bytes of a hostile file, and its shapes may ask for more than any machine has.
        """
        if not self.info.contents:
            raise CheckpointError(f"the {self.info.format} holds neither a generator nor an encoder")
        config = self.generator
        if config is not None and (
            max(config.z_dim, config.w_dim, config.mapping_width or 0, config.img_resolution) > WIDEST
            or config.mapping_layers > DEEPEST_MAPPING
            or config.c_dim > MOST_CLASSES
        ):
            raise CheckpointError(
                f"the generator would be of {config.img_resolution} px, z {config.z_dim}, w {config.w_dim}, "
                f"{config.c_dim} classes and {config.mapping_layers} mapping layers, beyond any StyleGAN"
            )
        if self.encoder is not None:
            require_usual(self.encoder)
        for tensors in (self.generator_tensors, self.encoder_tensors):
            numbers = sum(math.prod(tensor.shape) for tensor in tensors.values())
            # The smallest stored numbers have two bytes.
            if numbers > size // 2 + MADE_NUMBERS:
                raise CheckpointError(
                    f"a file of {size} bytes cannot hold the {numbers} numbers that it announces"
                )

    def fingerprint(self) -> str | None:
        """`Generator.fingerprint()` of the generator inside, or the one that the file names; nothing is built."""
        if self.generator is None:
            return self.info.generator_fingerprint
        return self.generator.fingerprint(lambda name: self.generator_tensors[name].load())


def require_usual(encoder: EncoderConfig) -> None:
    """`CheckpointError` when the encoder's pictures, and with them its layers, are more than any encoder's."""
    if encoder.input_size > WIDEST:
        raise CheckpointError("the encoder would read pictures beyond any encoder's")


def generator_facts(config: Config) -> dict[str, Any]:
    """The generator's share of a `CheckpointInfo`."""
    return {
        "network": config.network,
        "layer_resolutions": config.layer_resolutions,
        "resolution": config.img_resolution,
        "img_shape": config.img_shape,
        "num_ws": config.num_ws,
        "z_dim": config.z_dim,
        "w_dim": config.w_dim,
        "c_dim": config.c_dim,
        "mapping_layers": config.mapping_layers,
        "img_channels": config.img_channels,
    }


def of_generator(
    source: Source, config: Config, tensors: Tensors, *, format: str, averaged: bool, licence: str = LICENCE
) -> Checkpoint:
    """A file that holds a generator and nothing else. averaged: whether it stores the average w."""
    info = CheckpointInfo(
        path=str(source.path),
        format=format,
        contents=("generator",),
        has_w_avg=averaged,
        licence=licence,
        **generator_facts(config),
    )
    return Checkpoint(info, generator=config, generator_tensors=tensors)


def sampled_w_avg(config: MappingConfig, tensors: Tensors) -> StoredTensor:
    """The average w of a generator whose file stores none: the mean over fixed z, as the original tools do."""

    def load() -> torch.Tensor:
        with without_numbers():
            mapping = MappingNetwork(config)
        weights = {
            name.removeprefix("mapping."): tensor.load().float()
            for name, tensor in tensors.items()
            if name.startswith("mapping.") and name != "mapping.w_avg"
        }
        mapping.load_state_dict({**weights, "w_avg": torch.zeros(config.w_dim)}, assign=True)
        total = torch.zeros(config.w_dim)
        with torch.no_grad():
            for w in sampled_w(mapping, AVERAGE_SAMPLES, seed=0, chunk=AVERAGE_CHUNK):
                total += w.sum(0)
        return total / AVERAGE_SAMPLES

    return StoredTensor((config.w_dim,), load)
