"""Who is seen in a picture, as a direction: of ArcFace where its weights are at hand, else of an encoder's features."""

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..device import exact_convolutions
from ..errors import CheckpointError
from ..files.damage import about
from ..files.info import file_of
from ..files.source import Source
from ..files.stored import shapes
from ..images import average, shrink
from ..networks import adopt, without_numbers
from . import Encoder
from .body import residual_units
from .config import EncoderConfig, read_body

FACE = (35 / 256, 223 / 256, 32 / 256, 220 / 256)
"""Top, bottom, left and right of what is looked at, in parts of an FFHQ crop: what pSp's identity loss shows to
ArcFace. Hair's ends and most of the background stay outside."""
OVAL = (0.5, 0.58, 0.24, 0.29)
"""Middle x and y, and half axes across and down, of what an encoder's features are taken of, in parts of an FFHQ crop:
the inside of nearly every face's outline. An encoder reads all of a picture, so of the background, too, it has much to
say, which identity is none of."""
CROP_SIDE = 256
"""Pictures are this large before ArcFace's crop is cut out."""


class Identity(nn.Module):
    """Compares faces. Pictures are `[B, 1 or 3, R, R]` in −1…1, cropped as FFHQ's are."""

    name: str
    """What sees them, for reports."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Directions `[B, C]` of length one."""
        raise NotImplementedError

    def drift(self, images: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """How far identity has moved: 1 − cosine, `[B]`, 0 (the same) … 2.

        reference: as many pictures, or one for all; or their directions, where they are at hand.
        """
        direction: torch.Tensor = self(images)
        cosine = (direction * (reference if reference.ndim == 2 else self(reference))).sum(1)
        return (1 - cosine).clamp_min(0)


class EncoderIdentity(Identity):
    """The direction of an encoder's deepest features. pSp's bodies began as a face recogniser."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.name = f"encoder features ({file_of(encoder)})"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        encoder = self.encoder
        face = crop(face_alone(shrink(images, encoder.input_size)))
        times = encoder.config.input_nc // 3  # ReStyle's read two pictures
        x = face[:, :3].expand(-1, 3, -1, -1).repeat(1, times, 1, 1)
        x = x.to(encoder.latent_avg.device)
        with exact_convolutions(x):
            return F.normalize(encoder.features(x)[-1].float().mean([2, 3]), dim=1).to(images.device)


class ArcFace(Identity):
    """IR-SE50 with ArcFace's head (Deng et al. 2019, arXiv:1801.07698), as pSp's identity loss uses it.

    Tensors have the names of the file `model_ir_se50.pth`; widths and depths are the file's own.
    """

    def __init__(self, config: EncoderConfig, last_side: int, size: int):
        super().__init__()
        width, last = config.stage_channels[0], config.stage_channels[3]
        self.side = 16 * last_side
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width)
        )
        self.body = nn.Sequential(*residual_units(config))
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(),  # without effect in use; keeps the places of the layers after it
            nn.Flatten(),
            nn.Linear(last * last_side**2, size),
            nn.BatchNorm1d(size),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        face = average(crop(shrink(images, CROP_SIDE)), self.side, self.side)[:, :3].expand(-1, 3, -1, -1)
        x = face.to(next(self.parameters()))
        with exact_convolutions(x):
            x = self.body(self.input_layer(x.contiguous(memory_format=torch.channels_last)))
            return F.normalize(self.output_layer(x.contiguous()), dim=1).to(images.device)


def find_identity(
    arcface: str | os.PathLike[str] | None, encoder: Encoder | None, device: torch.device | None = None
) -> Identity | None:
    """The best measure at hand: ArcFace of a file, else the encoder's features, else none.

    arcface: the file, for `read_arcface`, if there is one.
    encoder: one that reads colours; another counts as none.
    device: where ArcFace shall run. The encoder stays where it is.
    """
    if arcface is not None:
        return read_arcface(arcface).to(device)
    if encoder is None or encoder.config.picture_nc != 3:
        return None
    return EncoderIdentity(encoder)


def holds_arcface(path: str | os.PathLike[str]) -> bool:
    """Whether a file has the tensors of ArcFace's IR-SE50."""
    try:
        with about(path):
            return "output_layer.4.running_mean" in Source(path).tensors
    except CheckpointError:
        return False


def read_arcface(path: str | os.PathLike[str]) -> ArcFace:
    """ArcFace from a file such as `model_ir_se50.pth`, onto the CPU. `CheckpointError` when the file holds none."""
    with about(path):
        tensors = Source(path).tensors
        expected = "expected the state dict of ArcFace's IR-SE50, model_ir_se50.pth"
        if "output_layer.4.running_mean" not in tensors:
            raise CheckpointError(f"the file holds no ArcFace network; {expected}")
        sizes = shapes(tensors)
        try:
            config = EncoderConfig(**read_body(sizes, "ir_se"))
            size, inputs = sizes["output_layer.3.weight"]
        except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
            raise CheckpointError(f"the file's network has another build ({error}); {expected}") from None
        last_side = round((inputs / config.stage_channels[3]) ** 0.5)
        with without_numbers():
            network = ArcFace(config, last_side, size)
        adopted = adopt(network, {name: tensor.load() for name, tensor in tensors.items()}, "file")
    adopted.name = f"ArcFace ({Path(path).name})"
    return adopted


def face_alone(images: torch.Tensor) -> torch.Tensor:
    """FFHQ crops `[B, C, H, W]` that fade to mid grey around the face."""
    x, y, width, height = OVAL
    down, across = ((torch.arange(side).to(images) + 0.5) / side for side in images.shape[2:])
    distance = (((across - x) / width).square() + ((down[:, None] - y) / height).square()).sqrt()
    return images * ((1.1 - distance) * 5).clamp(0, 1)  # from 0.9 to 1.1 of the oval


def crop(images: torch.Tensor) -> torch.Tensor:
    """What ArcFace looks at (`FACE`) of FFHQ crops `[B, C, H, W]`."""
    height, width = images.shape[2:]
    top, bottom = (round(place * height) for place in FACE[:2])
    left, right = (round(place * width) for place in FACE[2:])
    return images[:, :, top:bottom, left:right]
