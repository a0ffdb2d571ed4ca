"""Files that are no StyleGAN2 checkpoints: each is refused in a sentence that says what it is and what is accepted."""

import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stylemix_core.checkpoints import inspect_checkpoint
from stylemix_core.errors import CheckpointError
from tests import builders
from tests.builders import Call, Name

PAGE = "web page"


def content(data: bytes | str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data.encode() if isinstance(data, str) else data)


def safetensors(*names: str, metadata: dict[str, str] | None = None) -> Callable[[Path], object]:
    return lambda path: save_file({name: torch.zeros(2) for name in names}, path, metadata=metadata)


def torch_file(value) -> Callable[[Path], object]:
    return lambda path: torch.save(value, path)


def tensors(*names: str) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(2) for name in names}


def zipped(name: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, b"x" * 100)

    return write


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("model.pt"), io.BytesIO())


def diffusion_checkpoint(path: Path) -> None:
    """A .ckpt of the first Stable Diffusion models names classes of their training library."""
    stream = io.BytesIO()
    callback = Call(Name("pytorch_lightning.callbacks", "ModelCheckpoint"), ())
    value = {"callbacks": callback, "model.diffusion_model.x": 1}
    builders.Pickler(stream, protocol=4).dump(value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())


def tensorflow(module: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            builders.Pickler(file, protocol=4).dump((Call(Name(module, "Network"), ()),) * 3)

    return write


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty": ("a.pkl", content(b""), "empty"),
    "text": ("a.pkl", content("hello"), "it is a text"),
    "tiny": ("a.pkl", content("\x01\x02h"), "3 bytes"),
    "noise": ("a.pkl", content(b"\x01" * 5000), "no known"),
    "web page": ("a.pt", content("<!DOCTYPE html><html>Sign in</html>"), PAGE),
    "indented web page": ("a.pt", content("\n\n  <HTML><body>"), PAGE),
    "Google Drive": (
        "a.pt",
        content("<!DOCTYPE html><title>Google Drive - Quota exceeded</title>"),
        "Quota exceeded",
    ),
    "XML": ("a.pt", content("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"), "XML"),
    "JSON": ("a.pt", content('{"error": "not found"}'), "JSON"),
    "LFS pointer": ("a.pt", content("version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
    "zip": ("a.zip", zipped("model.pt"), "zip archive"),
    "npz": ("a.npz", zipped("w.npy"), "numpy arrays"),
    "npy": ("a.npy", lambda path: np.save(path, np.zeros(5)), "numpy array"),
    "gzip": ("a.gz", content(b"\x1f\x8b\x08" + bytes(99)), "gzip"),
    "bzip2": ("a.dat.bz2", content(b"BZh9" + bytes(99)), "bzip2.*dlib"),
    "xz": ("a.xz", content(b"\xfd7zXZ\x00" + bytes(99)), "xz archive"),
    "7-Zip": ("a.7z", content(b"7z\xbc\xaf\x27\x1c" + bytes(99)), "7-Zip"),
    "RAR": ("a.rar", content(b"Rar!\x1a\x07" + bytes(99)), "RAR"),
    "tar": ("a.tar", tarred, "tar archive"),
    "PNG": ("a.pt", content(b"\x89PNG\r\n\x1a\n" + bytes(99)), "PNG"),
    "HDF5": ("a.h5", content(b"\x89HDF\r\n\x1a\n" + bytes(99)), "HDF5"),
    "GGUF": ("a.gguf", content(b"GGUF\x03" + bytes(99)), "GGUF"),
    "ONNX": ("a.onnx", content(b"\x08\x07\x12\x07pytorch" + bytes(99)), "ONNX"),
    "dlib": ("a.dat", content(b"\x01\x02\x44\x01" + bytes(2000)), "dlib"),
    "TensorFlow checkpoint": (
        "model.ckpt",
        content(b"\x00\x03\x44\x01" + bytes(2000)),
        "TensorFlow checkpoint",
    ),
    "LoRA of kohya": ("a.safetensors", safetensors("lora_unet_down_blocks_0.lora_down.weight"), "LoRA"),
    "LoRA of diffusers": ("a.safetensors", safetensors("unet.down_blocks.0.to_q.lora.down.weight"), "LoRA"),
    "LoRA of PEFT": ("a.safetensors", safetensors("base_model.model.q_proj.lora_A.weight"), "LoRA"),
    "diffusion": (
        "a.safetensors",
        safetensors("model.diffusion_model.input_blocks.0.0.weight"),
        "a diffusion model",
    ),
    "diffusers": (
        "a.safetensors",
        safetensors("down_blocks.0.attentions.0.norm.weight"),
        "a diffusion model",
    ),
    "diffusion .ckpt": ("sd.ckpt", diffusion_checkpoint, "a diffusion model"),
    "ControlNet": ("a.safetensors", safetensors("control_model.input_hint_block.0.weight"), "ControlNet"),
    "VAE": (
        "a.safetensors",
        safetensors("encoder.conv_in.weight", "decoder.up.0.block.0.norm1.weight"),
        "VAE",
    ),
    "VAE .pt": ("a.pt", torch_file({"state_dict": tensors("decoder.up.0.block.0.norm1.weight")}), "VAE"),
    "CLIP": ("a.safetensors", safetensors("text_model.encoder.layers.0.mlp.fc1.weight"), "CLIP"),
    "named architecture": (
        "a.safetensors",
        safetensors("x", metadata={"modelspec.architecture": "wan-2.1"}),
        "architecture 'wan-2.1'",
    ),
    "other safetensors": ("a.safetensors", safetensors("conv.weight"), "conv.weight"),
    "W+ codes of no known shape": ("a.safetensors", safetensors("w"), "W\\+ codes"),
    "ESRGAN": ("a.pth", torch_file({"params_ema": tensors("body.0.rdb1.conv1.weight")}), "ESRGAN"),
    "old ESRGAN": ("a.pth", torch_file(tensors("RRDB_trunk.0.RDB1.conv1.weight")), "ESRGAN"),
    "GFPGAN": ("a.pth", torch_file({"params_ema": tensors("stylegan_decoder.style_mlp.1.weight")}), "GFPGAN"),
    "CodeFormer": ("a.pth", torch_file({"params_ema": tensors("quantize.embedding.weight")}), "CodeFormer"),
    "ArcFace": (
        "model_ir_se50.pth",
        torch_file(tensors("input_layer.0.weight", "body.0.res_layer.0.weight")),
        "ArcFace",
    ),
    "discriminator": ("a.pt", torch_file({"d": tensors("final_linear.1.weight")}), "discriminator"),
    "lucidrains": (
        "model_10.pt",
        torch_file({"GAN": tensors("S.net.0.weight", "G.blocks.0.to_style1.weight"), "version": "1.8.9"}),
        "lucidrains",
    ),
    "mmgeneration": (
        "a.pth",
        torch_file({"state_dict": tensors("generator_ema.style_mapping.1.weight")}),
        "mmgeneration",
    ),
    "genforce StyleGAN2": (
        "a.pth",
        torch_file({"generator_smooth": tensors("mapping.dense0.weight", "synthesis.early_layer.const")}),
        "StyleGAN2 of genforce",
    ),
    "genforce StyleGAN": (
        "stylegan_ffhq1024.pth",
        torch_file(tensors("truncation.w_avg", "synthesis.layer0.epilogue.apply_noise.weight")),
        "StyleGAN of 2018",
    ),
    "StyleGAN of another port": (
        "a.pt",
        torch_file(tensors("g_synthesis.blocks.4x4.const")),
        "StyleGAN of 2018",
    ),
    "rosinality's StyleGAN": (
        "a.model",
        torch_file({"g_running": tensors("generator.progression.0.conv1.weight")}),
        "StyleGAN of 2018",
    ),
    "EG3D": (
        "a.safetensors",
        safetensors("backbone.synthesis.b4.const", "superresolution.block0.conv0.weight"),
        "EG3D",
    ),
    "BasicSR": ("a.pth", torch_file({"params_ema": tensors("style_conv1.modulated_conv.weight")}), "BasicSR"),
    "VGG": ("vgg16.pth", torch_file(tensors("features.0.weight", "features.28.weight")), "VGG16"),
    "principal components of e4e": (
        "ffhq_pca.pt",
        torch_file(tensors("mean", "comp", "std")),
        "principal components",
    ),
    "closed-form factorization": (
        "factor.pt",
        torch_file({"ckpt": "a.pt", **tensors("eigvec")}),
        "closed_form_factorization",
    ),
    "other tensors below": (
        "a.pt",
        torch_file({"net": {"body": tensors("conv.weight")}}),
        "net.body.conv.weight",
    ),
    "a tensor": ("a.pt", torch_file(torch.zeros(3)), "single tensor"),
    "training state": ("a.pt", torch_file({"epoch": 3}), "epoch"),
    "list": ("a.pkl", lambda path: path.write_bytes(pickle.dumps([1, 2])), "a list"),
    "ProGAN": ("karras2018.pkl", tensorflow("tfutil"), "Progressive GAN"),
    "TensorFlow without a generator": ("a.pkl", tensorflow("dnnlib.tflib.network"), "TensorFlow|Network"),
    "cut safetensors": ("a.safetensors", content(builders.safetensors_bytes({})[:-1] + b" "), "damaged"),
    "missing": ("a.pkl", lambda path: None, "no such file"),
    "folder": ("a.pkl", lambda path: path.mkdir(), "folder"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_file_that_is_no_checkpoint_is_described(name, tmp_path):
    file_name, write, described = REFUSED[name]
    write(tmp_path / file_name)
    with pytest.raises(CheckpointError, match=f"{file_name}.*({described})") as refusal:
        inspect_checkpoint(tmp_path / file_name)
    assert "\n" not in str(refusal.value)
    if "not a checkpoint that can be read" in str(refusal.value):
        assert all(
            accepted in str(refusal.value) for accepted in ("TensorFlow .pkl", "rosinality", "e4e", "ReStyle")
        )


def test_a_sentence_stays_short(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(
        builders.safetensors_bytes({"x" * 100_000: {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}})
    )
    with pytest.raises(CheckpointError) as refusal:
        inspect_checkpoint(path)
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8.0]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        {"a": [0, 8]},
        {
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        },
    ],
)
def test_safetensors_whose_header_lies_are_damaged(header, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(builders.safetensors_bytes(header, bytes(8)))
    with pytest.raises(CheckpointError, match="damaged|natural numbers"):
        inspect_checkpoint(path)
