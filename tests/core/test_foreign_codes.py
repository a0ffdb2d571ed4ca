"""W+ codes that other tools wrote: the same numbers as their own loaders give, and nothing that a file names is run."""

import base64
import io
import os
import pickle
import zipfile
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import stylemix_core as sm
from stylemix_core.codes.direction_files import may_be_directions
from stylemix_core.codes.foreign_files import describe_foreign
from stylemix_core.codes.latents import holds_latents
from stylemix_core.errors import CheckpointError, LatentMismatchError, StyleMixError
from stylemix_core.files import arrays

L, D = 14, 16
CODES = torch.randn(3, L, D, generator=torch.Generator().manual_seed(0))


def numpy_file(name, array):
    def write(folder):
        np.save(folder / name, array, allow_pickle=True)
        return folder / name

    return write


def torch_file(name, content, zipped=True):
    def write(folder):
        torch.save(content, folder / name, _use_new_zipfile_serialization=zipped)
        return folder / name

    return write


def archive(name, compressed=False, **arrays):
    def write(folder):
        (np.savez_compressed if compressed else np.savez)(folder / name, **arrays)
        return folder / name

    return write


def in_text(array, compressor=zlib.compress):
    """As dfl's ComfyUI-StyleGan writes an array."""
    stream = io.BytesIO()
    np.save(stream, array)
    return base64.b64encode(compressor(stream.getvalue())).decode()


def picture(name, text):
    def write(folder):
        texts = PngInfo()
        texts.add_text("prompt", "{}")
        texts.add_text("stylegan_latent", text)
        Image.new("RGB", (8, 8)).save(folder / name, pnginfo=texts)
        return folder / name

    return write


def by_picture(codes, steps=3):
    """As ReStyle keeps them: by picture, every step of its code."""
    return {
        f"{i}.jpg": [(code * (s / steps)).numpy() for s in range(1, steps + 1)]
        for i, code in enumerate(codes)
    }


PROJECTED = {
    "a.png": {"img": torch.zeros(1, 3, 8, 8), "latent": CODES[0, 0], "noise": [torch.zeros(1, 1, 4, 4)]}
}

FILES = {
    "NVIDIA's projector": (archive("projected_w.npz", w=CODES[:1].numpy()), CODES[:1]),
    "compressed": (archive("w.npz", compressed=True, w=CODES.numpy()), CODES),
    "numpy, a batch": (numpy_file("w.npy", CODES.numpy()), CODES),
    "numpy, one code": (numpy_file("w.npy", CODES[0].numpy()), CODES[:1]),
    "numpy, float16": (numpy_file("w.npy", CODES.half().numpy()), CODES.half().float()),
    "numpy, float64": (numpy_file("w.npy", CODES.double().numpy()), CODES),
    "numpy, in Fortran's order": (numpy_file("w.npy", np.asfortranarray(CODES.numpy())), CODES),
    "numpy, big-endian": (numpy_file("w.npy", CODES.numpy().astype(">f4")), CODES),
    "e4e": (torch_file("latents.pt", CODES), CODES),
    "PTI's pivot": (torch_file("0.pt", CODES[:1], zipped=False), CODES[:1]),
    "ReStyle": (numpy_file("latents.npy", by_picture(CODES)), CODES),
    "rosinality, W+": (torch_file("a.pt", {"a.png": {"img": torch.zeros(1), "latent": CODES[0]}}), CODES[:1]),
    "STIT": (torch_file("run.pt", {"pivots": CODES, "quads": [1, 2]}), CODES),
    "STIT, by frame": (torch_file("run.pt", {"pivots": [*CODES]}), CODES),
    "dfl's picture": (picture("face.png", in_text(CODES[:1].numpy())), CODES[:1]),
    "frames": (torch_file("frames.pt", [*CODES]), CODES),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_tools_give_their_numbers(name, tmp_path):
    write, expected = FILES[name]
    path = write(tmp_path)
    latents = sm.load_latents(path)
    assert torch.equal(latents.w, expected)
    assert all(origin.startswith(path.name) for origin in latents.origins)
    for ending in (".safetensors", ".npz", ".npy", ".pt"):
        sm.save_latents(tmp_path / f"again{ending}", latents)
        assert torch.equal(sm.load_latents(tmp_path / f"again{ending}").w, expected)
    assert holds_latents(path)
    assert f"{len(expected)} W+ code" in describe_foreign(path)


def test_a_dictionary_names_its_codes(tmp_path):
    path = numpy_file("latents.npy", by_picture(CODES))(tmp_path)
    assert sm.load_latents(path).origins == tuple(f"latents.npy: {i}.jpg" for i in range(3))


@pytest.mark.parametrize(("iteration", "share"), [(0, 1 / 3), (1, 2 / 3), (-1, 1), (-3, 1 / 3)])
def test_any_step_of_restyle_can_be_read(iteration, share, tmp_path):
    path = numpy_file("latents.npy", by_picture(CODES))(tmp_path)
    assert torch.allclose(sm.load_latents(path, iteration=iteration).w, CODES * share, atol=1e-6)
    with pytest.raises(
        StyleMixError, match="latents.npy cannot be used: a code has 3 iterations, 0 to 2; there is no 3"
    ):
        sm.load_latents(path, iteration=3)


@pytest.mark.parametrize(
    ("write", "w"),
    [
        (numpy_file("w.npy", CODES[0, 0].numpy()), CODES[:1, 0]),
        (numpy_file("w.npy", CODES[:1, 0].numpy()), CODES[:1, 0]),
        (numpy_file("w.npy", CODES[:, 0].numpy()), CODES[:, 0]),
        (numpy_file("w.npy", CODES[:, :1].numpy()), CODES[:, 0]),
        (torch_file("a.pt", PROJECTED), CODES[:1, 0]),
    ],
)
def test_single_w_are_repeated_for_the_layers_of_a_generator(write, w, tmp_path):
    path = write(tmp_path)
    assert torch.equal(sm.load_latents(path, num_ws=L).w, w[:, None].expand(-1, L, -1))
    with pytest.raises(LatentMismatchError, match="w vectors?, one for all layers.*give the generator"):
        sm.load_latents(path)


def test_rows_are_layers_or_codes_as_the_generator_says(tmp_path):
    path = numpy_file("w.npy", CODES[0].numpy())(tmp_path)
    assert sm.load_latents(path, num_ws=L).w.shape == (1, L, D)
    assert sm.load_latents(path, num_ws=18).w.shape == (L, 18, D)


class Command:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    "write",
    [
        numpy_file("w.npy", np.array([Command()], dtype=object)),
        archive("w.npz", w=np.array([Command()], dtype=object)),
        torch_file("w.pt", {"w": Command()}),
        lambda folder: (folder / "w.pkl").write_bytes(pickle.dumps([Command()])) and folder / "w.pkl",
    ],
)
def test_nothing_that_a_file_names_is_run(write, tmp_path, monkeypatch):
    path = write(tmp_path)
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("it ran"))
    with pytest.raises(CheckpointError, match="cannot be used.*system"):
        sm.load_latents(path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (numpy_file("w.npy", np.array(["a", "b"])), "refused the numpy type"),
        (
            numpy_file("w.npy", np.arange(L * D).reshape(1, L, D)),
            r"whole numbers \(torch.int64\); expected codes",
        ),
        (numpy_file("w.npy", np.full([1, L, D], np.nan, np.float32)), "NaN or infinite"),
        (numpy_file("w.npy", {"a": "b"}), "holds no W\\+ codes; expected codes of"),
        (torch_file("w.pt", {"a": CODES[0], "b": CODES[0, :, :8]}), "several shapes"),
        (archive("w.npz", w=np.zeros([2, 2, 2, 2, 2], np.float32)), r"\[2, 2, 2, 2, 2\]; expected codes"),
    ],
)
def test_other_content_is_refused_by_name(write, message, tmp_path):
    path = write(tmp_path)
    with pytest.raises(StyleMixError, match=f"{path.name} cannot be used: .*{message}"):
        sm.load_latents(path)


def test_other_tools_read_what_is_exported(tmp_path):
    """NVIDIA's `generate.py --projected-w` takes the array `w` of an .npz, others a whole .npy or .pt."""
    for ending in (".npz", ".npy", ".pt"):
        sm.save_latents(tmp_path / f"w{ending}", CODES)
    assert np.array_equal(np.load(tmp_path / "w.npz")["w"], CODES.numpy())
    assert np.array_equal(np.load(tmp_path / "w.npy"), CODES.numpy())
    assert torch.equal(torch.load(tmp_path / "w.pt", weights_only=True), CODES)


def test_what_is_more_than_w_plus_is_not_exported(tmp_path):
    more = sm.Latents(CODES, ("a", "b", "c"), w_rgb=CODES + 1)
    with pytest.raises(
        LatentMismatchError, match="more than W\\+.*.npz files cannot hold; save them as .safetensors"
    ):
        sm.save_latents(tmp_path / "w.npz", more)
    assert not [*tmp_path.iterdir()]


BOMB = zlib.compress(bytes(1 << 26))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not in base 64!", "code in the picture is damaged"),
        (in_text(CODES.numpy(), lambda data: zlib.compress(data)[:-9]), "cut off, or too long"),
        (in_text(CODES.numpy(), lambda data: BOMB), "cut off, or too long"),
        (in_text(np.array(["a"])), "refused the numpy type"),
    ],
)
def test_damaged_codes_in_pictures_are_refused(text, message, tmp_path):
    path = picture("face.png", text)(tmp_path)
    with pytest.raises(CheckpointError, match=f"face.png cannot be used: .*{message}"):
        sm.load_latents(path)


def zipped(folder, *methods):
    """An archive of numpy's with members by other methods."""
    with zipfile.ZipFile(folder / "w.npz", "w") as archive:
        for number, method in enumerate(methods):
            stream = io.BytesIO()
            np.save(stream, CODES.numpy())
            archive.writestr(f"w{number}.npy", stream.getvalue(), method)
    return folder / "w.npz"


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_archives_that_numpy_does_not_write_are_refused_and_not_listed(method, tmp_path):
    path = zipped(tmp_path, zipfile.ZIP_STORED, method)
    assert not holds_latents(path) and not may_be_directions(path)
    with pytest.raises(CheckpointError, match="not one written by numpy"):
        sm.load_latents(path)


def test_arrays_are_limited_together(tmp_path, monkeypatch):
    path = zipped(tmp_path, *[zipfile.ZIP_DEFLATED] * 3)
    monkeypatch.setattr(arrays, "LONGEST_ARRAYS", 2 * CODES.numel() * 4)
    assert not holds_latents(path)
    with pytest.raises(CheckpointError, match=r"would have \d+ bytes; at most \d+ are read"):
        sm.load_latents(path)


def test_other_lists_beside_the_codes_do_not_count_as_steps(tmp_path):
    path = torch_file("a.pt", {"a.png": CODES[0], "args": [1, 2]})(tmp_path)
    assert torch.equal(sm.load_latents(path, iteration=5).w, CODES[:1])


def test_a_picture_without_a_code_says_so(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "face.png")
    assert not holds_latents(tmp_path / "face.png")
    with pytest.raises(CheckpointError, match="the picture carries no W\\+ code"):
        sm.load_latents(tmp_path / "face.png")


def test_a_file_that_is_cut_off_is_damaged(tmp_path):
    path = numpy_file("w.npy", CODES.numpy())(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="w.npy cannot be used"):
        sm.load_latents(path)
