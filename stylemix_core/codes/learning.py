"""A direction from examples: faces that have something, and faces that have it not.

A layer of the generator sees little of w: what its affine maps read. So every layer gets a model of its own, of what it
sees alone, and held-out faces say which layers tell the two groups apart. That leaves out most of the noise of few
examples, which a plain difference of means keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..errors import StyleMixError
from ..generator import Generator
from ..generator.sampling import sampled_w
from ..progress import OnStep
from ..wording import counted
from .directions import Confidence, Directions
from .latents import Latents, check_generator

FEWEST = 3
"""Faces on either side, at least. Ten and more give directions that hold."""
SAMPLES = 2_000
"""Sampled w that tell how w varies."""
SHRINKAGE = 1.0
"""Added to the variances of w, in the largest of them: few examples do not tell its small ones."""
SIGHT = 0.01
"""Variance of a layer's styles, in its largest, that counts as half seen."""
ALIKE, BEYOND_CHANCE = 0.35, 1.2
"""Layers carry the direction, too, that tell the groups apart so well, compared with the best layer and with the best
that shuffled labels gave."""
CHANCES = 20
"""Shuffles of the labels that a direction must be better than."""
RESAMPLES = 10
"""Random halves of the examples that tell how stable a direction is."""
MOST_FOLDS = 20
SAME = 1e-6
"""Groups do not differ whose means are no further apart than this part of how far all faces are from the mean."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What the layers of a generator see of w."""

    mean: torch.Tensor
    """Float64 `[w_dim]`, of sampled w."""
    whiten: torch.Tensor
    """Float64 `[w_dim, w_dim]`, symmetric: w − mean times it varies alike in all directions, nearly."""
    spread: torch.Tensor
    """Float64 `[w_dim, w_dim]`: the root of the covariance of w."""
    seen: torch.Tensor
    """Float64 `[num_ws, w_dim, w_dim]`: what of whitened w a layer's styles depend on, nearly a projection."""

    @classmethod
    def of(cls, generator: Generator) -> "Sight":
        """Of the last generator it is remembered: who sorts faces learns anew with every choice."""
        key = generator.fingerprint()
        sight = _remembered.get(key)
        if sight is None:
            sight = cls.measured(generator)
            _remembered.clear()
            _remembered[key] = sight
        return sight

    @classmethod
    def measured(cls, generator: Generator) -> "Sight":
        """`of`, worked out."""
        w = torch.cat([*sampled_w(generator.mapping, SAMPLES, 0)]).double()
        values, vectors = torch.linalg.eigh(torch.cov(w.T))
        values = values.clamp_min(0)
        spread = (vectors * values.sqrt()) @ vectors.T
        whiten = (vectors * (values + SHRINKAGE * values.max()).rsqrt()) @ vectors.T
        seen = []
        for layer in range(generator.num_ws):
            weights = [
                m.affine.weight * m.affine.weight_gain
                for at, m in generator.synthesis.styled()
                if at == layer
            ]
            styles = torch.cat([weight.detach().cpu().double() for weight in weights]) @ spread
            energy, basis = torch.linalg.eigh(styles.T @ styles)
            energy = energy.clamp_min(0)
            seen.append((basis * (energy / (energy + SIGHT * energy.max().clamp_min(1e-30)))) @ basis.T)
        return cls(w.mean(0), whiten, spread, torch.stack(seen))


_remembered: dict[str, Sight] = {}


def learn_direction(
    generator: Generator,
    positive: Latents | torch.Tensor,
    negative: Latents | torch.Tensor,
    name: str = "learnt",
    pairs: bool = False,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Directions:
    """Learn a direction from faces that have something and faces that have it not. No pictures are drawn.

    positive, negative: codes `[N, num_ws, w_dim]` of at least three faces each, sampled, encoded or inverted. Of codes
        that injection has added to, w alone counts.
    pairs: whether they are the same faces after and before, in order: then what sets the faces apart drops out.
    seed: of the shuffles and resamples behind the confidence. on_step: called as `on_step(done, total, None)`.
    Returns one direction of its own vector in every layer, 0 in layers that do not carry it; strength 1 is the typical
    difference of the two groups, measured on held-out faces. Its `confidence` tells how far to trust it.

    Every layer's model is a linear discriminant (Fisher 1936) under a prior: the difference of the groups' means in
    whitened W, projected onto what the layer's styles depend on. `StyleMixError` for fewer than three faces,
    and for groups that do not differ, `LatentMismatchError` when codes do not fit.

    >>> people = G.mapping(sm.sample_z(range(20), G.z_dim))
    >>> direction = sm.learn_direction(G, people[:10], people[10:], "smile")
    >>> sm.apply_direction(sm.Latents.of(faces), direction, "smile", 1.0).w.shape
    torch.Size([2, 8, 16])
    """
    sides = [one if isinstance(one, Latents) else Latents.of(one) for one in (positive, negative)]
    check_sides(generator, sides, pairs)
    sight = Sight.of(generator)
    examples = Examples.of(sight, sides, pairs)
    total = 1 + CHANCES + RESAMPLES
    if examples.difference().norm() <= SAME * examples.x.norm():
        raise StyleMixError(
            "the faces of both groups are the same on average, so there is nothing to learn; give faces that differ"
        )
    score = examples.scores(examples.labels)
    random = torch.Generator().manual_seed(seed % 2**63)
    by_chance = []
    for done in range(CHANCES):
        by_chance.append(float(examples.scores(examples.shuffled(random)).max()))
        _tell(on_step, done + 1, total)
    floor = BEYOND_CHANCE * max(by_chance)
    layers = carrying(score, floor)
    vector = examples.vector(layers)
    cosines = []
    for done in range(RESAMPLES):
        half = examples.half(random)
        cosines.append(float(torch.cosine_similarity(half.vector(layers).flatten(), vector.flatten(), 0)))
        _tell(on_step, CHANCES + done + 1, total)
    right, difference = examples.held_out(floor)
    direction = vector / vector.norm()
    if difference <= 0:  # noise, of which nothing is left on faces held out
        difference = examples.apart(direction)
    confidence = Confidence(
        positive=len(sides[0]),
        negative=len(sides[1]),
        accuracy=right,
        stability=sum(cosines) / len(cosines),
        separation=float(score.max()),
        by_chance=max(by_chance),
        layers=tuple(float(one) for one in score),
        pairs=pairs,
    )
    _tell(on_step, total, total)
    return Directions(
        vectors=direction[None],
        units=torch.tensor([difference]),
        shares=None,
        names=(name,),
        layers=layers.float(),
        method="learnt",
        generator=generator.fingerprint(),
        confidence=confidence,
    )


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled codes, as the layers see them."""

    w: torch.Tensor
    """Float32 `[N, num_ws, w_dim]`, from the mean of sampled w; of pairs, from the mean of the pair."""
    x: torch.Tensor
    """The same, whitened."""
    seen: torch.Tensor
    """The part of `x` that the layers see."""
    labels: torch.Tensor
    """bool `[N]`. Of pairs, the first half is labelled and the second half are their partners."""
    pairs: bool
    sight: Sight

    @classmethod
    def of(cls, sight: Sight, sides: Sequence[Latents], pairs: bool) -> "Examples":
        w = torch.cat([side.w.cpu().double() for side in sides]) - sight.mean
        if pairs:
            before = w.unflatten(0, (2, -1))
            w = (before - before.mean(0)).flatten(0, 1)
        x = w @ sight.whiten
        seen = torch.einsum("nld,lde->nle", x, sight.seen)
        labels = torch.arange(len(w)) < len(sides[0])
        return cls(w.float(), x.float(), seen.float(), labels, pairs, sight)

    def take(self, kept: torch.Tensor) -> "Examples":
        """Some of them; kept: bool `[N]`."""
        return Examples(
            self.w[kept], self.x[kept], self.seen[kept], self.labels[kept], self.pairs, self.sight
        )

    def scores(self, labels: torch.Tensor) -> torch.Tensor:
        """How well every layer tells the groups apart, `[num_ws]`: Student's t of the faces' scores, each by the means
        of all others, without its partner where there are pairs."""
        signs = torch.stack([labels, ~labels]).float()  # [2, N]
        counts = signs.sum(1)
        towards = torch.einsum("nld,gld->gnl", self.seen, torch.einsum("gn,nld->gld", signs, self.x))
        own = torch.einsum("nld,nld->nl", self.seen, self.x)
        left = signs[:, :, None] * own
        taken = signs
        if self.pairs:  # a partner is the same with the other sign
            left = left - signs.flip(0)[:, :, None] * own
            taken = torch.ones_like(signs)
        means = (towards - left) / (counts[:, None] - taken)[:, :, None]
        score = means[0] - means[1]
        one, other = score[labels], score[~labels]
        variance = (one.var(0) * (len(one) - 1) + other.var(0) * (len(other) - 1)) / (len(score) - 2)
        error = (variance * (1 / len(one) + 1 / len(other))).clamp_min(1e-12).sqrt()
        return (one.mean(0) - other.mean(0)) / error

    def difference(self) -> torch.Tensor:
        """Of the groups' means, whitened: `[num_ws, w_dim]`."""
        return self.x[self.labels].mean(0) - self.x[~self.labels].mean(0)

    def apart(self, direction: torch.Tensor) -> float:
        """How far the groups' means are apart along a direction `[num_ws, w_dim]` of length one."""
        means = self.w[self.labels].mean(0) - self.w[~self.labels].mean(0)
        return float((means * direction).sum())

    def vector(self, layers: torch.Tensor) -> torch.Tensor:
        """Where the layers' models point to in W+, `[num_ws, w_dim]`; 0 in all other layers."""
        seen = torch.einsum("ld,lde->le", self.difference().double(), self.sight.seen)
        return ((seen @ self.sight.spread) * layers[:, None]).float()

    def shuffled(self, random: torch.Generator) -> torch.Tensor:
        """Labels that mean nothing, as many of either kind: neither these nor their opposite, which say the same."""
        count = len(self.labels)
        while True:
            if self.pairs:
                labels = self.labels ^ torch.randint(2, [count // 2], generator=random).bool().repeat(2)
            else:
                labels = self.labels[torch.randperm(count, generator=random)]
            if 0 < int((labels == self.labels).sum()) < count:
                return labels

    def units(self) -> torch.Tensor:
        """What is left out together, as numbers `[N]`: faces, or pairs."""
        count = len(self.labels)
        return torch.arange(count // 2).repeat(2) if self.pairs else torch.arange(count)

    def half(self, random: torch.Generator) -> "Examples":
        """Half of either group, of pairs the same half."""
        kept = torch.zeros(len(self.labels), dtype=torch.bool)
        for group in (self.labels, ~self.labels):
            places = group.nonzero()[:, 0]
            kept[places[torch.randperm(len(places), generator=random)[: max(2, len(places) // 2)]]] = True
        if self.pairs:
            chosen = kept[: len(kept) // 2]
            kept = chosen.repeat(2)
        return self.take(kept)

    def held_out(self, floor: float) -> tuple[float, float]:
        """By models that have not seen them: the share of faces that are told right, and how far the groups are apart
        along the model's vector of length one."""
        units = self.units()
        right: list[bool] = []
        along: tuple[list[float], list[float]] = ([], [])
        for fold in range(min(MOST_FOLDS, int(units.max()) + 1)):
            out = units % MOST_FOLDS == fold
            rest, held = self.take(~out), self.take(out)
            layers = carrying(rest.scores(rest.labels), floor)
            model = rest.difference() * layers[:, None]
            scores = torch.einsum("nld,ld->n", rest.seen, model)
            middle = (scores[rest.labels].mean() + scores[~rest.labels].mean()) / 2
            right += ((torch.einsum("nld,ld->n", held.seen, model) > middle) == held.labels).tolist()
            vector = rest.vector(layers)
            reach = torch.einsum("nld,ld->n", held.w, vector / vector.norm().clamp_min(1e-12))
            for group, chosen in zip(along, (held.labels, ~held.labels), strict=True):
                group += reach[chosen].tolist()
        positive, negative = (sum(group) / len(group) for group in along)
        return sum(right) / len(right), positive - negative


def carrying(scores: torch.Tensor, floor: float) -> torch.Tensor:
    """Which layers carry a direction, bool `[num_ws]`, by how well they tell the groups apart: the best, and those
    near it and above the floor."""
    best = scores.max()
    return (scores == best) | ((scores >= ALIKE * best) & (scores >= floor))


def check_sides(generator: Generator, sides: Sequence[Latents], pairs: bool) -> None:
    """Errors as `learn_direction` has them."""
    counts = [len(side) for side in sides]
    if min(counts) < FEWEST:
        raise StyleMixError(
            f"there are {counted(counts[0], 'face')} with it and {counts[1]} without it; give {FEWEST} or "
            "more of both, better ten"
        )
    if pairs and counts[0] != counts[1]:
        raise StyleMixError(
            f"pairs are of the same faces after and before, but there are {counts[0]} and {counts[1]}; give equally "
            "many, in the same order"
        )
    for side in sides:
        check_generator(side, generator)


def _tell(on_step: OnStep | None, done: int, total: int) -> None:
    if on_step is not None:
        on_step(done, total, None)
