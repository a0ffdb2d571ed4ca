"""Whether points that are dragged arrive, and whether what they do not need stays as it is.

    python benchmarks/drag.py                   a minute on two cores
    python benchmarks/drag.py --small           seconds; the goals are for the full run only

Half of the drags turn heads by the tip of the nose; the others make faces longer or shorter by the tips of chin and
nose. They go to where the generator draws those tips when the attribute that does this is changed, and the face mesh
tells in the picture whether they are there. Exit code 1 when a goal is missed.
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
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS, Group
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
LEAST = 2.0
"""Pixels that a drag asks for."""
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
        name, tips, group = (("turn", 1, GROUPS[0]), ("face_height", 2, GROUPS[1]))[len(away) % 2]
        start = places(generator, w)
        end = places(generator, truth.with_attribute(w, name, random.uniform(0.05, 0.95)))
        if start is None or end is None or far(start[:tips], end[:tips]) < LEAST:
            continue
        start, end = start[:tips], end[:tips]
        drags = [sm.Drag(*pair) for pair in zip(start.tolist(), end.tolist(), strict=True)]
        began = time.perf_counter()
        dragged = sm.drag_points(generator, Latents(w, ("avatar",)), drags)
        times.append(time.perf_counter() - began)
        found = places(generator, dragged.latents.w)
        away.append(SIDE if found is None else far(found[:tips], end))
        leaks.append(leak(w, dragged.latents.w, group))
        print(f"{name}: {far(start, end):.1f} px asked, {away[-1]:.1f} away, {dragged.steps} steps")
    print(f"\n{count} drags, {statistics.median(times):.2f} s each\n")
    rows = [
        (f"within {NEAR:g} px of their targets", statistics.mean(each <= NEAR for each in away), "≥", 0.9),
        ("attributes of other groups moved by, of their spread, the worst", max(leaks), "≤", 0.15),
    ]
    return report(rows, judged=not options.small)


@torch.no_grad()
def places(generator, w: torch.Tensor) -> torch.Tensor | None:
    """Where the tips of nose and chin are in the picture of a code, `[2, 2]` in 0…1; None where no face is seen."""
    (faces,) = find_faces([to_pil(generator.synthesis(w)[0].clamp(-1, 1))])
    return torch.tensor(faces[0].points[TIPS] / SIDE, dtype=torch.float32) if faces else None


def far(some: torch.Tensor, others: torch.Tensor) -> float:
    """How far places are from others at most, in pixels."""
    return float((some - others).norm(dim=1).max()) * SIDE


def leak(before: torch.Tensor, after: torch.Tensor, group: Group) -> float:
    """How far the attributes of other groups moved at most, in standard deviations."""
    others = [column for column, attribute in enumerate(ATTRIBUTES) if attribute.layer not in group.layers]
    moved = truth.attributes_of_codes(after) - truth.attributes_of_codes(before)
    return float(moved[0, others].abs().max()) / UNIFORM


if __name__ == "__main__":
    sys.exit(main())
