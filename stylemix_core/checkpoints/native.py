"""Safetensors files: this project's own. State dicts of others with NVIDIA's tensor names, safetensors or not.

Generator tensors carry NVIDIA's names (`mapping.*`, `synthesis.*`; other packs may put one prefix before all of
them), encoder tensors pSp's (`encoder.*`, with the average as `encoder.latent_avg`); one file may hold both.
Metadata: `format` "stylemix", `version`, `config` (JSON: the fields of `GeneratorConfig` or `StyleGAN3Config`, and of
`EncoderConfig`), `num_ws`, `generator_fingerprint`, `source` (format and name of the file that was converted),
`source_sha256`, `licence`, `made`.
"""

import json
import os
from dataclasses import asdict
from typing import Any

import torch

from ..encoder import Encoder, EncoderConfig
from ..errors import CheckpointError, StyleMixError
from ..files.info import CheckpointInfo
from ..files.source import Source, below, parse_json, prefix_of
from ..files.stored import StoredTensor, shapes
from ..files.tensor_file import TensorFormat
from ..generator import Config, Generator
from ..generator.mapping import MAPPING_LR_MULTIPLIER
from . import stylegan3
from .base import Checkpoint, generator_facts
from .canonical import complete, refuse_arguments, with_lr_multiplier

FILE = TensorFormat("stylemix", "weights", version="1")
ENCODER = "encoder."
MARKS = ("synthesis.b4.const", stylegan3.MARK)
"""The tensors that every generator has, of StyleGAN2 and of StyleGAN3."""
OTHER = "superresolution."
"""How tensors of EG3D start, whose backbone has this tensor, too."""
KEPT_EXACT = ("encoder.latent_avg", "encoder.errors.factors")
"""Tensors that half-precision files keep in float32: small, and they centre and measure."""


def detect(source: Source) -> bool:
    """Whether the file has a generator under NVIDIA's names, or is a safetensors file with an encoder."""
    tensors, metadata = source.safetensors
    return (
        FILE.marks(metadata)
        or (
            prefix_of(source.tensors, *MARKS) is not None
            and not any(OTHER in name for name in source.tensors)
        )
        or f"{ENCODER}input_layer.0.weight" in tensors
        or f"{ENCODER}conv1.weight" in tensors
    )


def read(source: Source) -> Checkpoint:
    """What the file holds. `CheckpointError` when a tensor or a size does not fit."""
    tensors, metadata = source.tensors, source.safetensors[1]
    if FILE.marks(metadata):
        FILE.check_version(metadata)
    stored = parse_json(metadata.get("config"))
    encoder_tensors = below(ENCODER, tensors) if source.kind == "safetensors" else {}
    generator_tensors = {
        name: value
        for name, value in below(prefix_of(tensors, *MARKS) or "", tensors).items()
        if name.startswith(("mapping.", "synthesis."))
    }
    facts: dict[str, Any] = {}
    config, encoder = None, None
    averages = ("mapping.w_avg", "mapping.class_averages")
    averaged = any(name in generator_tensors for name in averages) or "latent_avg" in encoder_tensors
    if generator_tensors:
        config, generator_tensors = generator_of(
            generator_tensors, stored.get("generator"), init_arguments(metadata)
        )
        facts |= generator_facts(config)
    if encoder_tensors:
        encoder = encoder_config(stored.get("encoder"), encoder_tensors)
        facts |= {"num_ws": encoder.num_ws, "w_dim": encoder.w_dim}
    if config is None and encoder is None:
        raise CheckpointError(
            "the file says that it is StyleMix's, but holds neither a generator nor an encoder"
        )
    info = CheckpointInfo(
        path=str(source.path),
        format="StyleMix safetensors"
        if FILE.marks(metadata)
        else f"{'safetensors' if source.kind == 'safetensors' else 'PyTorch state dict'} with NVIDIA's names",
        contents=("generator",) * bool(generator_tensors) + ("encoder",) * bool(encoder_tensors),
        has_w_avg=averaged,
        encoder=encoder.name if encoder else None,
        encoder_input=(encoder.picture_nc, encoder.input_size) if encoder else None,
        generator_fingerprint=metadata.get("generator_fingerprint"),
        licence=metadata.get("licence"),
        made=metadata.get("made"),
        **facts,
    )
    return Checkpoint(
        info,
        generator=config,
        generator_tensors=generator_tensors,
        encoder=encoder,
        encoder_tensors=encoder_tensors,
    )


def write(
    path: str | os.PathLike[str],
    generator: Generator | None = None,
    encoder: Encoder | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    source: str = "",
    source_sha256: str = "",
    licence: str = "",
    made: str = "",
) -> None:
    """Write a generator, an encoder or both into one safetensors file.

    dtype: `torch.float16` halves the size: weights are rounded; biases, averages and norms stay float32.
    An encoder that refines its codes (ReStyle) is written with its generator.
    source: where the weights come from. source_sha256: checksum of that file. licence: the terms they are under.
    made: how an encoder was trained, and how good it is, in sentences.
    The file appears under its name when it is complete. `StyleMixError` when there is nothing to write,
    and when the encoder refines its codes with another generator than the one given.
    """
    if generator is None and encoder is None:
        raise StyleMixError("there is nothing to write; give a generator, an encoder or both")
    if encoder is not None and encoder.decoder is not None:
        generator = generator or encoder.decoder
        if generator.fingerprint() != encoder.decoder.fingerprint():
            raise StyleMixError(
                "this encoder refines its codes with another generator than the one given; write it with its own, or "
                "the generator into a file of its own"
            )
    if dtype not in (torch.float32, torch.float16):
        raise StyleMixError(f"dtype {dtype} is not supported in files; choose torch.float32 or torch.float16")
    tensors: dict[str, torch.Tensor] = {}
    config: dict[str, Any] = {}
    fingerprint, num_ws = None, 0
    if generator is not None:
        tensors |= generator.state_dict()
        config["generator"] = asdict(generator.config)
        fingerprint, num_ws = generator.fingerprint(), generator.num_ws
    if encoder is not None:
        tensors |= {
            ENCODER + name: tensor
            for name, tensor in encoder.state_dict().items()
            if not name.startswith("decoder.")  # written above, under the generator's names
        }
        config["encoder"] = asdict(encoder.config)
        fingerprint, num_ws = fingerprint or encoder.generator, encoder.num_ws
    metadata = {
        "config": json.dumps(config),
        "num_ws": str(num_ws),
        "generator_fingerprint": fingerprint or None,
        "source": source or None,
        "source_sha256": source_sha256 or None,
        "licence": licence or None,
        "made": made or None,
    }
    FILE.save(path, {name: rounded(name, tensor, dtype) for name, tensor in tensors.items()}, metadata)


def rounded(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A tensor as a file of weights of `dtype` stores it, on the CPU."""
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor
    if name in KEPT_EXACT or tensor.ndim < 2:
        return tensor.float()
    stored = tensor.to(dtype)
    # A weight beyond float16's range stays as it is.
    return stored if stored.isfinite().all() else tensor.float()


def generator_of(
    tensors: dict[str, StoredTensor], stored: Any, arguments: dict[str, Any]
) -> tuple[Config, dict[str, StoredTensor]]:
    """The generator's configuration and its completed tensors.

    stored: the configuration as this package's files hold it, else None. arguments: of the constructor, where known.
    """
    tensors = as_constructed(tensors, arguments)
    if stylegan3.MARK in tensors:
        tensors = stylegan3.completed(tensors)
        if isinstance(stored, dict):
            config = stylegan3.from_metadata(stored)
        else:
            config = stylegan3.from_names(tensors, arguments)
        return config, stylegan3.with_average(config, tensors)
    clamp = (stored or arguments).get("conv_clamp")
    return complete(tensors, float(clamp) if isinstance(clamp, int | float) else None)


def encoder_config(stored: Any, tensors: dict[str, StoredTensor]) -> EncoderConfig:
    """As stored, after a check that it is not larger than the tensors; else read off the shapes."""
    if not isinstance(stored, dict):
        return EncoderConfig.from_shapes(shapes(tensors))
    config = EncoderConfig(**stored)
    unit = ".conv1.weight" if config.traits.body == "resnet34" else ".res_layer.1.weight"
    units = sum(name.startswith("body.") and name.endswith(unit) for name in tensors)
    heads = sum(name.startswith("styles.") and name.endswith(".linear.weight") for name in tensors)
    announced = config.num_ws if config.traits.heads in ("pyramid", "last") else 0
    if (sum(config.stage_units), announced) != (units, heads) or config.input_size > 4096:
        raise CheckpointError(
            f"the metadata announces an encoder of {sum(config.stage_units)} residual units and {announced} "
            f"style heads, the file holds {units} and {heads}"
        )
    return config


def init_arguments(metadata: dict[str, str]) -> dict[str, Any]:
    """The constructor arguments that other packs store, those of mapping and synthesis among them."""
    arguments = parse_json(metadata.get("init_kwargs"))
    parts = [arguments.get(f"{part}_kwargs") for part in ("mapping", "synthesis")]
    mapping, synthesis = (part if isinstance(part, dict) else {} for part in parts)
    renamed = {f"mapping_{name}": value for name, value in mapping.items()}
    return {**arguments, **renamed, **synthesis}


def as_constructed(tensors: dict[str, StoredTensor], arguments: dict[str, Any]) -> dict[str, StoredTensor]:
    """The tensors with what only the constructor's arguments tell expressed in them, or refused."""
    refuse_arguments(arguments, "resample_filter", "activation", "mapping_activation")
    multiplier = arguments.get("mapping_lr_multiplier", MAPPING_LR_MULTIPLIER)
    return {
        name: with_lr_multiplier(tensor, multiplier) if name.startswith("mapping.fc") else tensor
        for name, tensor in tensors.items()
    }
