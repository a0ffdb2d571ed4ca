"""Whether the same seeds still give the same bits: a fixed set of commands, by this checkout and by a commit.

    python benchmarks/same_bits.py HEAD~1        every file and every printed line compared; exit code 1 if one differs

For changes that only move code. Both run here and now, one after the other, for bits depend on the machine. Times do
not count, nor do the pictures of reports, which print them, nor the order of a safetensors file's metadata, which is
another one in every run.
"""

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

COMMANDS = """
demo --out demo
generate --seeds 0-4 --psi 0.7 --out faces
generate --seeds 3,5 --cutoff 6 --noise random --out noisy
encode demo/style.png faces --out codes
decode codes/style.safetensors faces/latents.safetensors --noise none --out drawn
blend faces/latents.safetensors codes/style.safetensors --weight 0.3 --out blended
truncate faces/latents.safetensors --psi 0.4 --out average
mix --seeds 0-1 --style codes/style.safetensors --masks "0; 4-5, 8-10@0.5; random(3)" --seed 7 --out mixed
mix --seeds 0-1 --style demo/style.png --masks all --region MASK --out in_region
mix --seeds 2 --style demo/style.png --masks "4-10" --space channels --region MASK --out channels
mix --seeds 2 --style demo/style.png --masks "4-10" --space to-RGB --out colours
matrix --seeds 0-1 --style faces/latents.safetensors --masks coarse --out matrix
strip --seeds 0 --style codes/style.safetensors --masks "4-5" --count 3 --out strip
directions --seeds 0 --count 3 --apply 1 --out sefa
directions --method GANSpace --seeds 0 --count 2 --samples 1000 --out ganspace
explain --seeds 0 --style codes/style.safetensors --out explained
find --seeds 0 --style codes/style.safetensors --target "hair shape" --steps 10 --others 2 --out found
invert demo/style.png --steps 6 --out inverted
invert demo/style.png --method tune --steps 4 --align never --out tuned
paste demo/style.png drawn --out pasted
convert demo --out converted
inspect converted/demo.safetensors faces/latents.safetensors --json
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("commit", help="what to compare with, as git names it")
    commit = parser.parse_args().commit
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder, "before")
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(before, filter="data")
        made = [results(package, Path(folder, place)) for package, place in ((before, "old"), (ROOT, "new"))]
    names = sorted(made[0].keys() | made[1].keys())
    different = [name for name in names if made[0].get(name) != made[1].get(name)]
    for name in different:
        print(f"differs: {name}")
    print(
        f"{len(names) - len(different)} of {len(names)} files and printed texts are the same as at {commit}"
    )
    return bool(different)


def results(package: Path, work: Path) -> dict[str, str]:
    """The digests of all that the commands write and print, by name."""
    work.mkdir()
    mask = work / "mask.png"
    environment = {**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    drawing = f"from PIL import Image; Image.linear_gradient('L').save({str(mask)!r})"
    subprocess.run([sys.executable, "-c", drawing], check=True)
    found = {}
    for line in COMMANDS.replace("MASK", mask.name).strip().splitlines():
        command = f"{sys.executable} -m stylemix_core.cli {line}"
        run = subprocess.run(command, shell=True, cwd=work, env=environment, capture_output=True)
        if run.returncode:
            sys.exit(f"stylemix {line}\n{run.stderr.decode()}")
        found[f"printed by: {line}"] = digest(untimed(run.stdout))
    files = [path for path in work.rglob("*.*") if path.is_file() and not path.match("*_report.png")]
    return found | {str(path.relative_to(work)): digest(content(path)) for path in files}


def content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        start = 8 + int.from_bytes(data[:8], "little")
        return json.dumps(json.loads(data[8:start]), sort_keys=True).encode() + data[start:]
    return untimed(data) if path.suffix == ".json" else data


def untimed(text: bytes) -> bytes:
    return re.sub(rb'"seconds": [0-9.]+|, [0-9.]+ s\b', b"", text)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
