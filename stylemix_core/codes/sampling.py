"""Codes of seeds."""

from collections.abc import Sequence

from ..generator import Generator
from .latents import Latents
from .seeds import class_labels, describe, sample_z


def sample_latents(
    generator: Generator,
    seeds: Sequence[int],
    psi: float,
    cutoff: int | None = None,
    label: int | None = None,
) -> Latents:
    """The codes of seeds, one each, on the CPU. Arguments and errors as for `Generator.mapping` and `class_labels`."""
    labels = class_labels(label, generator.c_dim, len(seeds))
    w = generator.mapping(sample_z(seeds, generator.z_dim), labels, psi, cutoff)
    origins = tuple(describe(seed, psi, cutoff, label) for seed in seeds)
    return Latents(w.cpu(), origins, generator.fingerprint())
