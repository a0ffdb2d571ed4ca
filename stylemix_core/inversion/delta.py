"""A tuned generator as a difference to the one it was made from, in memory and in small files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ..checkpoints import what_is
from ..checkpoints.own_files import TUNING
from ..device import resolve_dtype
from ..errors import CheckpointError
from ..files.info import file_of
from ..generator import Generator
from ..networks import is_parameter, put, twin


@dataclass(frozen=True, eq=False)
class Delta:
    """What to add to some tensors of a generator. All its other tensors stay shared with that generator."""

    tensors: Mapping[str, torch.Tensor]
    """Differences by the generator's tensor names, each of the shape of that tensor."""
    generator: str
    """`Generator.fingerprint()` of the generator that they belong to."""

    def after(self, earlier: "Delta") -> "Delta":
        """Both differences in one: `earlier`, then this one, which was made from a generator with `earlier` applied."""
        tensors = dict(earlier.tensors)
        for name, delta in self.tensors.items():
            tensors[name] = tensors[name] + delta if name in tensors else delta
        return Delta(tensors, earlier.generator)

    def apply(self, generator: Generator) -> Generator:
        """A new generator with the differences added. It holds `generator`'s own tensors where none changes.

        `CheckpointError` when the differences belong to another generator.
        """
        held = generator.state_dict()
        misfit = [
            name
            for name, delta in self.tensors.items()
            if name not in held or held[name].shape != delta.shape
        ]
        if misfit or generator.fingerprint() != self.generator:
            raise CheckpointError(
                f"the tuning belongs to a generator with the fingerprint {self.generator}, not to this one "
                f"({file_of(generator)}, {generator.fingerprint()}); load the generator that was tuned"
            )
        tuned = twin(generator)
        with torch.no_grad():
            for name, delta in self.tensors.items():
                tensor = held[name]
                changed = (tensor.float() + delta.to(tensor.device, torch.float32)).to(tensor.dtype)
                put(tuned, name, nn.Parameter(changed, False) if is_parameter(tuned, name) else changed)
        return tuned


def save_delta(
    path: str | os.PathLike[str],
    delta: Delta,
    dtype: str | torch.dtype | None = "float16",
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a tuning as safetensors. "float16" halves the file; what it rounds off is far below a grey level.

    texts: more metadata, such as the workflow. The file appears complete or not at all.
    """
    precision = resolve_dtype(dtype, torch.device("cpu"))
    tensors = {name: tensor.to(precision) for name, tensor in delta.tensors.items()}
    TUNING.file.save(path, tensors, {"generator_fingerprint": delta.generator}, texts)


def holds_delta(path: str | os.PathLike[str]) -> bool:
    """Whether a file looks like one for `load_delta`. Only its header is read."""
    return TUNING.file.holds(path)


def load_delta(path: str | os.PathLike[str]) -> Delta:
    """Read a tuning that `save_delta` wrote, onto the CPU. `CheckpointError` when the file is another one."""

    def build(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> Delta:
        changes = {name: tensor.float() for name, tensor in tensors.items()}
        return Delta(changes, metadata.get("generator_fingerprint", ""))

    return TUNING.file.load(path, build, what_is)
