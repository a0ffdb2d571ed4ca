"""Models and checkpoint files for the tests, made on the spot.

Weights follow a formula of their names (`value`), so that numbers which the original implementations
computed from the same formula can be held against this project's.
"""

import json
import math
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from stylemix_core.checkpoints import native
from stylemix_core.demo.renderer import render, sample_attributes
from stylemix_core.encoder import Encoder, EncoderConfig
from stylemix_core.generator import Generator, GeneratorConfig
from stylemix_core.generator.ops import fir_filter
from stylemix_core.images import to_pil

State = dict[str, torch.Tensor]

ADA_UNCOND32 = GeneratorConfig(
    z_dim=24,
    c_dim=0,
    w_dim=32,
    img_resolution=32,
    img_channels=3,
    mapping_layers=3,
    channels=(24, 24, 24, 16),
    conv_clamp=256.0,
)
PSP_256_ENCODER = EncoderConfig(num_ws=14)
PSP_256_DECODER = GeneratorConfig(
    z_dim=512,
    c_dim=0,
    w_dim=512,
    img_resolution=256,
    img_channels=3,
    mapping_layers=8,
    channels=(512, 512, 512, 512, 512, 256, 128),
)


def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal numbers that depend on nothing but the name and the shape."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return torch.from_numpy(np.asarray(random.standard_normal(shape, dtype=np.float32)))


def expected(name: str) -> dict[str, torch.Tensor]:
    """Numbers of the original implementations: "ada_uncond32" or "psp_256"."""
    with np.load(Path(__file__).parent / "data" / f"{name}_expected.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


# Weights by the formula


def nvidia_state(config: GeneratorConfig) -> State:
    """A generator's weights by the formula, under NVIDIA's names."""
    shapes = {name: tuple(tensor.shape) for name, tensor in Generator(config).state_dict().items()}
    return {name: nvidia_value(name, shape) for name, shape in shapes.items()}


def nvidia_value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    x = value(name, shape)
    if name.endswith("resample_filter"):
        return fir_filter()
    if name.endswith("noise_strength"):
        return 0.1 * x.abs()
    if name.endswith("w_avg"):
        return 0.3 * x
    if name.startswith("mapping.fc"):
        return 100 * x if name.endswith("weight") else x
    if name.endswith("affine.bias"):
        return 1 + 0.1 * x
    return 0.1 * x if name.endswith("bias") else x


def psp_encoder_state(config: EncoderConfig) -> State:
    """An encoder's weights by the formula, under pSp's names with the prefix `encoder.`."""
    with torch.device("meta"):
        shapes = {
            f"encoder.{name}": tuple(tensor.shape) for name, tensor in Encoder(config).state_dict().items()
        }
    del shapes["encoder.latent_avg"]
    return {name: psp_encoder_value(name, shape) for name, shape in shapes.items()}


def psp_encoder_value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    x = value(name, shape)
    if name.endswith("running_var"):
        return 1 + 0.1 * x.abs()
    if name.endswith("running_mean"):
        return 0.1 * x
    if name.endswith("linear.weight"):
        return x
    if len(shape) >= 2:
        return x / math.sqrt(math.prod(shape[1:]))
    return 1 + 0.1 * x if name.endswith("weight") else 0.1 * x


def psp_decoder_state(config: GeneratorConfig) -> State:
    """A generator's weights by the formula, under rosinality's names with the prefix `decoder.`."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, in_channels: int, out_channels: int, size: int, up: bool = False) -> None:
        shapes[f"{name}.conv.weight"] = (1, out_channels, in_channels, size, size)
        if up:
            shapes[f"{name}.conv.blur.kernel"] = (4, 4)
        shapes[f"{name}.conv.modulation.weight"] = (in_channels, config.w_dim)
        shapes[f"{name}.conv.modulation.bias"] = (in_channels,)
        if size == 3:
            shapes[f"{name}.noise.weight"] = (1,)
            shapes[f"{name}.activate.bias"] = (out_channels,)
        else:
            shapes[f"{name}.bias"] = (1, out_channels, 1, 1)

    for i in range(config.mapping_layers):
        shapes[f"style.{i + 1}.weight"] = (config.w_dim, config.z_dim if i == 0 else config.w_dim)
        shapes[f"style.{i + 1}.bias"] = (config.w_dim,)
    first, *later = config.channels
    shapes["input.input"] = (1, first, 4, 4)
    convolution("conv1", first, first, 3)
    convolution("to_rgb1", first, config.img_channels, 1)
    shapes["noises.noise_0"] = (1, 1, 4, 4)
    before = first
    for level, channels in enumerate(later):
        convolution(f"convs.{2 * level}", before, channels, 3, up=True)
        convolution(f"convs.{2 * level + 1}", channels, channels, 3)
        convolution(f"to_rgbs.{level}", channels, config.img_channels, 1)
        shapes[f"to_rgbs.{level}.upsample.kernel"] = (4, 4)
        for k in (2 * level + 1, 2 * level + 2):
            shapes[f"noises.noise_{k}"] = (1, 1, 8 << level, 8 << level)
        before = channels
    return {f"decoder.{name}": psp_decoder_value(f"decoder.{name}", shape) for name, shape in shapes.items()}


def psp_decoder_value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    x = value(name, shape)
    if name.endswith("kernel"):
        return 4 * fir_filter()
    if ".style." in name:
        return 100 * x if name.endswith("weight") else torch.zeros(shape)
    if name.endswith("modulation.bias"):
        return 1 + 0.1 * x
    return 0.1 * x if name.endswith(("noise.weight", "bias")) else x


def psp_latent_avg(num_ws: int, w_dim: int) -> torch.Tensor:
    return 0.1 * value("latent_avg", (num_ws, w_dim))


def psp_input() -> torch.Tensor:
    """The pictures that `psp_256`'s `w` was computed from, `[2, 3, 256, 256]`."""
    return 3 * F.avg_pool2d(torch.tanh(value("input_image", (2, 3, 256, 256))), 9, 1, 4)


def psp_style() -> torch.Tensor:
    """The picture that `psp_256`'s `w_style` was computed from, `[1, 3, 256, 256]`."""
    return 5 * F.avg_pool2d(torch.tanh(value("style_image", (1, 3, 256, 256))), 15, 1, 7)


# Small models


def tiny_generator_config(**changes: Any) -> GeneratorConfig:
    """A 32 px generator with 8 w vectors of 16."""
    fields = {
        "z_dim": 16,
        "c_dim": 0,
        "w_dim": 16,
        "img_resolution": 32,
        "img_channels": 3,
        "mapping_layers": 2,
        "channels": (16, 12, 8, 8),
    }
    return GeneratorConfig(**{**fields, **changes})


def tiny_encoder_config(**changes: Any) -> EncoderConfig:
    """An encoder of 64 px pictures for `tiny_generator_config`."""
    fields = {
        "num_ws": 8,
        "w_dim": 16,
        "input_size": 64,
        "stage_channels": (16, 32, 48, 64),
        "stage_units": (1, 2, 2, 1),
        "style_channels": 16,
        "se_reduction": 4,
    }
    return EncoderConfig(**{**fields, **changes})


def tiny_generator(**changes: Any) -> Generator:
    config = tiny_generator_config(**changes)
    return Generator.from_state_dict(config, nvidia_state(config))


def tiny_encoder(**changes: Any) -> Encoder:
    config = tiny_encoder_config(**changes)
    state = {name.removeprefix("encoder."): tensor for name, tensor in psp_encoder_state(config).items()}
    state["latent_avg"] = psp_latent_avg(config.num_ws, config.w_dim)
    return Encoder.from_state_dict(config, state)


# Files


def write_tiny_native(folder: Path) -> tuple[Path, Path]:
    """`generator.safetensors` and `encoder.safetensors` that belong together."""
    generator, encoder = tiny_generator(), tiny_encoder()
    encoder.generator = generator.fingerprint()
    paths = folder / "generator.safetensors", folder / "encoder.safetensors"
    native.write(paths[0], generator=generator, source="tests", licence="MIT")
    native.write(paths[1], encoder=encoder, source="tests", licence="MIT")
    return paths


def write_psp(
    path: Path, state: State, latent_avg: torch.Tensor | None, opts: Any, zipped: bool = True
) -> Path:
    """A checkpoint as pSp's training writes it."""
    content: dict[str, Any] = {"state_dict": state, "opts": opts}
    if latent_avg is not None:
        content["latent_avg"] = latent_avg
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def write_tiny_psp(path: Path, **options: Any) -> Path:
    """A small pSp file, encoder and decoder; `options` replace those of `write_psp`."""
    state = psp_encoder_state(tiny_encoder_config()) | psp_decoder_state(tiny_generator_config())
    opts = {"encoder_type": "GradualStyleEncoder", "output_size": 32, "start_from_latent_avg": True}
    arguments: dict[str, Any] = {"state": state, "latent_avg": psp_latent_avg(8, 16), "opts": opts}
    return write_psp(path, **{**arguments, **options})


def write_nvidia(
    path: Path, state: State, attributes: dict[str, dict[str, Any]] | None = None, keys=("G", "D", "G_ema")
) -> Path:
    """A pickle of the structure that stylegan2-ada-pytorch writes.

    attributes: attributes by module name, "" for the generator itself, such as
        `{"synthesis.b4": {"architecture": "resnet"}}`.
    """
    attributes = attributes or {}
    other = nvidia_module({"b4.weight": value("D", (2, 2))}, {}, "Discriminator")
    networks = {key: nvidia_module(state, attributes) if key == "G_ema" else other for key in keys}
    content = {**networks, "training_set_kwargs": EasyDict({"path": "faces.zip"}), "augment_pipe": None}
    with path.open("wb") as file:
        Pickler(file, protocol=4).dump(content)
    return path


def nvidia_module(state: State, attributes: dict[str, dict[str, Any]], kind="Generator", prefix="") -> "Call":
    """A pickled module: a call of NVIDIA's persistence helper with the module's `__dict__`."""
    names = {name.split(".", 1)[0]: None for name in state if "." in name}
    children = {}
    for name in names:
        below = {key.split(".", 1)[1]: tensor for key, tensor in state.items() if key.startswith(f"{name}.")}
        children[name] = nvidia_module(below, attributes, "Layer", f"{prefix}{name}.")
    own = {name: tensor for name, tensor in state.items() if "." not in name}
    buffers = ("resample_filter", "noise_const", "w_avg")
    module = {
        "training": False,
        "_parameters": {
            k: torch.nn.Parameter(v, requires_grad=False) for k, v in own.items() if k not in buffers
        },
        "_buffers": {k: v for k, v in own.items() if k in buffers},
        "_non_persistent_buffers_set": set(),
        "_forward_hooks": {},
        "_modules": children,
        "weight_gain": np.float64(0.5),
        **attributes.get(prefix.rstrip("."), {}),
    }
    meta = {
        "type": "class",
        "version": 6,
        "module_src": "raise SystemExit",
        "class_name": kind,
        "state": module,
    }
    return Call(Name("torch_utils.persistence", "_reconstruct_persistent_obj"), (meta,))


class Name:
    """A global by name, which need not exist here."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def __call__(self) -> None:
        """The pickler asks for something that looks callable."""


class Call:
    """Pickles as a call of a global."""

    def __init__(self, function: Any, arguments: tuple):
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple:
        return self.function, self.arguments

    def __call__(self) -> None:
        """As for `Name`."""


class EasyDict(Call):
    """Pickles as NVIDIA's dictionary class."""

    def __init__(self, items: dict):
        super().__init__(Name("dnnlib.util", "EasyDict"), (items,))


class Pickler(pickle._Pickler):
    """Writes `Name` as a reference to a global without importing it."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_name(self, name: Name) -> None:
        self.save(name.module)
        self.save(name.name)
        self.write(pickle.STACK_GLOBAL)

    dispatch[Name] = save_name


def safetensors_bytes(header: dict[str, Any], data: bytes = b"") -> bytes:
    """A safetensors file from its parts."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


# Pictures with faces


def draw_avatars(count: int, seed: int = 3) -> list[Image.Image]:
    """Upright demo avatars, 256 pixels square."""
    attributes = sample_attributes(count, torch.Generator().manual_seed(seed))
    return [to_pil(image) for image in render(attributes, 256, with_regions=False).image]


def paste_avatar(
    avatar: Image.Image, size: tuple[int, int], centre: tuple[float, float], scale: float, angle: float
) -> tuple[Image.Image, Callable[[tuple[float, float]], tuple[float, float]]]:
    """A grey picture with the avatar in it, leaning by `angle` degrees clockwise, and where its points went."""
    cos, sin = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    middle = avatar.width / 2
    back = np.linalg.inv([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([back, middle - back @ centre]).flatten().tolist()
    where = Image.new("L", avatar.size, 255).transform(size, Image.Transform.AFFINE, matrix)
    pasted = avatar.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)

    def moved(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point[0] + 0.5 - middle, point[1] + 0.5 - middle
        return cos * x - sin * y + centre[0] - 0.5, sin * x + cos * y + centre[1] - 0.5

    return Image.composite(pasted, Image.new("RGB", size, (110, 130, 120)), where), moved
