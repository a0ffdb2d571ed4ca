"""How well hair is told from face, clothes and background.

    python benchmarks/regions.py                     on avatars, against the renderer
    python benchmarks/regions.py FOLDER              on pictures there as well, NAME.jpg beside NAME_hair.png
    python benchmarks/regions.py FOLDER --source parsing_bisenet.pth

Hair is where the mask is above ½; figures are intersection over union. In NAME_hair.png levels from 0.2 to 0.8 mean
unsure; the table has both, with all pixels and with the sure ones. Exit code 1 when a goal is missed.
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from goals import Row, report

import stylemix_core as sm
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import index
from stylemix_core.demo.renderer import render
from stylemix_core.faces.regions import faces_of, find_regions
from stylemix_core.faces.regions.mesh import BROWS, EYES, OVAL, axes, draw, width_of
from stylemix_core.files.pictures import load_mask, open_image
from stylemix_core.images import from_pil, resize

SIDE = 256
AVATARS = 40
FIRST_HELD_OUT_SEED = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="pictures with masks of their hair")
    parser.add_argument("--source", default="auto", help="as for find_regions (%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = avatars(arguments.source)
    if arguments.folder is not None:
        rows += photographs(arguments.folder, arguments.source)
    print()
    return report(rows)


def avatars(source: str) -> list[Row]:
    z = sm.sample_z(range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + 2 * AVATARS), truth.CONFIG.z_dim)
    attributes = truth.attributes_of(z)
    haired = (attributes[:, index("cut")] > 0.2) & (attributes[:, index("hat")] < 0.7)
    haired &= attributes[:, index("eyelids")] > 0.2  # faces with closed eyes are not always found
    drawn = render(attributes[haired][:AVATARS], SIDE)
    found = find_regions(drawn.image, source=source)
    faces = faces_of(drawn.image)
    start = time.perf_counter()
    find_regions(drawn.image, faces, source)
    seconds = (time.perf_counter() - start) / AVATARS
    print(f"{1000 * seconds:.0f} ms a picture on one core, without finding the face\n")
    overlap = overlaps(found["hair"] > 0.5, drawn.regions["hair"] > 0.5)
    return [(f"avatars with hair and no hat: hair ({AVATARS})", float(overlap.mean()), "≥", 0.89)]


def photographs(folder: Path, source: str) -> list[Row]:
    paths = [path for path in sorted(folder.glob("*.jpg")) if hair_of(path).exists()]
    images = torch.cat([resize(from_pil(open_image(path)), SIDE, SIDE) for path in paths])
    hair = torch.cat([resize(load_mask(hair_of(path))[None, None], SIDE, SIDE)[0] for path in paths])
    faces = faces_of(images)
    found = find_regions(images, faces, source)
    mine, true, sure = found["hair"] > 0.5, hair > 0.5, (hair <= 0.2) | (hair >= 0.8)
    overlap, sure_overlap = overlaps(mine, true), overlaps(mine & sure, true & sure)
    oval = torch.stack([draw(face, (OVAL,)) for face in faces]) > 0.5
    features = torch.stack([draw(face, (*BROWS, *EYES), 0.04 * width_of(face)) for face in faces]) > 0
    forehead = oval & ~features & (torch.stack([axes(face)[1] for face in faces]) < -0.3) & ~true & sure
    fringe = oval & true & sure
    print("| picture | hair, all | where sure | false hair | forehead called hair | hair called background |")
    print("|---|---|---|---|---|---|")
    for i, path in enumerate(paths):
        false = float((mine[i] & ~true[i]).float().mean())
        row = [overlap[i], sure_overlap[i], false, share(mine[i], forehead[i])]
        row += [share(found["background"][i] > 0.5, true[i])]
        print(f"| {path.stem} | " + " | ".join(f"{float(value):.3f}" for value in row) + " |")
    return [
        ("photographs: hair, where sure", float(sure_overlap.mean()), "≥", 0.78),
        ("photographs: hair, recall inside the face's oval", share(mine, fringe), "≥", 0.65),
        ("photographs: forehead called hair", share(mine, forehead), "≤", 0.01),
        ("photographs: hair called background", share(found["background"] > 0.5, true), "≤", 0.03),
    ]


def hair_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}_hair.png")


def overlaps(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union of masks `[B, H, W]`, `[B]`."""
    return (a & b).sum((1, 2)) / (a | b).sum((1, 2)).clamp_min(1)


def share(mask: torch.Tensor, of: torch.Tensor) -> float:
    """How much of a place a mask covers."""
    return float((mask & of).sum() / of.sum().clamp_min(1))


if __name__ == "__main__":
    sys.exit(main())
