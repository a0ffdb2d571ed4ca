"""Face parsing by BiSeNet (Yu et al. 2018, arXiv:1808.00897), where a user has its weights: the most exact source.

The files `parsing_bisenet.pth` and `79999_iter.pth` hold the network with ResNet-18 as its context path, trained on
CelebAMask-HQ's classes. Modules have the names of the files' tensors.
"""

import os
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ...device import exact_convolutions
from ...errors import CheckpointError
from ...files.damage import about
from ...files.source import Source
from ...files.stored import shapes
from ...images import resize
from ...networks import adopt, without_numbers

SIDE = 512
"""Pictures are parsed in this size, in pixels."""
CLASSES = {
    "background": (0,),
    "face": (1, 6),  # with glasses
    "brows": (2, 3),
    "eyes": (4, 5),
    "body": (7, 8, 9, 14, 15, 16, 18),  # ears, earrings, neck, necklace, clothes, hat
    "nose": (10,),
    "mouth": (11, 12, 13),
    "hair": (17,),
}
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in 0…1."""
AT_ONCE = 8
"""Pictures that are looked at together."""
_COUNT = 19
_LAST = "conv_out.conv_out.weight"
_EXPECTED = "expected BiSeNet's face parsing with 19 classes, parsing_bisenet.pth or 79999_iter.pth"


class ConvolutionUnit(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, size: int = 3):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


class ResidualBlock(nn.Module):
    """ResNet's basic block (He et al. 2016)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride != 1:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(shortcut + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(ResidualBlock(*block), ResidualBlock(block[1], block[1], 1)) for block in channels
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Maps of an 8th, a 16th and a 32nd of the size."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        eighth = self.layer2(self.layer1(x))
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class AttentionRefinement(nn.Module):
    """Channels weighed by what they have on average (section 3.3)."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = ConvolutionUnit(in_channels, out_channels)
        self.conv_atten = nn.Conv2d(out_channels, out_channels, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return x * self.bn_atten(self.conv_atten(_mean(x))).sigmoid()


class ContextPath(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16, self.arm32 = AttentionRefinement(256, 128), AttentionRefinement(512, 128)
        self.conv_head32, self.conv_head16 = ConvolutionUnit(128, 128), ConvolutionUnit(128, 128)
        self.conv_avg = ConvolutionUnit(512, 128, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps of an eighth of the size: what is there, and what it belongs to."""
        eighth, sixteenth, last = self.resnet(x)
        context = self.arm32(last) + self.conv_avg(_mean(last))
        context = self.conv_head32(F.interpolate(context, sixteenth.shape[2:]))
        context = self.arm16(sixteenth) + context
        return eighth, self.conv_head16(F.interpolate(context, eighth.shape[2:]))


class FeatureFusion(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convblk = ConvolutionUnit(256, 256, 1)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.convblk(x)
        return x + x * self.conv2(F.relu(self.conv1(_mean(x)))).sigmoid()


class Output(nn.Module):
    def __init__(self, in_channels: int, middle: int, classes: int):
        super().__init__()
        self.conv = ConvolutionUnit(in_channels, middle)
        self.conv_out = nn.Conv2d(middle, classes, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.conv_out(self.conv(x))
        return scores


class FaceParsing(nn.Module):
    """Pictures `[B, 3, H, W]`, sides a multiple of 32, normalised as ImageNet's → scores of 19 classes before the
    softmax, `[B, 19, H, W]`. Files also hold two heads that only training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = FeatureFusion()
        self.conv_out = Output(256, 256, _COUNT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.conv_out(self.ffm(torch.cat(self.cp(x), 1)))
        return F.interpolate(scores, x.shape[2:], mode="bilinear", align_corners=True)

    @torch.inference_mode()
    def regions(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Regions of pictures `[B, 3, H, W]` in −1…1 by the names of `CLASSES`, `[B, H, W]` in 0…1, adding up to 1."""
        parts = []
        for some in images.split(AT_ONCE):
            x = (resize(some.float(), SIDE, SIDE).clamp(-1, 1) + 1) / 2
            mean, deviation = (x.new_tensor(each).view(1, 3, 1, 1) for each in (_MEAN, _DEVIATION))
            with exact_convolutions(x):
                shares = self((x - mean) / deviation).softmax(1)
            grouped = torch.stack([shares[:, list(classes)].sum(1) for classes in CLASSES.values()], 1)
            parts.append(resize(grouped, *images.shape[2:]))
        return dict(zip(CLASSES, torch.cat(parts).unbind(1), strict=True))


def holds_parsing(path: str | os.PathLike[str]) -> bool:
    """Whether a file has the tensors of BiSeNet's face parsing."""
    try:
        with about(path):
            return {_LAST, "cp.arm16.conv_atten.weight"} <= set(Source(path).tensors)
    except CheckpointError:
        return False


def read_parsing(path: str | os.PathLike[str]) -> FaceParsing:
    """The network of a file, onto the CPU; it stays in memory until another one is read.

    `CheckpointError` when the file holds none.
    """
    path = Path(path)
    with about(path):
        if not path.is_file():
            raise CheckpointError("there is no such file")
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _read(path: Path, _changed: int, _size: int) -> FaceParsing:
    tensors = Source(path).tensors
    if _LAST not in tensors:
        raise CheckpointError(f"the file holds no face parsing; {_EXPECTED}")
    classes = shapes(tensors)[_LAST][0]
    if classes != _COUNT:
        raise CheckpointError(f"the file tells {classes} classes apart; {_EXPECTED}")
    with without_numbers():
        network = FaceParsing()
    return adopt(network, {name: tensor.load() for name, tensor in tensors.items()}, "file")


def _mean(x: torch.Tensor) -> torch.Tensor:
    return x.mean((2, 3), keepdim=True)
