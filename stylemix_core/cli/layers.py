"""Which layer carries what: explain, find."""

import argparse
import json
from pathlib import Path

import torch

from ..files import replacing
from ..generator import Generator
from ..identity import find_identity
from ..images import from_pil, save_image
from ..progress import ProgressBar
from .files import (
    PICTURES,
    file_name,
    open_encoder,
    open_generator,
    read_regions,
    save_pictures,
    source_and_style,
    warn,
)


def explain(options: argparse.Namespace) -> None:
    from ..attribution import explain_layers

    generator = open_generator(options)
    sources, styles = source_and_style(generator, options)
    # The bundled encoder knows nothing of another generator's faces.
    suits = options.encoder != "demo" or options.generator in (None, "demo")
    regions = None
    if options.region:
        names, paths = zip(*options.region)
        regions = dict(zip(names, read_regions(paths, generator, options)))
    bar = ProgressBar(1, "explain")

    def on_step(done: int, total: int) -> None:
        bar.total = total
        bar.update(done)

    report = explain_layers(
        generator,
        sources.w,
        styles.w,
        regions,
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
        save_pictures(
            options, folder, ((f"layer{layer:02d}", picture) for layer, picture in enumerate(pictures))
        )
    for name, text in (("table.txt", report.table()), ("table.json", json.dumps(report.figures(), indent=2))):
        with replacing(options.out / name) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    save_image(options.out / "sheet.png", from_pil(report.sheet())[0])
    print(f"{report.table()}\n\nthe sheet is {options.out / 'sheet.png'}")


def find(options: argparse.Namespace) -> None:
    from ..finding import find_layers

    generator = open_generator(options)
    sources, styles = source_and_style(generator, options)
    suits = options.encoder != "demo" or options.generator in (None, "demo")
    identity = None
    if options.keep == "identity" and (suits or options.arcface):
        identity = find_identity(options.arcface, open_encoder(options) if suits else None)
    target = words_or_mask(options.target, generator, options)
    keep = None if options.keep is None else words_or_mask(options.keep, generator, options)
    bar = ProgressBar(1, "find")

    def on_step(done: int, total: int) -> None:
        bar.total = total
        bar.update(done)

    found = find_layers(
        generator,
        sources.w,
        styles.w,
        target,
        keep,
        options.what,
        care=options.care,
        steps=options.steps,
        count=options.count,
        others=options.others,
        identity=identity,
        on_step=on_step,
    )
    bar.close()
    names = [f"{rank:02d}_{file_name(mask.mask_text)}" for rank, mask in enumerate(found, 1)]
    save_pictures(options, "pictures", zip(names, found.pictures))
    for name, text in (
        ("table.txt", found.table()),
        ("table.json", json.dumps(found.figures(), indent=2)),
        ("mask_list.txt", found.masks.text),
    ):
        with replacing(options.out / name) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    save_image(options.out / "sheet.png", from_pil(found.sheet())[0])
    best = "the best mask is" if found.warning is None else "the least bad mask is"
    print(f"{found.table()}\n\n{best} {found[0].mask_text}; the sheet is {options.out / 'sheet.png'}")
    warn(options, {found.warning})


def words_or_mask(text: str, generator: Generator, options: argparse.Namespace) -> str | torch.Tensor:
    """A wish in words, or a picture's brightness `[H, W]` in 0…1 where the text is a picture's path."""
    if Path(text).suffix.lower() not in PICTURES:
        return text
    (mask,) = read_regions([Path(text)], generator, options)
    return mask
