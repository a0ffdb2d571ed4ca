"""Where networks run and in which precision. The one place that picks either."""

from contextlib import AbstractContextManager, nullcontext

import torch

from .errors import StyleMixError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def resolve_device(device: str | torch.device | None = None) -> torch.device:
    """The device to run on: `device` if given, else CUDA, else MPS, else the CPU.

    `StyleMixError` when the device asked for is not there.
    """
    if device is not None:
        try:
            return torch.empty(0, device=device).device
        except (RuntimeError, AssertionError, ValueError):
            there = (
                ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
            )
            raise StyleMixError(
                f"there is no device {str(device)!r} here; choose one of: {', '.join(there)}"
            ) from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def resolve_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The precision of the heavy layers.

    None is float32. `"auto"` is float16 on CUDA and float32 elsewhere. W+ codes, style vectors
    and pictures are float32 whatever the choice.
    """
    if dtype is None:
        return torch.float32
    if dtype == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    resolved = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if resolved is None or resolved not in DTYPES.values():
        raise StyleMixError(f"dtype {dtype!r} is not supported; choose one of: auto, {', '.join(DTYPES)}")
    return resolved


def encoder_dtype(dtype: str | torch.dtype | None) -> str | torch.dtype | None:
    """The precision to ask for where an encoder is loaded.

    An encoder is run once a picture, and rounding its code costs more than the time it saves: "auto" is float32.
    """
    return "float32" if dtype == "auto" else dtype


def exact_convolutions(x: torch.Tensor) -> AbstractContextManager:
    """Keep float32 convolutions float32 on NVIDIA GPUs, where TF32 is the default, and repeats identical."""
    if x.device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
