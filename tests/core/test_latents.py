from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from stylemix_core.codes.combine import blend_latents, join_latents, truncate_latents
from stylemix_core.codes.latents import (
    Latents,
    check_generator,
    holds_latents,
    load_latents,
    pick_latents,
    save_latents,
)
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.errors import LatentMismatchError, StyleMixError

from .. import builders


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
        ({"mapping.w_avg": torch.zeros(8)}, "holds no W. codes: it is .*mapping.w_avg"),
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
    with pytest.raises(StyleMixError, match=message):
        load_latents(tmp_path / "a.safetensors")


def test_a_file_of_another_format_is_refused(tmp_path):
    torch.save({"a": 1}, tmp_path / "a.pt")
    with pytest.raises(StyleMixError, match="a.pt cannot be used: it holds no W. codes; expected codes of"):
        load_latents(tmp_path / "a.pt")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(StyleMixError, match="there is no file at .*a.safetensors; check the path"):
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
    monkeypatch.setattr("stylemix_core.files.writing.os.replace", _fail)
    with pytest.raises(StyleMixError, match="disk full"):
        save_latents(path, codes(2))
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    assert len(load_latents(path)) == 1


def _fail(*_):
    raise OSError("disk full")


def test_every_code_needs_an_origin():
    with pytest.raises(LatentMismatchError, match="1 origin for 2 codes"):
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


def test_blending_moves_from_one_code_to_the_other():
    a, b = Latents.of(codes(), "seed 1", "abc"), Latents.of(codes().flip(0), "x ← y, layers 0", "abc")
    assert torch.equal(blend_latents(a, b, 0).w, a.w)
    assert torch.equal(blend_latents(a, b, 1).w, b.w)
    assert torch.allclose(blend_latents(a, b, 0.5).w, (a.w + b.w) / 2, atol=1e-6)
    beyond = blend_latents(a, b, -1)
    assert torch.allclose(beyond.w, 2 * a.w - b.w, atol=1e-5)
    assert beyond.origins == ("seed 1 ~ (x ← y, layers 0), weight -1",) * 2
    assert beyond.generator == "abc"


def test_one_code_is_blended_with_each_of_several():
    one, three = Latents(codes(1), ("one",)), Latents(codes(3), ("a", "b", "c"))
    blended = blend_latents(one, three, 0.25)
    assert torch.allclose(blended.w, one.w + 0.25 * (three.w - one.w), atol=1e-6)
    assert blended.origins[2] == "one ~ c, weight 0.25"
    assert blend_latents(three, one, 0.25).origins[2] == "c ~ one, weight 0.25"


@pytest.mark.parametrize(
    ("b", "weight", "message"),
    [
        (codes(3), 0.5, "2 codes cannot be blended with 3"),
        (codes(0), 0.5, "2 codes cannot be blended with 0"),
        (torch.zeros(1, 18, 8), 0.5, "a has 14 layers of 8 numbers, b has 18 of 8"),
        (codes(1), float("nan"), "the weight is nan"),
    ],
)
def test_codes_that_do_not_fit_are_not_blended(b, weight, message):
    with pytest.raises(StyleMixError, match=message):
        blend_latents(Latents.of(codes()), Latents.of(b), weight)


def test_truncated_codes_are_those_of_a_truncated_mapping():
    tiny = builders.tiny_generator()
    full = sample_latents(tiny, [1, 2], psi=1.0)
    for psi, cutoff in ((0.5, None), (0.0, 3), (-1.0, 8)):
        truncated = truncate_latents(full, tiny, psi, cutoff)
        assert torch.equal(truncated.w, sample_latents(tiny, [1, 2], psi, cutoff).w)
    assert torch.equal(full.w, sample_latents(tiny, [1, 2], psi=1.0).w)  # the input stays
    assert truncated.origins[1] == "seed 2, psi 1, truncated to -1 before layer 8"
    assert truncated.generator == full.generator
    with pytest.raises(LatentMismatchError, match="takes 8 of 16"):
        truncate_latents(Latents.of(codes()), tiny, 0.5)


@pytest.mark.parametrize(
    ("index", "length", "picked"), [(0, 1, "a"), (2, 1, "c"), (-1, 1, "c"), (-3, 3, "abc"), (1, 2, "bc")]
)
def test_codes_are_picked_from_either_end(index, length, picked):
    batch = Latents(codes(3), tuple("abc"), "abc")
    found = pick_latents(batch, index, length)
    assert "".join(found.origins) == picked
    assert torch.equal(found.w[0], batch.w["abc".index(picked[0])])
    assert found.generator == "abc"


@pytest.mark.parametrize(("index", "length"), [(3, 1), (-4, 1), (2, 2), (-1, 2), (0, 0)])
def test_picking_beyond_the_batch_is_refused(index, length):
    with pytest.raises(LatentMismatchError, match="the batch has 3 codes, 0 to 2 or -3 to -1"):
        pick_latents(Latents.of(codes(3)), index, length)


def test_further_metadata_does_not_replace_the_provenance(tmp_path):
    extra = {"workflow": "{}", "origins": "[]", "format": "other"}
    save_latents(tmp_path / "a.safetensors", Latents.of(codes(1), "mine"), extra)
    assert load_latents(tmp_path / "a.safetensors").origins == ("mine",)
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert file.metadata()["workflow"] == "{}"


def test_files_with_codes_are_told_from_others(tmp_path):
    save_latents(tmp_path / "codes", codes(1))
    save_file({"w": codes(1)[0]}, tmp_path / "theirs")
    save_file({"w": torch.zeros(3)}, tmp_path / "vector")
    save_file({"layer.weight": codes(1)}, tmp_path / "model")
    save_file({"any": codes(1)}, tmp_path / "single")
    (tmp_path / "text").write_text("w")
    names = ("codes", "theirs", "vector", "model", "single", "text", "missing")
    assert [name for name in names if holds_latents(tmp_path / name)] == ["codes", "theirs", "single"]
