"""From options to models and codes, and from codes to pictures: what the commands' files have in common."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

import torch

from ..checkpoints import inspect_checkpoint, load_encoder, load_generator
from ..decoding import decode as decode_latents
from ..decoding import distinct_in
from ..encoder import Encoder
from ..errors import NoFaceError
from ..generator import Generator
from ..images import check_proportions, load_mask, open_image, save_image
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
    save_latents,
    short_origin,
)
from ..masks import MaskList, parse_masks
from ..progress import ProgressBar
from ..texts import counted
from .fit import check_cutoff
from .paths import LATENTS, numbered
from .verb import Options

CHUNK = 4
"""Pictures that are decoded at a time."""


def mixed_codes(generator: Generator, options: Options) -> tuple[Latents, Latents, MaskList]:
    """Sources, styles and masks that a command names; warns when they do not belong together."""
    masks = parse_masks(options.masks, generator.num_ws, options.alpha, options.seed)
    return *source_and_style(generator, options), masks


def source_codes(generator: Generator, options: Options) -> list[Latents]:
    return read_codes(options.source, options) if options.source else [sample(generator, options)]


def open_generator(options: Options) -> Generator:
    """The generator asked for, else the one inside the encoder's file, else the demo's."""
    source = options.generator
    if source is None and getattr(options, "encoder", "demo") != "demo":
        source = options.encoder if "generator" in inspect_checkpoint(options.encoder).contents else None
    generator = load_generator(source or "demo", options.device, options.dtype, compile=options.compile)
    return generator if options.tuning is None else load_delta(options.tuning).apply(generator)


def open_encoder(options: Options) -> Encoder:
    return load_encoder(options.encoder, options.device, options.dtype)


def warn(options: Options, warnings: set[str | None]) -> None:
    for warning in sorted(filter(None, warnings)):
        print(f"stylemix {options.name}: warning: {warning}", file=sys.stderr)


def say(options: Options, text: str) -> None:
    """Tell a result; warnings and errors are told even with --quiet."""
    if not options.quiet:
        print(text)


def progress(options: Options, total: int = 1, title: str | None = None) -> ProgressBar:
    return ProgressBar(total, title or options.name, options.quiet)


def sample(generator: Generator, options: Options) -> Latents:
    check_cutoff(options.cutoff, generator.num_ws)
    return sample_latents(generator, options.seeds, options.psi, options.cutoff, options.class_label)


def source_and_style(generator: Generator, options: Options) -> tuple[Latents, Latents]:
    """The codes of both, with warnings where they do not fit."""
    given = [source_codes(generator, options), read_codes(options.style, options)]
    sources, styles = map(join_latents, given)
    warnings = {check_generator(part, generator) for parts in given for part in parts}
    warn(options, warnings | {check_styles(sources, styles)})
    return sources, styles


def decode(
    generator: Generator, parts: Sequence[Latents], options: Options, seeds: Sequence[int] | None = None
) -> Iterator[torch.Tensor]:
    """Pictures `[C, R, R]` of all batches, a few decoded at a time, each once.

    seeds: of random noise, one per code of a batch; else 0, 1, …
    """
    noise = options.noise
    total = sum(map(len, parts))
    kept, places = distinct_in(parts, noise)
    awaited = Counter(chain(*places))
    drawn: dict[int, torch.Tensor] = {}
    first = done = 0
    with progress(options, total, "decode") as bar:
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


def save_codes(options: Options, name: str, latents: Latents) -> Path:
    """`keep_earlier` for W+ codes in `--out`."""
    return keep_earlier(options, options.out / f"{name}{LATENTS}", lambda path: save_latents(path, latents))


def keep_earlier(options: Options, path: Path, save: Callable[[Path], None]) -> Path:
    """Write a file by `save`, and return where: under another name where another run's file has this one.

    A file with the same content is left as it is. With --overwrite the earlier file is replaced.
    """
    if options.overwrite or not path.exists():
        save(path)
        return path
    draft = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        save(draft)
        names = chain([path], (path.with_name(f"{path.stem}_{number}{path.suffix}") for number in count(2)))
        free = next(place for place in names if not place.exists() or alike(draft, place))
        if not free.exists():
            os.replace(draft, free)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    if free != path:
        warn(
            options,
            {f"{path} is of an earlier run and kept; this run's is {free.name} (--overwrite replaces it)"},
        )
    return free


def alike(one: Path, other: Path) -> bool:
    """Whether two safetensors files hold the same. Their metadata may stand in any order."""

    def content(path: Path) -> tuple[dict, bytes]:
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        return json.loads(data[8:start]), data[start:]

    try:
        return content(one) == content(other)
    except ValueError:  # the earlier file is damaged, or another one altogether
        return False


def save_pictures(options: Options, folder: str, pictures: Iterable[tuple[str, torch.Tensor]]) -> None:
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


def draw_codes(generator: Generator, latents: Latents, names: Iterable[str], options: Options) -> None:
    """Write codes that a verb has made, and their pictures by these names."""
    written = save_codes(options, "latents", latents)
    save_pictures(options, "", zip(names, decode(generator, [latents], options)))
    say(options, f"{counted(len(latents), 'picture')} and {written.name} in {options.out}")


def code_names(*parts: Latents) -> Iterator[str]:
    """What the pictures of codes are called, in their order: "0002_seed0007"."""
    return numbered([short_origin(part, place)] for part in parts for place in range(len(part)))


def encode_picture(encoder: Encoder, path: Path, options: Options) -> Latents:
    picture = read_picture(path, encoder, options)
    return Latents.of(encoder(picture).cpu(), path.name, encoder.generator)


def read_picture(path: Path, encoder: Encoder, options: Options, size: int | None = None) -> torch.Tensor:
    """A picture `[1, 3, H, W]` for an encoder; where a face was cropped, of `size` pixels, by default the encoder's."""
    from ..alignment.align import align_for  # most commands need no faces found

    try:
        return align_for(encoder, open_image(path), options.align, size, not options.upright)
    except NoFaceError as error:
        raise NoFaceError(f"{path}: {error}") from None


def read_regions(paths: Sequence[Path], generator: Generator, options: Options) -> list[torch.Tensor]:
    """Masks `[H, W]` of the generator's pictures, as `load_mask`; warns where they are of other proportions."""
    masks = [load_mask(path) for path in paths]
    warn(
        options, {check_proportions(path.name, mask, generator.img_shape) for path, mask in zip(paths, masks)}
    )
    return masks


def read_codes(files: Sequence[Path], options: Options) -> list[Latents]:
    """W+ codes of W+ files and pictures; the encoder is loaded only for pictures."""
    encoder = None
    parts = []
    with progress(options, len(files), "read") as bar:
        for i, path in enumerate(files, 1):
            if path.suffix.lower() == LATENTS:
                parts.append(load_latents(path))
            else:
                encoder = encoder or open_encoder(options)
                parts.append(encode_picture(encoder, path, options))
            bar.update(i)
    return parts
