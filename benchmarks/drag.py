"""Whether points that are dragged arrive, and whether what they do not need stays as it is.

    python benchmarks/drag.py                   a minute on two cores
    python benchmarks/drag.py --small           seconds; the goals are for the full run only

Half of the drags take the tip of a nose; the others take that of a chin up or down, while the nose is told to stay. The
face mesh finds both again in the picture. Exit code 1 when a goal is missed.
"""

import argparse
import random
import statistics
import sys
import time

import torch
from goals import report

import stylemix_core as sm
from stylemix_core.codes.latents import Latents
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS
from stylemix_core.faces.detection import find_faces
from stylemix_core.images import to_pil

FIRST_SEED = 1_000_000
TIPS = [1, 152]
"""Of the nose and the chin, in the face mesh."""
PLAIN = {"glasses": 0.2, "hat": 0.2, "eyelids": 0.7, "beard": 0.2}
"""Without what hides them."""
SIDE = 256
NEAR = 3.0
"""Pixels within which a point has arrived."""
UNIFORM = 12**-0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=50, help="how many drags (%(default)s)")
    parser.add_argument("--small", action="store_true", help="six drags, no goals")
    options = parser.parse_args()
    count = 6 if options.small else options.count
    generator = sm.load_generator("demo", "cpu")
    random.seed(0)
    away: list[float] = []
    leaks: list[float] = []
    times: list[float] = []
    seed = FIRST_SEED
    while len(away) < count:
        w = generator.mapping(sm.sample_z([seed], generator.z_dim))
        seed += 1
        for name, value in PLAIN.items():
            w = truth.with_attribute(w, name, value)
        start = places(generator, w)
        if start is None:
            continue
        turns = len(away) % 2 == 0
        if turns:
            start = start[:1]
            end = start + torch.tensor([random.uniform(-0.05, 0.05), random.uniform(-0.02, 0.02)])
        else:  # the nose stays
            end = start + torch.tensor([[0, 0], [0, random.choice([-1, 1]) * random.uniform(0.01, 0.03)]])
        drags = [sm.Drag(*pair) for pair in zip(start.tolist(), end.tolist(), strict=True)]
        began = time.perf_counter()
        dragged = sm.drag_points(generator, Latents(w, ("avatar",)), drags)
        times.append(time.perf_counter() - began)
        found = places(generator, dragged.latents.w)
        away.append(SIDE if found is None else float((found[: len(end)] - end).norm(dim=1).max()) * SIDE)
        leaks.append(leak(w, dragged.latents.w, GROUPS[0 if turns else 1].last_layer))
        asked = float((end - start).norm(dim=1).max()) * SIDE
        print(
            f"{'nose' if turns else 'chin'}: {asked:.1f} px asked, {away[-1]:.1f} away, {dragged.steps} steps"
        )
    print(f"\n{count} drags, {statistics.median(times):.2f} s each\n")
    rows = [
        (f"within {NEAR:g} px of their targets", statistics.mean(each <= NEAR for each in away), "≥", 0.9),
        (
            "attributes of later groups moved by, of their spread, the worst",
            max(leaks),
            "≤",
            0.15,
        ),
    ]
    return report(rows, judged=not options.small)


@torch.no_grad()
def places(generator, w: torch.Tensor) -> torch.Tensor | None:
    """Where the tips of nose and chin are in the picture of a code, `[2, 2]` in 0…1; None where no face is seen."""
    (faces,) = find_faces([to_pil(generator.synthesis(w)[0].clamp(-1, 1))])
    return torch.tensor(faces[0].points[TIPS] / SIDE, dtype=torch.float32) if faces else None


def leak(before: torch.Tensor, after: torch.Tensor, last_layer: int) -> float:
    """How far the attributes of later groups moved at most, in standard deviations."""
    others = [column for column, attribute in enumerate(ATTRIBUTES) if attribute.layer > last_layer]
    moved = truth.attributes_of_codes(after) - truth.attributes_of_codes(before)
    return float(moved[0, others].abs().max()) / UNIFORM


if __name__ == "__main__":
    sys.exit(main())
