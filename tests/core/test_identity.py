import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import stylemix_core as sm
from stylemix_core.checkpoints import DEMO
from stylemix_core.codes.latents import Latents
from stylemix_core.encoder.identity import (
    EncoderIdentity,
    face_alone,
    find_identity,
    holds_arcface,
    read_arcface,
)

from .. import builders


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
    painted[:, :, :, :60] = 1  # within the crop, beside the face
    painted[:, :, :60] = -1
    assert EncoderIdentity(encoder).drift(painted, faces).abs().max() < 1e-5
    painted[:, :, 120:160, 110:146] = 1
    assert EncoderIdentity(encoder).drift(painted, faces).min() > 0.001


def test_faces_in_pictures_that_are_not_square_and_have_transparency(arcface, encoder, faces):
    oval = face_alone(torch.ones(1, 3, 64, 32))
    assert oval.shape == (1, 3, 64, 32) and oval[0, 0, 37, 16] == 1 and oval[0, 0, 0, 0] == 0
    clear = torch.cat([faces, torch.zeros_like(faces[:, :1])], 1)
    for identity in (EncoderIdentity(encoder), read_arcface(arcface)):
        with torch.no_grad():
            torch.testing.assert_close(identity(clear), identity(faces))


def test_the_cap_refuses_what_it_would_lose(generator):
    plain = codes(generator, 0)
    more = Latents(plain.w, ("more",), w_rgb=plain.w)
    for pair in ((plain, more), (more, plain)):
        with pytest.raises(sm.StyleMixError, match="cannot be injected up to a limit"):
            sm.cap_identity(*pair, sm.parse_masks("0", generator.num_ws), 0.1, see=None)


def test_another_background_is_no_other_face():
    """The pair of the example sheet: layer 13 colours the background, layer 12 lights the whole picture."""
    generator, identity = sm.load_generator("demo", "cpu"), EncoderIdentity(sm.load_encoder("demo", "cpu"))
    style = sm.load_latents(DEMO / "bob.safetensors").w
    with torch.no_grad():
        source = generator.mapping(sm.sample_z([96], generator.z_dim), truncation_psi=0.8)
        pictures = generator.synthesis(
            sm.inject(source, style, sm.parse_masks("none; 13; 12", generator.num_ws))
        )
        same, background, light = identity.drift(pictures, pictures[:1]).tolist()
    assert (pictures[1] - pictures[0]).abs().mean() > 0.06
    assert same < 1e-5 and background < 0.001 < 0.002 < light


# The cap


def codes(generator, *seeds):
    return Latents.of(generator.mapping(sm.sample_z(seeds, generator.z_dim)), "face", generator.fingerprint())


def angle(see):
    """Codes by an angle that `see` makes of them, as directions."""
    return lambda w: torch.stack([torch.cos(see(w)), torch.sin(see(w))], dim=1)


def test_the_cap_reaches_the_limit_and_does_not_pass_it(generator):
    faces, style = codes(generator, 0, 1), codes(generator, 5)
    masks = sm.parse_masks("0-3; 5; all", 8)
    see = angle(lambda w: (w - style.w).square().mean([1, 2]))
    capped = sm.cap_identity(faces, style, masks, 0.2, see, highest=1.5)
    assert capped.limited.any()
    drifts = 1 - (see(capped.results.w) * see(faces.w.repeat_interleave(3, 0))).sum(1)
    assert torch.allclose(capped.drifts, drifts, atol=1e-5)
    assert (drifts <= 0.2 + 1e-5).all()
    for place in capped.limited.nonzero()[:, 0].tolist():
        row = masks.strengths[[place % 3]] * (capped.strengths[place] + 1.5 / 8 / 2**5)
        further = see(sm.inject(faces.w[[place // 3]], style.w, row))
        assert 1 - float((further * see(faces.w[[place // 3]])).sum()) > 0.2
        assert float(drifts[place]) > 0.17


def test_results_are_what_injecting_the_found_strength_gives(generator):
    faces, style = codes(generator, 0), codes(generator, 5)
    see = sm.seen_by(generator, EncoderIdentity(builders.tiny_encoder()))
    masks = sm.parse_masks("hair: 2-3, 4@0.5; none", 8)
    capped = sm.cap_identity(faces, style, masks, 0.01, see)
    by_hand = sm.inject(faces.w, style.w, masks.strengths * capped.strengths[:, None])
    assert torch.equal(capped.results.w, by_hand)
    assert capped.limited.tolist() == [True, False] and float(capped.strengths[1]) == 1
    assert 0 < float(capped.strengths[0]) < 1 and 0.005 < float(capped.drifts[0]) <= 0.01
    strength = float(capped.strengths[0])
    assert capped.labels == [f"hair ×{strength:.2f}", "none ×1.00"]
    assert capped.report("a test").split("\n") == [
        "Identity by a test, limit 0.01",
        f"hair ×{strength:.2f}: drift {float(capped.drifts[0]):.3f}",
        "none ×1.00: drift 0.000, no more to raise",
    ]
    assert capped.results.origins[0].startswith("face ← face, layers 2-3@")


def test_a_drift_that_falls_again_does_not_carry_the_strength_beyond_the_limit(generator):
    face, style = codes(generator, 0), codes(generator, 5)
    whole = (style.w - face.w)[0, 0].square().sum()

    def rises_and_falls(w):  # 0 at strength 0, widest halfway, nearly 0 again at 1
        strength = ((w[:, 0] - face.w[0, 0]) * (style.w - face.w)[0, 0]).sum(1) / whole
        return 3 * strength * (1 - strength)

    capped = sm.cap_identity(face, style, sm.parse_masks("0", 8), 0.1, angle(rises_and_falls))
    assert float(capped.drifts[0]) == pytest.approx(0.1, abs=0.005)
    assert float(capped.strengths[0]) < 0.2  # and not near 1, where the drift is small again


def test_all_results_are_seen_together(generator):
    faces, style = codes(generator, 0, 1, 2), codes(generator, 5, 6)
    counts = []

    def see(w):
        counts.append(len(w))
        return angle(lambda w: (w - faces.w[0]).square().mean([1, 2]).sqrt())(w)

    capped = sm.cap_identity(faces, style, sm.parse_masks("0; 1-7", 8), 0.05, see, "all")
    assert len(capped.labels) == 12 and capped.labels[3].endswith(" · source 1 · style 2")
    assert counts[:2] == [3, 12]
    assert len(counts) <= 15 and sum(counts) <= 3 + 14 * 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limit": 0}, "the limit is 0; give a drift above 0"),
        ({"highest": 4}, "highest is 4; give a strength"),
    ],
)
def test_limits_that_make_no_sense_are_explained(generator, changes, message):
    face = codes(generator, 0)
    arguments = {"limit": 0.1, "see": lambda w: w[:, 0], **changes}
    with pytest.raises(sm.StyleMixError, match=message):
        sm.cap_identity(face, face, sm.parse_masks("0", 8), **arguments)
