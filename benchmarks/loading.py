"""What loading costs: time against reading and hashing the file's bytes, memory above the model's own.

    python benchmarks/loading.py                 full size: 4 GB of files in a temporary folder
    python benchmarks/loading.py --folder DIR    keeps the files there for the next run
    python benchmarks/loading.py --small         tiny networks: shows that everything runs

Every row is a process of its own; the disk cache is warm, and times are medians of interleaved runs. "Memory" is
the peak of what the process holds in RAM; "private" leaves out pages of mapped files, which the system takes back
when it needs them.
"""

import argparse
import hashlib
import json
import math
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from stylemix_core.checkpoints import inspect_checkpoint, load_encoder, load_generator, native  # noqa: E402
from stylemix_core.encoder import Encoder, EncoderConfig  # noqa: E402
from stylemix_core.generator import GeneratorConfig, StyleGAN2  # noqa: E402
from tests import builders  # noqa: E402

FULL_SIZE = GeneratorConfig(512, 0, 512, 1024, 3, 8, (512, 512, 512, 512, 512, 256, 128, 64, 32))  # config-f
WORK = {"inspect": inspect_checkpoint, "generator": load_generator, "encoder": load_encoder}
ROWS = (
    ("generator", "nvidia.pkl"),
    ("generator", "psp.pt"),
    ("generator", "psp_legacy.pt"),
    ("generator", "generator.safetensors"),
    ("encoder", "psp.pt"),
    ("encoder", "psp_legacy.pt"),
    ("encoder", "encoder.safetensors"),
    ("inspect", "nvidia.pkl"),
    ("inspect", "psp.pt"),
    ("inspect", "psp_legacy.pt"),
    ("inspect", "generator.safetensors"),
    ("inspect", "encoder.safetensors"),
)
MB = 1e6
STATUS = Path("/proc/self/status")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, help="where the files are made and kept")
    parser.add_argument("--small", action="store_true", help="tiny networks")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure(options.row[0], Path(options.row[1]), options.runs)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)) / ("small" if options.small else "full")
        make_files(folder, options.small)
        print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
        print(
            "| work | file, MB | first, s | ours, s | read + hash, s | ratio | memory, MB | private, MB | of file |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for work, name in ROWS:
            path = folder / name
            command = [sys.executable, __file__, "--row", work, str(path), "--runs", str(options.runs)]
            row = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            size = path.stat().st_size / MB
            print(
                f"| {work} | {name}, {size:.0f} | {row['first']:.3f} | {row['ours']:.3f} | {row['reference']:.3f} | "
                f"{row['ours'] / row['reference']:.2f} | {row['memory']:.0f} | {row['private']:.0f} | "
                f"{row['memory'] / size:.2f} |"
            )


def measure(work: str, path: Path, runs: int) -> dict[str, float]:
    """Seconds of the first and the median call, of reading and hashing, and MB above the model at the peak."""
    job = WORK[work]
    arguments = {} if work == "inspect" else {"device": "cpu"}
    with Watch() as watch:
        start = time.perf_counter()
        model = job(path, **arguments)
        first = time.perf_counter() - start
    kept = sum(x.nbytes for x in (*model.parameters(), *model.buffers())) / MB if arguments else 0
    ours, reference = [], []
    for _ in range(runs):
        start = time.perf_counter()
        hashlib.sha256(path.read_bytes()).hexdigest()
        reference.append(time.perf_counter() - start)
        model = None
        start = time.perf_counter()
        model = job(path, **arguments)
        ours.append(time.perf_counter() - start)
    return {
        "first": first,
        "ours": statistics.median(ours),
        "reference": statistics.median(reference),
        "memory": watch.resident - kept,
        "private": watch.private - kept,
    }


class Watch(threading.Thread):
    """The peak of this process's memory while a block runs, MB above what it was before."""

    def __enter__(self) -> "Watch":
        self.before, self.done = memory(), False
        self.peaks = self.before
        self.start()
        return self

    def run(self) -> None:
        while not self.done:
            self.peaks = tuple(map(max, self.peaks, memory()))
            time.sleep(0.002)

    def __exit__(self, *error) -> None:
        self.done = True
        self.join()
        self.resident, self.private = (peak - before for peak, before in zip(self.peaks, self.before))


def memory() -> tuple[float, float]:
    """MB in RAM, and of them those that are this process's own; not a number where there is no /proc."""
    if not STATUS.exists():
        return math.nan, math.nan
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return tuple(int(fields[name].split()[0]) * 1024 / MB for name in ("VmRSS", "RssAnon"))


# The files


def make_files(folder: Path, small: bool) -> None:
    """Files of the real structures, with random weights; those that are there already stay."""
    if folder.exists():
        return
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    generator = builders.tiny_generator_config() if small else FULL_SIZE
    encoder = builders.tiny_encoder_config() if small else EncoderConfig()
    torch.manual_seed(0)

    state = builders.nvidia_state(generator)
    native.write(partial / "generator.safetensors", StyleGAN2.from_state_dict(generator, state))
    averaged = {name: tensor + 0.01 for name, tensor in state.items()}
    networks = {
        "G": builders.nvidia_module(state, {}),
        "D": builders.nvidia_module(discriminator_state(generator), {}, "Discriminator"),
        "G_ema": builders.nvidia_module(averaged, {}),
    }
    with (partial / "nvidia.pkl").open("wb") as file:
        builders.Pickler(file, protocol=4).dump({**networks, "training_set_kwargs": {}, "augment_pipe": None})
    del state, averaged, networks

    weights = builders.psp_encoder_state(encoder)
    plain = {name.removeprefix("encoder."): tensor for name, tensor in weights.items()}
    native.write(partial / "encoder.safetensors", encoder=Encoder.from_state_dict(encoder, plain))
    weights |= builders.psp_decoder_state(generator)
    average = torch.randn(encoder.num_ws, encoder.w_dim)
    opts = {"encoder_type": "GradualStyleEncoder", "output_size": generator.img_resolution}
    builders.write_psp(partial / "psp.pt", weights, average, opts)
    builders.write_psp(partial / "psp_legacy.pt", weights, average, opts, zipped=False)
    partial.rename(folder)


def discriminator_state(config: GeneratorConfig) -> dict[str, torch.Tensor]:
    """Weights of the generator's opponent, under NVIDIA's names."""
    state = {}
    widths = config.channels[::-1]
    for i, (width, below) in enumerate(zip(widths, widths[1:])):
        block = f"b{config.img_resolution >> i}"
        shapes = {"conv0": (width, width, 3, 3), "conv1": (below, width, 3, 3), "skip": (below, width, 1, 1)}
        for layer, shape in shapes.items():
            state[f"{block}.{layer}.weight"] = torch.randn(shape)
            state[f"{block}.{layer}.resample_filter"] = torch.randn(4, 4)
    last = widths[-1]
    return state | {
        "b4.conv.weight": torch.randn(last, last + 1, 3, 3),
        "b4.fc.weight": torch.randn(last, 16 * last),
    }


if __name__ == "__main__":
    main()
