"""Train the bundled demo models: `python -m stylemix_core.demo.train --out runs/demo`.

There is no adversary and no data set. The generator learns to draw what the renderer draws; each of its layers
can read only the attributes that `attributes.py` binds to it. The encoder learns the way back from drawn and
generated pictures.

Training resumes from the checkpoints in `--out`; sample grids and the finished safetensors files lie
beside them. On two CPU cores with bfloat16 units it takes six hours. A GPU draws four times as many pictures a step,
in half as many steps.
"""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..checkpoints import load_generator, native
from ..encoder import Encoder, EncoderConfig
from ..files.pictures import save_image
from ..generator import Generator, StyleGAN2
from ..progress import ProgressBar
from ..training.error_bars import TO_SET, judge, loss_of, set_bars
from ..training.run import Changing, Run, follow, picture_loss, set_learning_rate
from ..training.samples import Samples
from . import truth
from .attributes import index
from .canvas import REGIONS
from .renderer import render, sample_attributes


@dataclass(frozen=True)
class Phase:
    """Some steps of training at one picture size."""

    resolution: int
    steps: int
    batch: int = 16
    half_precision: bool = True
    crisp: float = 0.0
    """The weight of crispness in the generator's loss."""
    through_generator: bool = False
    """Let the encoder see the pictures that its codes make."""

    def larger(self, factor: int) -> "Phase":
        """Batches `factor` times as large, in √factor times fewer steps."""
        return replace(self, batch=self.batch * factor, steps=round(self.steps / math.sqrt(factor)))


@dataclass(frozen=True)
class Round:
    """Phases of the generator's training, over which its rate falls once."""

    phases: Sequence[Phase]
    rate: float = 1.5e-2
    noise: float | None = None
    """The strength at which the last convolution's noise is held; None for one that is learned."""

    def larger(self, factor: int) -> "Round":
        return replace(self, phases=[phase.larger(factor) for phase in self.phases])


# Small pictures teach geometry cheaply; the to-RGB sum lets later blocks only add detail. A round's last steps run
# in float32 because bfloat16 rounds colours to about one grey level. Learned from the start, the noise dies out: it
# disturbs long before it draws. Held, it becomes single hairs.
GENERATOR_ROUNDS = (
    Round(
        (
            Phase(64, 2000),
            Phase(128, 1800),
            Phase(256, 8000, batch=8, crisp=0.5),
            Phase(256, 200, batch=8, half_precision=False, crisp=0.5),
        )
    ),
    Round(
        (
            Phase(256, 9000, batch=8, crisp=0.5),
            Phase(256, 200, batch=8, half_precision=False, crisp=0.5),
        ),
        rate=1e-2,
        noise=0.02,
    ),
)
# The encoder reads pictures shrunk to 128 px: drawn in that size they cost a third less, and teach nearly the same.
ENCODER_PHASES = (Phase(128, 6000), Phase(256, 5000, through_generator=True))
STYLE_FACTOR = 12.0
"""Of the rate of the weights that make styles: each reads few of the coordinates of w that its size is scaled for."""
REGIONS_WEIGHT = 0.6
HIDDEN_WEIGHT = 3.0
HIDDEN = (
    ("backdrop", 0.5),
    ("backdrop", 0.9),
    ("collar", 0.55),
    ("collar", 0.9),
    ("wave", 0.9),
    ("age", 0.95),
)
"""What is shown or hidden by attributes, the first ones by those of the last layers. It must be found in maps that need
not show it, so that a layer only has to let it through."""
SOURCE = "trained by stylemix_core.demo.train on drawn avatars"
ENCODER_CONFIG = EncoderConfig(
    num_ws=truth.CONFIG.num_ws,
    w_dim=truth.CONFIG.w_dim,
    input_size=128,
    stage_channels=(16, 48, 96, 160),
    stage_units=(2, 2, 3, 2),
    style_channels=40,
    se_reduction=8,
    error_bars=True,
)
BARS_SET_BY = 1_024
"""Held-out samples."""


@dataclass(frozen=True)
class Batch:
    """New avatars."""

    attributes: torch.Tensor
    """`[B, A]`."""
    pictures: torch.Tensor
    """`[B, 3, R, R]` in −1…1."""
    regions: torch.Tensor
    """What each pixel shows, `[B, regions, R, R]`."""
    weights: torch.Tensor
    """How much each pixel counts, `[B, 1, R, R]`."""
    noise: torch.Tensor | None
    """The noise that they are drawn with, `[R, R]`."""

    @classmethod
    def drawn(cls, count: int, resolution: int, device: torch.device) -> "Batch":
        attributes, noise = sample_attributes(count).to(device), new_noise(resolution, device)
        avatars = render(attributes, resolution, noise=noise)
        return cls(
            attributes,
            avatars.image.contiguous(memory_format=torch.channels_last),
            torch.stack([*avatars.regions.values()], 1),
            pixel_weights(avatars.regions)[:, None],
            noise,
        )


def new_noise(resolution: int, device: torch.device) -> torch.Tensor | None:
    """Freckles and single hairs are drawn in pictures of the full size only."""
    if resolution < truth.CONFIG.img_resolution:
        return None
    return torch.randn(resolution, resolution).to(device)


def set_noise(generator: StyleGAN2, noise: torch.Tensor | None) -> None:
    """Give the convolutions at the full size their stored noise `[R, R]`; both take the same."""
    if noise is not None:
        for layer in generator.synthesis.blocks()[-1].convolutions():
            layer.noise_const.copy_(noise)


def pixel_weights(regions: dict[str, torch.Tensor]) -> torch.Tensor:
    """Small features are few pixels but most of what a person sees: count them more."""
    return (
        1
        + 4 * (regions["eyes"] + regions["brows"] + regions["mouth"] + regions["glasses"])
        + 2 * regions["nose"]
        + regions["face"]
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


def crispness_loss(drawn: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How far the edges of pictures `[B, C, H, W]` are from as strong as those of `target`, in fields of 8 × 8 pixels.

    Unlike a difference of pictures it does not ask for the mean of all places where an edge may be.
    """
    loss = drawn.new_zeros([])
    for axis in (2, 3):
        one, other = (
            (F.avg_pool2d(each.diff(dim=axis).square().mean(1, keepdim=True), 8) + 1e-5).sqrt()
            for each in (drawn, target)
        )
        loss = loss + (one - other).abs().mean()
    return loss


@torch.no_grad()
def hidden_pattern(attributes: torch.Tensor, which: int, resolution: int) -> torch.Tensor:
    """Where one of `HIDDEN` would be in these avatars, `[B, R, R]` of 0 and 1."""
    name, value = HIDDEN[which]
    pictures = []
    for shown in (0.1, value):
        changed = attributes.clone()
        changed[:, index(name)] = shown
        pictures.append(render(changed, resolution, with_regions=False).image)
    return ((pictures[1] - pictures[0]).abs().amax(1) > 0.06).float()


class RegionReader(nn.Module):
    """Reads where hair, face, … are, and where `HIDDEN` would be, off the maps that a generator colours, as a linear
    function of them.

    It is there for training alone: maps that tell them apart draw crisp edges and patterns sooner.
    """

    def __init__(self, generator: StyleGAN2):
        super().__init__()
        self.heads = nn.ModuleDict()
        self._maps: dict[str, list[torch.Tensor]] = {}
        for block, channels in zip(generator.synthesis.blocks()[:-1], truth.CONFIG.channels):
            name = str(block.resolution)
            self.heads[name] = nn.Conv2d(channels, len(REGIONS) + len(HIDDEN), 1)
            self._maps[name] = []
            assert block.torgb is not None  # skip generators have one everywhere
            block.torgb.register_forward_pre_hook(
                lambda _, inputs, name=name: self._maps[name].append(inputs[0])
            )

    def loss(self, batch: Batch) -> torch.Tensor:
        """Weighted squared error of what the finest maps of the last picture tell about its regions.

        Beside them it looks for one of `HIDDEN`: all would cost more to draw than the picture.
        """
        name = [name for name, maps in self._maps.items() if maps][-1]
        read, hidden = (
            self.heads[name](torch.cat(self._maps[name])).float().split([len(REGIONS), len(HIDDEN)], 1)
        )
        for maps in self._maps.values():
            maps.clear()
        regions, weights = (F.adaptive_avg_pool2d(maps, int(name)) for maps in (batch.regions, batch.weights))
        which = int(torch.randint(len(HIDDEN), ()))
        with torch.autocast(read.device.type, enabled=False):
            pattern = hidden_pattern(batch.attributes, which, int(name))
        found = ((hidden[:, which] - pattern).square()).mean()
        return ((read - regions).square().sum(1, keepdim=True) * weights).mean() + found * HIDDEN_WEIGHT


def new_generator() -> StyleGAN2:
    """The demo generator before training: fixed mapping, styles that ignore w yet, noise that does nothing yet."""
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
    set_noise(generator, new_noise(truth.CONFIG.img_resolution, torch.device("cpu")))
    generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return generator


def train_generator(
    out: Path, rounds: Sequence[Round] = GENERATOR_ROUNDS, device: torch.device | str = "cpu"
) -> StyleGAN2:
    """Train, or go on training, the generator; returns the moving average of its weights."""
    device = torch.device(device)
    generator = new_generator().to(device)
    averaged = new_generator().to(device).requires_grad_(False)
    own_noise = averaged.synthesis.blocks()[-1].conv1.noise_const.clone()
    generator.mapping.requires_grad_(False)
    finest = generator.synthesis.blocks()[-1].convolutions()
    parameters = {
        name: p
        for name, p in generator.synthesis.named_parameters()
        if not name.endswith("noise_strength") or any(p is layer.noise_strength for layer in finest)
    }
    styles = [p for name, p in parameters.items() if name.endswith("affine.weight")]
    others = [p for name, p in parameters.items() if not name.endswith("affine.weight")]
    reader = RegionReader(generator).to(device)
    optimizer = torch.optim.Adam(
        [
            {"params": styles, "factor": STYLE_FACTOR},
            {"params": [*others, *reader.parameters()], "factor": 1.0},
        ],
        betas=(0.8, 0.99),
    )
    parts: dict[str, Changing] = {
        "generator": generator,
        "averaged": averaged,
        "reader": reader,
        "optimizer": optimizer,
        "random": Randomness(),
    }
    run = Run(out / "generator.pt", parts)
    bind_layers(generator)
    bind_layers(averaged)
    sample_z = torch.randn(8, truth.CONFIG.z_dim, generator=torch.Generator().manual_seed(1)).to(device)
    first = 0
    for each in rounds:
        total = sum(phase.steps for phase in each.phases)
        for step, phase in steps_of(run, each.phases, "generator", first):
            set_learning_rate(optimizer, each.rate, step, step / total)
            if each.noise is not None:
                nn.init.constant_(finest[-1].noise_strength, each.noise)
            batch = Batch.drawn(phase.batch, phase.resolution, device)
            set_noise(generator, batch.noise)
            w = generator.mapping(truth.z_of(batch.attributes))
            with torch.autocast(device.type, torch.bfloat16, enabled=phase.half_precision):
                drawn = generator.synthesis(w, resolution=phase.resolution)
                regions_loss = reader.loss(batch)
            loss = picture_loss(drawn.float(), batch.pictures, batch.weights) + REGIONS_WEIGHT * regions_loss
            if phase.crisp:
                loss = loss + phase.crisp * crispness_loss(drawn.float(), batch.pictures)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            follow(averaged, generator, min(0.999, (1 + step) / (10 + step)))
            run.report(loss)
            if step % 250 == 0:
                with torch.no_grad():
                    own = averaged.synthesis(averaged.mapping(sample_z), resolution=phase.resolution)
                known = render(truth.attributes_of(sample_z), phase.resolution, noise=batch.noise).image
                save_samples(out / "generator.png", known, own)
        first += total
    set_noise(averaged, own_noise)
    return averaged


def new_encoder(generator: Generator) -> Encoder:
    """The demo encoder before training; it starts at the average w."""
    torch.manual_seed(0)
    encoder = Encoder(ENCODER_CONFIG)
    encoder.latent_avg.copy_(generator.w_avg.expand_as(encoder.latent_avg))
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder


def train_encoder(
    out: Path,
    generator: Generator,
    phases: Sequence[Phase] = ENCODER_PHASES,
    device: torch.device | str = "cpu",
) -> Encoder:
    """Train, or go on training, the encoder for `generator`; returns the moving average of its weights."""
    device = torch.device(device)
    generator.to(device).requires_grad_(False)
    encoder = new_encoder(generator).to(device)
    averaged = new_encoder(generator).to(device).requires_grad_(False).eval()
    optimizer = torch.optim.Adam(encoder.parameters(), betas=(0.9, 0.99))
    parts: dict[str, Changing] = {
        "encoder": encoder,
        "averaged": averaged,
        "optimizer": optimizer,
        "random": Randomness(),
    }
    run = Run(out / "encoder.pt", parts)
    spread = Samples(generator).spread()
    deviation = generator.mapping(torch.randn(10_000, generator.z_dim).to(device))[:, 0].std(0)
    # A layer's w must be right in the coordinates that the generator reads there. The others count a little, so
    # that codes lie where sampled codes lie.
    carried = torch.stack([truth.coordinates_of(layer) for layer in range(generator.num_ws)]).float()
    weights = (carried / carried.sum(1, keepdim=True) + 0.1 / generator.w_dim).to(device)  # [L, D]
    total = sum(phase.steps for phase in phases)
    for step, phase in steps_of(run, phases, "encoder"):
        set_learning_rate(optimizer, 2e-3, step, step / total)
        pictures, w = encoder_batch(generator, phase.batch, phase.resolution, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=phase.half_precision):
            features = encoder.features(encoder.fit(pictures))
            codes = encoder.codes_of(features).float() + encoder.latent_avg
        loss = (((codes - w[:, None]) / deviation).square() * weights).sum(2).mean()
        true = w[:, None].expand(-1, generator.num_ws, -1)
        loss = loss + loss_of(encoder, features[-1], spread.errors(codes.detach(), true))
        if phase.through_generator:
            some = torch.randperm(len(codes))[:8]
            with torch.autocast(device.type, torch.bfloat16, enabled=phase.half_precision):
                seen = generator.synthesis(codes[some], "none")
            loss = loss + picture_loss(seen.float(), pictures[some], torch.ones_like(seen[:1, :1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        follow(averaged, encoder, min(0.998, (1 + step) / (10 + step)))
        run.report(loss)
        if step % 200 == 0:
            shown = pictures[len(pictures) // 4 : -len(pictures) // 4]  # as many drawn as generated ones
            with torch.no_grad():
                seen = generator.synthesis(averaged(shown), "none", resolution=phase.resolution)
                save_samples(out / "encoder.png", shown, seen)
    return averaged


@torch.no_grad()
def encoder_batch(
    generator: Generator, count: int, resolution: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures `[count, 3, R, R]`, half drawn and half generated, and the w `[count, w_dim]` that each shows."""
    attributes = sample_attributes(count).to(device)
    w = generator.mapping(truth.z_of(attributes))
    half, noise = count // 2, new_noise(resolution, device)
    drawn = render(attributes[:half], resolution, with_regions=False, noise=noise).image
    with torch.autocast(device.type, torch.bfloat16):
        seed = int(torch.randint(2**31, ()))
        generated = generator.synthesis(w[half:], "random", noise_seed=seed, resolution=resolution)
    return torch.cat([drawn, generated.float().clamp(-1, 1)]), w[:, 0]


class Randomness:
    """PyTorch's random numbers, as a part that a checkpoint keeps."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"state": torch.get_rng_state()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        torch.set_rng_state(state["state"])


def steps_of(run: Run, phases: Sequence[Phase], title: str, first: int = 0) -> Iterator[tuple[int, Phase]]:
    """The steps that are left of the phases, counted from the first one's, with a progress bar.

    first: the run's step at which the phases begin.
    """
    schedule = [phase for phase in phases for _ in range(phase.steps)]
    with ProgressBar(len(schedule), title) as bar:
        for number in run.steps(lambda: run.step >= first + len(schedule)):
            step = number - first
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
    parser.add_argument("--device", type=torch.device, default="cpu", help="where to train (%(default)s)")
    arguments = parser.parse_args()
    out, device = arguments.out, arguments.device
    out.mkdir(parents=True, exist_ok=True)
    factor = 1 if device.type == "cpu" else 4
    rounds = [each.larger(factor) for each in GENERATOR_ROUNDS]
    encoder_phases = [phase.larger(factor) for phase in ENCODER_PHASES]
    finished = out / "generator.safetensors"
    trained = train_generator(out, rounds, device)
    native.write(finished, generator=trained, dtype=torch.float16, source=SOURCE, licence="MIT")
    generator = load_generator(finished, "cpu")  # as users will have it, rounded to half precision
    encoder = train_encoder(out, generator, encoder_phases, device)
    samples = Samples(generator)
    set_bars(encoder, judge(encoder, samples, samples.spread(), TO_SET, BARS_SET_BY))
    encoder.generator = generator.fingerprint()
    finished = out / "encoder.safetensors"
    native.write(finished, encoder=encoder, dtype=torch.float16, source=SOURCE, licence="MIT")


if __name__ == "__main__":
    main()
