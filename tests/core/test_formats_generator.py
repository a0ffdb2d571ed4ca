"""Every format of a generator, each against the numbers of the tool that it comes from."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stylemix_core.checkpoints import convert_checkpoint, inspect_checkpoint, load_generator
from stylemix_core.errors import CheckpointError
from stylemix_core.generator import Generator, StyleGAN2
from tests import builders
from tests.builders import ORIGINALS, WIDE_MAPPING_LR_MULTIPLIER

LABELLED = "resnet_clamp_labels_rgba"
SKIP_UNCONDITIONAL = ("skip_4px", "stylegan3_skip")


def weights(name: str) -> builders.State:
    """The weights that the original's numbers were computed from, as its file holds them."""
    state = builders.nvidia_state(ORIGINALS[name])
    return {key: x for key, x in state.items() if name != "orig_no_noise" or "noise" not in key}


def same_weights(a: Generator, b: Generator) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def assert_draws_as_the_original(path, name: str) -> Generator:
    """The file's W+ and pictures are those of the original."""
    numbers = builders.expected("originals")
    generator = load_generator(path, device="cpu")
    z = torch.from_numpy(np.random.RandomState(7).randn(2, generator.z_dim)).float()
    labels = torch.eye(generator.c_dim)[[1, 0]] if generator.c_dim else None
    w = generator.mapping(z, labels)
    assert (w[:, 0] - numbers[f"{name}/w"]).abs().max() < 1e-4
    truncated = generator.mapping(z, labels, truncation_psi=0.7, truncation_cutoff=2)
    assert (truncated - numbers[f"{name}/w_truncated"]).abs().max() < 1e-4
    with torch.no_grad():
        image = generator.synthesis(truncated[:1])
    assert (image - numbers[f"{name}/image"]).abs().max() < 1e-3
    return generator


# NVIDIA's PyTorch pickles


def nvidia_attributes(name: str) -> dict[str, dict]:
    """The attributes of the original's modules that are not in the weights' shapes."""
    config = ORIGINALS[name]
    attributes: dict[str, dict] = {"": {"_init_kwargs": builders.EasyDict({"z_dim": config.z_dim})}}
    for layer in ("conv0", "conv1"):
        for resolution in config.resolutions:
            attributes[f"synthesis.b{resolution}.{layer}"] = {
                "conv_clamp": config.conv_clamp,
                "activation": "lrelu",
                "use_fp16": True,
            }
    rate = WIDE_MAPPING_LR_MULTIPLIER if name == "skip_wide_mapping" else 0.01
    for i in range(config.mapping_layers):
        attributes[f"mapping.fc{i}"] = {"bias_gain": np.float64(rate), "activation": "lrelu"}
    attributes["mapping.embed"] = {"bias_gain": 1, "activation": "linear"}
    return attributes


@pytest.mark.parametrize("name", ORIGINALS)
def test_nvidia_pickles_of_every_architecture_draw_as_the_original(name, tmp_path):
    path = builders.write_nvidia(tmp_path / "network.pkl", weights(name), nvidia_attributes(name))
    generator = assert_draws_as_the_original(path, name)
    assert generator.config == ORIGINALS[name]


def test_a_learning_rate_multiplier_may_be_named_in_the_constructor_arguments(tmp_path):
    name = "skip_wide_mapping"
    mapping = builders.EasyDict({"lr_multiplier": WIDE_MAPPING_LR_MULTIPLIER})
    arguments = {"_init_kwargs": builders.EasyDict({"mapping_kwargs": mapping, "conv_clamp": 256})}
    path = builders.write_nvidia(tmp_path / "network.pkl", weights(name), {"": arguments})
    assert_draws_as_the_original(path, name)


def test_a_network_alone_is_read_as_the_averaged_one(tmp_path):
    path = tmp_path / "network.pkl"
    with path.open("wb") as file:
        builders.Pickler(file, 4).dump(builders.nvidia_module(weights("resnet"), nvidia_attributes("resnet")))
    assert_draws_as_the_original(path, "resnet")


def test_without_an_average_the_generator_in_training_is_read_and_said(tmp_path):
    path = tmp_path / "network.pkl"
    network = builders.nvidia_module(weights("resnet"), nvidia_attributes("resnet"))
    with path.open("wb") as file:
        builders.Pickler(file, 4).dump({"G": network, "G_ema": None})
    assert_draws_as_the_original(path, "resnet")
    assert "its G is used" in inspect_checkpoint(path).summary()


def test_options_that_the_network_lacks_are_refused_by_name(tmp_path):
    path = tmp_path / "network.pkl"
    attributes = {"synthesis.b8.conv0": {"activation": "relu"}}
    builders.write_nvidia(path, weights("resnet"), attributes)
    with pytest.raises(CheckpointError, match=r"'relu' as the activation of synthesis\.b8\.conv0.*'lrelu'"):
        load_generator(path)
    state = weights("resnet")
    state["synthesis.b8.conv0.resample_filter"] = torch.ones(12)
    builders.write_nvidia(path, state)
    with pytest.raises(CheckpointError, match="resample filter of 12 taps.*4 taps"):
        load_generator(path)


@pytest.mark.parametrize(
    ("state", "kind", "said"),
    [
        ({"b4.conv.weight": torch.zeros(4, 4, 3, 3)}, "Discriminator", "discriminator only"),
        ({"backbone.mapping.w_avg": torch.zeros(4)}, "TriPlaneGenerator", "'TriPlaneGenerator'"),
    ],
)
def test_other_networks_are_refused_by_what_they_are(state, kind, said, tmp_path):
    path = tmp_path / "network.pkl"
    with path.open("wb") as file:
        builders.Pickler(file, 4).dump({"G_ema": builders.nvidia_module(state, {}, kind)})
    accepted = r"expected the generator of NVIDIA's StyleGAN2 \(stylegan2-ada-pytorch\) or StyleGAN3"
    with pytest.raises(CheckpointError, match=rf"network\.pkl.*{said}.*{accepted}"):
        inspect_checkpoint(path)


# NVIDIA's TensorFlow pickles


def write_tensorflow(path, name: str, **options):
    """The network of an original as the TensorFlow tools would have written it."""
    config = ORIGINALS[name]
    arguments = {"latent_size": config.z_dim, "conv_clamp": config.conv_clamp, "label_size": config.c_dim}
    if name == "skip_wide_mapping":
        arguments["mapping_lrmul"] = WIDE_MAPPING_LR_MULTIPLIER
    return builders.write_tensorflow(path, weights(name), **{**arguments, **options})


@pytest.mark.parametrize("name", ORIGINALS)
def test_tensorflow_pickles_draw_as_the_same_network_of_the_pytorch_tools(name, tmp_path):
    generator = assert_draws_as_the_original(write_tensorflow(tmp_path / "network.pkl", name), name)
    assert generator.config == ORIGINALS[name]
    info = inspect_checkpoint(tmp_path / "network.pkl")
    assert info.format == "NVIDIA TensorFlow pickle" and info.has_w_avg


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_tensorflow_pickles_of_every_protocol_hold_the_same_weights(protocol, tmp_path):
    a = load_generator(write_tensorflow(tmp_path / "a.pkl", LABELLED), device="cpu")
    b = load_generator(write_tensorflow(tmp_path / "b.pkl", LABELLED, protocol=protocol), device="cpu")
    assert same_weights(a, b)


def test_older_numpy_names_of_arrays_are_read(tmp_path):
    path = write_tensorflow(tmp_path / "network.pkl", "resnet_8px")
    old = path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy._core" not in old and b"numpy.core" in old
    path.write_bytes(old)
    assert_draws_as_the_original(path, "resnet_8px")


def test_a_to_rgb_named_by_its_level_of_detail_is_that_of_the_whole_picture(tmp_path):
    path = write_tensorflow(tmp_path / "network.pkl", "orig_grey", protocol=2)
    named = builders.tensorflow_variables(weights("orig_grey"))
    assert "32x32/ToRGB/weight" in named["synthesis"]
    # Protocol 2 puts a text's length before it: "32x32/ToRGB" and "ToRGB_lod0" differ by one byte.
    data = path.read_bytes()
    for kind in ("weight", "bias", "mod_weight", "mod_bias"):
        old, new = f"32x32/ToRGB/{kind}".encode(), f"ToRGB_lod0/{kind}".encode()
        data = data.replace(len(old).to_bytes(4, "little") + old, len(new).to_bytes(4, "little") + new)
    assert b"ToRGB_lod0/mod_bias" in data
    path.write_bytes(data)
    assert_draws_as_the_original(path, "orig_grey")


def test_labels_of_the_first_stylegan2_are_normalised_together_with_z(tmp_path):
    config = builders.small(c_dim=3, embed_width=12, joint_labels=True)
    state = builders.nvidia_state(config)
    builders.write_tensorflow(tmp_path / "network.pkl", state, label_size=3)
    convert_checkpoint(tmp_path / "network.pkl", tmp_path / "network.safetensors")
    z, label = torch.randn(2, 12, generator=torch.Generator().manual_seed(0)), torch.tensor([2, 0])
    x = torch.cat([z, state["mapping.embed.weight"].t()[label]], dim=1)
    x = x / x.square().mean(1, keepdim=True).sqrt()
    for i, width in enumerate((24, 16)):
        x = x @ state[f"mapping.fc{i}.weight"].t() * (0.01 / width**0.5) + state[f"mapping.fc{i}.bias"] * 0.01
        x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    for name in ("network.pkl", "network.safetensors"):
        generator = load_generator(tmp_path / name, device="cpu")
        assert generator.config == config
        assert (generator.mapping(z, torch.eye(3)[label])[:, 0] - x).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"version": 3, "functions": ("G_style", "G_synthesis")}, r"StyleGAN of 2018 \(G_style"),
        ({"nonlinearity": "relu"}, "'relu' as nonlinearity"),
        ({"mapping_nonlinearity": "relu"}, "'relu' as mapping_nonlinearity"),
        ({"resample_kernel": None}, "resample filter"),
        ({"resample_kernel": [1, 1]}, "resample filter of 2 taps"),
        ({"normalize_latents": False}, "without normalised latents"),
    ],
)
def test_tensorflow_networks_of_another_kind_are_refused_by_name(options, said, tmp_path):
    path = write_tensorflow(tmp_path / "network.pkl", "resnet_8px", **options)
    with pytest.raises(CheckpointError, match=f"network.pkl.*{said}.*expected"):
        inspect_checkpoint(path)


def test_tensorflow_files_without_a_stylegan2_generator_are_refused_by_name(tmp_path):
    def write(name: str, *networks) -> None:
        with (tmp_path / name).open("wb") as file:
            builders.Pickler(file, 2).dump(networks)

    fields = {"version": 4, "build_func_name": "D_stylegan2", "components": {}, "variables": []}
    write("d.pkl", builders.Call(builders.Name("dnnlib.tflib.network", "Network"), (), fields))
    with pytest.raises(CheckpointError, match=r"d\.pkl.*holds D_stylegan2 only"):
        inspect_checkpoint(tmp_path / "d.pkl")
    write("progan.pkl", builders.Call(builders.Name("tfutil", "Network"), (), {"version": 2}))
    with pytest.raises(CheckpointError, match=r"progan\.pkl.*progressive GAN"):
        inspect_checkpoint(tmp_path / "progan.pkl")


# rosinality's files


@pytest.mark.parametrize("name", SKIP_UNCONDITIONAL)
@pytest.mark.parametrize("zipped", [True, False])
def test_rosinality_files_draw_as_the_same_network_under_nvidia_names(name, zipped, tmp_path):
    # The conversion keeps no limit on activations; these pictures do not reach it.
    state = builders.rosinality_state(weights(name))
    optimizer = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.002}]}
    content = {
        "g": {key: torch.zeros_like(x) for key, x in state.items()},
        "d": {"convs.0.0.weight": torch.zeros(2, 2)},
        "g_ema": state,
        "g_optim": optimizer,
        "latent_avg": weights(name)["mapping.w_avg"],
    }
    torch.save(content, tmp_path / "network.pt", _use_new_zipfile_serialization=zipped)
    assert_draws_as_the_original(tmp_path / "network.pt", name)
    info = inspect_checkpoint(tmp_path / "network.pt")
    assert info.format == "rosinality checkpoint" and info.has_w_avg and info.contents == ("generator",)


@pytest.mark.parametrize("channels", [1, 4])
def test_rosinality_files_of_every_shape_hold_the_same_network_as_nvidia_names(channels, tmp_path):
    config = builders.small(img_channels=channels, mapping_layers=5, z_dim=16, channels=(20, 20, 10, 6))
    state = builders.nvidia_state(config)
    average = state["mapping.w_avg"]
    torch.save(
        {"g_ema": builders.rosinality_state(state), "latent_avg": average[None]}, tmp_path / "network.pt"
    )
    generator = load_generator(tmp_path / "network.pt", device="cpu")
    assert generator.config == config
    assert same_weights(generator, StyleGAN2.from_state_dict(config, state))


def test_a_self_trained_rosinality_file_has_its_average_sampled(tmp_path):
    state = builders.nvidia_state(builders.small())
    torch.save({"g_ema": builders.rosinality_state(state), "args": None}, tmp_path / "network.pt")
    generator = load_generator(tmp_path / "network.pt", device="cpu")
    assert not inspect_checkpoint(tmp_path / "network.pt").has_w_avg
    z = torch.randn(20_000, 12, generator=torch.Generator().manual_seed(1))
    assert (generator.w_avg - generator.mapping(z)[:, 0].mean(0)).abs().max() < 0.1


@pytest.mark.parametrize("prefix", ["", "module.", "generator."])
def test_a_rosinality_state_dict_alone_loads(prefix, tmp_path):
    state = builders.rosinality_state(weights("stylegan3_skip"))
    del state["noises.noise_3"]
    torch.save({prefix + name: x for name, x in state.items()}, tmp_path / "network.pt")
    generator = load_generator(tmp_path / "network.pt", device="cpu")
    assert torch.equal(generator.synthesis.b8.conv1.weight, state["convs.1.conv.weight"][0])
    made = generator.synthesis.b16.conv0.noise_const
    assert made.shape == (16, 16) and 0.8 < made.std() < 1.2
    assert same_weights(generator, load_generator(tmp_path / "network.pt", device="cpu"))


def test_a_rosinality_generator_in_training_is_read_where_there_is_no_average_and_said(tmp_path):
    torch.save({"g": builders.rosinality_state(weights("stylegan3_skip"))}, tmp_path / "network.pt")
    load_generator(tmp_path / "network.pt", device="cpu")
    assert "its g is used" in inspect_checkpoint(tmp_path / "network.pt").format


def test_rosinality_files_that_lack_a_tensor_or_draw_wavelets_are_refused(tmp_path):
    state = builders.rosinality_state(weights("stylegan3_skip"))
    torch.save({"g_ema": {**state, "iwt.ll": torch.zeros(2, 2)}}, tmp_path / "swagan.pt")
    with pytest.raises(CheckpointError, match="SWAGAN"):
        inspect_checkpoint(tmp_path / "swagan.pt")
    del state["convs.2.conv.modulation.bias"]
    torch.save({"g_ema": state}, tmp_path / "cut.pt")
    with pytest.raises(CheckpointError, match=r"convs\.2\.conv\.modulation\.bias.*rosinality"):
        inspect_checkpoint(tmp_path / "cut.pt")


# Safetensors of other packs


@pytest.mark.parametrize(
    ("name", "prefix"),
    [*((name, "") for name in ORIGINALS), ("resnet", "G_ema."), ("orig_grey", "generator.")],
)
def test_safetensors_with_nvidia_names_draw_as_the_original(name, prefix, tmp_path):
    state = {prefix + key: x for key, x in weights(name).items() if not key.endswith("resample_filter")}
    state |= {"D.b4.conv.weight": torch.zeros(2, 2)} if prefix else {}
    arguments = {
        "mapping_kwargs": {"lr_multiplier": WIDE_MAPPING_LR_MULTIPLIER} if "wide" in name else {},
        "synthesis_kwargs": {"conv_clamp": ORIGINALS[name].conv_clamp},
    }
    save_file(state, tmp_path / "network.safetensors", {"init_kwargs": json.dumps(arguments)})
    assert_draws_as_the_original(tmp_path / "network.safetensors", name)


def test_of_several_networks_in_a_file_the_averaged_one_is_read(tmp_path):
    state = weights("resnet")
    both = {f"G.{key}": torch.zeros_like(x) for key, x in state.items()}
    both |= {f"G_ema.{key}": x for key, x in state.items()}
    save_file(both, tmp_path / "network.safetensors")
    assert_draws_as_the_original(tmp_path / "network.safetensors", "resnet")


def test_safetensors_without_an_average_or_noise_are_completed(tmp_path):
    state = {key: x for key, x in weights("resnet").items() if not key.endswith(("w_avg", "noise_const"))}
    save_file(state, tmp_path / "network.safetensors")
    generator = load_generator(tmp_path / "network.safetensors", device="cpu")
    assert not inspect_checkpoint(tmp_path / "network.safetensors").has_w_avg
    z = torch.randn(20_000, 12, generator=torch.Generator().manual_seed(1))
    assert (generator.w_avg - generator.mapping(z)[:, 0].mean(0)).abs().max() < 0.1
    w = generator.mapping(z[:1])
    full = StyleGAN2.from_state_dict(ORIGINALS["resnet"], builders.nvidia_state(ORIGINALS["resnet"]))
    assert (generator.synthesis(w, "none") - full.synthesis(w, "none")).abs().max() < 1e-5


def test_safetensors_of_networks_with_other_options_are_refused(tmp_path):
    arguments = json.dumps({"synthesis_kwargs": {"activation": "relu"}})
    save_file(weights("resnet"), tmp_path / "network.safetensors", {"init_kwargs": arguments})
    with pytest.raises(CheckpointError, match="'relu' as activation"):
        load_generator(tmp_path / "network.safetensors")


def test_a_network_larger_than_any_is_refused_before_it_is_made(tmp_path):
    config = builders.small(channels=(1,) * 12, img_resolution=8192)
    with torch.device("meta"):
        names = [name for name in StyleGAN2(config).state_dict() if "noise_const" not in name]
    state = {name: torch.zeros([1, 4, 4] if name.endswith("const") else [1, 1, 1, 1]) for name in names}
    save_file(state, tmp_path / "network.safetensors")
    with pytest.raises(CheckpointError, match="8192 px"):
        inspect_checkpoint(tmp_path / "network.safetensors")
