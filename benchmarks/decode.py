"""How fast W+ codes become pictures: this package against a reference, side by side in one run.

    python benchmarks/decode.py                          against benchmarks/plain.py
    STYLEGAN2_ADA_PYTORCH=<checkout> python benchmarks/decode.py   against the original implementation

Weights are random; the numbers are medians of interleaved runs.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch
from plain import synthesis as plain_synthesis

from stylemix_core.generator import Generator, GeneratorConfig, StyleGAN2

FULL_SIZE_CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64, 32)  # config-f, 4 … 1024 px


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    generator = random_generator(options.resolution)
    halved = StyleGAN2.from_state_dict(generator.config, generator.state_dict()).set_dtype(torch.bfloat16)
    name, reference = find_reference(generator)
    print(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, {options.resolution}², against {name}\n"
    )
    print("| batch | precision | ours, s a picture | reference, s a picture | ratio | max difference |")
    print("|---|---|---|---|---|---|")
    with torch.inference_mode():
        for batch in options.batch:
            w = codes(generator, batch)
            jobs = {
                "reference": lambda w=w: reference(w),
                "float32": lambda w=w: generator.synthesis(w),
                "bfloat16": lambda w=w: halved.synthesis(w),
            }
            seconds, pictures = interleaved(jobs, options.runs)
            for precision in ("float32", "bfloat16"):
                difference = (pictures[precision] - pictures["reference"]).abs().max()
                ours, theirs = seconds[precision] / batch, seconds["reference"] / batch
                print(
                    f"| {batch} | {precision} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.2f}× | {difference:.1e} |"
                )


def random_generator(
    resolution: int, channels: tuple[int, ...] = FULL_SIZE_CHANNELS, w_dim: int = 512
) -> Generator:
    torch.manual_seed(0)
    blocks = resolution.bit_length() - 2
    config = GeneratorConfig(w_dim, 0, w_dim, resolution, 3, 8, channels[:blocks])
    generator = StyleGAN2(config)
    for layer in (layer for block in generator.synthesis.blocks() for layer in block.convolutions()):
        torch.nn.init.constant_(layer.noise_strength, 0.1)
    return StyleGAN2.from_state_dict(config, generator.state_dict())


def codes(generator: Generator, count: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(count, generator.num_ws, generator.w_dim, generator=random)


def find_reference(
    generator: Generator, device: str = "cpu", half: bool = False
) -> tuple[str, Callable[[torch.Tensor], torch.Tensor]]:
    """What to hold the generator against, with its weights. half: the original in half precision, as published."""
    checkout = os.environ.get("STYLEGAN2_ADA_PYTORCH")
    if not checkout:
        weights = {name: tensor.contiguous() for name, tensor in generator.state_dict().items()}
        plain = StyleGAN2(generator.config).requires_grad_(False)
        plain.load_state_dict(weights)
        plain.to(device)
        return "benchmarks/plain.py", lambda w: plain_synthesis(plain, w)
    sys.path.insert(0, checkout)
    from training.networks import Generator as Original

    config = generator.config
    precision = {"num_fp16_res": 4, "conv_clamp": 256} if half else {"num_fp16_res": 0}
    original = Original(512, 0, 512, config.img_resolution, 3, synthesis_kwargs=precision)
    original.load_state_dict(generator.state_dict())
    original.eval().requires_grad_(False).to(device)
    return "the original implementation", lambda w: original.synthesis(w, noise_mode="const")


def interleaved(jobs: dict[str, Callable], runs: int) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """Median seconds and the last result of every job; one unmeasured round first."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    results = {}
    for i in range(runs + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            results[name] = job()
            if i:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}, results


if __name__ == "__main__":
    main()
