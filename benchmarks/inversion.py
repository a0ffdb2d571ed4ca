"""How faithful, editable and fast inversion is, on the demo models and held-out drawn avatars.

    python benchmarks/inversion.py             forty minutes on two cores
    python benchmarks/inversion.py --small     a minute; the goals are for the full run only

The renderer is the truth: of an avatar's picture, and of what it looks like with the fine attributes of another. Times
are medians, taken side by side in one run. Exit code 1 when a goal is missed.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

import torch
from decode import random_generator
from goals import Row, report

import stylemix_core as sm
from stylemix_core.demo import truth
from stylemix_core.demo.renderer import render

FIRST_HELD_OUT_SEED = 1_000_000
FULL_SIZE_STEPS = 3
TRUSTED = 4
"""Of one in so many avatars the code is also looked for without the encoder's error bars."""
MIB = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=32, help="avatars (%(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="steps of optimize (%(default)s)")
    parser.add_argument("--resolution", type=int, default=1024, help="of the full-size network (%(default)s)")
    parser.add_argument("--small", action="store_true", help="2 avatars, 10 steps, 64 px, no goals")
    parser.add_argument("--measure", choices=("kept", "checkpointing"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_step(options.resolution, options.measure == "checkpointing")
        return 0
    if options.small:
        options.count, options.steps, options.resolution = 2, 10, 64

    rows = quality(options.count, options.steps) + speed(options.steps)
    print(f"\n{options.count} avatars, {options.steps} steps\n")
    missed = report(rows, judged=not options.small)
    full_size(options.resolution)
    return missed


def quality(count: int, steps: int) -> list[Row]:
    """Error of every method, and of its codes after fine layers of another avatar were injected."""
    generator, encoder = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    z = sm.sample_z(range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + 2 * count), generator.z_dim)
    mine, other = truth.attributes_of(z).split(count)
    fine = sm.parse_masks("fine", generator.num_ws)
    layers = torch.arange(generator.num_ws)[fine.strengths[0] > 0].tolist()
    true, style = (generator.mapping(truth.z_of(attributes)) for attributes in (mine, other))
    pictures = render(mine, generator.img_resolution, with_regions=False).image
    mixed = render(truth.mix(mine, other, layers), generator.img_resolution, with_regions=False).image

    def edited(w: torch.Tensor, part: slice) -> float:
        drawn = generator.synthesis(sm.inject(w, style[part], fine)).clamp(-1, 1)
        return float((drawn - mixed[part]).abs().mean())

    squared: dict[str, list[float]] = {"encode": [], "optimize": [], "tune": []}
    edits: dict[str, list[float]] = {"sampled": [], "encode": [], "optimize": []}
    wrong: dict[str, list[float]] = {"trusted": [], "free": []}
    for i in range(count):
        one = slice(i, i + 1)
        # One run gives all: what it starts from is `encode`, its pivot is the code of `optimize`.
        tuned = sm.invert(generator, pictures[one], encoder, "tune", steps)
        squared["tune"] += tuned.l2
        edits["sampled"].append(edited(generator.mapping(z[one]), one))
        for method, w in (("encode", encoder(pictures[one])), ("optimize", tuned.w)):
            squared[method].append(float((generator.synthesis(w) - pictures[one]).square().mean()))
            edits[method].append(edited(w, one))
        if i < max(1, count // TRUSTED):
            free = sm.invert(generator, pictures[one], encoder, "optimize", steps, trust=0.0)
            for name, w in (("trusted", tuned.w), ("free", free.w)):
                wrong[name].append(float((w - true[one]).square().mean().sqrt()))
        print(f"{i + 1} of {count}", file=sys.stderr)
    errors = {method: statistics.mean(values) for method, values in squared.items()}
    edit = {method: statistics.mean(values) for method, values in edits.items()}
    return [
        ("encode, mean squared error", errors["encode"], "", 0.0),
        ("optimize, mean squared error", errors["optimize"], "", 0.0),
        ("tune, mean squared error", errors["tune"], "", 0.0),
        ("encode / optimize", errors["encode"] / errors["optimize"], "≥", 2.5),
        ("encode / tune", errors["encode"] / errors["tune"], "≥", 10.0),
        ("fine layers injected into sampled codes, error", edit["sampled"], "", 0.0),
        ("encode: error after injection / of sampled", edit["encode"] / edit["sampled"], "", 0.0),
        ("optimize: error after injection / of sampled", edit["optimize"] / edit["sampled"], "≤", 1.5),
        (
            "optimize: error of the codes, held by the encoder's error bars / not",
            sum(wrong["trusted"]) / sum(wrong["free"]),
            "≤",
            0.85,
        ),
    ]


def speed(steps: int) -> list[Row]:
    """A step of `optimize` on one demo picture, against a forward and a backward pass of the generator in between."""
    generator, encoder = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    picture = render(torch.full([1, len(truth.ATTRIBUTES)], 0.4), 256, with_regions=False).image
    w = generator.mapping(sm.sample_z([0], generator.z_dim)).requires_grad_()
    taken: list[float] = []
    pure: list[float] = []
    resumed = time.perf_counter()

    def on_step(done: int, total: int, images: torch.Tensor | None) -> None:
        nonlocal resumed
        now = time.perf_counter()
        taken.append(now - resumed)
        generator.synthesis(w).square().mean().backward()
        resumed = time.perf_counter()
        pure.append(resumed - now)

    result = sm.invert(generator, picture, encoder, "optimize", steps, on_step=on_step)
    taken, pure = taken[1:], pure[1:]  # the first one holds the preparations
    ratio = statistics.median(taken) / statistics.median(pure)
    return [
        (f"optimize on one demo picture, {steps} steps, s", result.seconds - sum(pure), "≤", 60.0),
        ("time of a step / of forward and backward pass", ratio, "≤", 1.2),
    ]


def full_size(resolution: int) -> None:
    """Time and memory of a step of a full-size network, in a process of its own for each way."""
    print(f"\n{resolution}² network of made-up weights, one picture, {torch.get_num_threads()} threads\n")
    print("| maps | s a step | peak memory beyond the weights, MiB |\n|---|---|---|")
    for way in ("kept", "checkpointing"):
        arguments = [sys.executable, __file__, "--measure", way, "--resolution", str(resolution)]
        print(
            f"| {way} | {subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()} |"
        )


def measure_step(resolution: int, checkpointing: bool) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = random_generator(resolution).to(device)
    before, times = peak_memory(device), [time.perf_counter()]
    picture = generator.synthesis(generator.mapping(sm.sample_z([0], generator.z_dim)), "none").detach()

    def on_step(done: int, total: int, images: torch.Tensor | None) -> None:
        times.append(time.perf_counter())

    sm.invert(
        generator,
        picture,
        None,
        "optimize",
        FULL_SIZE_STEPS,
        starts=1,
        checkpointing=checkpointing,
        on_step=on_step,
    )
    steps = [after - before for before, after in zip(times[1:], times[2:])]
    print(f"{statistics.median(steps):.2f} | {(peak_memory(device) - before) / MIB:.0f}")


def peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
