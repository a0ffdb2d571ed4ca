"""The command `stylemix`: the nodes' jobs on files and folders.

Every command but `inspect` writes into `--out`. Bad input ends with exit code 2 and a message that says what to do:
one line, and for a mask list also where in it.
"""

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from .checkpoints import PARTS, convert_checkpoint, inspect_checkpoint, load_encoder, load_generator
from .decoding import decode as decode_latents
from .decoding import describe_leakage, leakage
from .directions import METHODS as DIRECTION_METHODS
from .directions import (
    SAMPLES,
    Directions,
    apply_direction,
    check_directions,
    find_directions,
    load_directions,
    read_names,
    save_directions,
)
from .encoder import Encoder
from .errors import NoFaceError, StyleMixError
from .figures import Figure, direction_sheet, even_strengths, mixing_matrix, strength_strip
from .files import replacing
from .finding import CARE
from .generator import Generator
from .grid import compare_grid
from .identity import find_identity
from .images import from_pil, load_image, open_image, resize, save_image
from .injection import (
    CHANNEL_SHARE,
    PAIRINGS,
    SPACES,
    channel_changes,
    check_styles,
    inject_latents,
    meetings,
    pairs,
    result_labels,
)
from .inversion import METHODS, QUALITIES, check_encoder, load_delta, save_delta
from .inversion import invert as invert_pictures
from .latents import (
    Latents,
    check_generator,
    join_latents,
    load_latents,
    sample_latents,
    save_latents,
    short_origin,
)
from .masks import STUDY_SWEEP, MaskList, parse_masks
from .progress import ProgressBar
from .wishes import KINDS

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
LATENTS = ".safetensors"
MAX_SEEDS = 100_000
CHUNK = 4
"""Pictures that are decoded at a time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        with torch.inference_mode():
            options.command(options)
    except (StyleMixError, OSError, torch.OutOfMemoryError) as error:
        print(f"stylemix {options.name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"stylemix {options.name}: stopped; every file written so far is whole", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stylemix", description="StyleGAN2 faces and pSp styles on the command line."
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="command")

    def add(name: str, command, summary: str, out: str = "folder for results") -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(command=command, out=Path("."))
        if out:
            sub.add_argument(
                "--out", type=Path, default=Path(f"stylemix_{name}"), help=f"{out} (%(default)s)"
            )
        return sub

    add("demo", demo, "The experiment on the bundled models: four faces, one bob, seven masks.")

    sub = add("generate", generate, "Sample faces: pictures and their W+ codes.")
    sub.add_argument("--seeds", type=seed_list, required=True, help="for instance 0-3,7")
    add_sampling(sub)
    add_models(sub)

    sub = add("encode", encode, "Read pictures into W+ codes, one file each, and draw them again.")
    sub.add_argument("pictures", nargs="+", type=Path, help="picture files or folders of them")
    add_models(sub, encoder=True)

    sub = add("invert", invert, "Find the W+ codes that draw pictures again, by optimisation.")
    sub.add_argument("pictures", nargs="+", type=Path, help="picture files or folders of them")
    sub.add_argument("--method", choices=METHODS, default="optimize", help="(%(default)s)")
    sub.add_argument(
        "--steps", type=int, default=200, help="steps of optimize; tune adds as many (%(default)s)"
    )
    sub.add_argument(
        "--quality", choices=tuple(QUALITIES), default="balanced", help="what to favour (%(default)s)"
    )
    sub.add_argument("--seed", type=int, default=0, help="of the random numbers (%(default)s)")
    sub.add_argument(
        "--mask",
        type=Path,
        help="a picture that is white where the pictures (or the crops to their faces) are to be matched",
    )
    sub.add_argument(
        "--features", help="encoder, gradients, or a file with VGG16's or LPIPS' weights (the best)"
    )
    add_models(sub, encoder=True)

    sub = add("mix", mix, "Inject layers of a style into faces through a mask list.")
    add_mixing(sub, STUDY_SWEEP)
    add_pairing(sub)
    sub.add_argument("--space", choices=SPACES, default="W+", help="what of a layer to take (%(default)s)")
    sub.add_argument(
        "--region",
        nargs="+",
        type=Path,
        help="pictures that are white where the style acts: one, or one per mask of the list",
    )
    sub.add_argument(
        "--channel-share",
        type=float,
        default=CHANNEL_SHARE,
        help="with --space channels: how many act in the region (%(default)s)",
    )

    sub = add("matrix", matrix, "StyleGAN's style-mixing figure: every source with every style.")
    add_mixing(sub, "0-3")

    sub = add("strip", strip, "Inject layers of a style with rising strength.")
    add_mixing(sub, "all")
    add_pairing(sub)
    sub.add_argument("--from", dest="first", type=float, default=0.0, help="first strength (%(default)s)")
    sub.add_argument("--to", dest="last", type=float, default=1.0, help="last strength (%(default)s)")
    sub.add_argument("--count", type=int, default=5, help="how many strengths (%(default)s)")

    sub = add("directions", directions, "Find sliders that nobody had to train, show and apply them.")
    sub.add_argument("--method", choices=DIRECTION_METHODS, default="SeFa", help="(%(default)s)")
    sub.add_argument("--layers", default="all", help="where to find them, as in a mask (%(default)s)")
    sub.add_argument("--count", type=int, default=10, help="how many (%(default)s)")
    sub.add_argument(
        "--samples", type=int, default=SAMPLES, help="sampled w that GANSpace looks at (%(default)s)"
    )
    sub.add_argument("--seed", type=int, default=0, help="of GANSpace's samples (%(default)s)")
    sub.add_argument("--load", type=Path, help="take saved directions instead of finding some")
    sub.add_argument(
        "--name", nargs="+", default=[], metavar="NUMBER:NAME", help="name directions, as in 1:smile"
    )
    add_sources(sub, required=False)
    sub.add_argument("--apply", metavar="DIRECTION", help="move the faces along one, by its number or name")
    sub.add_argument(
        "--strength", type=float, default=3.0, help="how far to apply, or to show both ways (%(default)s)"
    )
    sub.add_argument("--steps", type=int, default=5, help="strengths on the sheet (%(default)s)")
    sub.add_argument("--masks", help="the layers to move (those where the directions were found)")
    add_sampling(sub)
    add_models(sub, encoder=True)

    sub = add("explain", explain, "Inject each layer of a style alone, and show what it changes and where.")
    add_source_and_style(sub)
    sub.add_argument(
        "--region",
        action="append",
        type=named_mask,
        metavar="NAME=FILE",
        help="a picture that is white inside a region, instead of those found in the face; may be repeated",
    )
    sub.add_argument(
        "--features", help="compare by a file with VGG16's or LPIPS' weights, or by encoder (colours)"
    )
    sub.add_argument("--arcface", type=Path, help="a file with ArcFace's weights, to tell identity (encoder)")
    add_sampling(sub, noise=False)
    add_models(sub, encoder=True)

    sub = add("find", find, "Search the layers that change a wished region, and little else.")
    add_source_and_style(sub)
    sub.add_argument(
        "--target",
        required=True,
        help='what shall change, in words: "hair shape", "hair and skin colour", "eyes and mouth", "colours", '
        '"everything but the face"; or a picture that is white there',
    )
    sub.add_argument(
        "--keep", help="what must stay above all: a region, identity, or a picture that is white there"
    )
    sub.add_argument("--what", choices=KINDS, help="what of the target (what its words say, else anything)")
    sub.add_argument(
        "--care", type=float, default=CARE, help="how much the rest counts: 0.5 bold, 4 careful (%(default)s)"
    )
    sub.add_argument(
        "--steps", type=int, default=8, help="of the descent on strengths, 0 for none (%(default)s)"
    )
    sub.add_argument("--count", type=int, default=5, help="masks to list (%(default)s)")
    sub.add_argument(
        "--arcface", type=Path, help="a file with ArcFace's weights, for --keep identity (encoder)"
    )
    add_sampling(sub, noise=False)
    add_models(sub, encoder=True)

    sub = add(
        "convert",
        convert,
        "Write checkpoints as safetensors, which load faster and cannot run code.",
        out="folder for results, or a .safetensors file for one",
    )
    sub.add_argument("files", nargs="+", type=Path, help="checkpoint files of any supported format")
    sub.add_argument(
        "--part", choices=(*PARTS, "both"), help="only the generator or the encoder (all that is there)"
    )
    sub.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="float16 halves the file (%(default)s)",
    )

    sub = add("inspect", inspect, "Say what checkpoint files are, without loading them.", out="")
    sub.add_argument("files", nargs="+", help='checkpoint files, or "demo"')
    sub.add_argument("--json", action="store_true", help="print one JSON object per file")
    return parser


def add_sources(parser: argparse.ArgumentParser, required: bool = True) -> None:
    source = parser.add_mutually_exclusive_group(required=required)
    source.add_argument("--source", nargs="+", type=Path, help="W+ files, pictures or folders of them")
    source.add_argument("--seeds", type=seed_list, help="sample the sources: for instance 0-3,7")


def add_source_and_style(parser: argparse.ArgumentParser) -> None:
    """What `source_and_style` reads."""
    add_sources(parser)
    parser.add_argument(
        "--style", nargs="+", type=Path, required=True, help="W+ files, pictures or folders of them"
    )


def add_mixing(parser: argparse.ArgumentParser, masks: str) -> None:
    """What `mixed_codes` reads."""
    add_source_and_style(parser)
    parser.add_argument("--masks", default=masks, help='mask list (default "%(default)s")')
    parser.add_argument(
        "--alpha", type=float, default=1.0, help="strength of terms without @, -2 to 3 (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="for random layers in the mask list (%(default)s)"
    )
    add_sampling(parser)
    add_models(parser, encoder=True)


def add_pairing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairing", choices=PAIRINGS, default="match", help="which source meets which style (%(default)s)"
    )


def add_sampling(parser: argparse.ArgumentParser, noise: bool = True) -> None:
    parser.add_argument(
        "--psi", type=float, default=0.7, help="truncation: 1 varied, 0 average (%(default)s)"
    )
    parser.add_argument("--cutoff", type=int, default=None, help="truncate only layers before this one (all)")
    parser.add_argument("--class-label", type=int, default=None, help="class of a conditional generator")
    if noise:
        parser.add_argument(
            "--noise", choices=("const", "random", "none"), default="const", help="noise (%(default)s)"
        )


def add_models(parser: argparse.ArgumentParser, encoder: bool = False) -> None:
    parser.add_argument(
        "--generator",
        help="generator checkpoint (the one in the encoder's file if it has one, else the bundled demo)",
    )
    parser.add_argument("--tuning", type=Path, help="a generator's tuning that stylemix invert has saved")
    if encoder:
        parser.add_argument("--encoder", default="demo", help="encoder checkpoint (the bundled demo)")
        parser.add_argument(
            "--align",
            choices=("auto", "always", "never"),
            default="auto",
            help="crop pictures to the largest face; auto: unless they are such crops already, or the encoder reads "
            "sketches or label maps (%(default)s)",
        )
    parser.add_argument("--device", default=None, help="cpu, cuda, mps (the fastest there is)")
    parser.add_argument("--dtype", default="float32", help="auto, float32, float16 or bfloat16 (%(default)s)")


def demo(options: argparse.Namespace) -> None:
    from .demo import experiment

    bar = ProgressBar(len(experiment.SEEDS) * len(STUDY_SWEEP.split(";")), "demo")
    done = experiment.run(bar.update)
    bar.close()
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
    for seed, picture in zip(options.seeds, decode(generator, latents, options.noise, options.seeds)):
        save_image(options.out / f"seed{seed:04d}.png", picture)
    save_latents(options.out / "latents.safetensors", latents)
    print(f"{len(latents)} pictures and latents.safetensors in {options.out}")


def encode(options: argparse.Namespace) -> None:
    paths = expand(options.pictures, PICTURES)
    generator, encoder = open_generator(options), open_encoder(options)
    names = unique([file_name(path.stem) for path in paths])
    bar = ProgressBar(len(paths), "encode")
    warnings = set()
    for i, (name, path) in enumerate(zip(names, paths)):
        latents = encode_picture(encoder, path, options.align)
        warnings.add(check_generator(latents, generator))
        save_latents(options.out / f"{name}.safetensors", latents)
        save_image(options.out / f"{name}_reconstruction.png", generator.synthesis(latents.w)[0])
        bar.update(i + 1)
    bar.close()
    warn(options, warnings)
    print(f"{len(paths)} W+ files and their reconstructions in {options.out}")


def invert(options: argparse.Namespace) -> None:
    paths = expand(options.pictures, PICTURES)
    generator, encoder = open_generator(options), open_encoder(options)
    mask = None if options.mask is None else read_mask(options.mask)[:, 0]
    warn(options, {check_encoder(encoder, generator)})
    names = unique([file_name(path.stem) for path in paths])
    for name, path in zip(names, paths):
        bar = ProgressBar(1, path.name)

        def on_step(done: int, total: int, images: torch.Tensor | None, bar: ProgressBar = bar) -> None:
            bar.total = total
            bar.update(done)

        result = invert_pictures(
            generator,
            read_picture(path, encoder, options.align, generator.img_resolution),
            encoder,
            options.method,
            options.steps,
            options.seed,
            quality=options.quality,
            mask=mask,
            on_step=on_step,
            perceptual=options.features,
        )
        bar.close()
        # The W+ file comes last: where it is, the others are.
        if result.delta is not None:
            save_delta(options.out / "tunings" / f"{name}{LATENTS}", result.delta)
        save_image(options.out / f"{name}_reconstruction.png", result.images[0])
        save_image(options.out / f"{name}_report.png", from_pil(result.report())[0])
        with replacing(options.out / f"{name}_report.json") as partial:
            partial.write_text(json.dumps({"picture": path.name} | result.figures()))
        save_latents(options.out / f"{name}{LATENTS}", result.latents([path.name]))
        print(
            f"{name}: L2 {result.start_l2[0]:.5f} → {result.l2[0]:.5f}, {result.steps} steps, {result.seconds:.1f} s, "
            f"perceptual: {result.features}"
        )
    print(f"{len(paths)} W+ files, their reconstructions and reports in {options.out}")


def mix(options: argparse.Namespace) -> None:
    generator = open_generator(options)
    sources, styles, masks = mixed_codes(generator, options)
    results = inject_into(sources, styles, masks, generator, options)
    for name, latents in (("sources", sources), ("styles", styles), ("results", results)):
        save_latents(options.out / f"{name}.safetensors", latents)
    pictures = list(decode(generator, results, options.noise))
    labels = result_labels(masks, len(sources), len(styles), options.pairing)
    for i, (label, picture) in enumerate(zip(labels, pictures)):
        save_image(options.out / "results" / f"{i:04d}_{file_name(label)}.png", picture)
    source_pictures = list(decode(generator, sources, options.noise))
    style_pictures = list(decode(generator, styles, options.noise))
    rows = pairs(len(sources), len(styles), options.pairing)
    grid = compare_grid(
        pictures,
        masks.labels,
        source=[source_pictures[i] for i, _ in rows],
        style=[style_pictures[j] for _, j in rows],
        rows=row_labels(sources, styles, rows),
    )
    save_image(options.out / "grid.png", grid[0])
    if results.regions:
        print(describe_leakage(*leakage(generator, results.take([0]))[0].tolist()))
    print(f"{len(results)} results; the comparison is {options.out / 'grid.png'}")


def inject_into(
    sources: Latents, styles: Latents, masks: MaskList, generator: Generator, options: argparse.Namespace
) -> Latents:
    """`inject_latents` in the space and the region asked for."""
    region = None
    if options.region:
        sized = [resize(read_mask(path), *[generator.img_resolution] * 2) for path in options.region]
        region = torch.cat(sized)[:, 0]
    if options.space != "channels" or region is None:
        return inject_latents(sources, styles, masks, options.pairing, options.space, region)
    met = meetings(sources, styles, masks, options.pairing, region)
    bar = ProgressBar(len(met.sources), "channels")
    changes = []
    for start in range(0, len(met.sources), CHUNK):
        part = met.take(slice(start, start + CHUNK))
        changes.append(channel_changes(generator, part, options.channel_share).cpu())
        bar.update(start + len(part.sources))
    bar.close()
    return inject_latents(sources, styles, masks, options.pairing, options.space, channels=torch.cat(changes))


def matrix(options: argparse.Namespace) -> None:
    generator = open_generator(options)
    save_figure(generator, mixing_matrix(*mixed_codes(generator, options)), options)


def strip(options: argparse.Namespace) -> None:
    strengths = even_strengths(options.first, options.last, options.count)
    generator = open_generator(options)
    codes = mixed_codes(generator, options)
    save_figure(generator, strength_strip(*codes, strengths, options.pairing), options)


def directions(options: argparse.Namespace) -> None:
    generator = open_generator(options)
    found = directions_of(generator, options).named(read_names("\n".join(options.name)))
    options.seeds = options.seeds or [0]
    sources = join_latents(source_codes(generator, options))
    masks = None if options.masks is None else parse_masks(options.masks, generator.num_ws)
    warn(options, {check_generator(sources, generator), check_directions(sources, found)})
    save_directions(options.out / f"directions{LATENTS}", found)
    print(found.report())
    if options.apply is None:
        strengths = even_strengths(-options.strength, options.strength, options.steps)
        save_figure(generator, direction_sheet(sources, found, strengths, masks), options)
        return
    moved = apply_direction(sources, found, options.apply, options.strength, masks)
    save_latents(options.out / f"results{LATENTS}", moved)
    for i, picture in enumerate(decode(generator, moved, options.noise)):
        save_image(options.out / "results" / f"{i:04d}.png", picture)
    print(f"{len(moved)} results in {options.out}")


def directions_of(generator: Generator, options: argparse.Namespace) -> Directions:
    if options.load is not None:
        return load_directions(options.load)
    bar = ProgressBar(options.samples, options.method)
    found = find_directions(
        generator,
        options.method,
        options.layers,
        options.count,
        options.samples,
        options.seed,
        lambda done, total, images: bar.update(done),
    )
    bar.close()
    return found


def save_figure(generator: Generator, figure: Figure, options: argparse.Namespace) -> None:
    """The sheet, the results' codes, and their pictures."""
    pictures = torch.stack([*decode(generator, figure.codes, options.noise)])
    save_latents(options.out / f"results{LATENTS}", figure.results)
    for i, (label, picture) in enumerate(zip(figure.labels, figure.result_pictures(pictures))):
        save_image(options.out / "results" / f"{i:04d}_{file_name(label)}.png", picture)
    save_image(options.out / "grid.png", figure.sheet(pictures)[0])
    print(f"{len(figure.labels)} results; the comparison is {options.out / 'grid.png'}")


def mixed_codes(generator: Generator, options: argparse.Namespace) -> tuple[Latents, Latents, MaskList]:
    """Sources, styles and masks that a command names; warns when they do not belong together."""
    masks = parse_masks(options.masks, generator.num_ws, options.alpha, options.seed)
    return *source_and_style(generator, options), masks


def source_codes(generator: Generator, options: argparse.Namespace) -> list[Latents]:
    return read_codes(options.source, options) if options.source else [sample(generator, options)]


def row_labels(sources: Latents, styles: Latents, rows: Sequence[tuple[int, int]]) -> list[str]:
    """What each row is of: seeds and files, the style only where there are several."""
    labels = [short_origin(sources, i) for i, _ in rows]
    if len(styles) == 1:
        return labels
    return [f"{label} · {short_origin(styles, j)}" for label, (_, j) in zip(labels, rows)]


def explain(options: argparse.Namespace) -> None:
    from .attribution import explain_layers

    generator = open_generator(options)
    sources, styles = source_and_style(generator, options)
    # The bundled encoder knows nothing of another generator's faces.
    suits = options.encoder != "demo" or options.generator in (None, "demo")
    bar = ProgressBar(1, "explain")

    def on_step(done: int, total: int) -> None:
        bar.total = total
        bar.update(done)

    report = explain_layers(
        generator,
        sources.w,
        styles.w,
        {name: load_image(path)[:, 0] / 2 + 0.5 for name, path in options.region} if options.region else None,
        open_encoder(options) if suits else None,
        options.features,
        options.arcface,
        on_step=on_step,
    )
    bar.close()
    for folder, pictures in (
        ("pictures", report.alone),
        ("without", report.without),
        ("heat_maps", report.heat_maps()),
    ):
        for layer, picture in enumerate(pictures):
            save_image(options.out / folder / f"layer{layer:02d}.png", picture)
    for name, text in (("table.txt", report.table()), ("table.json", json.dumps(report.figures(), indent=2))):
        with replacing(options.out / name) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    save_image(options.out / "sheet.png", from_pil(report.sheet())[0])
    print(f"{report.table()}\n\nthe sheet is {options.out / 'sheet.png'}")


def find(options: argparse.Namespace) -> None:
    from .finding import find_layers

    generator = open_generator(options)
    sources, styles = source_and_style(generator, options)
    suits = options.encoder != "demo" or options.generator in (None, "demo")
    identity = None
    if options.keep == "identity" and (suits or options.arcface):
        identity = find_identity(options.arcface, open_encoder(options) if suits else None)
    bar = ProgressBar(1, "find")

    def on_step(done: int, total: int) -> None:
        bar.total = total
        bar.update(done)

    found = find_layers(
        generator,
        sources.w,
        styles.w,
        words_or_mask(options.target),
        None if options.keep is None else words_or_mask(options.keep),
        options.what,
        care=options.care,
        steps=options.steps,
        count=options.count,
        identity=identity,
        on_step=on_step,
    )
    bar.close()
    for rank, (mask, picture) in enumerate(zip(found, found.pictures), 1):
        save_image(options.out / "pictures" / f"{rank:02d}_{file_name(mask.mask_text)}.png", picture)
    for name, text in (
        ("table.txt", found.table()),
        ("table.json", json.dumps(found.figures(), indent=2)),
        ("mask_list.txt", found.masks.text),
    ):
        with replacing(options.out / name) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    save_image(options.out / "sheet.png", from_pil(found.sheet())[0])
    print(
        f"{found.table()}\n\nthe best mask is {found[0].mask_text}; the sheet is {options.out / 'sheet.png'}"
    )


def words_or_mask(text: str) -> str | torch.Tensor:
    """A wish in words, or a picture's brightness `[1, H, W]` in 0…1 where the text is a picture's path."""
    if Path(text).suffix.lower() not in PICTURES:
        return text
    return read_mask(Path(text))[:, 0]


def convert(options: argparse.Namespace) -> None:
    names = unique([file_name(path.stem) for path in options.files])
    targets = [options.out / f"{name}{LATENTS}" for name in names]
    if options.out.suffix.lower() == LATENTS and not options.out.is_dir():
        if len(targets) > 1:
            raise StyleMixError(
                f"--out names one file, {options.out}, for {len(targets)} checkpoints; name a folder, or give one "
                "checkpoint"
            )
        targets = [options.out]
    bar = ProgressBar(len(targets), "convert")
    for i, (target, path) in enumerate(zip(targets, options.files)):
        info = convert_checkpoint(path, target, options.dtype, options.part)
        bar.update(i + 1)
        print(f"{target}: {info.summary()}")
    bar.close()


def inspect(options: argparse.Namespace) -> None:
    for file in options.files:
        info = inspect_checkpoint(file)
        if options.json:
            print(json.dumps({"file": str(file)} | dataclasses.asdict(info)))
            continue
        print(f"{file}: {info.summary()}")
        if info.opts:
            print("  options: " + ", ".join(f"{name}={value}" for name, value in sorted(info.opts.items())))


def open_generator(options: argparse.Namespace) -> Generator:
    """The generator asked for, else the one inside the encoder's file, else the demo's."""
    source = options.generator
    if source is None and getattr(options, "encoder", "demo") != "demo":
        source = options.encoder if "generator" in inspect_checkpoint(options.encoder).contents else None
    generator = load_generator(source or "demo", options.device, options.dtype)
    return generator if options.tuning is None else load_delta(options.tuning).apply(generator)


def open_encoder(options: argparse.Namespace) -> Encoder:
    return load_encoder(options.encoder, options.device, options.dtype)


def warn(options: argparse.Namespace, warnings: set[str | None]) -> None:
    for warning in sorted(filter(None, warnings)):
        print(f"stylemix {options.name}: warning: {warning}", file=sys.stderr)


def sample(generator: Generator, options: argparse.Namespace) -> Latents:
    return sample_latents(generator, options.seeds, options.psi, options.cutoff, options.class_label)


def source_and_style(generator: Generator, options: argparse.Namespace) -> tuple[Latents, Latents]:
    """The codes of both, with warnings where they do not fit."""
    given = [source_codes(generator, options), read_codes(options.style, options)]
    sources, styles = map(join_latents, given)
    warnings = {check_generator(part, generator) for parts in given for part in parts}
    warn(options, warnings | {check_styles(sources, styles)})
    return sources, styles


def decode(
    generator: Generator, latents: Latents, noise: str, seeds: Sequence[int] | None = None
) -> Iterator[torch.Tensor]:
    """Pictures `[C, R, R]`, a few decoded at a time. seeds: of random noise, one per code; else 0, 1, …"""
    seeds = range(len(latents)) if seeds is None else seeds
    bar = ProgressBar(len(latents), "decode")
    for start in range(0, len(latents), CHUNK):
        chunk = slice(start, start + CHUNK)
        yield from decode_latents(generator, latents.take(chunk), noise, seeds[chunk]).cpu()
        bar.update(min(start + CHUNK, len(latents)))
    bar.close()


def encode_picture(encoder: Encoder, path: Path, align: str) -> Latents:
    picture = read_picture(path, encoder, align)
    return Latents.of(encoder(picture).cpu(), path.name, encoder.generator)


def read_picture(path: Path, encoder: Encoder, align: str, size: int | None = None) -> torch.Tensor:
    """A picture `[1, 3, H, W]` for an encoder; where a face was cropped, of `size` pixels, by default the encoder's."""
    from .alignment.align import align_for  # most commands need no faces found

    try:
        return align_for(encoder, open_image(path), align, size)
    except NoFaceError as error:
        raise NoFaceError(f"{path}: {error}") from None


def read_mask(path: Path) -> torch.Tensor:
    """A picture's lightness as float32 `[1, 1, H, W]` in 0…1."""
    return load_image(path).mean(1, keepdim=True) / 2 + 0.5


def read_codes(paths: list[Path], options: argparse.Namespace) -> list[Latents]:
    """W+ codes of W+ files and pictures; the encoder is loaded only for pictures."""
    encoder = None
    parts = []
    files = expand(paths, PICTURES | {LATENTS})
    bar = ProgressBar(len(files), "read")
    for i, path in enumerate(files):
        if path.suffix.lower() == LATENTS:
            parts.append(load_latents(path))
        else:
            encoder = encoder or open_encoder(options)
            parts.append(encode_picture(encoder, path, options.align))
        bar.update(i + 1)
    bar.close()
    return parts


def expand(paths: list[Path], endings: set[str]) -> list[Path]:
    """The files given, and those inside the folders given.

    A folder with W+ files stands for these: its pictures were drawn from them.
    """
    expected = f"expected files or folders with {', '.join(sorted(endings))}"
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(child for child in path.iterdir() if child.suffix.lower() in endings)
            codes = [child for child in inside if child.suffix.lower() == LATENTS]
            if not inside:
                raise StyleMixError(f"the folder {path} holds nothing to read; {expected}")
            found += codes or inside
        elif not path.exists():
            raise StyleMixError(f"there is no file or folder {path}; check the path")
        elif path.suffix.lower() not in endings:
            raise StyleMixError(f"{path} has the ending {path.suffix or '(none)'}; {expected}")
        else:
            found.append(path)
    return found


def unique(names: list[str]) -> list[str]:
    """The names, numbered where one comes up again."""
    taken: list[str] = []
    for name in names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.append(free)
    return taken


def file_name(text: str) -> str:
    """The text with only what every file system takes."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "unnamed"


def named_mask(text: str) -> tuple[str, Path]:
    """Name and file of "hat=hat.png"."""
    name, _, path = text.partition("=")
    if not name.strip() or not path:
        raise argparse.ArgumentTypeError(f"{text!r} names no region and file; write for instance hat=hat.png")
    return name.strip(), Path(path)


def seed_list(text: str) -> list[int]:
    """Seeds of "0-3,7", each once."""
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise argparse.ArgumentTypeError(
                f"{part!r} is no seed or range of seeds; write for instance 0-3,7"
            )
        if last - first >= MAX_SEEDS:
            raise argparse.ArgumentTypeError(
                f"{part!r} asks for {last - first + 1} pictures; write for instance 0-3,7, {MAX_SEEDS} at most"
            )
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return list(seeds)


if __name__ == "__main__":
    sys.exit(main())
