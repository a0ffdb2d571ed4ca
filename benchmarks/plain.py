"""StyleGAN2 synthesis as the paper writes it, to measure the package's own path against.

Per-sample weights in one grouped convolution, zero insertion before the low-pass filter, the default memory
format, nothing in place: slow, and easy to hold against equations 1–3 of arXiv:1912.04958.
"""

import math

import torch
import torch.nn.functional as F

from stylemix_core.generator import Generator


def synthesis(generator: Generator, w: torch.Tensor) -> torch.Tensor:
    """W+ `[B, num_ws, w_dim]` → pictures `[B, C, R, R]`, with constant noise."""
    image = x = None
    for i, block in enumerate(generator.synthesis.blocks()):
        x = block.const.repeat(len(w), 1, 1, 1) if x is None else x
        for j, layer in enumerate(block.convolutions()):
            style = layer.affine(w[:, max(2 * i - 1, 0) + j])
            x = modulated(x, layer.weight, style, True, layer.resample_filter if layer.up else None)
            x = x + layer.noise_const * layer.noise_strength + layer.bias[:, None, None]
            x = F.leaky_relu(x, 0.2) * math.sqrt(2)
        style = block.torgb.affine(w[:, 2 * i + 1]) / math.sqrt(x.shape[1])
        rgb = modulated(x, block.torgb.weight, style, False, None) + block.torgb.bias[:, None, None]
        image = rgb if image is None else filtered(image, block.resample_filter, up=2, pad=(2, 1)) + rgb
    return image


def modulated(x, weight, style, demodulate, fir):
    batch, channels, height, width = x.shape
    weights = weight[None] * style[:, None, :, None, None]  # [B, O, I, k, k], equation 1
    if demodulate:
        weights = weights * torch.rsqrt(weights.square().sum([2, 3, 4], keepdim=True) + 1e-8)  # equation 3
    x = x.reshape(1, batch * channels, height, width)
    if fir is None:
        x = F.conv2d(x, weights.flatten(0, 1), padding=weight.shape[2] // 2, groups=batch)
        return x.reshape(batch, -1, height, width)
    x = F.conv_transpose2d(x, weights.transpose(1, 2).flatten(0, 1), stride=2, groups=batch)
    return filtered(x.reshape(batch, -1, *x.shape[2:]), fir, up=1, pad=(1, 1))


def filtered(x, fir, up, pad):
    """Insert zeros, pad, filter; the gain makes up for the zeros."""
    batch, channels, height, width = x.shape
    if up == 2:
        spread = x.new_zeros(batch, channels, height, 2, width, 2)
        spread[:, :, :, 0, :, 0] = x
        x = spread.reshape(batch, channels, 2 * height, 2 * width)
    x = F.pad(x, (*pad, *pad))
    return F.conv2d(x, (fir * 4).expand(channels, 1, -1, -1), groups=channels)
