"""The generator against numbers of NVIDIA's implementation and of pSp's decoder."""

import pytest
import torch
import torch.nn.functional as F

from stylemix_core.checkpoints import load_generator
from stylemix_core.generator import StyleGAN2
from tests import builders


@pytest.fixture(scope="module")
def ada():
    config = builders.ADA_UNCOND32
    return StyleGAN2.from_state_dict(config, builders.nvidia_state(config))


@pytest.fixture(scope="module")
def numbers():
    return builders.expected("ada_uncond32")


@pytest.mark.parametrize(("psi", "cutoff"), [(1, None), (0.7, None), (0.7, 4), (0.5, 2)])
def test_mapping_agrees_with_nvidia(ada, numbers, psi, cutoff):
    w = ada.mapping(numbers["z"], truncation_psi=psi, truncation_cutoff=cutoff)
    assert (w - numbers[f"w_psi{psi}_cut{cutoff}"]).abs().max() < 1e-4


@pytest.mark.parametrize("noise_mode", ["const", "none"])
def test_pictures_agree_with_nvidia(ada, numbers, noise_mode):
    with torch.no_grad():
        images = ada.synthesis(ada.mapping(numbers["z"], truncation_psi=0.7), noise_mode=noise_mode)
    expected = numbers[f"image_{noise_mode}_psi0.7"]
    assert (images[: len(expected)] - expected).abs().max() < 1e-3


def test_a_style_mix_agrees_with_nvidia(ada, numbers):
    w = ada.mapping(numbers["z"], truncation_psi=0.7)
    mixed = w[:1].clone()
    mixed[:, :4] = w[1:2, :4]
    with torch.no_grad():
        assert (ada.synthesis(mixed) - numbers["image_mix_0with1_layers0-3"]).abs().max() < 1e-3


def test_psp_decoder_agrees_with_the_original(tmp_path):
    """A pSp file's decoder draws the original's pictures, encoded and injected."""
    state = builders.psp_decoder_state(builders.PSP_256_DECODER)
    path = builders.write_psp(tmp_path / "psp.pt", state, builders.psp_latent_avg(14, 512), {})
    generator = load_generator(path, device="cpu")
    assert generator.config == builders.PSP_256_DECODER
    numbers = builders.expected("psp_256")
    w, style = numbers["w"], numbers["w_style"]
    mixed = w[:1].clone()
    for layer in (0, 2, 5):
        mixed[:, layer] = mixed[:, layer].lerp(style[:, layer], 0.6)
    with torch.no_grad():
        corner = generator.synthesis(w)[:, :, :16, :16]
        injected = F.avg_pool2d(generator.synthesis(mixed), 4)
    assert (corner - numbers["image_corner"]).abs().max() < 1e-3
    assert (injected - numbers["inject_0_2_5_alpha06_image64"]).abs().max() < 1e-3
