"""Train the bundled demo models: `python -m stylemix_core.demo.train --out runs/demo`.

There is no adversary and no data set. The generator learns to draw what the renderer draws; each of its layers
can read only the attributes that `attributes.py` binds to it. The encoder learns the way back from drawn and
generated pictures.

Training resumes from the checkpoints in `--out`; sample grids and the finished safetensors files lie
beside them. On two idle CPU cores the generator takes about an hour and the encoder half an hour.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..checkpoints import load_generator, native
from ..encoder import Encoder, EncoderConfig
from ..files.pictures import save_image
from ..generator import Generator, StyleGAN2
from ..progress import ProgressBar
from ..training.run import Changing, Run, follow, set_learning_rate
from . import truth
from .renderer import render, sample_attributes


@dataclass(frozen=True)
class Phase:
    """Some steps of training at one picture size."""

    resolution: int
    steps: int
    batch: int = 16
    half_precision: bool = True
    through_generator: bool = False
    """Let the encoder see the pictures that its codes make."""


# Small pictures teach geometry cheaply; the to-RGB sum lets later blocks only add detail. The last steps run
# in float32 because bfloat16 rounds colours to about one grey level.
GENERATOR_PHASES = (
    Phase(64, 5000),
    Phase(128, 2600),
    Phase(256, 8000, batch=8),
    Phase(256, 400, batch=8, half_precision=False),
)
ENCODER_PHASES = (Phase(256, 1600), Phase(256, 1800, through_generator=True))
SOURCE = "trained by stylemix_core.demo.train on drawn avatars"
ENCODER_CONFIG = EncoderConfig(
    num_ws=truth.CONFIG.num_ws,
    w_dim=truth.CONFIG.w_dim,
    input_size=128,
    stage_channels=(16, 48, 96, 160),
    stage_units=(2, 2, 3, 2),
    style_channels=40,
    se_reduction=8,
)


def draw(count: int, resolution: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """New avatars: attributes `[count, A]`, pictures `[count, 3, R, R]` and pixel weights `[count, 1, R, R]`."""
    attributes = sample_attributes(count)
    avatars = render(attributes, resolution)
    pictures = avatars.image.contiguous(memory_format=torch.channels_last)
    return attributes, pictures, pixel_weights(avatars.regions)[:, None]


def pixel_weights(regions: dict[str, torch.Tensor]) -> torch.Tensor:
    """Small features are few pixels but most of what a person sees: count them more."""
    return (
        1
        + 4 * (regions["eyes"] + regions["brows"] + regions["mouth"] + regions["glasses"])
        + 2 * regions["nose"]
    )


def bind_layers(generator: Generator) -> None:
    """Let every layer's style read only the coordinates of w whose attributes the layer carries.

    All other weights of the affine layers are zero and stay zero in training, so that which layer carries
    what is exact.
    """
    for layer, module in generator.synthesis.styled():
        carried = truth.coordinates_of(layer).to(module.affine.weight)
        module.affine.weight.data.mul_(carried)
        if module.affine.weight.requires_grad:
            module.affine.weight.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient, carried=carried: gradient * carried
            )


def picture_loss(drawn: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted absolute and squared error, and the error of the gradients for crisp edges."""
    error = drawn - target
    loss = (error.abs() * weights).mean() + (error.square() * weights).mean()
    for axis in (2, 3):
        loss = (
            loss
            + 0.5 * (error.diff(dim=axis).abs() * weights.narrow(axis, 1, weights.shape[axis] - 1)).mean()
        )
    return loss


def new_generator() -> Generator:
    """The demo generator before training: fixed mapping, styles that ignore w yet, no noise."""
    torch.manual_seed(0)
    generator = StyleGAN2(truth.CONFIG)
    generator.load_state_dict(truth.mapping_weights(), strict=False)
    for name, parameter in generator.synthesis.named_parameters():
        if name.endswith("affine.weight"):
            nn.init.zeros_(parameter)
        if name.endswith("torgb.weight"):
            # Small, so that a new block starts by passing the smaller picture on.
            nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():
        generator.w_avg.copy_(generator.mapping(torch.randn(50_000, truth.CONFIG.z_dim))[:, 0].mean(0))
    generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return generator


def train_generator(out: Path, phases: Sequence[Phase] = GENERATOR_PHASES) -> Generator:
    """Train, or go on training, the generator; returns the moving average of its weights."""
    generator = new_generator()
    averaged = new_generator().requires_grad_(False)
    affine = [p for n, p in generator.synthesis.named_parameters() if ".affine." in n]
    others = [
        p
        for n, p in generator.synthesis.named_parameters()
        if ".affine." not in n and not n.endswith("noise_strength")
    ]
    generator.mapping.requires_grad_(False)
    optimizer = torch.optim.Adam(
        [{"params": affine, "factor": 3.0}, {"params": others, "factor": 1.0}], betas=(0.8, 0.99)
    )
    parts: dict[str, Changing] = {
        "generator": generator,
        "averaged": averaged,
        "optimizer": optimizer,
        "random": Randomness(),
    }
    run = Run(out / "generator.pt", parts)
    bind_layers(generator)
    bind_layers(averaged)
    sample_z = torch.randn(8, truth.CONFIG.z_dim, generator=torch.Generator().manual_seed(1))
    total = sum(phase.steps for phase in phases)
    for step, phase in steps_of(run, phases, "generator"):
        set_learning_rate(optimizer, 4e-3, step, step / total)
        attributes, target, weights = draw(phase.batch, phase.resolution)
        w = generator.mapping(truth.z_of(attributes))
        with torch.autocast("cpu", torch.bfloat16, enabled=phase.half_precision):
            drawn = generator.synthesis(w, "none", resolution=phase.resolution)
        loss = picture_loss(drawn.float(), target, weights)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        follow(averaged, generator, min(0.999, (1 + step) / (10 + step)))
        run.report(loss)
        if step % 500 == 0:
            with torch.no_grad():
                own = averaged.synthesis(averaged.mapping(sample_z), "none", resolution=phase.resolution)
            save_samples(
                out / "generator.png", render(truth.attributes_of(sample_z), phase.resolution).image, own
            )
    return averaged


def new_encoder(generator: Generator) -> Encoder:
    """The demo encoder before training; it starts at the average w."""
    torch.manual_seed(0)
    encoder = Encoder(ENCODER_CONFIG)
    encoder.latent_avg.copy_(generator.w_avg.expand_as(encoder.latent_avg))
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder


def train_encoder(out: Path, generator: Generator, phases: Sequence[Phase] = ENCODER_PHASES) -> Encoder:
    """Train, or go on training, the encoder for `generator`; returns the moving average of its weights."""
    generator.requires_grad_(False)
    encoder = new_encoder(generator)
    averaged = new_encoder(generator).requires_grad_(False).eval()
    optimizer = torch.optim.Adam(encoder.parameters(), betas=(0.9, 0.99))
    parts: dict[str, Changing] = {
        "encoder": encoder,
        "averaged": averaged,
        "optimizer": optimizer,
        "random": Randomness(),
    }
    run = Run(out / "encoder.pt", parts)
    spread = generator.mapping(torch.randn(10_000, generator.z_dim))[:, 0].std(0)
    # A layer's w must be right in the coordinates that the generator reads there. The others count a little, so
    # that codes lie where sampled codes lie.
    carried = torch.stack([truth.coordinates_of(layer) for layer in range(generator.num_ws)]).float()
    weights = carried / carried.sum(1, keepdim=True) + 0.1 / generator.w_dim  # [L, D]
    total = sum(phase.steps for phase in phases)
    for step, phase in steps_of(run, phases, "encoder"):
        set_learning_rate(optimizer, 2e-3, step, step / total)
        pictures, w = encoder_batch(generator, phase.batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=phase.half_precision):
            codes = encoder(pictures).float()
        loss = (((codes - w[:, None]) / spread).square() * weights).sum(2).mean()
        if phase.through_generator:
            some = torch.randperm(len(codes))[:8]
            with torch.autocast("cpu", torch.bfloat16, enabled=phase.half_precision):
                seen = generator.synthesis(codes[some], "none")
            loss = loss + picture_loss(seen.float(), pictures[some], torch.ones(1, 1, *seen.shape[2:]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        follow(averaged, encoder, min(0.998, (1 + step) / (10 + step)))
        run.report(loss)
        if step % 200 == 0:
            shown = pictures[len(pictures) // 4 : -len(pictures) // 4]  # as many drawn as generated ones
            with torch.no_grad():
                save_samples(out / "encoder.png", shown, generator.synthesis(averaged(shown), "none"))
    return averaged


@torch.no_grad()
def encoder_batch(generator: Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures `[count, 3, R, R]`, half drawn and half generated, and the w `[count, w_dim]` that each shows."""
    attributes = sample_attributes(count)
    w = generator.mapping(truth.z_of(attributes))
    drawn = render(attributes[: count // 2], generator.img_resolution, with_regions=False).image
    with torch.autocast("cpu", torch.bfloat16):
        generated = generator.synthesis(w[count // 2 :], "none")
    return torch.cat([drawn, generated.float().clamp(-1, 1)]), w[:, 0]


class Randomness:
    """PyTorch's random numbers, as a part that a checkpoint keeps."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"state": torch.get_rng_state()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        torch.set_rng_state(state["state"])


def steps_of(run: Run, phases: Sequence[Phase], title: str) -> Iterator[tuple[int, Phase]]:
    """The steps that are left of the phases, with a progress bar."""
    schedule = [phase for phase in phases for _ in range(phase.steps)]
    with ProgressBar(len(schedule), title) as bar:
        for step in run.steps(lambda: run.step >= len(schedule)):
            yield step, schedule[step]
            bar.update(step + 1, f"{schedule[step].resolution} px, loss {run.loss:.4f}")


def save_samples(path: Path, *rows: torch.Tensor) -> None:
    """Rows of pictures `[N, 3, R, R]` as one PNG."""
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    save_image(path, sheet)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m stylemix_core.demo.train", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/demo"), help="where checkpoints and results go"
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    finished = arguments.out / "generator.safetensors"
    native.write(
        finished, generator=train_generator(arguments.out), dtype=torch.float16, source=SOURCE, licence="MIT"
    )
    generator = load_generator(finished, "cpu")  # as users will have it, rounded to half precision
    encoder = train_encoder(arguments.out, generator)
    encoder.generator = generator.fingerprint()
    native.write(
        arguments.out / "encoder.safetensors",
        encoder=encoder,
        dtype=torch.float16,
        source=SOURCE,
        licence="MIT",
    )


if __name__ == "__main__":
    main()
