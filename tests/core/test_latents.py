from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from stylemix_core.errors import LatentMismatchError, StyleMixError
from stylemix_core.latents import Latents, check_generator, join_latents, load_latents, save_latents


def codes(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 14, 8, generator=torch.Generator().manual_seed(0))


def generator(num_ws: int = 14, w_dim: int = 8, fingerprint: str = "abc"):
    """What `check_generator` asks of a generator."""
    return SimpleNamespace(num_ws=num_ws, w_dim=w_dim, img_resolution=256, fingerprint=lambda: fingerprint)


def test_codes_and_provenance_survive_a_file(tmp_path):
    saved = Latents(codes(), ("seed 7, psi 0.7", "사진.png"), "abc")
    save_latents(tmp_path / "new" / "a.safetensors", saved)
    loaded = load_latents(tmp_path / "new" / "a.safetensors")
    assert torch.equal(loaded.w, saved.w)
    assert loaded.origins == saved.origins
    assert loaded.generator == "abc"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.safetensors"]


def test_the_file_says_what_it_is(tmp_path):
    save_latents(tmp_path / "a.safetensors", codes(1))
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert list(file.keys()) == ["w"]
        assert file.metadata() == {"format": "stylemix.latents", "version": "1", "origins": '["unknown"]'}


def test_a_plain_tensor_is_saved_as_float32(tmp_path):
    save_latents(tmp_path / "a.safetensors", codes().half().transpose(0, 1).contiguous().transpose(0, 1))
    loaded = load_latents(tmp_path / "a.safetensors")
    assert loaded.w.dtype == torch.float32
    assert torch.equal(loaded.w, codes().half().float())
    assert loaded.generator is None


def test_saving_replaces_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_latents(path, codes(2))
    save_latents(path, codes(1))
    assert len(load_latents(path)) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_single_code_of_another_tool_is_a_batch_of_one(tmp_path, dtype):
    save_file({"w": codes(1)[0].to(dtype)}, tmp_path / "theirs.safetensors")
    loaded = load_latents(tmp_path / "theirs.safetensors")
    assert loaded.w.shape == (1, 14, 8)
    assert loaded.w.dtype == torch.float32
    assert loaded.origins == ("theirs.safetensors",)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"mapping.w_avg": torch.zeros(8)}, "no tensor 'w' but mapping.w_avg"),
        ({"w": torch.zeros(1, 2, 14, 8)}, r"\[1, 2, 14, 8\]"),
        ({"w": torch.zeros(8)}, r"\[8\]"),
        ({"w": torch.tensor(1.0)}, r"\[\]"),
        ({"w": torch.zeros(1, 14, 8, dtype=torch.int64)}, "int64"),
        ({"w": torch.full((1, 14, 8), torch.nan)}, "NaN"),
        ({"w": torch.full((1, 14, 8), torch.inf)}, "infinite"),
    ],
)
def test_tensors_that_are_no_codes_are_refused(tmp_path, tensors, message):
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(LatentMismatchError, match=message):
        load_latents(tmp_path / "a.safetensors")


def test_a_file_of_another_format_is_refused(tmp_path):
    torch.save(codes(), tmp_path / "a.pt")
    with pytest.raises(StyleMixError, match="not a safetensors file"):
        load_latents(tmp_path / "a.pt")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(StyleMixError, match="no latent file"):
        load_latents(tmp_path / "a.safetensors")


@pytest.mark.parametrize("origins", ['["one"]', "[1, 2]", "{", '"ab"'])
def test_damaged_provenance_is_refused(tmp_path, origins):
    metadata = {"format": "stylemix.latents", "version": "1", "origins": origins}
    save_file({"w": codes(2)}, tmp_path / "a.safetensors", metadata)
    with pytest.raises(StyleMixError, match="expected 2 origins"):
        load_latents(tmp_path / "a.safetensors")


def test_a_failed_save_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_latents(path, codes(1))
    monkeypatch.setattr("stylemix_core.files.os.replace", _fail)
    with pytest.raises(StyleMixError, match="disk full"):
        save_latents(path, codes(2))
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    assert len(load_latents(path)) == 1


def _fail(*_):
    raise OSError("disk full")


def test_every_code_needs_an_origin():
    with pytest.raises(LatentMismatchError, match="1 origins for 2 codes"):
        Latents(codes(2), ("one",))


def test_codes_of_one_origin_share_it():
    latents = Latents.of(codes(2), "seed 7", "abc")
    assert (len(latents), latents.origins, latents.generator) == (2, ("seed 7", "seed 7"), "abc")


def test_a_generator_of_another_shape_is_refused():
    with pytest.raises(LatentMismatchError, match="14 layers of 8 .*takes 18 of 8"):
        check_generator(Latents.of(codes()), generator(num_ws=18))
    with pytest.raises(LatentMismatchError, match="takes 14 of 512"):
        check_generator(Latents.of(codes()), generator(w_dim=512))


def test_a_generator_with_other_weights_is_warned_about():
    latents = Latents.of(codes(), generator="abc")
    assert check_generator(latents, generator(fingerprint="abc")) is None
    assert "other weights" in check_generator(latents, generator(fingerprint="def"))
    assert check_generator(Latents.of(codes()), generator(fingerprint="def")) is None


def test_joined_codes_keep_their_order_and_a_common_generator():
    a, b = Latents.of(codes(2), "a", "x"), Latents.of(codes(1), "b", "x")
    joined = join_latents([a, b])
    assert torch.equal(joined.w, torch.cat([a.w, b.w]))
    assert (joined.origins, joined.generator) == (("a", "a", "b"), "x")
    assert join_latents([a, Latents.of(codes(1))]).generator is None
    with pytest.raises(LatentMismatchError, match="codes of one model"):
        join_latents([a, Latents.of(torch.zeros(1, 3, 3))])
