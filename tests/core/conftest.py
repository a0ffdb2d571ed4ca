"""What several files of command line tests take."""

import pytest

from .. import builders


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The options that name the tiny models."""
    generator, encoder = builders.write_tiny_native(tmp_path_factory.mktemp("models"))
    return {"generator": ["--generator", str(generator)], "encoder": ["--encoder", str(encoder)]}
