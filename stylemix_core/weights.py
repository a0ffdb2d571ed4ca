"""Giving a network the weights of a file."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

from .errors import CheckpointError

Network = TypeVar("Network", bound=nn.Module)


def adopt(network: Network, weights: Mapping[str, torch.Tensor], what: str) -> Network:
    """Make a network, built on the meta device, hold `weights` themselves; ready for inference.

    Tensors are copied only where their type or memory format must change. `CheckpointError` names the tensors
    that are missing or of another shape.
    """
    expected = network.state_dict()
    missing = [name for name in expected if name not in weights]
    if missing:
        raise CheckpointError(f"the {what} lacks {len(missing)} tensors, among them {', '.join(missing[:3])}")
    for name, tensor in expected.items():
        if weights[name].shape != tensor.shape:
            raise CheckpointError(
                f"the tensor {name} has the shape {list(weights[name].shape)}, expected {list(tensor.shape)}"
            )
    network.load_state_dict(
        {name: weights[name].to(tensor.dtype) for name, tensor in expected.items()}, assign=True
    )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)
