"""Makes the pictures of which_layer_carries_what.md with the bundled models: python docs/which_layer_carries_what.py"""

from pathlib import Path

import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core.checkpoints import DEMO
from stylemix_core.images import to_pil
from stylemix_core.masks.mask_list import layers_text

FOLDER = Path(__file__).parent
SEED, PSI = 96, 0.8
WIDTH = 1600

MASKS = """
    the source: none
    the style: all
    the study's: 0-6
    only the hair: 4-5, 8
    hair's shape: 4-5
    hair's colour: 8
    the face's shape: 2-3
    eyes and mouth: 6-7
    skin and lips: 9-10
    the backdrop: 11, 13
"""


def main() -> None:
    generator, encoder = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    style = sm.load_latents(DEMO / "bob.safetensors").w
    with torch.inference_mode():
        source = generator.mapping(sm.sample_z([SEED], generator.z_dim), truncation_psi=PSI)
        report = sm.explain_layers(generator, source, style, encoder=encoder)
        masks = sm.parse_masks(MASKS, generator.num_ws)
        mixed = generator.synthesis(sm.inject(source, style, masks))
        labels = [f"{label}: {layers_text(row)}" for label, row in zip(masks.labels, masks.strengths)]
        sheet = sm.compare_grid(mixed, labels, columns=5)
    save(report.sheet(), "layers_explained.jpg")
    save(to_pil(sheet[0]), "layers_used.jpg")
    print(report.table())


def save(picture: Image.Image, name: str) -> None:
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    picture.save(FOLDER / name, quality=88)


if __name__ == "__main__":
    main()
