"""What loading costs: time against reading and hashing the file's bytes, and memory above the model's own.

    python benchmarks/loading.py                    full size: some 3 GB of files in a temporary folder
    python benchmarks/loading.py --folder DIR       keeps the files there, for the next run
    python benchmarks/loading.py --small            tiny networks: shows only that everything runs

Every figure comes from a fresh process. Files are read from a warm disk cache; times are medians. "Anonymous"
memory leaves out the pages of mapped files, which the system takes back whenever it needs them.
"""

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

FULL_SIZE_CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64, 32)  # config-f, 4 … 1024 px
ROOT = Path(__file__).parent.parent
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, help="where the files are made, and kept")
    parser.add_argument("--small", action="store_true", help="tiny networks")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)) / ("small" if options.small else "full")
        make_files(folder, options.small)
        table(folder, 1 if options.small else options.runs)


# The table


def table(folder: Path, runs: int) -> None:
    jobs = [
        ("load", "generator", "nvidia.pkl", 1.5, 0.6),
        ("load", "generator", "psp.pt", None, None),
        ("load", "encoder", "psp.pt", None, None),
        ("load", "generator", "generator.safetensors", None, None),
        ("load", "encoder", "encoder.safetensors", None, None),
    ]
