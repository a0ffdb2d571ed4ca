"""Whether directions are what papers define, what they change on the demo model, and what the identity cap reaches.

    python benchmarks/insight_directions.py            some minutes on two cores
    python benchmarks/insight_directions.py --small    half a minute

`insight.py` runs it among its parts. On the demo model w reads attributes by construction (`demo/truth.py`): what a
direction does to the styles of its layers is a sum over attributes, each reading coordinates of its own.
"""

import sys

import torch

import stylemix_core as sm
from stylemix_core.codes.directions import Directions
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.codes.unsupervised import stacked_affine_weights
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS
from stylemix_core.encoder.identity import Identity
from stylemix_core.generator import Generator
from stylemix_core.generator.sampling import sampled_w

COUNT = 10
"""Directions of a kind."""
LIMIT = 0.1
"""Of identity drift."""

Row = tuple[str, float, str, float]


@torch.inference_mode()
def figures(small: bool) -> list[Row]:
    """Name, value, relation and goal of every figure."""
    generator, encoder = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    return [
        *definitions(generator, 1000 if small else 10_000),
        *alignment(generator),
        *identity_cap(generator, sm.find_identity(None, encoder), 2 if small else 8),
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
    print(table(), "\n\n| figure | value | goal |\n|---|---|---|")
    missed = False
    for name, value, relation, goal in figures("--small" in sys.argv):
        met = {"≥": value >= goal, "≤": value <= goal}.get(relation, True)
        missed |= not met
        goal_text = f"{relation} {goal:g}" if relation else ""
        print(f"| {name} | {value:.4g} | {goal_text} |{'' if met else ' missed'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
