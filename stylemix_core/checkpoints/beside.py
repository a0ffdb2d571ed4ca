"""Files that this package writes beside models: W+ codes, directions, tunings. Here they are described, not read."""

from typing import Any

from ..encoder.config import MAX_WS
from ..errors import CheckpointError
from ..files.info import CheckpointInfo
from ..files.source import Source, parse_json
from ..generator.fingerprint import picture_shape
from ..wording import counted
from .base import Checkpoint
from .describe import OWN

USE = {
    "codes": "a source or a style",
    "directions": "directions for codes of that generator",
    "tuning": "a tuning on top of that generator",
}


def detect(source: Source) -> bool:
    """Whether the file says that it is one of these, or holds W+ codes and nothing else."""
    tensors, metadata = source.safetensors
    return metadata.get("format") in OWN or ([*tensors] == ["w"] and len(tensors["w"].shape) in (2, 3))


def read(source: Source) -> Checkpoint:
    """What the file is, from its header. `CheckpointError` when a tensor lacks."""
    tensors, metadata = source.safetensors
    format = metadata.get("format", "")
    said = OWN.get(format, OWN["stylemix.latents"])
    facts: dict[str, Any]
    try:
        if format == "stylemix.directions":
            (count, w_dim), (num_ws,) = tensors["vectors"].shape, tensors["layers"].shape
            names = parse_json(f'{{"names": {metadata.get("names", "[]")}}}').get("names")
            listed = ", ".join(str(name)[:40] for name in names[:10]) if isinstance(names, list) else ""
            contents, facts = "directions", {"num_ws": num_ws, "w_dim": w_dim}
            method = metadata.get("method", "an unknown method")[:40]
            found = f"{counted(count, 'direction')} by {method} in W of {w_dim} numbers ({listed})"
        elif format == "stylemix.delta":
            contents, facts = "tuning", {}
            found = f"changes of {counted(len(tensors), 'tensor')} of a generator"
        else:
            *batch, num_ws, w_dim = tensors["w"].shape
            if num_ws > MAX_WS:
                raise ValueError(f"its codes have {num_ws} layers")
            contents, facts = "codes", {"num_ws": num_ws, "w_dim": w_dim}
            found = f"{counted(batch[0] if batch else 1, 'W+ code')} of {num_ws} w vectors of {w_dim}"
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"the file seems to be {said}, but is damaged ({error})") from None
    generator = metadata.get("generator") or metadata.get("generator_fingerprint")
    whose = (
        "an unknown generator"
        if generator is None
        else f"the generator with the fingerprint {generator[:60]}"
    )
    if contents == "codes" and generator is not None:
        height, width = picture_shape(num_ws, generator)
        whose += f", which draws {width}×{height} pictures"
    info = CheckpointInfo(
        path=str(source.path),
        format={"codes": "W+ codes", "directions": "Directions", "tuning": "Tuning"}[contents],
        contents=(contents,),
        generator_fingerprint=generator,
        beside=f"{found}, for {whose}. Use it as {USE[contents]}.",
        **facts,
    )
    described = f"the file holds no model: it is {said}"
    return Checkpoint(info, refusals={"generator": described, "encoder": described})
