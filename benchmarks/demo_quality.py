"""How good the bundled demo models are, on avatars that training never drew.

    python benchmarks/demo_quality.py             minutes on two cores
    python benchmarks/demo_quality.py --small     seconds; the goals are for the full run only

Mean absolute errors of pictures in −1…1, against the renderer, which is the truth, how crisp they are, and whether the
encoder's error bars hold. Exit code 1 when a goal is missed.
"""

import argparse
import sys

import torch
from goals import report

import stylemix_core as sm
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS
from stylemix_core.demo.renderer import render
from stylemix_core.encoder import SURE
from stylemix_core.training.error_bars import TO_JUDGE, judge
from stylemix_core.training.samples import Samples

FIRST_HELD_OUT_SEED = 1_000_000
CHUNK = 16


@torch.inference_mode()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=128, help="avatars for every figure (%(default)s)")
    parser.add_argument("--small", action="store_true", help="8 avatars, no goals")
    options = parser.parse_args()
    count = 8 if options.small else options.count
    generator, encoder = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")

    z = sm.sample_z(range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + 2 * count), generator.z_dim)
    attributes = truth.attributes_of(z)
    (z, _), (mine, other) = z.split(count), attributes.split(count)
    w, style = generator.mapping(z), generator.mapping(truth.z_of(other))

    def draw(codes: torch.Tensor) -> torch.Tensor:
        return torch.cat([generator.synthesis(part).clamp(-1, 1) for part in codes.split(CHUNK)])

    noise = generator.synthesis.blocks()[-1].conv1.noise_const  # that the generator draws with

    def truth_of(rows: torch.Tensor) -> torch.Tensor:
        return render(rows, generator.img_resolution, with_regions=False, noise=noise).image

    def encoded(pictures: torch.Tensor) -> torch.Tensor:
        return torch.cat([encoder(part) for part in pictures.split(CHUNK)])

    generated, drawn = draw(w), truth_of(mine)
    rows = [
        ("generator against renderer", error(generated, drawn), "≤", 0.035),
        (
            "generated picture, encoded and generated again",
            error(draw(encoded(generated)), generated),
            "≤",
            0.038,
        ),
        ("drawn picture, encoded and generated", error(draw(encoded(drawn)), drawn), "≤", 0.048),
    ]
    for group in GROUPS:
        mixed, expected = injected(w, style, group.layers), truth.mix(mine, other, group.layers)
        rows.append(
            (f"{group.name} of another avatar injected", error(draw(mixed), truth_of(expected)), "≤", 0.037)
        )
    one_layer = [
        error(draw(injected(w, style, [layer])), truth_of(truth.mix(mine, other, [layer])))
        for layer in sorted({attribute.layer for attribute in ATTRIBUTES})
    ]
    worst = max(one_layer)
    rows.append((f"worst single layer injected ({one_layer.index(worst)})", worst, "≤", 0.040))
    rows.append(
        ("gradient energy, of the renderer's", gradient_energy(generated) / gradient_energy(drawn), "≥", 0.9)
    )
    regions = render(mine[:CHUNK], generator.img_resolution, noise=noise).regions
    still = generator.synthesis(w[:CHUNK], "none").clamp(-1, 1)
    by_noise = (generated[:CHUNK] - still).abs().mean(1)
    hair, face = (float((by_noise * regions[name]).sum() / regions[name].sum()) for name in ("hair", "face"))
    rows.append(("what noise changes in hair, of what in faces", hair / face, "≥", 2))
    samples = Samples(generator)
    covered = judge(encoder, samples, samples.spread(), TO_JUDGE, 2 * count).coverage(encoder).values()
    farthest = max(abs(share - sure) for share, sure in zip(covered, SURE, strict=True))
    rows.append(("error bars: coverage, farthest from 50, 80 and 95 %", farthest, "≤", 0.03))

    print(f"{count} avatars\n")
    return report(rows, judged=not options.small)


def injected(w: torch.Tensor, style: torch.Tensor, layers) -> torch.Tensor:
    return sm.inject(w, style, sm.parse_masks(list(layers), w.shape[1]))


def gradient_energy(pictures: torch.Tensor) -> float:
    """Mean squared difference of neighbouring pixels: how crisp pictures are."""
    return float(sum(pictures.diff(dim=axis).square().mean() for axis in (2, 3)))


def error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean())


if __name__ == "__main__":
    sys.exit(main())
