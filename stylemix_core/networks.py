"""Giving a network the weights of a file, and keeping what is computed from them."""

import copy
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from .errors import CheckpointError, StyleMixError

Network = TypeVar("Network", bound=nn.Module)


class without_numbers(TorchFunctionMode):
    """Networks made inside have weights with shapes and nothing in them.

    `torch.device("meta")` alone would do, but arithmetic there imports PyTorch's compiler, a second's work.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if function in (torch.empty, torch.randn):
            return torch.empty(*args, **{**kwargs, "device": "meta"})
        if getattr(function, "__module__", None) == nn.init.__name__:
            return kwargs.get("tensor", args[0] if args else None)
        return function(*args, **kwargs)


def adopt(network: Network, weights: Mapping[str, torch.Tensor], what: str) -> Network:
    """Make a network, built `without_numbers`, hold `weights` themselves; ready for inference.

    Each tensor is taken once, and copied only where its type or memory format must change: with a mapping that
    reads them from a file, no more than one is there twice. Batch norms' counters may be missing: only training reads
    them, and files written before PyTorch 0.4.1 lack them. `CheckpointError` names other tensors that are missing, and
    those of another shape.
    """
    expected = network.state_dict()
    counters = {name: torch.tensor(0) for name in expected if name.endswith("num_batches_tracked")}
    weights = ChainMap(weights, counters)  # type: ignore[arg-type]  # it is not written to
    missing = [name for name in expected if name not in weights]
    if missing:
        raise CheckpointError(f"the {what} lacks {len(missing)} tensors, among them {', '.join(missing[:3])}")
    for name, place in expected.items():
        tensor = weights[name]
        if tensor.shape != place.shape:
            raise CheckpointError(
                f"the tensor {name} has the shape {list(tensor.shape)}, expected {list(place.shape)}"
            )
        path, _, leaf = name.rpartition(".")
        module = network.get_submodule(path)
        tensor = arranged(tensor.detach(), place.dtype, getattr(module, "transposed", False))
        held = nn.Parameter(tensor, requires_grad=False) if is_parameter(network, name) else tensor
        setattr(module, leaf, held)
    return network.eval().requires_grad_(False)


def arranged(tensor: torch.Tensor, dtype: torch.dtype, transposed: bool) -> torch.Tensor:
    """The tensor in the memory format that convolutions want, transposed ones where it belongs to such."""
    if tensor.ndim != 4:
        return tensor.to(dtype, memory_format=torch.contiguous_format)
    if transposed:
        return arranged(tensor.transpose(0, 1), dtype, False).transpose(0, 1)
    return tensor.to(dtype, memory_format=torch.channels_last)


@dataclass(frozen=True)
class Known:
    """Something that was made of a weight, and what tells whether it is still up to date."""

    weight: torch.Tensor
    version: int
    since: object
    """The `Derived.since` of the time before it was made."""
    made: torch.Tensor


class Derived:
    """What `make` computes from a layer's weight, once for as long as the weight stays the same.

    Threads may call it, and forget, at the same time: what is known is read and written as one.
    """

    def __init__(self) -> None:
        self.known: Known | None = None
        self.since = object()
        """Another one after every `forget`, so that a thread that was computing meanwhile leaves nothing behind."""

    def make(self, weight: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        if weight.is_inference() or (weight.requires_grad and torch.is_grad_enabled()):
            return self.make(weight)  # nothing would tell of a change, or gradients go through it
        since, known, version = self.since, self.known, weight._version
        if (
            known is None
            or known.since is not since
            or known.weight is not weight
            or known.version != version
        ):
            with torch.inference_mode(False), torch.no_grad():
                known = self.known = Known(weight, version, since, self.make(weight))
        return known.made

    def forget(self) -> None:
        """To be called after the weight's memory was replaced."""
        self.since = object()
        self.known = None

    def __reduce__(self) -> tuple[type["Derived"], tuple[()]]:
        return type(self), ()  # a copy of a layer finds its own


def twin(network: Network, hold: Callable[[torch.Tensor], torch.Tensor] = torch.Tensor.detach) -> Network:
    """A network of its own whose tensors are `hold` of the given one's: by default the same memory."""
    memo: dict[int, torch.Tensor] = {}
    for tensor in chain(network.parameters(), network.buffers()):
        held = hold(tensor)
        memo[id(tensor)] = nn.Parameter(held, False) if isinstance(tensor, nn.Parameter) else held
    return copy.deepcopy(network, memo)


def differentiable(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor's memory, or a copy where it was made in inference mode, whose tensors autograd refuses."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def is_parameter(network: nn.Module, name: str) -> bool:
    owner, _, leaf = name.rpartition(".")
    return leaf in network.get_submodule(owner)._parameters


def put(network: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Let the network compute with `tensor`, which may depend on others, in place of its own of that name."""
    owner, _, leaf = name.rpartition(".")
    module = network.get_submodule(owner)
    slots = module._parameters if leaf in module._parameters else module._buffers
    if leaf not in slots:
        raise StyleMixError(f"the network has no tensor {name}")
    slots[leaf] = tensor  # type: ignore[assignment]


def with_checkpoints(modules: Iterable[nn.Module]) -> None:
    """Let modules compute their inner maps again in the backward pass: up to half more time, less memory."""
    for module in modules:
        module.forward = partial(checkpoint, module.forward, use_reentrant=False, preserve_rng_state=False)
