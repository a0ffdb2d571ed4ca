"""What several files of the nodes' tests take, on whichever host they run."""

import pytest
import torch

from stylemix_core.checkpoints import load_generator
from stylemix_core.codes.sampling import sample_latents


@pytest.fixture
def tiny(host):
    """The host's tiny generator, without the host."""
    return load_generator(host.base / "models/stylegan/tiny.safetensors", device="cpu")


@pytest.fixture
def faces(tiny):
    """Codes of two faces of it."""
    with torch.no_grad():
        return sample_latents(tiny, [7, 8], psi=0.7)


@pytest.fixture
def style(tiny):
    with torch.no_grad():
        return sample_latents(tiny, [100], psi=0.7)
