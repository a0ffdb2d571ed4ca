"""What importing the package costs beyond importing torch, and a cold run of the demo.

    python benchmarks/startup.py

Medians of fresh processes.
"""

import statistics
import subprocess
import sys
import tempfile
import time

IMPORT = """
import time, torch, numpy, PIL.Image, safetensors.torch
start = time.perf_counter()
import stylemix_core as sm
[getattr(sm, name) for name in sm.__all__]
print(time.perf_counter() - start)
"""


def main() -> None:
    imports = [float(python("-c", IMPORT)) for _ in range(7)]
    print(f"import of every public name, beyond torch: {statistics.median(imports):.3f} s (goal: < 0.3 s)")
    helps = [seconds("-m", "stylemix_core.cli", *words) for words in (("--help",), ("mix", "--help")) * 5]
    print(f"stylemix --help, and that of a verb: {statistics.median(helps):.2f} s (goal: < 0.3 s)")
    with tempfile.TemporaryDirectory() as folder:
        runs = [seconds("-m", "stylemix_core.cli", "demo", "--out", folder) for _ in range(3)]
    print(f"stylemix demo, from a cold start: {statistics.median(runs):.1f} s (goal: < 20 s)")


def python(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    python(*arguments)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
