"""Files that ask for more time, memory or stack than a machine has, and what reading them costs.

python -m tests.exhausting FOLDER     reads the files in it; prints each one's error, seconds and peak memory
"""

import io
import json
import pickle
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from stylemix_core.checkpoints import inspect_checkpoint, load_encoder, load_generator
from stylemix_core.codes.direction_files import load_directions
from stylemix_core.codes.latents import load_latents
from stylemix_core.errors import StyleMixError
from stylemix_core.files.unpickle import LEGACY_HEAD
from stylemix_core.inversion.delta import load_delta
from tests import builders
from tests.builders import Call, Name, Pickler

READERS = (inspect_checkpoint, load_generator, load_encoder, load_latents, load_directions, load_delta)
"""Every door that a file comes through."""
MANY = 120_000
"""How deep nested values are: enough to overflow a C stack. A few thousand overflow Python's."""
HEAVY = ("many sets", "many safetensors", "empty lists in a safetensors header")
"""Files whose refusal takes about a second."""


def dump(value, protocol: int = 4) -> bytes:
    stream = io.BytesIO()
    Pickler(stream, protocol=protocol).dump(value)
    return stream.getvalue()


def torch_zip(content: bytes, members: dict[str, bytes] | None = None, **options) -> bytes:
    """A PyTorch file around a pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        archive.writestr("archive/data.pkl", content)
        for name, data in (members or {}).items():
            archive.writestr(name, data)
    return stream.getvalue()


def placed(value: bytes) -> dict[str, bytes]:
    """Pickles that hold a value, given as operations that push it, where readers look."""
    module = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
    start = b"\x80\x02}X\x05\x00\x00\x00G_ema"
    state = b"X\x05\x00\x00\x00state}X\x08\x00\x00\x00_modules}X\x09\x00\x00\x00synthesis"
    inner = module + b"}" + state + b"}sss\x85R"
    named = module + b"}X\x0a\x00\x00\x00class_name" + value + b"s" + state + inner + b"sss\x85Rs."
    return {
        "alone": b"\x80\x02" + value + b".",
        "network": start + value + b"s.",
        "class name": start + named,
        "numpy type": b"\x80\x02cnumpy\ndtype\n" + value + b"\x85R.",
        "encoding": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00a" + value + b"\x86R.",
        "dictionary": b"\x80\x02ccollections\nOrderedDict\n" + value + b"\x85R.",
        "shape": b"\x80\x02ctorch\nSize\n" + value + b"\x85R.",
        "array state": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R" + value + b"b.",
        "device": b"\x80\x02ctorch\ndevice\n" + value + b"\x85R.",
        "key": b"\x80\x02}" + value + b"K\x01s.",
        "options": torch_zip(
            b"\x80\x02}(X\x0a\x00\x00\x00state_dict}X\x09\x00\x00\x00decoder.xK\x01sX\x04\x00\x00\x00opts}"
            b"X\x0c\x00\x00\x00encoder_type" + value + b"su."
        ),
    }


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def nested(many: int) -> dict[str, bytes]:
    """Operations that push values without end, or nearly so."""
    return {
        "deep lists": b"]" * many + b"a" * (many - 1),
        "deep tuples": b")" + b"\x85" * many,
        "deep dictionaries": b"}K\x01" * many + b"N" + b"s" * many,
        "deep calls": b"cargparse\nNamespace\n" * many + b")" + b"R\x85" * (many - 1) + b"R",
        "doubled lists": b"]q\x00" + b"](h\x00h\x00eq\x00" * (many // 6),
        "a list of itself": b"]q\x00h\x00a",
        "a dictionary of itself": b"}q\x00K\x01h\x00s",
        "a long text": text("a" * 200_000),
    }


def copies(kind: bytes) -> bytes:
    """A container of many items, copied many times."""
    items = b"(" + b"".join(b"M" + struct.pack("<H", i % 65536) + b"N" for i in range(60_000))
    lists = (b"ctorch\nSize\n", b"ccollections\ndeque\n", b"c__builtin__\nfrozenset\n")
    big = b"}" + items + b"u" if kind not in lists else b"]" + items + b"e"
    return b"\x80\x02" + big + b"q\x00" + kind + b"q\x01" + b"h\x01h\x00\x85R0" * 50_000 + b"."


def shared_dictionaries(width: int, depth: int) -> bytes:
    """Dictionaries that hold the next one under many names."""
    inner: dict = {"x": 1}
    for _ in range(depth):
        inner = {f"name{i}": inner for i in range(width)}
    return torch_zip(dump(inner))


def colliding_keys() -> bytes:
    numbers = (pickle.dumps(k * (2**61 - 1), 2)[2:-1] for k in range(1, 60_000))
    return b"\x80\x02}(" + b"".join(number + b"N" for number in numbers) + b"u."


def many_storages(count: int, size: int) -> bytes:
    """Mapping layers that all share one run of numbers."""
    state: dict[str, torch.Tensor] = builders.nvidia_state(builders.tiny_generator_config())
    weight = torch.zeros(size, size)
    for i in range(count):
        state[f"mapping.fc{i}.weight"] = weight
        state[f"mapping.fc{i}.bias"] = weight[0]
    stream = io.BytesIO()
    names = {
        f"decoder.style.{i + 1}.{kind}": state[f"mapping.fc{i}.{kind}"]
        for i in range(count)
        for kind in ("weight", "bias")
    }
    decoder = builders.psp_decoder_state(builders.tiny_generator_config())
    torch.save({"state_dict": {**decoder, **names}, "opts": {}}, stream)
    return stream.getvalue()


def shared_parameters(count: int) -> bytes:
    """Modules by the thousand that share a parameter with a long name."""
    made = Name("torch_utils.persistence", "_reconstruct_persistent_obj")

    def module(parameters: dict, modules: dict) -> Call:
        state = {"_parameters": parameters, "_buffers": {}, "_modules": modules}
        return Call(made, ({"state": state},))

    one = module({"w" * 200_000: torch.zeros(1)}, {})
    parts = module({}, {f"m{i}": one for i in range(count)})
    return dump({"G_ema": module({}, {"synthesis": parts})})


def nested_modules(width: int, depth: int, name: str = "m") -> bytes:
    """Modules that hold the next one under many names."""
    module: dict = {"_parameters": {}, "_buffers": {}, "_modules": {}}
    for _ in range(depth):
        call = Call(Name("torch_utils.persistence", "_reconstruct_persistent_obj"), ({"state": module},))
        module = {"_modules": {"synthesis": call, "b4": call, **{f"{name}{i}": call for i in range(width)}}}
    call = Call(Name("torch_utils.persistence", "_reconstruct_persistent_obj"), ({"state": module},))
    return dump({"G_ema": call})


def many_heads() -> bytes:
    """An encoder with thousands of style heads."""
    state = builders.psp_encoder_state(builders.tiny_encoder_config())
    one = torch.zeros(1)
    state |= {f"encoder.styles.{i}.linear.weight": one for i in range(6_000)}
    stream = io.BytesIO()
    torch.save({"state_dict": state, "opts": {}}, stream)
    return stream.getvalue()


def deep_heads() -> bytes:
    """An encoder whose first style head has thousands of layers, and so would all others."""
    state = builders.psp_encoder_state(builders.tiny_encoder_config())
    state |= {f"encoder.styles.0.convs.{i}.weight": torch.zeros(1) for i in range(100, 2_000)}
    stream = io.BytesIO()
    torch.save({"state_dict": state, "opts": {}}, stream)
    return stream.getvalue()


def shared_variables() -> bytes:
    """A TensorFlow generator of thousands of parts, all with the same thousands of variables."""
    variables = [(f"v{i}", 1.0) for i in range(5_000)]
    network = Name("dnnlib.tflib.network", "Network")
    part = Call(network, (), {"version": 4, "variables": variables})
    parts = {"synthesis": part, **{f"part{i}": part for i in range(5_000)}}
    return dump((Call(network, (), {"version": 4, "components": parts, "variables": variables}),))


def doubled_names() -> bytes:
    """A TensorFlow generator whose names and version are lists that double."""
    doubled: list = []
    for _ in range(100):
        doubled = [doubled, doubled]
    network = Name("dnnlib.tflib.network", "Network")
    part = Call(network, (), {"version": doubled, "build_func_name": doubled, "variables": [(doubled, 1.0)]})
    fields = {"version": doubled, "build_func_name": doubled, "components": {"synthesis": part}}
    return dump((Call(network, (), {**fields, "variables": [(doubled, 1.0)]}),))


def wide_z() -> bytes:
    """A generator without an average, whose average cannot be sampled in memory."""
    state = builders.psp_decoder_state(builders.tiny_generator_config())
    state["decoder.style.1.weight"] = torch.zeros(16, 200_000)
    stream = io.BytesIO()
    torch.save({"state_dict": state, "opts": {}}, stream)
    return stream.getvalue()


def broadcast() -> bytes:
    state = builders.psp_decoder_state(builders.tiny_generator_config())
    state |= {f"decoder.style.{i}.weight": torch.zeros(1).expand(1000, 1000) for i in range(1, 60)}
    state |= {f"decoder.style.{i}.bias": torch.zeros(1).expand(1000) for i in range(1, 60)}
    stream = io.BytesIO()
    torch.save({"state_dict": state, "opts": {}}, stream)
    return stream.getvalue()


def payloads(payload: bytes, times: int) -> bytes:
    call = b"ctorch.storage\n_load_from_bytes\nq\x01"
    pushed = b"\x8e" + struct.pack("<Q", len(payload)) + payload + b"q\x00"
    return b"\x80\x04" + call + pushed + b"h\x01h\x00\x85R0" * times + b"."


def legacy(content: bytes, keys: bytes = b"\x80\x02].", rest: bytes = b"") -> bytes:
    return LEGACY_HEAD + b"\x80\x02M\xe9\x03." + b"\x80\x02}." + content + keys + rest


def storage(size: bytes) -> bytes:
    """A persistent id of a float storage, and a tensor of it."""
    identity = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
        + size
        + b"tQ"
    )
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + identity + b"K\x00K\x01\x85K\x01\x85\x89}tR."


def safetensors(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor_entry(name: str, shape: list[int], start: int, stop: int) -> str:
    return f'"{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{stop}]}}'


def zip_of_many() -> bytes:
    """An archive whose directory names 200,000 members, all at the same place."""
    one = torch_zip(b"N.")
    start = one.index(b"PK\x01\x02")
    entry, end = one[start : one.index(b"PK\x05\x06")], one[one.index(b"PK\x05\x06") :]
    directory = entry * 200_000
    packed = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), start, 0)
    assert len(packed) == len(end)
    return one[:start] + directory + packed


def files(many: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name and maker of every file."""
    for name, value in nested(many).items():
        for place, content in placed(value).items():
            yield f"{name}, {place}", lambda content=content: content
    yield (
        "a huge number",
        lambda: b"\x80\x02\x8b" + struct.pack("<I", 50_000_000) + b"\x7f" * 50_000_000 + b".",
    )
    yield "copied dictionaries", lambda: copies(b"ccollections\nOrderedDict\n")
    yield "copied shapes", lambda: copies(b"ctorch\nSize\n")
    yield "copied counters", lambda: copies(b"ccollections\nCounter\n")
    yield "copied queues", lambda: copies(b"ccollections\ndeque\n")
    yield "copied sets", lambda: copies(b"c__builtin__\nfrozenset\n")
    yield "paths of long texts", lambda: (
        b"\x80\x02" + text("a" * 200_000) + b"q\x00cpathlib\nPosixPath\nq\x01" + b"h\x01h\x00\x85R" * 80_000 + b"."
    )  # fmt: skip
    yield "dictionaries that share dictionaries", lambda: shared_dictionaries(200, 6)
    yield "a dictionary of itself by name", lambda: torch_zip(b"\x80\x02}q\x00" + text("a") + b"h\x00s.")
    yield "encoded texts", lambda: (
        b"\x80\x02" + text("a" * 200_000) + b"q\x00X\x06\x00\x00\x00latin1q\x01c_codecs\nencode\nq\x02"
        + b"h\x02h\x00h\x01\x86R" * 80_000 + b"."
    )  # fmt: skip
    yield "long names of globals", lambda: (
        b"\x80\x04" + text("torch.nn.modules." + "a" * 199_000) + b"q\x00" + text("b" * 199_000) + b"q\x01("
        + b"h\x00h\x01\x93" * 80_000 + b"l."
    )  # fmt: skip
    yield "arrays of long texts", lambda: (
        b"\x80\x02" + text("a" * 200_000) + b"q\x00cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\ndtype\n"
        + text("u1") + b"\x85Rq\x02(J\x40\x0d\x03\x00\x85h\x02\x89h\x00tq\x03(" + b"h\x01)Rh\x03b" * 50_000 + b"l."
    )  # fmt: skip
    yield "long names of parameters", lambda: shared_parameters(60_000)
    yield "colliding keys", colliding_keys
    yield "many sets", lambda: b"\x80\x04(" + b"\x8f" * 10_000_000 + b"l."
    yield "many texts", lambda: b"\x80\x04(" + text("a" * 199_990 + "\U0001f600") * 400 + b"l."
    yield "protocol 0 numbers", lambda: b"\x80\x02(" + (b"L" + b"9" * 200_000 + b"L\n") * 100 + b"l."
    yield "shared storages", lambda: many_storages(60, 1_000)
    yield "broadcast storages", broadcast
    yield "modules that share modules", lambda: nested_modules(200, 4)
    yield "modules without end", lambda: nested_modules(1, 40)
    yield "modules with long names", lambda: nested_modules(5, 3, "m" * 100_000)
    yield "many heads", many_heads
    yield "deep heads", deep_heads
    yield "variables that parts share", shared_variables
    yield "doubled names", doubled_names
    yield "wide z", wide_z
    stored = torch.storage.TypedStorage(4, dtype=torch.float32, _internal=True).__reduce__()[1][0]
    yield "many payloads", lambda: payloads(stored, 100_000)
    yield "payload with a large directory", lambda: payloads(zip_of_many(), 1_000)
    yield "large directory", zip_of_many
    zeros = bytes(50_000_000)
    yield "deflate bomb", lambda: torch_zip(zeros, compression=zipfile.ZIP_DEFLATED)
    yield (
        "deflated tensor",
        lambda: torch_zip(
            storage(b"J\x00\x00\x00\x02"), {"archive/data/0": zeros}, compression=zipfile.ZIP_DEFLATED
        ),
    )
    yield (
        "odd member names",
        lambda: torch_zip(
            storage(b"K\x01"),
            {"../../etc/passwd": b"x", "/dev/zero": b"x", "archive/data/../data/0": b"1234"},
        ),
    )
    huge = b"\x8a\x05\x00\x00\x00\x00\x10"  # 2**36
    yield "storage beyond the file", lambda: torch_zip(storage(huge), {"archive/data/0": b"1234"})
    yield (
        "legacy storage beyond the file",
        lambda: legacy(storage(huge), b"\x80\x02]X\x01\x00\x00\x000a.", struct.pack("<q", 2**36) + b"1234"),
    )
    yield (
        "legacy storage of negative size",
        lambda: legacy(storage(b"K\x01"), b"\x80\x02]X\x01\x00\x00\x000a.", struct.pack("<q", -1) + b"1234"),
    )
    yield "legacy keys without end", lambda: legacy(storage(b"K\x01"), b"\x80\x02]q\x00h\x00a.")
    yield "long safetensors header", lambda: safetensors(b"{" + b" " * 1000, length=2**63)
    yield "deep safetensors header", lambda: safetensors(b'{"a":' + b"[" * 4_000_000)
    yield "deep safetensors metadata", lambda: safetensors(
        b'{"__metadata__":{"config":"' + b"[" * 1_000_000 + b'"},'
        + tensor_entry("synthesis.b4.const", [0], 0, 0).encode() + b"}"
    )  # fmt: skip
    yield "many safetensors", lambda: safetensors(
        ("{" + ",".join(tensor_entry(f"synthesis.{i}", [0], 0, 0) for i in range(100_000))
         + "," + tensor_entry("synthesis.b4.const", [0], 0, 0) + "}").encode()
    )  # fmt: skip
    yield "overlapping safetensors", lambda: safetensors(
        ("{" + ",".join(tensor_entry(f"mapping.fc{i}.weight", [1000, 1000], 0, 4_000_000) for i in range(1000))
         + "," + tensor_entry("synthesis.b4.const", [0], 0, 0) + "}").encode(), bytes(4_000_000)
    )  # fmt: skip
    yield "empty lists in a safetensors header", lambda: safetensors(b'{"a":[' + b"[]," * 2_700_000 + b"[]]}")
    yield "codes of endless layers", lambda: safetensors(
        b'{"__metadata__":{"format":"stylemix.latents"},' + tensor_entry("w", [0, 2**39, 1], 0, 0).encode() + b"}"
    )  # fmt: skip
    yield "directions with deep names", lambda: safetensors(
        b'{"__metadata__":{"format":"stylemix.directions","names":"' + b"[" * 1_000_000 + b'"},'
        + tensor_entry("vectors", [0], 0, 0).encode() + b"}"
    )  # fmt: skip
    yield (
        "announced safetensors",
        lambda: safetensors(
            ("{" + tensor_entry("synthesis.b4.const", [2**39, 2**39], 0, 2**80) + "}").encode()
        ),
    )


def main(folder: Path, *names: str) -> None:
    """Reads every file of a folder in this process and prints one line of JSON for each."""
    for path in sorted(folder.iterdir()):
        for read in (reader for reader in READERS if not names or reader.__name__ in names):
            start = time.process_time()
            try:
                read(path)
                outcome = None
            except StyleMixError as error:
                outcome = str(error)
            seconds = time.process_time() - start
            print(json.dumps([path.name, read.__name__, seconds, peak_memory(), outcome]), flush=True)


def peak_memory() -> float:
    """The most memory that this process had at any time, MB, or 0 where the platform does not say.

    `getrusage` would count what the parent process had, too.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
