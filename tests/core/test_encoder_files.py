"""Encoders of every kind in the files of pSp, e4e and ReStyle, and in this project's."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from stylemix_core.checkpoints import (
    convert_checkpoint,
    inspect_checkpoint,
    load_encoder,
    load_generator,
    native,
)
from stylemix_core.codes.latents import Latents, check_generator
from stylemix_core.encoder import KINDS, Encoder
from stylemix_core.errors import CheckpointError, StyleMixError
from stylemix_core.mixing.pairing import check_styles
from tests import builders

pytestmark = pytest.mark.usefixtures("one_thread")

RESTYLE = {"kind": "BackboneEncoder", "input_nc": 6, "iterative": True}


@pytest.fixture(scope="module")
def pictures():
    return builders.value("pictures", (1, 3, 64, 64)).tanh()


def same_codes(a: Encoder, b: Encoder, pictures: torch.Tensor) -> bool:
    return a.config == b.config and torch.equal(a(pictures), b(pictures))


def stored_size(config):
    """The size as it is read from a .pt file: encoders without style heads do not tell it, and have the usual one."""
    return config if KINDS[config.kind].heads in ("pyramid", "last") else replace(config, input_size=256)


# Files of the original tools


@pytest.mark.parametrize(
    ("kind", "iterative"),
    [*((kind, False) for kind in list(KINDS)[:4]), *((kind, True) for kind in KINDS if "Into" not in kind)],
)
def test_every_kind_loads_and_keeps_its_numbers_when_converted(kind, iterative, pictures, tmp_path):
    config = builders.tiny_encoder_config(kind=kind, iterative=iterative, input_nc=6 if iterative else 3)
    path = builders.write_tiny_psp(tmp_path / "encoder.pt", config)
    encoder, generator = load_encoder(path, device="cpu"), load_generator(path, device="cpu")
    usual = {"style_channels": encoder.config.style_channels, "se_reduction": encoder.config.se_reduction}
    assert encoder.config == replace(stored_size(config), **usual)
    state = {k.removeprefix("encoder."): v for k, v in builders.psp_encoder_state(config).items()}
    state["latent_avg"] = builders.psp_latent_avg(8, 16)
    assert same_codes(encoder, Encoder.from_state_dict(encoder.config, state, generator), pictures)
    info = inspect_checkpoint(path)
    assert info.encoder == ("ReStyle " if iterative else "") + kind
    assert info.encoder_input == (3, encoder.input_size) and info.num_ws == 8
    assert encoder.generator == generator.fingerprint()

    converted = tmp_path / "encoder.safetensors"
    convert_checkpoint(path, converted)
    again = load_encoder(converted, device="cpu")
    assert same_codes(again, encoder, pictures)
    assert again.generator == encoder.generator
    found = inspect_checkpoint(converted)
    assert (found.encoder, found.encoder_input) == (info.encoder, info.encoder_input)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_else_training_leaves_in_a_file_is_ignored(zipped, pictures, tmp_path):
    """Options as a Namespace with numpy numbers, names of several GPUs, optimizers, a discriminator, stray tensors."""
    config = builders.tiny_encoder_config(kind="Encoder4Editing")
    state = builders.psp_encoder_state(config) | builders.psp_decoder_state(builders.tiny_generator_config())
    state |= {
        "face_pool.weight": torch.ones(2),
        "encoder.unknown": torch.ones(2),
        "loss.weight": torch.ones(2),
    }
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()
    optimizer.step()
    content = {
        "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
        "opts": argparse.Namespace(encoder_type="Encoder4Editing", stylegan_size=32, lr=np.float32(0.1)),
        "latent_avg": builders.psp_latent_avg(8, 16),
        "optimizer": optimizer.state_dict(),
        "discriminator_state_dict": {"weight": torch.ones(2)},
        "best_val_loss": np.float64(0.3),
    }
    path = tmp_path / "e4e.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert same_codes(
        load_encoder(path, device="cpu"), builders.tiny_encoder(kind="Encoder4Editing"), pictures
    )
    info = inspect_checkpoint(path)
    assert info.format == "e4e checkpoint" and info.opts["stylegan_size"] == 32


@pytest.mark.parametrize(
    ("opts", "extra", "kind"),
    [
        ({}, {}, "GradualStyleEncoder"),
        ({"output_size": 32}, {}, "GradualStyleEncoder"),
        ({"stylegan_size": 32}, {}, "Encoder4Editing"),
        ({"progressive_steps": None}, {}, "Encoder4Editing"),
        ({}, {"discriminator_state_dict": {}}, "Encoder4Editing"),
        ({"encoder_type": "GradualStyleEncoder", "stylegan_size": 32}, {}, "GradualStyleEncoder"),
    ],
)
def test_options_tell_kinds_with_the_same_tensors_apart(opts, extra, kind, tmp_path):
    path = builders.write_tiny_psp(tmp_path / "encoder.pt", opts=opts)
    torch.save(torch.load(path) | extra, path)
    assert load_encoder(path, device="cpu").config.kind == inspect_checkpoint(path).encoder == kind


def test_e4es_name_of_the_w_encoder_is_known(tmp_path):
    config = builders.tiny_encoder_config(kind="BackboneEncoderUsingLastLayerIntoW")
    opts = {"encoder_type": "SingleStyleCodeEncoder", "stylegan_size": 32}
    path = builders.write_tiny_psp(tmp_path / "e4e.pt", config, opts=opts)
    assert load_encoder(path, device="cpu").config.kind == config.kind


@pytest.mark.parametrize(
    ("opts", "num_ws"),
    [
        ({}, 18),
        ({"output_size": 256}, 14),
        ({"stylegan_size": 512}, 16),
        ({"n_styles": 10, "output_size": 1024}, 10),
    ],
)
def test_a_w_encoder_without_a_decoder_takes_the_number_of_layers_from_the_options(opts, num_ws, tmp_path):
    config = builders.tiny_encoder_config(kind="BackboneEncoderUsingLastLayerIntoW")
    row = builders.value("row", (1, 16))
    path = builders.write_psp(tmp_path / "w.pt", builders.psp_encoder_state(config), row, opts)
    encoder = load_encoder(path, device="cpu")
    assert torch.equal(encoder.latent_avg, row.repeat(num_ws, 1))
    assert encoder(torch.zeros(1, 3, 64, 64)).shape == (1, num_ws, 16)


def test_heads_beyond_the_decoders_layers_are_left_out(pictures, tmp_path):
    """The decoder of the originals overlooks them; there are such e4e files of cars."""
    config = builders.tiny_encoder_config(num_ws=10)
    state = builders.psp_encoder_state(config) | builders.psp_decoder_state(builders.tiny_generator_config())
    average = builders.psp_latent_avg(10, 16)
    path = builders.write_psp(tmp_path / "ten.pt", state, average, {})
    encoder = load_encoder(path, device="cpu")
    whole = builders.tiny_encoder(num_ws=10)
    assert torch.allclose(encoder(pictures), whole(pictures)[:, :8], atol=1e-6)
    assert torch.equal(load_generator(path, device="cpu").w_avg, average[:8].mean(0))


def test_models_of_cars_read_pictures_of_4_to_3(tmp_path):
    config = builders.tiny_encoder_config(input_size=256)
    opts = {"encoder_type": "GradualStyleEncoder", "dataset_type": "cars_encode"}
    path = builders.write_tiny_psp(tmp_path / "cars.pt", config, opts=opts)
    assert load_encoder(path, device="cpu").config.input_shape == (192, 256)


@pytest.mark.parametrize(
    ("opts", "stored", "added"),
    [
        ({}, True, "stored"),
        ({"start_from_latent_avg": True}, True, "stored"),
        ({"start_from_latent_avg": False}, True, "nothing"),
        ({}, False, "nothing"),
        ({"start_from_latent_avg": False}, False, "nothing"),
        ({"start_from_latent_avg": True}, False, "sampled"),
        ({"stylegan_size": 32}, False, "sampled"),
        ({"stylegan_size": 32, "start_from_latent_avg": False}, False, "nothing"),
    ],
)
def test_which_average_is_added(opts, stored, added, tmp_path):
    average = builders.psp_latent_avg(8, 16)
    path = builders.write_tiny_psp(tmp_path / "psp.pt", opts=opts, latent_avg=average if stored else None)
    found = load_encoder(path, device="cpu").latent_avg
    sampled = load_generator(path, device="cpu").w_avg.repeat(8, 1)
    assert torch.equal(found, {"stored": average, "nothing": torch.zeros(8, 16), "sampled": sampled}[added])


def test_restyle_starts_from_the_average_whatever_the_options_say(tmp_path):
    opts = {"encoder_type": "BackboneEncoder", "start_from_latent_avg": False}
    path = builders.write_tiny_psp(
        tmp_path / "restyle.pt", builders.tiny_encoder_config(**RESTYLE), opts=opts
    )
    assert torch.equal(load_encoder(path, device="cpu").latent_avg, builders.psp_latent_avg(8, 16))


def test_six_labels_are_not_taken_for_two_pictures(tmp_path):
    config = builders.tiny_encoder_config(input_nc=6)
    opts = {"encoder_type": "GradualStyleEncoder", "label_nc": 6, "input_nc": 6}
    path = builders.write_tiny_psp(tmp_path / "labels.pt", config, opts=opts)
    encoder = load_encoder(path, device="cpu")
    assert not encoder.iterative and encoder.config.reads_labels
    assert inspect_checkpoint(path).encoder_input == (6, 64)


def test_an_unknown_kind_is_refused_by_name_but_its_generator_loads(tmp_path):
    path = builders.write_unknown_kind(tmp_path / "other.pt", "HyperEncoder")
    info = inspect_checkpoint(path)
    assert info.encoder == "HyperEncoder" and info.contents == ("generator", "encoder")
    with pytest.raises(
        CheckpointError, match="other.pt.*HyperEncoder.*extra.weight.*GradualStyleEncoder.*generator can be"
    ):
        load_encoder(path)
    assert load_generator(path, device="cpu").num_ws == 8


def test_an_encoder_for_a_larger_generator_is_refused(tmp_path):
    state = builders.psp_encoder_state(builders.tiny_encoder_config(num_ws=6))
    state |= builders.psp_decoder_state(builders.tiny_generator_config())
    path = builders.write_psp(tmp_path / "six.pt", state, None, {})
    with pytest.raises(
        CheckpointError, match="encoder writes 6 w vectors of 16, but the decoder reads 8 of 16"
    ):
        load_encoder(path)


def test_restyle_without_its_generator_says_so(tmp_path):
    config = builders.tiny_encoder_config(**RESTYLE)
    path = builders.write_psp(
        tmp_path / "alone.pt", builders.psp_encoder_state(config), builders.psp_latent_avg(8, 16), {}
    )
    assert inspect_checkpoint(path).encoder == "ReStyle BackboneEncoder"
    with pytest.raises(CheckpointError, match="alone.pt.*holds no generator; use the original"):
        load_encoder(path)


def test_a_loaded_restyle_encoder_survives_its_file_being_overwritten(pictures, tmp_path):
    for name in ("restyle.pt", "restyle.safetensors"):
        path = tmp_path / name
        if name.endswith(".pt"):
            builders.write_tiny_psp(path, builders.tiny_encoder_config(**RESTYLE))
        else:
            native.write(path, encoder=builders.tiny_encoder(**RESTYLE))
        encoder = load_encoder(path, device="cpu")
        before = encoder(pictures)
        with path.open("r+b") as file:
            file.write(b"\xff" * path.stat().st_size)
        assert torch.equal(encoder(pictures), before)


def test_precision_reaches_the_generator_of_a_restyle_encoder(tmp_path):
    path = builders.write_tiny_psp(tmp_path / "restyle.pt", builders.tiny_encoder_config(**RESTYLE))
    encoder = load_encoder(path, device="cpu", dtype="bfloat16")
    assert encoder.dtype == encoder.decoder.dtype == torch.bfloat16


# This project's files


def test_a_restyle_encoder_is_written_with_its_generator(pictures, tmp_path):
    encoder, path = builders.tiny_encoder(**RESTYLE), tmp_path / "restyle.safetensors"
    native.write(path, encoder=encoder)
    assert inspect_checkpoint(path).contents == ("generator", "encoder")
    assert same_codes(load_encoder(path, device="cpu"), encoder, pictures)
    assert load_generator(path, device="cpu").fingerprint() == encoder.decoder.fingerprint()
    other = builders.tiny_generator(channels=(16, 12, 8, 4))
    with pytest.raises(StyleMixError, match="another generator than the one given"):
        native.write(path, other, encoder)


def test_a_restyle_file_that_lost_its_generator_says_so(tmp_path):
    path = tmp_path / "restyle.safetensors"
    native.write(path, encoder=builders.tiny_encoder(**RESTYLE))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({k: v for k, v in load_file(path).items() if k.startswith("encoder.")}, path, metadata)
    assert inspect_checkpoint(path).contents == ("encoder",)
    with pytest.raises(CheckpointError, match="holds no generator"):
        load_encoder(path)


def test_files_from_before_there_were_kinds_load(pictures, tmp_path):
    encoder, path = builders.tiny_encoder(), tmp_path / "encoder.safetensors"
    native.write(path, encoder=encoder)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    config = json.loads(metadata["config"])
    for name in ("kind", "iterative", "input_height"):
        del config["encoder"][name]
    save_file(load_file(path), path, {**metadata, "config": json.dumps(config)})
    assert same_codes(load_encoder(path, device="cpu"), encoder, pictures)


@pytest.mark.parametrize("lie", [{"kind": "x"}, {"kind": ["x"]}, {"num_ws": 10**9}, {"input_height": 2**40}])
def test_a_lie_about_the_kind_is_refused(lie, tmp_path):
    path = tmp_path / "w.safetensors"
    native.write(path, encoder=builders.tiny_encoder(kind="BackboneEncoderUsingLastLayerIntoW"))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    config = json.loads(metadata["config"])
    config["encoder"] |= lie
    save_file(load_file(path), path, {**metadata, "config": json.dumps(config)})
    with pytest.raises(CheckpointError):
        load_encoder(path)


# One network in two files


def test_codes_of_a_psp_file_and_of_the_same_generator_in_an_nvidia_pickle_belong_together(tmp_path):
    path = builders.write_tiny_psp(tmp_path / "psp.pt")
    encoder, decoder = load_encoder(path, device="cpu"), load_generator(path, device="cpu")
    pickled = builders.write_nvidia(tmp_path / "network.pkl", decoder.state_dict())
    generator = load_generator(pickled, device="cpu")
    assert encoder.generator == decoder.fingerprint() == generator.fingerprint()
    assert load_generator(path, device="cpu", dtype="float16").fingerprint() == generator.fingerprint()
    sampled = Latents.of(torch.zeros(1, 8, 16), "seed 1", generator.fingerprint())
    encoded = Latents.of(torch.zeros(1, 8, 16), "picture", encoder.generator)
    assert check_styles(sampled, encoded) is None and check_generator(encoded, generator) is None
    other = builders.tiny_generator()
    assert "other weights" in check_styles(Latents.of(sampled.w, generator=other.fingerprint()), encoded)
