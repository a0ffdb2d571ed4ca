"""Where the time of a picture goes, layer by layer.

    python benchmarks/layers.py                        1024², float32, random weights
    python benchmarks/layers.py --dtype bfloat16 --resolution 512 --threads 1

Milliseconds of the processor's time, of all threads together, means over a few pictures after one that is not counted.
Convolutions of large maps are called once a strip. "rest" is what happens between the layers.
"""

import argparse
import time

import torch
from decode import random_generator

from stylemix_core.device import DTYPES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    generator = random_generator(options.resolution).set_dtype(DTYPES[options.dtype])
    w = torch.randn(1, generator.num_ws, generator.w_dim)
    layers = {
        f"b{block.resolution}.{name}": layer
        for block in generator.synthesis.blocks()
        for name, layer in block.named_children()
    }
    seconds: dict[str, float] = dict.fromkeys(layers, 0.0)
    calls: dict[str, int] = dict.fromkeys(layers, 0)
    started: dict[str, float] = {}
    for name, layer in layers.items():

        def start(*_, name=name) -> None:
            started[name] = time.process_time()

        def stop(*_, name=name) -> None:
            seconds[name] += time.process_time() - started[name]
            calls[name] += 1

        layer.register_forward_pre_hook(start)
        layer.register_forward_hook(stop)
    with torch.inference_mode():
        generator.synthesis(w)
        seconds, calls = dict.fromkeys(layers, 0.0), dict.fromkeys(layers, 0)
        begin = time.process_time()
        for _ in range(options.runs):
            generator.synthesis(w)
        total = time.process_time() - begin
    seconds["rest"] = total - sum(seconds.values())

    print(f"{options.resolution}², {options.dtype}, {options.threads} threads, torch {torch.__version__}\n")
    print("| layer | calls | ms | % | GFLOP | GFLOP/s |\n|---|---|---|---|---|---|")
    for name, spent in seconds.items():
        work = 0.0
        if name in layers:
            pixels = int(name.split(".")[0][1:]) ** 2 / (4 if getattr(layers[name], "up", False) else 1)
            work = 2e-9 * layers[name].weight.numel() * pixels
        print(
            f"| {name} | {calls.get(name, 0) / options.runs:.0f} | {1000 * spent / options.runs:.1f} | "
            f"{100 * spent / total:.1f} | {work:.2f} | {work * options.runs / spent:.0f} |"
        )
    print(f"| all | | {1000 * total / options.runs:.1f} | 100 | | |")


if __name__ == "__main__":
    main()
