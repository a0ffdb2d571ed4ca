"""Tensors that lie in a file and are read when they are asked for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from ..errors import CheckpointError

MOST_TENSORS = 5_000
"""Of a network. A pSp encoder has 800."""


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor in a file: its shape is known, its numbers are read by `load`, into memory of their own."""

    shape: tuple[int, ...]
    load: Callable[[], torch.Tensor]

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "StoredTensor":
        """A tensor in memory as a stored one."""
        return cls(tuple(tensor.shape), tensor.clone)

    def map(
        self, change: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...] | None = None
    ) -> "StoredTensor":
        """The same with `change`, a function of the tensor alone, applied when it is loaded.

        shape: what `change` makes of it. Without it `change` is tried on shapes alone, which suits views; for
            arithmetic PyTorch imports its compiler first, a second's work.
        """
        if shape is None:
            shape = tuple(change(torch.empty(self.shape, device="meta")).shape)
        return StoredTensor(shape, lambda: change(self.load()))


class Weights(Mapping[str, torch.Tensor]):
    """Tensors by name, each read when it is asked for: a network that takes them one by one needs no second copy."""

    def __init__(self, tensors: "Tensors"):
        self.tensors = tensors

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name].load()

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


Tensors = Mapping[str, StoredTensor]


def shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    """By name. `CheckpointError` when there are more than in any network."""
    if len(tensors) > MOST_TENSORS:
        raise CheckpointError(
            f"the file holds {len(tensors)} tensors, more than any network that can be read"
        )
    return {name: tensor.shape for name, tensor in tensors.items()}
