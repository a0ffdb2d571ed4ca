"""Faces from seeds and from pictures: demo, generate, encode, invert."""

import argparse
import json

import torch

from ..files import replacing
from ..images import from_pil, save_image
from ..inversion import check_encoder, save_delta
from ..inversion import invert as invert_pictures
from ..latents import (
    check_generator,
    save_latents,
)
from ..masks import STUDY_SWEEP
from ..progress import ProgressBar
from ..texts import counted
from .files import (
    LATENTS,
    PICTURES,
    decode,
    encode_picture,
    expand,
    file_name,
    open_encoder,
    open_generator,
    read_mask,
    read_picture,
    sample,
    save_pictures,
    unique,
    warn,
)


def demo(options: argparse.Namespace) -> None:
    from ..demo import experiment

    bar = ProgressBar(len(experiment.SEEDS) * len(STUDY_SWEEP.split(";")), "demo")
    done = experiment.run(bar.update)
    bar.close()
    faces = [f"seed{seed:04d}" for seed in experiment.SEEDS]
    save_pictures(options, "faces", zip(faces, done.source_pictures))
    save_image(options.out / "style.png", done.style_picture[0])
    names = [file_name(f"{face}_layers_{label}") for face in faces for label in done.labels]
    save_pictures(options, "results", zip(names, done.result_pictures))
    for name, latents in (("faces", done.sources), ("style", done.style), ("results", done.results)):
        save_latents(options.out / f"{name}.safetensors", latents)
    save_image(options.out / "grid.png", done.grid[0])
    print(f"{counted(len(done.results), 'result')}; the comparison is {options.out / 'grid.png'}")


def generate(options: argparse.Namespace) -> None:
    generator = open_generator(options)
    latents = sample(generator, options)
    for seed, picture in zip(options.seeds, decode(generator, [latents], options.noise, options.seeds)):
        save_image(options.out / f"seed{seed:04d}.png", picture)
    save_latents(options.out / "latents.safetensors", latents)
    print(f"{counted(len(latents), 'picture')} and latents.safetensors in {options.out}")


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
    theirs = "its reconstruction" if len(paths) == 1 else "their reconstructions"
    print(f"{counted(len(paths), 'W+ file')} and {theirs} in {options.out}")


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
    tunings = f"; what was tuned is in {options.out / 'tunings'}" if options.method == "tune" else ""
    print(f"W+ files, reconstructions and reports in {options.out}: {len(paths)} of each{tunings}")
