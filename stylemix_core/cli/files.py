"""From options to models and codes, and from codes to pictures: what the commands' files have in common."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch

from ..checkpoints import inspect_checkpoint, load_encoder, load_generator
from ..codes.combine import join_latents
from ..codes.latents import Latents, check_generator, load_latents, short_origin
from ..codes.sampling import sample_latents
from ..decoding import draw_each
from ..encoder import Encoder
from ..files.pictures import load_mask, open_image
from ..generator import Generator
from ..images import check_proportions
from ..inversion import load_delta
from ..masks.mask_list import MaskList, parse_masks
from ..mixing.pairing import check_styles
from ..progress import ProgressBar
from ..wording import counted
from .batch import naming
from .fit import check_cutoff
from .paths import LATENTS, numbered
from .verb import Options

AVATARS = (
    "the bundled encoder was trained on drawn avatars, so photographs become avatars; for photographs give a model of "
    "them, as in --encoder psp_ffhq_encode.pt"
)


def mixed_codes(generator: Generator, options: Options) -> tuple[Latents, Latents, MaskList]:
    """Sources, styles and masks that a command names; warns when they do not belong together."""
    masks = parse_masks(options.masks, generator.num_ws, options.alpha, options.seed)
    return *source_and_style(generator, options), masks


def source_codes(generator: Generator, options: Options) -> list[Latents]:
    return read_codes(options.source, generator, options) if options.source else [sample(generator, options)]


def open_generator(options: Options) -> Generator:
    """The generator asked for, else the one inside the encoder's file, else the demo's."""
    source = options.generator
    if source is None and getattr(options, "encoder", "demo") != "demo":
        source = options.encoder if "generator" in inspect_checkpoint(options.encoder).contents else None
    generator = load_generator(source or "demo", options.device, options.dtype, compile=options.compile)
    return generator if options.tuning is None else load_delta(options.tuning).apply(generator)


def open_encoder(options: Options) -> Encoder:
    return load_encoder(options.encoder, options.device, options.dtype)


def open_reader(options: Options) -> Encoder:
    """`open_encoder` to read pictures of the user's; warns where it cannot read photographs as such."""
    encoder = open_encoder(options)
    if encoder.generator == inspect_checkpoint("demo", "encoder").generator_fingerprint:
        warn(options, {AVATARS})
    return encoder


def warn(options: Options, warnings: Iterable[str | None]) -> None:
    """Print warnings, each once a run."""
    new = set(filter(None, warnings)) - options.warned
    for warning in sorted(new):
        print(f"stylemix {options.name}: warning: {warning}", file=sys.stderr)
    options.warned |= new


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
    given = source_codes(generator, options), read_codes(options.style, generator, options)
    sources, styles = map(join_latents, given)
    warn(options, {check_styles(sources, styles)})
    return sources, styles


def decode(
    generator: Generator, parts: Sequence[Latents], options: Options, seeds: Sequence[int] | None = None
) -> Iterator[torch.Tensor]:
    """`draw_each`, telling progress."""
    total = sum(map(len, parts))
    with progress(options, total, "decode") as bar:
        for done, picture in enumerate(draw_each(generator, parts, options.noise, seeds), 1):
            bar.update(done)
            if done == total:
                bar.close()  # now: nobody asks again after the last
            yield picture


def draw_codes(generator: Generator, latents: Latents, names: Iterable[str], options: Options) -> None:
    """Write codes that a verb has made, and their pictures by these names."""
    written = options.results.latents("latents", latents)
    options.results.pictures("", zip(names, decode(generator, [latents], options)))
    say(options, f"{counted(len(latents), 'picture')} and {written.name} in {options.out}")


def code_names(*parts: Latents) -> Iterator[str]:
    """What the pictures of codes are called, in their order: "0002_seed0007"."""
    return numbered([short_origin(part, place)] for part in parts for place in range(len(part)))


def encode_picture(encoder: Encoder, path: Path, options: Options) -> Latents:
    picture = read_picture(path, encoder, options)
    return Latents.of(encoder(picture).cpu(), path.name, encoder.generator)


def read_picture(path: Path, encoder: Encoder, options: Options, size: int | None = None) -> torch.Tensor:
    """A picture `[1, 3, H, W]` for an encoder; where a face was cropped, of `size` pixels, by default the encoder's."""
    from ..encoder.align import align_for  # most commands need no faces found

    return align_for(encoder, open_image(path), options.align, size, not options.upright)


def read_regions(paths: Sequence[Path], generator: Generator, options: Options) -> list[torch.Tensor]:
    """Masks `[H, W]` of the generator's pictures, as `load_mask`; warns where they are of other proportions."""
    masks = [load_mask(path) for path in paths]
    warn(
        options, {check_proportions(path.name, mask, generator.img_shape) for path, mask in zip(paths, masks)}
    )
    return masks


def reader(files: Iterable[Path], options: Options) -> Callable[[Path], Latents]:
    """What reads W+ codes of W+ files and pictures; the encoder is loaded only where there are pictures."""
    encoder = None if all(path.suffix.lower() == LATENTS for path in files) else open_reader(options)

    def read(path: Path) -> Latents:
        if encoder is None or path.suffix.lower() == LATENTS:
            return load_latents(path)
        return encode_picture(encoder, path, options)

    return read


def fitting(
    generator: Generator, read: Callable[[Path], Latents], warnings: list[str | None]
) -> Callable[[Path], Latents]:
    """`read`, where errors also come from codes that the generator cannot draw; collects what to warn of."""

    def read_fitting(path: Path) -> Latents:
        latents = read(path)
        warnings.append(check_generator(latents, generator))
        return latents

    return read_fitting


def read_codes(files: Sequence[Path], generator: Generator, options: Options) -> list[Latents]:
    """W+ codes of W+ files and pictures, all of which must be usable; warns where they are another generator's."""
    warnings: list[str | None] = []
    read = fitting(generator, reader(files, options), warnings)
    parts = []
    with progress(options, len(files), "read") as bar:
        for i, path in enumerate(files, 1):
            with naming(path):
                parts.append(read(path))
            bar.update(i)
    warn(options, warnings)
    return parts
