"""Codes of seeds."""

from collections.abc import Sequence

import torch

from ..generator import Generator
from ..generator.batches import Runner
from .latents import Latents
from .seeds import class_labels, describe, sample_z


def sample_latents(
    generator: Generator,
    seeds: Sequence[int],
    psi: float,
    cutoff: int | None = None,
    label: int | None = None,
    runner: Runner | None = None,
) -> Latents:
    """The codes of seeds, one each, on the CPU. Arguments and errors as for `Generator.mapping` and `class_labels`.

    runner: of the generator, where somebody else runs it; the codes then stay where its results are.
    """
    z, labels = sample_z(seeds, generator.z_dim), class_labels(label, generator.c_dim, len(seeds))

    def forward(generator: Generator, items: slice) -> torch.Tensor:
        c = None if labels is None else labels[items]
        w: torch.Tensor = generator.mapping(z[items], c, psi, cutoff)
        return w

    w = forward(generator, slice(None)).cpu() if runner is None else runner(len(seeds), forward)
    origins = tuple(describe(seed, psi, cutoff, label) for seed in seeds)
    return Latents(w, origins, generator.fingerprint())
