"""The shape of a StyleGAN2 generator, and how it is read off the weights."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import CheckpointError

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
    """Width and height of the pictures, a power of two."""
    img_channels: int
    """3 for RGB."""
    mapping_layers: int
    """Fully connected layers between z and w."""
    channels: tuple[int, ...]
    """Feature maps at 4, 8, 16 … `img_resolution` pixels."""
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

    @property
    def num_ws(self) -> int:
        """Number of w vectors of a W+ code: 2·log2(resolution) − 2."""
        return 2 * len(self.channels)

    @property
    def resolutions(self) -> tuple[int, ...]:
        return tuple(4 << i for i in range(len(self.channels)))

    @property
    def colour_resolutions(self) -> tuple[int, ...]:
        """The blocks that have a to-RGB."""
        return self.resolutions if self.architecture == "skip" else self.resolutions[-1:]

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
            resolution = 4 << (len(channels) - 1)
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
                img_channels=shapes[f"synthesis.b{resolution}.torgb.weight"][0],
                mapping_layers=layers,
                channels=tuple(channels),
                conv_clamp=conv_clamp,
                architecture=architecture,
                mapping_width=first[0] if first[0] != w_dim else None,
                embed_width=embedding[0] if embedding[0] not in (0, w_dim) else None,
                joint_labels=embedding[1] > 0 and "mapping.embed.bias" not in shapes,
            )
        except IndexError:
            raise CheckpointError(
                "a tensor of the generator has too few axes; the file is no StyleGAN2"
            ) from None
        except KeyError as missing:
            raise CheckpointError(
                f"the generator lacks the tensor {missing}; expected a StyleGAN2 generator"
            ) from None
