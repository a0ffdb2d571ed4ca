"""Where networks run and in which precision. The one place that picks either."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch

from .errors import StyleMixError

WIDE = 256
"""Feature maps of a network's widest layer from which on half precision pays on a CPU: narrow layers are bound by
memory and by what is done between them, not by arithmetic."""

log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
TF32 = "tf32"
"""float32 whose convolutions NVIDIA's GPUs may round to 10 bits on their way in, as they do for the original code.
Other devices compute with float32."""
PRECISIONS = ("auto", "float32", TF32, "float16", "bfloat16")
"""What networks are loaded in."""


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
                f"there is no device {str(device)!r} that PyTorch {torch.__version__} can use here; "
                f"choose one of: {', '.join(there)}"
            ) from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def resolve_dtype(
    dtype: str | torch.dtype | None, device: torch.device, widths: Sequence[int] = (), encoder: bool = False
) -> torch.dtype:
    """The precision of the heavy layers.

    None is float32, and so is `TF32`. `"auto"` is float16 for generators on CUDA; bfloat16 on a CPU that computes with
    it, for networks wide enough to gain by it; float32 elsewhere. The log says which. W+ codes, style vectors and
    pictures are float32 whatever the choice.
    widths: numbers of feature maps of the network's layers. encoder: whether it is one: those run once a picture, and
    rounding their codes on a GPU costs more than the time it saves.
    """
    if dtype is None or dtype == TF32:
        return torch.float32
    if dtype == "auto":
        chosen, reason = choose_dtype(device, widths, encoder)
        name = next(name for name, value in DTYPES.items() if value == chosen)
        log.info(
            "StyleMix: precision auto is %s for this %s: %s",
            name,
            "encoder" if encoder else "generator",
            reason,
        )
        return chosen
    resolved = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if resolved is None or resolved not in DTYPES.values():
        raise StyleMixError(f"dtype {dtype!r} is not supported; choose one of: {', '.join(PRECISIONS)}")
    return resolved


def choose_dtype(device: torch.device, widths: Sequence[int], encoder: bool) -> tuple[torch.dtype, str]:
    """What "auto" means, and why."""
    if device.type == "cuda":
        return (
            (torch.float32, "its codes keep their digits")
            if encoder
            else (torch.float16, "the GPU is fast at it")
        )
    if device.type != "cpu":
        return torch.float32, f"nothing else is known to pay on {device.type}"
    if not computes_bfloat16():
        return torch.float32, "the CPU has no instructions for bfloat16"
    if max(widths, default=0) < WIDE:
        return torch.float32, "its layers are too narrow to gain by bfloat16"
    return torch.bfloat16, "the CPU computes with it"


def computes_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AVX512_BF16 or AMX); elsewhere it is slower than float32."""
    flags = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # absent from some versions of PyTorch
    return any(getattr(torch.cpu, flag, bool)() for flag in flags)


def exact_convolutions(x: torch.Tensor, tf32: bool = False) -> AbstractContextManager[None]:
    """Keep float32 convolutions float32 on NVIDIA GPUs, where TF32 is the default, and repeats identical.

    tf32: whether TF32 is wanted.
    """
    if x.device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32)
