"""Layers of a style in other faces: mix, matrix, strip."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import torch

from ..decoding import describe_leakage, leakage
from ..errors import StyleMixError
from ..figures import Figure, even_strengths, mixing_matrix, strength_strip
from ..generator import Generator
from ..grid import compare_grid
from ..images import resize, save_image
from ..injection import (
    channel_changes,
    check_acts,
    inject_latents,
    meetings,
    pairs,
    result_labels,
)
from ..latents import (
    Latents,
    save_latents,
    short_origin,
)
from ..masks import MaskList
from ..progress import ProgressBar
from ..texts import counted, there_are
from .files import (
    CHUNK,
    LATENTS,
    decode,
    file_name,
    mixed_codes,
    open_generator,
    read_regions,
    save_pictures,
    warn,
)


def mix(options: argparse.Namespace) -> None:
    generator = open_generator(options)
    sources, styles, masks = mixed_codes(generator, options)
    results = inject_into(sources, styles, masks, generator, options)
    for name, latents in (("sources", sources), ("styles", styles), ("results", results)):
        save_latents(options.out / f"{name}.safetensors", latents)
    drawn = decode(generator, [results, sources, styles], options.noise)
    pictures, source_pictures, style_pictures = (
        list(islice(drawn, len(part))) for part in (results, sources, styles)
    )
    labels = result_labels(masks, len(sources), len(styles), options.pairing)
    save_pictures(options, "results", numbered(labels, pictures))
    rows = pairs(len(sources), len(styles), options.pairing)
    grid = compare_grid(
        pictures,
        masks.labels,
        source=[source_pictures[i] for i, _ in rows],
        style=[style_pictures[j] for _, j in rows],
        rows=row_labels(sources, styles, rows),
    )
    save_image(options.out / "grid.png", grid[0])
    if options.region and results.regions:
        print(describe_leakage(*leakage(generator, results.take([0]))[0].tolist()))
    print(f"{counted(len(results), 'result')}; the comparison is {options.out / 'grid.png'}")


def inject_into(
    sources: Latents, styles: Latents, masks: MaskList, generator: Generator, options: argparse.Namespace
) -> Latents:
    """`inject_latents` in the space and the region asked for."""
    region = None
    if options.region and len(options.region) not in (1, len(masks.labels)):
        raise StyleMixError(
            f"{there_are(len(options.region), 'region picture')} for {counted(len(masks.labels), 'mask')}; "
            "give one for all, or one per mask"
        )
    if options.space == "channels" and not options.region:
        raise StyleMixError(
            "--space channels takes those that act in a region; give a picture of it by --region"
        )
    if options.region:
        given = read_regions(options.region, generator, options)
        sized = [resize(mask[None, None], *generator.img_shape) for mask in given]
        region = torch.cat(sized)[:, 0]
    warn(options, {check_acts(masks, options.space, region, options.channel_share)})
    if options.space != "channels":
        return inject_latents(sources, styles, masks, options.pairing, options.space, region)
    assert region is not None  # refused above
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


def save_figure(generator: Generator, figure: Figure, options: argparse.Namespace) -> None:
    """The sheet, the results' codes, and their pictures."""
    pictures = list(decode(generator, [figure.codes], options.noise))
    save_latents(options.out / f"results{LATENTS}", figure.results)
    save_pictures(options, "results", numbered(figure.labels, figure.result_pictures(pictures)))
    save_image(options.out / "grid.png", figure.sheet(pictures)[0])
    print(f"{counted(len(figure.labels), 'result')}; the comparison is {options.out / 'grid.png'}")


def numbered(labels: Sequence[str], pictures: Iterable[torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Names for files, in the order of the results."""
    for i, (label, picture) in enumerate(zip(labels, pictures)):
        yield f"{i:04d}_{file_name(label)}", picture


def row_labels(sources: Latents, styles: Latents, rows: Sequence[tuple[int, int]]) -> list[str]:
    """What each row is of: seeds and files, the style only where there are several."""
    labels = [short_origin(sources, i) for i, _ in rows]
    if len(styles) == 1:
        return labels
    return [f"{label} · {short_origin(styles, j)}" for label, (_, j) in zip(labels, rows)]
