"""W+ codes with their provenance, and the files that keep both."""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .errors import LatentMismatchError, StyleMixError
from .files import replacing
from .generator import Generator
from .seeds import class_labels, describe, sample_z

FORMAT = "stylemix.latents"


@dataclass(frozen=True, eq=False)
class Latents:
    """A batch of W+ codes that remembers where it comes from."""

    w: torch.Tensor
    """float32 `[B, num_ws, w_dim]`."""
    origins: tuple[str, ...]
    """One line a code on how it came about: "seed 7, psi 0.7"."""
    generator: str | None = None
    """`Generator.fingerprint()` of the generator that the codes are for; None when unknown."""

    def __post_init__(self) -> None:
        if self.w.ndim != 3 or self.w.dtype != torch.float32:
            raise LatentMismatchError(
                f"W+ codes are float32 [batch, num_ws, w_dim]; found {self.w.dtype} {list(self.w.shape)}"
            )
        if len(self.origins) != len(self.w):
            raise LatentMismatchError(
                f"found {len(self.origins)} origins for {len(self.w)} codes; give one per code"
            )

    def __len__(self) -> int:
        return len(self.w)

    @classmethod
    def of(cls, w: torch.Tensor, origin: str = "unknown", generator: str | None = None) -> "Latents":
        """Codes `[B, num_ws, w_dim]`, or a single one `[num_ws, w_dim]`, that share one origin."""
        if w.ndim == 2:
            w = w[None]
        w = w.float() if w.is_floating_point() else w
        return cls(w, (origin,) * (len(w) if w.ndim else 0), generator)


def sample_latents(
    generator: Generator,
    seeds: Sequence[int],
    psi: float,
    cutoff: int | None = None,
    label: int | None = None,
) -> Latents:
    """The codes of seeds, one each, on the CPU. Arguments and errors as for `Generator.mapping` and `class_labels`."""
    labels = class_labels(label, generator.c_dim, len(seeds))
    w = generator.mapping(sample_z(seeds, generator.z_dim), labels, psi, cutoff)
    origins = tuple(describe(seed, psi, cutoff, label) for seed in seeds)
    return Latents(w.cpu(), origins, generator.fingerprint())


def join_latents(parts: Sequence[Latents]) -> Latents:
    """One batch of all codes, in order. `LatentMismatchError` when there are none or their shapes differ."""
    shapes = sorted({tuple(part.w.shape[1:]) for part in parts})
    if len(shapes) != 1:
        found = " and ".join(f"{layers} layers of {size} numbers" for layers, size in shapes) or "no codes"
        raise LatentMismatchError(f"found {found}; give codes of one model")
    generators = {part.generator for part in parts}
    return Latents(
        torch.cat([part.w for part in parts]),
        tuple(origin for part in parts for origin in part.origins),
        generators.pop() if len(generators) == 1 else None,
    )


def blend_latents(a: Latents, b: Latents, weight: float) -> Latents:
    """a + weight·(b − a): 0 gives `a` and 1 gives `b`, bit for bit; numbers beyond them exaggerate.

    A single code on either side meets every code of the other. The generator is that of `a`.
    `LatentMismatchError` when shapes or counts do not fit.
    """
    if a.w.shape[1:] != b.w.shape[1:]:
        (_, layers, size), (_, other_layers, other_size) = a.w.shape, b.w.shape
        raise LatentMismatchError(
            f"a has {layers} layers of {size} numbers, b has {other_layers} of {other_size}: they belong to models "
            "of different shape. Sample or encode both for the same generator."
        )
    count = max(len(a), len(b))
    if 0 in (len(a), len(b)) or not {len(a), len(b)} <= {1, count}:
        raise LatentMismatchError(
            f"{len(a)} codes cannot be blended with {len(b)}; give equally many, or one on either side"
        )
    if not math.isfinite(weight):
        raise StyleMixError(f"the weight is {weight}; give a number, usually 0 to 1")
    # One on either side is repeated.
    pairs = zip(a.origins * (count // len(a)), b.origins * (count // len(b)))
    origins = tuple(f"{within(one)} ~ {within(other)}, weight {weight:g}" for one, other in pairs)
    return Latents(torch.lerp(a.w, b.w.to(a.w), weight), origins, a.generator)


def truncate_latents(
    latents: Latents, generator: Generator, psi: float, cutoff: int | None = None
) -> Latents:
    """The truncation trick on codes of any origin; arguments as for `Generator.mapping`, errors of both."""
    check_generator(latents, generator)
    w = generator.mapping.truncate(latents.w.to(generator.w_avg), psi, cutoff).to(latents.w)
    layers = "" if cutoff is None else f" before layer {cutoff}"
    origins = tuple(f"{origin}, truncated to {psi:g}{layers}" for origin in latents.origins)
    return Latents(w, origins, latents.generator)


def pick_latents(latents: Latents, index: int, length: int = 1) -> Latents:
    """`length` codes from `index` on; a negative index counts from the end. `LatentMismatchError` beyond it."""
    start = index + len(latents) if index < 0 else index
    if length < 1 or not 0 <= start <= len(latents) - length:
        last = len(latents) - 1
        raise LatentMismatchError(
            f"the batch has {len(latents)} codes, 0 to {last} or -{last + 1} to -1; there are no {length} from "
            f"{index} on. Choose a smaller index or length."
        )
    codes = slice(start, start + length)
    return Latents(latents.w[codes], latents.origins[codes], latents.generator)


def for_other_generators(a: Latents, b: Latents) -> bool:
    """Whether the codes are known to be for generators with different weights."""
    return None not in (a.generator, b.generator) and a.generator != b.generator


def within(origin: str) -> str:
    """An origin as part of another: in brackets when it is made of several itself."""
    return f"({origin})" if "←" in origin or "~" in origin else origin


def short_origin(latents: Latents, index: int) -> str:
    """The first words of a code's origin: "seed 7" of "seed 7, psi 0.7", "a.png" of "a.png (tune, 200 steps)"."""
    return re.split(r", | \(| ← ", latents.origins[index])[0]


def check_generator(latents: Latents, generator: Generator) -> str | None:
    """Whether `generator` can draw `latents`.

    `LatentMismatchError` when the shapes differ. Returns a sentence to warn with when only the weights
    do, else None.
    """
    layers, size = latents.w.shape[1:]
    if (layers, size) != (generator.num_ws, generator.w_dim):
        raise LatentMismatchError(
            f"the codes have {layers} layers of {size} numbers; this generator "
            f"({generator.img_resolution} pixels) takes {generator.num_ws} of {generator.w_dim}. "
            "Use the generator they were sampled or encoded for."
        )
    if latents.generator in (None, generator.fingerprint()):
        return None
    return (
        "these W+ codes were made for a generator with other weights, so the pictures may look wrong; "
        "use the generator they were sampled or encoded for"
    )


def save_latents(
    path: str | os.PathLike[str], latents: Latents | torch.Tensor, extra: Mapping[str, str] | None = None
) -> None:
    """Write codes as safetensors: tensor `w`, provenance in the metadata.

    extra: further metadata, such as the workflow that made the codes.
    The file appears complete or not at all.
    """
    if not isinstance(latents, Latents):
        latents = Latents.of(latents)
    origins = json.dumps(latents.origins, ensure_ascii=False)
    metadata = {**(extra or {}), "format": FORMAT, "version": "1", "origins": origins}
    if latents.generator is not None:
        metadata["generator"] = latents.generator
    with replacing(path) as partial:
        save_file({"w": latents.w.detach().float().cpu().contiguous()}, partial, metadata)


def holds_latents(path: str | os.PathLike[str]) -> bool:
    """Whether a file looks like one for `load_latents`. Only its header is read."""
    try:
        with safe_open(path, framework="pt") as file:
            return "w" in file.keys() and len(file.get_slice("w").get_shape()) in (2, 3)  # noqa: SIM118
    except (SafetensorError, OSError):
        return False


def load_latents(path: str | os.PathLike[str]) -> Latents:
    """Read codes from safetensors, onto the CPU.

    A file of another tool will do when its tensor `w` is `[B, num_ws, w_dim]` or `[num_ws, w_dim]`; its
    name then is the origin. `StyleMixError` when the file is missing or is none, `LatentMismatchError`
    when `w` is not a W+ code.
    """
    path = Path(path)
    if not path.is_file():
        raise StyleMixError(f"there is no latent file at {path}; check the path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            w = file.get_tensor("w") if "w" in names else None
    except (SafetensorError, OSError) as error:
        raise StyleMixError(
            f"{path} is not a safetensors file ({error}); expected W+ codes saved by StyleMix"
        ) from error
    if w is None:
        raise LatentMismatchError(
            f"{path} holds no tensor 'w' but {', '.join(names[:3]) or 'nothing'}; "
            "expected W+ codes saved by StyleMix, not a model's checkpoint"
        )
    try:
        latents = Latents.of(w, path.name, metadata.get("generator"))
    except LatentMismatchError as error:
        raise LatentMismatchError(f"{path} cannot be used: {error}") from None
    if not torch.isfinite(latents.w).all():
        raise LatentMismatchError(f"{path} holds NaN or infinite numbers; make the codes anew")
    if metadata.get("format") != FORMAT:
        return latents
    return Latents(latents.w, _read_origins(path, metadata, len(latents)), latents.generator)


def _read_origins(path: Path, metadata: dict[str, str], count: int) -> tuple[str, ...]:
    try:
        origins = json.loads(metadata["origins"])
    except (KeyError, ValueError):
        origins = None
    if not isinstance(origins, list) or len(origins) != count or not all(isinstance(o, str) for o in origins):
        raise StyleMixError(f"the metadata of {path} is damaged: expected {count} origins; save them anew")
    return tuple(origins)
