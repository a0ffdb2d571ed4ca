"""Recognising, describing and loading checkpoint files."""

import argparse
import hashlib
import importlib
import json
import os
import pkgutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from stylemix_core import checkpoints
from stylemix_core.checkpoints import formats, inspect_checkpoint, load_encoder, load_generator, native
from stylemix_core.errors import CheckpointError, StyleMixError
from tests import builders


@pytest.fixture
def tiny():
    return builders.tiny_generator()


def same_weights(a, b) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# NVIDIA's pickles


def test_an_nvidia_pickle_gives_its_averaged_generator(tiny, tmp_path):
    path = builders.write_nvidia(tmp_path / "network.pkl", tiny.state_dict())
    generator = load_generator(path, device="cpu")
    assert generator.config == tiny.config
    assert same_weights(generator, tiny)
    assert generator.info == inspect_checkpoint(path)
    assert not generator.training and not any(p.requires_grad for p in generator.parameters())
    info = inspect_checkpoint(path)
    assert (info.contents, info.resolution, info.num_ws, info.z_dim, info.w_dim) == (
        ("generator",),
        32,
        8,
        16,
        16,
    )
    assert info.has_w_avg and info.mapping_layers == 2 and info.c_dim == 0
    assert info.network == "StyleGAN2, skip"
    assert "32×32 RGB" in info.summary() and "8 w vectors of 16" in info.summary()


def test_a_conditional_generator_is_recognised(tmp_path):
    generator = builders.tiny_generator(c_dim=5, img_channels=1)
    path = builders.write_nvidia(tmp_path / "network.pkl", generator.state_dict())
    assert load_generator(path, device="cpu").config == generator.config
    assert inspect_checkpoint(path).c_dim == 5


@pytest.mark.parametrize(
    "attributes",
    [
        {"synthesis.b4.conv1": {"conv_clamp": 256}},
        {"": {"_init_kwargs": {"synthesis_kwargs": {"conv_clamp": 256, "num_fp16_res": 4}}}},
        {"": {"_init_kwargs": {"conv_clamp": 256}}},
    ],
)
def test_conv_clamp_is_read_from_the_layers_or_the_constructor(tiny, attributes, tmp_path):
    path = builders.write_nvidia(tmp_path / "network.pkl", tiny.state_dict(), attributes)
    assert load_generator(path, device="cpu").config.conv_clamp == 256


# pSp's files


@pytest.mark.parametrize("zipped", [True, False])
def test_a_psp_file_gives_encoder_and_decoder(zipped, tmp_path):
    path = builders.write_tiny_psp(tmp_path / "psp.pt", zipped=zipped)
    encoder, generator = load_encoder(path, device="cpu"), load_generator(path, device="cpu")
    assert same_weights(encoder, builders.tiny_encoder())
    assert generator.config == builders.tiny_generator_config()
    assert torch.equal(generator.w_avg, builders.psp_latent_avg(8, 16).mean(0))
    assert encoder.generator == generator.fingerprint()
    assert encoder.info == generator.info == inspect_checkpoint(path)
    info = inspect_checkpoint(path)
    assert info.contents == ("generator", "encoder") and info.encoder == "GradualStyleEncoder"
    assert info.opts["output_size"] == 32 and info.encoder_input == (3, 64) and info.num_ws == 8


def test_rosinality_names_hold_the_same_network_as_nvidia_names(tmp_path):
    """The renamed decoder draws what a generator with the same numbers under NVIDIA's names draws."""
    generator = load_generator(builders.write_tiny_psp(tmp_path / "psp.pt"), device="cpu")
    decoder = builders.psp_decoder_state(builders.tiny_generator_config())
    assert torch.equal(generator.synthesis.b8.conv0.weight, decoder["decoder.convs.0.conv.weight"][0])
    assert torch.equal(generator.synthesis.b32.conv1.noise_const, decoder["decoder.noises.noise_6"][0, 0])
    assert torch.equal(generator.synthesis.b16.torgb.bias, decoder["decoder.to_rgbs.1.bias"].flatten())
    assert torch.equal(generator.mapping.fc1.weight, decoder["decoder.style.2.weight"])
    assert torch.equal(generator.synthesis.b16.conv0.resample_filter, builders.fir_filter())


def test_options_may_be_a_namespace_with_numpy_numbers(tmp_path):
    opts = argparse.Namespace(
        encoder_type="GradualStyleEncoder", lr=np.float64(0.5), device=torch.device("cpu")
    )
    path = builders.write_tiny_psp(tmp_path / "psp.pt", opts=opts)
    assert inspect_checkpoint(path).opts["lr"] == 0.5
    assert load_encoder(path, device="cpu").num_ws == 8


def test_a_missing_average_is_sampled(tmp_path):
    path = builders.write_tiny_psp(tmp_path / "psp.pt", latent_avg=None)
    assert not inspect_checkpoint(path).has_w_avg
    encoder, generator = load_encoder(path, device="cpu"), load_generator(path, device="cpu")
    z = torch.randn(20_000, 16, generator=torch.Generator().manual_seed(7))
    assert (generator.w_avg - generator.mapping(z)[:, 0].mean(0)).abs().max() < 0.1
    assert torch.equal(generator.w_avg, load_generator(path, device="cpu").w_avg)
    assert torch.equal(encoder.latent_avg, generator.w_avg.repeat(8, 1))
    assert encoder.generator == generator.fingerprint()


def test_one_average_row_serves_every_layer(tmp_path):
    row = builders.value("row", (1, 16))
    path = builders.write_tiny_psp(tmp_path / "psp.pt", latent_avg=row)
    assert torch.equal(load_encoder(path, device="cpu").latent_avg, row.repeat(8, 1))
    assert torch.equal(load_generator(path, device="cpu").w_avg, row[0])


def test_asking_for_a_part_that_is_not_there_says_what_is(tiny, tmp_path):
    path = builders.write_nvidia(tmp_path / "network.pkl", tiny.state_dict())
    with pytest.raises(CheckpointError, match="no encoder.*generator only"):
        load_encoder(path)


def test_a_loaded_model_survives_its_file_being_overwritten(tmp_path):
    path = builders.write_tiny_psp(tmp_path / "psp.pt")
    encoder = load_encoder(path, device="cpu")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    path.write_bytes(b"")
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


# This project's files


def test_a_written_file_loads_to_the_same_models(tmp_path):
    generator, encoder = builders.tiny_generator(conv_clamp=64.0), builders.tiny_encoder()
    path = tmp_path / "both.safetensors"
    native.write(path, generator, encoder, source="tests", licence="MIT")
    assert same_weights(load_generator(path, device="cpu"), generator)
    assert load_generator(path, device="cpu").config == generator.config
    loaded = load_encoder(path, device="cpu")
    assert same_weights(loaded, encoder) and loaded.config == encoder.config
    assert loaded.generator == generator.fingerprint()
    assert os.listdir(tmp_path) == ["both.safetensors"]
    info = inspect_checkpoint(path)
    assert info.contents == ("generator", "encoder") and info.licence == "MIT"
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == "stylemix" and metadata["num_ws"] == "8" and metadata["source"] == "tests"
    assert json.loads(metadata["config"])["generator"]["conv_clamp"] == 64


def test_an_encoder_file_remembers_its_generator(tmp_path):
    generator_path, encoder_path = builders.write_tiny_native(tmp_path)
    generator, encoder = (
        load_generator(generator_path, device="cpu"),
        load_encoder(encoder_path, device="cpu"),
    )
    assert encoder.generator == generator.fingerprint()
    assert inspect_checkpoint(encoder_path).contents == ("encoder",)


def test_half_precision_files_are_half_the_size_and_stay_the_same_network(tmp_path):
    generator = builders.tiny_generator(channels=(64, 64, 64, 64))
    generator.synthesis.b8.conv0.weight.data[0, 0, 0, 0] = 1e6  # beyond float16
    path, whole = tmp_path / "half.safetensors", tmp_path / "whole.safetensors"
    native.write(path, generator, dtype=torch.float16)
    native.write(whole, generator)
    assert path.stat().st_size < 0.65 * whole.stat().st_size
    loaded = load_generator(path, device="cpu")
    assert loaded.fingerprint() == generator.fingerprint()
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    assert loaded.synthesis.b8.conv0.weight.max() == 1e6
    assert torch.allclose(loaded.synthesis.b16.conv0.weight, generator.synthesis.b16.conv0.weight, rtol=1e-3)


def test_stages_of_equal_width_come_from_the_metadata(tmp_path):
    encoder = builders.tiny_encoder(stage_channels=(16, 32, 64, 64))
    path = tmp_path / "encoder.safetensors"
    native.write(path, encoder=encoder)
    assert load_encoder(path, device="cpu").config == encoder.config


def test_files_of_other_packs_with_nvidia_names_load(tiny, tmp_path):
    path = tmp_path / "other.safetensors"
    state = {name: tensor.contiguous() for name, tensor in tiny.state_dict().items()}
    save_file(state, path, metadata={"arch": "stylegan2", "init_kwargs": json.dumps({"conv_clamp": 256})})
    generator = load_generator(path, device="cpu")
    assert same_weights(generator, tiny) and generator.config.conv_clamp == 256


def test_a_lying_configuration_is_refused(tmp_path):
    path = tmp_path / "encoder.safetensors"
    native.write(path, encoder=builders.tiny_encoder())
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    for lie in ({"stage_units": [10**9, 1, 1, 1]}, {"num_ws": 10**9}, {"input_size": 2**40}, {"colour": 1}):
        config = json.loads(metadata["config"])
        config["encoder"].update(lie)
        save_file(tensors, path, metadata={**metadata, "config": json.dumps(config)})
        with pytest.raises(CheckpointError):
            load_encoder(path)


def test_writing_nothing_or_into_nowhere_is_an_error(tiny, tmp_path):
    with pytest.raises(StyleMixError, match="nothing to write"):
        native.write(tmp_path / "x.safetensors")
    with pytest.raises(StyleMixError, match="cannot write"):
        (tmp_path / "file").touch()
        native.write(tmp_path / "file" / "x.safetensors", tiny)


# Everything else


def test_precision_and_demo_names(tmp_path, monkeypatch):
    builders.write_tiny_native(tmp_path)
    monkeypatch.setattr(formats, "DEMO", tmp_path)
    generator = load_generator("demo", device="cpu", dtype="bfloat16")
    assert generator.dtype == torch.bfloat16 and generator.mapping.fc0.weight.dtype == torch.float32
    assert load_encoder("demo", device="cpu").generator == load_generator("demo", device="cpu").fingerprint()
    assert inspect_checkpoint("demo").resolution == 32
    monkeypatch.setattr(formats, "DEMO", tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="demo generator is missing"):
        load_generator("demo")


# Conversion


@pytest.mark.parametrize(("dtype", "limit"), [(None, 0), ("float16", 0.05)])
def test_a_converted_file_draws_and_reads_the_same(tmp_path, dtype, limit):
    source, target = builders.write_tiny_psp(tmp_path / "psp.pt"), tmp_path / "converted.safetensors"
    checkpoints.convert_checkpoint(source, target, dtype)
    pictures = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codes = [load_encoder(path, device="cpu")(pictures) for path in (source, target)]
    assert (codes[0] - codes[1]).abs().max() <= limit
    drawn = [load_generator(path, device="cpu").synthesis(codes[0]) for path in (source, target)]
    assert (drawn[0] - drawn[1]).abs().mean() <= limit * drawn[0].abs().mean()
    assert load_encoder(target, device="cpu").generator == load_generator(target, device="cpu").fingerprint()


def test_a_converted_file_says_where_it_comes_from(tmp_path):
    source, target = builders.write_tiny_psp(tmp_path / "psp.pt"), tmp_path / "converted.safetensors"
    info = checkpoints.convert_checkpoint(source, target)
    assert info == inspect_checkpoint(target) and info.num_ws == 8
    with safe_open(target, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["source"] == "pSp checkpoint psp.pt"
    assert metadata["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert "non-commercial" in metadata["licence"]
    assert json.loads(metadata["config"])["encoder"]["num_ws"] == 8


@pytest.mark.parametrize(
    ("part", "contents"),
    [("generator", ("generator",)), ("encoder", ("encoder",)), ("both", ("generator", "encoder"))],
)
def test_a_part_can_be_converted_alone(part, contents, tmp_path):
    source, target = builders.write_tiny_psp(tmp_path / "psp.pt"), tmp_path / "converted.safetensors"
    assert checkpoints.convert_checkpoint(source, target, part=part).contents == contents


def test_a_conversion_that_cannot_be_leaves_everything_as_it_was(tiny, tmp_path):
    source = tmp_path / "generator.safetensors"
    native.write(source, tiny)
    before = source.read_bytes()
    for target, part, message in (
        (source, None, "is the source itself"),
        (tmp_path / "converted.pt", None, "ending .safetensors"),
        (tmp_path / "converted.safetensors", "encoder", "no encoder"),
        (tmp_path / "converted.safetensors", "both", "no encoder"),
        (tmp_path / "converted.safetensors", "decoder", "'decoder' is unknown"),
    ):
        with pytest.raises(StyleMixError, match=message):
            checkpoints.convert_checkpoint(source, target, part=part)
    assert os.listdir(tmp_path) == ["generator.safetensors"] and source.read_bytes() == before


def test_of_a_file_whose_encoder_is_unknown_the_generator_is_converted(tmp_path):
    source = builders.write_unknown_kind(tmp_path / "psp.pt", "SomeEncoder")
    target = tmp_path / "out.safetensors"
    assert checkpoints.convert_checkpoint(source, target).contents == ("generator",)
    with pytest.raises(CheckpointError, match="SomeEncoder"):
        checkpoints.convert_checkpoint(source, target, part="both")


def test_every_format_is_asked():
    names = [module.name for module in pkgutil.iter_modules(checkpoints.__path__)]
    modules = [importlib.import_module(f"stylemix_core.checkpoints.{name}") for name in names]
    known = [module for module in modules if hasattr(module, "detect") and hasattr(module, "read")]
    assert {*formats.FORMATS} == {*known}
