"""Features that tell how alike two pictures look: of VGG16 where its weights are at hand, else of a pSp encoder."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..encoder import Encoder
from ..errors import CheckpointError, StyleMixError
from ..files.damage import about
from ..files.info import file_of
from ..files.source import Source
from ..files.stored import StoredTensor
from ..images import shrink
from ..networks import differentiable, twin

VGG_CONVOLUTIONS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""Indices of VGG16's convolutions in torchvision's `features`, by block; a pooling stands between two blocks."""
VGG_SIDE = 256
ENCODER_STAGES = 2
"""How many of an encoder's stages are compared: edges, and the parts of a face. Later ones cost more than they tell."""


@dataclass(frozen=True, eq=False)
class Features:
    """Maps to compare pictures by, `[B, C, h, w]` each, from fine to coarse."""

    name: str
    """What they come from, for the report."""
    network: nn.Module
    """`[B, 3, s, s]` in −1…1 → a list of maps."""
    side: int
    """Pictures are compared at this size, or their own where that is smaller."""

    def __call__(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Maps of square pictures `[B, 1 or 3, R, R]`, every pixel scaled to a weighted length of one."""
        maps: list[torch.Tensor] = self.network(shrink(images.expand(-1, 3, -1, -1), self.side))
        return maps

    def distance(self, maps: Sequence[torch.Tensor], target: Sequence[torch.Tensor]) -> torch.Tensor:
        """LPIPS (Zhang et al. 2018, arXiv:1801.03924, equation 1): `[B]`, zero where the pictures are equal."""
        return sum(
            ((a - b).square().sum(1).mean([1, 2]) for a, b in zip(maps, target, strict=True)),
            start=torch.zeros([], device=maps[0].device),
        )


class Vgg16(nn.Module):
    """VGG16's convolutions (Simonyan & Zisserman 2015, arXiv:1409.1556) under torchvision's names.

    The maps are those of the last convolution of every block; `lin{k}`, `[C]`, are LPIPS' weights of their channels.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, weights: dict[str, torch.Tensor]):
        super().__init__()
        self.features = nn.ModuleDict()
        for index in sum(VGG_CONVOLUTIONS, ()):
            weight = weights[f"features.{index}.weight"].float()
            convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            convolution.load_state_dict({"weight": weight, "bias": weights[f"features.{index}.bias"].float()})
            self.features[str(index)] = convolution
        for block, indices in enumerate(VGG_CONVOLUTIONS):
            channels = len(weights[f"features.{indices[-1]}.bias"])
            uniform = torch.full([channels], 1 / len(VGG_CONVOLUTIONS))
            lin = weights.get(f"lin{block}", uniform).flatten().float()
            self.register_buffer(f"lin{block}", lin.clamp_min(0).sqrt()[:, None, None])
        # ImageNet's mean and deviation, for pictures in −1…1.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None] * 2 - 1)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None] * 2)
        self.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        x = (images - self.mean) / self.deviation
        maps = []
        for block, indices in enumerate(VGG_CONVOLUTIONS):
            x = F.max_pool2d(x, 2) if block else x
            for index in indices:
                x = F.relu(self.features[str(index)](x))
            maps.append(unit_length(x) * getattr(self, f"lin{block}"))
        return maps


class EncoderStages(nn.Module):
    """The first stages of an encoder's IR-SE body."""

    def __init__(self, encoder: Encoder, stages: int = ENCODER_STAGES):
        super().__init__()
        encoder = twin(encoder, differentiable)
        self.repeat = encoder.config.input_nc // 3  # ReStyle's encoders read two pictures
        self.dtype = encoder.dtype
        self.input_layer = encoder.input_layer
        units = iter(encoder.body)
        self.stages = nn.ModuleList(
            nn.Sequential(*(next(units) for _ in range(count)))
            for count in encoder.config.stage_units[:stages]
        )

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [unit_length(x.float()) / len(self.stages) ** 0.5 for x in self.raw(images)]

    def raw(self, images: torch.Tensor) -> list[torch.Tensor]:
        x = images.repeat(1, self.repeat, 1, 1).to(self.dtype)
        x = self.input_layer(x.contiguous(memory_format=torch.channels_last))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def perceptual_features(
    source: str | os.PathLike[str] | None, encoder: Encoder | None, device: torch.device
) -> Features | None:
    """The best features at hand.

    source: None for torchvision's VGG16 if its weights are in the cache, else the encoder's features, else none;
        "encoder" or "gradients" (none) to insist; or a file with VGG16's or LPIPS' weights.
    """
    if source is None:
        cached = cached_vgg()
        if cached is None:
            return encoder_features(encoder, device)
        source = cached
    if source == "gradients":
        return None
    if source == "encoder":
        found = encoder_features(encoder, device)
        if found is None:
            raise StyleMixError(
                "perceptual is 'encoder', but there is no encoder with an IR-SE body; give one, or leave perceptual out"
            )
        return found
    return Features(f"VGG16 ({Path(source).name})", read_vgg(source).to(device), VGG_SIDE)


def encoder_features(encoder: Encoder | None, device: torch.device) -> Features | None:
    if encoder is None or not reads_pictures(encoder):
        return None
    name = f"IR-SE encoder ({file_of(encoder)})"
    # At half the size that the encoder reads: a quarter of the time, and finer differences are the pixels' business.
    return Features(name, EncoderStages(encoder).to(device), encoder.input_size // 2)


def reads_pictures(encoder: Encoder) -> bool:
    """Whether it has an IR-SE body that reads colours."""
    return encoder.config.traits.body == "ir_se" and encoder.config.picture_nc == 3


def cached_vgg() -> Path | None:
    """torchvision's weights where it keeps them, if the user has them; nothing is downloaded."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return next(iter(sorted(folder.glob("vgg16-*.pth"))), None)


def holds_vgg(path: str | os.PathLike[str]) -> bool:
    """Whether a file has all tensors of VGG16, under one of the names that `read_vgg` knows."""
    try:
        with about(path):
            return not missing_from(vgg_tensors(path))
    except CheckpointError:
        return False


def read_vgg(path: str | os.PathLike[str]) -> Vgg16:
    """VGG16 from a file with torchvision's names, or with the names of LPIPS' authors (which may bring `lin`).

    `CheckpointError` when the file holds no VGG16.
    """
    with about(path):
        tensors = vgg_tensors(path)
        missing = missing_from(tensors)
        if missing:
            raise CheckpointError(
                f"the file lacks {len(missing)} tensors of VGG16, among them {missing[0]}; expected torchvision's "
                "vgg16 or LPIPS' vgg as a state dict (.pth, .pt, .safetensors)"
            )
        return Vgg16({name: tensor.load() for name, tensor in tensors.items()})


def vgg_tensors(path: str | os.PathLike[str]) -> dict[str, StoredTensor]:
    """The tensors of a file that a `Vgg16` takes, by its names."""
    tensors = {}
    for name, tensor in Source(path).tensors.items():
        name = re.sub(r"^(?:net\.)?slice\d+\.(\d+)\.", r"features.\1.", name)
        name = re.sub(r"^lins?\.?(\d)\.model\.1\.weight$", r"lin\1", name)
        if name.startswith(("features.", "lin")):
            tensors[name] = tensor
    return tensors


def missing_from(tensors: dict[str, StoredTensor]) -> list[str]:
    needed = [f"features.{i}.{kind}" for i in sum(VGG_CONVOLUTIONS, ()) for kind in ("weight", "bias")]
    return [name for name in needed if name not in tensors]


def unit_length(x: torch.Tensor) -> torch.Tensor:
    """Every pixel's features `[B, C, h, w]` scaled to length one."""
    return x * torch.rsqrt(x.square().sum(1, keepdim=True) + 1e-8)
