"""Whether Explain Layers says what is true of the demo models, and what it costs.

    python benchmarks/insight_explain.py            about ten minutes on two cores
    python benchmarks/insight_explain.py --small    a minute; the goals are for the full run only

The truth: `demo/attributes.py` says which layer carries an attribute, the renderer draws what injecting it must look
like and knows what every pixel shows.
"""

import statistics
import sys
import time
from collections.abc import Sequence

import torch
from decode import random_generator
from goals import Row, report

import stylemix_core as sm
from stylemix_core.analysis.explain import SIDE, explain_layers
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS
from stylemix_core.demo.renderer import render
from stylemix_core.faces.regions import faces_of, find_regions
from stylemix_core.generator import Generator
from stylemix_core.images import resize

REGIONS = ("hair", "eyes", "background")
FIRST_HELD_OUT_SEED = 1_000_000
WHOLE = {"picture": torch.ones(8, 8)}
"""Where regions do not matter, none are looked for."""


def figures(small: bool) -> list[Row]:
    """Rows of name, value, relation to the goal, and goal."""
    with torch.inference_mode():
        generator = sm.load_generator("demo", "cpu")
        return [
            *named_groups(generator, 8 if small else 200),
            *ranked_groups(generator, 2 if small else 40),
            *time_taken(generator, 1 if small else 3, 64 if small else 1024),
        ]


def named_groups(generator: Generator, count: int) -> list[Row]:
    """Pairs that differ in one attribute, every attribute in turn: is the strongest layer in its group?"""
    random = torch.Generator().manual_seed(1)
    groups_right: dict[str, list[bool]] = {}
    layers_right = []
    for number in range(count):
        column = number % len(ATTRIBUTES)
        attribute = ATTRIBUTES[column]
        source = torch.rand(1, len(ATTRIBUTES), generator=random)
        style = source.clone()
        style[0, column] = torch.rand(1, generator=random)
        codes = generator.mapping(truth.z_of(torch.cat([source, style])))
        report = explain_layers(generator, codes[:1], codes[1:], WHOLE)
        groups_right.setdefault(attribute.name, []).append(
            group_of(report.strongest) == group_of(attribute.layer)
        )
        layers_right.append(report.strongest == attribute.layer)
        progress(number, count)
    known = [statistics.mean(right) > 0.5 for right in groups_right.values()]
    pairs = [right for rights in groups_right.values() for right in rights]
    return [
        (f"explain: attributes whose layer group is named, {count} pairs", statistics.mean(known), "≥", 0.95),
        ("explain: pairs whose layer group is named", statistics.mean(pairs), "≥", 0.95),
        ("explain: pairs whose very layer is named", statistics.mean(layers_right), "", 0.0),
    ]


def ranked_groups(generator: Generator, count: int) -> list[Row]:
    """Shares of hair, eyes and background in the groups' changes, against those of the renderer's pictures.

    A group's share is the mean of its layers', weighted by their effect. Compared are the ranks of the six groups
    (Spearman's correlation) by their mean share over all pairs, and pair by pair.
    """
    seeds = range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + 2 * count)
    z = sm.sample_z(seeds, generator.z_dim)
    attributes, codes = truth.attributes_of(z), generator.mapping(z)
    found: dict[str, list[torch.Tensor]] = {name: [] for name in REGIONS}
    true: dict[str, list[torch.Tensor]] = {name: [] for name in REGIONS}
    for i in range(count):
        report = explain_layers(generator, codes[i : i + 1], codes[count + i : count + i + 1])
        inside = {name: report.effect * report.shares[name] for name in REGIONS}
        effect, true_inside = drawn_changes(attributes[i : i + 1], attributes[count + i : count + i + 1])
        for name in REGIONS:
            found[name].append(by_group(inside[name]) / by_group(report.effect))
            true[name].append(by_group(true_inside[name]) / by_group(effect))
        progress(i, count)
    rows: list[Row] = []
    for name in REGIONS:
        ours, theirs = torch.stack(found[name]), torch.stack(true[name])
        per_pair = statistics.mean(rank_correlation(a, b) for a, b in zip(ours, theirs))
        rows += [
            (
                f"explain: {name} shares of the groups, rank correlation with the truth, mean of {count} pairs",
                rank_correlation(ours.mean(0), theirs.mean(0)),
                "≥",
                0.9,
            ),
            (f"explain: {name} shares, rank correlation pair by pair", per_pair, "", 0.0),
            (f"explain: {name} shares, mean absolute error", float((ours - theirs).abs().mean()), "", 0.0),
        ]
    return rows


def drawn_changes(source: torch.Tensor, style: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The renderer's effect of every layer, `[L]`, and the part of it in each region by the rule of the report.

    What the renderer knows to the pixel needs no tolerance at edges.
    """
    layers = truth.CONFIG.num_ws
    rows = torch.cat([source, *(truth.mix(source, style, [layer]) for layer in range(layers))])
    drawn = render(rows, truth.CONFIG.img_resolution)
    changes = (drawn.image[1:] - drawn.image[:1]).abs().mean(1) / 2
    either = {
        name: (torch.minimum if name == "background" else torch.maximum)(mask[:1], mask[1:])
        for name, mask in drawn.regions.items()
    }
    total = sum(either.values())
    inside = {name: (changes * either[name] / total).mean([1, 2]) for name in REGIONS}
    return changes.mean([1, 2]), inside


def time_taken(generator: Generator, runs: int, resolution: int) -> list[Row]:
    """The sheet, with everything that it shows, against decoding its pictures; in between each other.

    Networks of made-up weights draw no faces: for these, regions are looked for in as many of the demo's pictures.
    """
    encoder = sm.load_encoder("demo", "cpu")
    codes = generator.mapping(sm.sample_z([96, 97], generator.z_dim))
    sheet, decoding = [], []
    for _ in range(runs):
        decoding.append(seconds(lambda: decode(generator, codes[:1])))
        sheet.append(
            seconds(lambda: explain_layers(generator, codes[:1], codes[1:], encoder=encoder).sheet())
        )
    large = random_generator(resolution)
    large_codes = large.mapping(sm.sample_z([0, 1], large.z_dim))
    side = min(resolution, SIDE)
    faces = resize(generator.synthesis(codes[:1]), side, side)
    large_decoding = seconds(lambda: decode(large, large_codes[:1]))
    large_sheet = seconds(
        lambda: explain_layers(large, large_codes[:1], large_codes[1:], WHOLE, encoder).sheet()
    ) + seconds(lambda: find_regions(faces.expand(1 + large.num_ws, -1, -1, -1), faces_of(faces)))
    return [
        (
            f"explain: time of a sheet of {large.num_ws} layers, {resolution}², regions and identity included / of "
            f"decoding {2 + 2 * large.num_ws} pictures",
            large_sheet / large_decoding,
            "≤",
            1.3,
        ),
        (
            "explain: the same of the demo models, whose 256² pictures are drawn as fast as a face is found",
            statistics.median(sheet) / statistics.median(decoding),
            "",
            0.0,
        ),
    ]


def decode(generator: Generator, w: torch.Tensor) -> None:
    """As many pictures as a sheet shows, as many at a time."""
    for part in w.repeat(2 + 2 * generator.num_ws, 1, 1).split(4):
        generator.synthesis(part)


def seconds(job) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def group_of(layer: int) -> str:
    return next(group.name for group in GROUPS if layer in group.layers)


def by_group(values: torch.Tensor) -> torch.Tensor:
    """Sums over the layers of each group."""
    return torch.stack([values[list(group.layers)].sum() for group in GROUPS])


def rank_correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Spearman's; values without ties."""
    ranks = torch.stack([a.argsort().argsort(), b.argsort().argsort()]).double()
    return float(torch.corrcoef(ranks)[0, 1])


def progress(number: int, count: int) -> None:
    if (number + 1) % 20 == 0:
        print(f"{number + 1} of {count}", file=sys.stderr)


def main(arguments: Sequence[str]) -> int:
    small = "--small" in arguments
    return report(figures(small), judged=not small)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
