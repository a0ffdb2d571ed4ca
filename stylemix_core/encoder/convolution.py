"""3×3 convolutions with many weights on a CPU.

One picture has few pixels where such an encoder has most of its weights, so that time goes to memory: oneDNN brings
the weight of every convolution into an order of its own before it starts, which reads and writes all of it. Here the
weight is read as it lies where pixels are fewest, and kept in oneDNN's order where they are more.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from ..device import computes_bfloat16
from ..networks import Derived

HEAVY = 1 << 19
"""Numbers of a weight from which on it counts as large: of 256 channels to 256 that of stage 3, and wider ones."""

FEW_PIXELS = 64
"""Pixels of the result, over the batch, up to which a large weight is best read as it lies."""


class Conv3x3(nn.Conv2d):
    """3×3 convolution with a margin of zeros: `[B, I, H, W]` → `[B, O, ⌈H/stride⌉, ⌈W/stride⌉]`."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1, bias: bool = False):
        super().__init__(in_channels, channels, 3, stride, padding=1, bias=bias)
        self.packed = Packed()

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> "Conv3x3":
        self.packed.forget()  # the weight is about to move or to change its type
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.weight.numel() < HEAVY or not onednn_computes(x):
            return super().forward(x)
        pixels = len(x) * -(-x.shape[2] // self.stride[0]) * -(-x.shape[3] // self.stride[0])
        if pixels <= FEW_PIXELS:
            return by_rows(x, self.weight, self.bias, self.stride[0])
        traced = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        if traced or self.weight.is_inference() or not can_pack():
            return super().forward(x)
        setting = (self.padding, self.stride, self.dilation, self.groups)
        y: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.packed(self.weight), self.bias, *setting, "none", [], ""
        )
        return y


class Packed(Derived):
    """A 3×3 convolution's weight in oneDNN's order. It is no part of the module's state."""

    def make(self, weight: torch.Tensor) -> torch.Tensor:
        return torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), [1, 1], [1, 1], [1, 1], 1)


def can_pack() -> bool:
    """Whether this PyTorch has the operators for it: they are its compiler's, and other releases may lack them."""
    return hasattr(torch.ops.mkldnn, "_convolution_pointwise") and hasattr(
        torch._C._nn, "mkldnn_reorder_conv2d_weight"
    )


def onednn_computes(x: torch.Tensor) -> bool:
    """Whether a convolution of x runs in oneDNN."""
    if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and computes_bfloat16())


def by_rows(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: int) -> torch.Tensor:
    """`F.conv2d(x, weight, bias, stride, padding=1)` as a product of matrices, the weight's rows on the left.

    x: `[B, I, H, W]`. weight: `[O, I, 3, 3]`, channels-last, so that its rows are a view. bias: `[O]` or None.
    """
    patches = F.pad(x, (1, 1, 1, 1)).unfold(2, 3, stride).unfold(3, 3, stride)  # [B, I, H', W', 3, 3]
    batch, _, height, width = patches.shape[:4]
    columns = patches.permute(0, 2, 3, 4, 5, 1).reshape(batch * height * width, -1)  # [B·H'·W', 9·I]
    rows = weight.permute(0, 2, 3, 1).flatten(1)  # [O, 9·I]
    if x.dtype == torch.float32:
        # PyTorch's own product would copy both factors. oneDNN's convolution reads its picture, here the weight, in
        # place: one of O pixels.
        picture = rows[None, :, None].permute(0, 3, 1, 2)  # [1, 9·I, O, 1]
        y = F.conv2d(picture, columns[:, :, None, None])[0, :, :, 0].t()
    else:
        y = rows @ columns.t()
    if bias is not None:
        y = y + bias[:, None]
    return torch.unflatten(y, 1, (batch, height, width)).transpose(0, 1)
