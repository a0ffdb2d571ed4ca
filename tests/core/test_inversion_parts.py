"""The parts of inversion: perceptual features and the loss, and tunings with their files."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import stylemix_core as sm
from stylemix_core.encoder.identity import EncoderIdentity
from stylemix_core.inversion import Delta, load_delta, save_delta
from stylemix_core.inversion.features import VGG_CONVOLUTIONS, holds_vgg, perceptual_features, read_vgg
from stylemix_core.inversion.losses import Objective

from .. import builders

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(generator):
    return generator.synthesis(generator.mapping(sm.sample_z([3, 4], generator.z_dim))).clamp(-1, 1)


def vgg_state(prefix: str = "features.{}", channels: int = 4) -> builders.State:
    """VGG16 of few channels by the formula."""
    state, before = {}, 3
    for index in sum(VGG_CONVOLUTIONS, ()):
        name = prefix.format(index)
        state[f"{name}.weight"] = (
            builders.value(f"vgg{index}", (channels, before, 3, 3)) / (9 * before) ** 0.5
        )
        state[f"{name}.bias"] = 0.1 * builders.value(f"vgg{index} bias", (channels,))
        before = channels
    return state


# Perceptual features


def test_vgg_agrees_with_a_plain_network(tmp_path):
    state = vgg_state()
    torch.save(state, tmp_path / "vgg16.pth")
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    maps = read_vgg(tmp_path / "vgg16.pth")(images)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((images + 1) / 2 - mean[:, None, None]) / deviation[:, None, None]
    for index in (0, 2):
        x = torch.relu(
            torch.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1)
        )
    expected = x / x.norm(dim=1, keepdim=True).clamp_min(1e-4) * 0.2**0.5
    assert [tuple(found.shape) for found in maps] == [(2, 4, side, side) for side in (32, 16, 8, 4, 2)]
    assert torch.allclose(maps[0], expected, atol=1e-3)


def test_lpips_files_bring_weights_of_their_channels(tmp_path):
    state = vgg_state("net.slice1.{}")
    for block in range(5):
        state[f"lin{block}.model.1.weight"] = torch.tensor([1.0, 0, 0, 0]).reshape(1, 4, 1, 1)
    save_file(state, tmp_path / "lpips_vgg.safetensors")
    network = read_vgg(tmp_path / "lpips_vgg.safetensors")
    maps = network(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert all(float(found[:, 1:].abs().max()) == 0 for found in maps)


def test_files_of_perceptual_features_are_told_from_others(tmp_path, generator):
    torch.save(vgg_state(), tmp_path / "vgg16.pt")
    (tmp_path / "lpips.pt").write_bytes(b"nothing of the kind")
    part = vgg_state()
    del part["features.28.bias"]
    torch.save(part, tmp_path / "part.pt")
    found = [holds_vgg(tmp_path / name) for name in ("vgg16.pt", "lpips.pt", "part.pt")]
    assert found == [True, False, False]
    with pytest.raises(sm.CheckpointError, match="part.pt: the file lacks 1 tensors of VGG16"):
        perceptual_features(tmp_path / "part.pt", None, CPU)


def test_the_best_features_at_hand_are_used_and_named(tmp_path, monkeypatch, generator, encoder, pictures):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def used(encoder, **options):
        return sm.invert(generator, pictures, encoder, steps=1, starts=2, **options).features

    assert used(None) == "gradients"
    assert used(encoder) == "IR-SE encoder (in memory)"
    (tmp_path / "checkpoints").mkdir()
    torch.save(vgg_state(), tmp_path / "checkpoints" / "vgg16-397923af.pth")
    assert used(encoder) == "VGG16 (vgg16-397923af.pth)"
    assert used(encoder, perceptual="encoder") == "IR-SE encoder (in memory)"
    assert used(encoder, perceptual="gradients") == "gradients"


@pytest.mark.parametrize("kind", ["vgg", "encoder", "gradients"])
def test_the_perceptual_distance_grows_with_the_difference(tmp_path, kind, encoder, pictures):
    torch.save(vgg_state(), tmp_path / "vgg16.pt")
    source = tmp_path / "vgg16.pt" if kind == "vgg" else kind
    objective = Objective(pictures, perceptual_features(source, encoder, CPU))
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    distances = [objective.figures(pictures + amount * noise)[1].mean() for amount in (0, 0.05, 0.2)]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances[1] < distances[2]


def test_the_identity_weight_brings_the_encoders_view_nearer(generator, encoder, pictures):
    identity = EncoderIdentity(encoder)

    def likeness(weight):
        options = {"perceptual": "gradients", "noise": False, "identity_weight": weight, "learning_rate": 0.1}
        result = sm.invert(generator, pictures, encoder, steps=12, **options)
        return float((identity(result.images) * identity(pictures)).sum(1).mean())

    assert likeness(30.0) > likeness(0.0)


# Tunings


@pytest.fixture(scope="module")
def tuned(generator, encoder, pictures):
    return sm.invert(
        generator,
        pictures,
        encoder,
        "tune",
        10,
        perceptual="gradients",
        tune_steps=30,
        tune_learning_rate=0.15,
    )


def test_tuning_comes_nearer_than_the_code_alone(generator, encoder, pictures, tuned):
    optimized = sm.invert(generator, pictures, encoder, "optimize", 10, perceptual="gradients")
    assert torch.equal(optimized.w, tuned.w)
    assert all(after < before / 2 for before, after in zip(optimized.l2, tuned.l2))
    assert tuned.tuned_from == 10 and tuned.steps == 40


@pytest.mark.slow
def test_a_few_steps_of_tuning_come_nearer_too():
    """They are smaller, so that they do not end amid what the first large ones upset."""
    demo, reads = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    face = demo.synthesis(demo.mapping(sm.sample_z([2498], demo.z_dim), truncation_psi=0.8)).clamp(-1, 1)
    optimized, tuned = (sm.invert(demo, face, reads, method, 10) for method in ("optimize", "tune"))
    assert tuned.l2[0] < 0.7 * optimized.l2[0]


def test_a_tuned_generator_shares_what_did_not_change(generator, tuned):
    before, after = generator.state_dict(), tuned.generator.state_dict()
    changed = {name for name in before if before[name].data_ptr() != after[name].data_ptr()}
    assert changed == set(tuned.delta.tensors)
    assert "synthesis.b8.conv0.weight" in changed and "synthesis.b4.torgb.weight" in changed
    assert not any("mapping" in name or "affine" in name for name in changed)
    assert tuned.generator.fingerprint() == generator.fingerprint()


def test_moving_a_tuned_generator_leaves_its_base_alone(generator, tuned):
    copy = tuned.delta.apply(generator).to("meta")
    assert copy.synthesis.b4.const.device.type == "meta"
    assert {tensor.device.type for tensor in generator.state_dict().values()} == {"cpu"}


def test_locality_keeps_other_faces_as_they_were(generator, encoder, pictures):
    others = generator.mapping(sm.sample_z(range(100, 108), generator.z_dim), truncation_psi=0.7)

    def drift(locality):
        options = {
            "perceptual": "gradients",
            "locality": locality,
            "tune_learning_rate": 0.15,
            "tune_steps": 30,
        }
        result = sm.invert(generator, pictures[:1], encoder, "tune", 0, **options)
        return float((result.generator.synthesis(others) - generator.synthesis(others)).square().mean())

    assert drift(30.0) < 0.8 * drift(0.0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0), ("float16", 0.01)])
def test_a_saved_tuning_draws_the_same(tmp_path, generator, tuned, dtype, tolerance):
    path = tmp_path / "tuning.safetensors"
    save_delta(path, tuned.delta, dtype)
    images = load_delta(path).apply(generator).synthesis(tuned.w)
    assert float((images - tuned.images).abs().max()) <= tolerance + 1e-6
    stored = sum(tensor.numel() for tensor in tuned.delta.tensors.values()) * (4 if dtype == "float32" else 2)
    assert path.stat().st_size < stored + 4096


def test_a_tuning_fits_its_own_generator_only(tmp_path, tuned):
    other = builders.tiny_generator()
    other.synthesis.b4.conv1.bias.data += 1
    with pytest.raises(sm.CheckpointError, match="belongs to a generator with the fingerprint"):
        tuned.delta.apply(other)
    with pytest.raises(sm.CheckpointError, match="load the generator that was tuned"):
        tuned.delta.apply(builders.tiny_generator(img_resolution=16, channels=(16, 12, 8)))


def test_files_that_are_no_tunings_are_refused(tmp_path, generator, tuned):
    native, _ = builders.write_tiny_native(tmp_path)
    with pytest.raises(
        sm.CheckpointError, match="generator.safetensors holds no tuning of a generator: it is a model"
    ):
        load_delta(native)
    with pytest.raises(sm.CheckpointError, match="there is no file at"):
        load_delta(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("text")
    with pytest.raises(sm.CheckpointError, match="holds no tuning"):
        load_delta(tmp_path / "text.safetensors")
    path = tmp_path / "nan.safetensors"
    save_delta(
        path, Delta({"synthesis.b4.const": torch.full([16, 4, 4], torch.nan)}, generator.fingerprint())
    )
    with pytest.raises(sm.CheckpointError, match="holds NaN or infinite numbers; make the tuning"):
        load_delta(path)
    metadata = {"format": "stylemix.delta", "version": "2"}
    save_file(load_file(native), tmp_path / "newer.safetensors", metadata)
    with pytest.raises(sm.CheckpointError, match="update StyleMix"):
        load_delta(tmp_path / "newer.safetensors")


def test_tunings_of_tuned_generators_add_up(generator, encoder, pictures, tuned):
    again = sm.invert(tuned.generator, pictures, encoder, "tune", 2, perceptual="gradients")
    rebuilt = again.delta.apply(tuned.delta.apply(generator))
    assert torch.allclose(rebuilt.synthesis(again.w), again.images, atol=1e-5)
    at_once = again.delta.after(tuned.delta).apply(generator)
    assert torch.allclose(at_once.synthesis(again.w), again.images, atol=1e-4)
