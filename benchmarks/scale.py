"""Jobs of thousands: how near they come to the networks' own time, and what survives.

    python benchmarks/scale.py [--small] [--only bound ray killed growth manifest simulation]

`bound` times jobs against their forward passes alone and against loops; `ray` and `killed` need Ray and psutil;
`growth` draws 20,000 avatars twice, once with twenty kill −9s. Exit code 1 when a goal is missed.
"""

import argparse
import heapq
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path

import plain
import torch
from goals import Row, report

import stylemix_core as sm
from stylemix_core.images import to_pil
from stylemix_core.jobs import plan, sink
from stylemix_core.jobs.chain import Encode
from stylemix_core.jobs.job import Job, Sink, Source
from stylemix_core.jobs.report import report_job

BOB = str(Path(sm.__file__).parent / "demo" / "bob.safetensors")


def job(source: dict, steps: list, folder: Path, **more) -> dict:
    return {"source": source, "steps": steps, "sink": {"folder": str(folder), **more.pop("sink", {})}} | more


def timed(function) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def contents(folder: Path) -> str:
    """One checksum of a job's parts and index."""
    digest = sha256()
    for path in sorted([*(folder / "parts").iterdir(), folder / "index.jsonl"]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def per_item(folder: Path) -> float:
    """Seconds an item between the first and the last part of a run, without its start."""
    files = sorted((folder / "index").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    count = sum(len(path.read_text().splitlines()) for path in files[1:])
    return (files[-1].stat().st_mtime_ns - files[0].stat().st_mtime_ns) / 1e9 / count


# how near to the bound


@torch.inference_mode()
def bound(work: Path, count: int) -> Iterator[Row]:
    """Generate, encode and the whole chain, each beside its forward passes alone and two loops, in turns."""
    generator, encoder = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    photos, looped = work / "photos", max(count // 8, 8)
    photos.mkdir()
    latents = generator.mapping(sm.sample_z(range(count), 512), truncation_psi=0.7)
    for i, w in enumerate(latents):
        to_pil(generator.synthesis(w[None])[0]).save(photos / f"{i:05d}.jpg", quality=95)
    pictures = torch.cat([sm.load_image(path) for path in sorted(photos.iterdir())[:64]])
    style, masks = sm.load_latents(BOB).w, sm.parse_masks("4-5", 14)

    def passes(work_on_eight) -> None:
        for start in range(0, count, 8):
            work_on_eight(start)

    def loop(code_of, draw, out: Path) -> None:
        out.mkdir(exist_ok=True)
        for i, path in enumerate(sorted(photos.iterdir())[:looped]):
            w = code_of(i, path)
            if draw is not None:
                to_pil(draw(w)[0]).save(out / f"{i}.jpg", quality=95)
            sm.save_latents(out / f"{i}.safetensors", w)

    def own_sample(i, path):
        return generator.mapping(sm.sample_z([i], 512), truncation_psi=0.7)

    def own_encode(i, path):
        return encoder(sm.load_image(path))

    def own_chain(i, path):
        return sm.inject(own_encode(i, path), style, masks)

    def some(start):
        return torch.arange(start, start + 8) % len(pictures)

    kinds = {
        "generate": (
            {"seeds": f"0-{count - 1}"},
            ["decode"],
            lambda start: generator.synthesis(latents[start : start + 8]),
            own_sample,
            True,
        ),
        "encode": (
            {"pictures": str(photos)},
            ["encode"],
            lambda start: encoder(pictures[some(start)]),
            own_encode,
            False,
        ),
        "encode, inject, decode": (
            {"pictures": str(photos)},
            ["encode", {"inject": {"style": BOB, "masks": "4-5"}}, "decode"],
            lambda start: generator.synthesis(encoder(pictures[some(start)])),
            own_chain,
            True,
        ),
    }
    for name, (source, steps, eight, code_of, drawn) in kinds.items():
        alone = partial(passes, eight)
        own = partial(loop, code_of, generator.synthesis if drawn else None, work / "loop")
        plainly = partial(loop, code_of, partial(plain.synthesis, generator), work / "loop")
        formats = ("jpg", "png") if drawn else ("none",)
        best = dict.fromkeys(("alone", *formats, "own", "plain"), math.inf)
        for _ in range(3):
            alone()
            times = {"alone": timed(alone) / count, "own": timed(own) / looped}
            if drawn:
                times["plain"] = timed(plainly) / looped
            for pictures_as in formats:
                # Threads and models are up before the first part ends: the job's own rate is that between its parts.
                described = job(
                    source, steps, work / "out", part=max(count // 8, 8), sink={"pictures": pictures_as}
                )
                sm.run_job(described)
                times[pictures_as] = per_item(work / "out")
                shutil.rmtree(work / "out")
            best |= {what: min(best[what], value) for what, value in times.items()}
        print(
            f"{name}: {', '.join(f'{what} {1000 * value:.1f} ms' for what, value in best.items() if value < math.inf)}"
        )
        yield f"{name}: share of the bound", best["alone"] / best[formats[0]], "≥", 0.9


# Ray


def command(path: Path, *more: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "stylemix_core.cli", "run", str(path), "--quiet", *more])


def described(path: Path, value: dict) -> Path:
    path.write_text(json.dumps(value))
    return path


def ray(work: Path, count: int) -> Iterator[Row]:
    """Two workers of one thread beside two processes of one thread that know nothing of each other."""
    size = max(count // 32, 4)
    halves = [(0, count // 2 - 1), (count // 2, count - 1)]
    folders = [work / "one", work / "two"]
    runs = [
        command(
            described(
                work / f"{folder.name}.yaml", job({"seeds": f"{first}-{last}"}, ["decode"], folder, part=size)
            ),
            "--threads",
            "1",
        )
        for folder, (first, last) in zip(folders, halves)
    ]
    for run in runs:
        run.wait()
    alone = 1 / sum(1 / per_item(folder) for folder in folders)
    together = work / "ray"
    path = described(work / "ray.yaml", job({"seeds": f"0-{count - 1}"}, ["decode"], together, part=size))
    command(path, "--ray", "local", "--workers", "2").wait()
    print(
        f"two processes {1000 * alone:.1f} ms a picture, two of Ray's workers {1000 * per_item(together):.1f} ms"
    )
    yield "Ray's rate beside that of two processes", alone / per_item(together), "≥", 0.9


def killed(work: Path, count: int) -> Iterator[Row]:
    """Through Ray with two workers killed, and the driver once."""
    import psutil

    whole, broken = work / "whole", work / "broken"
    sm.run_job(job({"seeds": f"0-{count - 1}"}, ["decode"], whole, part=20), threads=1)
    path = described(work / "job.yaml", job({"seeds": f"0-{count - 1}"}, ["decode"], broken, part=20))
    parts = count // 20

    def done() -> int:
        return len(list((broken / "index").glob("*.jsonl"))) if (broken / "index").exists() else 0

    def until(number: int, run: subprocess.Popen) -> list[psutil.Process]:
        while run.poll() is None and done() < number:
            time.sleep(0.02)
        return psutil.Process(run.pid).children(recursive=True)

    run = command(path, "--ray", "local", "--workers", "2")
    kills = 0
    for number in (parts // 5, 2 * parts // 5):
        actors = [one for one in until(number, run) if "MapWorker" in " ".join(one.cmdline())]
        actors[0].kill()
        kills += 1
    below = until(3 * parts // 5, run)
    assert done() < parts, "the driver lives until nearly the end"
    run.kill()
    run.wait()
    for one in below:
        one.kill()
    psutil.wait_procs(below)
    command(path, "--ray", "local", "--workers", "2").wait()
    rows = [json.loads(line)["key"] for line in (broken / "index.jsonl").read_text().splitlines()]
    yield (
        f"{count} pictures, {kills} workers and the driver killed: all there, once",
        len(set(rows)) / count,
        "≥",
        1,
    )
    yield (
        "the bytes of the undisturbed run",
        float(contents(whole) == contents(broken) and len(rows) == count),
        "≥",
        1,
    )


# growth


WATCHED = """
import json, resource, sys, time
import stylemix_core as sm
seen = []


def note(done, *_):
    seen.append((done, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), time.perf_counter()))


sm.run_job(json.loads(sys.argv[1]), on_step=note)
print(json.dumps(seen))
"""


def growth(work: Path, count: int, kills: int) -> Iterator[Row]:
    """Memory and time as a job goes on, kill −9, and rows made again."""
    random.seed(0)
    whole, broken = work / "whole", work / "broken"
    value = job({"seeds": f"0-{count - 1}"}, ["decode"], whole, part=min(250, count // 40))
    told = subprocess.run(
        [sys.executable, "-c", WATCHED, json.dumps(value)], capture_output=True, text=True, check=True
    )
    seen = json.loads(told.stdout)
    first = next(one for one in seen if one[0] >= count / 20)
    yield (
        f"memory that {count} pictures add after the first {count // 20}, MB",
        (seen[-1][1] - first[1]) / 1024,
        "≤",
        50,
    )
    each, start = value["part"], next(one for one in seen if one[0] >= value["part"])

    def cost(items: int, clock: int) -> float:
        """Seconds an item up to so many, from the end of the first part on."""
        last = next(one for one in seen if one[0] >= items)
        return (last[clock] - start[clock]) / (last[0] - start[0])

    sizes = [count // 20, count // 4, count]
    print(f"| items | {' | '.join(map(str, sizes))} |\n|---|---|---|---|")
    for name, clock in (("ms of the processors an item", 2), ("ms on the clock", 3)):
        print(f"| {name} | {' | '.join(f'{1000 * cost(size, clock):.2f}' for size in sizes)} |")
    costs = [cost(size, 2) for size in sizes]
    yield "processors' time an item, the dearest size beside the cheapest", max(costs) / min(costs), "≤", 1.05
    if not kills:
        return

    path = described(work / "job.yaml", value | {"sink": {"folder": str(broken)}})
    parts = -(-count // each)
    stops = sorted(random.sample(range(1, parts), kills))
    for stop in stops:
        run = command(path)
        while run.poll() is None and (
            not (broken / "index").exists() or len(os.listdir(broken / "index")) < stop
        ):
            time.sleep(random.uniform(0.005, 0.05))
        run.kill()
        run.wait()
    command(path).wait()
    yield f"the same bytes after {kills} kill −9", contents(whole) == contents(broken), "≥", 1
    rows = random.sample(range(count), 50)
    good = sum(not sm.reproduce(whole, row).differing for row in rows)
    yield "of 50 random rows, made again to the bit", good, "≥", 50
    seconds = timed(lambda: report_job(whole))
    print(f"report of {count} codes: {seconds:.1f} s")


def manifest(work: Path, count: int) -> Iterator[Row]:
    """Planning, resuming and reading the index of a million rows."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    files = [["file", f"/photos/{i // 1000:05d}/picture_{i:08d}.jpg"] for i in range(count)]
    plan.list_entries, listing = lambda *given: files, plan.list_entries
    described = Job(Source(pictures=("/photos",)), (Encode(),), Sink(str(work)))
    yield f"planning {count} items, s", timed(lambda: plan.make_plan(work, described)), "≤", 10
    plan.list_entries = listing
    store = sink.Store(work, Sink(str(work)))
    store.make()
    row = {
        "batch": "3",
        "files": {"png": "0" * 64, "w.npy": "1" * 64},
        "origin": "picture",
        "part": 0,
        "status": "ok",
    }
    parts = -(-count // 256)
    for part in range(parts):
        (work / "parts" / f"{part:05d}.tar").touch()
        store.mark_done(
            part,
            [
                row
                | {
                    "item": part * 256 + i,
                    "key": f"{part * 256 + i:08d}_picture",
                    "source": "/photos/0001/p.jpg",
                }
                for i in range(256)
            ],
        )
    yield "resuming, s", timed(lambda: (plan.Plan(work, described.source, 256), store.done())), "≤", 10
    yield "reading the index, s", timed(lambda: sum(1 for _ in store.rows())), "≤", 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield "memory for all of these, MB", (peak - before) / 1024, "≤", 500


def tiny_files(work: Path, count: int) -> Iterator[Row]:
    """Listing folders of very many files."""
    for i in range(count):
        if i % 1000 == 0:
            (work / f"{i // 1000:04d}").mkdir()
        (work / f"{i // 1000:04d}" / f"{i}.png").touch()
    seconds = timed(lambda: plan.list_entries(Source(pictures=(str(work),))))
    yield f"listing {count} files, s a million", seconds * 1_000_000 / count, "≤", 10


def simulation() -> Iterator[Row]:
    """A hundred million pictures on a cluster, event by event: what kills and stragglers cost."""
    random.seed(0)
    pictures, part, workers, seconds, lifetime = 100_000_000, 10_000, 256, 0.025, 24 * 3600.0
    parts = pictures // part
    free = [(0.0, worker) for worker in range(workers)]
    dies = [random.expovariate(1 / lifetime) for _ in range(workers)]
    left, lost, deaths, end = parts, 0.0, 0, 0.0
    heapq.heapify(free)
    while left:
        now, worker = heapq.heappop(free)
        took = part * seconds * random.lognormvariate(0, 0.1)
        if (
            now + took > dies[worker]
        ):  # its part is done again by whoever is free, it comes back after a minute
            lost, deaths = lost + max(dies[worker] - now, 0), deaths + 1
            now = max(dies[worker], now) + 60
            dies[worker] = now + random.expovariate(1 / lifetime)
        else:
            left, now, end = left - 1, now + took, max(end, now + took)
        heapq.heappush(free, (now, worker))
    ideal = pictures * seconds / workers
    print(f"{pictures} pictures in {parts} parts by {workers} workers: {end / 3600:.2f} h")
    print(f"{deaths} workers died, {lost / 3600:.2f} hours of work were lost")
    yield "time beside that of workers that never die nor wait", end / ideal, "≤", 1.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--kills", type=int, help="how often growth stops its second run (20); 0: no such run"
    )
    parser.add_argument("--small", action="store_true", help="sizes that show that it runs, and prove little")
    parser.add_argument(
        "--only", nargs="+", default=["bound", "ray", "killed", "growth", "manifest", "simulation"]
    )
    arguments = parser.parse_args()
    small = arguments.small
    kills = arguments.kills if arguments.kills is not None else 2 if small else 20
    sections = {
        "bound": lambda work: bound(work, 64 if small else 384),
        "ray": lambda work: ray(work, 64 if small else 1024),
        "killed": lambda work: killed(work, 200 if small else 1000),
        "growth": lambda work: growth(work, 400 if small else 20_000, kills),
        "manifest": lambda work: chain(
            manifest(work / "rows", 20_000 if small else 1_000_000),
            tiny_files(work / "files", 2_000 if small else 200_000),
        ),
        "simulation": lambda work: simulation(),
    }
    missed = 0
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            (work / "rows").mkdir()
            (work / "files").mkdir()
            missed |= report(sections[name](work), judged=not small)
    return missed


if __name__ == "__main__":
    sys.exit(main())
