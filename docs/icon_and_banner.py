"""Makes the registry's icon and banner with the bundled models: python docs/icon_and_banner.py

The icon is a face whose right half has the hair of the bundled bob. The banner shows seven faces as they are, with
that hair, and with the face below it.
"""

from pathlib import Path

import torch

import stylemix_core as sm
from stylemix_core.checkpoints import DEMO
from stylemix_core.images import to_pil

FOLDER = Path(__file__).parent
SEEDS, PSI = (97, 96, 99, 12, 98, 20, 21), 0.8
MASKS = "none; 4-5, 8; 2-3, 6-7, 9-10"
TILE = 180
"""Pixels: seven by three of them have the registry's proportions, 21 by 9."""


@torch.inference_mode()
def main() -> None:
    generator = sm.load_generator("demo", "cpu")
    faces = generator.mapping(sm.sample_z(SEEDS, generator.z_dim), truncation_psi=PSI)
    style = sm.load_latents(DEMO / "bob.safetensors").w
    pictures = generator.synthesis(sm.inject(faces, style, sm.parse_masks(MASKS, generator.num_ws)))
    size = pictures.shape[-1]

    icon = to_pil(pictures[0])
    half = (size // 2, 0, size, size)
    icon.paste(to_pil(pictures[1]).crop(half), half[:2])
    icon.save(FOLDER / "icon.png", optimize=True)

    # [faces * masks, 3, S, S] → [3, masks * S, faces * S]
    sheet = pictures.unflatten(0, (len(SEEDS), -1)).permute(2, 1, 3, 0, 4).reshape(3, -1, len(SEEDS) * size)
    banner = to_pil(sheet)
    banner.thumbnail((len(SEEDS) * TILE, banner.height))
    banner.save(FOLDER / "banner.jpg", quality=88)


if __name__ == "__main__":
    main()
