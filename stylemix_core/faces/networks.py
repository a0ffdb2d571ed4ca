"""The two networks that find faces, BlazeFace and FaceMesh: layers only, what goes in and what comes out.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019), and Kartynnik et
al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs" (2019). The weights are Google's
(see NOTICE); the order of the layers here is the order in which their files run them.
"""

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..files.mapped import read_safetensors
from ..networks import Network, adopt

WEIGHTS = Path(__file__).parent / "weights.safetensors"
MESH_POINTS = 468


class Convolution(nn.Conv2d):
    """Padded as TensorFlow's "SAME" pads even sides: at stride 2 the odd pixel goes right and below."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1, groups: int = 1):
        low, high = (size - stride) // 2, (size - stride + 1) // 2
        uneven = low < high
        super().__init__(in_channels, out_channels, size, stride, 0 if uneven else low, groups=groups)
        # The convolution's own padding, where it will do, spares a copy.
        self.edges = [low, high] * 2 if uneven else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x if self.edges is None else F.pad(x, self.edges))


class BlazeBlock(nn.Module):
    """A separable 3×3 convolution beside a shortcut, which is pooled at stride 2 and widened by empty channels."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, activation: nn.Module):
        super().__init__()
        self.stride, self.widen = stride, out_channels - in_channels
        self.depthwise = Convolution(in_channels, in_channels, 3, stride, groups=in_channels)
        self.pointwise = Convolution(in_channels, out_channels, 1)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = F.max_pool2d(x, 2) if self.stride == 2 else x
        if self.widen:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.widen))
        activated: torch.Tensor = self.activation(shortcut + self.pointwise(self.depthwise(x)))
        return activated


class Detector(nn.Module):
    """BlazeFace: looks at every place of a 16² and an 8² map for faces of small and of large size.

    `input_size` is the side of the square picture it takes, `min_score` what a box needs to be
    a face.
    """

    input_size: int
    min_score: float

    def __init__(self, stem: nn.Module, near: nn.Module, far: nn.Module, channels: tuple[int, int]):
        super().__init__()
        self.stem, self.near, self.far = stem, near, far
        self.near_scores = Convolution(channels[0], 2, 1)
        self.far_scores = Convolution(channels[1], 6, 1)
        self.near_boxes = Convolution(channels[0], 2 * 16, 1)
        self.far_boxes = Convolution(channels[1], 6 * 16, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures `[B, 3, S, S]` in −1…1 → boxes `[B, 896, 8, 2]` and their scores `[B, 896]` before the sigmoid.

        The eight points of a box, x before y and relative to its anchor (see `anchors`) in pixels, are: centre,
        size (not relative), left eye as seen, right eye, nose, mouth, and both ears.
        """
        near = self.near(self.stem(x))  # [B, C, 16, 16]
        far = self.far(near)  # [B, C, 8, 8]
        scores = [_rows(self.near_scores(near), 1), _rows(self.far_scores(far), 1)]
        boxes = [_rows(self.near_boxes(near), 16), _rows(self.far_boxes(far), 16)]
        return torch.unflatten(torch.cat(boxes, 1), 2, (8, 2)), torch.cat(scores, 1)[:, :, 0]


class BackDetector(Detector):
    """The variant for phones' back cameras: sees faces from about a tenth of the picture's side."""

    input_size = 256
    min_score = 0.65

    def __init__(self) -> None:
        blocks = (
            [(24, 1)] * 7 + [(24, 2)] + [(24, 1)] * 7 + [(48, 2)] + [(48, 1)] * 7 + [(96, 2)] + [(96, 1)] * 7
        )
        far = nn.Sequential(Convolution(96, 96, 3, 2, groups=96), Convolution(96, 96, 1), nn.ReLU())
        super().__init__(_stem(), _blocks(24, blocks), far, (96, 96))


class ShortDetector(Detector):
    """The short-range variant: better at faces that fill the picture."""

    input_size = 128
    min_score = 0.6

    def __init__(self) -> None:
        near = [
            (24, 1),
            (28, 1),
            (32, 2),
            (36, 1),
            (42, 1),
            (48, 2),
            (56, 1),
            (64, 1),
            (72, 1),
            (80, 1),
            (88, 1),
        ]
        super().__init__(_stem(), _blocks(24, near), _blocks(88, [(96, 2)] + [(96, 1)] * 4), (88, 96))


class Mesh(nn.Module):
    """FaceMesh: 468 points of one upright face that fills two thirds of the picture."""

    input_size = 192

    def __init__(self) -> None:
        super().__init__()
        stem = [Convolution(3, 16, 3, 2), nn.PReLU(16)]
        blocks = [(width, stride) for width in (16, 32, 64, 128, 128) for stride in (2, 1, 1)][1:]
        self.trunk = nn.Sequential(*stem, *_blocks(16, blocks, prelu=True))
        self.points = nn.Sequential(
            *_blocks(128, [(128, 2), (128, 1), (128, 1)], prelu=True), *_mesh_head(3 * MESH_POINTS)
        )
        self.score = nn.Sequential(*_blocks(128, [(128, 2)], prelu=True), *_mesh_head(1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures `[B, 3, 192, 192]` in 0…1 → points `[B, 468, 3]` (x, y, depth) in pixels from the top left
        corner, and the scores `[B]` that there is a face, before the sigmoid."""
        features = self.trunk(x)  # [B, 128, 6, 6]
        return self.points(features).view(-1, MESH_POINTS, 3), self.score(features).flatten()


@cache
def networks() -> tuple[Detector, Detector, Mesh]:
    """The back detector, the short one and the mesh, on the CPU; read once."""
    with torch.device("meta"):
        back, short, mesh = BackDetector(), ShortDetector(), Mesh()
    return load(back, "back"), load(short, "short"), load(mesh, "mesh")


def load(network: Network, name: str) -> Network:
    """The network, built on the device "meta", with its weights from the file here."""
    tensors, _ = read_safetensors(WEIGHTS)
    own = {
        key.removeprefix(f"{name}."): tensor.load()
        for key, tensor in tensors.items()
        if key.startswith(f"{name}.")
    }
    return adopt(network, own, "face detector")


def anchors() -> torch.Tensor:
    """Where each of a detector's 896 boxes is anchored, `[896, 2]`, as fractions of the picture."""
    grids = []
    for side, boxes in ((16, 2), (8, 6)):
        line = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(line, line, indexing="ij")
        grids.append(torch.stack([x, y], -1).reshape(-1, 1, 2).expand(-1, boxes, 2).reshape(-1, 2))
    return torch.cat(grids)


def _stem() -> nn.Sequential:
    return nn.Sequential(Convolution(3, 24, 5, 2), nn.ReLU())


def _blocks(in_channels: int, blocks: list[tuple[int, int]], prelu: bool = False) -> nn.Sequential:
    """BlazeBlocks of the given (out_channels, stride)."""
    layers = []
    for out_channels, stride in blocks:
        activation = nn.PReLU(out_channels) if prelu else nn.ReLU()
        layers.append(BlazeBlock(in_channels, out_channels, stride, activation))
        in_channels = out_channels
    return nn.Sequential(*layers)


def _mesh_head(numbers: int) -> tuple[nn.Module, ...]:
    return (
        Convolution(128, 32, 1),
        nn.PReLU(32),
        BlazeBlock(32, 32, 1, nn.PReLU(32)),
        nn.Conv2d(32, numbers, 3),  # from 3² to one place
    )


def _rows(maps: torch.Tensor, numbers: int) -> torch.Tensor:
    """Maps `[B, boxes·numbers, H, W]` as one row per box, `[B, H·W·boxes, numbers]`."""
    return maps.permute(0, 2, 3, 1).reshape(len(maps), -1, numbers)
