"""What a checkpoint file is, as `inspect_checkpoint` tells it.

It lies below the networks because each keeps what its file is as `info`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


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
    layer_resolutions: tuple[int, ...] | None = None
    """Pixels in the picture's width of the maps that each w acts on, where they do not double from layer to layer."""
    made: str | None = None
    """How the file's encoder was trained and how good it is, where the file says so."""
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
        if self.made:
            sentences.append(self.made)
        if self.licence:
            sentences.append(f"Licence: {self.licence}.")
        return " ".join(sentences)


class FromFile(Protocol):
    """A network that says what file it is of."""

    info: CheckpointInfo | None


def file_of(network: FromFile) -> str:
    """Name of the file that a network was loaded from."""
    return "in memory" if network.info is None else Path(network.info.path).name
