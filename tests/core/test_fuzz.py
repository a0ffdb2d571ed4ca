"""Damaged files of every format: reading one ends in success or in a `StyleMixError`, and in nothing else.

Every mutation comes from a seed. The files themselves differ a little from run to run (PyTorch names storages by their
addresses, safetensors writes its metadata in any order), so a failing test names the seed and keeps the damaged file.
`FORMATS` lists the files that are mutated.
"""

import argparse
import collections
import datetime
import io
import pathlib
import pickletools
import random
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import stylemix_core as sm
from stylemix_core.checkpoints import FORMATS as READERS
from stylemix_core.checkpoints import inspect_checkpoint, load_encoder, load_generator
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.errors import StyleMixError
from stylemix_core.files.pickle_globals import NESTED_GLOBALS
from stylemix_core.files.source import Source
from stylemix_core.files.unpickle import LEGACY_HEAD
from stylemix_core.inversion.delta import Delta, load_delta, save_delta
from tests import builders, builders_stylegan3


def write_state_dict(path: Path) -> Path:
    state = builders.nvidia_state(builders.tiny_generator_config(start=(4, 2)))
    torch.save({"module": {f"G_ema.{name}": x for name, x in state.items()}}, path)
    return path


SMALL_STYLEGAN3 = builders_stylegan3.Original(num_layers=4, channel_max=4, use_radial_filters=True)
SMALL_XL = builders_stylegan3.Original(num_layers=4, channel_max=4, c_dim=2, by_class=True)


def write_stylegan3(folder: Path) -> Path:
    path = builders_stylegan3.write(folder / "network.pkl", SMALL_XL)
    sm.convert_checkpoint(path, folder / "network.safetensors")
    return folder / "network.safetensors"


def write_options(path: Path) -> Path:
    """Options with what training scripts leave in them."""
    opts = argparse.Namespace(
        a=pathlib.PurePosixPath("x/y"), b=collections.defaultdict(list), c=torch.float16
    )
    opts.d = [collections.deque([1]), collections.Counter("ab"), datetime.date(2021, 1, 1), {1}, 2j, slice(1)]
    return builders.write_tiny_psp(path, opts=opts)


def write_latents(path: Path) -> Path:
    generator = builders.tiny_generator(start=(4, 2))
    codes = sm.inject_latents(
        sample_latents(generator, [1], 1.0),
        sample_latents(generator, [2], 1.0),
        sm.parse_masks("0-3", generator.num_ws),
        region=torch.ones(1, 8, 8),
    )
    sm.save_latents(path, codes)
    return path


def write_directions(path: Path) -> Path:
    sm.save_directions(path, sm.find_directions(builders.tiny_generator(), count=2))
    return path


def write_tuning(path: Path) -> Path:
    save_delta(path, Delta({"synthesis.b4.conv1.weight": torch.zeros(16, 16, 3, 3)}, "a generator"))
    return path


def write_rosinality(path: Path) -> Path:
    state = builders.rosinality_state(builders.nvidia_state(builders.tiny_generator_config()))
    torch.save({"g_ema": state, "latent_avg": torch.zeros(16)}, path)
    return path


def write_foreign(folder: Path) -> dict[str, Path]:
    """Codes and directions as other tools write them."""
    codes = torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(0))
    arrays = {"lat_comp": codes[:, :1].numpy(), "lat_stdev": np.ones(2), "lat_mean": np.zeros(16)}
    np.save(folder / "w.npy", codes.numpy())
    np.save(folder / "latents.npy", {"a.jpg": [codes[0].numpy(), codes[1].numpy()]}, allow_pickle=True)
    np.savez_compressed(folder / "ganspace.npz", **arrays)
    torch.save({"comp": codes[:, :1], "mean": codes[:1, 0], "std": torch.ones(2)}, folder / "pca.pt")
    return {path.name: path for path in folder.iterdir()}


FORMATS: dict[str, Callable[[Path], Path]] = {
    "NVIDIA": lambda folder: builders.write_nvidia(
        folder / "network.pkl", builders.nvidia_state(builders.tiny_generator_config())
    ),
    "StyleGAN3": lambda folder: builders_stylegan3.write(folder / "network.pkl", SMALL_STYLEGAN3),
    "StyleGAN-XL": lambda folder: builders_stylegan3.write(folder / "network.pkl", SMALL_XL),
    "StyleGAN3, converted": write_stylegan3,
    "pSp": lambda folder: builders.write_tiny_psp(folder / "psp.pt"),
    "pSp, legacy": lambda folder: builders.write_tiny_psp(folder / "psp_old.pt", zipped=False),
    "e4e": lambda folder: builders.write_tiny_psp(
        folder / "psp.pt", builders.tiny_encoder_config(kind="Encoder4Editing")
    ),
    "ReStyle": lambda folder: builders.write_tiny_psp(
        folder / "psp.pt", builders.tiny_encoder_config(kind="BackboneEncoder", input_nc=6, iterative=True)
    ),
    "TensorFlow": lambda folder: builders.write_tensorflow(
        folder / "network.pkl", builders.nvidia_state(builders.tiny_generator_config()), fmap_base=64
    ),
    "rosinality": lambda folder: write_rosinality(folder / "rosinality.pt"),
    "generator": lambda folder: builders.write_tiny_native(folder)[0],
    "encoder": lambda folder: builders.write_tiny_native(folder)[1],
    "state dict": lambda folder: write_state_dict(folder / "network.pth"),
    "options": lambda folder: write_options(folder / "psp.pt"),
    "codes": lambda folder: write_latents(folder / "codes.safetensors"),
    "directions": lambda folder: write_directions(folder / "directions.safetensors"),
    "tuning": lambda folder: write_tuning(folder / "tuning.safetensors"),
}
"""A small valid file of every format, by name: add a line for a new one."""

FOREIGN = ("w.npy", "latents.npy", "ganspace.npz", "pca.pt")
"""Files of `write_foreign`, which are no checkpoints."""

LEGACY_PICKLES = 5  # magic number, version, system, content and the storages' names; their bytes follow

GLOBALS = (
    *NESTED_GLOBALS,
    "torch.storage._load_from_bytes",
    "os.system",
    "builtins.getattr",
    "nowhere.nothing",
)
OPERATIONS = [
    *b".(0N2]})ltdeusaRbQo\x81\x85\x86\x87\x88\x8f\x90\x91\x92\x93\x94\x97\x98",
    *(b"h\x00", b"K\xff", b"J\xff\xff\xff\xff", b"j\x00\x00\x00\x00", b"\x8a\x01\x80", b"P0\n", b"\x82\x01"),
]
EXTREMES = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)


@dataclass(frozen=True)
class Original:
    """A valid file, and the pickle in it that says what it is."""

    data: bytes
    pickle: slice | None

    @classmethod
    def of(cls, data: bytes) -> "Original":
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                name = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
                if name is None:
                    return cls(data, None)
                content = archive.read(name)
                return cls(data, slice(data.index(content), data.index(content) + len(content)))
        return cls(data, slice(0, len(data)) if data[:1] == b"\x80" else None)

    def with_pickle(self, content: bytes) -> bytes:
        """The file around another pickle."""
        assert self.pickle is not None
        if self.data[:2] != b"PK":
            return content
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self.data)) as source, zipfile.ZipFile(stream, "w") as target:
            for name in source.namelist():
                target.writestr(name, content if name.endswith("data.pkl") else source.read(name))
        return stream.getvalue()

    def operations(self) -> list[tuple[str, bytes]]:
        """Name and bytes of every operation; of several pickles in a row all, and what follows as one more."""
        assert self.pickle is not None
        content, found, position = self.data[self.pickle], [], 0
        for _ in range(LEGACY_PICKLES if content.startswith(LEGACY_HEAD) else 1):
            stream = io.BytesIO(content)
            stream.seek(position)
            starts = [(code.name, start) for code, _, start in pickletools.genops(stream)]
            ends = [start for _, start in starts[1:]] + [stream.tell()]
            found += [(name, content[start:end]) for (name, start), end in zip(starts, ends, strict=True)]
            position = stream.tell()
        return [*found, ("", content[position:])]


def flip(rng: random.Random, original: Original, others: list[Original]) -> bytes:
    """Other bytes, mostly in the head and the tail, where structure lives."""
    data = bytearray(original.data)
    for _ in range(rng.choice((1, 4, 30))):
        reach = rng.choice((200, 5_000, len(data)))
        at = rng.randrange(min(reach, len(data)))
        data[at if rng.random() < 0.7 else -1 - at] = rng.randrange(256)
    return bytes(data)


def cut(rng: random.Random, original: Original, others: list[Original]) -> bytes:
    return original.data[: rng.randrange(rng.choice((300, len(original.data))))]


def splice(rng: random.Random, original: Original, others: list[Original]) -> bytes:
    """A piece of one file in another."""
    data, other = bytearray(original.data), rng.choice(others).data
    length = rng.choice((10, 1_000, 50_000))
    start, at = rng.randrange(len(other)), rng.randrange(len(data))
    data[at : at + rng.choice((0, length))] = other[start : start + length]
    return bytes(data)


def lengths(rng: random.Random, original: Original, others: list[Original]) -> bytes:
    """Extreme numbers where a binary field or a number in a JSON header was."""
    data = bytearray(original.data)
    for _ in range(rng.choice((1, 3))):
        number = rng.choice(EXTREMES)
        if original.pickle is None and rng.random() < 0.7:
            fields = list(re.finditer(rb"\d+", bytes(data[8:6_000])))
            field = rng.choice(fields or [re.match(rb"", b"")])
            data[8 + field.start() : 8 + field.end()] = str(number).encode()
            continue
        marks = [match.start() for match in re.finditer(rb"PK[\1\3\5\6]", data)] or [0]
        at = rng.choice(marks) + rng.randrange(60)
        data[at : at + rng.choice((2, 4, 8))] = struct.pack("<Q", number)[: rng.choice((2, 4, 8))]
    return bytes(data)


def operations(rng: random.Random, original: Original, others: list[Original]) -> bytes:
    """A pickle with operations that are left out, repeated, exchanged or replaced, or that name another global."""
    if original.pickle is None:
        return lengths(rng, original, others)
    steps = original.operations()
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(steps))
        name, content = steps[at]
        kind = rng.choice(("leave out", "repeat", "exchange", "replace", "rename", "resize"))
        if kind == "leave out":
            del steps[at]
        elif kind == "repeat":
            steps.insert(at, steps[at])
        elif kind == "exchange":
            other = rng.randrange(len(steps))
            steps[at], steps[other] = steps[other], steps[at]
        elif kind == "replace":
            new = rng.choice(OPERATIONS)
            steps[at] = ("", bytes([new]) if isinstance(new, int) else new)
        elif kind == "rename":
            module, _, attribute = rng.choice(GLOBALS).rpartition(".")
            named = [i for i, (step, _) in enumerate(steps) if step in ("GLOBAL", "STACK_GLOBAL")]
            if named:
                steps[rng.choice(named)] = ("GLOBAL", f"c{module}\n{attribute}\n".encode())
        elif len(content) > 2:
            width = rng.choice((1, 4, 8))
            steps[at] = (
                name,
                content[:1] + struct.pack("<Q", rng.choice(EXTREMES))[:width] + content[1 + width :],
            )
    return original.with_pickle(b"".join(content for _, content in steps))


MUTATIONS = (flip, cut, splice, lengths, operations, operations)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[Original]:
    folder = tmp_path_factory.mktemp("originals")
    found = []
    for name, write in FORMATS.items():
        (folder / name).mkdir()
        found.append(Original.of(write(folder / name).read_bytes()))
    (folder / "foreign").mkdir()
    foreign = write_foreign(folder / "foreign")
    return found + [Original.of(foreign[name].read_bytes()) for name in FOREIGN]


def check(seeds: range, originals: list[Original], folder: Path) -> None:
    path = folder / "mutated"
    readers = (
        inspect_checkpoint,
        lambda path: load_generator(path, "cpu"),
        lambda path: load_encoder(path, "cpu"),
        sm.load_latents,
        sm.load_directions,
        load_delta,
    )
    for seed in seeds:
        rng = random.Random(seed)
        mutate, original = rng.choice(MUTATIONS), rng.choice(originals)
        path.write_bytes(mutate(rng, original, originals))
        for read in readers:
            try:
                read(path)
            except StyleMixError as error:
                assert len(str(error)) <= 1000, f"seed {seed}, {path}"
            except BaseException as error:
                raise AssertionError(f"seed {seed}, {mutate.__name__}, {path}: {error!r}") from error


def test_the_originals_are_read(originals, tmp_path):
    for original, read in zip(
        originals[len(FORMATS) :], (sm.load_latents,) * 2 + (sm.load_directions,) * 2, strict=True
    ):
        (tmp_path / "file").write_bytes(original.data)
        read(tmp_path / "file")
    for original in originals[: len(FORMATS)]:
        (tmp_path / "file").write_bytes(original.data)
        inspect_checkpoint(tmp_path / "file")
        if original.pickle is not None:
            whole = b"".join(content for _, content in original.operations())
            assert whole == original.data[original.pickle]
            (tmp_path / "file").write_bytes(original.with_pickle(whole))
            inspect_checkpoint(tmp_path / "file")


def test_every_format_is_damaged(originals, tmp_path):
    """A new format needs a small file in `FORMATS`."""
    found = set()
    for original in originals[: len(FORMATS)]:
        (tmp_path / "file").write_bytes(original.data)
        source = Source(tmp_path / "file")
        found.add(next(reader for reader in READERS if reader.detect(source)))
    assert found == set(READERS)


def test_damaged_files_end_in_success_or_an_error_in_words(originals, tmp_path):
    check(range(200), originals, tmp_path)


@pytest.mark.slow
def test_a_thousand_damaged_files_end_in_success_or_an_error_in_words(originals, tmp_path):
    check(range(1_000, 2_000), originals, tmp_path)
