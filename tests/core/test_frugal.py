"""Loading reads what is needed, keeps one copy of it, and inspecting reads next to nothing."""

import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from stylemix_core.checkpoints import inspect_checkpoint, load_encoder, load_generator
from stylemix_core.files.mapped import Storage
from stylemix_core.generator import StyleGAN2
from stylemix_core.networks import without_numbers
from tests import builders
from tests.core.test_fuzz import FORMATS


@pytest.fixture
def numbers_read(monkeypatch) -> list[int]:
    """How many numbers every read of a file's tensors has given so far."""
    counts: list[int] = []
    read = Storage.read

    def counting(self, *arguments):
        tensor = read(self, *arguments)
        counts.append(tensor.numel())
        return tensor

    monkeypatch.setattr(Storage, "read", counting)
    return counts


@pytest.mark.parametrize("name", list(FORMATS))
def test_inspecting_reads_no_weights(name, numbers_read, tmp_path):
    path = FORMATS[name](tmp_path)
    numbers_read.clear()  # a converted file was read to be written
    inspect_checkpoint(path)
    assert sum(numbers_read) == 0


@pytest.mark.parametrize("zipped", [True, False])
def test_loading_a_generator_leaves_the_encoder_unread(zipped, numbers_read, tmp_path):
    path = builders.write_tiny_psp(tmp_path / "psp.pt", zipped=zipped)
    decoder = builders.psp_decoder_state(builders.tiny_generator_config())
    load_generator(path, "cpu")
    assert sum(numbers_read) <= sum(tensor.numel() for tensor in decoder.values()) + 8 * 16
    encoder = builders.psp_encoder_state(builders.tiny_encoder_config())
    assert sum(numbers_read) < sum(tensor.numel() for tensor in encoder.values())


def test_loading_an_averaged_generator_leaves_the_other_networks_unread(numbers_read, tmp_path):
    state = builders.nvidia_state(builders.tiny_generator_config())
    load_generator(builders.write_nvidia(tmp_path / "network.pkl", state), "cpu")
    assert sum(numbers_read) == sum(tensor.numel() for tensor in state.values())


def test_no_two_tensors_are_held_besides_the_network():
    """A network takes its weights one by one: what it was given last is gone when it asks for the next."""
    state = builders.nvidia_state(builders.tiny_generator_config())
    alive: list[weakref.ref] = []

    class Halves(Mapping):
        def __getitem__(self, name):
            assert not any(reference() is not None for reference in alive)
            tensor = state[name].half()  # of another type than the network's, so that it has to be copied
            alive.append(weakref.ref(tensor))
            return tensor

        def __contains__(self, name):
            return name in state

        def __iter__(self):
            return iter(state)

        def __len__(self):
            return len(state)

    generator = StyleGAN2.from_state_dict(builders.tiny_generator_config(), Halves())
    assert len(alive) == len(generator.state_dict())


def test_networks_without_numbers_have_no_weights():
    with without_numbers():
        generator = StyleGAN2(builders.tiny_generator_config())
    assert all(parameter.is_meta or parameter.numel() < 100 for parameter in generator.parameters())
    assert torch.randn(2).device.type == "cpu"


def test_pytorchs_compiler_is_not_imported(tmp_path):
    """Arithmetic on tensors without numbers imports it: a second, and 60 MB."""
    paths = [str(write(tmp_path)) for write in FORMATS.values()]
    code = (
        "import sys; from stylemix_core import checkpoints as c\n"
        "for path in sys.argv[1:]:\n"
        "    for part in {'generator', 'encoder'}.intersection(c.inspect_checkpoint(path).contents):\n"
        "        getattr(c, f'load_{part}')(path, 'cpu')\n"
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code, *paths], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("load", [load_generator, load_encoder])
@pytest.mark.parametrize("name", list(FORMATS))
def test_loaded_weights_have_memory_of_their_own(name, load, tmp_path):
    path = FORMATS[name](tmp_path)
    if load.__name__.removeprefix("load_") not in inspect_checkpoint(path).contents:
        pytest.skip("no such part in this format")
    model = load(path, "cpu")
    tensors = [*model.parameters(), *model.buffers()]
    before = [tensor.clone() for tensor in tensors]
    path.write_bytes(bytes(path.stat().st_size))
    assert all(torch.equal(a, b) for a, b in zip(tensors, before))
    assert len({tensor.untyped_storage().data_ptr() for tensor in tensors}) == len(tensors)
