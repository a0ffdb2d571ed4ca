"""Directions in S: style channels of a generator, one by one or as other tools write them in a row."""

import re
from dataclasses import replace

import torch

from ..errors import StyleMixError
from ..generator import Generator
from ..generator.sampling import sampled_w
from .directions import Directions
from .style_space import pack_flat


def channel_counts(generator: Generator) -> tuple[int, int]:
    """How many style channels the convolutions have, and how many those with the to-RGBs."""
    styled = [*generator.synthesis.styled()]
    widths = generator.synthesis.style_widths
    convolutions = sum(width for (_, module), width in zip(styled, widths, strict=True) if not module.to_rgb)
    return convolutions, sum(widths)


def channels(generator: Generator, x: torch.Tensor, names: list[str], to_rgbs: bool) -> Directions:
    """Directions `[K, channels]` in the style channels of a generator, one module after the other.

    to_rgbs: whether those of the to-RGBs are among them, as in StyleSpace's numbering, or not, as in StyleCLIP's.
    """
    vectors = pack_flat(generator, x.float(), to_rgbs)
    ones = torch.ones(len(vectors))
    method = "style channels" if to_rgbs else "style channels of convolutions"
    return Directions(vectors, ones, None, tuple(names), None, method, generator.fingerprint(), "S")


def style_channels(generator: Generator, text: str, to_rgbs: bool = True, samples: int = 1_000) -> Directions:
    """Single style channels as directions, a line or a comma each: "6:50, 9:40" (StyleSpace: Wu et al. 2021,
    arXiv:2011.12799).

    to_rgbs: whether modules are counted with the to-RGBs, as StyleSpace does: 4 conv1, 4 rgb, 8 conv0, 8 conv1, 8 rgb,
        16 conv0, …; or convolutions alone, as StyleCLIP does.
    samples: sampled w that tell how far strength 1 goes: the standard deviation of the channel.
    `StyleMixError` where there is no such channel.
    """
    places = [
        place
        for place, (_, module) in enumerate(generator.synthesis.styled())
        if to_rgbs or not module.to_rgb
    ]
    widths = [generator.synthesis.style_widths[place] for place in places]
    example = f"{len(places) // 2}:{widths[len(places) // 2] - 1}"
    chosen = []
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        found = re.fullmatch(r"\(?\s*([0-9]{1,4})\s*[:_ ]\s*([0-9]{1,5})\s*\)?", part)
        layer, channel = (int(found[1]), int(found[2])) if found else (-1, -1)
        if not found or layer >= len(places) or channel >= widths[layer]:
            known = f"modules 0 to {len(places) - 1}"
            known += (
                f", of which {layer} has the channels 0 to {widths[layer] - 1}"
                if 0 <= layer < len(places)
                else ""
            )
            raise StyleMixError(
                f"{part[:40]!r} is no style channel of this generator; write module and channel, as in {example} "
                f"({known})"
            )
        chosen.append((layer, channel))
    if not chosen:
        raise StyleMixError(f"no style channel is named; write module and channel, as in {example}")
    w = torch.cat([*sampled_w(generator.mapping, samples, 0)])
    with torch.no_grad():
        styles = generator.synthesis.styles(
            w[:, None].expand(-1, generator.num_ws, -1).to(generator.w_avg), None
        )
    flat = torch.zeros(len(chosen), sum(widths))
    units = []
    for row, (layer, channel) in enumerate(chosen):
        flat[row, sum(widths[:layer]) + channel] = 1
        units.append(float(styles[places[layer]][:, channel].float().std()))
    names = [f"channel {layer}:{channel}" for layer, channel in chosen]
    return replace(channels(generator, flat, names, to_rgbs), units=torch.tensor(units))
