"""Whether directions are what papers define, what they change on the demo model, what few examples teach, and what the
identity cap reaches.

    python benchmarks/insight_directions.py            some minutes on two cores
    python benchmarks/insight_directions.py --small    half a minute

`insight.py` runs it among its parts. With scikit-learn installed, its logistic regression is the yardstick of what is
learnt. On the demo model w reads attributes by construction (`demo/truth.py`): what a
direction does to the styles of its layers is a sum over attributes, each reading coordinates of its own.
"""

import sys

import torch

try:
    from sklearn.linear_model import LogisticRegression
except ImportError:
    LogisticRegression = None

from goals import Row, report

import stylemix_core as sm
from stylemix_core.codes.directions import Directions
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.codes.unsupervised import stacked_affine_weights
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS, Group
from stylemix_core.encoder.identity import Identity
from stylemix_core.generator import Generator
from stylemix_core.generator.sampling import sampled_w

COUNT = 10
"""Directions of a kind."""
REFERENCE = 2_000
"""Labelled faces of the directions that those of few are compared with."""
LIMIT = 0.1
"""Of identity drift."""


@torch.inference_mode()
def figures(small: bool) -> list[Row]:
    """Name, value, relation and goal of every figure."""
    generator, encoder = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    return [
        *definitions(generator, 1000 if small else 10_000),
        *alignment(generator),
        *identity_cap(generator, sm.find_identity(None, encoder), 2 if small else 8),
        *by_example(generator, small),
    ]


def definitions(generator: Generator, samples: int) -> list[Row]:
    """The largest difference of any number to the singular vectors that the papers define."""
    every = torch.ones(generator.num_ws, dtype=torch.bool)
    w = torch.cat([*sampled_w(generator.mapping, samples, seed=0)]).double()
    defined = {"SeFa": stacked_affine_weights(generator, every), "GANSpace": w - w.mean(0)}
    rows: list[Row] = []
    for method, matrix in defined.items():
        expected = torch.linalg.svd(matrix, full_matrices=False)[2][:COUNT]
        found = sm.find_directions(generator, method, count=COUNT, samples=samples).vectors
        signs = (found.double() * expected).sum(1, keepdim=True).sign()
        rows.append(
            (f"{method} against its definition", float((found - signs * expected).abs().max()), "≤", 1e-5)
        )
    return rows


def alignment(generator: Generator) -> list[Row]:
    """How much of a direction's effect goes through the one attribute that it changes most: means over directions."""
    rows: list[Row] = []
    for method in ("SeFa", "GANSpace"):
        found = sm.find_directions(generator, method, count=COUNT)
        rows.append(
            (f"{method}, all layers: effect through one attribute", purity(generator, found), "", 0.0)
        )
    for method, goal in (("SeFa", 0.6), ("GANSpace", 0.0)):
        by_group = [
            purity(generator, sm.find_directions(generator, method, f"{g.first_layer}-{g.last_layer}", COUNT))
            for g in GROUPS
        ]
        name = f"{method}, layers of one group: effect through one attribute"
        rows.append((name, sum(by_group) / len(by_group), "≥" if goal else "", goal))
    found = sm.find_directions(generator, "SeFa", count=COUNT)
    random = torch.randn(COUNT, generator.w_dim, generator=torch.Generator().manual_seed(0))
    chance = Directions(random, found.units, found.shares, found.names, found.layers, "SeFa")
    rows.append(("random directions: effect through one attribute", purity(generator, chance), "", 0.0))
    return rows


def purity(generator: Generator, directions: Directions) -> float:
    return float(attribute_shares(generator, directions).max(1).values.mean())


def attribute_shares(generator: Generator, directions: Directions) -> torch.Tensor:
    """`[K, attributes]`: what of a direction's effect on its layers' styles goes through each attribute, 1 in all."""
    weights = stacked_affine_weights(generator, directions.layers.bool())
    reads = truth.attribute_of_coordinate()
    effects = [
        (weights[:, reads == column] @ directions.vectors.double()[:, reads == column].T).square().sum(0)
        for column in range(len(ATTRIBUTES))
    ]
    shares = torch.stack(effects, dim=1)
    return shares / shares.sum(1, keepdim=True)


class People:
    """Sampled w, and the attributes that they have: some for the reference, as many again for the examples."""

    def __init__(self, generator: Generator, reference: int):
        self.reference = reference
        z = torch.randn(2 * reference, generator.z_dim, generator=torch.Generator().manual_seed(9))
        self.w, self.attributes = generator.mapping(z), truth.attributes_of(z)

    def sides(self, column: int, count: int, seed: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes of faces of either half of an attribute, of the first faces without a seed, of later ones with one."""
        order = torch.arange(self.reference)
        if seed is not None:
            random = torch.Generator().manual_seed(100 * seed + column)
            order = self.reference + torch.randperm(self.reference, generator=random)
        has = self.attributes[order, column] > 0.5
        return self.w[order[has][:count]], self.w[order[~has][:count]]


def by_example(generator: Generator, small: bool) -> list[Row]:
    """Directions learnt from few labelled faces, against those of 2,000 and against the truth, over all attributes."""
    people = People(generator, REFERENCE // 4 if small else REFERENCE)
    columns = range(0, len(ATTRIBUTES), 6 if small else 1)
    fresh = people.w[-200:]
    rows: list[Row] = []
    learnt = {
        column: sm.learn_direction(generator, *people.sides(column, people.reference // 2, None))
        for column in columns
    }
    normals = {}
    if LogisticRegression is not None:
        normals = {column: normal_of(people.sides(column, people.reference // 2, None)) for column in columns}
    for count, goal in ((10, 0.6), (20, 0.7), (50, 0.8)):
        cosines, groups, right, leaks, noise, theirs = [], [], [], [], [], []
        for column in columns:
            for seed in range(1 if small else 3):
                sides = people.sides(column, count, seed)
                found = sm.learn_direction(generator, *sides, seed=seed)
                reference = learnt[column].vectors.flatten()
                cosines.append(float(torch.cosine_similarity(found.vectors.flatten(), reference, 0)))
                layer = max(range(generator.num_ws), key=found.confidence.layers.__getitem__)
                groups.append(float(layer in group_of(column).layers))
                moved = sm.apply_direction(sm.Latents.of(fresh), found, 1, 1.0).w
                change = value_of(moved, column) - value_of(fresh, column)
                right.append(float((change > 0).float().mean()))
                plain = (sides[0].mean(0) - sides[1].mean(0))[None]
                leaks.append(
                    leaked(generator, found.vectors[0], column) / leaked(generator, plain[0], column)
                )
                noise.append(float(found.confidence.is_noise))
                if LogisticRegression is not None:
                    theirs.append(float(torch.cosine_similarity(normal_of(sides), normals[column], 0)))
        name = f"learnt from {count} + {count}"
        rows += [
            (f"{name}: cosine to {people.reference:,}", mean(cosines), "≥", goal),
            (f"{name}: right group of layers", mean(groups), "≥", 0.9),
            (f"{name}: faces moved the right way", mean(right), "≥", 0.95),
            (f"{name}: leakage into other groups, of a plain difference of means", mean(leaks), "≤", 0.5),
            (f"{name}: called noise", mean(noise), "", 0.0),
        ]
        if theirs:
            rows.append(
                (f"{name}: cosine of scikit-learn's logistic regression to its own", mean(theirs), "", 0.0)
            )
    called = []
    for seed in range(20 if small else 100):
        order = torch.randperm(len(people.w), generator=torch.Generator().manual_seed(seed))
        found = sm.learn_direction(generator, people.w[order[:10]], people.w[order[10:20]], seed=seed)
        called.append(float(found.confidence.is_noise))
    return [*rows, ("labels at random called noise", mean(called), "≥", 0.95)]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def normal_of(sides: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """The normal of a linear model of w as InterFaceGAN fits it: what scikit-learn makes of the same faces."""
    labels = [1] * len(sides[0]) + [0] * len(sides[1])
    model = LogisticRegression(max_iter=1_000).fit(torch.cat([*sides])[:, 0].numpy(), labels)
    return torch.from_numpy(model.coef_[0])


def group_of(column: int) -> Group:
    return next(group for group in GROUPS if ATTRIBUTES[column].layer in group.layers)


def value_of(w: torch.Tensor, column: int) -> torch.Tensor:
    """How much codes have of an attribute where its layer reads it: w mirrors every coordinate."""
    own = (truth.attribute_of_coordinate() == column).float()
    half = w.shape[2] // 2
    sign = torch.where(torch.arange(w.shape[2]) < half, own, -own)
    return w[:, ATTRIBUTES[column].layer] @ sign


def leaked(generator: Generator, vectors: torch.Tensor, column: int) -> float:
    """What part of the effect on styles of vectors `[num_ws, w_dim]` goes through attributes of other groups."""
    reads = truth.attribute_of_coordinate()
    energy = torch.zeros(len(ATTRIBUTES), dtype=torch.float64)
    for layer in range(generator.num_ws):
        weights = stacked_affine_weights(generator, torch.arange(generator.num_ws) == layer)
        for other in range(len(ATTRIBUTES)):
            part = weights[:, reads == other] @ vectors[layer, reads == other].double()
            energy[other] += part.square().sum()
    own = [place for place, attribute in enumerate(ATTRIBUTES) if attribute.layer in group_of(column).layers]
    return float(1 - energy[own].sum() / energy.sum())


def identity_cap(generator: Generator, identity: Identity, count: int) -> list[Row]:
    """Drift of capped injections against the limit, where the limit was met."""
    faces, styles = sample_latents(generator, range(count), 0.8), sample_latents(generator, [1000], 0.8)
    masks = sm.parse_masks("hair: 4-5; features: 6-7; colours: 8-10; all", generator.num_ws)
    capped = sm.cap_identity(faces, styles, masks, LIMIT, sm.seen_by(generator, identity))
    reached = capped.drifts[capped.limited] / LIMIT
    return [
        (f"identity cap by {identity.name}: drift / limit, mean", float(reached.mean()), "≥", 0.95),
        ("identity cap: drift / limit, highest", float((capped.drifts / LIMIT).max()), "≤", 1.0),
        ("identity cap: results that meet the limit", float(capped.limited.float().mean()), "", 0.0),
    ]


@torch.inference_mode()
def table() -> str:
    """What the strongest directions change, in words."""
    generator = sm.load_generator("demo", "cpu")
    lines = ["| direction | attributes of its effect |", "|---|---|"]
    for method, layers in (("SeFa", "all"), ("GANSpace", "all"), ("SeFa", "4-5"), ("SeFa", "6-7")):
        found = sm.find_directions(generator, method, layers, COUNT)
        for name, shares in zip(found.names, attribute_shares(generator, found)):
            top = shares.topk(3)
            words = [
                f"{ATTRIBUTES[i].name} {100 * share:.0f} %"
                for share, i in zip(top.values, top.indices.tolist())
            ]
            lines.append(f"| {name}, layers {layers} | {', '.join(words)} |")
    return "\n".join(lines)


def main() -> int:
    print(table(), "\n")
    small = "--small" in sys.argv
    return report(figures(small), judged=not small)


if __name__ == "__main__":
    sys.exit(main())
