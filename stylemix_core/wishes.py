"""A wish for an injection: what shall change and what shall stay, and how far pictures fulfil it.

A wish names regions and a kind of change in plain words: "hair shape", "hair and skin colour", "eyes and mouth",
"everything but the face". A mask stands for a region of one's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .changes import WINDOW, colour_change, difference, settle, shape_change
from .errors import StyleMixError
from .identity import Identity
from .images import resize

KINDS = ("anything", "shape", "colour")
"""What may be looked for in a region."""

SIDE = 64
"""Pictures are compared in this size, in pixels."""

MARGIN = WINDOW + 1
"""So far beyond a target's edge, in compared pixels, nothing counts as the rest: neighbourhoods reach into it."""

COMMON = 0.3
"""Least share of a region that has to be the same region in both pictures for its colours to be compared there."""

LEAST = {"anything": 0.02, "shape": 0.05, "colour": 0.02}
"""A region that the whole style changes less than this counts as changed by so much: there is nothing to find."""

_WHOLES = {
    "face": ("face", "eyes", "brows", "nose", "mouth"),
    "skin": ("face", "nose"),
    "features": ("eyes", "brows", "nose", "mouth"),
    "identity": ("face", "eyes", "brows", "nose", "mouth"),
}
"""Words for several regions of `find_regions` at once."""

_SYNONYMS = {"lips": "mouth", "eyebrows": "brows", "clothes": "body", "neck": "body", "haircut": "hair"}
_KIND_WORDS = {"shape": "shape", "form": "shape"} | dict.fromkeys(
    ("colour", "colours", "color", "colors"), "colour"
)
_FILLERS = {"the", "only", "and", "of", "a"}
_EVERYTHING = {"everything", "all", "anything", "picture"}
_BUT = {"but", "except", "without", "not"}


@dataclass(frozen=True)
class Wish:
    """Where something shall change, or stay, and what."""

    names: tuple[str, ...]
    """Regions; none for the whole picture."""
    but: bool = False
    """Everywhere but there."""
    kind: str = "anything"
    """One of `KINDS`."""


def read_wish(text: str) -> Wish:
    """A wish in words. `StyleMixError` when there is no word to go by.

    >>> read_wish("hair and skin colour")
    Wish(names=('hair', 'skin'), but=False, kind='colour')
    >>> read_wish("everything but the face")
    Wish(names=('face',), but=True, kind='anything')
    """
    words = [word for word in re.findall(r"[^\W_]+", text.lower()) if word not in _FILLERS]
    kinds = [_KIND_WORDS[word] for word in words if word in _KIND_WORDS]
    names = [_SYNONYMS.get(word, word) for word in words if word not in (*_KIND_WORDS, *_BUT, *_EVERYTHING)]
    if not words or len(set(kinds)) > 1:
        raise StyleMixError(
            f"the wish {text!r:.80} is not understood; name regions and what of them, for instance 'hair shape', "
            "'hair and skin colour', 'eyes and mouth', 'colours' or 'everything but the face'"
        )
    return Wish(tuple(dict.fromkeys(names)), not _BUT.isdisjoint(words), kinds[0] if kinds else "anything")


def region_of(wish: Wish, regions: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The wish's region `[B, H, W]` in 0…1. `StyleMixError` when it names one that is not there."""
    if not wish.names:
        return torch.ones_like(next(iter(regions.values())))
    parts: list[torch.Tensor] = []
    for name in wish.names:
        found = [regions[part] for part in _WHOLES.get(name, (name,)) if part in regions]
        if name in regions and name not in _WHOLES:
            found = [regions[name]]
        if not found:
            known = ", ".join(dict.fromkeys((*regions, *_WHOLES)))
            raise StyleMixError(f"there is no region {name!r}; choose among: {known}")
        parts += found
    mask = torch.stack(parts).sum(0).clamp(0, 1)
    return 1 - mask if wish.but else mask


class Judge:
    """Compares results with one source: how much of what the whole style changes have they changed?

    Inside the target, what has only moved counts as unchanged: eyes that a turned head carries along are the same
    eyes. In the rest every change counts.

    source, full: the source's picture and that of all layers injected, `[1, C, R, R]`.
    target, style_target: the target in either, `[H, W]` in 0…1.
    kind: one of `KINDS`.
    keep: what must stay above all, `[H, W]`, None for nothing in particular.
    identity: sees what is to be kept in place of `keep`.
    """

    def __init__(
        self,
        source: torch.Tensor,
        full: torch.Tensor,
        target: torch.Tensor,
        style_target: torch.Tensor,
        kind: str,
        keep: torch.Tensor | None = None,
        identity: Identity | None = None,
    ):
        self.kind, self.identity = kind, identity
        self.source, whole = shrunk(source), shrunk(full)
        self.target, there = shrunk_mask(target), shrunk_mask(style_target)
        motion = settle(self.source, whole, self.target)
        settled = motion.undo(there[None, None])[0, 0]
        # Hair that grows has to count where it was not, and colours are compared where hair stays hair.
        self.either = torch.maximum(self.target, settled)
        common = self.target * settled
        self.common = common if common.sum() >= COMMON * self.target.sum() else self.target
        touched = torch.maximum(self.either, there)
        self.rest = 1 - F.max_pool2d(touched[None], 2 * MARGIN + 1, 1, MARGIN)[0]
        self.keep = None if keep is None else shrunk_mask(keep) * (1 - self.either)
        self.seen = source if identity is None else identity(source)
        least = (LEAST[kind], LEAST["shape"], LEAST["anything"], LEAST["shape"], LEAST["anything"])
        self.most = self.changes(full).clamp_min(torch.tensor(least)[:, None])  # [5, 1]

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """`[M, C, R, R]` → `[3, M]`: the shares of the change inside, outside and of what is to be kept.

        1 is what injecting all layers changes. Shapes and colours outside count each for themselves, and the larger
        share is given: a head that turns changes few colours, and a new hair colour no shapes.
        """
        inside, *rest = self.changes(pictures) / self.most
        return torch.stack([inside, torch.maximum(rest[0], rest[1]), torch.maximum(rest[2], rest[3])])

    def changes(self, pictures: torch.Tensor) -> torch.Tensor:
        """Mean changes `[5, M]`: the wished one; shapes and anything in the rest; shapes and anything to be kept."""
        others = shrunk(pictures)
        anything, shape = difference(self.source, others), shape_change(self.source, others)
        settled = settle(self.source, others.detach(), self.target).undo(others)
        wished = torch.minimum(self.wished(others), self.wished(settled))
        rest = mean(shape, self.rest), mean(anything, self.rest)
        # Who wishes for one kind of change wants the other one to stay, inside too.
        if self.kind == "shape":
            colour = torch.minimum(self.recoloured(others), self.recoloured(settled))
            inside, outside = self.common.sum(), self.rest.sum()
            rest = rest[0], (rest[1] * outside + colour * inside) / (outside + inside)
        elif self.kind == "colour":
            rest = shape.mean((1, 2)), rest[1]
        kept = (torch.zeros_like(wished),) * 2
        if self.identity is not None:
            kept = (self.identity.drift(pictures, self.seen),) * 2
        elif self.keep is not None:
            kept = mean(shape, self.keep), mean(anything, self.keep)
        return torch.stack([wished, *rest, *kept])

    def wished(self, others: torch.Tensor) -> torch.Tensor:
        """The change that is asked for, `[M]`."""
        if self.kind == "shape":
            return mean(shape_change(self.source, others), self.either)
        if self.kind == "colour":
            return self.recoloured(others)
        return mean(difference(self.source, others), self.common)

    def recoloured(self, others: torch.Tensor) -> torch.Tensor:
        return mean(colour_change(self.source, others, self.common), self.common)


def mean(change: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """`[M, H, W]` over a place `[H, W]`: `[M]`."""
    return (change * place).sum((1, 2)) / place.sum().clamp_min(1e-3)


def shrunk(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures as they are compared: small, in colour, on the CPU."""
    return resize(pictures.float(), SIDE, SIDE).expand(-1, 3, -1, -1).cpu()


def shrunk_mask(mask: torch.Tensor) -> torch.Tensor:
    return shrunk(mask[None, None])[0, 0].clamp(0, 1)
