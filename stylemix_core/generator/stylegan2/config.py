"""The shape of a StyleGAN2 generator, and how it is read off the weights."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from ...errors import CheckpointError
from ..fingerprint import MAX_START, SQUARE, fingerprint_of

MAX_RESOLUTION = 4096
"""Beyond any published network; what a damaged or hostile file may announce is not."""


@dataclass(frozen=True)
class GeneratorConfig:
    """What shape a generator has."""

    z_dim: int
    """Length of the latent z."""
    c_dim: int
    """Number of class labels, 0 for an unconditional generator."""
    w_dim: int
    """Length of one w vector."""
    img_resolution: int
    """The larger side of the pictures, which are squares unless `start` says otherwise."""
    img_channels: int
    """3 for RGB."""
    mapping_layers: int
    """Fully connected layers between z and w."""
    channels: tuple[int, ...]
    """Feature maps of every block, the first for the constant, each for twice the size of the one before."""
    conv_clamp: float | None = None
    """Limit on every layer's output that networks trained in mixed precision carry; None for no limit."""
    architecture: str = "skip"
    """How blocks follow one another (StyleGAN2 section 4.1, figure 7): "skip" adds up a picture of every block,
    "resnet" adds a block's input to its output, "orig" does neither; the last two colour the last block only."""
    mapping_width: int | None = None
    """Features between the mapping layers; None for `w_dim`."""
    embed_width: int | None = None
    """Length of a class label's embedding; None for `w_dim`."""
    joint_labels: bool = False
    """Whether z and the label's embedding are normalised as one vector, as the first StyleGAN2 did (its embeddings
    have no bias), and not each by itself."""
    start: tuple[int, int] = SQUARE
    """Height and width of the constant that pictures grow from: (4, 2) for StyleGAN-Human's 1024×512."""

    @property
    def num_ws(self) -> int:
        """Number of w vectors of a W+ code: 2·log2(resolution) − 2 where pictures grow from 4×4."""
        return 2 * len(self.channels)

    @property
    def network(self) -> str:
        """What to call it."""
        return f"StyleGAN2, {self.architecture}"

    layer_resolutions = None
    """Maps double from block to block."""

    @property
    def img_shape(self) -> tuple[int, int]:
        """Height and width of the pictures."""
        return self.shape_at(len(self.channels) - 1)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The larger side of every block's maps."""
        return tuple(max(self.start) << i for i in range(len(self.channels)))

    def shape_at(self, level: int) -> tuple[int, int]:
        """Height and width of a block's maps. level: 0 for b4, 1 for b8, …"""
        return self.start[0] << level, self.start[1] << level

    @property
    def colour_resolutions(self) -> tuple[int, ...]:
        """The blocks that have a to-RGB."""
        return self.resolutions if self.architecture == "skip" else self.resolutions[-1:]

    def fingerprint(self, tensor: Callable[[str], torch.Tensor]) -> str:
        """`Generator.fingerprint()` from tensors by name.

        It hashes the shapes and a few biases. Those are the same numbers in every file format, and half precision
        leaves them alone.
        """

        def biases() -> Iterator[torch.Tensor]:
            for level in (0, len(self.channels) - 1):
                coloured = self.resolutions[level] in self.colour_resolutions
                for layer in ("conv1", "torgb") if coloured else ("conv1",):
                    for bias in ("affine.bias", "bias"):
                        yield tensor(f"synthesis.b{4 << level}.{layer}.{bias}")

        architecture = () if self.architecture == "skip" else (self.architecture,)  # files carry skip's
        shape = (self.channels, self.img_channels, self.w_dim, *architecture)
        return fingerprint_of(shape, biases(), self.start)

    @classmethod
    def from_shapes(
        cls, shapes: Mapping[str, tuple[int, ...]], conv_clamp: float | None = None
    ) -> "GeneratorConfig":
        """Read the configuration off the tensors' shapes (NVIDIA's names)."""
        try:
            w_dim = shapes["synthesis.b4.conv1.affine.weight"][1]
            channels: list[int] = []
            while f"synthesis.b{4 << len(channels)}.conv1.weight" in shapes:
                channels.append(shapes[f"synthesis.b{4 << len(channels)}.conv1.weight"][0])
            if not channels:
                raise KeyError("synthesis.b4.conv1.weight")
            start = shapes["synthesis.b4.const"][1:]
            if len(start) != 2 or not 1 <= min(start) <= max(start) <= MAX_START:
                raise CheckpointError(
                    f"synthesis.b4.const has the shape {list(shapes['synthesis.b4.const'])}; expected [channels, "
                    f"height, width] with sides of 1 to {MAX_START} pixels, mostly 4"
                )
            resolution = max(start) << (len(channels) - 1)
            if resolution > MAX_RESOLUTION:
                raise CheckpointError(
                    f"the file announces a generator of {resolution} px, more than any StyleGAN2's"
                )
            layers = 0
            while f"mapping.fc{layers}.weight" in shapes:
                layers += 1
            embedding = shapes.get("mapping.embed.weight", (0, 0))  # [embed_width, c_dim]
            first = shapes["mapping.fc0.weight"] if layers else (w_dim, w_dim)  # [mapping_width, input]
            if "synthesis.b8.skip.weight" in shapes:
                architecture = "resnet"
            elif "synthesis.b4.torgb.weight" in shapes:
                architecture = "skip"
            else:
                architecture = "orig"
            return cls(
                z_dim=first[1] - embedding[0],
                c_dim=embedding[1],
                w_dim=w_dim,
                img_resolution=resolution,
                img_channels=shapes[f"synthesis.b{4 << (len(channels) - 1)}.torgb.weight"][0],
                mapping_layers=layers,
                channels=tuple(channels),
                conv_clamp=conv_clamp,
                architecture=architecture,
                mapping_width=first[0] if first[0] != w_dim else None,
                embed_width=embedding[0] if embedding[0] not in (0, w_dim) else None,
                joint_labels=embedding[1] > 0 and "mapping.embed.bias" not in shapes,
                start=(start[0], start[1]),
            )
        except IndexError:
            raise CheckpointError(
                "a tensor of the generator has too few axes; the file is no StyleGAN2"
            ) from None
        except KeyError as missing:
            raise CheckpointError(
                f"the generator lacks the tensor {missing}; expected a StyleGAN2 generator"
            ) from None
