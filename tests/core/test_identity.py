import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import stylemix_core as sm
from stylemix_core.identity import EncoderIdentity, find_identity, holds_arcface, read_arcface

from .. import builders


@pytest.fixture(scope="module")
def encoder():
    return builders.tiny_encoder()


@pytest.fixture(scope="module")
def faces():
    """`[3, 3, 256, 256]`, smooth."""
    return F.avg_pool2d(builders.value("faces", (3, 3, 256, 256)), 9, 1, 4).mul(5).clamp(-1, 1)


@pytest.fixture
def arcface(tmp_path):
    torch.save(builders.tiny_arcface_state(), tmp_path / "model_ir_se50.pth")
    return tmp_path / "model_ir_se50.pth"


def test_arcface_agrees_with_its_formula(arcface, encoder, faces):
    state = builders.tiny_arcface_state()

    def normalised(x, layer):
        mean, var = state[f"output_layer.{layer}.running_mean"], state[f"output_layer.{layer}.running_var"]
        weight, bias = state[f"output_layer.{layer}.weight"], state[f"output_layer.{layer}.bias"]
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    face = F.adaptive_avg_pool2d(faces[:, :, 35:223, 32:220], 112)  # as pSp's identity loss crops it
    maps = encoder.features(face)[-1]  # [B, C, 7, 7]
    maps = normalised(maps.movedim(1, -1), 0).movedim(-1, 1)
    linear = maps.flatten(1) @ state["output_layer.3.weight"].T + state["output_layer.3.bias"]
    expected = F.normalize(normalised(linear, 4), dim=1)
    assert torch.allclose(read_arcface(arcface)(faces), expected, atol=1e-5)


def test_arcface_is_preferred_and_the_measure_is_named(arcface, encoder):
    assert find_identity(arcface, encoder).name == "ArcFace (model_ir_se50.pth)"
    assert find_identity(None, encoder).name == "encoder features (in memory)"
    assert find_identity(None, None) is None
    assert find_identity(None, builders.tiny_encoder(input_nc=1)) is None


def test_files_with_arcface_are_told_from_others(arcface, tmp_path):
    save_file(builders.tiny_arcface_state(), tmp_path / "arcface.safetensors")
    torch.save(builders.tiny_encoder().state_dict(), tmp_path / "encoder.pth")
    (tmp_path / "irse50.pth").write_bytes(b"nothing of the kind")
    names = ("model_ir_se50.pth", "arcface.safetensors", "encoder.pth", "irse50.pth", "missing.pth")
    assert [holds_arcface(tmp_path / name) for name in names] == [True, True, False, False, False]
    with pytest.raises(sm.CheckpointError, match="encoder.pth: the file holds no ArcFace network; expected"):
        read_arcface(tmp_path / "encoder.pth")


def test_an_arcface_of_another_build_is_refused(tmp_path):
    state = builders.tiny_arcface_state()
    save_file({k: v for k, v in state.items() if not k.startswith("body.2.")}, tmp_path / "a.safetensors")
    with pytest.raises(sm.CheckpointError, match="a.safetensors: .*another build"):
        read_arcface(tmp_path / "a.safetensors")
    del state["body.1.res_layer.0.weight"]
    save_file(state, tmp_path / "b.safetensors")
    with pytest.raises(sm.CheckpointError, match="b.safetensors: the file lacks 1 tensors"):
        read_arcface(tmp_path / "b.safetensors")


@pytest.mark.parametrize("kind", ["arcface", "encoder", "restyle"])
def test_drift_is_zero_for_the_same_face_and_grows_with_the_change(kind, arcface, encoder, faces):
    if kind == "arcface":
        identity = read_arcface(arcface)
    else:
        restyle = {"kind": "BackboneEncoder", "input_nc": 6, "iterative": True}
        identity = EncoderIdentity(builders.tiny_encoder(**restyle) if kind == "restyle" else encoder)
    other = faces.flip(0)
    drifts = torch.stack([identity.drift(faces[:1].lerp(other[:1], t), faces[:1]) for t in (0, 0.2, 0.6)])
    assert drifts.shape == (3, 1)
    assert float(drifts[0]) == pytest.approx(0, abs=1e-5)
    assert drifts[0] < drifts[1] < drifts[2]
    assert torch.allclose(identity.drift(faces, other), identity.drift(faces, identity(other)))
    assert identity.drift(faces, faces[:1]).shape == (3,)


def test_what_lies_around_the_face_does_not_count(arcface, encoder, faces):
    painted = faces.clone()
    painted[:, :, :35] = 1
    painted[:, :, :, 220:] = -1
    for identity in (read_arcface(arcface), EncoderIdentity(encoder)):
        assert identity.drift(painted, faces).abs().max() < 1e-5
