"""Directions in W that change a face in one manner, found without training: SeFa and GANSpace."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ..checkpoints import what_is
from ..checkpoints.own_files import DIRECTIONS
from ..errors import LatentMismatchError, StyleMixError
from ..generator import Generator
from ..generator.sampling import sampled_w
from ..masks.grammar import refuse_several
from ..masks.mask_list import MaskList, layers_text, parse_masks
from ..progress import OnStep
from ..wording import counted, there_are
from .latents import Latents, for_other_generators

TENSORS = ("vectors", "units", "shares", "layers")
"""Those fields of `Directions` that files keep as tensors."""
METHODS = ("SeFa", "GANSpace")
SAMPLES = 10_000
"""Sampled w that GANSpace looks at, unless told otherwise."""
UNIT_SAMPLES = 2_000
"""Sampled w that tell SeFa how long a step is."""
MAX_STRENGTH = 20.0


@dataclass(frozen=True, eq=False)
class Directions:
    """K directions, the strongest first."""

    vectors: torch.Tensor
    """float32 `[K, w_dim]`, each of length one and orthogonal to the others."""
    units: torch.Tensor
    """float32 `[K]`: how far strength 1 goes: the standard deviation of sampled w along the direction."""
    shares: torch.Tensor
    """float32 `[K]` in 0…1: how much of all change belongs to the direction: of the styles that w steers (SeFa), or
    of the variance of w (GANSpace)."""
    names: tuple[str, ...]
    """One a direction: a number until somebody names it."""
    layers: torch.Tensor
    """float32 `[num_ws]`, 0 or 1: the W+ layers that the directions are meant for."""
    method: str
    """One of `METHODS`."""
    generator: str | None = None
    """`Generator.fingerprint()` of the generator that they were found in; None when unknown."""

    def __post_init__(self) -> None:
        count = len(self.vectors)
        sizes = {len(self.units), len(self.shares), len(self.names)}
        if self.vectors.ndim != 2 or not count or sizes != {count} or self.layers.ndim != 1:
            raise LatentMismatchError(
                f"directions are [count, w_dim] with one unit, share and name each; found {list(self.vectors.shape)} "
                f"with {len(self.units)}, {len(self.shares)} and {len(self.names)}"
            )

    def __len__(self) -> int:
        return len(self.names)

    def index(self, direction: str | int) -> int:
        """Place of a direction by its name, in any case, or by its number from 1 on; `StyleMixError` without one."""
        text = str(direction).strip()
        for place, name in enumerate(self.names):
            if name.casefold() == text.casefold():
                return place
        if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= len(self):
            return int(text) - 1
        raise StyleMixError(
            f"there is no direction {text[:40]!r}; choose a number from 1 to {len(self)}, or one of: "
            + ", ".join(self.names[:20])
        )

    def named(self, names: Mapping[int, str], keep_others: bool = True) -> "Directions":
        """The same with new names, by number from 1 on; or the named ones alone. A negative number turns one around."""
        if not all(1 <= abs(number) <= len(self) for number in names):
            raise StyleMixError(
                f"{there_are(len(self), 'direction')}; give names to numbers from 1 to {len(self)}"
            )
        by_place = {abs(number) - 1: name for number, name in names.items()}
        renamed = tuple(by_place.get(place, name) for place, name in enumerate(self.names))
        folded = [name.casefold() for name in renamed]
        repeated = [name for name in renamed if folded.count(name.casefold()) > 1]
        if repeated:
            raise StyleMixError(
                f"several directions would be called {repeated[-1]!r}; give each its own name"
            )
        vectors = self.vectors.clone()
        turned = [-number - 1 for number in names if number < 0]
        vectors[turned] = -vectors[turned]
        directions = replace(self, names=renamed, vectors=vectors)
        return directions if keep_others else directions.pick(sorted(by_place))

    def pick(self, places: Sequence[int]) -> "Directions":
        """Some of them, by place."""
        chosen = [*places]
        if not chosen or not 0 <= min(chosen) <= max(chosen) < len(self):
            raise StyleMixError(f"no direction is chosen; choose some of the numbers from 1 to {len(self)}")
        return replace(
            self,
            vectors=self.vectors[chosen],
            units=self.units[chosen],
            shares=self.shares[chosen],
            names=tuple(self.names[place] for place in chosen),
        )

    def __str__(self) -> str:
        return self.report()

    def report(self) -> str:
        """One line a direction: number, name and share."""
        of = "the styles' change" if self.method == "SeFa" else "the variance of w"
        found = counted(len(self), "direction")
        head = f"{self.method}, layers {layers_text(self.layers)}: {found}, with their share of {of}"
        lines = [
            f"{place + 1}. {name}: {100 * float(share):.1f} %"
            for place, (name, share) in enumerate(zip(self.names, self.shares, strict=True))
        ]
        return "\n".join([head, *lines])


def find_directions(
    generator: Generator,
    method: str = "SeFa",
    layers: str = "all",
    count: int = 10,
    samples: int = SAMPLES,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Directions:
    """Find directions without training and without pictures.

    method: "SeFa" (Shen & Zhou 2021, arXiv:2007.06600, equation 5): the eigenvectors of AᵀA, A being the stacked
        affine weights that make styles of w in the chosen layers. At once. "GANSpace" (Härkönen et al. 2020,
        arXiv:2004.02546, section 2.2): the principal components of sampled w; the layers say where to apply them.
    layers: one mask of the mask-list grammar; where its strength is not 0.
    count: how many of the strongest directions, up to w_dim.
    samples, seed: of GANSpace's w, w_dim at least. The same seed gives the same directions.
    on_step: called after every chunk of samples as `on_step(done, total, None)`.
    Every direction's sign is such that its largest entry is positive. `StyleMixError` on arguments that do not fit,
    `MaskSyntaxError` on layers that the model lacks.

    >>> directions = sm.find_directions(G, layers="coarse", count=3)
    >>> moved = sm.apply_direction(sm.Latents.of(faces), directions, direction=1, strength=2)
    >>> moved.w.shape
    torch.Size([2, 8, 16])
    """
    if method not in METHODS:
        raise StyleMixError(f"method {method!r} is unknown; choose one of: {', '.join(METHODS)}")
    if not 1 <= count <= generator.w_dim:
        raise StyleMixError(f"count is {count}; give a number of directions from 1 to {generator.w_dim}")
    chosen = one_mask(layers, generator.num_ws).ne(0)
    if not chosen.any():
        raise StyleMixError(f"the layers {layers!r} are none; choose at least one, or all")
    if method == "SeFa":
        weights = stacked_affine_weights(generator, chosen)
        values, vectors = strongest(weights.T @ weights)
        spread = covariance(sampled_w(generator.mapping, UNIT_SAMPLES, 0))
        units = (vectors[:count] @ spread * vectors[:count]).sum(1).clamp_min(0).sqrt()
    else:
        if samples < generator.w_dim:
            raise StyleMixError(f"samples is {samples}; give {generator.w_dim} or more, usually {SAMPLES}")
        values, vectors = strongest(covariance(sampled_w(generator.mapping, samples, seed, on_step)))
        units = values[:count].sqrt()
    return Directions(
        vectors[:count].float(),
        units.float(),
        (values / values.sum())[:count].float(),
        tuple(f"{method} {number}" for number in range(1, count + 1)),
        chosen.float(),
        method,
        generator.fingerprint(),
    )


def apply_direction(
    latents: Latents,
    directions: Directions,
    direction: str | int,
    strength: float,
    masks: MaskList | None = None,
) -> Latents:
    """Move codes along a direction: w + strength·unit·mask·n.

    direction: its name, or its number from 1 on.
    strength: −20 … 20. Usual are −3 … 3.
    masks: layers and their strengths, one result per mask: all masks of code 0, then of code 1, …; None for the
        layers that the directions are meant for.
    """
    place = directions.index(direction)
    rows = directions.layers[None] if masks is None else masks.strengths
    moved = moves(latents, directions, [place], [strength], rows)
    by = f"{strength:+g} {directions.names[place]}"
    origins = [f"{origin}, {by}, layers {layers_text(row)}" for origin in latents.origins for row in rows]
    return Latents(moved.flatten(0, 3), tuple(origins), latents.generator)


def moves(
    latents: Latents,
    directions: Directions,
    places: Sequence[int],
    strengths: Sequence[float],
    masks: torch.Tensor,
) -> torch.Tensor:
    """Codes moved along directions `places`: `[B, M, K, S, num_ws, w_dim]` for masks `[M, num_ws]`.

    `LatentMismatchError` when the directions are for another shape of codes.
    """
    _, layers, size = latents.w.shape
    if (layers, size) != (len(directions.layers), directions.vectors.shape[1]):
        raise LatentMismatchError(
            f"the codes have {layers} layers of {size} numbers, the directions are for {len(directions.layers)} of "
            f"{directions.vectors.shape[1]}; find directions in the generator that the codes are for"
        )
    outside = [strength for strength in strengths if not abs(strength) <= MAX_STRENGTH]
    if outside:
        raise StyleMixError(
            f"the strength {outside[0]:g} is out of range; use −{MAX_STRENGTH:g} to {MAX_STRENGTH:g}"
        )
    steps = (directions.vectors * directions.units[:, None])[[*places]].to(latents.w)  # [K, D]
    amounts = (
        torch.tensor(strengths, dtype=steps.dtype, device=steps.device)[:, None] * masks.to(steps)[:, None]
    )
    return latents.w[:, None, None, None] + amounts[:, None, :, :, None] * steps[:, None, None]


def check_directions(latents: Latents, directions: Directions) -> str | None:
    """A sentence to warn with when the directions are known to be of another generator, else None."""
    if not for_other_generators(latents, directions):
        return None
    return (
        "the directions were found in a generator with other weights than the codes', so they may change something "
        "else; find them in the generator that the codes are for"
    )


def one_mask(text: str, num_ws: int) -> torch.Tensor:
    """Strengths `[num_ws]` of a mask list with a single mask. `StyleMixError` when it has more."""
    refuse_several(text)
    return parse_masks(text, num_ws).strengths[0]


def stacked_affine_weights(generator: Generator, layers: torch.Tensor) -> torch.Tensor:
    """The weights that make the chosen layers' styles of w, one below the other: float64 `[channels, w_dim]`.

    layers: bool `[num_ws]`.
    """
    affine = [module.affine for layer, module in generator.synthesis.styled() if layers[layer]]
    return torch.cat([(one.weight * one.weight_gain).detach().cpu().double() for one in affine])


def covariance(chunks: Iterator[torch.Tensor]) -> torch.Tensor:
    """Of rows that come in chunks: float64 `[D, D]`."""
    count = 0
    total = products = torch.zeros([], dtype=torch.float64)
    for chunk in chunks:
        x = chunk.double()
        count, total, products = count + len(x), total + x.sum(0), products + x.T @ x
    mean = total / count
    return (products - count * torch.outer(mean, mean)) / (count - 1)


def strongest(products: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues `[D]` of XᵀX, falling, and the eigenvectors as rows `[D, D]`, their largest entries positive.

    They are its singular values and vectors, which LAPACK finds where its eigenvalues do not converge: in a layer whose
    styles read few of the numbers of w, most rows are zeros.
    """
    _, values, vectors = torch.linalg.svd(products)
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return values, vectors * largest.sign()


def save_directions(
    path: str | os.PathLike[str], directions: Directions, extra: Mapping[str, str] | None = None
) -> None:
    """Write directions as safetensors, names and provenance in the metadata. The file appears complete or not at all.

    extra: further metadata, such as the workflow that found them.
    """
    metadata = {
        "method": directions.method,
        "names": json.dumps(directions.names, ensure_ascii=False),
        "generator": directions.generator,
    }
    DIRECTIONS.file.save(path, {name: getattr(directions, name).float() for name in TENSORS}, metadata, extra)


def holds_directions(path: str | os.PathLike[str]) -> bool:
    """Whether a file looks like one for `load_directions`. Only its header is read."""
    return DIRECTIONS.file.holds(path)


def load_directions(path: str | os.PathLike[str]) -> Directions:
    """Read directions that `save_directions` wrote, onto the CPU. `CheckpointError` when the file is another one."""

    def build(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> Directions:
        names = json.loads(metadata["names"])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("the names are no texts")
        vectors, units, shares, layers = (tensors[name].float() for name in TENSORS)
        return Directions(
            vectors, units, shares, tuple(names), layers, metadata["method"], metadata.get("generator")
        )

    return DIRECTIONS.file.load(path, build, what_is)
