"""What a layer does after its convolution, in one pass over the maps, on NVIDIA GPUs.

PyTorch alone goes over the maps once for the bias, once for the noise and once for the leaky ReLU. Its jiterator
makes one kernel of the three, with the compiler for kernels that comes with PyTorch: there is nothing to install.
Making it takes a second, the first time on a machine, so it is left to passes that come again; until then, the same is
computed in steps, to the same bits.
"""

import logging
import math
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F

from .steps import LRELU_SLOPE

CODE = f"""template <typename T> T stylemix_finish(T x, T bias, T noise, T clamp) {{
    T y = x + bias + noise;
    y = y > 0 ? y : y * T({LRELU_SLOPE});
    y = y > clamp ? clamp : y;
    return y < -clamp ? -clamp : y;
}}"""
"""For half precision, too, T is float."""

log = logging.getLogger(__name__)

_ready: dict[tuple[torch.device, torch.dtype], bool] = {}
"""GPUs and precisions for which the kernel was asked for, and whether it works."""


def prepare(device: torch.device, dtype: torch.dtype) -> None:
    """Make the kernel for a GPU and a precision, unless that was tried before."""
    if (device, dtype) in _ready:
        return
    x = torch.ones(1, 8, 4, 4, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    try:
        _kernel()(x, x[:, :, :1, :1], x[:, :1], clamp=1.0)
    except RuntimeError as error:
        _ready[device, dtype] = False
        log.info("StyleMix: PyTorch cannot make kernels here, pictures are drawn without: %s", error)
    else:
        _ready[device, dtype] = True


def fuses(x: torch.Tensor) -> bool:
    """Whether `finish` is for x."""
    return x.device.type == "cuda" and not torch.is_grad_enabled()


def finish(
    x: torch.Tensor, bias: torch.Tensor, noise: torch.Tensor | None, clamp: float | None
) -> torch.Tensor:
    """Add bias and noise, then leaky ReLU without its gain, then clamp to ±clamp; in float32, rounded at the end.

    x: `[B, C, H, W]`, channels-last. bias: `[C]`. noise: `[H, W]`, `[B, 1, H, W]` or None.
    """
    bias = bias.to(x.dtype)[:, None, None]
    noise = bias.new_zeros(()) if noise is None else noise.to(x.dtype)
    limit = math.inf if clamp is None else clamp
    if _ready.get((x.device, x.dtype)):
        return _kernel()(x, bias, noise, clamp=limit)
    y = F.leaky_relu_((x.float() + bias).add_(noise), LRELU_SLOPE)
    return y.clamp_(-limit, limit).to(x.dtype)


@cache
def _kernel() -> Callable[..., torch.Tensor]:
    return torch.cuda.jiterator._create_jit_fn(CODE, clamp=math.inf)
