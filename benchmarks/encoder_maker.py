"""How good encoders become that `train_encoder` makes, by the time they are given.

    python benchmarks/encoder_maker.py                      about two and a half hours on two cores
    python benchmarks/encoder_maker.py --out runs/maker     the same; what was made is kept, and gone on from
    python benchmarks/encoder_maker.py --small              a minute; the goals are for the full run only

For the demo generator from nothing, and for a second one, the demo trained further to other colours and proportions,
beginning with the first one's encoder and in a third of the time. Errors are mean absolute differences of pictures in
−1…1, on samples that training never drew. Exit code 1 when a goal is missed.
"""

import argparse
import copy
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from goals import Row, report

import stylemix_core as sm
from stylemix_core.checkpoints import native
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import GROUPS
from stylemix_core.demo.renderer import render, sample_attributes
from stylemix_core.encoder import SURE, Encoder
from stylemix_core.generator import Generator
from stylemix_core.progress import ProgressBar
from stylemix_core.training.error_bars import judge
from stylemix_core.training.run import picture_loss
from stylemix_core.training.samples import Samples

FIRST_HELD_OUT_SEED = 1_000_000
CHUNK = 16


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, nargs="*", default=[20, 60], help="times to train for")
    parser.add_argument("--second", type=float, default=8, help="minutes to make the second generator")
    parser.add_argument("--count", type=int, default=128, help="samples for every figure (%(default)s)")
    parser.add_argument("--small", action="store_true", help="seconds instead of minutes, no goals")
    parser.add_argument("--out", type=Path, help="folder for the encoders and the second generator")
    options = parser.parse_args()
    if options.small:
        options.minutes, options.second, options.count = [0.1], 0.1, 16
    demo = sm.load_generator("demo", "cpu")
    with TemporaryDirectory() if options.out is None else nullcontext(options.out) as folder:
        rows, encoders = [], {}
        for minutes in options.minutes:
            goal = 0.09 if minutes < 60 else 0.065
            encoders[minutes] = made(demo, Path(folder) / f"{minutes:g}", minutes)
            found = round_trip(demo, encoders[minutes], options.count)
            rows.append((f"round trip after {minutes:g} minutes", found, "≤", goal))
        longest = max(options.minutes)
        rows += judged(demo, encoders[longest], options.count)
        second = made_second(demo, Path(folder) / "second.safetensors", options.second)
        of_nothing = round_trip(second, made(second, Path(folder) / "second", longest), options.count)
        begun = made(second, Path(folder) / "begun", longest / 3, encoders[longest])
        sooner = round_trip(second, begun, options.count)
        rows += [
            (f"second generator: round trip after {longest:g} minutes", of_nothing, "≤", 1.2 * found),
            (
                f"second generator: after {longest / 3:g}, beginning with that encoder",
                sooner,
                "≤",
                1.2 * found,
            ),
        ]
    bundled = round_trip(demo, sm.load_encoder("demo", "cpu"), options.count)
    print(f"\n{options.count} samples; the bundled encoder's round trip is {bundled:.4f}\n")
    return report(rows, judged=not options.small)


def made(generator: Generator, out: Path, minutes: float, start: Encoder | None = None) -> Encoder:
    with ProgressBar(1, f"{minutes:g} minutes") as bar:
        path = sm.train_encoder(generator, out, minutes=minutes, start=start, on_step=bar.step)
    print(sm.inspect_checkpoint(path).made, flush=True)
    return sm.load_encoder(path, "cpu")


@torch.inference_mode()
def round_trip(generator: Generator, encoder: Encoder, count: int) -> float:
    pictures = draw(generator, sampled(generator, count))
    return error(draw(generator, encoded(encoder, pictures)), pictures)


@torch.inference_mode()
def judged(demo: Generator, encoder: Encoder, count: int) -> list[Row]:
    """Groups of an encoded face against those of a sampled one, and the error bars."""
    z = sm.sample_z(range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + 2 * count), demo.z_dim)
    mine, other = truth.attributes_of(z).split(count)
    w, style = demo.mapping(truth.z_of(mine)), demo.mapping(truth.z_of(other))
    read, read_style = (encoded(encoder, draw(demo, codes)) for codes in (w, style))
    noise = demo.synthesis.blocks()[-1].conv1.noise_const  # that the generator draws with
    rows: list[Row] = []
    for group in GROUPS:
        masks = sm.parse_masks([*group.layers], demo.num_ws)
        mixed = truth.mix(mine, other, group.layers)
        expected = render(mixed, demo.img_resolution, with_regions=False, noise=noise).image
        errors = [
            error(draw(demo, sm.inject(source, injected, masks)), expected)
            for source, injected in ((w, style), (read, read_style))
        ]
        rows.append((f"{group.name} injected: encoded, of sampled", errors[1] / errors[0], "≤", 1.5))
    samples = Samples(demo)
    covered = judge(encoder, samples, samples.spread(), 7 * 10**7, 8 * count).coverage(encoder).values()
    apart = [abs(share - sure) for share, sure in zip(covered, SURE, strict=True)]
    return [*rows, ("error bars: coverage, farthest from 50, 80 and 95 %", max(apart), "≤", 0.03)]


def made_second(demo: Generator, path: Path, minutes: float) -> Generator:
    if not path.exists():
        native.write(
            path, generator=further(demo, minutes), source="the demo, trained further", licence="MIT"
        )
    return sm.load_generator(path, "cpu")


def further(demo: Generator, minutes: float) -> Generator:
    """The demo trained further, to draw narrower avatars in other colours."""
    generator = copy.deepcopy(demo)
    weights = [p for name, p in generator.synthesis.named_parameters() if "affine" not in name]
    generator.requires_grad_(False)
    for parameter in weights:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(weights, lr=2e-3, betas=(0.8, 0.99))
    narrower = F.affine_grid(
        torch.tensor([[[1.15, 0.0, 0.0], [0.0, 1.0, 0.0]]]), [1, 3, *demo.img_shape], align_corners=False
    )
    torch.manual_seed(0)
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        attributes = sample_attributes(8)
        drawn = render(attributes, demo.img_resolution, with_regions=False).image
        wanted = F.grid_sample(
            drawn.roll(1, 1), narrower.expand(8, -1, -1, -1), padding_mode="border", align_corners=False
        )
        pictures = generator.synthesis(generator.mapping(truth.z_of(attributes)), "none")
        loss = picture_loss(pictures, wanted, torch.ones(1, 1, *demo.img_shape))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return generator.requires_grad_(False)


def sampled(generator: Generator, count: int) -> torch.Tensor:
    return generator.mapping(
        sm.sample_z(range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + count), generator.z_dim)
    )


def draw(generator: Generator, codes: torch.Tensor) -> torch.Tensor:
    return torch.cat([generator.synthesis(part).clamp(-1, 1) for part in codes.split(CHUNK)])


def encoded(encoder: Encoder, pictures: torch.Tensor) -> torch.Tensor:
    return torch.cat([encoder(part) for part in pictures.split(CHUNK)])


def error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean())


if __name__ == "__main__":
    sys.exit(main())
