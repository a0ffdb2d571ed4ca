"""Trying masks: pairs of a source and a style draw them, judges tell what has changed, and each gets its score."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial

import torch

from ..generator import Generator
from ..generator.engine.trunk import Trunk
from ..generator.sampling import sampled_w
from ..progress import OnStep
from .found import FoundMask
from .judges import Judge
from .sketches import SKETCHED, Sketches, can_sketch
from .wish_regions import Ends

LAYER_COST = 0.02
"""What a layer costs: of two masks that do about the same, the one of fewer layers is the better."""

GENERAL = 2 / 3
"""How much counts what layers do with random faces; the rest is what a mask does for the pairs asked about."""

FULL_COST = 3
"""In the time of a picture of 1024 pixels about so many sketches are made, or pictures of late layers drawn."""

LOOKED_AT = 256
"""Side of the pictures that a search on sketches shows on its way, in pixels."""

Strengths = tuple[float, ...]
"""A mask, of every layer."""


class Pairs:
    """Draws masks on pairs of a source and a style.

    The pairs that are asked about come first, then the first sources again with random faces as styles.

    G: what draws, and differentiates if `Trials.slope` is wanted.
    w, style: codes `[B, num_ws, w_dim]`.
    others: how many random faces.
    chunk: pictures that are drawn at a time.
    sketch: whether masks may be tried on sketches.
    """

    def __init__(
        self,
        G: Generator,
        w: torch.Tensor,
        style: torch.Tensor,
        others: int,
        chunk: int,
        on_step: OnStep | None = None,
        sketch: bool = True,
    ):
        self.G, self.chunk, self.on_step = G, chunk, on_step
        self.count, self.num_ws = w.shape[:2]
        """Pairs that are asked about, and layers."""
        self.sources = [*range(self.count), *(i % self.count for i in range(others))]
        """The source of every pair."""
        self.w, self.style = w, style
        if others:
            random = torch.cat([*sampled_w(G.mapping, others, seed=0)]).to(style)
            self.style = torch.cat([style, random[:, None].expand(-1, self.num_ws, -1)])
        self.decoded = 0
        """How many pictures have been drawn, sketches among them."""
        self._done, self._note = 0, ""
        self._trunks: dict[int, Trunk] = {}
        """Of the source that was drawn last: it takes as much memory as a large picture."""
        self.sketched = sketch and can_sketch(G.synthesis)

    @property
    def asked(self) -> range:
        return range(self.count)

    @property
    def random(self) -> range:
        return range(self.count, len(self.sources))

    def draw(self, pair: int, strengths: torch.Tensor) -> torch.Tensor:
        """Masks `[M, num_ws]` on one pair: `[M, C, R, R]`, a few decoded at a time."""
        return self._decode(pair, strengths, self.G.synthesis, FULL_COST if self.sketched else 1)

    def preview(self, strengths: torch.Tensor) -> torch.Tensor:
        """The first pair with a mask `[num_ws]`, `[1, C, r, r]`: as large as is looked at while a search goes on."""
        synthesis = self.G.synthesis
        if not self.sketched:
            return self.draw(0, strengths[None])
        size = min(LOOKED_AT, synthesis.colour_resolutions[-1])
        return self._decode(0, strengths[None], partial(synthesis, resolution=size), 1)

    def draw_late(self, pair: int, strengths: torch.Tensor) -> torch.Tensor:
        """As `draw`, for masks that leave the source's first layers: these are drawn once."""
        source = self.sources[pair]
        if source not in self._trunks:
            self._trunks = {source: Trunk(self.G.synthesis, self.w[source : source + 1], SKETCHED)}
        return self._decode(pair, strengths, self._trunks[source].draw, 1)

    def trial(self, pair: int, strengths: torch.Tensor) -> torch.Tensor:
        """As `draw`, but small sketches where a generator is so large that they save time."""
        return self.sketches(pair, strengths) if self.sketched else self.draw(pair, strengths)

    @cached_property
    def sketches(self) -> Sketches:
        def maps(pair: int, strengths: torch.Tensor) -> torch.Tensor:
            return self._decode(pair, strengths, partial(self.G.synthesis.maps, resolution=SKETCHED), 1)

        sources = [self.ends.sources[source : source + 1] for source in self.sources]
        return Sketches(self.G.synthesis, sources, self.draw, self.draw_late, maps)

    def _decode(
        self, pair: int, strengths: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor], cost: int
    ) -> torch.Tensor:
        source, style = self.w[self.sources[pair]][None], self.style[pair][None]
        mixed = source + strengths.to(source)[:, :, None] * (style - source)
        results = []
        for part in torch.split(mixed, self.chunk):
            results.append(network(part))
            self.decoded += len(part)
            self._done += cost * len(part)
            self.tell()
        return torch.cat(results)

    @cached_property
    def ends(self) -> Ends:
        """Every source, and the style of every pair."""
        ends = torch.tensor([[0.0], [1.0]]).expand(-1, self.num_ws)
        both = []
        for pair in self.asked:
            both.append(self.draw(pair, ends))
            self.tell(both[0][-1:], "so far: all")
        random = [self.draw(pair, ends[1:]) for pair in self.random]
        sources = torch.cat([pictures[:1] for pictures in both])
        return Ends(sources, [pictures[-1:] for pictures in (*both, *random)], self.sources)

    def tell(self, picture: torch.Tensor | None = None, note: str | None = None) -> None:
        """Report how far the search is, with the best mask so far where there is a new one."""
        if note is not None:
            self._note = note
        if self.on_step is not None:
            self.on_step(self._done, max(self.expected, self._done + 1), picture, self._note)

    @property
    def expected(self) -> int:
        """How much a search draws, roughly: in sketches, or in pictures where it makes none."""
        tried, pairs = self.num_ws * (5 * self.count + len(self.sources)), len(self.sources)
        if not self.sketched:
            return tried
        return tried + 4 * pairs + 10 + FULL_COST * (4 * pairs + 5)


class Trials:
    """Measures masks, each once, and what every layer is worth in general, with random faces.

    judges: one for every pair.
    care: how much more a change of the rest counts than one of the target.
    """

    def __init__(self, pairs: Pairs, judges: Sequence[Judge], care: float):
        self.pairs, self.judges, self.care = pairs, judges, care
        self.num_ws = pairs.num_ws
        self._general: torch.Tensor | None = None
        """What every layer alone is worth with every random face, `[num_ws, len(pairs.random)]`."""
        self._shares: dict[Strengths, torch.Tensor] = {}
        self._measured: dict[Strengths, FoundMask] = {}
        self._best: FoundMask | None = None
        self.singles()  # before all else: the best of them can be shown at once
        if pairs.random:
            self._general = self._worth_in_general()
            for mask, found in self._measured.items():
                self._measured[mask] = self._found(mask, self._shares[mask], found.origin)
            self._best = None

    def __call__(self, masks: Sequence[Strengths], origins: Sequence[str] | str) -> list[FoundMask]:
        """What masks do, `[len(masks)]`. origins: one for all, or one each; a known mask keeps the one it has."""
        names = dict(zip(masks, [origins] * len(masks) if isinstance(origins, str) else origins))
        new = [mask for mask in names if mask not in self._measured]
        chunk = self.pairs.chunk
        for part in (new[start : start + chunk] for start in range(0, len(new), chunk)):
            for mask, shares in zip(part, self._measure(torch.tensor(part), self.pairs.asked)):
                self._shares[mask] = shares
                self._measured[mask] = self._found(mask, shares, names[mask])
            self._show_best()
        return [self._measured[mask] for mask in masks]

    def singles(self) -> list[FoundMask]:
        """What every layer does alone."""
        layers = torch.eye(self.num_ws).tolist()
        return self([tuple(layer) for layer in layers], [f"layer {i}" for i in range(self.num_ws)])

    def finished(self, chosen: Sequence[FoundMask]) -> tuple[list[FoundMask], torch.Tensor]:
        """Masks as measured on pictures of the full size, and these pictures of the first pair, `[M, C, R, R]`."""
        strengths = torch.stack([found.strengths for found in chosen])
        pictures = self.pairs.draw(0, strengths)
        if not self.pairs.sketched:
            return [*chosen], pictures
        others = (self.judges[pair](self.pairs.draw(pair, strengths)) for pair in self.pairs.asked[1:])
        shares = torch.stack([self.judges[0](pictures), *others]).movedim(2, 0)
        return [
            self._found(f.strengths.tolist(), each, f.origin) for f, each in zip(chosen, shares)
        ], pictures

    def slope(self, strengths: torch.Tensor) -> torch.Tensor:
        """Gradient of the score with respect to strengths `[num_ws]`; one pair's maps are kept at a time."""
        total = torch.zeros_like(strengths)
        for pair in self.pairs.asked:
            with torch.enable_grad():
                leaf = strengths.clone().requires_grad_()
                score = self._score(leaf, self._measure(leaf[None], [pair])[0])
                total += torch.autograd.grad(score, [leaf])[0]
        return total / self.pairs.count

    def _show_best(self) -> None:
        """Tell of the best mask so far, with its picture, where it is a new one."""
        best = max(self._measured.values(), key=lambda found: found.score)
        if best is not self._best and self.pairs.on_step is not None:
            self._best = best
            self.pairs.tell(self.pairs.preview(best.strengths), f"best so far: {best.mask_text}")

    def _found(self, mask: Sequence[float], shares: torch.Tensor, origin: str) -> FoundMask:
        """shares: `[P, 3]`, of the pairs that are asked about."""
        strengths = torch.tensor(mask)
        worth = self._worth(shares)
        if self._general is not None:
            worth = torch.cat([worth, strengths @ self._general])
        inside, outside, kept = shares.mean(0).tolist()
        score, agreement = float(self._score(strengths, shares)), float((worth > 0).float().mean())
        return FoundMask(strengths, inside, outside, kept, score, agreement, origin)

    def _score(self, strengths: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """Of strengths `[num_ws]` with the shares `[P, 3]`."""
        here = self._worth(shares).mean() - LAYER_COST * strengths.sum()
        return (
            here if self._general is None else torch.lerp(here, (strengths @ self._general).mean(), GENERAL)
        )

    def _worth(self, shares: torch.Tensor) -> torch.Tensor:
        """Of shares `[…, 3]`: inside, outside, kept."""
        inside, outside, kept = shares.unbind(-1)
        return inside - self.care * (outside + kept)

    def _worth_in_general(self) -> torch.Tensor:
        layers = torch.split(torch.eye(self.num_ws), self.pairs.chunk)
        shares = torch.cat([self._measure(part, self.pairs.random) for part in layers])
        return self._worth(shares) - LAYER_COST

    def _measure(self, strengths: torch.Tensor, pairs: Iterable[int]) -> torch.Tensor:
        """`[M, num_ws]` → `[M, P, 3]`: inside, outside, kept, with each of the pairs."""
        shares = [self.judges[pair](self.pairs.trial(pair, strengths)) for pair in pairs]
        return torch.stack(shares).movedim(2, 0)
