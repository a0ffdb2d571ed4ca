"""Files of other people's tools: state dicts below wrappers, encoders under other names, options with objects in them.

What they hold is what it would be in the tool's own layout.
"""

import argparse
import collections
import datetime
import decimal
import fractions
import pathlib
import pickle
import types
import uuid

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import stylemix_core as sm
from stylemix_core.checkpoints import inspect_checkpoint, load_encoder, load_generator
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.errors import CheckpointError, StyleMixError
from stylemix_core.files.source import DEEPEST, MOST_ENTRIES, flat
from stylemix_core.files.unpickle import read_torch
from stylemix_core.generator import Generator
from stylemix_core.inversion.delta import Delta, load_delta, save_delta
from tests import builders
from tests.builders import Call, Name

CONFIG = builders.tiny_generator_config()


def same_weights(a: Generator, b: Generator) -> bool:
    return all(torch.equal(x, b.state_dict()[name]) for name, x in a.state_dict().items())


def inside(keys: str, state: dict) -> dict:
    """The state below names with dots, each a dictionary of its own."""
    for key in reversed(keys.split("/")):
        state = {key: state}
    return state


# State dicts

WRAPPERS = ("module.", "_orig_mod.", "module._orig_mod.", "model.generator.", "g_ema.", "netG.")


@pytest.mark.parametrize("ending", [".pt", ".pth"])
@pytest.mark.parametrize("prefix", ["", *WRAPPERS])
def test_a_pytorch_state_dict_with_nvidias_names_is_the_network_that_it_is_as_safetensors(
    prefix, ending, tmp_path
):
    state = builders.nvidia_state(CONFIG)
    path = tmp_path / f"network{ending}"
    torch.save({prefix + name: x for name, x in state.items()}, path)
    save_file(state, tmp_path / "network.safetensors")
    generator = load_generator(path, device="cpu")
    assert same_weights(generator, load_generator(tmp_path / "network.safetensors", device="cpu"))
    info = inspect_checkpoint(path)
    assert info.format == "PyTorch state dict with NVIDIA's names" and info.contents == ("generator",)


@pytest.mark.parametrize("keys", ["state_dict", "G_ema", "models/generator_ema", "model/module"])
@pytest.mark.parametrize("zipped", [True, False])
def test_dictionaries_around_a_state_dict_are_looked_into(keys, zipped, tmp_path):
    content = inside(keys, builders.nvidia_state(CONFIG)) | {"epoch": 3, "optimizer": {"state": {0: {}}}}
    torch.save(content, tmp_path / "network.pth", _use_new_zipfile_serialization=zipped)
    assert same_weights(load_generator(tmp_path / "network.pth", device="cpu"), builders.tiny_generator())


def test_a_plain_pickle_of_a_state_dict_is_read(tmp_path):
    (tmp_path / "network.pkl").write_bytes(pickle.dumps(builders.nvidia_state(CONFIG), 4))
    assert same_weights(load_generator(tmp_path / "network.pkl", device="cpu"), builders.tiny_generator())


def test_a_network_that_was_saved_whole_is_read_as_from_nvidias_pickle(tmp_path):
    """As PTI saves its generators."""
    module = builders.nvidia_module(builders.nvidia_state(CONFIG), {})
    pickles = types.SimpleNamespace(__name__="pickle", Pickler=builders.Pickler)
    torch.save(module, tmp_path / "model_PTI.pt", pickle_module=pickles)
    assert same_weights(load_generator(tmp_path / "model_PTI.pt", device="cpu"), builders.tiny_generator())


def test_of_several_networks_the_averaged_one_is_read(tmp_path):
    state = builders.nvidia_state(CONFIG)
    other = {name: torch.zeros_like(x) for name, x in state.items()}
    torch.save({"G": other, "G_ema": state, "D": {"b4.mbstd.x": torch.zeros(2)}}, tmp_path / "network.pt")
    assert same_weights(load_generator(tmp_path / "network.pt", device="cpu"), builders.tiny_generator())


@pytest.mark.parametrize("prefix", WRAPPERS)
def test_rosinalitys_names_are_found_below_any_wrapper(prefix, tmp_path):
    state = builders.rosinality_state(builders.nvidia_state(CONFIG))
    average = builders.value("w_avg", (1, 8, 16))
    torch.save(
        {"g": {prefix + name: x for name, x in state.items()}, "latent_avg": average}, tmp_path / "a.pt"
    )
    save_file({prefix + name: x for name, x in state.items()}, tmp_path / "a.safetensors")
    generator = load_generator(tmp_path / "a.pt", device="cpu")
    assert torch.equal(
        generator.synthesis.b8.conv1.weight, builders.tiny_generator().synthesis.b8.conv1.weight
    )
    assert (generator.w_avg - average.mean((0, 1))).abs().max() < 1e-6
    again = load_generator(tmp_path / "a.safetensors", device="cpu")
    assert torch.equal(again.synthesis.b8.conv1.weight, generator.synthesis.b8.conv1.weight)


def test_dictionaries_without_end_or_with_too_many_entries_are_no_trouble():
    loop: dict = {"a": torch.zeros(1)}
    loop["b"] = loop
    assert flat(loop) == {}  # tensors of a file are `StoredTensor`s; nothing runs on
    wide: dict = {}
    for _ in range(DEEPEST):
        wide = {f"{i}": wide for i in range(20)}
    with pytest.raises(CheckpointError, match=f"more than {MOST_ENTRIES} entries"):
        flat(wide)


# Encoders


def encoder_file(path, kind="GradualStyleEncoder", prefix="", **options):
    config = builders.tiny_encoder_config(kind=kind)
    state = builders.psp_encoder_state(config) | builders.psp_decoder_state(CONFIG)
    return builders.write_tiny_psp(path, state={prefix + k: x for k, x in state.items()}, **options)


def codes(encoder):
    return encoder(builders.psp_style())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "net.", "model.module."])
def test_encoders_are_found_below_any_wrapper(prefix, tmp_path):
    plain = load_encoder(encoder_file(tmp_path / "plain.pt"), device="cpu")
    path = encoder_file(tmp_path / "wrapped.pt", prefix=prefix)
    assert torch.equal(codes(load_encoder(path, device="cpu")), codes(plain))
    assert inspect_checkpoint(path).contents == ("generator", "encoder")


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        ("WEncoder", "BackboneEncoderUsingLastLayerIntoW"),
        ("SingleStyleCodeEncoder", "BackboneEncoderUsingLastLayerIntoW"),
        ("WPlusEncoder", "BackboneEncoderUsingLastLayerIntoWPlus"),
        ("StyleEncoder", "GradualStyleEncoder"),
        ("MyProgressiveEncoder", "Encoder4Editing"),
        ("Encoder4EditingV2", "Encoder4Editing"),
        ("ProgressiveBackbone", "ProgressiveBackboneEncoder"),
        ("RestyleBackbone", "BackboneEncoder"),
        ("ResNetEncoder", "ResNetBackboneEncoder"),
        ("GradualStyleEncoder", "BackboneEncoder"),
    ],
)
def test_a_known_network_is_read_under_any_class_name(named, kind, tmp_path):
    original = load_encoder(encoder_file(tmp_path / "a.pt", kind, opts={"encoder_type": kind}), device="cpu")
    path = encoder_file(tmp_path / "b.pt", kind, opts={"encoder_type": named})
    encoder = load_encoder(path, device="cpu")
    assert encoder.config.kind == kind == inspect_checkpoint(path).encoder
    assert torch.equal(codes(encoder), codes(original))


def test_a_network_with_other_tensors_is_not_taken_for_a_known_one(tmp_path):
    path = builders.write_unknown_kind(tmp_path / "a.pt", "GradualStyleEncoder2Branch")
    with pytest.raises(CheckpointError, match="GradualStyleEncoder2Branch .with tensors.*extra.weight"):
        load_encoder(path)


@pytest.mark.parametrize("shape", [(1, 8, 16), (8, 16), (1, 16), (16,)])
def test_an_average_of_any_shape_serves_encoder_and_generator(shape, tmp_path):
    average = builders.value("average", shape)
    opts = {"start_from_latent_avg": True}
    path = encoder_file(tmp_path / "a.pt", latent_avg=average, opts=opts)
    encoder, generator = load_encoder(path, device="cpu"), load_generator(path, device="cpu")
    assert torch.equal(encoder.latent_avg, average.reshape(-1, 16).expand(8, 16))
    assert (generator.w_avg - average.reshape(-1, 16).mean(0)).abs().max() < 1e-6


def test_an_average_inside_the_state_dict_is_found(tmp_path):
    average = builders.psp_latent_avg(8, 16)
    state = builders.psp_encoder_state(builders.tiny_encoder_config()) | builders.psp_decoder_state(CONFIG)
    state = {f"module.{name}": x for name, x in {**state, "latent_avg": average}.items()}
    path = builders.write_psp(tmp_path / "a.pt", state, None, {"start_from_latent_avg": True})
    assert torch.equal(load_encoder(path, device="cpu").latent_avg, average)


def test_a_decoder_under_nvidias_names_belongs_to_its_encoder(tmp_path):
    generator = builders.nvidia_state(CONFIG)
    state = builders.psp_encoder_state(builders.tiny_encoder_config())
    state |= {f"decoder.{name}": x for name, x in generator.items()}
    path = builders.write_psp(tmp_path / "a.pt", state, builders.psp_latent_avg(8, 16), {})
    loaded = load_generator(path, device="cpu")
    assert torch.equal(loaded.synthesis.b8.conv1.weight, generator["synthesis.b8.conv1.weight"])
    assert load_encoder(path, device="cpu").generator == loaded.fingerprint()
    path = builders.write_psp(tmp_path / "b.pt", state, None, {})
    assert inspect_checkpoint(path).has_w_avg
    assert torch.equal(load_generator(path, device="cpu").w_avg, generator["mapping.w_avg"])


def test_a_psp_file_as_safetensors_keeps_its_generator_and_average(tmp_path):
    state = builders.psp_encoder_state(builders.tiny_encoder_config()) | builders.psp_decoder_state(CONFIG)
    average = builders.psp_latent_avg(8, 16)
    save_file({**state, "latent_avg": average}, tmp_path / "psp.safetensors")
    original = load_encoder(builders.write_tiny_psp(tmp_path / "psp.pt"), device="cpu")
    encoder = load_encoder(tmp_path / "psp.safetensors", device="cpu")
    assert torch.equal(codes(encoder), codes(original)) and encoder.generator == original.generator


# Options


INERT = {
    "PosixPath": (pathlib.PurePosixPath("/data/faces"), "/data/faces"),
    "WindowsPath": (pathlib.PureWindowsPath("C:\\data\\faces"), "C:/data/faces"),
    "relative path": (pathlib.PurePosixPath("runs/1"), "runs/1"),
    "concrete path": (pathlib.Path("runs/1"), "runs/1"),
    "path of Python 3.13": (Call(Name("pathlib._local", "PosixPath"), ("/", "data")), "/data"),
    "WindowsPath by name": (Call(Name("pathlib", "WindowsPath"), ("D:\\", "x")), "D:/x"),
    "OrderedDict": (collections.OrderedDict(a=1), "dict"),
    "defaultdict": (collections.defaultdict(list, a=[1]), "dict"),
    "Counter": (collections.Counter("aab"), "dict"),
    "deque": (collections.deque([1, 2], 4), [1, 2]),
    "datetime": (datetime.datetime(2021, 5, 4, 3, 2), "datetime"),
    "date with a zone": (datetime.datetime(2021, 5, 4, tzinfo=datetime.timezone.utc), "datetime"),
    "timedelta": (datetime.timedelta(1), "timedelta"),
    "Decimal": (decimal.Decimal("1.5"), "Decimal"),
    "Fraction": (fractions.Fraction(1, 3), "Fraction"),
    "UUID": (uuid.UUID(int=7), "UUID"),
    "set": ({1, 2}, "set"),
    "frozenset": (frozenset({1}), "set"),
    "complex": (1 + 2j, "complex"),
    "range": (range(3), "xrange"),
    "slice": (slice(1, 2), "slice"),
    "a type": (float, "float"),
    "device": (torch.device("cuda", 1), "cuda"),
    "Size": (torch.Size([1, 2]), [1, 2]),
    "torch type": (torch.float16, "float16"),
    "numpy number": (np.float64(0.5), 0.5),
    "numpy type": (np.float32, "float32"),
    "Namespace": (argparse.Namespace(a=1), "Namespace"),
    "SimpleNamespace": (types.SimpleNamespace(a=1), "SimpleNamespace"),
    "EasyDict": (Call(Name("easydict", "EasyDict"), ({"a": 1},)), "dict"),
}


@pytest.mark.parametrize("name", INERT)
def test_inert_objects_in_options_are_read_as_data(name, tmp_path):
    value, read = INERT[name]
    content = {
        "state_dict": builders.psp_decoder_state(CONFIG),
        "opts": argparse.Namespace(exp_dir=value, size=1),
    }
    # `torch.save`, but with names that need not exist here
    torch.save(
        content,
        tmp_path / "a.pt",
        pickle_module=types.SimpleNamespace(__name__="pickle", Pickler=builders.Pickler),
    )
    assert inspect_checkpoint(tmp_path / "a.pt").opts == {"exp_dir": read, "size": 1}


@pytest.mark.parametrize("holder", [dict, collections.OrderedDict, argparse.Namespace, types.SimpleNamespace])
def test_options_may_be_held_by_anything_that_has_names(holder, tmp_path):
    opts = holder(encoder_type="GradualStyleEncoder", exp_dir=pathlib.Path("runs"))
    info = inspect_checkpoint(builders.write_tiny_psp(tmp_path / "a.pt", opts=opts))
    assert info.opts == {"encoder_type": "GradualStyleEncoder", "exp_dir": "runs"}


@pytest.mark.parametrize("args", ["args", "opts"])
def test_paths_in_a_generators_file_are_no_trouble(args, tmp_path):
    state = builders.rosinality_state(builders.nvidia_state(CONFIG))
    torch.save({"g_ema": state, args: argparse.Namespace(path=pathlib.Path("data"))}, tmp_path / "a.pt")
    assert load_generator(tmp_path / "a.pt", device="cpu").num_ws == 8


def test_no_object_of_a_file_is_made(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": pathlib.Path("x"), "b": datetime.date(2021, 1, 1), "c": argparse.Namespace(d=1)}, path)
    content = read_torch(path)
    assert type(content["a"]) is str
    assert {type(content[key]).__module__ for key in "bc"} == {"stylemix_core.files.pickle_machine"}


# What else this package writes, and what it is given instead


@pytest.fixture
def ours(tmp_path):
    """Files with W+ codes, directions and a tuning."""
    generator = builders.tiny_generator()
    sm.save_latents(tmp_path / "codes.safetensors", sample_latents(generator, [1, 2, 3], 1.0))
    sm.save_directions(tmp_path / "directions.safetensors", sm.find_directions(generator, count=2))
    delta = Delta({"synthesis.b4.conv1.weight": torch.zeros(16, 16, 3, 3)}, generator.fingerprint())
    save_delta(tmp_path / "tuning.safetensors", delta)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("codes", "W+ codes: 3 W+ codes of 8 w vectors of 16, for the generator with the fingerprint {}, which draws "
         "32×32 pictures. Use it as a source or a style."),
        ("directions", "Directions: 2 directions by SeFa in W of 16 numbers (SeFa 1, SeFa 2), for the generator"),
        ("tuning", "Tuning: changes of 1 tensor of a generator, for the generator with the fingerprint {}."),
    ],
)  # fmt: skip
def test_what_this_package_writes_is_known(ours, name, said):
    fingerprint = builders.tiny_generator().fingerprint()
    info = inspect_checkpoint(ours / f"{name}.safetensors")
    assert info.contents == (name,) and info.generator_fingerprint == fingerprint
    assert info.summary().startswith(said.format(fingerprint))
    with pytest.raises(CheckpointError, match=f"{name}.safetensors: the file holds no model: it is"):
        load_generator(ours / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match="holds no model: it is"):
        load_encoder(ours / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match="holds no model: it is"):
        sm.convert_checkpoint(ours / f"{name}.safetensors", ours / "out.safetensors")


def test_codes_of_other_tools_are_known_too(tmp_path):
    save_file({"w": torch.zeros(14, 512)}, tmp_path / "w.safetensors")
    assert inspect_checkpoint(tmp_path / "w.safetensors").summary() == (
        "W+ codes: 1 W+ code of 14 w vectors of 512, for an unknown generator. Use it as a source or a style."
    )


FOREIGN = {
    "age.pt": (lambda path: torch.save(torch.zeros(1, 512), path), "a single tensor of shape .1, 512."),
    "age_boundary.npy": (lambda path: np.save(path, np.zeros((1, 512))), "a numpy array"),
    "ganspace.npz": (lambda path: np.savez(path, act_comp=np.zeros(3)), "an archive of numpy arrays"),
    "ffhq_pca.pt": (
        lambda path: torch.save({key: torch.zeros(2) for key in ("mean", "comp", "std")}, path),
        "principal components",
    ),
    "generator.safetensors": (
        lambda path: save_file(builders.nvidia_state(CONFIG), path),
        "a model .safetensors with NVIDIA's names with generator.",
    ),
    "page.safetensors": (lambda path: path.write_text("<!DOCTYPE html><html>"), "a web page"),
    "cut.safetensors": (
        lambda path: path.write_bytes(builders.safetensors_bytes({"w": {}})[:-3]),
        "damaged or cut off",
    ),
    "empty.safetensors": (lambda path: path.write_bytes(b""), "empty"),
}


ARRAYS = ("age.pt", "age_boundary.npy", "ganspace.npz", "ffhq_pca.pt")
"""Those of them that other tools keep codes and directions in."""


@pytest.mark.parametrize(
    ("name", "load", "expected"),
    [
        *((name, sm.load_directions, "holds no directions: it is") for name in FOREIGN if name not in ARRAYS),
        *((name, sm.load_latents, "holds no W\\+ codes: it is") for name in FOREIGN if name not in ARRAYS),
        *((name, load_delta, "holds no tuning of a generator: it is") for name in FOREIGN),
    ],
)
def test_what_a_foreign_file_is_and_what_was_expected_is_said(name, load, expected, tmp_path):
    write, described = FOREIGN[name]
    write(tmp_path / name)
    with pytest.raises(StyleMixError, match=f"{name}.*({expected} )?.*{described}"):
        load(tmp_path / name)


@pytest.mark.parametrize("name", ["codes", "directions", "tuning"])
def test_one_kind_of_file_is_not_taken_for_another(ours, name):
    loads = {"codes": sm.load_latents, "directions": sm.load_directions, "tuning": load_delta}
    said = {
        "codes": "a file of W. codes",
        "directions": "a file of directions",
        "tuning": "the tuning of a gen",
    }
    for kind, load in loads.items():
        if kind != name:
            with pytest.raises(StyleMixError, match=said[name]) as refusal:
                load(ours / f"{name}.safetensors")
            assert "damaged" not in str(refusal.value)
