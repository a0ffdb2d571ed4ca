"""What a user's numbers mean to a generator: seeds and class labels, as in NVIDIA's tools."""

import re
from collections.abc import Iterable

import numpy as np
import torch

from ..errors import StyleMixError


def sample_z(seeds: Iterable[int], z_dim: int) -> torch.Tensor:
    """Draw one standard normal z per seed.

    seeds: whole numbers of any size; each is taken modulo 2³². The pictures of a batch that starts at
        seed s are `range(s, s + batch_size)`.
    Returns float32 `[len(seeds), z_dim]`. Row i depends on seed i alone.

    >>> sm.sample_z(range(3, 7), z_dim=512).shape
    torch.Size([4, 512])
    """
    rows = [np.random.RandomState(int(seed) % 2**32).randn(z_dim) for seed in seeds]
    return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, z_dim))


def describe(seed: int, psi: float, cutoff: int | None = None, label: int | None = None) -> str:
    """One line on how a sampled code came about: "seed 7, psi 0.7"."""
    parts = [f"seed {seed}", f"psi {psi:g}"]
    if cutoff is not None:
        parts.append(f"cutoff {cutoff}")
    if label is not None:
        parts.append(f"class {label}")
    return ", ".join(parts)


_DESCRIBED = re.compile(r"seed (\d{1,20}), psi (-?[\d.e-]+)(?:, cutoff (\d{1,9}))?(?:, class (\d{1,9}))?")


def seed_of(origin: str) -> tuple[int, float, int | None, int | None] | None:
    """Seed, psi, cutoff and label that `describe` tells of; None where it is not such a line."""
    found = _DESCRIBED.fullmatch(origin)
    if not found:
        return None
    cutoff, label = (None if part is None else int(part) for part in found.group(3, 4))
    return int(found[1]), float(found[2]), cutoff, label


def class_labels(label: int | None, c_dim: int, count: int) -> torch.Tensor | None:
    """The same class for `count` pictures, one-hot float32 `[count, c_dim]`.

    Without a label None, for a generator without classes. `StyleMixError` when a generator with `c_dim` classes gets
    none, or has no such class.
    """
    if label is None and not c_dim:
        return None
    if label is None:
        raise StyleMixError(f"this generator is conditional; choose class_label 0 to {c_dim - 1}")
    if not 0 <= label < c_dim:
        expected = f"classes 0 to {c_dim - 1}" if c_dim else "no classes; give no class label"
        raise StyleMixError(f"the class label is {label}, but this generator has {expected}")
    return torch.nn.functional.one_hot(torch.full([count], label), c_dim).float()
