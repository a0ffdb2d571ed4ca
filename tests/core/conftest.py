"""What several files of the core's tests take."""

import pytest
import torch

import stylemix_core as sm
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.generator.engine import strips

from .. import builders


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The options that name the tiny models."""
    generator, encoder = builders.write_tiny_native(tmp_path_factory.mktemp("models"))
    return {"generator": ["--generator", str(generator)], "encoder": ["--encoder", str(encoder)]}


@pytest.fixture(scope="module")
def generator():
    """The tiny one."""
    return builders.tiny_generator()


@pytest.fixture(scope="module")
def encoder():
    """The tiny one."""
    return builders.tiny_encoder()


@pytest.fixture(scope="module")
def one_thread():
    """Threads that wait for each other on a busy machine cost these small networks far more than they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def faces(generator):
    """Codes of two sources and of a style."""
    with torch.no_grad():
        return sample_latents(generator, [1, 2], 1.0), sample_latents(generator, [3], 1.0)


@pytest.fixture(scope="module")
def demo():
    """The bundled generator."""
    return sm.load_generator("demo", "cpu")


@pytest.fixture
def narrow_strips(monkeypatch):
    """Strips of four rows from the first block on that can have some."""
    monkeypatch.setattr(strips, "STRIP_BYTES", 1)
    monkeypatch.setattr(strips, "ALONE_BYTES", 1)
