"""How fast this package works, side by side with the original implementations.

    python benchmarks/speed.py            full size, ten minutes on two cores
    python benchmarks/speed.py --small    small networks: shows that everything runs

STYLEGAN2_ADA_PYTORCH and PIXEL2STYLE2PIXEL may name checkouts of the originals; without the first, benchmarks/plain.py
stands in for it, without the second there is nothing to hold the encoder against. Weights are random; times are medians
of interleaved runs, of one picture. "Automatic" is what dtype "auto" takes on this processor. Memory is what the
process needs at its peak beyond weights and pictures. benchmarks/stylegan3.py has StyleGAN3's rows.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path

import torch
from decode import codes, find_reference, interleaved, random_generator
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import stylemix_core as sm  # noqa: E402
from stylemix_core.checkpoints import native  # noqa: E402
from stylemix_core.codes.combine import join_latents  # noqa: E402
from stylemix_core.codes.latents import Latents  # noqa: E402
from stylemix_core.decoding import decode, distinct, distinct_in  # noqa: E402
from stylemix_core.device import resolve_dtype  # noqa: E402
from stylemix_core.encoder import Encoder, EncoderConfig  # noqa: E402
from stylemix_core.generator import Generator, StyleGAN2  # noqa: E402
from stylemix_core.generator.engine.compiled import CACHE  # noqa: E402
from tests import builders  # noqa: E402

MASKS = "0; 1; 2; 3; 4; 5; 0-6"
COLD = """
import sys, time, torch
start = time.perf_counter()
import stylemix_core as sm
G = sm.load_generator(sys.argv[1], device="cpu", dtype=sys.argv[2], compile=len(sys.argv) > 3)
with torch.inference_mode():
    G.synthesis(G.mapping(sm.sample_z([0], G.z_dim)))
print(time.perf_counter() - start)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="64², few runs")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    resolution, runs = (64, 1) if options.small else (1024, options.runs)
    if options.memory:
        print(json.dumps(memory(resolution, options.memory[0], int(options.memory[1]))))
        return

    generator = random_generator(resolution)
    automatic = resolve_dtype("auto", torch.device("cpu"), generator.config.channels)
    rounded = copy_of(generator).set_dtype(automatic)
    name, reference = find_reference(generator)
    print(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, {resolution}², against {name}; "
        f"automatic is {str(automatic).removeprefix('torch.')}\n"
    )
    print(
        "| work | precision | ours | theirs | ratio | memory, ours | theirs |\n|---|---|---|---|---|---|---|"
    )
    decoding(generator, rounded, reference, runs, options.small)
    compiling(generator, rounded, reference, runs, options.small)
    encoding(runs, options.small)
    inverting(generator, reference, runs)
    grids(generator, runs)
    starting(generator, runs)


def decoding(generator: Generator, rounded: Generator, reference: Callable, runs: int, small: bool) -> None:
    for batch in (1, 8):
        w = codes(generator, batch)
        jobs = {
            "theirs": lambda w=w: reference(w),
            "float32": lambda w=w: generator.synthesis(w),
            "automatic": lambda w=w: rounded.synthesis(w),
        }
        if batch > 1:
            for precision, G in (("float32", generator), ("automatic", rounded)):
                jobs[f"{precision}, singly"] = lambda w=w, G=G: [G.synthesis(one) for one in w.split(1)]
        with torch.inference_mode():
            seconds, _ = interleaved(jobs, runs if batch == 1 else max(runs // 2, 1))
        theirs = peak("theirs", batch, small)
        for precision in ("float32", "automatic"):
            row(
                f"decode, batch {batch}",
                precision,
                seconds[precision] / batch,
                seconds["theirs"] / batch,
                (peak(precision, batch, small), theirs),
            )
            if batch > 1:
                singly = seconds[f"{precision}, singly"] / batch
                row(f"batch {batch}, against single pictures", precision, seconds[precision] / batch, singly)
    for batch in (4, 64):
        row(f"memory of a batch of {batch}", "float32", None, None, (peak("float32", batch, small), None))


def compiling(generator: Generator, rounded: Generator, reference: Callable, runs: int, small: bool) -> None:
    """Drawing with compiled code, against the reference and against drawing without it; and the first picture."""
    w = codes(generator, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generator.safetensors"
        native.write(path, generator)
        precisions = {"float32": generator} if small else {"float32": generator, "auto": rounded}
        for precision, plain in precisions.items():
            name = precision.replace("auto", "automatic")
            os.environ[CACHE] = str(Path(folder) / precision)
            for state in ("nothing compiled yet", "compiled by an earlier process"):
                first = cold_start(path, precision, "compile")
                row(f"compiled: load and first picture, new process, {state}", name, first, None)
            jobs = {
                "theirs": lambda: reference(w),
                "plain": lambda G=plain: G.synthesis(w),
                "compiled": lambda G=plain: G.compiled().synthesis(w),
            }
            with torch.inference_mode():
                seconds, _ = interleaved(jobs, runs)
            row("decode, batch 1, compiled", name, seconds["compiled"], seconds["theirs"])
            row("the same, against not compiled", name, seconds["compiled"], seconds["plain"])
            del os.environ[CACHE]


def encoding(runs: int, small: bool) -> None:
    config = builders.tiny_encoder_config() if small else EncoderConfig()
    torch.manual_seed(0)
    prefix = "encoder."
    state = {name.removeprefix(prefix): tensor for name, tensor in builders.psp_encoder_state(config).items()}
    automatic = resolve_dtype("auto", torch.device("cpu"), config.stage_channels, encoder=True)
    picture = torch.rand(1, 3, config.input_size, config.input_size) * 2 - 1
    exact = Encoder.from_state_dict(config, state)
    rounded = Encoder.from_state_dict(config, state).set_dtype(automatic)
    jobs = {"float32": lambda: exact(picture), "automatic": lambda: rounded(picture)}
    checkout = os.environ.get("PIXEL2STYLE2PIXEL")
    if checkout and not small:
        theirs = original_encoder(checkout, state)
        jobs["theirs"] = lambda: theirs(picture)
    with torch.inference_mode():
        seconds, _ = interleaved(jobs, runs)
    for precision in ("float32", "automatic"):
        row(f"encode {config.input_size}²", precision, seconds[precision], seconds.get("theirs"))


def inverting(generator: Generator, reference: Callable, runs: int) -> None:
    """A picture of one code, and the gradient for the code and the noise."""
    ours = copy_of(generator)
    w = codes(generator, 1).requires_grad_()
    for name, noise in ours.named_buffers():
        if name.endswith("noise_const"):
            noise.requires_grad_()

    def step(draw: Callable) -> Callable:
        return lambda: draw(w).square().mean().backward()

    with torch.enable_grad():
        seconds, _ = interleaved({"ours": step(ours.synthesis), "theirs": step(reference)}, max(runs // 2, 1))
    row("inversion step, generator's part", "float32", seconds["ours"], seconds["theirs"])


def grids(generator: Generator, runs: int) -> None:
    """Sheets against the decodes that they contain, of codes of which some come up more than once."""
    w = codes(generator, 4)
    source, style = Latents.of(w[:1], "source"), Latents.of(w[1:2], "style")
    masks = sm.parse_masks(MASKS, generator.num_ws)
    side = min(generator.img_resolution, 512)
    left = (torch.arange(side) < side // 2).float().expand(side, side)

    def sweep() -> torch.Tensor:
        """A duplicate of each result, too."""
        results = sm.inject_latents(source, style, masks)
        kept, (_, places, (before,), (beside,)) = distinct_in([results, results, source, style])
        pictures = decode(generator, join_latents(kept))
        drawn = [pictures[place] for place in places]
        count = len(drawn)
        return sm.compare_grid(
            drawn, masks.labels, source=[pictures[before]] * count, style=[pictures[beside]] * count
        )

    def matrix() -> torch.Tensor:
        figure = sm.mixing_matrix(
            Latents.of(w[:2], "source"), Latents.of(w[2:], "style"), sm.parse_masks("0-3", generator.num_ws)
        )
        kept, places = distinct(figure.codes)
        pictures = decode(generator, kept)
        return figure.sheet([pictures[place] for place in places])

    def explain() -> Image.Image:
        regions = {"left": left, "right": 1 - left}
        return sm.explain_layers(generator, w[:1], w[1:2], regions, perceptual="gradients").sheet()

    layers = torch.eye(generator.num_ws)
    every = torch.cat([layers, 1 - layers, layers[:1] * 0, layers[:1] * 0 + 1])
    for name, draw, drawn, times in (
        (
            "sweep of 7 masks and its grid",
            sweep,
            torch.cat([sm.inject(w[:1], w[1:2], masks), w[:2]]),
            runs // 2,
        ),
        ("mixing matrix of 2 × 2", matrix, codes(generator, 8), runs // 2),
        ("sheet of what every layer changes", explain, sm.inject(w[:1], w[1:2], every), runs // 4),
    ):
        jobs = {"sheet": draw, "decodes": lambda drawn=drawn: generator.synthesis(drawn)}
        with torch.inference_mode():
            seconds, _ = interleaved(jobs, max(times, 1))
        row(f"{name}, against its decodes", "float32", seconds["sheet"], seconds["decodes"])


def starting(generator: Generator, runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generator.safetensors"
        native.write(path, generator)
        for precision in ("float32", "auto"):
            times = [cold_start(path, precision) for _ in range(min(runs, 3))]
            name = "load and first picture, new process, beyond torch"
            row(name, precision.replace("auto", "automatic"), statistics.median(times), None)


def cold_start(*arguments: str | Path) -> float:
    command = [sys.executable, "-c", COLD, *map(str, arguments)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


def peak(who: str, batch: int, small: bool) -> float | None:
    """MB beyond weights and pictures, of a process of its own."""
    if sys.platform != "linux":
        return None
    command = [sys.executable, __file__, "--memory", who, str(batch), *(["--small"] if small else [])]
    return json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    )


def memory(resolution: int, who: str, batch: int) -> float:
    generator = random_generator(resolution)
    draw: Callable = generator.synthesis
    if who == "theirs":
        _, draw = find_reference(generator)
    elif who == "automatic":
        generator.set_dtype(resolve_dtype("auto", torch.device("cpu"), generator.config.channels))
    with torch.inference_mode():
        draw(codes(generator, 1))  # what is kept with the weights
        forget_peak()
        before = status("VmRSS")
        pictures = draw(codes(generator, batch))
    return status("VmHWM") - before - pictures.nbytes / 1e6


def forget_peak() -> None:
    """Let the peak of this process's memory start from what it needs now."""
    ctypes.CDLL(None).malloc_trim(0)  # what is free already counts as needed again
    Path("/proc/self/clear_refs").write_text("5")


def status(field: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) * 1024 / 1e6


def original_encoder(checkout: str, state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """pixel2style2pixel's, without the CUDA extensions of the decoder in the same package, which it imports."""
    sys.path.insert(0, checkout)
    stand_in = types.ModuleType("models.stylegan2.op")
    for name in ("FusedLeakyReLU", "fused_leaky_relu", "upfirdn2d"):
        setattr(stand_in, name, None)
    sys.modules[stand_in.__name__] = stand_in
    from models.encoders.psp_encoders import GradualStyleEncoder

    encoder = GradualStyleEncoder(50, "ir_se", argparse.Namespace(input_nc=3, n_styles=18, output_size=1024))
    encoder.load_state_dict({name: state[name] for name in encoder.state_dict()})
    return encoder.eval().requires_grad_(False)


def copy_of(generator: Generator) -> Generator:
    state = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    return StyleGAN2.from_state_dict(generator.config, state)


def row(work: str, precision: str, ours: float | None, theirs: float | None, peaks=(None, None)) -> None:
    def cell(value: float | None, pattern: str) -> str:
        return "" if value is None else pattern.format(value)

    ratio = theirs / ours if ours and theirs else None
    cells = [cell(ours, "{:.3f} s"), cell(theirs, "{:.3f} s"), cell(ratio, "{:.2f}×")]
    cells += [cell(value, "{:.0f} MB") for value in peaks]
    print(f"| {work} | {precision} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
