"""How fast an NVIDIA GPU draws, side by side with the original implementation and its compiled CUDA kernels.

    STYLEGAN2_ADA_PYTORCH=<checkout> python benchmarks/gpu.py     1024², needs nvcc for the original's kernels
    python benchmarks/gpu.py                                      against benchmarks/plain.py
    python benchmarks/gpu.py --small                              64²: shows that everything runs

Weights are random; times are medians of interleaved runs, of one picture. The original runs as it is published: in
half precision its four largest blocks are, here all blocks are. Memory is what PyTorch keeps of the GPU's at the most
beyond weights and pictures, CUDA graphs included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from decode import codes, find_reference, interleaved, random_generator  # noqa: E402

from stylemix_core.checkpoints import load_generator, native  # noqa: E402

BATCHES = (1, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="64², few runs")
    parser.add_argument("--runs", type=int, default=30, help="drawings that are timed (30)")
    parser.add_argument("--first", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no NVIDIA GPU here: nothing to measure")
        return
    if options.first:
        print(json.dumps(first(*options.first)))
        return
    resolution, runs = (64, 2) if options.small else (1024, options.runs)
    generator = random_generator(resolution)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "generator.safetensors")
        native.write(path, generator)
        started = {who: cold_start(who, path) for who in ("ours", "theirs")}
    name, _ = find_reference(generator)
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {resolution}², "
        f"against {name} {compile_kernels()}\n"
    )
    print("| work | precision | ours | theirs | ratio | memory, ours | theirs |")
    print("|---|---|---|---|---|---|---|")
    row("first picture of a new process, after loading", "float16", started["ours"], started["theirs"])
    exact = None
    for precision in ("float32", "float16"):
        ours = random_generator(resolution).cuda().set_dtype(getattr(torch, precision))
        _, theirs = find_reference(generator, "cuda", half=precision == "float16")
        for batch in BATCHES:
            w = codes(ours, batch).cuda()
            draws = {"ours": partial(ours.synthesis, w), "theirs": partial(theirs, w)}
            with torch.inference_mode():
                memory = {who: peak(draw) for who, draw in draws.items()}
                jobs = {who: synchronized(draw) for who, draw in draws.items()}
                seconds, pictures = interleaved(jobs, runs)
            row(
                f"decode, batch {batch}",
                precision,
                seconds["ours"] / batch,
                seconds["theirs"] / batch,
                (memory["ours"], memory["theirs"]),
            )
        exact = pictures["ours"] if exact is None else exact
    difference = (pictures["ours"] - exact).abs() * 127.5
    print(f"\nfloat16 against float32: mean {difference.mean():.3f}, at most {difference.max():.2f} of 255")


def compile_kernels() -> str:
    """Let the original compile its kernels, if it is there; how to say of it whether it could."""
    if not os.environ.get("STYLEGAN2_ADA_PYTORCH"):
        return "in float32"
    register_extensions()
    from torch_utils.ops import bias_act, upfirdn2d

    done = bias_act._init() and upfirdn2d._init()
    return f"{'with' if done else 'without'} its compiled kernels"


def register_extensions() -> None:
    """Let the original find what it compiles: it imports it by name, under which PyTorch no longer puts it."""
    from torch.utils import cpp_extension

    load = cpp_extension.load

    def registering(name: str, **options):
        sys.modules[name] = load(name=name, **options)
        return sys.modules[name]

    cpp_extension.load = registering


def cold_start(who: str, path: str) -> float:
    """Seconds to the first picture in a new process that has compiled nothing before."""
    with tempfile.TemporaryDirectory() as cache:
        own = {"TORCH_EXTENSIONS_DIR": cache, "PYTORCH_KERNEL_CACHE_PATH": cache}
        command = [sys.executable, __file__, "--first", who, path]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, **own}, check=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def first(who: str, path: str) -> float:
    generator = load_generator(path, device="cuda" if who == "ours" else "cpu", dtype="auto")
    w = generator.w_avg.expand(1, generator.num_ws, -1).cuda()
    draw = generator.synthesis
    if who == "theirs":
        _, draw = find_reference(generator.set_dtype(torch.float32), "cuda", half=True)
    torch.cuda.synchronize()
    start = time.perf_counter()
    if who == "theirs":
        compile_kernels()
    with torch.inference_mode():
        draw(w).cpu()
    return time.perf_counter() - start


def synchronized(draw: Callable) -> Callable:
    def job() -> torch.Tensor:
        pictures = draw()
        torch.cuda.synchronize()
        return pictures

    return job


def peak(draw: Callable) -> float:
    """MB beyond weights and pictures, once a shape has come often enough."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_reserved()
    for _ in range(3):
        pictures = draw()
    return (torch.cuda.max_memory_reserved() - before - pictures.nbytes) / 1e6


def row(work: str, precision: str, ours: float, theirs: float, peaks=(None, None)) -> None:
    def milliseconds(seconds: float) -> str:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.2f} ms"

    memory = ["" if value is None else f"{value:.0f} MB" for value in peaks]
    cells = [work, precision, milliseconds(ours), milliseconds(theirs), f"{theirs / ours:.2f}×", *memory]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
