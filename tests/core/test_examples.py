"""The examples in docstrings: they run, and give what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest
import torch

import stylemix_core as sm

from .. import builders

PACKAGE = Path(sm.__file__).parent
WITH_EXAMPLES = [
    path.relative_to(PACKAGE)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.fixture(scope="module")
def names():
    """What examples need not say: the package, tiny models, two faces and a style for them."""
    generator = builders.tiny_generator()
    w = generator.mapping(sm.sample_z([0, 1, 2], generator.z_dim))
    return {
        "sm": sm,
        "torch": torch,
        "G": generator,
        "E": builders.tiny_encoder(),
        "faces": w[:2],
        "style": w[2:],
    }


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.as_posix())
def test_examples_give_what_they_say(path, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    builders.draw_avatars(1)[0].save("photo.jpg")
    module = import_module(".".join(("stylemix_core", *path.with_suffix("").parts)).removesuffix(".__init__"))
    result = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed
