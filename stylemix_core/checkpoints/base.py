"""What every reader returns: tensors that stay in their file until they are asked for, and what they form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ..encoder import EncoderConfig
from ..errors import CheckpointError
from ..generator import Generator, GeneratorConfig
from ..generator.network import fingerprint

AVERAGE_SAMPLES = 10_000


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor in a file: its shape is known, its numbers are read by `load`."""

    shape: tuple[int, ...]
    load: Callable[[], torch.Tensor]

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "StoredTensor":
        return cls(tuple(tensor.shape), lambda: tensor)

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "StoredTensor":
        """The same with `change`, a function of the tensor alone, applied when it is loaded."""
        shape = change(torch.empty(self.shape, device="meta")).shape
        return StoredTensor(tuple(shape), lambda: change(self.load()))


Tensors = Mapping[str, StoredTensor]


@dataclass(frozen=True)
class CheckpointInfo:
    """What a file is. Fields that do not apply are None."""

    path: str
    """The file."""
    format: str
    """The tool and layout that it comes from."""
    contents: tuple[str, ...]
    """ "generator", "encoder" or both."""
    resolution: int | None = None
    """Width and height of the generator's pictures."""
    num_ws: int | None = None
    """Number of w vectors of a W+ code."""
    z_dim: int | None = None
    w_dim: int | None = None
    c_dim: int | None = None
    """Number of class labels, 0 for none."""
    mapping_layers: int | None = None
    img_channels: int | None = None
    has_w_avg: bool = False
    """Whether the file stores the average w that truncation and encoders need."""
    encoder: str | None = None
    """Kind of encoder, by its class name in the original tool."""
    encoder_input: tuple[int, int] | None = None
    """Channels and size of the pictures that the encoder reads."""
    generator_fingerprint: str | None = None
    """Which generator the file's codes are meant for, where the file says so."""
    licence: str | None = None
    opts: Mapping[str, Any] = field(default_factory=dict)
    """Options of the training that the file keeps."""

    def summary(self) -> str:
        """One paragraph for people."""
        sentences = [f"{self.format} with {' and '.join(self.contents)}."]
        if self.resolution is not None:
            colours = {1: "grey", 3: "RGB", 4: "RGBA"}.get(
                self.img_channels or 0, f"{self.img_channels}-channel"
            )
            sentences.append(
                f"The generator draws {self.resolution}×{self.resolution} {colours} pictures from {self.num_ws} "
                f"w vectors of {self.w_dim} (z {self.z_dim}, {self.mapping_layers} mapping layers, "
                f"{f'{self.c_dim} class labels' if self.c_dim else 'no class labels'}); its average w is "
                f"{'stored' if self.has_w_avg else 'not stored and will be sampled'}."
            )
        if self.encoder is not None:
            size = ""
            if self.encoder_input is not None:
                size = f" reads {self.encoder_input[0]}-channel pictures of {self.encoder_input[1]} px and"
            sentences.append(
                f"The encoder ({self.encoder}){size} writes {self.num_ws} w vectors of {self.w_dim}."
            )
        if self.licence:
            sentences.append(f"Licence: {self.licence}.")
        return " ".join(sentences)


@dataclass(frozen=True)
class Checkpoint:
    """A file that has been understood. Nothing but its description has been read yet."""

    info: CheckpointInfo
    generator: GeneratorConfig | None = None
    generator_tensors: Tensors = field(default_factory=dict)
    """By NVIDIA's names."""
    encoder: EncoderConfig | None = None
    encoder_tensors: Tensors = field(default_factory=dict)
    """By pSp's names without the prefix `encoder.`, and `latent_avg`."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why a part ("generator", "encoder") that the file holds cannot be loaded."""

    def part(self, name: str) -> tuple[Any, dict[str, torch.Tensor]]:
        """Configuration and weights of "generator" or "encoder". `CheckpointError` when there is none."""
        config = self.generator if name == "generator" else self.encoder
        if config is None:
            held = " and ".join(self.info.contents)
            raise CheckpointError(
                self.refusals.get(name)
                or f"the file holds no {name}; it is a {self.info.format} with {held} only"
            )
        tensors = self.generator_tensors if name == "generator" else self.encoder_tensors
        return config, {key: tensor.load() for key, tensor in tensors.items()}

    def fingerprint(self) -> str | None:
        """`Generator.fingerprint()` of the generator inside, or the one that the file names; nothing is built."""
        if self.generator is None:
            return self.info.generator_fingerprint
        return fingerprint(self.generator, lambda name: self.generator_tensors[name].load())


def generator_facts(config: GeneratorConfig) -> dict[str, Any]:
    """The generator's share of a `CheckpointInfo`."""
    return {
        "resolution": config.img_resolution,
        "num_ws": config.num_ws,
        "z_dim": config.z_dim,
        "w_dim": config.w_dim,
        "c_dim": config.c_dim,
        "mapping_layers": config.mapping_layers,
        "img_channels": config.img_channels,
    }


def shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def sampled_w_avg(config: GeneratorConfig, tensors: Tensors) -> StoredTensor:
    """The average w of a generator whose file stores none: the mean over fixed z, as the original tools do."""

    def load() -> torch.Tensor:
        with torch.device("meta"):
            mapping = Generator(config).mapping
        weights = {
            name.removeprefix("mapping."): tensor.load().float()
            for name, tensor in tensors.items()
            if name.startswith("mapping.") and name != "mapping.w_avg"
        }
        mapping.load_state_dict({**weights, "w_avg": torch.zeros(config.w_dim)}, assign=True)
        random = torch.Generator().manual_seed(0)
        z = torch.randn(AVERAGE_SAMPLES, config.z_dim, generator=random)
        labels = None
        if config.c_dim:
            labels = torch.eye(config.c_dim)[torch.arange(AVERAGE_SAMPLES) % config.c_dim]
        with torch.no_grad():
            return mapping(z, labels)[:, 0].mean(0)

    return StoredTensor((config.w_dim,), load)
