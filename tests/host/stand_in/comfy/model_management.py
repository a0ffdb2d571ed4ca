"""Devices and loading. There is one device, the CPU; tests may set `device` to another, as a GPU would be."""

import torch

OOM_EXCEPTION = torch.cuda.OutOfMemoryError

device = torch.device("cpu")
no_vram = False
"""Leave every model where it is, as `--novram` does."""
interrupted = False
requests: list[tuple[list, float]] = []
"""What was asked of `load_models_gpu`: patchers and bytes."""


class InterruptProcessingException(Exception):
    pass


def get_torch_device() -> torch.device:
    return device


def unet_offload_device() -> torch.device:
    return torch.device("cpu")


def intermediate_device() -> torch.device:
    return torch.device("cpu")


def load_models_gpu(
    models, memory_required=0, force_patch_weights=False, minimum_memory_required=None, force_full_load=False
) -> None:
    requests.append((list(models), memory_required))
    for patcher in models:
        patcher.patch_model(patcher.load_device, lowvram_model_memory=0.1 if no_vram else 0)


def soft_empty_cache(force=False) -> None:
    pass


def throw_exception_if_processing_interrupted() -> None:
    global interrupted
    if interrupted:
        interrupted = False
        raise InterruptProcessingException()
