"""The command `stylemix`: the nodes' jobs on files and folders.

Every command writes into `--out`. Bad input ends with exit code 2 and one line that says what to do.
"""

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from .checkpoints import inspect_checkpoint, load_encoder, load_generator
from .encoder import Encoder
from .errors import StyleMixError
from .generator import Generator
from .grid import compare_grid
from .images import load_image, save_image
from .injection import PAIRINGS, check_styles, inject_latents, result_labels
from .latents import Latents, check_generator, load_latents, save_latents
from .masks import parse_masks
from .progress import ProgressBar
from .seeds import class_labels, sample_z

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
CHUNK = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        with torch.inference_mode():
            options.command(options)
    except (StyleMixError, OSError) as error:
        print(f"stylemix {options.name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"stylemix {options.name}: stopped; what is in {options.out} is complete", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stylemix", description="StyleGAN2 faces and pSp styles on the command line."
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="command")

    def add(name: str, command, summary: str, out: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(command=command, out=Path("."))
        if out:
            sub.add_argument(
                "--out", type=Path, default=Path(f"stylemix_{name}"), help="folder for results (%(default)s)"
            )
        return sub

    add("demo", demo, "The experiment on the bundled models: four faces, one bob, seven masks.")

    sub = add("generate", generate, "Sample faces: pictures and their W+ codes.")
    sub.add_argument("--seeds", type=seed_list, required=True, help="for instance 0-3,7")
    add_sampling(sub)
    add_models(sub, "generator")

    sub = add("encode", encode, "Read pictures into W+ codes, one file each, and draw them again.")
    sub.add_argument("pictures", nargs="+", type=Path, help="picture files or folders of them")
    add_models(sub, "generator", "encoder")

    sub = add("mix", mix, "Inject layers of a style into faces through a mask list.")
    source = sub.add_mutually_exclusive_group(required=True)
    source.add_argument("--source", nargs="+", type=Path, help="W+ files, pictures or folders of them")
    source.add_argument("--seeds", type=seed_list, help="sample the sources: for instance 0-3,7")
    sub.add_argument(
        "--style", nargs="+", type=Path, required=True, help="W+ files, pictures or folders of them"
    )
    sub.add_argument("--masks", default="0; 1; 2; 3; 4; 5; 0-6", help='mask list (default "%(default)s")')
    sub.add_argument(
        "--alpha", type=float, default=1.0, help="strength of terms without @, -2 to 3 (%(default)s)"
    )
    sub.add_argument(
        "--pairing", choices=PAIRINGS, default="match", help="which source meets which style (%(default)s)"
    )
    sub.add_argument("--seed", type=int, default=0, help="for random layers in the mask list (%(default)s)")
    add_sampling(sub)
    add_models(sub, "generator", "encoder")

    sub = add("inspect", inspect, "Say what checkpoint files are, without loading them.", out=False)
    sub.add_argument("files", nargs="+", help='checkpoint files, or "demo"')
    sub.add_argument("--json", action="store_true", help="print one JSON object per file")
    return parser


def add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--psi", type=float, default=0.7, help="truncation: 1 varied, 0 average (%(default)s)"
    )
    parser.add_argument("--cutoff", type=int, default=None, help="truncate only layers before this one (all)")
    parser.add_argument("--class-label", type=int, default=None, help="class of a conditional generator")
    parser.add_argument(
        "--noise", choices=("const", "random", "none"), default="const", help="noise (%(default)s)"
    )


def add_models(parser: argparse.ArgumentParser, *parts: str) -> None:
    for part in parts:
        parser.add_argument(f"--{part}", default="demo", help=f'{part} checkpoint (the bundled "demo")')
    parser.add_argument("--device", default=None, help="cpu, cuda, mps (the fastest there is)")
    parser.add_argument("--dtype", default="float32", help="auto, float32, float16 or bfloat16 (%(default)s)")


def demo(options: argparse.Namespace) -> None:
    from .demo import experiment

    done = experiment.run()
    for seed, picture in zip(experiment.SEEDS, done.source_pictures):
        save_image(options.out / "faces" / f"seed{seed:04d}.png", picture)
    save_image(options.out / "style.png", done.style_picture[0])
    names = [f"seed{seed:04d}_layers_{label}" for seed in experiment.SEEDS for label in done.labels]
    for name, picture in zip(names, done.result_pictures):
        save_image(options.out / "results" / f"{file_name(name)}.png", picture)
    for name, latents in (("faces", done.sources), ("style", done.style), ("results", done.results)):
        save_latents(options.out / f"{name}.safetensors", latents)
    save_image(options.out / "grid.png", done.grid[0])
    print(f"{len(done.results)} results; the comparison is {options.out / 'grid.png'}")


def generate(options: argparse.Namespace) -> None:
    generator = open_generator(options)
    latents = sample(generator, options)
    pictures = decode(generator, latents, options.noise)
    for seed, picture in zip(options.seeds, pictures):
        save_image(options.out / f"seed{seed:04d}.png", picture)
    save_latents(options.out / "latents.safetensors", latents)
    print(f"{len(latents)} pictures and latents.safetensors in {options.out}")


def encode(options: argparse.Namespace) -> None:
    generator, encoder = open_generator(options), open_encoder(options)
    paths = [path for path in expand(options.pictures) if path.suffix.lower() in PICTURES]
    if not paths:
        raise StyleMixError(f"found no picture; give files or folders with {', '.join(sorted(PICTURES))}")
    bar = ProgressBar(len(paths), "encode")
    for i, path in enumerate(paths):
        latents = encode_picture(encoder, path)
        check_generator(latents, generator)
        name = file_name(path.stem if len({p.stem for p in paths}) == len(paths) else f"{path.stem}_{i}")
        save_latents(options.out / f"{name}.safetensors", latents)
        save_image(options.out / f"{name}.png", generator.synthesis(latents.w)[0])
        bar.update(i + 1)
    bar.close()
    print(f"{len(paths)} W+ files and their reconstructions in {options.out}")


def mix(options: argparse.Namespace) -> None:
    generator = open_generator(options)
    sources = sample(generator, options) if options.seeds else read_codes(options.source, options)
    styles = read_codes(options.style, options)
    warnings = {check_generator(sources, generator), check_generator(styles, generator)}
    for warning in (warnings | {check_styles(sources, styles)}) - {None}:
        print(f"stylemix mix: warning: {warning}", file=sys.stderr)
    masks = parse_masks(options.masks, generator.num_ws, options.alpha, options.seed)
    results = inject_latents(sources, styles, masks, options.pairing)
    pictures = decode(generator, results, options.noise)
    source_pictures = decode(generator, sources, options.noise)
    style_pictures = decode(generator, styles, options.noise)

    for i, picture in enumerate(pictures):
        save_image(options.out / "results" / f"{i:04d}.png", picture)
    save_latents(options.out / "results.safetensors", results)
    if options.pairing == "all" and len(styles) > 1:
        grid = compare_grid(
            pictures, result_labels(masks, len(sources), len(styles), "all"), columns=len(masks)
        )
    else:
        grid = compare_grid(pictures, masks.labels, source=source_pictures, style=style_pictures)
    save_image(options.out / "grid.png", grid[0])
    print(f"{len(results)} results; the comparison is {options.out / 'grid.png'}")


def inspect(options: argparse.Namespace) -> None:
    for file in options.files:
        info = inspect_checkpoint(file)
        print(
            json.dumps({"file": str(file)} | dataclasses.asdict(info))
            if options.json
            else f"{file}: {info.summary()}"
        )


def open_generator(options: argparse.Namespace) -> Generator:
    return load_generator(options.generator, options.device, options.dtype)


def open_encoder(options: argparse.Namespace) -> Encoder:
    return load_encoder(options.encoder, options.device, options.dtype)


def sample(generator: Generator, options: argparse.Namespace) -> Latents:
    labels = class_labels(options.class_label, generator.c_dim, len(options.seeds))
    w = generator.mapping(sample_z(options.seeds, generator.z_dim), labels, options.psi, options.cutoff)
    origins = tuple(f"seed {seed}, psi {options.psi:g}" for seed in options.seeds)
    return Latents(w.cpu(), origins, generator.fingerprint())


def decode(generator: Generator, latents: Latents, noise: str) -> torch.Tensor:
    """Pictures `[B, C, R, R]`, a few at a time."""
    bar = ProgressBar(len(latents), "decode")
    pictures = []
    for start in range(0, len(latents), CHUNK):
        w = latents.w[start : start + CHUNK]
        pictures.append(generator.synthesis(w, noise, noise_seed=start).cpu())
        bar.update(start + len(w))
    bar.close()
    return torch.cat(pictures)


def encode_picture(encoder: Encoder, path: Path) -> Latents:
    return Latents.of(encoder(load_image(path)).cpu(), path.name, encoder.generator)


def read_codes(paths: list[Path], options: argparse.Namespace) -> Latents:
    """W+ codes of W+ files and pictures; the encoder is loaded only for pictures."""
    encoder = None
    parts = []
    for path in expand(paths):
        if path.suffix.lower() == ".safetensors":
            parts.append(load_latents(path))
        elif path.suffix.lower() in PICTURES:
            encoder = encoder or open_encoder(options)
            parts.append(encode_picture(encoder, path))
        else:
            raise StyleMixError(f"{path} is neither a W+ file (.safetensors) nor a picture")
    return join(parts)


def join(parts: list[Latents]) -> Latents:
    if not parts:
        raise StyleMixError("found neither W+ files nor pictures in the folders given")
    shapes = {tuple(part.w.shape[1:]) for part in parts}
    if len(shapes) > 1:
        raise StyleMixError(f"the codes have different shapes, {sorted(shapes)}; use files of one model")
    generators = {part.generator for part in parts}
    return Latents(
        torch.cat([part.w for part in parts]),
        tuple(origin for part in parts for origin in part.origins),
        generators.pop() if len(generators) == 1 else None,
    )


def expand(paths: list[Path]) -> list[Path]:
    """The files, and the pictures and W+ files inside the folders, in order."""
    found = []
    for path in paths:
        if path.is_dir():
            wanted = PICTURES | {".safetensors"}
            found += sorted(child for child in path.iterdir() if child.suffix.lower() in wanted)
        else:
            found.append(path)
    return found


def file_name(text: str) -> str:
    """The text with only what every file system takes."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "unnamed"


def seed_list(text: str) -> list[int]:
    """Seeds of "0-3,7"."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise argparse.ArgumentTypeError(
                f"{part!r} is no seed or range of seeds; write for instance 0-3,7"
            )
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return seeds


if __name__ == "__main__":
    sys.exit(main())
