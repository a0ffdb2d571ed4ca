"""Models and checkpoint files for the tests, made on the spot.

Weights follow a formula of their names (`value`), so that numbers which the original implementations
computed from the same formula can be held against this project's.
"""

import json
import math
import pickle
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from stylemix_core.checkpoints import native
from stylemix_core.demo.renderer import render, sample_attributes
from stylemix_core.encoder import Encoder, EncoderConfig
from stylemix_core.generator import Generator, GeneratorConfig, StyleGAN2
from stylemix_core.generator.stylegan2.ops import fir_filter
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
PSP_32_DECODER = GeneratorConfig(
    z_dim=512,
    c_dim=0,
    w_dim=512,
    img_resolution=32,
    img_channels=3,
    mapping_layers=8,
    channels=(512, 512, 512, 512),
)
PSP_256_DECODER = GeneratorConfig(
    z_dim=512,
    c_dim=0,
    w_dim=512,
    img_resolution=256,
    img_channels=3,
    mapping_layers=8,
    channels=(512, 512, 512, 512, 512, 256, 128),
)


def small(**changes: Any) -> GeneratorConfig:
    """A 32 px generator with 8 w vectors of 16 that is not like the published ones; see `ORIGINALS`."""
    fields: dict[str, Any] = {
        "z_dim": 12,
        "c_dim": 0,
        "w_dim": 16,
        "img_resolution": 32,
        "img_channels": 3,
        "mapping_layers": 2,
        "channels": (20, 20, 20, 12),
    }
    return GeneratorConfig(**{**fields, **changes})


ORIGINALS = {
    "skip_labels_rgba": small(c_dim=3, img_channels=4, conv_clamp=256.0),
    "resnet": small(architecture="resnet"),
    "resnet_clamp_labels_rgba": small(architecture="resnet", conv_clamp=1.0, c_dim=3, img_channels=4),
    "resnet_8px": small(architecture="resnet", img_resolution=8, channels=(20, 20), mapping_layers=8),
    "orig_grey": small(architecture="orig", img_channels=1, mapping_layers=3),
    "orig_labels": small(architecture="orig", c_dim=3, conv_clamp=256.0),
    "orig_no_noise": small(architecture="orig", img_channels=1),
    "skip_4px": small(img_resolution=4, channels=(20,)),
    "skip_wide_mapping": small(c_dim=2, mapping_layers=3, mapping_width=24, embed_width=10, conv_clamp=256.0),
    "stylegan3_skip": small(mapping_layers=8, conv_clamp=256.0),
    "stylegan3_resnet_labels": small(architecture="resnet", c_dim=3, conv_clamp=256.0),
    "stylegan3_orig_grey": small(architecture="orig", img_channels=1, conv_clamp=256.0),
}
"""Networks whose numbers the originals gave: the classes of the stylegan3 repository where the name says so, of
stylegan2-ada-pytorch elsewhere, on CPU in float32, with the weights of `nvidia_state`. "skip_wide_mapping" has a
mapping learning rate multiplier of 0.03, "orig_no_noise" was built with use_noise=False. In
`originals_expected.npz` are, by `{name}/`: `w` `[2, w_dim]`, of z = RandomState(7).randn(2, z_dim) and the labels 1
and 0; `w_truncated`, W+ with truncation 0.7 of the first two layers; and `image`, drawn from the first of these with
constant noise."""
WIDE_MAPPING_LR_MULTIPLIER = 0.03


def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal numbers that depend on nothing but the name and the shape."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return torch.from_numpy(np.asarray(random.standard_normal(shape, dtype=np.float32)))


def expected(name: str) -> dict[str, torch.Tensor]:
    """Numbers of the originals: "ada_uncond32", "psp_256", "originals" (generators) or "encoders"."""
    with np.load(Path(__file__).parent / "data" / f"{name}_expected.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


# Weights by the formula


def nvidia_state(config: GeneratorConfig) -> State:
    """A generator's weights by the formula, under NVIDIA's names."""
    shapes = {name: tuple(tensor.shape) for name, tensor in StyleGAN2(config).state_dict().items()}
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


def rosinality_state(state: State) -> State:
    """A generator's weights under rosinality's names, without its average w."""
    changes = {
        "weight": ("conv.weight", lambda x: x[None]),
        "bias": ("activate.bias", lambda x: x),
        "affine.weight": ("conv.modulation.weight", lambda x: x),
        "affine.bias": ("conv.modulation.bias", lambda x: x),
        "noise_strength": ("noise.weight", lambda x: x.reshape(1)),
        "resample_filter": ("conv.blur.kernel", lambda x: 4 * x),
    }
    renamed: State = {}
    for name, x in state.items():
        part, place, *rest = name.split(".")
        level = int(place[1:]).bit_length() - 3 if part == "synthesis" else 0  # 0 at 4 px
        match rest:
            case [kind] if part == "mapping":
                renamed[f"style.{int(place[2:]) + 1}.{kind}"] = x
            case ["const"]:
                renamed["input.input"] = x[None]
            case ["resample_filter"] if level:
                renamed[f"to_rgbs.{level - 1}.upsample.kernel"] = 4 * x
            case ["torgb", "bias"]:
                renamed[f"to_rgbs.{level - 1}.bias" if level else "to_rgb1.bias"] = x[None, :, None, None]
            case [layer, *kind] if kind and (layer, *kind) != ("conv1", "resample_filter"):
                index = 2 * level - (layer == "conv0")  # of the convolution, as of its noise
                if kind == ["noise_const"]:
                    renamed[f"noises.noise_{index}"] = x[None, None]
                    continue
                to = (f"convs.{index - 1}", f"to_rgbs.{level - 1}") if level else ("conv1", "to_rgb1")
                new, change = changes[".".join(kind)]
                renamed[f"{to[layer == 'torgb']}.{new}"] = change(x)
    return renamed


def tensorflow_variables(state: State) -> dict[str, dict[str, Any]]:
    """A generator's weights as NVIDIA's TensorFlow networks name and lay them out: of "", "mapping", "synthesis"."""
    variables: dict[str, dict[str, Any]] = {"": {"lod": np.float32(0)}, "mapping": {}, "synthesis": {}}
    names = {"conv0": "Conv0_up", "conv1": "Conv1", "torgb": "ToRGB", "skip": "Skip"}
    for name, tensor in state.items():
        part, place, *rest = name.split(".")
        kind = ".".join(rest)
        x = tensor.numpy()
        if kind.endswith("resample_filter"):
            continue
        if place == "w_avg":
            variables[""]["dlatent_avg"] = x
        elif part == "mapping":
            embedding = "LabelEmbed" if "mapping.embed.bias" in state else "LabelConcat"
            layer = embedding if place == "embed" else f"Dense{place[2:]}"
            variables[part][f"{layer}/{kind}"] = np.ascontiguousarray(x.T)
        elif kind == "const":
            variables[part]["4x4/Const/const"] = x[None]
        else:
            resolution = int(place[1:])
            layer, kind = kind.split(".", 1)
            scope = f"{resolution}x{resolution}/" + ("Conv" if place + layer == "b4conv1" else names[layer])
            if kind == "noise_const":
                index = 2 * int(np.log2(resolution)) - (5 if layer == "conv0" else 4)
                variables[part][f"noise{index}"] = x[None, None]
            elif kind == "weight":
                mirrored = x[:, :, ::-1, ::-1] if layer in ("conv0", "skip") else x
                variables[part][f"{scope}/weight"] = np.ascontiguousarray(mirrored.transpose(2, 3, 1, 0))
            elif kind == "affine.weight":
                variables[part][f"{scope}/mod_weight"] = np.ascontiguousarray(x.T)
            elif kind == "affine.bias":
                variables[part][f"{scope}/mod_bias"] = x - 1
            else:
                variables[part][f"{scope}/{kind}"] = np.float32(x) if x.ndim == 0 else x
    return variables


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


def reference_encoder(config: EncoderConfig, decoder: Generator | None = None) -> Encoder:
    """An encoder by the formula as in `encoders_expected.npz`; ReStyle's take small steps, as trained ones do."""
    state = {name.removeprefix("encoder."): tensor for name, tensor in psp_encoder_state(config).items()}
    if config.iterative:
        state = {k: 0.1 * v if k.endswith("linear.weight") else v for k, v in state.items()}
    state["latent_avg"] = psp_latent_avg(config.num_ws, config.w_dim)
    return Encoder.from_state_dict(config, state, decoder)


def psp_decoder_state(config: GeneratorConfig) -> State:
    """A generator's weights by the formula, under rosinality's names with the prefix `decoder.`."""
    with torch.device("meta"):
        names = rosinality_state(StyleGAN2(config).state_dict())
    return {
        f"decoder.{name}": psp_decoder_value(f"decoder.{name}", tuple(x.shape)) for name, x in names.items()
    }


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
    """The picture that `psp_256`'s `w_style` and all of `encoders` were computed from, `[1, 3, 256, 256]`."""
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
    return StyleGAN2.from_state_dict(config, nvidia_state(config))


def tiny_encoder(decoder: Generator | None = None, **changes: Any) -> Encoder:
    config = tiny_encoder_config(**changes)
    state = {name.removeprefix("encoder."): tensor for name, tensor in psp_encoder_state(config).items()}
    state["latent_avg"] = psp_latent_avg(config.num_ws, config.w_dim)
    if config.iterative and decoder is None:
        decoder = tiny_generator()
    return Encoder.from_state_dict(config, state, decoder)


def tiny_arcface_state(size: int = 24) -> State:
    """The tensors of `model_ir_se50.pth`, few and narrow, by the formula: the body of `tiny_encoder` and a head."""
    width, side = 64, 7
    shapes = {
        "0.weight": (width,),
        "0.bias": (width,),
        "0.running_mean": (width,),
        "0.running_var": (width,),
        "3.weight": (size, width * side**2),
        "3.bias": (size,),
        "4.weight": (size,),
        "4.bias": (size,),
        "4.running_mean": (size,),
        "4.running_var": (size,),
    }
    body = {
        name.removeprefix("encoder."): tensor
        for name, tensor in psp_encoder_state(tiny_encoder_config()).items()
        if name.startswith(("encoder.input_layer.", "encoder.body."))
        and not name.endswith("num_batches_tracked")
    }
    head = {f"output_layer.{name}": psp_encoder_value(name, shape) for name, shape in shapes.items()}
    return body | head


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


def write_tiny_psp(path: Path, config: EncoderConfig | None = None, **options: Any) -> Path:
    """A small file of pSp, e4e or ReStyle, encoder and decoder; `options` replace those of `write_psp`.

    config: of the encoder, `tiny_encoder_config()` by default.
    """
    config = config or tiny_encoder_config()
    state = psp_encoder_state(config) | psp_decoder_state(tiny_generator_config())
    opts = {"encoder_type": config.kind, "output_size": 32, "start_from_latent_avg": True}
    arguments: dict[str, Any] = {"state": state, "latent_avg": psp_latent_avg(8, 16), "opts": opts}
    return write_psp(path, **{**arguments, **options})


def write_unknown_kind(path: Path, kind: str) -> Path:
    """A small pSp file whose encoder has a tensor that no known one has."""
    state = psp_encoder_state(tiny_encoder_config()) | psp_decoder_state(tiny_generator_config())
    state["encoder.extra.weight"] = torch.zeros(2)
    return write_tiny_psp(path, state=state, opts={"encoder_type": kind})


def write_nvidia(
    path: Path,
    state: State,
    attributes: dict[str, dict[str, Any]] | None = None,
    keys: Sequence[str] = ("G", "D", "G_ema"),
    by_name: "Mapping[str, Name]" = MappingProxyType({}),
) -> Path:
    """A pickle of the structure that stylegan2-ada-pytorch writes.

    attributes: attributes by module name, "" for the generator itself, such as
        `{"synthesis.b4": {"architecture": "resnet"}}`. by_name: as for `nvidia_module`.
    """
    attributes = attributes or {}
    other = nvidia_module({"b4.weight": value("D", (2, 2))}, {}, "Discriminator")
    average = nvidia_module(state, attributes, by_name=by_name)
    networks = {key: average if key == "G_ema" else other for key in keys}
    content = {**networks, "training_set_kwargs": EasyDict({"path": "faces.zip"}), "augment_pipe": None}
    with path.open("wb") as file:
        Pickler(file, protocol=4).dump(content)
    return path


def write_tensorflow(
    path: Path,
    state: State,
    protocol: int = 3,
    version: int = 4,
    functions=("G_main", "G_synthesis"),
    **arguments,
) -> Path:
    """A pickle `(G, D, Gs)` of the structure that NVIDIA's TensorFlow tools write; G and D are others.

    functions: how the generator and its synthesis are built. arguments: constructor arguments of `Gs`.
    """
    variables = tensorflow_variables(state)
    static = {"mapping": {}, "synthesis": {}, "": EasyDict(arguments)}

    def network(name: str, function: str, components: dict[str, Any], held: dict[str, Any]) -> Call:
        fields = {
            "version": version,
            "name": name or "Gs",
            "static_kwargs": static[name],
            "components": components,
            "build_module_src": "raise SystemExit",
            "build_func_name": function,
            "variables": list(held.items()),
        }
        return Call(Name("dnnlib.tflib.network", "Network"), (), fields)

    parts = {
        name: network(name, function, {}, variables[name])
        for name, function in (("synthesis", functions[1]), ("mapping", "G_mapping"))
    }
    average = network("", functions[0], parts, variables[""])
    other = network("", functions[0], {}, {"dlatent_avg": np.zeros(4, np.float32)})
    discriminator = network("", "D_stylegan2", {}, {"4x4/Conv/weight": np.zeros((3, 3, 4, 4), np.float32)})
    with path.open("wb") as file:
        Pickler(file, protocol).dump((other, discriminator, average))
    return path


BUFFERS = (
    *("resample_filter", "noise_const", "w_avg"),
    *("transform", "freqs", "phases", "magnitude_ema", "up_filter", "down_filter"),
)
"""Of NVIDIA's modules; all other tensors are parameters."""


def nvidia_module(
    state: State,
    attributes: dict[str, dict[str, Any]],
    kind: str = "Generator",
    prefix: str = "",
    by_name: "Mapping[str, Name]" = MappingProxyType({}),
) -> "Call":
    """A pickled module: a call of NVIDIA's persistence helper with the module's `__dict__`.

    by_name: the classes of modules that are pickled by their classes' names.
    """
    names = {name.split(".", 1)[0]: None for name in state if "." in name}
    children = {}
    for name in names:
        below = {key.split(".", 1)[1]: tensor for key, tensor in state.items() if key.startswith(f"{name}.")}
        children[name] = nvidia_module(below, attributes, "Layer", f"{prefix}{name}.", by_name)
    own = {name: tensor for name, tensor in state.items() if "." not in name}
    module = {
        "training": False,
        "_parameters": {
            k: torch.nn.Parameter(v, requires_grad=False) for k, v in own.items() if k not in BUFFERS
        },
        "_buffers": {k: v for k, v in own.items() if k in BUFFERS},
        "_non_persistent_buffers_set": set(),
        "_forward_hooks": {},
        "_modules": children,
        "weight_gain": np.float64(0.5),
        **attributes.get(prefix.rstrip("."), {}),
    }
    if prefix.rstrip(".") in by_name:
        return Call(by_name[prefix.rstrip(".")], (), module)
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
    """Pickles as a call of a global, and the state that what it returns is given."""

    def __init__(self, function: Any, arguments: tuple, state: Any = None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple:
        return self.reduced

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
        if self.proto < 4:
            self.write(pickle.GLOBAL + f"{name.module}\n{name.name}\n".encode())
            return
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


def moving_avatar(count: int) -> np.ndarray:
    """Frames uint8 `[count, 320, 400, 3]` of an avatar that moves before a still wall."""
    avatar = np.asarray(draw_avatars(2)[1])
    wall = np.tile(np.linspace(40, 160, 400, dtype=np.uint8)[None, :, None], (320, 1, 3))
    frames = np.repeat(wall[None], count, 0)
    for number, frame in enumerate(frames):
        frame[20 + number : 276 + number, 60 + 3 * number : 316 + 3 * number] = avatar
    return frames


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


# Colour profiles

SRGB_TO_XYZ = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
P3_TO_XYZ = np.array([[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]])
"""Linear RGB to XYZ at white D50, as the profiles of sRGB and Display P3 have it."""


def colour_profile(to_xyz: np.ndarray, gamma: float) -> bytes:
    """An ICC profile, version 2, of three primaries and one gamma (ICC.1:2001-04)."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)

    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
    name = b"a test\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78 + 8),
        b"cprt": b"text" + bytes(4) + b"none\0\0\0\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249),
        **{b"rgb"[i : i + 1] + b"XYZ": b"XYZ " + bytes(4) + fixed(*to_xyz[:, i]) for i in range(3)},
        **{b"rgb"[i : i + 1] + b"TRC": curve for i in range(3)},
    }
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s", start + len(data), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + fixed(0.9642, 1, 0.8249) + bytes(48) + table + data
