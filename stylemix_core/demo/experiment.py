"""The study project's experiment on the bundled demo models.

Four faces, one style picture with a bob, seven masks: each of the first six layers alone, then 0–6 together.
"""

from dataclasses import dataclass

import torch

from ..checkpoints import load_encoder, load_generator
from ..codes.latents import Latents
from ..codes.sampling import sample_latents
from ..figures.grid import compare_grid
from ..masks.grammar import STUDY_SWEEP
from ..masks.mask_list import parse_masks
from ..mixing.inject import inject_latents
from ..progress import OnStep
from .attributes import ATTRIBUTES
from .renderer import render

SEEDS = (96, 97, 98, 99)
TRUNCATION_PSI = 0.8

# What the style picture shows where it is not the middle of every attribute.
BOB = {
    "tilt": 0.8,
    "turn": 0.15,
    "face_width": 0.25,
    "jaw": 0.2,
    "chin": 0.8,
    "age": 0.1,
    "cut": 0.55,
    "volume": 0.8,
    "buns": 0.1,
    "fringe": 0.95,
    "wave": 0.05,
    "beard": 0.1,
    "eye_size": 0.7,
    "eyelids": 0.6,
    "smile": 0.85,
    "mouth_open": 0.1,
    "lips": 0.7,
    "glasses": 0.1,
    "hat": 0.1,
    "hair_tone": 0.08,
    "hair_warmth": 0.3,
    "skin_tone": 0.2,
    "freckles": 0.1,
    "lip_colour": 0.9,
    "background_hue": 0.08,
    "backdrop": 0.1,
    "collar": 0.1,
    "clothes_hue": 0.06,
}


@dataclass(frozen=True)
class Experiment:
    """Everything the experiment made; pictures are `[B, 3, R, R]` in −1…1."""

    sources: Latents
    source_pictures: torch.Tensor
    style: Latents
    style_picture: torch.Tensor
    results: Latents
    result_pictures: torch.Tensor
    labels: list[str]
    """One per mask."""
    grid: torch.Tensor
    """`[1, 3, H, W]`: a row for every source: source, style, one result per mask."""


def style_picture(resolution: int = 256) -> torch.Tensor:
    """The drawn picture of a bob haircut, `[1, 3, R, R]` in −1…1. The models have never seen it."""
    row = torch.tensor([[BOB.get(attribute.name, 0.5) for attribute in ATTRIBUTES]])
    return render(row, resolution, with_regions=False).image


@torch.inference_mode()
def run(on_step: OnStep | None = None) -> Experiment:
    """Run it on the CPU. on_step: called with how many results are drawn."""
    generator, encoder = load_generator("demo", device="cpu"), load_encoder("demo", device="cpu")
    sources = sample_latents(generator, SEEDS, TRUNCATION_PSI)
    picture = style_picture(generator.img_resolution)
    style = Latents.of(encoder(picture), "drawn bob", encoder.generator)
    masks = parse_masks(STUDY_SWEEP, generator.num_ws)
    results = inject_latents(sources, style, masks)

    source_pictures = generator.synthesis(sources.w)
    drawn: list[torch.Tensor] = []
    for w in torch.split(results.w, 4):
        drawn += generator.synthesis(w)
        if on_step is not None:
            on_step(len(drawn), len(results))
    result_pictures = torch.stack(drawn)
    grid = compare_grid(
        result_pictures,
        masks.labels,
        source=source_pictures,
        style=generator.synthesis(style.w),  # what the layers are of, as in every such sheet
        rows=[f"seed {seed}" for seed in SEEDS],
    )
    return Experiment(sources, source_pictures, style, picture, results, result_pictures, masks.labels, grid)
