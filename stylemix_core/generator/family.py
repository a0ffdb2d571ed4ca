"""What a family of generators gives, so that everything above works with all of them.

A family has a folder of its own: its configuration, its mapping, and its synthesis network, which derives from
`engine.synthesis.Synthesis` and is drawn stage by stage (`engine.stages`).
"""

import copy
import math
from collections import abc
from collections.abc import Callable, Sequence
from dataclasses import Field
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import nn

from ..errors import StyleMixError
from ..files.info import CheckpointInfo
from ..networks import adopt, without_numbers
from .engine.synthesis import Synthesis

Built = TypeVar("Built", bound="Generator")


class Config(Protocol):
    """The shape of a generator, as a family reads it off the weights: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def z_dim(self) -> int: ...
    @property
    def c_dim(self) -> int: ...
    @property
    def w_dim(self) -> int: ...
    @property
    def num_ws(self) -> int: ...
    @property
    def img_shape(self) -> tuple[int, int]: ...
    @property
    def img_resolution(self) -> int: ...
    @property
    def img_channels(self) -> int: ...
    @property
    def mapping_layers(self) -> int: ...
    @property
    def mapping_width(self) -> int | None: ...
    @property
    def network(self) -> str:
        """What to call it: the family, and what tells its members apart."""
        ...

    @property
    def layer_resolutions(self) -> tuple[int, ...] | None:
        """As `CheckpointInfo` has them."""
        ...

    @property
    def channels(self) -> Sequence[int]:
        """Numbers of feature maps of the synthesis network's layers."""
        ...

    def fingerprint(self, tensor: Callable[[str], torch.Tensor]) -> str:
        """`Generator.fingerprint()` from tensors by name."""
        ...


class Mapping(nn.Module):
    """z → W+, as `forward(z, c=None, truncation_psi=1.0, truncation_cutoff=None)` → float32 `[B, num_ws, w_dim]`."""

    z_dim: int
    c_dim: int
    w_avg: torch.Tensor
    """The average w, float32 `[w_dim]`."""

    def truncate(
        self, w: torch.Tensor, psi: float, cutoff: int | None = None, centre: torch.Tensor | None = None
    ) -> torch.Tensor:
        """StyleGAN's truncation trick, w_avg + psi·(w − w_avg), on W+ `[B, num_ws, w_dim]`. Changes no input.

        psi: 1 keeps w, 0 gives the average w. cutoff: truncate only the layers before this one; None for all.
        centre: what stands for the average w, `[w_dim]` or `[B, 1, w_dim]`.
        """
        if not math.isfinite(psi):
            raise StyleMixError(f"truncation_psi is {psi}; give a number, usually 0 to 1")
        if cutoff is not None and cutoff < 0:
            raise StyleMixError(f"truncation_cutoff is {cutoff}; give a number of layers, or None for all")
        if cutoff is not None and cutoff > w.shape[1]:
            raise StyleMixError(
                f"truncation_cutoff is {cutoff}, but this model has {w.shape[1]} layers; choose 0 to {w.shape[1]}"
            )
        if psi == 1:
            return w
        truncated = (self.w_avg if centre is None else centre).lerp(w, psi)
        if cutoff is not None:
            truncated[:, cutoff:] = w[:, cutoff:]
        return truncated


class Generator(nn.Module):
    """z → `mapping` → W+ → `synthesis` → pictures.

    Attributes: `family`, its name, `z_dim`, `c_dim`, `w_dim`, `num_ws`, `img_shape` (height, width) of the pictures and
    `img_resolution`, the larger of both, `img_channels`, `w_avg` `[w_dim]`, `config`, and `info`, what
    `inspect_checkpoint` says of the file that it was loaded from, or None.
    """

    family: ClassVar[str]
    config: Config
    mapping: Mapping
    synthesis: Synthesis
    info: CheckpointInfo | None = None

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.z_dim, self.c_dim, self.w_dim = config.z_dim, config.c_dim, config.w_dim
        self.num_ws = config.num_ws
        self.img_shape, self.img_resolution = config.img_shape, config.img_resolution
        self.img_channels = config.img_channels

    @classmethod
    def from_state_dict(
        cls: type[Built], config: Config, state_dict: abc.Mapping[str, torch.Tensor]
    ) -> Built:
        """A generator that holds `state_dict` itself, without initialising or copying weights first.

        `CheckpointError` names the tensors that are missing or of another shape.
        """
        with without_numbers():
            generator = cls(config)
        return adopt(generator, state_dict, "generator")

    @property
    def w_avg(self) -> torch.Tensor:
        """The average w, float32 `[w_dim]`: the centre that truncation pulls towards."""
        return self.mapping.w_avg

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the synthesis convolutions."""
        return self.synthesis.maps_like.dtype

    @property
    def working_bytes(self) -> int:
        """Memory for drawing a picture where a layer's maps are computed all at once; 0 where its size tells enough."""
        return 0

    def set_dtype(self: Built, dtype: torch.dtype) -> Built:
        """Put the synthesis convolutions into `dtype`; mapping, styles and pictures stay float32."""
        raise NotImplementedError

    def compiled(self: Built) -> Built:
        """This very network, its modules and tensors shared, drawing with compiled code where that is possible."""
        view = copy.copy(self)
        view._modules = {**self._modules, "synthesis": copy.copy(self.synthesis)}
        view.synthesis.compiled = True
        return view

    def fingerprint(self) -> str:
        """Short text that tells whether two generators hold the same weights in the same shapes."""
        return self.config.fingerprint(self.state_dict().__getitem__)
