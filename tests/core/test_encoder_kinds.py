"""What the kinds of encoders do, on narrow networks against other paths to the same numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from stylemix_core.encoder import KINDS, Encoder, EncoderConfig
from stylemix_core.errors import CheckpointError, StyleMixError
from stylemix_core.images import from_pil
from tests import builders

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures():
    return builders.value("pictures", (2, 3, 64, 64)).tanh()


def weights(**changes) -> dict[str, torch.Tensor]:
    config = builders.tiny_encoder_config(**changes)
    return {k.removeprefix("encoder."): v for k, v in builders.psp_encoder_state(config).items()}


# Heads


def test_an_e4e_code_is_w0_plus_what_the_other_heads_add(pictures):
    psp, e4e = builders.tiny_encoder(), builders.tiny_encoder(kind="Encoder4Editing")
    heads = psp(pictures) - psp.latent_avg
    added = torch.cat([torch.zeros_like(heads[:, :1]), heads[:, 1:]], dim=1)
    assert (e4e(pictures) - (heads[:, :1] + added + psp.latent_avg)).abs().max() < 1e-5


@pytest.mark.parametrize("body", ["", "ResNet"])
def test_backbone_encoders_read_every_w_from_the_last_features(body, pictures):
    """As a pyramid whose heads are all coarse does, with the same weights."""
    changes = {"coarse_ws": 8, "middle_ws": 8}
    everything_coarse = builders.tiny_encoder(kind=f"{body}GradualStyleEncoder", **changes)
    codes = everything_coarse(pictures)
    assert (builders.tiny_encoder(kind=f"{body}BackboneEncoder")(pictures) - codes).abs().max() < 1e-5
    progressive = builders.tiny_encoder(kind=f"{body}ProgressiveBackboneEncoder")(pictures)
    codes[:, 1:] += (codes - everything_coarse.latent_avg)[:, :1]
    assert (progressive - codes).abs().max() < 1e-5


def test_a_w_encoder_repeats_its_w(pictures):
    encoder = builders.tiny_encoder(kind="BackboneEncoderUsingLastLayerIntoW")
    state = weights(kind="BackboneEncoderUsingLastLayerIntoW")
    features = encoder.features(pictures)[-1].mean([2, 3])
    w = F.linear(features, state["linear.weight"] / features.shape[1] ** 0.5, state["linear.bias"])
    expected = w[:, None] + builders.psp_latent_avg(8, 16)
    assert (encoder(pictures) - expected).abs().max() < 1e-5


def test_a_last_layer_encoder_makes_all_w_at_once():
    encoder = builders.tiny_encoder(kind="BackboneEncoderUsingLastLayerIntoWPlus", input_size=128)
    pictures = builders.value("pictures", (2, 3, 128, 128)).tanh()
    state = weights(kind="BackboneEncoderUsingLastLayerIntoWPlus", input_size=128)
    x = encoder.features(pictures)[-1]  # [2, 64, 8, 8]
    moments = [state[f"output_layer_2.0.running_{name}"] for name in ("mean", "var")]
    x = F.batch_norm(x, *moments, state["output_layer_2.0.weight"], state["output_layer_2.0.bias"])
    # Adaptive pooling from 8 to 7: every cell averages two neighbours.
    x = F.avg_pool2d(x, 2, stride=1)
    x = F.linear(x.flatten(1), state["output_layer_2.3.weight"], state["output_layer_2.3.bias"])
    w = F.linear(x, state["linear.weight"] / 4, state["linear.bias"]).view(2, 8, 16)
    assert (encoder(pictures) - builders.psp_latent_avg(8, 16) - w).abs().max() < 1e-4


def test_the_resnet_body_is_a_resnet_34_without_pooling(pictures):
    encoder = builders.tiny_encoder(kind="ResNetBackboneEncoder")
    state = weights(kind="ResNetBackboneEncoder")

    def norm(x, name):
        moments = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(x, *moments, state[f"{name}.weight"], state[f"{name}.bias"])

    x = norm(F.conv2d(pictures, state["conv1.weight"], stride=2, padding=3), "bn1")
    x = F.prelu(x, state["relu.weight"])
    for i, stride in enumerate((1, 2, 1, 2, 1, 2)):  # 1, 2, 2 and 1 units
        name, shortcut = f"body.{i}", x
        if f"{name}.downsample.0.weight" in state:
            shortcut = F.conv2d(x, state[f"{name}.downsample.0.weight"], stride=stride)
            shortcut = norm(shortcut, f"{name}.downsample.1")
        x = F.relu(norm(F.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1), f"{name}.bn1"))
        x = norm(F.conv2d(x, state[f"{name}.conv2.weight"], padding=1), f"{name}.bn2") + shortcut
        x = F.relu(x)
    found = encoder.features(pictures)
    assert [tuple(stage.shape[2:]) for stage in found] == [(32, 32), (16, 16), (8, 8), (4, 4)]
    assert (found[-1] - x).abs().max() < 1e-5


# Configurations


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("input_nc", [3, 6])
def test_shapes_and_the_kind_give_the_configuration(kind, input_nc):
    config = builders.tiny_encoder_config(kind=kind, input_nc=input_nc)
    shapes = {name: tuple(tensor.shape) for name, tensor in Encoder(config).state_dict().items()}
    # Not in the shapes of encoders without style heads; the squeeze factor not in those of a ResNet.
    known = {"num_ws": 8, "input_size": 64, "style_channels": 16, "se_reduction": 4}
    assert EncoderConfig.from_shapes(shapes, kind=kind, **known) == config
    alike = KINDS[EncoderConfig.from_shapes(shapes, **known).kind]
    assert alike == replace(KINDS[kind], progressive=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "Encoder"}, "kind 'Encoder' is unknown; expected one of: GradualStyleEncoder"),
        ({"num_ws": 10**9}, "1000000000 w vectors"),
        ({"input_height": 80}, "input_height is 80; expected 32 to 64"),
    ],
)
def test_impossible_configurations_are_refused(changes, message):
    with pytest.raises(StyleMixError, match=message):
        builders.tiny_encoder_config(**changes)


@pytest.mark.parametrize("kind", list(KINDS))
def test_half_precision_leaves_codes_float32_and_close(kind, pictures):
    exact = builders.tiny_encoder(kind=kind)
    reduced = builders.tiny_encoder(kind=kind).set_dtype(torch.bfloat16)
    assert reduced.dtype == torch.bfloat16 and reduced.latent_avg.dtype == torch.float32
    w, rounded = exact(pictures), reduced(pictures)
    assert rounded.dtype == torch.float32
    assert (rounded - w).abs().mean() < 0.03 * w.abs().mean()


# ReStyle


def test_restyle_adds_what_it_finds_beside_the_drawn_picture(pictures):
    encoder = builders.tiny_encoder(kind="BackboneEncoder", input_nc=6, iterative=True)
    generator = builders.tiny_generator()
    w = encoder.latent_avg.expand(2, -1, -1)
    for iterations in (1, 2, 3):
        # 32 px pooled to 64 px repeats every pixel.
        drawn = generator.synthesis(w).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        w = w + encoder.codes(torch.cat([pictures, drawn], dim=1))
        assert (encoder(pictures, iterations=iterations) - w).abs().max() < 1e-4 * w.abs().max()


def test_large_drawn_pictures_are_averaged_to_the_encoders_size():
    generator = builders.tiny_generator(img_resolution=128, channels=(16, 12, 8, 8, 8, 8))
    changes = {"num_ws": 12, "kind": "BackboneEncoder", "input_nc": 6, "iterative": True}
    encoder = builders.tiny_encoder(generator, **changes)
    w = builders.value("w", (1, 12, 16))
    assert torch.allclose(encoder.draw(w), F.avg_pool2d(generator.synthesis(w), 2), atol=1e-5)
    low = builders.tiny_encoder(generator, **changes, input_height=48)
    assert torch.equal(low.draw(w), encoder.draw(w)[:, :, 8:56])
    assert low(torch.zeros(1, 3, 100, 100), iterations=1).shape == (1, 12, 16)


def test_restyle_takes_five_iterations_unless_told_otherwise(pictures):
    encoder = builders.tiny_encoder(kind="BackboneEncoder", input_nc=6, iterative=True)
    assert torch.equal(encoder(pictures), encoder(pictures, iterations=5))
    for wrong in (0, -1, 2.5):
        with pytest.raises(StyleMixError, match=f"iterations is {wrong}; give a whole number from 1"):
            encoder(pictures, iterations=wrong)
    with pytest.raises(StyleMixError, match="iterations is 2, but this encoder .*does not iterate"):
        builders.tiny_encoder()(pictures, iterations=2)


def test_restyle_draws_one_average_picture_for_the_whole_batch(pictures, monkeypatch):
    encoder = builders.tiny_encoder(kind="BackboneEncoder", input_nc=6, iterative=True)
    batches = []
    synthesis = encoder.decoder.synthesis.forward
    monkeypatch.setattr(
        encoder.decoder.synthesis, "forward", lambda w, **mode: batches.append(len(w)) or synthesis(w, **mode)
    )
    encoder(pictures, iterations=3)
    assert batches == [1, 2, 2]


def test_the_generator_of_a_restyle_encoder_follows_it(pictures):
    encoder = builders.tiny_encoder(kind="BackboneEncoder", input_nc=6, iterative=True)
    exact = encoder(pictures, iterations=1)
    encoder.set_dtype(torch.bfloat16)
    assert encoder.decoder.dtype == torch.bfloat16
    assert (encoder(pictures, iterations=1) - exact).abs().mean() < 0.05 * exact.abs().mean()
    assert {tensor.device.type for tensor in encoder.to("meta").decoder.state_dict().values()} == {"meta"}


def test_restyle_needs_a_generator_that_fits():
    config = builders.tiny_encoder_config(kind="BackboneEncoder", input_nc=6, iterative=True)
    with pytest.raises(CheckpointError, match="ReStyle BackboneEncoder.*holds no generator"):
        Encoder.from_state_dict(config, weights(kind="BackboneEncoder", input_nc=6))
    small = builders.tiny_generator(img_resolution=16, channels=(16, 12, 8))
    with pytest.raises(CheckpointError, match="8 w vectors of 16 .*takes 6 of 16"):
        Encoder.from_state_dict(config, weights(kind="BackboneEncoder", input_nc=6), small)


# Pictures


@pytest.fixture(scope="module")
def colours():
    """A picture of random colours as Pillow has it."""
    return Image.fromarray(np.random.RandomState(0).randint(0, 256, (64, 64, 3), np.uint8))


def test_sketch_encoders_read_pillows_grey_from_0_to_1(colours):
    encoder = builders.tiny_encoder(input_nc=1)
    grey = torch.from_numpy(np.array(colours.convert("L"))).float()[None, None] / 255
    assert torch.equal(encoder(from_pil(colours)), encoder(grey))
    assert (encoder(grey) - encoder(1 - grey)).abs().max() > 0.01


def test_label_encoders_read_the_grey_level_as_the_label():
    encoder = builders.tiny_encoder(input_nc=5)
    labels = np.random.RandomState(0).randint(0, 5, (64, 64), np.uint8)
    planes = torch.from_numpy(np.eye(5, dtype=np.float32)[labels]).permute(2, 0, 1)[None]
    expected = encoder(planes)
    picture = from_pil(Image.fromarray(labels))
    assert torch.equal(encoder(picture), expected)
    assert torch.equal(encoder(picture[:, :1]), expected)
    enlarged = picture.repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)
    assert torch.equal(encoder(enlarged), expected)
    with pytest.raises(StyleMixError, match="grey level 255, but this encoder knows the labels 0 to 4"):
        encoder(torch.ones(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("changes", "channels", "takes"),
    [
        ({}, 1, r"\[batch, 3, height, width\]$"),
        ({"kind": "BackboneEncoder", "input_nc": 6, "iterative": True}, 6, r"\[batch, 3, height, width\]$"),
        ({"input_nc": 1}, 2, r"\[batch, 1, height, width\], or RGB pictures"),
        ({"input_nc": 19}, 4, r"\[batch, 19, height, width\], or label maps"),
    ],
)
def test_other_channels_are_refused(changes, channels, takes):
    with pytest.raises(StyleMixError, match=rf"\[1, {channels}, 64, 64\].*{takes}"):
        builders.tiny_encoder(**changes)(torch.zeros(1, channels, 64, 64))


def test_the_models_of_cars_read_pictures_lower_than_wide(pictures):
    encoder = builders.tiny_encoder(input_height=48)
    assert encoder.fit(pictures).shape == (2, 3, 48, 64)
    assert torch.equal(encoder(pictures), encoder(encoder.fit(pictures)))
