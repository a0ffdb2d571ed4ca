"""Moving pictures: how evenly walks go, how steady restyled clips are, what drawing a film costs, what kills leave.

    python benchmarks/motion.py [--small] [--only speed clip film killed]
    python benchmarks/motion.py --only long           10,000 frames at 1024 px: half an hour on two cores

Needs PyAV. Exit code 1 when a goal is missed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from decode import random_generator
from goals import Row, report
from PIL import Image

import stylemix_core as sm
from stylemix_core.checkpoints import native
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.demo import truth
from stylemix_core.demo.renderer import render, sample_attributes
from stylemix_core.faces.crop import crop_face
from stylemix_core.faces.regions import find_heads, grow
from stylemix_core.generator import Generator
from stylemix_core.images import from_pil
from stylemix_core.motion.clip import Clip
from stylemix_core.motion.film import Film, Frame, frames_of
from stylemix_core.motion.restyle import Followed
from stylemix_core.motion.walk import through_codes

BOB = str(Path(sm.__file__).parent / "demo" / "bob.safetensors")
MOVING = ("turn", "smile", "brow_height")
"""Attributes of the avatar that change through the clip, and that no crop takes away, as it does a head's tilt."""
NARROW = (32, 32, 32, 32, 16, 16, 8, 8, 4)
"""Channels of a generator that draws 1024 px fast, 4 … 1024 px."""
TIMINGS = 12
"""How often the renderer's own pictures time a walk."""


def changes_of(pictures: torch.Tensor) -> torch.Tensor:
    """How much each picture of a loop differs from the next, `[N]`."""
    return (pictures.roll(-1, 0) - pictures).abs().mean((1, 2, 3))


def variation(pictures: torch.Tensor) -> float:
    """The coefficient of variation of a loop's changes."""
    changes = changes_of(pictures)
    return float(changes.std() / changes.mean())


@torch.inference_mode()
def speed(work: Path, small: bool) -> Iterator[Row]:
    """Linear walks through the same keys, evenly in time and at a constant visible speed.

    The renderer draws the attributes that the codes stand for. A walk that its own pictures have timed shows how evenly
    it could draw them, and that no timing is even for both.
    """
    generator = sm.load_generator("demo", "cpu")
    keys = sample_latents(generator, range(4), 0.8)

    def generated(codes: sm.Latents) -> torch.Tensor:
        return torch.cat([generator.synthesis(w, "none").clamp(-1, 1) for w in codes.w.split(8)])

    def rendered(codes: sm.Latents) -> torch.Tensor:
        attributes = truth.attributes_of_codes(codes.w).split(8)
        return torch.cat([render(each, 256, with_regions=False).image for each in attributes])

    frames = 8 if small else 48
    for kind in ("even", "visible"):
        walk = sm.latent_walk(keys, frames, "linear", True, kind, generator)
        wanted = ("≥", 0.3) if kind == "even" else ("≤", 0.1)
        yield (
            f"variation of change, {kind} speed, drawn by the generator",
            variation(generated(walk)),
            *wanted,
        )
        yield (
            f"variation of change, {kind} speed, drawn by the renderer",
            variation(rendered(walk)),
            *wanted,
        )
    way = through_codes(keys, "linear", True)
    times = torch.linspace(0, len(keys), frames * len(keys) + 1, dtype=torch.float64)
    for _ in range(TIMINGS):
        changes = changes_of(rendered(way(times[:-1]))).double()
        passed = torch.cat([changes.new_zeros(1), changes.cumsum(0)])
        times = torch.from_numpy(np.interp(np.linspace(0, float(passed[-1]), len(times)), passed, times))
    timed = way(times[:-1])
    yield "timed by the renderer, drawn by the renderer", variation(rendered(timed)), "", 0
    yield "timed by the renderer, drawn by the generator", variation(generated(timed)), "", 0


def avatar_clip(path: Path, count: int) -> torch.Tensor:
    """A clip of one avatar whose head turns and moves; returns its attributes `[count, A]`."""
    attributes = sample_attributes(1, torch.Generator().manual_seed(5)).repeat(count, 1)
    phase = 2 * torch.pi * torch.arange(count) / count
    for number, name in enumerate(MOVING, 1):
        attributes[:, truth.column(name)] = 0.5 + 0.3 * torch.sin(number * phase)
    wall = np.tile(np.linspace(40, 160, 400, dtype=np.uint8)[None, :, None], (320, 1, 3))
    places = [(round(32 + 12 * np.sin(2 * t)), round(72 + 20 * np.sin(t))) for t in phase.tolist()]

    def frames(first: int) -> Iterator[Frame]:
        for start in range(first, count, 8):
            images = render(attributes[start : start + 8], 256, with_regions=False).image
            for avatar, (top, left) in zip(frames_of(images), places[start:]):
                frame = wall.copy()
                frame[top : top + 256, left : left + 256] = avatar
                yield frame

    Film(path, count, 24).write(frames)
    return attributes


def flicker(frames: list[Frame], followed: Followed) -> float:
    """The mean absolute second difference over time in steadied crops, in levels."""
    crops = np.stack(
        [
            np.asarray(crop_face(Image.fromarray(frame), transform), np.float32)
            for frame, transform in zip(frames, followed.crops, strict=True)
            if transform is not None
        ]
    )
    return float(np.abs(crops[2:] - 2 * crops[1:-1] + crops[:-2]).mean())


@torch.inference_mode()
def clip(work: Path, small: bool) -> Iterator[Row]:
    """One avatar with a moving head: hair injected, compared with the clip itself and with its truth."""
    count = 16 if small else 120
    attributes = avatar_clip(work / "clip.mp4", count)
    generator, encoder = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    read = Clip.of(work / "clip.mp4")
    started = time.perf_counter()
    followed = Followed.of(read)
    codes = followed.encode(encoder)
    mixed = sm.inject_latents(codes, sm.load_latents(BOB), sm.parse_masks("4-5", generator.num_ws))
    made = list(followed.frames(generator, mixed))
    print(f"{(time.perf_counter() - started) / count:.2f} s a frame, all in all")
    given = list(read.frames())
    own, restyled = flicker(given, followed), flicker(made, followed)
    print(f"flicker of the clip {own:.2f} levels, of the restyled one {restyled:.2f}")
    yield "flicker beside the clip's own", restyled / own, "≤", 1.15
    shown = truth.attributes_of_codes(mixed.w)
    for name in MOVING:
        place = truth.column(name)
        pair = torch.stack([shown[:, place], attributes[followed.numbers, place]])
        alike = float(torch.corrcoef(pair)[0, 1])
        yield f"{name} of the changed codes, correlation with the truth", alike, "≥", 0.9
    outside = 0
    for frame, before, transform in zip(made, given, followed.crops, strict=True):
        changed = np.argwhere((frame != before).any(2))
        if transform is not None and len(changed):
            corners = np.array(transform.quad)
            over = np.maximum(corners.min(0) - changed[:, ::-1], changed[:, ::-1] - corners.max(0))
            outside += int((over > 1).any(1).sum())
    yield "pixels changed outside of the crops", outside, "≤", 0
    tuned = followed.tune_seam(generator, mixed, 10 if small else 50).generator
    pictures = [
        (place, from_pil(crop_face(Image.fromarray(given[number]), followed.crops[number])))
        for place, number in enumerate(followed.numbers)
    ][::8]
    far, near = (rim(network, mixed, pictures, generator) for network in (generator, tuned))
    print(f"around heads, drawn from the clip: {far:.1f} levels, by the tuned generator {near:.1f}")
    yield "the tuned seam beside the plain one", near / far, "≤", 0.75


@torch.inference_mode()
def rim(network: Generator, codes: sm.Latents, pictures: list, untuned: Generator) -> float:
    """How far what is drawn right around heads is from the clip's crops there, in grey levels."""
    sums = torch.zeros(2)
    for place, before in pictures:
        code = codes.w[place : place + 1]
        old, new = find_heads(torch.cat([before, untuned.synthesis(code)]))
        if old is not None and new is not None:
            head = torch.maximum(old, new)
            around = grow(head, 20) * (1 - head)
            error = (network.synthesis(code) - before).abs().mean(1)[0] * 127.5
            sums += torch.stack([(error * around).sum(), around.sum()])
    return float(sums[0] / sums[1])


FILMED = """
import resource, sys, time
from pathlib import Path
import torch
import stylemix_core as sm
from stylemix_core.decoding import draw_each
from stylemix_core.motion.film import Film, drawn
count, generator = int(sys.argv[2]), sm.load_generator(sys.argv[3], "cpu")
with torch.inference_mode():
    walk = sm.random_walk(generator, count, smooth=12)
    spent = [0.0]

    def draw(codes):
        pictures = draw_each(generator, [codes])
        while True:
            started = time.perf_counter()
            picture = next(pictures, None)
            spent[0] += time.perf_counter() - started
            if picture is None:
                return
            yield picture

    peaks = []
    told = lambda done: peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    started = time.perf_counter()
    Film(Path(sys.argv[1]), count, 24).write(drawn(walk, draw), told)
    print(spent[0] / (time.perf_counter() - started), (peaks[-1] - peaks[count // 4]) / 1024)
"""


def filmed(path: Path, count: int, generator: str) -> tuple[float, float]:
    """Drawing's share of a film's time, and the memory in MB that its last three quarters add."""
    command = [sys.executable, "-c", FILMED, str(path), str(count), generator]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    share, grown = map(float, told.stdout.split())
    return share, grown


def film(work: Path, small: bool) -> Iterator[Row]:
    """How much of a film's time is drawing, and whether memory grows."""
    count = 48 if small else 600
    share, grown = filmed(work / "film.mp4", count, "demo")
    yield f"{count} frames: drawing's share of the time", share, "≥", 0.8
    yield "memory that the last three quarters add, MB", grown, "≤", 50


def long(work: Path, small: bool) -> Iterator[Row]:
    """Whether memory grows over a long film of large pictures, here by a narrow generator of random weights."""
    count = 40 if small else 10_000
    path, narrow = work / "film.mp4", work / "narrow.safetensors"
    native.write(narrow, random_generator(1024, NARROW, 16))
    _, grown = filmed(path, count, str(narrow))
    print(f"{path.stat().st_size / 1e6:.0f} MB; {len(Clip.of(path))} frames play")
    yield f"{count} frames at 1024 px: memory that the last three quarters add, MB", grown, "≤", 50


def killed(work: Path, small: bool) -> Iterator[Row]:
    """kill −9 in the middle of a film: what was written plays, and the same command ends in the same bytes."""
    frames = 30 if small else 100
    command = [
        sys.executable,
        "-m",
        "stylemix_core.cli",
        "walk",
        "0-5",
        "--frames",
        str(frames),
        "--speed",
        "even",
    ]
    whole, broken = work / "whole", work / "broken"
    subprocess.run([*command, "--quiet", "--out", str(whole)], check=True)
    kills = 0
    for _ in range(2):
        run = subprocess.Popen([*command, "--quiet", "--out", str(broken)])
        before = len(list(broken.glob("*.parts/0*.mp4")))
        while run.poll() is None and len(list(broken.glob("*.parts/[0-9]*[0-9].mp4"))) <= before:
            time.sleep(0.02)
        kills += run.poll() is None
        run.kill()
        run.wait()
    pieces = sorted(broken.glob("*.parts/[0-9]*[0-9].mp4"))
    playable = sum(len(Clip.of(piece)) for piece in pieces)
    print(f"{kills} kills; {len(pieces)} pieces play, {playable} frames")
    subprocess.run([*command, "--quiet", "--out", str(broken)], check=True)
    same = (whole / "walk.mp4").read_bytes() == (broken / "walk.mp4").read_bytes()
    yield "the bytes of the undisturbed film", same, "≥", 1


def main() -> int:
    sections = {"speed": speed, "clip": clip, "film": film, "killed": killed, "long": long}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="sizes that show that it runs, and prove little")
    parser.add_argument(
        "--only", nargs="+", choices=sections, default=[name for name in sections if name != "long"]
    )
    arguments = parser.parse_args()
    missed = 0
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            missed |= report(sections[name](Path(folder), arguments.small), judged=not arguments.small)
    return missed


if __name__ == "__main__":
    sys.exit(main())
