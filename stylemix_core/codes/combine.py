"""Codes made of other codes, with all that they carry: joined, mixed, blended, truncated."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from ..errors import LatentMismatchError, StyleMixError
from ..generator import Generator
from ..generator.fingerprint import picture_shape
from ..images import resize
from ..wording import counted
from .latents import Latents, Region, check_generator, nested_origin

Mix = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Two batches of codes, or of what comes with them → the results' one."""


def join_latents(parts: Sequence[Latents]) -> Latents:
    """One batch of all codes, in order. `LatentMismatchError` when there are none or their shapes differ."""
    shapes = sorted({tuple(part.w.shape[1:]) for part in parts})
    if len(shapes) != 1:
        found = " and ".join(f"{layers} layers of {size} numbers" for layers, size in shapes) or "no codes"
        raise LatentMismatchError(f"found {found}; give codes of one model")
    parts = [part.to(parts[0].w.device) for part in parts]
    generators = {part.generator for part in parts}
    generator = generators.pop() if len(generators) == 1 else None
    regions = []
    for i in range(max(len(part.regions) for part in parts)):
        own = [part.regions[i] if i < len(part.regions) else _nowhere(part) for part in parts]
        height, width = max(region.mask.shape[1:] for region in own)
        masks = torch.cat([resize_mask(region.mask, height, width) for region in own])
        regions.append(Region(_join([region.codes for region in own], generator), masks))
    return replace(_join([part.around() for part in parts], generator), regions=tuple(regions))


def _join(parts: Sequence[Latents], generator: str | None) -> Latents:
    """`join_latents` of codes without regions."""
    w_rgb = channels = None
    if any(part.w_rgb is not None for part in parts):
        w_rgb = torch.cat([part.codes()[:, 1] for part in parts])
    width = _channel_width(parts)
    if width is not None:
        channels = torch.cat([_channels(part, width) for part in parts])
    bars = [part.error_bars for part in parts if part.error_bars is not None]
    return Latents(
        torch.cat([part.w for part in parts]),
        tuple(origin for part in parts for origin in part.origins),
        generator,
        w_rgb,
        channels,
        error_bars=torch.cat(bars) if len(bars) == len(parts) else None,
    )


def resize_mask(mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A region's mask uint8 `[B, h, w]` as `[B, height, width]`."""
    if mask.shape[1:] == (height, width):
        return mask
    return resize(mask[:, None].float(), height, width)[:, 0].round().to(torch.uint8)


def _nowhere(part: Latents) -> Region:
    """A region without extent."""
    shape = picture_shape(part.w.shape[1], part.generator)
    return Region(part.around(), torch.zeros(len(part), *shape, dtype=torch.uint8, device=part.w.device))


def _channel_width(parts: Sequence[Latents]) -> int | None:
    """How many style channels a module of these codes has, with padding; None where none of them changes any.

    `LatentMismatchError` when they differ.
    """
    widths = sorted({part.channels.shape[3] for part in parts if part.channels is not None})
    if len(widths) > 1:
        raise LatentMismatchError(
            f"found style channels of {' and '.join(map(str, widths))} numbers; give codes of one model"
        )
    return widths[0] if widths else None


def _channels(part: Latents, width: int) -> torch.Tensor:
    """What the codes change in style channels, `[B, 2, num_ws, width]`."""
    count, layers, _ = part.w.shape
    return part.w.new_zeros(count, 2, layers, width) if part.channels is None else part.channels


def combine(
    a: Latents,
    b: Latents,
    mix: Mix,
    origins: tuple[str, ...],
    arrange: Callable[[torch.Tensor], torch.Tensor],
) -> Latents:
    """What `mix` makes of two batches, applied to everything that they hold. The generator is that of `a`.

    mix: maps two `[·, 2, num_ws, size]` to the results' one, the same for codes and for style channels; linear.
    arrange: brings what `a` or `b` has one of per code, such as a mask, to the results' order.
    Where only one of them has regions, the other is the same everywhere. `LatentMismatchError` when both have and
    they differ.
    """
    regions = a.regions or b.regions
    if a.regions and b.regions:
        same = len(a.regions) == len(b.regions) and all(
            torch.equal(one.mask, other.mask) for one, other in zip(a.regions, b.regions)
        )
        if not same:
            raise LatentMismatchError(
                "both codes were injected in regions, and in different ones; give at least one side whole codes"
            )
    result = _combine(a.around(), b.around(), mix, origins)
    return replace(
        result,
        regions=tuple(
            Region(
                _combine(
                    a.regions[i].codes if a.regions else a.around(),
                    b.regions[i].codes if b.regions else b.around(),
                    mix,
                    origins,
                ),
                arrange(region.mask),
            )
            for i, region in enumerate(regions)
        ),
    )


def of_to_rgbs(num_ws: int) -> torch.Tensor:
    """Which layers to-RGBs take, bool `[num_ws]`: StyleGAN2's the odd ones, StyleGAN3's the last."""
    layers = torch.arange(num_ws)
    return (layers % 2 == 1) | (layers == num_ws - 1)


def _combine(a: Latents, b: Latents, mix: Mix, origins: tuple[str, ...]) -> Latents:
    """`combine` of codes without regions."""
    w, w_rgb = (codes.contiguous() for codes in mix(a.codes(), b.codes()).unbind(1))
    width = _channel_width([a, b])
    channels = None if width is None else mix(_channels(a, width), _channels(b, width))
    coloured = of_to_rgbs(w.shape[1]).to(w.device)
    alike = torch.equal(w[:, coloured], w_rgb[:, coloured])
    return Latents(w, origins, a.generator, None if alike else w_rgb, channels)


def blend_latents(a: Latents, b: Latents, weight: float) -> Latents:
    """a + weight·(b − a): 0 gives `a` and 1 gives `b`, bit for bit; numbers beyond them exaggerate.

    A single code on either side meets every code of the other. The generator is that of `a`.
    `LatentMismatchError` when shapes or counts do not fit.
    """
    if a.w.shape[1:] != b.w.shape[1:]:
        (_, layers, size), (_, other_layers, other_size) = a.w.shape, b.w.shape
        raise LatentMismatchError(
            f"a has {layers} layers of {size} numbers, b has {other_layers} of {other_size}: they belong to models "
            "of different shape. Sample or encode both for the same generator."
        )
    count = max(len(a), len(b))
    if 0 in (len(a), len(b)) or not {len(a), len(b)} <= {1, count}:
        raise LatentMismatchError(
            f"{counted(len(a), 'code')} cannot be blended with {len(b)}; give equally many, or one on either side"
        )
    if not math.isfinite(weight):
        raise StyleMixError(f"the weight is {weight}; give a number, usually 0 to 1")
    # One on either side is repeated.
    pairs = zip(a.origins * (count // len(a)), b.origins * (count // len(b)))
    origins = tuple(
        f"{nested_origin(one)} ~ {nested_origin(other)}, weight {weight:g}" for one, other in pairs
    )
    return combine(
        a,
        b,
        lambda one, other: torch.lerp(one, other.to(one), weight),
        origins,
        lambda mask: mask.expand(count, -1, -1),
    )


def truncate_latents(
    latents: Latents, generator: Generator, psi: float, cutoff: int | None = None
) -> Latents:
    """The truncation trick on codes of any origin; arguments as for `Generator.mapping`, errors of both."""
    check_generator(latents, generator)
    layers = "" if cutoff is None else f" before layer {cutoff}"
    origins = tuple(f"{origin}, truncated to {psi:g}{layers}" for origin in latents.origins)

    def truncate(w: torch.Tensor) -> torch.Tensor:
        return generator.mapping.truncate(w.to(generator.w_avg), psi, cutoff).to(w)

    def truncated(codes: Latents) -> Latents:
        channels = codes.channels
        if channels is not None:  # the average face has none
            channels = channels.clone()
            channels[:, :, :cutoff] *= psi
        w_rgb = None if codes.w_rgb is None else truncate(codes.w_rgb)
        return Latents(truncate(codes.w), origins, codes.generator, w_rgb, channels)

    regions = tuple(Region(truncated(region.codes), region.mask) for region in latents.regions)
    return replace(truncated(latents), regions=regions)
