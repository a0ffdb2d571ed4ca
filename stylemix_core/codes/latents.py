"""W+ codes with their provenance, and the files that keep both."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from ..checkpoints import what_is
from ..checkpoints.own_files import CODES
from ..encoder import SURE
from ..errors import LatentMismatchError, StyleMixError
from ..files.arrays import write_arrays
from ..files.damage import DAMAGE
from ..files.endings import ARRAYS
from ..files.source import Source
from ..files.tensor_file import header
from ..generator import Generator
from ..wording import counted
from .foreign import read_foreign
from .foreign_codes import may_hold_codes, read_codes

LISTED = 20
"""Codes whose origin is told where codes are described to people."""


@dataclass(frozen=True, eq=False)
class Latents:
    """A batch of W+ codes that remembers where it comes from, and what injection made of them beyond W+."""

    w: torch.Tensor
    """float32 `[B, num_ws, w_dim]`."""
    origins: tuple[str, ...]
    """One line a code on how it came about: "seed 7, psi 0.7"."""
    generator: str | None = None
    """`Generator.fingerprint()` of the generator that the codes are for; None when unknown."""
    w_rgb: torch.Tensor | None = None
    """The codes of the to-RGBs where they take others than the convolutions; of the shape of `w`."""
    channels: torch.Tensor | None = None
    """What is added to the styles that the codes give: float32 `[B, 2, num_ws, C]`, for convolutions and to-RGBs by
    the index of their w, padded with zeros to the widest module."""
    regions: tuple["Region", ...] = ()
    """What is drawn with other codes than these; later ones lie on top."""
    error_bars: torch.Tensor | None = None
    """How wrong each w may be, where the encoder that read it tells: its `ErrorBars`, float32 `[B, num_ws, len(SURE)]`.
    Codes that are mixed of others have none."""

    def __post_init__(self) -> None:
        if self.w.ndim != 3 or self.w.dtype != torch.float32:
            raise LatentMismatchError(
                f"W+ codes are float32 [batch, num_ws, w_dim]; found {self.w.dtype} {list(self.w.shape)}"
            )
        count, layers, _ = self.w.shape
        if len(self.origins) != count:
            raise LatentMismatchError(
                f"found {counted(len(self.origins), 'origin')} for {counted(count, 'code')}; give one per code"
            )
        if self.w_rgb is not None and (self.w_rgb.shape, self.w_rgb.dtype) != (self.w.shape, self.w.dtype):
            raise LatentMismatchError(
                f"the codes of the to-RGBs have the shape {list(self.w_rgb.shape)}, those of the convolutions "
                f"{list(self.w.shape)}; they must be alike"
            )
        if self.channels is not None and (
            self.channels.ndim != 4
            or self.channels.dtype != torch.float32
            or self.channels.shape[:3] != (count, 2, layers)
        ):
            raise LatentMismatchError(
                f"the style channels are {self.channels.dtype} {list(self.channels.shape)}; "
                f"expected float32 [{count}, 2, {layers}, channels]"
            )
        bars = self.error_bars
        expected = (count, layers, len(SURE))
        if bars is not None and (bars.shape, bars.dtype) != (expected, torch.float32):
            raise LatentMismatchError(
                f"the error bars are {bars.dtype} {list(bars.shape)}; expected float32 {list(expected)}"
            )
        for region in self.regions:
            if region.codes.w.shape != self.w.shape or region.codes.regions:
                raise LatentMismatchError(
                    f"a region's codes have the shape {list(region.codes.w.shape)}; expected {list(self.w.shape)} "
                    "and no regions in them"
                )

    def __getitem__(self, places: int | slice | Sequence[int]) -> "Latents":
        """`take`, also of a single one."""
        return self.take([places] if isinstance(places, int) else places)

    def __len__(self) -> int:
        return len(self.w)

    def __str__(self) -> str:
        """For people: what the codes are, and how the first of them came about."""
        count, layers, width = self.w.shape
        more = [f"… and {count - LISTED} more"] if count > LISTED else []
        lines = [f"{place}. {origin}" for place, origin in enumerate(self.origins[:LISTED], 1)]
        return "\n".join([f"{counted(count, 'W+ code')} of {layers} layers × {width}", *lines, *more])

    @property
    def beyond_w(self) -> bool:
        """Whether injection made more of them than W+."""
        return bool(self.regions) or self.channels is not None or self.w_rgb is not None

    def only_w(self, doing: str) -> torch.Tensor:
        """`w`, where that is all there is; else `StyleMixError`. doing: what cannot be done with more: "explained"."""
        if self.beyond_w:
            raise StyleMixError(
                f"codes with regions, convolutions, to-RGBs or style channels of their own cannot be {doing}: what an "
                "injection made beyond W+ would be lost. Take the codes before it"
            )
        return self.w

    def to(self, device: torch.device) -> "Latents":
        """The same codes on a device."""

        def moved(tensor: torch.Tensor | None) -> torch.Tensor | None:
            return None if tensor is None else tensor.to(device)

        return replace(
            self,
            w=self.w.to(device),
            w_rgb=moved(self.w_rgb),
            channels=moved(self.channels),
            error_bars=moved(self.error_bars),
            regions=tuple(Region(one.codes.to(device), one.mask.to(device)) for one in self.regions),
        )

    def take(self, codes: slice | Sequence[int]) -> "Latents":
        """Some of the codes, by their places."""
        places = range(len(self))[codes] if isinstance(codes, slice) else codes
        kept = codes if isinstance(codes, slice) else list(codes)  # slices are views
        return Latents(
            self.w[kept],
            tuple(self.origins[i] for i in places),
            self.generator,
            None if self.w_rgb is None else self.w_rgb[kept],
            None if self.channels is None else self.channels[kept],
            tuple(Region(region.codes.take(codes), region.mask[kept]) for region in self.regions),
            None if self.error_bars is None else self.error_bars[kept],
        )

    @classmethod
    def of(cls, w: torch.Tensor, origin: str = "unknown", generator: str | None = None) -> "Latents":
        """Codes `[B, num_ws, w_dim]`, or a single one `[num_ws, w_dim]`, that share one origin."""
        if w.ndim == 2:
            w = w[None]
        w = w.float() if w.is_floating_point() else w
        return cls(w, (origin,) * (len(w) if w.ndim else 0), generator)

    def codes(self) -> torch.Tensor:
        """The codes of the convolutions and of the to-RGBs, `[B, 2, num_ws, w_dim]`."""
        return torch.stack([self.w, self.w if self.w_rgb is None else self.w_rgb], 1)

    def around(self) -> "Latents":
        """The codes without their regions: what is drawn around them."""
        return replace(self, regions=())


@dataclass(frozen=True, eq=False)
class Region:
    """Codes that are drawn in a part of the pictures."""

    codes: Latents
    """As many as there are pictures, and without regions of their own."""
    mask: torch.Tensor
    """uint8 `[B, H, W]`, usually of the pictures' size: 0 outside, 255 inside."""

    def __post_init__(self) -> None:
        shape, count = self.mask.shape, len(self.codes)
        if self.mask.dtype != torch.uint8 or len(shape) != 3 or shape[0] != count or 0 in shape[1:]:
            raise LatentMismatchError(
                f"the mask of a region is {self.mask.dtype} {list(shape)}; expected uint8 [{count}, height, width]"
            )


def pick_latents(latents: Latents, index: int, length: int = 1) -> Latents:
    """`length` codes from `index` on; a negative index counts from the end. `LatentMismatchError` beyond it."""
    start = index + len(latents) if index < 0 else index
    if length < 1 or not 0 <= start <= len(latents) - length:
        last = len(latents) - 1
        raise LatentMismatchError(
            f"the batch has {counted(len(latents), 'code')}, 0 to {last} or -{last + 1} to -1; there are "
            f"no {length} from {index} on. Choose a smaller index or length."
        )
    return latents.take(slice(start, start + length))


class ForGenerator(Protocol):
    """What belongs to a generator, told by its fingerprint; None where nobody knows."""

    @property
    def generator(self) -> str | None: ...


def for_other_generators(a: ForGenerator, b: ForGenerator) -> bool:
    """Whether both are known to be for generators with different weights."""
    return None not in (a.generator, b.generator) and a.generator != b.generator


def nested_origin(origin: str) -> str:
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
    if latents.channels is not None and latents.channels.shape[3] != max(generator.synthesis.style_widths):
        raise LatentMismatchError(
            f"the codes come with style channels of {latents.channels.shape[3]} numbers; this generator has "
            f"{max(generator.synthesis.style_widths)}. Use the generator that they were injected with."
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
    """Write codes as safetensors: tensor `w` and what injection added to it, provenance in the metadata; or for others.

    The endings `.npz` (NVIDIA's layout: an array `w`), `.npy` and `.pt` write the codes alone, for other tools;
    `LatentMismatchError` where injection added more to them. extra: further metadata of safetensors, such as the
    workflow that made the codes. The file appears complete or not at all.

    >>> sm.save_latents("faces.safetensors", sm.Latents.of(faces, "two of them", G.fingerprint()))
    >>> sm.load_latents("faces.safetensors").origins
    ('two of them', 'two of them')
    """
    if not isinstance(latents, Latents):
        latents = Latents.of(latents)
    tensors = _tensors(latents)
    if Path(path).suffix.lower() in ARRAYS:
        if latents.beyond_w:
            raise LatentMismatchError(
                "these codes are more than W+ (regions, style channels or codes of the to-RGBs), which "
                f"{Path(path).suffix} files cannot hold; save them as .safetensors, or inject in W+ without a region"
            )
        write_arrays(path, {"w": latents.w})
        return
    # Names of files may have bytes that are no text.
    origins = json.dumps(latents.origins, ensure_ascii=False).encode(errors="replace").decode()
    version = None if latents.beyond_w else "1"
    CODES.file.save(path, tensors, {"origins": origins, "generator": latents.generator}, extra, version)


def _tensors(latents: Latents) -> dict[str, torch.Tensor]:
    """What a file holds: `w`, and what there is of `w_rgb`, `channels`, `error_bars`, `region0.w`, `region0.mask` …"""
    tensors = {"w": latents.w}
    if latents.w_rgb is not None:
        tensors["w_rgb"] = latents.w_rgb
    if latents.channels is not None:
        tensors["channels"] = latents.channels
    if latents.error_bars is not None:
        tensors["error_bars"] = latents.error_bars
    for i, region in enumerate(latents.regions):
        parts = {**_tensors(region.codes), "mask": region.mask}
        tensors |= {f"region{i}.{name}": tensor for name, tensor in parts.items()}
    return tensors


def _from_tensors(
    tensors: Mapping[str, torch.Tensor], origins: tuple[str, ...], generator: str | None
) -> Latents:
    """`_tensors` backwards. `KeyError` when there are parts of a region only."""
    count = len({name.split(".")[0] for name in tensors if "." in name})
    regions = []
    for i in range(count):
        prefix = f"region{i}."
        inside = {name.removeprefix(prefix): tensors[name] for name in tensors if name.startswith(prefix)}
        regions.append(
            Region(_from_tensors({"w": inside["w"], **inside}, origins, generator), inside["mask"])
        )
    return Latents(
        tensors["w"],
        origins,
        generator,
        tensors.get("w_rgb"),
        tensors.get("channels"),
        tuple(regions),
        tensors.get("error_bars"),
    )


def holds_latents(path: str | os.PathLike[str]) -> bool:
    """Whether a file looks like one for `load_latents`, of this package or of another tool. No numbers are read."""
    try:
        source = Source(path)
        w = source.safetensors[0].get("w")
        return may_hold_codes(source) if w is None else len(w.shape) in (2, 3)
    except (*DAMAGE, StyleMixError):
        return False


def load_latents(path: str | os.PathLike[str], num_ws: int | None = None, iteration: int = -1) -> Latents:
    """Read codes, onto the CPU: of `save_latents`, or of another tool, whose file's name then is the origin.

    Of other tools' files these are read: safetensors, `.npy`, `.npz`, and `.pt` or pickles with an array or a tensor
    of codes, or with a dictionary or a list of them: NVIDIA's `projected_w.npz`, e4e's `latents.pt`, PTI's pivots,
    ReStyle's `latents.npy`, rosinality's projector, STIT; and pictures of dfl's ComfyUI-StyleGan.
    num_ws: how many layers the generator has, for files of single w, which are repeated; None where the file tells.
    iteration: which one where a code comes with its steps: from 0, or, negative, from the last on.
    `CheckpointError` when the file is missing, damaged or holds no codes, `LatentMismatchError` when they are no W+
    codes, or single w for nobody knows how many layers.
    """
    path = Path(path)
    stored, metadata = header(path)
    if path.is_file() and not CODES.file.marks(metadata) and "w" not in stored:
        read = read_foreign(path, lambda source: read_codes(source, num_ws, iteration))
        if read is not None:
            w, names = read
            return Latents(w, tuple(names))

    def build(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> Latents:
        latents = Latents.of(tensors["w"], Path(path).name, metadata.get("generator"))
        if not CODES.file.marks(metadata):
            return latents
        origins = _read_origins(metadata, len(latents))
        return _from_tensors({**tensors, "w": latents.w}, origins, latents.generator)

    return CODES.file.load(path, build, what_is)


def _read_origins(metadata: Mapping[str, str], count: int) -> tuple[str, ...]:
    try:
        origins = json.loads(metadata["origins"])
    except (KeyError, ValueError):
        origins = None
    if not isinstance(origins, list) or len(origins) != count or not all(isinstance(o, str) for o in origins):
        raise ValueError(f"expected {count} origins in its metadata")
    return tuple(origins)
