"""What layers do beside their convolutions, in one compiled pass over the maps: an option, off by default.

The convolutions stay as they are: they take most of the time, and no compiler makes them faster. Compiled code knows
nothing of weights, heights and widths, so one piece of it serves every strip, and every layer with as many maps, of any
generator. PyTorch's compiler is imported at the first use.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import FunctionType

import torch

from . import steps

CACHE = "TORCHINDUCTOR_CACHE_DIR"
"""The environment's name of the folder where PyTorch keeps compiled code for other processes."""

log = logging.getLogger(__name__)

_active: ContextVar[bool] = ContextVar("active", default=False)


@contextmanager
def compiling(wanted: bool, device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Where `wanted` and possible, run compiled code inside. Passes with gradients never do."""
    if not wanted or torch.is_grad_enabled() or cannot_compile(device, dtype):
        yield
        return
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


@cache
def cannot_compile(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why PyTorch cannot compile for a device and a precision, which the log says as well; None where it can.

    Found out by trying, which takes seconds. For NVIDIA GPUs it never does, for there the same is done without it.
    """
    if device.type == "cuda":
        message = "compile is left out: on a GPU, pictures are drawn with kernels and graphs that are as fast"
        log.info("StyleMix: %s", message)
        return message
    x = torch.ones(1, 16, 4, 8, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    try:
        keep_code()
        with torch.no_grad():
            _activate(x, torch.ones(4, 8, device=device), None)
    # Of a dozen kinds: no compiler, no headers, no Triton, a Python that is too new.
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line and not line.startswith("backend=")]
        message = (
            f"compile is left out and pictures are drawn as without it, since PyTorch cannot compile for "
            f"{device.type} here: {lines[0] if lines else type(error).__name__}"
        )
        log.warning("StyleMix: %s", message)
        return message
    return None


def activate(x: torch.Tensor, noise: torch.Tensor | None, clamp: float | None) -> torch.Tensor:
    """`steps.activate` for maps `[B, C, H, W]`."""
    if _active.get() and x.is_contiguous(memory_format=torch.channels_last):
        return _activate(x, noise, clamp)
    return steps.activate(x, noise, clamp)


def colours(pixels: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """`steps.colours`; large maps, where it takes time, come as single pictures."""
    if not _active.get() or len(pixels) > 1:
        return steps.colours(pixels, weight, bias)
    return _code(_sum_colours, pixels.shape[2], pixels.dtype)(_any_number(pixels[0]), weight[0], bias)[None]


def _activate(x: torch.Tensor, noise: torch.Tensor | None, clamp: float | None) -> torch.Tensor:
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).view(-1, channels)
    if noise is not None:
        noise = _any_number(noise.expand(batch, 1, height, width).reshape(-1, 1))
    _code(steps.activate, channels, x.dtype)(_any_number(pixels), noise, clamp)
    return x


def _sum_colours(pixels: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    # As a product of matrices it would need a float32 copy of the pixels.
    return (pixels.float() * weight[:, None]).sum(2) + bias[:, None]  # [N, I], [C, I], [C] → [C, N]


@cache
def _code(function: FunctionType, channels: int, dtype: torch.dtype) -> Callable[..., torch.Tensor]:
    """The function, to be compiled for a number of maps: with any number, loops over them are slow.

    It gets bytecode of its own, for which PyTorch counts how often it had to compile, and at some time gives up.
    """
    name = f"{function.__name__}_{channels}_{str(dtype).removeprefix('torch.')}"
    own = FunctionType(function.__code__.replace(co_name=name), function.__globals__, name)
    return torch.compile(own, dynamic=False)


def _any_number(pixels: torch.Tensor) -> torch.Tensor:
    """Let code for pixels `[N, …]` serve any N."""
    torch._dynamo.mark_dynamic(pixels, 0)
    return pixels


def keep_code() -> None:
    """Let PyTorch keep compiled code where it stays, unless a folder is named: its own is a temporary one.

    It reads the environment whenever it compiles, in whatever thread, and enters a folder itself where there is none:
    so this is done once, before the first time, and for the whole process.
    """
    os.environ.setdefault(CACHE, str(cache_folder()))


def cache_folder() -> Path:
    """This package's folder among the user's caches."""
    if sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "stylemix" / "compiled"
