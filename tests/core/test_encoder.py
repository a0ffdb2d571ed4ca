"""The pSp encoder."""

import pytest
import torch

from stylemix_core.encoder import Encoder, EncoderConfig
from stylemix_core.errors import CheckpointError, StyleMixError
from tests import builders


@pytest.fixture(scope="module")
def pictures():
    return builders.value("pictures", (3, 3, 64, 64)).tanh()


@pytest.mark.slow
def test_the_full_encoder_agrees_with_the_original():
    """The published build with 190 million weights."""
    state = builders.psp_encoder_state(builders.PSP_256_ENCODER)
    state = {name.removeprefix("encoder."): tensor for name, tensor in state.items()}
    state["latent_avg"] = builders.psp_latent_avg(14, 512)
    assert (
        EncoderConfig.from_shapes({k: tuple(v.shape) for k, v in state.items()}) == builders.PSP_256_ENCODER
    )
    encoder = Encoder.from_state_dict(builders.PSP_256_ENCODER, state)
    numbers = builders.expected("psp_256")
    with torch.no_grad():
        assert (encoder(builders.psp_input()) - numbers["w"]).abs().max() < 1e-4
        assert (encoder(builders.psp_style()) - numbers["w_style"]).abs().max() < 1e-4


def test_a_batch_equals_single_pictures(encoder, pictures):
    single = torch.cat([encoder(picture[None]) for picture in pictures])
    assert encoder(pictures).shape == (3, 8, 16)
    assert (encoder(pictures) - single).abs().max() < 1e-5


def test_other_sizes_are_resized(encoder, pictures):
    from stylemix_core.images import resize

    large = resize(pictures, 90, 120)
    assert torch.equal(encoder(large), encoder(resize(large, 64, 64)))


def test_the_latent_average_is_added_and_one_row_is_repeated(pictures):
    config = builders.tiny_encoder_config()
    state = {k.removeprefix("encoder."): v for k, v in builders.psp_encoder_state(config).items()}
    row = builders.value("row", (1, 16))
    without = Encoder.from_state_dict(config, state)(pictures)
    with_row = Encoder.from_state_dict(config, {**state, "latent_avg": row})(pictures)
    assert torch.allclose(with_row, without + row, atol=1e-6)


def test_wrong_channels_are_refused(encoder):
    with pytest.raises(StyleMixError, match=r"\[1, 1, 64, 64\].*\[batch, 3, height, width\]"):
        encoder(torch.zeros(1, 1, 64, 64))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input_size": 128},
        {"input_nc": 1, "num_ws": 12},
        {
            "style_channels": 20,
            "se_reduction": 2,
            "stage_units": (3, 1, 2, 2),
            "coarse_ws": 2,
            "middle_ws": 5,
        },
    ],
)
def test_the_configuration_is_read_off_the_shapes(changes):
    config = builders.tiny_encoder_config(**changes)
    shapes = {name: tuple(tensor.shape) for name, tensor in Encoder(config).state_dict().items()}
    assert EncoderConfig.from_shapes(shapes) == config


def test_missing_and_misshapen_tensors_are_named():
    config = builders.tiny_encoder_config()
    state = dict(Encoder(config).state_dict())
    with pytest.raises(CheckpointError, match=r"styles.3.linear.bias.*\[1\].*\[16\]"):
        Encoder.from_state_dict(config, {**state, "styles.3.linear.bias": torch.zeros(1)})
    del state["latlayer2.weight"]
    with pytest.raises(CheckpointError, match="latlayer2.weight"):
        Encoder.from_state_dict(config, state)


def test_an_encoder_trains(pictures):
    torch.manual_seed(0)
    encoder = Encoder(builders.tiny_encoder_config(input_size=32))
    pictures = pictures[:, :, :32, :32]
    optimizer = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    target = builders.value("target", (3, 8, 16))
    losses = []
    for _ in range(5):
        loss = (encoder(pictures) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert losses[-1] < 0.97 * losses[0]


def test_reduced_precision_stays_close_and_returns_float32(pictures):
    exact = builders.tiny_encoder()(pictures)
    encoder = builders.tiny_encoder().set_dtype(torch.bfloat16)
    reduced = encoder(pictures)
    assert encoder.dtype == torch.bfloat16 and reduced.dtype == torch.float32
    assert (reduced - exact).abs().mean() < 0.02 * exact.abs().mean() + 0.02
