"""Reading pickles as data: what a benign file needs works, everything else is refused and runs nothing."""

import argparse
import collections
import io
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stylemix_core.checkpoints import inspect_checkpoint, load_generator
from stylemix_core.errors import CheckpointError
from stylemix_core.files.pickle_machine import Record
from stylemix_core.files.stored import StoredTensor
from stylemix_core.files.unpickle import read_pickle, read_torch
from tests import exhausting
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
        "getattr chain": Call(Name("torch.storage", "_load_from_bytes.__globals__.__getitem__"), ("os",)),
        "apply": Call(Name("__builtin__", "apply"), (Name("os", "system"), (command,))),
        "nested pickle": Call(torch.storage._load_from_bytes, (bytes_payload,)),
        "nested torch file": Call(
            torch.storage._load_from_bytes, (torch_bytes(Call(os.system, (command,))),)
        ),
        "nested zip": Call(torch.storage._load_from_bytes, (torch_bytes(Call(os.system, (command,)), True),)),
        "pathlib that acts": Call(Name("pathlib", "Path.touch"), (canary,)),
        "a path's method": Call(Call(getattr_, (Call(Name("pathlib", "Path"), (canary,)), "touch")), ()),
        "calling a factory": Call(
            Call(Name("collections", "defaultdict"), (Name("os", "system"),)), (command,)
        ),
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
    "extension code of 2 bytes": b"\x80\x02\x83\x01\x00.",
    "extension code of 4 bytes": b"\x80\x02\x84\x01\x00\x00\x00.",
    "keyword arguments": b"\x80\x04cargparse\nNamespace\n)}K\x01K\x01s\x92.",
    "text without quotes": b"\x80\x02Sabc\n.",
    "line without end": b"\x80\x02I1",
    "unsigned length of a number": b"\x80\x02\x8b\xff\xff\xff\xff.",
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


@pytest.mark.parametrize(
    ("many", "readers"),
    [
        (5_000, ["inspect_checkpoint"]),
        pytest.param(5_000, [], marks=pytest.mark.slow),
        pytest.param(exhausting.MANY, ["inspect_checkpoint"], marks=pytest.mark.slow),
    ],
)
def test_no_file_exhausts_the_machine(many, readers, tmp_path):
    """Each ends within 5 s of computing and 500 MB, Python and PyTorch included."""
    for name, make in exhausting.files(many):
        if name not in exhausting.HEAVY or not readers:
            (tmp_path / name).write_bytes(make())
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.exhausting", str(tmp_path), *readers]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == len(os.listdir(tmp_path)) * (len(readers) or len(exhausting.READERS))
    for name, reader, seconds, megabytes, error in lines:
        assert error is not None, (name, reader)
        assert len(error) <= 1000, (name, reader)
        assert seconds < 5 and megabytes < 500, (name, reader, seconds, megabytes)


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


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_survive(protocol, tmp_path):
    value = {
        "numbers": [1, -5, 2**70, 0.25, True, False, None],
        "texts": ("", "é" * 300, "\n'\\", "\U0001f600"),
        "ordered": collections.OrderedDict(a=1),
    }
    if protocol >= 2:  # below, a class calls copyreg, which no checkpoint needs
        value |= {"set": {1, 2}, "scalar": np.float64(0.5), "bytes": b"\x00" * 10}
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    assert read_pickle(path) == value


def test_texts_of_python_2_survive(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(
        b"(dp0\nS'a\\n\\xe9'\np1\nI01\nsS\"b'\"\nL12L\nsU\x01c(lp2\nF0.5\naT\x02\x00\x00\x00\xe9!as."
    )
    assert read_pickle(path) == {"a\n\xe9": True, "b'": 12, "c": [0.5, "\xe9!"]}


HOSTILE_ARGUMENTS = {
    "dictionary of a number": ("collections", "OrderedDict", (5,)),
    "dictionary of texts": ("collections", "OrderedDict", (["ab", "cd"],)),
    "dictionary with keys that are lists": ("dnnlib", "EasyDict", ([([], 1)],)),
    "object numbers": ("numpy", "dtype", ("O8", False, True)),
    "structured numbers": ("numpy", "dtype", ("V16", False, True)),
    "texts as numbers": ("numpy", "dtype", ("f4,O", False, True)),
    "list as numbers": ("numpy", "dtype", ([("a", "O")], False, True)),
    "class as numbers": ("numpy", "dtype", (Name("numpy", "ndarray"), False, True)),
    "making an array": ("numpy", "ndarray", ((2,), "O")),
    "array of a scalar type": ("numpy.core.numeric", "_frombuffer", (b"1234", "f4", (1,), "C")),
    "array in another order": (
        "numpy._core.numeric",
        "_frombuffer",
        (b"1234", Call(Name("numpy", "dtype"), ("f4",)), (1,), "K"),
    ),
    "array beyond its bytes": (
        "numpy._core.numeric",
        "_frombuffer",
        (b"1234", Call(Name("numpy", "dtype"), ("f4",)), (2**30,), "C"),
    ),
    "scalar of other bytes": (
        "numpy.core.multiarray",
        "scalar",
        (Call(Name("numpy", "dtype"), ("f8",)), b"1234"),
    ),
    "scalar without type": ("numpy.core.multiarray", "scalar", ("f4", b"1234")),
    "parameter of a number": ("torch._utils", "_rebuild_parameter", (5, True, {})),
    "parameter of a call": (
        "torch._utils",
        "_rebuild_parameter",
        (Call(Name("torch", "Size"), ((1,),)), True, {}),
    ),
    "tensor of bytes": ("torch._utils", "_rebuild_tensor_v2", (b"1234", 0, (1,), (1,), False, {})),
    "storage class": ("torch", "FloatStorage", (2**60,)),
    "shape of a text": ("torch", "Size", ("abc",)),
    "set of lists": ("builtins", "set", ([[]],)),
    "frozen set of lists": ("builtins", "frozenset", ([[]],)),
    "counter of a number": ("collections", "Counter", (5,)),
    "dictionary whose default is made of a number": ("collections", "defaultdict", (None, 5)),
    "queue of a dictionary": ("collections", "deque", ({},)),
    "path of a number": ("pathlib", "PosixPath", (5,)),
    "path of a call": ("pathlib", "WindowsPath", (Call(Name("argparse", "Namespace"), ()),)),
    "making a number of a text": ("builtins", "int", ("9" * 4000,)),
    "making a text": ("builtins", "str", (b"a",)),
    "making an object": ("builtins", "object", ()),
    "making a number type": ("numpy", "float32", (1,)),
    "calling a torch type": ("torch", "float16", ()),
    "encoding that runs": ("_codecs", "encode", ("abc", "zlib")),
    "nested storage of a number": ("torch.storage", "_load_from_bytes", (5,)),
    "nested storage that is none": (
        "torch.storage",
        "_load_from_bytes",
        (exhausting.legacy(b"\x80\x02K\x01."),),
    ),
}


@pytest.mark.parametrize("name", list(HOSTILE_ARGUMENTS))
def test_allowed_names_take_nothing_but_what_they_need(name, tmp_path):
    module, function, arguments = HOSTILE_ARGUMENTS[name]
    path = tmp_path / "x.pkl"
    path.write_bytes(dump(Call(Name(module, function), arguments)))
    with pytest.raises(CheckpointError):
        read_pickle(path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_arrays_survive(order, tmp_path):
    array = np.asarray(np.arange(600, dtype=">f4").reshape(20, 30), order=order)
    path = tmp_path / "x.pkl"
    for protocol in (2, 4, 5):
        path.write_bytes(pickle.dumps(array, protocol=protocol))
        stored = read_pickle(path)
        assert stored.shape == (20, 30)
        assert np.array_equal(stored.load(), array)
        assert stored.load().flags.owndata and stored.load().dtype.isnative
    long = np.arange(100_000, dtype="<f4")
    path.write_bytes(pickle.dumps(long, protocol=2))
    assert np.array_equal(read_pickle(path).load(), long)
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


def test_tensors_of_the_first_pytorch_survive(tmp_path):
    storage = Call(torch.storage._load_from_bytes, (storage_bytes(),))
    path = tmp_path / "x.pkl"
    path.write_bytes(dump(Call(torch._utils._rebuild_tensor, (storage, 1, (3,), (1,)))))
    assert read_pickle(path).load().shape == (3,)


@pytest.mark.parametrize("zipped", [True, False])
def test_cut_files_end_in_an_error(zipped, tmp_path):
    whole = torch_bytes({"state_dict": {"encoder.x": torch.randn(500)}}, zipped)
    path = tmp_path / "x.pt"
    for length in range(1, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            inspect_checkpoint(path)
