"""How far pictures fulfil a wish for an injection: what shall change, and what shall stay.

`wish_text` reads its words, `wish_regions` finds where they are in the pictures.
"""

import torch
import torch.nn.functional as F

from ..encoder.identity import Identity
from ..images import resize
from .measures import WINDOW, colour_change, difference, find_motion, shape_change

SIDE = 64
"""Pictures are compared in this size, in pixels."""

MARGIN = WINDOW + 2
"""So far beyond a target's edge, in compared pixels, nothing counts as the rest: neighbourhoods reach into it."""

COMMON = 0.01
"""Share of the picture where a region has to be in both pictures for its colours to be compared only there."""

UNWISHED = 5.0
"""How much more a pixel of the target counts than one of the rest where colours change in it and shapes are wished."""

LEAST = {"anything": 0.02, "shape": 0.05, "colour": 0.02}
"""A region that the whole style changes less than this counts as changed by so much: there is nothing to find."""


class Target:
    """The regions of a target in one picture, and what others have changed in them.

    What has only moved counts as unchanged: eyes that a turned head carries along are the same eyes.

    picture: `[1, 3, SIDE, SIDE]`.
    here: the regions in it, `[K, SIDE, SIDE]` in 0…1.
    there: the regions in the other picture, of the style for the source and the other way round.
    kind: one of `wish_text.KINDS`.
    """

    def __init__(self, picture: torch.Tensor, here: torch.Tensor, there: torch.Tensor, kind: str):
        self.picture, self.kind, self.union = picture, kind, here.sum(0).clamp(0, 1)
        self.either = torch.maximum(here, there)
        """For shapes: hair that grows has to count where it was not."""
        self.common = here
        """For colours: they are compared where hair stays hair, and if that is enough, away from its edges."""
        for place in (here * there, 1 - grown(1 - here * there, WINDOW)):
            enough = place.mean((1, 2)) >= COMMON
            self.common = torch.where(enough[:, None, None], place, self.common)

    def change(self, others: torch.Tensor, kind: str | None = None) -> torch.Tensor:
        """The change of a kind, the wished one by default: `[K, M]`."""
        unmoved = find_motion(self.picture, others.detach(), self.union).undo(others)
        kind = kind or self.kind
        return torch.minimum(self._change(others, kind), self._change(unmoved, kind))

    def _change(self, others: torch.Tensor, kind: str) -> torch.Tensor:
        """The same, with what has only moved counted in."""
        if kind == "shape":
            return means(shape_change(self.picture, others), self.either)
        if kind == "colour":
            changes = [colour_change(self.picture, others, place) for place in self.common]
            return torch.cat([means(change, place[None]) for change, place in zip(changes, self.common)])
        both = difference(self.picture, others) + shape_change(self.picture, others)
        return means(both, self.common)


class Judge:
    """Tells how far results are on the way from a source to a style inside a target, and what else has changed.

    source, full: the source's picture and that of all layers injected, `[1, C, R, R]`.
    target, style_target: the target's regions in either, `[K, H, W]` in 0…1. Each counts the same.
    kind: one of `wish_text.KINDS`.
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
        self.source, style = shrunk(source), shrunk(full)
        here, there = shrunk_masks(target), shrunk_masks(style_target)
        self.in_source = Target(self.source, here, there, kind)
        self.in_style = Target(style, there, here, kind)
        touched = self.in_source.either.amax(0)
        self.rest = 1 - grown(touched[None], MARGIN)[0]
        self.keep = None if keep is None else shrunk_masks(keep[None])[0] * (1 - touched)
        self.person = source if identity is None else identity(source)
        """What `identity` compares with."""
        self.distance = self.in_style.change(self.source)  # [K, 1]: how far the source is from the style
        self.most_left = self.in_source.change(style).clamp_min(LEAST[kind])
        self.most_reached = self.distance.clamp_min(LEAST[kind])
        least = torch.tensor([LEAST["shape"], LEAST["anything"]] * 2)[:, None]
        self.most_of_others = self.other_changes(full).clamp_min(least)  # [4, 1]

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """`[M, C, R, R]` → `[3, M]`: the shares inside, outside and of what is to be kept.

        Inside: the way from the source, 0, to the style, 1: half of it is to leave the one, half to reach the other.
        Outside: what has changed of what injecting all layers changes, the larger share of shapes' and of anything's: a
        head that turns changes few colours, and a new hair colour no shapes.
        """
        small = shrunk(pictures)
        left = self.in_source.change(small) / self.most_left
        reached = (self.distance - self.in_style.change(small)) / self.most_reached
        others = self.other_changes(pictures) / self.most_of_others
        return torch.stack([((left + reached) / 2).mean(0), others[:2].amax(0), others[2:].amax(0)])

    def other_changes(self, pictures: torch.Tensor) -> torch.Tensor:
        """Mean changes `[4, M]`: shapes and anything in the rest; shapes and anything to be kept."""
        small = shrunk(pictures)
        anything, shape = difference(self.source, small), shape_change(self.source, small)
        rest_shape, rest = (means(change, self.rest[None])[0] for change in (shape, anything))
        # Who wishes for one kind of change wants the other one to stay, inside too.
        if self.kind == "shape":
            sizes, outside = UNWISHED * self.in_source.common.sum((1, 2)), self.rest.sum()
            rest = (rest * outside + sizes @ self.in_source.change(small, "colour")) / (outside + sizes.sum())
        elif self.kind == "colour":
            rest_shape = shape.mean((1, 2))
        kept_shape = kept = torch.zeros(len(small))
        if self.identity is not None:
            kept = self.identity.drift(pictures, self.person).cpu()
        elif self.keep is not None:
            kept_shape, kept = (means(change, self.keep[None])[0] for change in (shape, anything))
        return torch.stack([rest_shape, rest, kept_shape, kept])


def grown(masks: torch.Tensor, radius: int) -> torch.Tensor:
    """Masks `[K, H, W]` that reach so many pixels further."""
    return F.max_pool2d(masks, 2 * radius + 1, 1, radius)


def means(change: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Changes `[M, H, W]` over places `[K, H, W]`: `[K, M]`."""
    areas = places.sum((1, 2)).clamp_min(1e-3)
    return torch.einsum("mhw,khw->km", change, places) / areas[:, None]


def shrunk(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures as they are compared: small, in colour, on the CPU."""
    return resize(pictures[:, :3].float(), SIDE, SIDE).expand(-1, 3, -1, -1).cpu()


def shrunk_masks(masks: torch.Tensor) -> torch.Tensor:
    """`[K, H, W]` → `[K, SIDE, SIDE]`."""
    return resize(masks[None].float().cpu(), SIDE, SIDE)[0].clamp(0, 1)
