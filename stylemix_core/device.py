"""Where networks run and in which precision. The one place that picks either."""

import torch

from .errors import StyleMixError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def resolve_device(device: str | torch.device | None = None) -> torch.device:
    """The device to run on: `device` if given, else CUDA, else MPS, else the CPU."""
    if device is not None:
        return torch.device(device)
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
