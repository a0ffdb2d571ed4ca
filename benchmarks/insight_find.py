"""Whether Find Layers finds the layers that carry what is asked for, on pairs of demo faces.

    python benchmarks/insight_find.py             about a quarter of an hour on two cores
    python benchmarks/insight_find.py --small     a minute; the goals are for the full run only
    python benchmarks/insight_find.py --large     how long a search takes at 1024 px, on sketches and drawn in full

Two random faces with hair differ in everything. The regions are the renderer's masks of both. The true layers are those
of `stylemix_core/demo/attributes.py` that carry what is asked for; the search knows nothing of them. Exit code 1 when a
goal is missed.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from unittest import mock

import torch
from decode import codes, random_generator
from goals import Row, report

import stylemix_core as sm
from stylemix_core.analysis import trials
from stylemix_core.demo import truth
from stylemix_core.demo.renderer import render

FIRST_SEED = 11_000_000
PARTS = {
    "hair": ("hair",),
    "face": ("face",),
    "eyes": ("eyes",),
    "brows": ("brows",),
    "nose": ("nose",),
    "mouth": ("mouth",),
    "glasses": ("glasses",),
    "background": ("background",),
    "body": ("clothes", "skin"),
}
"""The regions of `find_regions` and the glasses, made of the renderer's."""


@dataclass(frozen=True)
class Case:
    target: str
    layers: frozenset[int]
    """The layers that carry it: see `reason`."""
    reason: str


CASES = (
    Case("hair shape", frozenset({4, 5}), "cut, volume; fringe, parting, wave"),
    Case(
        "hair and skin colour", frozenset({8, 9}), "hair's tone and warmth; the skin's. Eyes and lips have 10"
    ),
    Case(
        "eyes and mouth", frozenset({6, 7, 10}), "shapes of the eyes; of the mouth; colours of eyes and lips"
    ),
    Case("eyes and mouth shape", frozenset({6, 7}), "the same without colours"),
    Case("background", frozenset({11, 13}), "what is on it; hue and strength. 12 lights everything"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="a pair of each wish, no goals")
    parser.add_argument("--pairs", type=int, help="how many pairs (50)")
    parser.add_argument("--large", action="store_true", help="the time at 1024 px, with made-up weights")
    options = parser.parse_args()
    if options.large:
        time_large()
        return 0
    return report(figures(options.small, options.pairs), judged=not options.small)


def figures(small: bool, pairs: int | None = None) -> list[Row]:
    """F1 of the layers, how often no preset and no single layer does better, and the time of a search."""
    count = pairs or (1 if small else 50)
    generator = sm.load_generator("demo", "cpu")
    z = sm.sample_z(range(FIRST_SEED, FIRST_SEED + 4 * count), generator.z_dim)
    # Nobody wishes for another shape of hair that is not there.
    with_hair = regions(truth.attributes_of(z), 64)["hair"].amax((1, 2)) > 0.1
    z = z[with_hair][: 2 * count]
    source, style = truth.attributes_of(z).split(count)
    w, w_style = generator.mapping(z).split(count)
    rows: list[tuple[str, float, str, float]] = []
    taken = []
    for case in CASES:
        scores, better, at_least = [], [], []
        for i in range(count):
            one = slice(i, i + 1)
            started = time.perf_counter()
            with torch.inference_mode():
                search = sm.find_layers(
                    generator,
                    w[one],
                    w_style[one],
                    case.target,
                    regions=regions(source[one], generator.img_resolution),
                    style_regions=regions(style[one], generator.img_resolution),
                )
            taken.append(time.perf_counter() - started)
            best = search[0]
            scores.append(
                f1({layer for layer, strength in enumerate(best.strengths) if strength}, case.layers)
            )
            # Presets, and whichever layer is the best alone.
            rivals = max(mask.inside - mask.outside for mask in (*search.presets, *search.singles))
            better.append(best.inside - best.outside > rivals + 1e-6)
            at_least.append(best.inside - best.outside >= rivals - 1e-6)
            print(f"{case.target}, {i + 1} of {count}: {best.mask_text}", file=sys.stderr)
        rows += [
            (f"find {case.target}: F1 of the layers", statistics.mean(scores), "≥", 0.9),
            (f"find {case.target}: no preset or layer is better, share of pairs", mean(at_least), "≥", 0.9),
            (
                f"find {case.target}: better than all presets and layers, share of pairs",
                mean(better),
                "",
                0.0,
            ),
        ]
    return [*rows, ("find: median time of a search, s", statistics.median(taken), "≤", 20.0)]


def time_large() -> None:
    """A search in a generator of 1024 px with made-up weights: on sketches, in both precisions that a CPU may load it
    in, and with every mask drawn in full."""
    generator = random_generator(1024)
    w, style = codes(generator, 2).split(1)
    top = torch.cat([torch.ones(32, 64), torch.zeros(32, 64)])

    def search() -> str:
        shown: list[float] = []

        def note(done: int, total: int, pictures: torch.Tensor | None = None, text: str = "", /) -> None:
            if pictures is not None:
                shown.append(time.perf_counter())

        started = time.perf_counter()
        found = sm.find_layers(generator, w, style, top, on_step=note)
        return f"{time.perf_counter() - started:.0f} | {found.decoded} | {shown[0] - started:.1f} |"

    print(f"{torch.get_num_threads()} threads\n")
    print("| masks are tried | whole search, s | pictures and sketches | a mask is shown after, s |")
    print("|---|---|---|---|")
    print(f"| on sketches | {search()}")
    generator.set_dtype(torch.bfloat16)
    print(f"| on sketches, bfloat16 | {search()}")
    generator.set_dtype(torch.float32)
    with mock.patch.object(trials, "can_sketch", return_value=False):
        print(f"| in full | {search()}")


def regions(attributes: torch.Tensor, resolution: int) -> dict[str, torch.Tensor]:
    drawn = render(attributes, resolution).regions
    return {name: torch.stack([drawn[part] for part in parts]).sum(0) for name, parts in PARTS.items()}


def f1(found: set[int], true: frozenset[int]) -> float:
    return 2 * len(found & true) / (len(found) + len(true))


def mean(met: list[bool]) -> float:
    return sum(met) / len(met)


if __name__ == "__main__":
    sys.exit(main())
