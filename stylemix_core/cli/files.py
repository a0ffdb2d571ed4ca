"""From options to models and codes, and from codes to pictures: what the commands' files have in common."""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import torch

from ..checkpoints import inspect_checkpoint, load_encoder, load_generator
from ..decoding import decode as decode_latents
from ..decoding import distinct_in
from ..encoder import Encoder
from ..errors import NoFaceError, StyleMixError
from ..generator import Generator
from ..images import check_proportions, load_image, open_image, save_image
from ..injection import (
    check_styles,
)
from ..inversion import load_delta
from ..latents import (
    Latents,
    check_generator,
    join_latents,
    load_latents,
    sample_latents,
)
from ..masks import MaskList, parse_masks
from ..progress import ProgressBar
from ..texts import counted

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


LATENTS = ".safetensors"


MASK_FILE = ".txt"
"""Ending of files with a mask list, as `find` writes them."""


CHUNK = 4
"""Pictures that are decoded at a time."""


def mixed_codes(generator: Generator, options: argparse.Namespace) -> tuple[Latents, Latents, MaskList]:
    """Sources, styles and masks that a command names; warns when they do not belong together."""
    masks = parse_masks(mask_text(options.masks), generator.num_ws, options.alpha, options.seed)
    return *source_and_style(generator, options), masks


def mask_text(text: str) -> str:
    """A mask list: the text itself, or what is in the text file that it names."""
    path = Path(text)
    if path.suffix.lower() != MASK_FILE:
        return text
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows' editors begin files with a mark
    except FileNotFoundError:
        raise StyleMixError(
            f"there is no mask list at {path}; check the path, or write the masks themselves, as in 0-3; 8"
        ) from None
    except UnicodeDecodeError:
        raise StyleMixError(f"{path} is no text in UTF-8; expected a mask list, as in 0-3; 8") from None


def source_codes(generator: Generator, options: argparse.Namespace) -> list[Latents]:
    return read_codes(options.source, options) if options.source else [sample(generator, options)]


def open_generator(options: argparse.Namespace) -> Generator:
    """The generator asked for, else the one inside the encoder's file, else the demo's."""
    source = options.generator
    if source is None and getattr(options, "encoder", "demo") != "demo":
        source = options.encoder if "generator" in inspect_checkpoint(options.encoder).contents else None
    generator = load_generator(source or "demo", options.device, options.dtype, compile=options.compile)
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
    generator: Generator, parts: Sequence[Latents], noise: str, seeds: Sequence[int] | None = None
) -> Iterator[torch.Tensor]:
    """Pictures `[C, R, R]` of all batches, a few decoded at a time, each once.

    seeds: of random noise, one per code of a batch; else 0, 1, …
    """
    total = sum(map(len, parts))
    bar = ProgressBar(total, "decode")
    kept, places = distinct_in(parts, noise)
    awaited = Counter(chain(*places))
    drawn: dict[int, torch.Tensor] = {}
    first = done = 0
    for part, own in zip(kept, places, strict=True):
        for place in own:
            if place not in drawn:  # new codes come in their order, so it is the first of a chunk
                chunk = slice(place - first, place - first + CHUNK)
                own_seeds = (range(len(part)) if seeds is None else seeds)[chunk]
                pictures = decode_latents(generator, part.take(chunk), noise, own_seeds).cpu()
                drawn.update(enumerate(pictures, place))
            done += 1
            bar.update(done)
            if done == total:
                bar.close()  # now: nobody asks again after the last
            yield drawn[place]
            awaited[place] -= 1
            if not awaited[place]:
                del drawn[place]
        first += len(part)


def save_pictures(
    options: argparse.Namespace, folder: str, pictures: Iterable[tuple[str, torch.Tensor]]
) -> None:
    """Write pictures `[C, H, W]` by their names into a folder of `--out`; warns of others that lie there already."""
    place = options.out / folder
    written = set()
    for name, picture in pictures:
        save_image(place / f"{name}.png", picture)
        written.add(f"{name}.png")
    others = {path.name for path in place.glob("*.png")} - written
    if others:
        warn(
            options,
            {
                f"{place} also holds {counted(len(others), 'picture')} of earlier runs, for instance {min(others)}; "
                "they are kept, so delete them or choose another folder by --out"
            },
        )


def encode_picture(encoder: Encoder, path: Path, align: str) -> Latents:
    picture = read_picture(path, encoder, align)
    return Latents.of(encoder(picture).cpu(), path.name, encoder.generator)


def read_picture(path: Path, encoder: Encoder, align: str, size: int | None = None) -> torch.Tensor:
    """A picture `[1, 3, H, W]` for an encoder; where a face was cropped, of `size` pixels, by default the encoder's."""
    from ..alignment.align import align_for  # most commands need no faces found

    try:
        return align_for(encoder, open_image(path), align, size)
    except NoFaceError as error:
        raise NoFaceError(f"{path}: {error}") from None


def read_mask(path: Path) -> torch.Tensor:
    """A picture's lightness as float32 `[1, 1, H, W]` in 0…1."""
    return load_image(path).mean(1, keepdim=True) / 2 + 0.5


def read_regions(
    paths: Sequence[Path], generator: Generator, options: argparse.Namespace
) -> list[torch.Tensor]:
    """Masks `[H, W]` of the generator's pictures, as `read_mask`; warns where they are of other proportions."""
    masks = [read_mask(path)[0, 0] for path in paths]
    warn(
        options, {check_proportions(path.name, mask, generator.img_shape) for path, mask in zip(paths, masks)}
    )
    return masks


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
