"""Files of directions, of this package and of other tools."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from ..checkpoints import what_is
from ..checkpoints.own_files import DIRECTIONS
from ..errors import StyleMixError
from ..files.arrays import write_arrays
from ..files.damage import DAMAGE
from ..files.endings import ARRAYS
from ..files.source import Source
from ..files.tensor_file import header
from ..generator import Generator
from .derived_directions import carried_to_w
from .directions import Confidence, Directions
from .foreign import read_foreign
from .foreign_directions import may_hold_directions, read_directions

MOST_EXAMPLES = 100_000
"""Faces that a learnt direction may name."""
TENSORS = ("vectors", "units")
MORE_TENSORS = ("shares", "layers", "mean")
"""Those fields of `Directions` that files keep as tensors; the latter where they are known."""


def save_directions(
    path: str | os.PathLike[str], directions: Directions, extra: Mapping[str, str] | None = None
) -> None:
    """Write directions as safetensors, names and provenance in the metadata. The file appears complete or not at all.

    For other tools, `.npz` writes those in W as GANSpace does (`lat_comp`, `lat_stdev`, `lat_mean`), those that set a
    coordinate as e4e does (`comp`, `mean`, `std`); `.npy` and `.pt` write one array, vectors times units. extra:
    further metadata of safetensors, such as the workflow that found them.
    """
    if Path(path).suffix.lower() in ARRAYS:
        write_arrays(path, arrays_of(directions, Path(path).suffix.lower()))
        return
    known = [name for name in MORE_TENSORS if getattr(directions, name) is not None]
    plain = directions.space == "W" and directions.vectors.ndim == 2 and known == ["shares", "layers"]
    metadata = {
        "method": directions.method,
        "names": json.dumps(directions.names, ensure_ascii=False),
        "generator": directions.generator,
        "space": None if directions.space == "W" else directions.space,
        "confidence": None if directions.confidence is None else json.dumps(asdict(directions.confidence)),
    }
    tensors = {name: getattr(directions, name).float() for name in (*TENSORS, *known)}
    DIRECTIONS.file.save(path, tensors, metadata, extra, "1" if plain else None)


def arrays_of(directions: Directions, ending: str) -> dict[str, torch.Tensor]:
    """What other tools read, by name; vectors per layer where the directions are not meant for all."""
    vectors = directions.vectors
    if directions.space == "W" and directions.layers is not None and (directions.layers == 0).any():
        vectors = directions.by_layer * directions.layers[:, None]
    if directions.space == "S":
        raise StyleMixError(
            "no other tool reads directions of style channels in an array; keep them as safetensors, or use directions "
            "in W"
        )
    if ending != ".npz" or directions.space != "W":
        return {"directions": vectors * directions.units.reshape(-1, *[1] * (vectors.ndim - 1))}
    if directions.mean is not None:
        return {"comp": directions.by_layer, "mean": directions.mean[None], "std": directions.units}
    vectors = vectors if vectors.ndim == 3 else vectors[:, None]
    mean = torch.zeros(1, vectors.shape[-1])
    arrays = {"lat_comp": vectors, "lat_stdev": directions.units, "lat_mean": mean}
    arrays |= {name.replace("lat", "act"): tensor for name, tensor in arrays.items()}
    # Of SeFa's directions the shares are something else than the variance of w.
    if directions.shares is None or not directions.method.startswith("GANSpace"):
        return arrays
    return {**arrays, "var_ratio": directions.shares}


def holds_directions(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that it is one of `save_directions`. Only its header is read."""
    return DIRECTIONS.file.holds(path)


def may_be_directions(path: str | os.PathLike[str]) -> bool:
    """Whether a file looks like one for `load_directions`, of this package or of another tool. No numbers are read."""
    try:
        source = Source(path)
        return DIRECTIONS.file.marks(source.safetensors[1]) or may_hold_directions(source)
    except (*DAMAGE, StyleMixError):
        return False


def load_directions(
    path: str | os.PathLike[str], generator: Generator | None = None, space: str | None = None
) -> Directions:
    """Read directions, onto the CPU: of `save_directions`, or of another tool, whose file's name they then have.

    Of other tools' files these are read: InterFaceGAN's boundaries, e4e's and PTI's vectors, vectors per layer (STIT),
    e4e's `ffhq_pca.pt`, GANSpace's `.npz`, rosinality's `closed_form_factorization`, StyleCLIP's `fs3.npy`, dfl's
    ComfyUI-StyleGan, and any array `[w_dim]`, `[K, w_dim]`, `[num_ws, w_dim]` or `[K, num_ws, w_dim]`, or several by
    name.
    generator: which the directions are for. It tells layers from directions and channels from numbers of w, and
        directions in Z are carried over to its W.
    space: "W" or "Z" where the file does not say it and its name says it wrongly. InterFaceGAN's boundaries are in Z,
        unless their name has a `w`; all others are in W.
    `CheckpointError` when the file is missing, damaged or holds no directions.
    """
    path = Path(path)
    _, metadata = header(path)

    def read_whole(source: Source) -> Directions:
        read = read_directions(source, generator, space)
        return read if generator is None else carried_to_w(read, generator)

    if path.is_file() and not DIRECTIONS.file.marks(metadata):
        read = read_foreign(path, read_whole)
        if read is not None:
            return read

    def build(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> Directions:
        names = json.loads(metadata["names"])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("the names are no texts")
        vectors, units = (tensors[name].float() for name in TENSORS)
        shares, layers, mean = (tensors[name].float() if name in tensors else None for name in MORE_TENSORS)
        return Directions(
            vectors,
            units,
            shares,
            tuple(names),
            layers,
            metadata["method"],
            metadata.get("generator"),
            metadata.get("space", "W"),
            mean,
            confidence_in(metadata),
        )

    ours = DIRECTIONS.file.load(path, build, what_is)
    return ours if generator is None else carried_to_w(ours, generator)


def confidence_in(metadata: Mapping[str, str]) -> Confidence | None:
    """The confidence that a file's metadata tell. `ValueError` and `TypeError` where it is none."""
    if "confidence" not in metadata:
        return None
    known = json.loads(metadata["confidence"])
    layers = tuple(float(one) for one in known.pop("layers"))
    counts = [int(known[name]) for name in ("positive", "negative")]
    if not all(0 < count < MOST_EXAMPLES for count in counts):
        raise ValueError("the confidence names impossible numbers of faces")
    numbers = (float(known[name]) for name in ("accuracy", "stability", "separation", "by_chance"))
    accuracy, stability, separation, by_chance = numbers
    if not 0 <= accuracy <= 1 or not all(map(math.isfinite, (stability, separation, by_chance, *layers))):
        raise ValueError("the confidence names impossible numbers")
    pairs = known.get("pairs") is True
    return Confidence(counts[0], counts[1], accuracy, stability, separation, by_chance, layers, pairs)
