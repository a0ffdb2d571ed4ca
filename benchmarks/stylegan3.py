"""How fast StyleGAN3's pictures are drawn: this package, the original's code without its CUDA kernels, and the least
that is possible, the convolutions alone.

    STYLEGAN3=<checkout> python benchmarks/stylegan3.py            T and R at 256² and 1024²; a quarter of an hour
    python benchmarks/stylegan3.py --small                         32²: shows that everything runs

Without STYLEGAN3, which names a checkout of the original, there is nothing to hold the times against. Weights are
random; times are medians of interleaved runs, of one picture. "Automatic" is what dtype "auto" takes on this processor.
Memory is what the process needs at its peak beyond weights and picture.
"""

import argparse
import os
import sys
import tempfile
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from decode import codes, interleaved

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import stylemix_core as sm  # noqa: E402
from stylemix_core.generator import Generator  # noqa: E402
from tests import builders, builders_stylegan3  # noqa: E402
from tests.builders_stylegan3 import Original  # noqa: E402

T = Original(channel_base=32_768, channel_max=512)
R = Original(channel_base=65_536, channel_max=1024, conv_kernel=1, use_radial_filters=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="32², few maps, one run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[256, 1024])
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print(
        "| network | precision | ours | theirs | ratio | convolutions alone | largest difference | memory |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for resolution in [32] if options.small else options.resolutions:
        for name, network in (("T", T), ("R", R)):
            if options.small:
                network = replace(network, channel_base=320, channel_max=12)
            measure(f"{name} {resolution}²", replace(network, img_resolution=resolution), options.runs)


@torch.inference_mode()
def measure(name: str, network: Original, runs: int) -> None:
    state = builders_stylegan3.with_filters(network)
    with tempfile.TemporaryDirectory() as folder:
        path = builders.write_nvidia(
            Path(folder) / "network.pkl", state, builders_stylegan3.attributes(network)
        )
        precisions = {
            "float32": sm.load_generator(path, "cpu"),
            "automatic": sm.load_generator(path, "cpu", "auto"),
        }
    if precisions["automatic"].dtype == torch.float32:  # where the processor has no bfloat16
        del precisions["automatic"]
    generator = precisions["float32"]
    w = codes(generator, 1)
    jobs: dict[str, Callable[[], torch.Tensor]] = {
        name: lambda G=G: G.synthesis(w) for name, G in precisions.items()
    }
    jobs |= {f"{name}, floor": lambda G=G: convolutions(G) for name, G in precisions.items()}
    theirs = original(network, state)
    if theirs is not None:
        jobs["theirs"] = lambda: theirs(w)
    seconds, results = interleaved(jobs, runs)
    for precision, G in precisions.items():
        cells = [f"{seconds[precision]:.2f} s", "", "", f"{seconds[f'{precision}, floor']:.2f} s", ""]
        if theirs is not None:
            cells[1] = f"{seconds['theirs']:.2f} s"
            cells[2] = f"{seconds['theirs'] / seconds[precision]:.2f}×"
            cells[4] = f"{(results[precision] - results['theirs']).abs().max():.1e}"
        print(f"| {name} | {precision} | {' | '.join(cells)} | {needed(G, w):.0f} MB |", flush=True)


def convolutions(generator: Generator) -> torch.Tensor:
    """Every layer's convolution of maps of its size, and nothing else; as whole layers, as convolutions usually are."""
    for layer in generator.synthesis.layers():
        shape = (1, layer.layer.in_channels, layer.layer.in_size, layer.layer.in_size)
        x = torch.ones(shape, dtype=layer.weight.dtype).contiguous(memory_format=torch.channels_last)
        done = F.conv2d(x, layer.weight, padding=layer.layer.kernel - 1)
    return done


def original(
    network: Original, state: dict[str, torch.Tensor]
) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The original's synthesis with these weights; None without a checkout of it."""
    checkout = os.environ.get("STYLEGAN3")
    if not checkout:
        return None
    if checkout not in sys.path:
        sys.path.insert(0, checkout)
        # What it imports for downloads and for PyTorch's version.
        sys.modules.setdefault("requests", types.ModuleType("requests"))
        versions = types.ModuleType("pkg_resources")
        versions.parse_version = lambda text: tuple(map(int, text.split("+")[0].rstrip("a").split(".")[:2]))
        sys.modules.setdefault("pkg_resources", versions)
    from training.networks_stylegan3 import Generator as Theirs

    own = ("turned", "by_class", "mapping_layers")
    arguments = {name: value for name, value in vars(network).items() if name not in own}
    theirs = Theirs(
        z_dim=network.z_dim,
        w_dim=network.w_dim,
        mapping_kwargs={"num_layers": network.mapping_layers},
        **arguments,
    )
    theirs.load_state_dict(state)
    return theirs.eval().requires_grad_(False).synthesis


def needed(generator: Generator, w: torch.Tensor) -> float:
    """MB at the peak of drawing a picture, beyond what was needed before and the picture."""
    if sys.platform != "linux":
        return float("nan")
    from speed import forget_peak, status

    forget_peak()
    before = status("VmRSS")
    picture = generator.synthesis(w)
    return status("VmHWM") - before - picture.nbytes / 1e6


if __name__ == "__main__":
    main()
