"""Every kind of encoder against numbers of its original: pixel2style2pixel's, e4e's and ReStyle's own classes.

`encoders_expected.npz` holds what these computed in float32 on the CPU, at full width, for a 32 px decoder, with
weights by the formula (`builders.reference_encoder`) and the picture `builders.psp_style()`: every sixteenth number
of the W+ codes, average included, and the pictures of ReStyle's last codes.
"""

import pytest
import torch

from stylemix_core.checkpoints import load_generator
from stylemix_core.encoder import EncoderConfig
from tests import builders

STRIDE = 16
RESNET_34 = (3, 4, 6, 3)


@pytest.fixture(scope="module")
def numbers():
    return builders.expected("encoders")


@pytest.fixture(scope="module")
def picture():
    return builders.psp_style()


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    state = builders.psp_decoder_state(builders.PSP_32_DECODER)
    path = tmp_path_factory.mktemp("decoder") / "decoder.pt"
    return load_generator(builders.write_psp(path, state, builders.psp_latent_avg(8, 512), {}), device="cpu")


def difference(w: torch.Tensor, expected: torch.Tensor) -> float:
    return float((w[..., ::STRIDE] - expected).abs().max())


@torch.no_grad()
def test_the_w_encoder_agrees_with_psp(numbers, picture):
    config = EncoderConfig(num_ws=8, kind="BackboneEncoderUsingLastLayerIntoW")
    encoder = builders.reference_encoder(config)
    encoder.latent_avg = encoder.latent_avg[:1].repeat(8, 1)  # pSp keeps one row for such an encoder
    assert difference(encoder(picture), numbers["psp_w"]) < 1e-4


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("psp_wplus", "BackboneEncoderUsingLastLayerIntoWPlus"),
        ("e4e", "Encoder4Editing"),
        ("e4e_w", "BackboneEncoderUsingLastLayerIntoW"),
    ],
)
def test_encoders_of_psp_and_e4e_agree_with_the_originals(name, kind, numbers, picture):
    encoder = builders.reference_encoder(EncoderConfig(num_ws=8, kind=kind))
    assert difference(encoder(picture), numbers[name]) < 1e-4


@pytest.mark.slow
@torch.no_grad()
def test_sketches_are_read_as_psp_reads_them(numbers, picture):
    encoder = builders.reference_encoder(EncoderConfig(num_ws=8, input_nc=1))
    assert difference(encoder(picture.clamp(-1, 1)), numbers["psp_sketch"]) < 1e-4


@pytest.mark.slow
@torch.no_grad()
def test_label_maps_are_read_as_psp_reads_them(numbers, picture):
    """The labels are the grey levels of the picture divided by 52; this encoder was trained without an average."""
    from stylemix_core.encoder.pictures import grey_levels

    encoder = builders.reference_encoder(EncoderConfig(num_ws=8, input_nc=5))
    encoder.latent_avg.zero_()
    labels = grey_levels(picture.clamp(-1, 1)) // 52
    assert difference(encoder(labels / 127.5 - 1), numbers["psp_labels"]) < 1e-4


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize(
    "kind",
    [
        "BackboneEncoder",
        "GradualStyleEncoder",
        "ProgressiveBackboneEncoder",
        "ResNetBackboneEncoder",
        "ResNetGradualStyleEncoder",
        "ResNetProgressiveBackboneEncoder",
    ],
)
def test_five_iterations_agree_with_restyle(kind, numbers, picture, decoder):
    units = RESNET_34 if kind.startswith("ResNet") else EncoderConfig.stage_units
    config = EncoderConfig(num_ws=8, kind=kind, input_nc=6, iterative=True, stage_units=units)
    check_iterations(config, decoder, picture, numbers[f"restyle_{kind}"], numbers[f"restyle_{kind}_image"])


@pytest.mark.slow
@torch.no_grad()
def test_pictures_of_cars_are_lower_than_wide(numbers, picture, decoder):
    config = EncoderConfig(
        num_ws=8,
        kind="ResNetGradualStyleEncoder",
        input_nc=6,
        iterative=True,
        stage_units=RESNET_34,
        input_height=192,
    )
    picture = picture[:, :, 32:224]
    check_iterations(config, decoder, picture, numbers["restyle_cars"], numbers["restyle_cars_image"])


def check_iterations(config, decoder, picture, codes, image):
    encoder = builders.reference_encoder(config, decoder)
    assert difference(encoder(picture, iterations=1), codes[:1]) < 1e-4
    w = encoder(picture)
    assert difference(w, codes[-1:]) < 1e-4
    assert (decoder.synthesis(w) - image).abs().max() < 1e-3
