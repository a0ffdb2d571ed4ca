"""Reading pickles as data: what a benign file needs works, everything else is refused and runs nothing."""

import argparse
import collections
import io
import os
import pickle
import struct
import sys

import numpy as np
import pytest
import torch

from stylemix_core.checkpoints import inspect_checkpoint, load_generator
from stylemix_core.checkpoints.base import StoredTensor
from stylemix_core.checkpoints.unpickle import Record, read_pickle, read_torch
from stylemix_core.errors import CheckpointError
from tests.builders import Call, Name, Pickler


def dump(value, protocol=4) -> bytes:
    stream = io.BytesIO()
    Pickler(stream, protocol=protocol).dump(value)
    return stream.getvalue()


def hostile_calls(canary: str) -> dict:
    """Values whose unrestricted reading would create the file `canary`."""
    code = f"open({canary!r}, 'w').close()"
    command = f"touch {canary}"
    bytes_payload = dump(Call(os.system, (command,)), 2)
    getattr_ = Name("builtins", "getattr")
    return {
        "os.system": Call(Name("os", "system"), (command,)),
        "posix.system": Call(Name("posix", "system"), (command,)),
        "builtins.eval": Call(Name("builtins", "eval"), (code,)),
        "builtins.exec": Call(Name("builtins", "exec"), (code,)),
        "builtins.getattr": Call(Call(getattr_, (Name("os", "path"), "os")), (command,)),
        "dotted name": Call(Name("torch.storage", "_load_from_bytes.__globals__"), ()),
        "dotted module": Call(Name("torch", "os.system"), (command,)),
        "torch.load": Call(Name("torch", "load"), (canary,)),
        "torch.serialization.load": Call(Name("torch.serialization", "load"), (canary,)),
        "functools.partial": Call(Name("functools", "partial"), (Name("os", "system"), command)),
        "operator.attrgetter": Call(Name("operator", "attrgetter"), ("system",)),
        "importlib.import_module": Call(Name("importlib", "import_module"), ("os",)),
        "numpy.load": Call(Name("numpy", "load"), (canary, None, True)),
        "subprocess.Popen": Call(Name("subprocess", "Popen"), (["touch", canary],)),
        "nested pickle": Call(torch.storage._load_from_bytes, (bytes_payload,)),
        "nested torch file": Call(
            torch.storage._load_from_bytes, (torch_bytes(Call(os.system, (command,))),)
        ),
        "nested zip": Call(torch.storage._load_from_bytes, (torch_bytes(Call(os.system, (command,)), True),)),
        "calling a record": Call(Call(Name("argparse", "Namespace"), ()), (command,)),
        "calling a text": Call(Call(Name("_codecs", "encode"), ("os.system",)), (command,)),
    }


def torch_bytes(value, zipped=False) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def storage_bytes() -> bytes:
    """Four numbers as a plain pickle of a tensor embeds them."""
    _, (payload,) = torch.storage.TypedStorage(4, dtype=torch.float32, _internal=True).__reduce__()
    return payload


@pytest.mark.parametrize("name", list(hostile_calls("")))
def test_hostile_pickles_are_refused_and_run_nothing(name, tmp_path):
    canary = tmp_path / "canary"
    value = hostile_calls(str(canary))[name]
    for wrapped in (value, {"G_ema": value}, [(value,)]):
        path = tmp_path / "network.pkl"
        path.write_bytes(dump(wrapped))
        for read in (read_pickle, inspect_checkpoint, lambda path: load_generator(path, device="cpu")):
            with pytest.raises(CheckpointError):
                read(path)
    assert not canary.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_torch_files_are_refused_and_run_nothing(zipped, tmp_path):
    canary = tmp_path / "canary"
    path = tmp_path / "psp.pt"
    path.write_bytes(torch_bytes({"state_dict": {}, "opts": Call(os.system, (f"touch {canary}",))}, zipped))
    with pytest.raises(CheckpointError, match="system"):
        inspect_checkpoint(path)
    assert not canary.exists()


def test_a_refusal_names_the_global_and_the_file(tmp_path):
    path = tmp_path / "network.pkl"
    path.write_bytes(dump(Call(Name("somewhere.evil", "Thing"), ())))
    with pytest.raises(CheckpointError, match=r"network\.pkl.*'somewhere\.evil\.Thing'"):
        inspect_checkpoint(path)


def test_a_named_module_is_never_imported(tmp_path, monkeypatch):
    (tmp_path / "imported_by_pickle.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "x.pkl"
    path.write_bytes(dump(Name("imported_by_pickle", "x")))
    with pytest.raises(CheckpointError):
        read_pickle(path)
    assert "imported_by_pickle" not in sys.modules


OPCODES = {
    "extension code": b"\x80\x02\x82\x01.",
    "persistent id": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "text persistent id": b"\x80\x02Pa\n.",
    "old instance": b"\x80\x02(ios\nsystem\n.",
    "old object": b"\x80\x02(cos\nsystem\no.",
    "out-of-band buffer": b"\x80\x05\x97.",
    "state of a list": b"\x80\x02]}b.",
    "items of a number": b"\x80\x02K\x01K\x01K\x01s.",
    "empty stack": b"\x80\x02.",
    "no such memo": b"\x80\x02h\x07.",
    "no stop": b"\x80\x02K\x01",
    "unknown opcode": b"\x80\x02\xff.",
    "announced text beyond the file": b"\x80\x04X" + struct.pack("<I", 2**31) + b"abc.",
    "announced bytes beyond the file": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"abc.",
    "announced array beyond the file": b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b"abc.",
    "nested tuple as a key": b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"K\x01s.",
}


@pytest.mark.parametrize("name", list(OPCODES))
def test_odd_operations_end_in_an_error(name, tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(OPCODES[name])
    with pytest.raises(CheckpointError):
        read_pickle(path)


def test_a_million_nested_lists_end_in_an_error(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".")
    with pytest.raises(CheckpointError, match="steps"):
        read_pickle(path)


@pytest.mark.parametrize(
    "arguments",
    [
        (2**39, (4,), (1,)),
        (0, (2**39,), (0,)),
        (0, (5,), (1,)),
        (0, (2, 2), (2,)),
        (0, (-1,), (1,)),
        (0, (2,), (-1,)),
        (0, [4], [1]),
        ("0", (4,), (1,)),
    ],
)
def test_tensors_beyond_their_storage_are_refused(arguments, tmp_path):
    storage = Call(torch.storage._load_from_bytes, (storage_bytes(),))
    path = tmp_path / "x.pkl"
    path.write_bytes(dump(Call(torch._utils._rebuild_tensor_v2, (storage, *arguments, False, {}))))
    with pytest.raises(CheckpointError):
        read_pickle(path)


def test_a_stored_storage_cannot_hold_pickles_of_its_own(tmp_path):
    inner = storage_bytes()
    outer = torch_bytes(Call(torch.storage._load_from_bytes, (inner,)))
    path = tmp_path / "x.pkl"
    path.write_bytes(dump(Call(torch.storage._load_from_bytes, (outer,))))
    with pytest.raises(CheckpointError, match="_load_from_bytes"):
        read_pickle(path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_survive(protocol, tmp_path):
    value = {
        "numbers": [1, -5, 2**70, 0.25, True, None],
        "texts": ("", "é" * 300, b"\x00" * 10),
        "set": {1, 2},
        "scalar": np.float64(0.5),
        "ordered": collections.OrderedDict(a=1),
    }
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    assert read_pickle(path) == value


@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_arrays_survive(order, tmp_path):
    array = np.asarray(np.arange(600, dtype=">f4").reshape(20, 30), order=order)
    path = tmp_path / "x.pkl"
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps(array, protocol=protocol))
        stored = read_pickle(path)
        assert stored.shape == (20, 30)
        assert np.array_equal(stored.load(), array)
    path.write_bytes(pickle.dumps(np.array([print], dtype=object), protocol=2))
    with pytest.raises(CheckpointError):
        read_pickle(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_read_as_torch_reads_them(zipped, tmp_path):
    base = torch.arange(24.0)
    tensors = {
        "plain": base.reshape(4, 6),
        "transposed": base.reshape(4, 6).t(),
        "shared slice": base[5:9],
        "half": torch.randn(7).half(),
        "bfloat": torch.randn(7).bfloat16(),
        "integer": torch.tensor(3),
        "bool": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(300, 2)),
    }
    path = tmp_path / "x.pt"
    torch.save(
        {"tensors": tensors, "opts": argparse.Namespace(a=1)}, path, _use_new_zipfile_serialization=zipped
    )
    content = read_torch(path)
    assert isinstance(content["opts"], Record) and content["opts"].state == {"a": 1}
    for name, tensor in tensors.items():
        stored = content["tensors"][name]
        assert isinstance(stored, StoredTensor) and stored.shape == tuple(tensor.shape)
        assert stored.load().dtype == tensor.dtype
        assert torch.equal(stored.load(), tensor)


@pytest.mark.parametrize("zipped", [True, False])
def test_cut_files_end_in_an_error(zipped, tmp_path):
    whole = torch_bytes({"state_dict": {"encoder.x": torch.randn(500)}}, zipped)
    path = tmp_path / "x.pt"
    for length in range(1, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            inspect_checkpoint(path)
