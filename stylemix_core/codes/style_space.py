"""S, the space of style channels (StyleSpace: Wu et al. 2021, arXiv:2011.12799).

Every convolution and every to-RGB scales each of its input's channels by one style, which an affine map makes of its w.
Here styles are laid out as `[B, 2, num_ws, C]`: those of convolutions and of to-RGBs by the index of their w, padded
with zeros to the widest module, C channels. Odd layers have both; that is their double role.
"""

from collections.abc import Sequence

import torch

from ..errors import StyleMixError
from ..generator import Generator
from ..generator.engine.stages import fields_of
from ..images import average, resize
from .latents import Latents

CONVOLUTION, TO_RGB = 0, 1


def styles_of(generator: Generator, latents: Latents) -> list[torch.Tensor]:
    """The styles of every module, as `generator.synthesis.draw` takes them; those around the regions."""
    styles = generator.synthesis.styles(latents.w, latents.w_rgb)
    if latents.channels is None:
        return styles
    added = unpack(generator, latents.channels.to(styles[0]))
    return [style + one for style, one in zip(styles, added, strict=True)]


def pack(generator: Generator, styles: Sequence[torch.Tensor]) -> torch.Tensor:
    """Lay the modules' `[B, channels]` out as `[B, 2, num_ws, C]`."""
    packed = styles[0].new_zeros(len(styles[0]), 2, generator.num_ws, max(generator.synthesis.style_widths))
    for (kind, layer), style in zip(_places(generator), styles, strict=True):
        packed[:, kind, layer, : style.shape[1]] = style
    return packed


def unpack(generator: Generator, packed: torch.Tensor) -> list[torch.Tensor]:
    """`pack` backwards."""
    widths = generator.synthesis.style_widths
    return [
        packed[:, kind, layer, :width]
        for (kind, layer), width in zip(_places(generator), widths, strict=True)
    ]


def pack_flat(generator: Generator, flat: torch.Tensor, to_rgbs: bool) -> torch.Tensor:
    """Lay `[B, channels]`, the modules one after the other, out as `[B, 2, num_ws, C]`.

    to_rgbs: whether those of the to-RGBs are among them; without, these are 0.
    """
    widths, places = generator.synthesis.style_widths, _places(generator)
    own = [
        width if to_rgbs or kind == CONVOLUTION else 0
        for (kind, _), width in zip(places, widths, strict=True)
    ]
    parts = flat.split(own, 1)
    padded = [
        torch.nn.functional.pad(part, (0, width - part.shape[1]))
        for part, width in zip(parts, widths, strict=True)
    ]
    return pack(generator, padded)


def channels_in(
    generator: Generator, latents: Latents, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """How much every style channel acts inside a region of the pictures, and everywhere.

    Its energy: the squares of the activations that the style scales, summed over the pixels (the contribution of a
    channel to a region in Editing in Style, Collins et al. 2020, arXiv:2004.14367, and Retrieve in Style, Chong et al.
    2021, arXiv:2107.06256).
    mask: float32 `[B, H, W]` in 0…1, or `[1, H, W]` for all.
    Returns two `[B, 2, num_ws, C]`.
    """
    mask = resize(mask[:, None], *generator.img_shape)
    inside: list[torch.Tensor] = []
    everywhere: list[torch.Tensor] = []

    rates = fields_of(generator.synthesis.stages())

    def note(x: torch.Tensor) -> None:
        energy = x.float().square()  # [B, I, r, r]
        own = rates.get(x.shape[3], x.shape[3]) * generator.img_shape[1] // rates[generator.img_shape[1]]
        beyond = max(x.shape[3] - own, 0) // 2  # what is no part of the picture
        if beyond:
            energy = energy[..., beyond : x.shape[2] - beyond, beyond : x.shape[3] - beyond]
        height, width = energy.shape[2:]
        inside.append((energy * average(mask.to(energy), height, width)).sum((2, 3)))
        everywhere.append(energy.sum((2, 3)))

    generator.synthesis.watch(styles_of(generator, latents), note)
    return pack(generator, inside), pack(generator, everywhere)


def choose_channels(inside: torch.Tensor, everywhere: torch.Tensor, share: float) -> torch.Tensor:
    """Of every module, the channels that act inside a region more than elsewhere.

    inside, everywhere: of `channels_in`, `[B, 2, num_ws, C]`.
    share: how many of a module's channels to take, 0…1: those of which the largest part of the energy lies inside.
    Returns float32 of that shape: 1 for chosen channels, else 0.
    """
    if not 0 <= share <= 1:
        raise StyleMixError(f"the share of channels is {share:g}; give a number from 0 to 1")
    there = everywhere > 0
    part = torch.where(there, inside / everywhere.clamp_min(1e-30), -1.0)
    rank = part.argsort(-1, descending=True).argsort(-1)  # 0 for the first
    return (there & (rank < (share * there.sum(-1, keepdim=True)).round())).float()


def _places(generator: Generator) -> list[tuple[int, int]]:
    """Kind and layer of every module, in the order of `synthesis.styled()`."""
    return [
        (TO_RGB if module.to_rgb else CONVOLUTION, layer) for layer, module in generator.synthesis.styled()
    ]
