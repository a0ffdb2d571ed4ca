"""Seeds to latents, the way NVIDIA's tools draw them."""

from collections.abc import Iterable

import numpy as np
import torch


def sample_z(seeds: Iterable[int], z_dim: int) -> torch.Tensor:
    """Draw one standard normal z per seed.

    seeds: whole numbers of any size; each is taken modulo 2³². The pictures of a batch that starts at
        seed s are `range(s, s + batch_size)`.
    Returns float32 `[len(seeds), z_dim]`. Row i depends on seed i alone.
    """
    rows = [np.random.RandomState(int(seed) % 2**32).randn(z_dim) for seed in seeds]
    return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, z_dim))
