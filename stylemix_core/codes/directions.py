"""Directions that change a face in one manner: what they are, and codes moved along them."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ..errors import LatentMismatchError, StyleMixError
from ..masks.mask_list import MaskList, layers_text
from ..wording import counted, there_are
from .latents import Latents, Region, for_other_generators

SPACES = ("W", "Z", "S")
"""In what directions lie: in W or W+, in Z, or in S, the style channels."""
MAX_STRENGTH = 20.0
NOISE = (
    "this is noise: labels at random give as much. Give more faces, or faces that differ in it more clearly"
)
MANY = 500
"""Guesses of which the chances are no longer added up one by one."""
MARGIN = 1.15
"""A learnt direction must separate so many times better than shuffled labels do."""


@dataclass(frozen=True)
class Confidence:
    """How far a learnt direction can be trusted."""

    positive: int
    negative: int
    """Faces that had it, and that had it not."""
    accuracy: float
    """Share of faces, 0…1, that a model told right which had not seen them."""
    stability: float
    """Mean cosine of the direction to those of random halves of the examples."""
    separation: float
    """How well the best layer tells held-out faces apart: Student's t."""
    by_chance: float
    """The best of the same that shuffled labels gave."""
    layers: tuple[float, ...]
    """The separation by every layer."""
    pairs: bool = False
    """Whether the faces were the same, after and before: of a pair, both are told right or none."""

    @property
    def is_noise(self) -> bool:
        """Whether labels without a meaning would give as much."""
        count = self.positive if self.pairs else self.positive + self.negative
        return self.separation <= MARGIN * self.by_chance or luck(round(self.accuracy * count), count) > 0.05

    def report(self) -> list[str]:
        """Lines for people."""
        lines = [
            f"learnt from {self.positive} + {self.negative} faces; of faces held out, {100 * self.accuracy:.0f} % are "
            f"told right; stability {self.stability:.2f}, 1 where any half of the faces gives the same direction",
            f"its best layer sets the groups apart by {self.separation:.1f} standard errors, labels at random by up to "
            f"{self.by_chance:.1f}; it takes {MARGIN:g} times that not to be luck",
        ]
        if self.is_noise:
            lines.append(NOISE)
        return lines


def luck(right: int, count: int) -> float:
    """How likely so many of so many guesses, or more, are right by chance: exactly, or of many nearly."""
    if count > MANY:
        return math.erfc((right - 0.5 - count / 2) / math.sqrt(count / 2)) / 2
    return sum(math.comb(count, k) for k in range(right, count + 1)) / 2**count


@dataclass(frozen=True, eq=False)
class Directions:
    """K directions, the strongest first."""

    vectors: torch.Tensor
    """float32 `[K, w_dim]`, the same in all layers, or `[K, num_ws, w_dim]`; in Z `[K, z_dim]`; in S
    `[K, 2, num_ws, C]`, as `style_space` lays styles out. Of any length; those found here have length one."""
    units: torch.Tensor
    """float32 `[K]`: how many times a vector strength 1 goes. Found here: the standard deviation of sampled w along
    it."""
    shares: torch.Tensor | None
    """float32 `[K]` in 0…1: how much of all change belongs to the direction: of the styles that w steers (SeFa), or
    of the variance of w (GANSpace). None where nobody knows."""
    names: tuple[str, ...]
    """One a direction: a number until somebody names it."""
    layers: torch.Tensor | None
    """float32 `[num_ws]`, 0 or 1: the W+ layers that the directions are meant for. None for all of any generator."""
    method: str
    """How they were found: "SeFa", "GANSpace", "learnt", or another tool's."""
    generator: str | None = None
    """`Generator.fingerprint()` of the generator that they were found in; None when unknown."""
    space: str = "W"
    """One of `SPACES`."""
    mean: torch.Tensor | None = None
    """float32 `[w_dim]` where a strength is no way to go but the place to go to: the coordinate along the vector, of
    w − mean in the first layer, in units. None for directions that add."""

    confidence: Confidence | None = None
    """Of learnt directions."""

    def __post_init__(self) -> None:
        count = len(self.vectors)
        sizes = {len(self.units), len(self.names), count if self.shares is None else len(self.shares)}
        dimensions = {"W": (2, 3), "Z": (2,), "S": (4,)}.get(self.space, ())
        if self.vectors.ndim not in dimensions or not count or sizes != {count}:
            raise LatentMismatchError(
                f"directions are [count, w_dim] or [count, num_ws, w_dim] in W, [count, z_dim] in Z and [count, 2, "
                f"num_ws, channels] in S, with one unit and name each; found {list(self.vectors.shape)} in "
                f"{self.space} with {len(self.units)} units and {counted(len(self.names), 'name')}"
            )
        own = self.vectors.shape[-2] if self.vectors.ndim > 2 else None
        if self.layers is not None and (self.layers.ndim != 1 or own not in (None, len(self.layers))):
            raise LatentMismatchError(
                f"the directions have vectors for {own} layers, and a list of {list(self.layers.shape)} layers"
            )
        if self.mean is not None and (self.space != "W" or self.mean.shape != self.vectors.shape[-1:]):
            raise LatentMismatchError("only directions in W have a mean, of as many numbers as the vectors")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def num_ws(self) -> int | None:
        """How many layers the codes have that they move; None where they move any."""
        if self.vectors.ndim > 2:
            return self.vectors.shape[-2]
        return None if self.layers is None else len(self.layers)

    @property
    def by_layer(self) -> torch.Tensor:
        """The vectors with a dimension for layers, of one layer where they are the same in all: `[K, 1, w_dim]`."""
        return self.vectors if self.vectors.ndim > 2 else self.vectors[:, None]

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
            shares=None if self.shares is None else self.shares[chosen],
            names=tuple(self.names[place] for place in chosen),
        )

    def combined(self, weights: torch.Tensor, name: str, threshold: float = 0.0) -> "Directions":
        """One direction of all: the sum of weights `[K]` times the vectors and units.

        threshold: what is smaller than this part of the largest number becomes 0, as StyleCLIP's β selects channels
        (Patashnik et al. 2021, arXiv:2103.17249, section 6).
        """
        if weights.shape != (len(self),):
            raise StyleMixError(
                f"there are {list(weights.shape)} weights; give one for each of {len(self)} directions"
            )
        self.refuse_mean()
        vector = torch.einsum("k,k...->...", weights.to(self.vectors) * self.units, self.vectors)
        vector = vector * (vector.abs() >= threshold * vector.abs().max())
        return replace(
            self, vectors=vector[None], units=torch.ones(1), shares=None, names=(name,), confidence=None
        )

    def refuse_mean(self) -> None:
        """`StyleMixError` for directions that set a coordinate: of what is made of them, it is another one."""
        if self.mean is not None:
            raise StyleMixError(
                "directions that set a coordinate, as those of ffhq_pca.pt, cannot be combined or freed of others"
            )

    def trust(self) -> list[str]:
        """How far to trust learnt directions, as lines for people; none for others."""
        return [] if self.confidence is None else self.confidence.report()

    def __str__(self) -> str:
        return self.report()

    def report(self) -> str:
        """One line a direction: number, name, and share where that is known."""
        where = "all layers" if self.layers is None else f"layers {layers_text(self.layers)}"
        kinds = {"Z": ", in Z", "S": ", in style channels"}
        sets = ", each sets a coordinate" if self.mean is not None else ""
        head = f"{self.method}, {where}{kinds.get(self.space, '')}{sets}: {counted(len(self), 'direction')}"
        if self.shares is None:
            numbered = [f"{place}. {name}" for place, name in enumerate(self.names, 1)]
            return "\n".join([head, *numbered, *self.trust()])
        of = "the styles' change" if self.method == "SeFa" else "the variance of w"
        lines = [
            f"{place}. {name}: {100 * float(share):.1f} %"
            for place, (name, share) in enumerate(zip(self.names, self.shares, strict=True), 1)
        ]
        return "\n".join([f"{head}, with their share of {of}", *lines])


def apply_direction(
    latents: Latents | torch.Tensor,
    directions: Directions,
    direction: str | int,
    strength: float,
    masks: MaskList | None = None,
) -> Latents:
    """Move codes along a direction: w + strength·unit·mask·n. What lies in regions of the pictures moves, too.

    latents: or a tensor of W+ codes. direction: its name, or its number from 1 on.
    strength: −20 … 20. Usual are −3 … 3, and of learnt directions −1 … 2, where 1 is how the two groups differ.
    masks: layers and their strengths, one result per mask: all masks of code 0, then of code 1, …; None for the
        layers that the directions are meant for.
    """
    latents = latents if isinstance(latents, Latents) else Latents.of(latents)
    place = directions.index(direction)
    rows = meant_layers(latents, directions) if masks is None else masks.still().strengths
    by = f"{strength:+g} {directions.names[place]}"
    origins = [f"{origin}, {by}, layers {layers_text(row)}" for origin in latents.origins for row in rows]
    return replace(moved(latents, directions, [place], [strength], rows), origins=tuple(origins))


def meant_layers(latents: Latents, directions: Directions) -> torch.Tensor:
    """The layers that the directions are meant for, as one mask of the codes: `[1, num_ws]`."""
    return torch.ones(1, latents.w.shape[1]) if directions.layers is None else directions.layers[None]


def moved(
    latents: Latents,
    directions: Directions,
    places: Sequence[int],
    strengths: Sequence[float],
    masks: torch.Tensor,
) -> Latents:
    """Codes moved along directions `places`, for every code all masks `[M, num_ws]`, for these all directions, and for
    these all strengths. Each has the origin of its code.

    `LatentMismatchError` when the directions are for another shape of codes, `StyleMixError` for those in Z.
    """
    check_shape(latents, directions)
    outside = [strength for strength in strengths if not abs(strength) <= MAX_STRENGTH]
    if outside:
        raise StyleMixError(
            f"the strength {outside[0]:g} is out of range; use −{MAX_STRENGTH:g} to {MAX_STRENGTH:g}"
        )
    chosen = directions.pick(places)
    repeats = len(masks) * len(places) * len(strengths)
    copies = latents.take([code for code in range(len(latents)) for _ in range(repeats)])
    if directions.space == "S":
        return _with_channels(copies, chosen, strengths, masks)
    return _changed(latents, copies, lambda w: _moved_w(w, chosen, strengths, masks.float()))


def check_shape(latents: Latents, directions: Directions) -> None:
    """Errors as `moved` has them."""
    if directions.space == "Z":
        raise StyleMixError(
            "these directions are in Z, and codes are in W+; load them with their generator, which carries them over, "
            "or say that they are in W"
        )
    _, layers, size = latents.w.shape
    expected = directions.num_ws or layers
    width = size if directions.space == "S" else directions.vectors.shape[-1]
    if (layers, size) != (expected, width):
        raise LatentMismatchError(
            f"the codes have {layers} layers of {size} numbers, the directions are for {expected} of {width}; find "
            "directions in the generator that the codes are for"
        )


def _changed(latents: Latents, copies: Latents, change: Callable[[torch.Tensor], torch.Tensor]) -> Latents:
    """The copies of codes, with what `change` makes of all their w."""
    return replace(
        copies,
        w=change(latents.w),
        w_rgb=None if latents.w_rgb is None else change(latents.w_rgb),
        regions=tuple(
            Region(_changed(one.codes, other.codes, change), other.mask)
            for one, other in zip(latents.regions, copies.regions, strict=True)
        ),
    )


def _moved_w(
    w: torch.Tensor, chosen: Directions, strengths: Sequence[float], masks: torch.Tensor
) -> torch.Tensor:
    """Codes `[B, num_ws, w_dim]` moved by every mask, direction and strength: `[B·M·K·S, num_ws, w_dim]`."""
    vectors = chosen.by_layer
    steps = torch.einsum("ml,k,kld->mkld", masks, chosen.units, vectors.expand(-1, masks.shape[1], -1)).to(w)
    amounts = torch.tensor(strengths).to(w).expand(len(w), len(chosen), -1)  # [B, K, S]
    if chosen.mean is not None:
        first = vectors[:, 0].to(w)
        coordinates = (w[:, 0] - chosen.mean.to(w)) @ first.T / chosen.units.to(w)
        amounts = amounts - coordinates[..., None]
    moved = w[:, None, None, None] + torch.einsum("bks,mkld->bmksld", amounts, steps)
    return moved.flatten(0, 3)


def _with_channels(
    latents: Latents, chosen: Directions, strengths: Sequence[float], masks: torch.Tensor
) -> Latents:
    """Codes whose style channels are moved."""
    each = torch.einsum(
        "ml,k,s,ktlc->mkstlc", masks.float(), chosen.units, torch.tensor(strengths), chosen.vectors
    )
    steps = each.flatten(0, 2).repeat(len(latents) // each[..., 0, 0, 0].numel(), 1, 1, 1).to(latents.w)

    def change(codes: Latents) -> Latents:
        if codes.channels is not None and codes.channels.shape != steps.shape:
            raise LatentMismatchError(
                f"the codes have style channels of {codes.channels.shape[3]} numbers, the directions of "
                f"{steps.shape[3]}; use directions of the generator that the codes are for"
            )
        channels = steps if codes.channels is None else codes.channels + steps
        regions = tuple(Region(change(region.codes), region.mask) for region in codes.regions)
        return replace(codes, channels=channels, regions=regions)

    return change(latents)


def check_confidence(directions: Directions) -> str | None:
    """A sentence to warn with when the directions were learnt and are noise, else None."""
    return NOISE if directions.confidence is not None and directions.confidence.is_noise else None


def check_directions(latents: Latents, directions: Directions) -> str | None:
    """A sentence to warn with when the directions are known to be of another generator, else None."""
    if not for_other_generators(latents, directions):
        return None
    return (
        "the directions were found in a generator with other weights than the codes', so they may change something "
        "else; find them in the generator that the codes are for"
    )
