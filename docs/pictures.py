"""Makes README's first picture and the registry's icon and banner: python docs/pictures.py

The icon is a face whose right half has the hair of the bundled bob. The banner shows seven faces as they are, with
that hair, and with the face below it.
"""

from pathlib import Path

import torch

import stylemix_core as sm
from stylemix_core.checkpoints import DEMO
from stylemix_core.demo import experiment
from stylemix_core.images import to_pil

FOLDER = Path(__file__).parent
WIDTH = 1280
SEEDS, PSI = (96, 20, 99, 12, 98, 21, 111), 0.8
MASKS = "none; 4-5, 8; 2-3, 6-7, 9-10"
TILE = 180
"""Pixels: seven by three of them have the registry's proportions, 21 by 9."""


@torch.inference_mode()
def main() -> None:
    save(experiment.run().grid[0], "demo.jpg", WIDTH)

    generator = sm.load_generator("demo", "cpu")
    faces = generator.mapping(sm.sample_z(SEEDS, generator.z_dim), truncation_psi=PSI)
    style = sm.load_latents(DEMO / "bob.safetensors").w
    pictures = generator.synthesis(sm.inject(faces, style, sm.parse_masks(MASKS, generator.num_ws)))
    half = pictures.shape[-1] // 2
    icon = torch.cat([pictures[0, ..., :half], pictures[1, ..., half:]], dim=-1)
    to_pil(icon).save(FOLDER / "icon.png", optimize=True)
    # [faces · masks, 3, S, S] → [3, masks · S, faces · S]
    banner = pictures.unflatten(0, (len(SEEDS), -1)).permute(2, 1, 3, 0, 4).flatten(1, 2).flatten(2, 3)
    save(banner, "banner.jpg", len(SEEDS) * TILE)


def save(picture: torch.Tensor, name: str, width: int) -> None:
    image = to_pil(picture)
    image.thumbnail((width, image.height))
    image.save(FOLDER / name, quality=85)


if __name__ == "__main__":
    main()
