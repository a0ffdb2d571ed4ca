"""Safetensors files: this project's own, and those of others with NVIDIA's tensor names.

Generator tensors carry NVIDIA's names (`mapping.*`, `synthesis.*`), encoder tensors pSp's (`encoder.*`, with
the average as `encoder.latent_avg`); one file may hold both. Metadata: `format` "stylemix", `version`,
`config` (JSON: the fields of `GeneratorConfig` and `EncoderConfig`), `num_ws`, `generator_fingerprint`,
`source` (format and name of the file that was converted), `source_sha256`, `licence`.
"""

import json
import os
from dataclasses import asdict
from typing import Any

import torch
from safetensors.torch import save_file

from ..encoder import Encoder, EncoderConfig
from ..errors import CheckpointError, StyleMixError
from ..files import replacing
from ..generator import Generator, GeneratorConfig
from .base import Checkpoint, CheckpointInfo, StoredTensor, generator_facts, sampled_w_avg, shapes
from .source import Source, parse_json

VERSION = "1"
ENCODER = "encoder."
KEPT_EXACT = ("encoder.latent_avg",)
"""Tensors that half-precision files keep in float32: small, and they centre a model."""


def detect(source: Source) -> bool:
    """Whether the file is a safetensors file with a generator or an encoder in it."""
    tensors, metadata = source.safetensors
    return (
        metadata.get("format") == "stylemix"
        or "synthesis.b4.const" in tensors
        or f"{ENCODER}input_layer.0.weight" in tensors
        or f"{ENCODER}conv1.weight" in tensors
    )


def read(source: Source) -> Checkpoint:
    """What the file holds. `CheckpointError` when a tensor or a size does not fit."""
    tensors, metadata = source.safetensors
    if metadata.get("format") == "stylemix" and metadata.get("version") != VERSION:
        raise CheckpointError(
            f"the file is of version {metadata.get('version')} of this format, this program reads version "
            f"{VERSION}; update StyleMix"
        )
    stored = parse_json(metadata.get("config"))
    encoder_tensors = {
        name.removeprefix(ENCODER): value for name, value in tensors.items() if name.startswith(ENCODER)
    }
    generator_tensors = {
        name: value for name, value in tensors.items() if name.startswith(("mapping.", "synthesis."))
    }
    facts: dict[str, Any] = {}
    config, encoder = None, None
    averaged = "mapping.w_avg" in generator_tensors or "latent_avg" in encoder_tensors
    if generator_tensors:
        config = GeneratorConfig.from_shapes(
            shapes(generator_tensors), conv_clamp=conv_clamp(stored, metadata)
        )
        facts |= generator_facts(config)
        if "mapping.w_avg" not in generator_tensors:
            generator_tensors["mapping.w_avg"] = sampled_w_avg(config, generator_tensors)
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
        if metadata.get("format") == "stylemix"
        else "safetensors with NVIDIA's names",
        contents=("generator",) * bool(generator_tensors) + ("encoder",) * bool(encoder_tensors),
        has_w_avg=averaged,
        encoder=encoder.name if encoder else None,
        encoder_input=(encoder.picture_nc, encoder.input_size) if encoder else None,
        generator_fingerprint=metadata.get("generator_fingerprint"),
        licence=metadata.get("licence"),
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
    path: str | os.PathLike,
    generator: Generator | None = None,
    encoder: Encoder | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    source: str = "",
    source_sha256: str = "",
    licence: str = "",
) -> None:
    """Write a generator, an encoder or both into one safetensors file.

    dtype: `torch.float16` halves the size: weights are rounded; biases, averages and norms stay float32.
    An encoder that refines its codes (ReStyle) is written with its generator.
    source: where the weights come from. source_sha256: checksum of that file. licence: the terms they are under.
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
        "format": "stylemix",
        "version": VERSION,
        "config": json.dumps(config),
        "num_ws": str(num_ws),
        "generator_fingerprint": fingerprint or "",
        "source": source,
        "source_sha256": source_sha256,
        "licence": licence,
    }
    stored = {name: storable(name, tensor, dtype) for name, tensor in tensors.items()}
    with replacing(path) as partial:
        save_file(stored, partial, metadata={key: value for key, value in metadata.items() if value})


def storable(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        exact = name in KEPT_EXACT or tensor.ndim < 2
        rounded = tensor.float() if exact else tensor.to(dtype)
        # A weight beyond float16's range stays as it is.
        tensor = rounded if exact or rounded.isfinite().all() else tensor.float()
    return tensor.clone(memory_format=torch.contiguous_format)


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


def conv_clamp(stored: dict[str, Any], metadata: dict[str, str]) -> float | None:
    """From this project's configuration, or from the constructor arguments that other packs store."""
    arguments = parse_json(metadata.get("init_kwargs"))
    for holder in (stored.get("generator"), arguments.get("synthesis_kwargs"), arguments):
        if isinstance(holder, dict) and isinstance(holder.get("conv_clamp"), int | float):
            return float(holder["conv_clamp"])
    return None
