"""Trying masks: pairs of a source and a style draw them, judges tell what has changed, and each gets its score."""

from collections.abc import Iterable, Sequence

import torch

from ..generator import Generator
from ..generator.sampling import sampled_w
from ..images import resize
from ..progress import OnStep
from .found import FoundMask
from .judges import Judge
from .wish_regions import Ends

LAYER_COST = 0.02
"""What a layer costs: of two masks that do about the same, the one of fewer layers is the better."""

GENERAL = 2 / 3
"""How much counts what layers do with random faces; the rest is what a mask does for the pairs asked about."""

TRIAL_SIDE = 256
"""Masks are tried on pictures that are not much larger, where a generator has such inside; they are compared in far
smaller ones."""

Strengths = tuple[float, ...]
"""A mask, of every layer."""


class Pairs:
    """Draws masks on pairs of a source and a style.

    The pairs that are asked about come first, then the first sources again with random faces as styles.

    G: what draws, and differentiates if `Trials.slope` is wanted.
    w, style: codes `[B, num_ws, w_dim]`.
    others: how many random faces.
    chunk: pictures that are drawn at a time.
    """

    def __init__(
        self,
        G: Generator,
        w: torch.Tensor,
        style: torch.Tensor,
        others: int,
        chunk: int,
        on_step: OnStep | None = None,
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
        """How many pictures have been drawn."""
        self.size = next(
            (each for each in G.synthesis.colour_resolutions if TRIAL_SIDE <= each < G.img_resolution), None
        )
        """Of what `trial` draws; None where there is only the full size."""
        self.upper = [
            layer for layer, size in enumerate(G.synthesis.layer_resolutions) if size > (self.size or size)
        ]
        """The layers that also act on larger maps."""
        self._rests: dict[int, torch.Tensor] = {}

    @property
    def asked(self) -> range:
        return range(self.count)

    @property
    def random(self) -> range:
        return range(self.count, len(self.sources))

    def draw(self, pair: int, strengths: torch.Tensor, size: int | None = None) -> torch.Tensor:
        """Masks `[M, num_ws]` on one pair: `[M, C, R, R]`, a few decoded at a time. size: as `resolution` of `draw`."""
        source, style = self.w[self.sources[pair]][None], self.style[pair][None]
        mixed = source + strengths.to(source)[:, :, None] * (style - source)
        pictures = torch.cat(
            [self.G.synthesis(part, resolution=size) for part in torch.split(mixed, self.chunk)]
        )
        self.decoded += len(pictures)
        if self.on_step is not None:
            self.on_step(self.decoded, self.expected)
        return pictures

    def trial(self, pair: int, strengths: torch.Tensor) -> torch.Tensor:
        """As `draw`, in a smaller size where there is one.

        What the larger maps add is taken from the source, and from it with each of their layers injected alone; for
        these the picture is that of `draw`, resized.
        """
        if self.size is None:
            return self.draw(pair, strengths)
        if pair not in self._rests:
            masks = torch.cat([torch.zeros(1, self.num_ws), torch.eye(self.num_ws)[self.upper]])
            small = self.draw(pair, masks, self.size)
            rests = resize(self.draw(pair, masks), *small.shape[2:]) - small
            self._rests[pair] = torch.cat([rests[:1], rests[1:] - rests[:1]])
        shares = torch.cat([torch.ones(len(strengths), 1), strengths[:, self.upper]], 1)
        rests = self._rests[pair]
        return self.draw(pair, strengths, self.size) + torch.einsum("mu,uchw->mchw", shares.to(rests), rests)

    def ends(self) -> Ends:
        """Every source, and the style of every pair."""
        ends = torch.tensor([[0.0], [1.0]]).expand(-1, self.num_ws)
        both = [self.draw(pair, ends) for pair in self.asked]
        random = [self.draw(pair, ends[1:]) for pair in self.random]
        sources = torch.cat([pictures[:1] for pictures in both])
        return Ends(sources, [pictures[-1:] for pictures in (*both, *random)], self.sources)

    @property
    def expected(self) -> int:
        """How many pictures a search draws, roughly."""
        return max(self.num_ws * (5 * self.count + len(self.sources)), self.decoded + 1)


class Trials:
    """Measures masks, each once, and what every layer is worth in general, with random faces.

    judges: one for every pair.
    care: how much more a change of the rest counts than one of the target.
    """

    def __init__(self, pairs: Pairs, judges: Sequence[Judge], care: float):
        self.pairs, self.judges, self.care = pairs, judges, care
        self.num_ws = pairs.num_ws
        self._general = self._worth_in_general() if pairs.random else None
        self._measured: dict[Strengths, FoundMask] = {}

    def __call__(self, masks: Sequence[Strengths], origins: Sequence[str] | str) -> list[FoundMask]:
        """What masks do, `[len(masks)]`. origins: one for all, or one each; a known mask keeps the one it has."""
        names = dict(zip(masks, [origins] * len(masks) if isinstance(origins, str) else origins))
        new = [mask for mask in names if mask not in self._measured]
        chunk = self.pairs.chunk
        for part in (new[start : start + chunk] for start in range(0, len(new), chunk)):
            shares = self._shares(torch.tensor(part), self.pairs.asked)
            for mask, (inside, outside, kept) in zip(part, shares.t().tolist()):
                self._measured[mask] = self._found(mask, inside, outside, kept, names[mask])
        return [self._measured[mask] for mask in masks]

    def slope(self, strengths: torch.Tensor) -> torch.Tensor:
        """Gradient of the score with respect to strengths `[num_ws]`; one pair's maps are kept at a time."""
        total = torch.zeros_like(strengths)
        for pair in self.pairs.asked:
            with torch.enable_grad():
                leaf = strengths.clone().requires_grad_()
                score = self._score(leaf, self._shares(leaf[None], [pair])[:, 0])
                total += torch.autograd.grad(score, [leaf])[0]
        return total / self.pairs.count

    def _found(self, mask: Strengths, inside: float, outside: float, kept: float, origin: str) -> FoundMask:
        strengths = torch.tensor(mask)
        score = float(self._score(strengths, torch.tensor([inside, outside, kept])))
        return FoundMask(strengths, inside, outside, kept, score, origin)

    def _score(self, strengths: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """Of strengths `[num_ws]` with the shares `[3]`."""
        here = self._worth(shares) - LAYER_COST * strengths.sum()
        return here if self._general is None else torch.lerp(here, strengths @ self._general, GENERAL)

    def _worth(self, shares: torch.Tensor) -> torch.Tensor:
        """Of shares `[3, …]`: inside, outside, kept."""
        return shares[0] - self.care * (shares[1] + shares[2])

    def _worth_in_general(self) -> torch.Tensor:
        """Of every layer alone, `[num_ws]`, with random faces."""
        layers = torch.split(torch.eye(self.num_ws), self.pairs.chunk)
        shares = torch.cat([self._shares(part, self.pairs.random) for part in layers], 1)
        return self._worth(shares) - LAYER_COST

    def _shares(self, strengths: torch.Tensor, pairs: Iterable[int]) -> torch.Tensor:
        """`[M, num_ws]` → `[3, M]`: inside, outside, kept; means over the pairs."""
        return torch.stack([self.judges[pair](self.pairs.trial(pair, strengths)) for pair in pairs]).mean(0)
