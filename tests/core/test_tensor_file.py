"""The files that this package writes, and how they appear on the disk."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file, save_file

from stylemix_core.errors import CheckpointError, LatentMismatchError, StyleMixError
from stylemix_core.files import writing
from stylemix_core.files.damage import LONGEST_MESSAGE, reading, using
from stylemix_core.files.tensor_file import TensorFormat
from stylemix_core.files.writing import replacing

THINGS = TensorFormat("test.things", "things", version="2", older=("1",), foreign="w")
W = {"w": torch.arange(6.0).reshape(2, 3)}


def both(tensors, metadata):
    return dict(tensors), dict(metadata)


def load(path, build=both):
    return THINGS.load(path, build, lambda path: "something else")


def test_tensors_and_metadata_come_back(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    THINGS.save(path, W | {"half": torch.ones(2).half()}, {"name": "é", "none": None}, {"workflow": "{}"})
    tensors, metadata = load(path)
    assert torch.equal(tensors["w"], W["w"]) and tensors["half"].dtype == torch.float16
    assert metadata == {"format": "test.things", "version": "2", "name": "é", "workflow": "{}"}


def test_the_same_contents_make_the_same_bytes(tmp_path):
    texts = {name: f'"{name}" \n\x01\U0001f600 머리' for name in "cabfed"}
    THINGS.save(tmp_path / "ours", W, texts)
    THINGS.save(tmp_path / "again", W, dict(sorted(texts.items())))
    save_file(W, tmp_path / "theirs", {"format": "test.things", "version": "2", **texts})
    ours, again, theirs = ((tmp_path / name).read_bytes() for name in ("ours", "again", "theirs"))
    assert ours == again
    assert sorted(ours) == sorted(theirs)  # the library writes metadata in any order
    assert ours[-24:] == theirs[-24:] == W["w"].numpy().tobytes()
    assert load(tmp_path / "ours")[1] == {"format": "test.things", "version": "2", **texts}


def test_tensors_may_share_memory_and_have_gaps(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    THINGS.save(tmp_path / "a", {"w": whole, "same": whole, "turned": whole.t(), "part": whole[1:]}, {})
    stored = load_file(tmp_path / "a")
    assert torch.equal(stored["same"], whole) and torch.equal(stored["turned"], whole.t())
    assert torch.equal(stored["part"], whole[1:])


def test_loaded_tensors_do_not_change_with_their_file(tmp_path):
    THINGS.save(tmp_path / "a", {"w": torch.ones(5000)}, {})
    tensors, _ = load(tmp_path / "a")
    with open(tmp_path / "a", "r+b") as file:
        file.seek(-20000, os.SEEK_END)
        file.write(bytes(20000))
    assert tensors["w"].sum() == 5000


def test_of_another_tools_file_the_known_tensor_alone_is_read(tmp_path):
    save_file(W | {"other": torch.ones(1)}, tmp_path / "a", {"format": "pt", "version": "77"})
    assert [*load(tmp_path / "a")[0]] == ["w"]
    assert not THINGS.holds(tmp_path / "a")


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"x": torch.ones(1)}, {}, "a holds no things: it is something else. Expected a file that StyleMix saved"),
        (W, {"format": "test.things", "version": "3"}, "a cannot be used: it is of version 3, this program reads up "
         "to 2; update StyleMix"),
        (W, {"format": "test.things"}, "it is of version None"),
        ({"x": torch.ones(1)}, {"format": "test.things", "version": "1"}, "a is damaged: it lacks 'w'; save the "
         "things anew"),
        ({"w": torch.tensor([torch.nan])}, {}, "a cannot be used: it holds NaN or infinite numbers; make the things"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_said(tmp_path, tensors, metadata, message):
    save_file(tensors, tmp_path / "a", metadata)
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path / "a", lambda tensors, metadata: tensors["w"])


def test_what_cannot_be_built_is_said(tmp_path):
    THINGS.save(tmp_path / "a", W, {})

    def refuse(error):
        def build(tensors, metadata):
            raise error

        return build

    with pytest.raises(LatentMismatchError, match="a cannot be used: of another shape"):
        load(tmp_path / "a", refuse(LatentMismatchError("of another shape")))
    with pytest.raises(CheckpointError, match="a is damaged: no texts; save the things anew"):
        load(tmp_path / "a", refuse(ValueError("no texts")))


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580])
def test_headers_whose_length_looks_like_a_pickle_are_read(tmp_path, length):
    header = b'{"__metadata__":{"format":"test.things","version":"2"}}'.ljust(length)
    (tmp_path / "a").write_bytes(length.to_bytes(8, "little") + header)
    assert load(tmp_path / "a")[1]["version"] == "2"


def test_headers_that_would_fill_the_memory_are_refused(tmp_path):
    header = b'{"__metadata__":{"format":"test.things"}}'.ljust(1 << 23)
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header)
    assert not THINGS.holds(tmp_path / "a")
    with pytest.raises(CheckpointError, match="holds no things"):
        load(tmp_path / "a")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_new_files_have_the_permissions_of_the_system(tmp_path, monkeypatch):
    old = os.umask(0o027)
    try:
        # Other threads make files meanwhile.
        monkeypatch.delattr(os, "umask")
        THINGS.save(tmp_path / "a", W, {})
    finally:
        monkeypatch.undo()
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_what_cannot_replace_a_file_in_use_is_kept_beside_it(tmp_path, monkeypatch):
    """As on Windows, where a file that a program has open has to stay."""
    replace = os.replace
    path = tmp_path / "a.safetensors"
    THINGS.save(path, W, {"name": "old"})

    def refuse(source, target):
        if target == path:
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(writing.os, "replace", refuse)
    with pytest.raises(StyleMixError, match=r"a.safetensors cannot be replaced.*kept as a_2.safetensors"):
        THINGS.save(path, W, {"name": "new"})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.safetensors", "a_2.safetensors"]
    assert [load(tmp_path / name)[1]["name"] for name in ("a.safetensors", "a_2.safetensors")] == [
        "old",
        "new",
    ]


def test_threads_that_write_the_same_file_do_not_meet(tmp_path):
    barrier = threading.Barrier(2)

    def write(text):
        with replacing(tmp_path / "a") as partial:
            partial.write_text(text)
            barrier.wait(10)
            assert partial.read_text() == text

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, ("one", "two")))
    assert (tmp_path / "a").read_text() in ("one", "two")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_errors_that_hold_the_file_stay_short_and_keep_their_advice(tmp_path):
    with pytest.raises(CheckpointError) as damaged, reading("PyTorch file"):
        (b"\xff" * 5000).decode("utf-8")
    assert len(str(damaged.value)) <= LONGEST_MESSAGE
    assert "UnicodeDecodeError" in str(damaged.value) and str(damaged.value).endswith("copy it again")
    with pytest.raises(LatentMismatchError) as named, using(tmp_path / "a.pt"):
        raise LatentMismatchError("x" * LONGEST_MESSAGE)
    assert len(str(named.value)) == LONGEST_MESSAGE and "a.pt cannot be used: xx" in str(named.value)
