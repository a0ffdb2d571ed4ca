"""How good the bundled demo models are, on avatars that training never drew.

    python benchmarks/demo_quality.py

Mean absolute errors of pictures in −1…1, against the renderer, which is the truth, and how crisp they are. Exit code 1
when a goal is missed.
"""

import argparse
import sys

import torch

import stylemix_core as sm
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, GROUPS
from stylemix_core.demo.renderer import render

FIRST_HELD_OUT_SEED = 1_000_000
CHUNK = 16


@torch.inference_mode()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=128, help="avatars for every figure (%(default)s)")
    count = parser.parse_args().count
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
        ("generator against renderer", error(generated, drawn), 0.035),
        ("generated picture, encoded and generated again", error(draw(encoded(generated)), generated), 0.038),
        ("drawn picture, encoded and generated", error(draw(encoded(drawn)), drawn), 0.048),
    ]
    for group in GROUPS:
        mixed, expected = injected(w, style, group.layers), truth.mix(mine, other, group.layers)
        rows.append(
            (f"{group.name} of another avatar injected", error(draw(mixed), truth_of(expected)), 0.037)
        )
    one_layer = [
        error(draw(injected(w, style, [layer])), truth_of(truth.mix(mine, other, [layer])))
        for layer in sorted({attribute.layer for attribute in ATTRIBUTES})
    ]
    rows.append((f"worst single layer injected ({one_layer.index(max(one_layer))})", max(one_layer), 0.040))

    crisp = gradient_energy(generated) / gradient_energy(drawn)
    print(f"{count} avatars\n\n| figure | value | goal |\n|---|---|---|")
    for name, value, goal in rows:
        print(f"| {name} | {value:.4f} | ≤ {goal} |{'' if value <= goal else ' missed'}")
    print(f"| gradient energy, of the renderer's | {crisp:.2f} | ≥ 0.9 |{'' if crisp >= 0.9 else ' missed'}")
    return int(any(value > goal for _, value, goal in rows) or crisp < 0.9)


def injected(w: torch.Tensor, style: torch.Tensor, layers) -> torch.Tensor:
    return sm.inject(w, style, sm.parse_masks(list(layers), w.shape[1]))


def gradient_energy(pictures: torch.Tensor) -> float:
    """Mean squared difference of neighbouring pixels: how crisp pictures are."""
    return float(sum(pictures.diff(dim=axis).square().mean() for axis in (2, 3)))


def error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean())


if __name__ == "__main__":
    sys.exit(main())
