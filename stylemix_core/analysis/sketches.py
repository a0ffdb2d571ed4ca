"""Small pictures of masks in a third of the time: what large maps make of small ones is learnt, not drawn each time."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from ..generator.engine.synthesis import Synthesis
from ..images import resize
from .judges import SIDE

SKETCHED = 128
"""Side of the maps that sketches are made from. A generator of 512 pixels and more has such inside, and draws them in a
third of the time of a picture."""

RIDGE = 1e-4
"""Of the least squares, in the mean square of a channel."""

Draw = Callable[[int, torch.Tensor], torch.Tensor]
"""Of masks `[M, num_ws]` on a pair: pictures `[M, C, R, R]`, or maps."""


def can_sketch(synthesis: Synthesis) -> bool:
    return SKETCHED in synthesis.colour_resolutions and synthesis.colour_resolutions[-1] >= 4 * SKETCHED


class Sketches:
    """Draws masks on pairs small, `[M, C, SIDE, SIDE]`.

    The layers that act on maps up to `SKETCHED`, the inner ones, are followed up to there; what the rest of the network
    makes of these maps is linear nearly enough, and is fitted to a full picture of every pair. What the outer layers do
    is taken from the source with each of them injected alone. Of those, and of the source, sketches are exact.

    sources: the source's picture of every pair, `[1, C, R, R]`.
    draw, draw_late, maps: what draws masks on a pair: in full, those of outer layers in full, and up to `SKETCHED`.
    """

    def __init__(
        self,
        synthesis: Synthesis,
        sources: Sequence[torch.Tensor],
        draw: Draw,
        draw_late: Draw,
        maps: Draw,
    ):
        self.sources = [small(source) for source in sources]
        self.draw, self.draw_late, self.maps = draw, draw_late, maps
        self.num_ws = synthesis.num_ws
        layers = [layer for layer, _ in synthesis.styled()]
        depth = sum(len(stage.styled()) for stage in synthesis.stages(SKETCHED))
        self.outer = sorted({*layers[depth:]})
        """The layers that act on larger maps; one of them acts on smaller ones as well."""
        self.inner = sorted({*layers} - {*self.outer})
        self.both = [layer in layers[:depth] for layer in self.outer]
        self._effects: dict[int, Effects] = {}
        self._head = self._learn()

    def __call__(self, pair: int, strengths: torch.Tensor) -> torch.Tensor:
        if pair not in self._effects:
            self._effects[pair] = self._effects_of(pair)
        effects = self._effects[pair]
        outer = strengths[:, self.outer].to(effects.alone)
        sketches = effects.source + torch.einsum("mu,uchw->mchw", outer, effects.alone)
        inner = strengths[:, self.inner].any(1)
        if inner.any():
            missing = effects.missing + torch.einsum("mu,uchw->mchw", outer[inner], effects.missing_alone)
            sketches[inner] = self._fitted(pair, strengths[inner]) + missing
        return sketches

    def _learn(self) -> torch.Tensor:
        """Fit the pictures of every pair's source, and of it with all inner layers of the style: `[C + 1, 3]`."""
        every = torch.zeros(1, self.num_ws)
        every[:, self.inner] = 1.0
        masks = torch.cat([torch.zeros_like(every), every])
        squares, products = [], []
        for pair, source in enumerate(self.sources):
            pictures = torch.cat([source, small(self.draw(pair, every))]).movedim(1, -1)
            x, y = (
                each.flatten(0, 2).cpu().double() for each in (with_ones(self.maps(pair, masks)), pictures)
            )
            squares.append(x.T @ x)
            products.append(x.T @ y)
        total = torch.stack(squares).sum(0)
        total += RIDGE * total.diagonal().mean() * torch.eye(len(total)).double()
        return torch.linalg.solve(total, torch.stack(products).sum(0)).to(self.sources[0])

    def _fitted(self, pair: int, strengths: torch.Tensor) -> torch.Tensor:
        return (with_ones(self.maps(pair, strengths)) @ self._head).movedim(-1, 1)

    def _effects_of(self, pair: int) -> "Effects":
        none, each = torch.zeros(1, self.num_ws), torch.eye(self.num_ws)[self.outer]
        fitted, *fitted_alone = self._fitted(pair, torch.cat([none, each[self.both]])).split(1)
        source = self.sources[pair]
        alone = small(self.draw_late(pair, each)) - source
        missing_alone = alone.clone()
        missing_alone[self.both] -= torch.cat(fitted_alone) - fitted
        return Effects(source, alone, source - fitted, missing_alone)


class Effects(NamedTuple):
    """What the outer layers do, `[…, C, SIDE, SIDE]`."""

    source: torch.Tensor
    """The source."""
    alone: torch.Tensor
    """What each of them changes in it, injected alone."""
    missing: torch.Tensor
    """What the fit lacks of the source."""
    missing_alone: torch.Tensor
    """What it lacks of `alone`."""


def small(pictures: torch.Tensor) -> torch.Tensor:
    return resize(pictures, SIDE, SIDE)


def with_ones(maps: torch.Tensor) -> torch.Tensor:
    """Maps `[B, C, H, W]` as what pictures are fitted by: `[B, SIDE, SIDE, C + 1]`."""
    channels = small(maps.float()).movedim(1, -1)
    return torch.cat([channels, torch.ones_like(channels[..., :1])], -1)
