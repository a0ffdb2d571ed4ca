"""What every generator does, whatever its weights."""

import dataclasses

import pytest
import torch

from stylemix_core.errors import CheckpointError, LatentMismatchError, StyleMixError
from stylemix_core.generator import Generator, GeneratorConfig, StyleGAN2
from stylemix_core.generator.engine.trunk import Trunk
from stylemix_core.generator.mapping import normalize
from tests.builders import ADA_UNCOND32, nvidia_state


def build(**changes) -> Generator:
    config = dataclasses.replace(ADA_UNCOND32, **changes)
    return StyleGAN2.from_state_dict(config, nvidia_state(config))


@pytest.fixture(scope="module")
def generator():
    return build()


@pytest.fixture(scope="module")
def w(generator):
    return generator.mapping(
        torch.randn(3, 24, generator=torch.Generator().manual_seed(3)), truncation_psi=0.7
    )


def test_num_ws_follows_the_resolution():
    for resolution, num_ws in ((256, 14), (512, 16), (1024, 18)):
        channels = (8,) * (resolution.bit_length() - 2)
        assert GeneratorConfig(8, 0, 8, resolution, 3, 2, channels).num_ws == num_ws


def test_a_batch_gives_the_single_pictures(generator, w):
    batch = generator.synthesis(w)
    single = torch.cat([generator.synthesis(one[None]) for one in w])
    assert (batch - single).abs().max() < 1e-5


def test_pictures_with_and_without_autograd_are_equal(generator, w):
    with torch.no_grad():
        plain = generator.synthesis(w)
    traced = generator.synthesis(w.clone().requires_grad_())
    assert traced.requires_grad
    assert torch.equal(plain, traced.detach())


def test_gradients_agree_with_finite_differences():
    generator = build(img_resolution=8, channels=(6, 5), conv_clamp=None)
    w = torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(0))

    def total(code):
        return (generator.synthesis(code) ** 2).sum()

    code = w.clone().requires_grad_()
    total(code).backward()
    direction = torch.randn(w.shape, generator=torch.Generator().manual_seed(1))
    step = 2e-3
    numeric = (total(w + step * direction) - total(w - step * direction)) / (2 * step)
    assert float((code.grad * direction).sum()) == pytest.approx(float(numeric), rel=5e-3)


def test_drawing_changes_no_weight(generator, w):
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    code = w.clone()
    generator.synthesis(w, "random", noise_seed=1)
    assert torch.equal(code, w)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_a_smaller_resolution_gives_the_skip_picture_of_that_block(generator, w):
    assert generator.synthesis(w, resolution=8).shape == (3, 3, 8, 8)


def test_random_noise_repeats_with_its_seed_and_follows_the_place_in_the_batch(generator, w):
    first = generator.synthesis(w, "random", noise_seed=5)
    assert torch.equal(first, generator.synthesis(w, "random", noise_seed=5))
    assert (first - generator.synthesis(w, "random", noise_seed=6)).abs().max() > 0.01
    third = generator.synthesis(w[2:], "random", noise_seed=7)
    assert (first[2:] - third).abs().max() < 1e-5
    assert (generator.synthesis(w, "none") - generator.synthesis(w, "const")).abs().max() > 0.01


def test_truncation_pulls_the_first_layers_towards_the_average(generator):
    z = torch.randn(2, 24, generator=torch.Generator().manual_seed(0))
    full = generator.mapping(z)
    half = generator.mapping(z, truncation_psi=0.5, truncation_cutoff=3)
    assert torch.equal(half[:, 3:], full[:, 3:])
    assert torch.allclose(half[:, :3], (full[:, :3] + generator.w_avg) / 2, atol=1e-6)
    assert torch.allclose(generator.mapping(z, truncation_psi=0), generator.w_avg.expand(2, 8, 32), atol=1e-6)


def test_class_labels_are_embedded_beside_z():
    generator = build(c_dim=4)
    z = torch.randn(2, 24, generator=torch.Generator().manual_seed(0))
    label = torch.eye(4)[[1, 3]]
    embedded = normalize(label @ generator.mapping.embed.weight.t() / 2 + generator.mapping.embed.bias)
    x = torch.cat([normalize(z), embedded], 1)
    for i in range(3):
        layer = getattr(generator.mapping, f"fc{i}")
        x = x @ layer.weight.t() * (0.01 / layer.weight.shape[1] ** 0.5) + layer.bias * 0.01
        x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    assert torch.allclose(generator.mapping(z, label)[:, 0], x, atol=1e-5)
    with pytest.raises(StyleMixError, match=r"conditional.*\[2, 4\].*no label"):
        generator.mapping(z)


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_have_the_channels_of_the_network(channels):
    generator = build(img_channels=channels)
    assert generator.synthesis(torch.zeros(1, 8, 32)).shape == (1, channels, 32, 32)


@pytest.mark.parametrize(("dtype", "limit"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_stays_close(w, generator, dtype, limit):
    exact = generator.synthesis(w)
    rough = build().set_dtype(dtype).synthesis(w)
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().mean() / exact.abs().mean() < limit


def test_float16_does_not_overflow_on_large_styles(w):
    generator = build().set_dtype(torch.float16)
    assert torch.isfinite(generator.synthesis(1000 * w)).all()


def test_codes_of_another_model_are_refused(generator):
    with pytest.raises(LatentMismatchError, match=r"\[1, 18, 512\].*\[batch, 8, 32\]"):
        generator.synthesis(torch.zeros(1, 18, 512))


def test_a_missing_tensor_is_named():
    state = nvidia_state(ADA_UNCOND32)
    del state["synthesis.b8.conv0.weight"]
    with pytest.raises(CheckpointError, match=r"synthesis\.b8\.conv0\.weight"):
        StyleGAN2.from_state_dict(ADA_UNCOND32, state)


def test_the_fingerprint_tells_weights_apart_but_not_precisions(generator):
    other = nvidia_state(ADA_UNCOND32)
    other["synthesis.b4.conv1.bias"] = other["synthesis.b4.conv1.bias"] + 0.1
    assert build().fingerprint() == generator.fingerprint()
    assert build().set_dtype(torch.bfloat16).fingerprint() == generator.fingerprint()
    assert StyleGAN2.from_state_dict(ADA_UNCOND32, other).fingerprint() != generator.fingerprint()


def test_fingerprints_of_files_made_before_stay_valid(generator):
    assert generator.fingerprint() == "8fad9295d965efb7"


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
class TestOtherArchitectures:
    def test_batches_autograd_and_half_precision_draw_the_same(self, architecture, w):
        generator = build(architecture=architecture)
        with torch.no_grad():
            batch = generator.synthesis(w)
        assert (batch - torch.cat([generator.synthesis(one[None]) for one in w])).abs().max() < 1e-5
        assert torch.equal(batch, generator.synthesis(w.clone().requires_grad_()).detach())
        for dtype, limit in ((torch.bfloat16, 0.05), (torch.float16, 0.01)):
            rough = build(architecture=architecture).set_dtype(dtype).synthesis(w)
            assert (rough - batch).abs().mean() / batch.abs().mean() < limit

    def test_gradients_agree_with_finite_differences(self, architecture):
        generator = build(architecture=architecture, img_resolution=8, channels=(6, 5), conv_clamp=None)
        w = torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(0))
        code = w.clone().requires_grad_()
        (generator.synthesis(code) ** 2).sum().backward()
        direction, step = torch.randn(w.shape, generator=torch.Generator().manual_seed(1)), 2e-3
        ends = [(generator.synthesis(w + sign * step * direction) ** 2).sum() for sign in (1, -1)]
        numeric = float(ends[0] - ends[1]) / (2 * step)
        assert float((code.grad * direction).sum()) == pytest.approx(numeric, rel=5e-3)

    def test_the_last_block_alone_has_colours_and_every_layer_its_w(self, architecture, w):
        generator = build(architecture=architecture)
        layers = [layer for layer, _ in generator.synthesis.styled()]
        assert layers == [0, 1, 2, 3, 4, 5, 6, 7]
        assert generator.fingerprint() not in (build().fingerprint(), build(img_channels=1).fingerprint())
        with pytest.raises(StyleMixError, match="no picture of 8 pixels inside; choose one of: 32$"):
            generator.synthesis(w, resolution=8)


def test_a_generator_names_its_family():
    assert build().family == "StyleGAN2"


def test_impossible_arguments_are_refused(generator, w):
    with pytest.raises(StyleMixError, match=r"no picture of 100 pixels inside; choose one of: 4, 8, 16, 32"):
        generator.synthesis(w, resolution=100)
    with pytest.raises(StyleMixError, match="truncation_cutoff is -1"):
        generator.mapping(torch.zeros(1, 24), truncation_psi=0.5, truncation_cutoff=-1)
    with pytest.raises(StyleMixError, match="noise_mode 'loud' is unknown"):
        generator.synthesis(w, noise_mode="loud")


def test_an_empty_batch_gives_an_empty_batch(generator):
    assert generator.synthesis(torch.zeros(0, 8, 32)).shape == (0, 3, 32, 32)


def test_codes_that_share_first_layers_are_drawn_from_there(generator, w):
    trunk = Trunk(generator.synthesis, w[:1], 8)
    passes = []
    hook = generator.synthesis.stages()[0].register_forward_hook(lambda *_: passes.append(1))
    for layer in range(generator.num_ws + 1):
        codes = w[:1].repeat(2, 1, 1)
        codes[0, layer:] = w[1, layer:]
        passes.clear()
        drawn = trunk.draw(codes)
        assert bool(passes) == (layer <= 3)  # the last layer of maps of 8 pixels, which are kept
        assert (drawn - generator.synthesis(codes)).abs().max() < 1e-5
    hook.remove()
