"""Encoders for generators: train-encoder."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import options
from ..begin import begin
from ..choices import ENCODER_SIZES
from ..options import MAX_PSI, MIN_PSI, PATH
from ..paths import PICTURES
from ..reading import any_file, any_folder, device, files, mask_picture, model_file, number, place, reading
from ..run import Run
from ..verb import verb

if TYPE_CHECKING:
    import torch


@verb(
    "Train an encoder for a generator, on pictures that it draws itself.",
    "GENERATOR is a checkpoint file. Stopped at any moment, the same command goes on; with --minutes 0 it makes an "
    "encoder of what is there.",
)
@options.quiet
@click.argument("generator", callback=model_file("demo"), shell_complete=any_file)
@click.option(
    "--out",
    metavar="FOLDER",
    default="stylemix_train-encoder",
    callback=place(),
    shell_complete=any_folder,
    help="Folder for encoder.safetensors, and for the training itself.",
)
@click.option(
    "--minutes", type=float, default=60.0, callback=number("minutes", 0.0), help="How long, in all."
)
@click.option("--size", type=click.Choice(ENCODER_SIZES), default="auto", help="Of the encoder.")
@click.option(
    "--start",
    callback=model_file("demo"),
    shell_complete=any_file,
    help="An encoder to begin with: demo, or a file. Best one that was trained for a similar generator.",
)
@click.option("--editable", is_flag=True, help="As e4e: codes that are easier to edit, pictures less alike.")
@click.option(
    "--psi",
    type=float,
    default=1.0,
    callback=number("truncation_psi", MIN_PSI, MAX_PSI, ", usually 0.7 to 1"),
    help="Truncation of the pictures; below 1 where the generator's extreme ones are bad.",
)
@click.option(
    "--pictures",
    multiple=True,
    metavar="PATH...",
    type=PATH,
    callback=files(PICTURES),
    help="Pictures like those to be encoded later, which are drawn again besides.",
)
@click.option(
    "--mask",
    type=PATH,
    callback=reading(mask_picture),
    help="A picture that is white where those are to be matched.",
)
@click.option(
    "--good-enough",
    type=float,
    callback=number("good_enough", 0.0, 2.0),
    help="Stop when pictures come back with this mean error, of -1 to 1.",
)
@click.option("--seed", type=int, default=0, callback=number("seed", 0), help="Of the random numbers.")
@click.option("--device", callback=reading(device), help="cpu, cuda, mps (the fastest there is).")
def train_encoder(
    run: Run,
    generator: str,
    out: Path,
    minutes: float,
    size: str,
    start: str | None,
    editable: bool,
    psi: float,
    pictures: list[Path],
    mask: Path | None,
    good_enough: float | None,
    seed: int,
    device: str | None,
) -> None:
    begin()
    from ...checkpoints import inspect_checkpoint, load_encoder, load_generator
    from ...files.pictures import load_mask, save_image
    from ...training.encoder_maker import train_encoder as train

    G = load_generator(generator, device)
    begin_with = None if start is None else load_encoder(start, "cpu")
    with run.progress(title=run.name) as bar:

        def on_step(done: int, total: int, sheet: "torch.Tensor | None" = None, note: str = "", /) -> None:
            bar.step(done, total, None, note)
            if sheet is not None:
                save_image(out / "progress.png", sheet[0])

        made = train(
            G,
            out,
            minutes=minutes,
            size=size,
            start=begin_with,
            editable=editable,
            truncation_psi=psi,
            pictures=Pictures(pictures) if pictures else None,
            masks=None if mask is None else load_mask(mask),
            good_enough=good_enough,
            seed=seed,
            on_step=on_step,
        )
    run.say(f"{made}: {inspect_checkpoint(made).made}")


class Pictures:
    """Picture files, each read when it is asked for."""

    def __init__(self, files: list[Path]):
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> "torch.Tensor":
        from ...files.pictures import load_image

        return load_image(self.files[number])[0]
