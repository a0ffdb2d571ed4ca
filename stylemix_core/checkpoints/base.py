"""What every reader returns: tensors that stay in their file until they are asked for, and what they form."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ..encoder import Encoder, EncoderConfig
from ..errors import CheckpointError
from ..generator import Generator, GeneratorConfig
from ..generator.network import fingerprint
from ..weights import without_numbers

AVERAGE_SAMPLES = 10_000
AVERAGE_CHUNK = 500
MOST_TENSORS = 5_000
"""Of a network. A pSp encoder has 800."""
MADE_NUMBERS = 1 << 22
"""Numbers that readers may make up where a file keeps none, such as the noise of a 1024 px generator."""
WIDEST = 4096
"""z, w and pictures. StyleGAN2's are 512, 512 and at most 1024."""
MOST_CLASSES = 20_000
DEEPEST_MAPPING = 64


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor in a file: its shape is known, its numbers are read by `load`, into memory of their own."""

    shape: tuple[int, ...]
    load: Callable[[], torch.Tensor]

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "StoredTensor":
        return cls(tuple(tensor.shape), tensor.clone)

    def map(
        self, change: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...] | None = None
    ) -> "StoredTensor":
        """The same with `change`, a function of the tensor alone, applied when it is loaded.

        shape: what `change` makes of it. Without it `change` is tried on shapes alone, which suits views; for
            arithmetic PyTorch imports its compiler first, a second's work.
        """
        if shape is None:
            shape = tuple(change(torch.empty(self.shape, device="meta")).shape)
        return StoredTensor(shape, lambda: change(self.load()))


class Weights(Mapping[str, torch.Tensor]):
    """Tensors by name, each read when it is asked for: a network that takes them one by one needs no second copy."""

    def __init__(self, tensors: "Tensors"):
        self.tensors = tensors

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name].load()

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


Tensors = Mapping[str, StoredTensor]


@dataclass(frozen=True)
class CheckpointInfo:
    """What a file is. Fields that do not apply are None."""

    path: str
    """The file."""
    format: str
    """The tool and layout that it comes from."""
    contents: tuple[str, ...]
    """ "generator", "encoder" or both; "codes", "directions" or "tuning" of files that are no models."""
    network: str | None = None
    """Kind of generator and its architecture: "StyleGAN2, skip"."""
    resolution: int | None = None
    """The larger side of the generator's pictures."""
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
    img_shape: tuple[int, int] | None = None
    """Height and width of the generator's pictures."""
    beside: str | None = None
    """What a file holds that is no network, W+ codes for instance, in a sentence."""

    def summary(self) -> str:
        """One paragraph for people."""
        if self.beside is not None:
            return f"{self.format}: {self.beside}"
        sentences = [f"{self.format} with {' and '.join(self.contents)}."]
        if self.img_shape is not None:
            height, width = self.img_shape
            colours = {1: "grey", 3: "RGB", 4: "RGBA"}.get(
                self.img_channels or 0, f"{self.img_channels}-channel"
            )
            sentences.append(
                f"The generator ({self.network}) draws {width}×{height} {colours} pictures from "
                f"{self.num_ws} w vectors of {self.w_dim} (z {self.z_dim}, {self.mapping_layers} mapping layers, "
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
                f"{config.c_dim} classes and {config.mapping_layers} mapping layers, beyond any StyleGAN2"
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
        return fingerprint(self.generator, lambda name: self.generator_tensors[name].load())


def require_usual(encoder: EncoderConfig) -> None:
    """`CheckpointError` when the encoder's pictures, and with them its layers, are more than any encoder's."""
    if encoder.input_size > WIDEST:
        raise CheckpointError("the encoder would read pictures beyond any encoder's")


def file_of(network: Generator | Encoder) -> str:
    """Name of the file that a network was loaded from."""
    return "in memory" if network.info is None else Path(network.info.path).name


def generator_facts(config: GeneratorConfig) -> dict[str, Any]:
    """The generator's share of a `CheckpointInfo`."""
    return {
        "network": f"StyleGAN2, {config.architecture}",
        "resolution": config.img_resolution,
        "img_shape": config.img_shape,
        "num_ws": config.num_ws,
        "z_dim": config.z_dim,
        "w_dim": config.w_dim,
        "c_dim": config.c_dim,
        "mapping_layers": config.mapping_layers,
        "img_channels": config.img_channels,
    }


def shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    """By name. `CheckpointError` when there are more than in any network."""
    if len(tensors) > MOST_TENSORS:
        raise CheckpointError(
            f"the file holds {len(tensors)} tensors, more than any network that can be read"
        )
    return {name: tensor.shape for name, tensor in tensors.items()}


def sampled_w_avg(config: GeneratorConfig, tensors: Tensors) -> StoredTensor:
    """The average w of a generator whose file stores none: the mean over fixed z, as the original tools do."""

    def load() -> torch.Tensor:
        with without_numbers():
            mapping = Generator(config).mapping
        weights = {
            name.removeprefix("mapping."): tensor.load().float()
            for name, tensor in tensors.items()
            if name.startswith("mapping.") and name != "mapping.w_avg"
        }
        mapping.load_state_dict({**weights, "w_avg": torch.zeros(config.w_dim)}, assign=True)
        random = torch.Generator().manual_seed(0)
        total = torch.zeros(config.w_dim)
        with torch.no_grad():
            for start in range(0, AVERAGE_SAMPLES, AVERAGE_CHUNK):
                z = torch.randn(AVERAGE_CHUNK, config.z_dim, generator=random)
                labels = None
                if config.c_dim:
                    classes = torch.arange(start, start + AVERAGE_CHUNK) % config.c_dim
                    labels = F.one_hot(classes, config.c_dim).float()
                total += mapping(z, labels)[:, 0].sum(0)
        return total / AVERAGE_SAMPLES

    return StoredTensor((config.w_dim,), load)
