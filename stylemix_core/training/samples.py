"""A generator's own pictures with the codes that drew them, to train and to judge encoders on."""

import torch

from ..codes.seeds import sample_z
from ..errors import StyleMixError
from ..generator import Generator
from ..generator.spread import Spread

MIXED = 0.5
"""How many samples mix the styles of two codes (StyleGAN, Karras et al. 2019, arXiv:1812.04948, section 3.1), so that
an encoder learns to read each layer by itself."""
CHANCES = 3 * 10**9
"""Added to a sample's number, the seed of what is left to chance: no sample's z has it, also modulo 2³²."""
HELD_OUT = 10**8
"""The first sample that training never draws."""
SPREAD_OVER, CHUNK = 2_000, 100
"""Samples that the spread is measured over, and how many at a time."""
TRY = 8
"""Pictures that tell whether a generator can be learnt."""


class Samples:
    """Samples of a generator, the same for the same number."""

    def __init__(self, generator: Generator, psi: float = 1.0, mixed: float = MIXED, seed: int = 0):
        self.generator, self.psi, self.mixed, self.seed = generator, psi, mixed, seed

    def codes(self, first: int, count: int) -> torch.Tensor:
        """The W+ codes of samples from number `first` on, `[count, num_ws, w_dim]`, on the generator's device."""
        generator = self.generator
        numbers = range(first + self.seed * 10**9, first + self.seed * 10**9 + count)
        chance = torch.special.ndtr(sample_z([number + CHANCES for number in numbers], 4))  # uniform in 0…1
        z = sample_z(range(2 * numbers.start, 2 * numbers.stop), generator.z_dim)
        c = None
        if generator.c_dim:
            labels = (chance[:, 2:] * generator.c_dim).long().clamp_max(generator.c_dim - 1).flatten()
            c = torch.nn.functional.one_hot(labels, generator.c_dim).float()
        w = generator.mapping(z, c, self.psi)
        own, other = w[::2], w[1::2]
        from_layer = 1 + (chance[:, 1:2] * (generator.num_ws - 1)).floor()
        takes = chance[:, :1] < self.mixed
        swapped = takes & (torch.arange(generator.num_ws) >= from_layer)
        return torch.where(swapped[..., None].to(w.device), other, own)

    def pictures(self, w: torch.Tensor, first: int) -> torch.Tensor:
        """What codes draw, `[B, img_channels, H, W]` in −1…1, each with noise of its own."""
        noise = {"noise_mode": "random", "noise_seed": first} if self.has_noise else {}
        return self.generator.synthesis(w, **noise).clamp(-1, 1)

    def spread(self) -> Spread:
        """How far this generator's codes vary, measured on the last samples before `HELD_OUT`."""
        firsts = range(HELD_OUT - SPREAD_OVER, HELD_OUT, CHUNK)
        return Spread(self.generator, torch.cat([self.codes(first, CHUNK) for first in firsts]))

    @property
    def has_noise(self) -> bool:
        return any(stage.stored_noise() for stage in self.generator.synthesis.stages())


@torch.no_grad()
def check_teachable(samples: Samples) -> None:
    """`StyleMixError` when no encoder can learn from what the generator draws."""
    pictures = samples.pictures(samples.codes(0, TRY), 0)
    if not pictures.isfinite().all():
        raise StyleMixError(
            "this generator draws pictures with NaN or infinite numbers, so an encoder cannot learn from them; load it "
            "in float32, or check the file"
        )
    spread = float(pictures.std(0).mean())
    if spread < 1e-3:
        raise StyleMixError(
            f"the pictures of this generator hardly differ (by {spread:.1e} of −1…1 over {TRY} seeds), so nothing "
            "tells their codes; check the file, and truncation_psi"
        )


def as_read(pictures: torch.Tensor) -> torch.Tensor:
    """A generator's pictures as an encoder reads them, `[B, 3, H, W]`: grey thrice, transparency left out."""
    return pictures.expand(-1, 3, -1, -1) if pictures.shape[1] == 1 else pictures[:, :3]


def worn(pictures: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Every second picture as if it had been scaled down once, and noisy, as other people's pictures are.

    pictures: `[B, C, H, W]`. random: of the CPU.
    """
    count, _, height, width = pictures.shape
    scale = 0.5 + 0.5 * float(torch.rand((), generator=random))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    chosen = torch.arange(count, device=pictures.device) % 2 == 1
    some = pictures[chosen]
    if not len(some):
        return pictures
    small = torch.nn.functional.interpolate(some, size, mode="bilinear", antialias=True)
    again = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
    grain = 0.04 * float(torch.rand((), generator=random))
    again = again + grain * torch.randn(again.shape, generator=random).to(again)
    result = pictures.clone()
    result[chosen] = again
    return result
