"""3×3 convolutions of few pixels with many weights, such as those that end in a single one.

A CPU spends their time on memory, not on arithmetic: oneDNN rearranges the weight of every convolution before it
starts, which reads and writes all of it. Where the weight is the left factor of a matrix product, it is read once, as
it lies.
"""

import torch
import torch.nn.functional as F
from torch import nn

FEW_PIXELS = 64
"""Pixels of the result, over the batch, up to which the weight is what costs; measured for 512 channels."""


class Conv3x3(nn.Conv2d):
    """3×3 convolution of stride 2 with a margin of zeros: `[B, I, H, W]` → `[B, O, ⌈H/2⌉, ⌈W/2⌉]`."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__(in_channels, channels, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = len(x) * ((x.shape[2] + 1) // 2) * ((x.shape[3] + 1) // 2)
        if x.device.type == "cpu" and pixels <= FEW_PIXELS:
            return by_rows(x, self.weight, self.bias)
        return super().forward(x)


def by_rows(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """`F.conv2d(x, weight, bias, stride=2, padding=1)` as a product of matrices.

    x: `[B, I, H, W]`. weight: `[O, I, 3, 3]`, channels-last, so that its rows are views. bias: `[O]`.
    """
    patches = F.pad(x, (1, 1, 1, 1)).unfold(2, 3, 2).unfold(3, 3, 2)  # [B, I, H', W', 3, 3]
    batch, _, height, width = patches.shape[:4]
    columns = patches.permute(0, 2, 3, 4, 5, 1).reshape(batch * height * width, -1)  # [B·H'·W', 9·I]
    rows = weight.permute(0, 2, 3, 1).flatten(1)  # [O, 9·I]
    if x.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        # PyTorch's own product copies both factors. oneDNN's convolution reads its picture in place: one of O pixels.
        picture = rows[None, :, None].permute(0, 3, 1, 2)  # [1, 9·I, O, 1], channels-last
        y = F.conv2d(picture, columns[:, :, None, None])[0, :, :, 0].t() + bias[:, None]
    else:
        y = torch.addmm(bias[:, None], rows, columns.t())
    return y.unflatten(1, (batch, height, width)).transpose(0, 1)
