"""The files that this package writes beside models: W+ codes, directions, tunings. They are described here, not read.

A new kind of them is a `Kind` in `KINDS`; what holds it in memory saves and loads it through `Kind.file`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..encoder.config import MAX_WS
from ..errors import CheckpointError
from ..files.info import CheckpointInfo
from ..files.source import Source, parse_json
from ..files.stored import Tensors
from ..files.tensor_file import TensorFormat
from ..generator.fingerprint import picture_shape
from ..wording import counted
from .base import Checkpoint

Described = tuple[str, dict[str, Any]]
"""What a file holds, as the start of a sentence, and fields of its `CheckpointInfo`."""


@dataclass(frozen=True)
class Kind:
    """One kind of these files."""

    file: TensorFormat
    contents: str
    """As `CheckpointInfo.contents` has it."""
    format: str
    """As `CheckpointInfo.format` has it."""
    is_a: str
    """What to say where a model was expected, as the rest of a sentence that starts with "it is"."""
    use: str
    """What the file is good for, as the rest of a sentence that starts with "use it as"."""
    describe: Callable[[Tensors, Mapping[str, str]], Described]
    """From tensors and metadata. `KeyError` and `ValueError` where these are not such a file's."""


def describe_codes(tensors: Tensors, metadata: Mapping[str, str]) -> Described:
    """How many codes of which size."""
    *batch, num_ws, w_dim = tensors["w"].shape
    if num_ws > MAX_WS:
        raise ValueError(f"its codes have {num_ws} layers")
    found = f"{counted(batch[0] if batch else 1, 'W+ code')} of {num_ws} w vectors of {w_dim}"
    return found, {"num_ws": num_ws, "w_dim": w_dim}


def describe_directions(tensors: Tensors, metadata: Mapping[str, str]) -> Described:
    """How many directions, by which method, and their names."""
    count, *layers, width = tensors["vectors"].shape
    space = metadata.get("space", "W")[:10]
    known = {"num_ws": layers[-1]} if layers else {}
    if "layers" in tensors:
        known = {"num_ws": tensors["layers"].shape[0]}
    names = parse_json(f'{{"names": {metadata.get("names", "[]")}}}').get("names")
    listed = ", ".join(str(name)[:40] for name in names[:10]) if isinstance(names, list) else ""
    method = metadata.get("method", "an unknown method")[:40]
    by = "learnt from examples" if method == "learnt" else f"by {method}"
    found = f"{counted(count, 'direction')} {by} in {space} of {width} numbers ({listed})"
    return found, known | ({"w_dim": width} if space == "W" else {})


def describe_tuning(tensors: Tensors, metadata: Mapping[str, str]) -> Described:
    """How many of the generator's tensors it changes."""
    return f"changes of {counted(len(tensors), 'tensor')} of a generator", {}


OTHERS = ", or another tool's .npy, .npz or .pt"

CODES = Kind(
    TensorFormat("stylemix.latents", "W+ codes", version="2", older=("1",), foreign="w", others=OTHERS),
    contents="codes",
    format="W+ codes",
    is_a="a file of W+ codes, not a model; use it as a source or a style",
    use="a source or a style",
    describe=describe_codes,
)
"""Files with more than the tensor `w` are of version 2, those with `w` alone of version 1."""
DIRECTIONS = Kind(
    TensorFormat("stylemix.directions", "directions", version="2", older=("1",), others=OTHERS),
    contents="directions",
    format="Directions",
    is_a="a file of directions, not a model; apply them to codes",
    use="directions for codes of that generator",
    describe=describe_directions,
)
TUNING = Kind(
    TensorFormat("stylemix.delta", "tuning of a generator", version="1"),
    contents="tuning",
    format="Tuning",
    is_a="the tuning of a generator; apply it to the generator that was tuned",
    use="a tuning on top of that generator",
    describe=describe_tuning,
)
KINDS = (CODES, DIRECTIONS, TUNING)


def kind_of(tensors: Tensors, metadata: Mapping[str, str]) -> Kind | None:
    """Which of these a file says that it is; W+ codes where it holds such and nothing else."""
    for kind in KINDS:
        if kind.file.marks(metadata):
            return kind
    return CODES if [*tensors] == ["w"] and len(tensors["w"].shape) in (2, 3) else None


def detect(source: Source) -> bool:
    """Whether the file is one of these."""
    return kind_of(*source.safetensors) is not None


def read(source: Source) -> Checkpoint:
    """What the file is, from its header. `CheckpointError` when it misses a tensor."""
    tensors, metadata = source.safetensors
    kind = kind_of(tensors, metadata) or CODES
    try:
        found, facts = kind.describe(tensors, metadata)
    except (KeyError, ValueError) as error:
        reason = f"it lacks the tensor {error}" if isinstance(error, KeyError) else error
        raise CheckpointError(f"the file seems to be {kind.is_a}, but is damaged ({reason})") from None
    generator = metadata.get("generator") or metadata.get("generator_fingerprint")
    whose = "an unknown generator"
    if generator is not None:
        whose = f"the generator with the fingerprint {generator[:60]}"
        if kind is CODES:
            height, width = picture_shape(facts["num_ws"], generator)
            whose += f", which draws {width}×{height} pictures"
    info = CheckpointInfo(
        path=str(source.path),
        format=kind.format,
        contents=(kind.contents,),
        generator_fingerprint=generator,
        beside=f"{found}, for {whose}. Use it as {kind.use}.",
        **facts,
    )
    described = f"the file holds no model: it is {kind.is_a}"
    return Checkpoint(info, refusals={"generator": described, "encoder": described})
