"""Walks through faces: one code per frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..codes.combine import join_latents
from ..codes.latents import Latents, short_origin
from ..codes.seeds import describe, sample_z
from ..errors import StyleMixError
from ..generator import Generator
from .curves import EASINGS, INTERPOLATIONS, ease, interpolate

MOST_FRAMES = 1_000_000


@dataclass(frozen=True)
class Timing:
    """When which keyframe is reached."""

    times: torch.Tensor
    """float64 `[T]`, in keyframes from 0; what lies between two is between them."""
    loop: bool


def plan_times(
    keys: int, frames: int | Sequence[int], loop: bool, holds: int | Sequence[int] = 0, easing: str = "none"
) -> Timing:
    """The times of a walk's frames.

    frames: from each key to the next, for all spans or one each; a walk that is no loop ends with the last key itself.
    holds: how many more frames stay at each key.
    """
    if easing not in EASINGS:
        raise StyleMixError(f"easing {easing!r} is unknown; choose one of: {', '.join(EASINGS)}")
    spans = keys if loop else keys - 1
    each = _one_each(frames, spans, "frames", 1)
    stays = _one_each(holds, keys, "holds", 0)
    total = sum(each) + sum(stays) + (not loop)
    if total > MOST_FRAMES:
        raise StyleMixError(f"the walk has {total} frames; {MOST_FRAMES} at most are planned")
    times = []
    for key in range(keys):
        times.append(torch.full([stays[key]], key, dtype=torch.float64))
        if key < spans:
            times.append(key + ease(torch.arange(each[key], dtype=torch.float64) / each[key], easing))
        else:
            times.append(torch.tensor([key], dtype=torch.float64))
    return Timing(torch.cat(times), loop)


def _one_each(value: int | Sequence[int], count: int, name: str, least: int) -> list[int]:
    values = [value] * count if isinstance(value, int) else [*value]
    if len(values) != count:
        raise StyleMixError(
            f"there are {len(values)} {name} for {count} of the walk; give one for all, or one each"
        )
    wrong = [one for one in values if one < least]
    if wrong:
        raise StyleMixError(f"{name} is {wrong[0]}; give {least} or more")
    return values


def latent_walk(
    keys: Latents,
    frames: int | Sequence[int] = 24,
    interpolation: str = "cubic",
    *,
    loop: bool = False,
    holds: int | Sequence[int] = 0,
    easing: str = "none",
) -> Latents:
    """One code per frame, from key to key.

    keys: codes of one generator, at least two: W+ alone, without regions and style channels.
    frames: from each key to the next, for all or one each. In a loop the last frame leads exactly into the first.
    interpolation: "cubic" (smooth, through every key) or "linear".
    holds: frames that stay at each key. easing: "in" starts slowly at each key, "out" ends slowly, "in-out" does both.
    Returns codes whose origins tell where on the way they are. `StyleMixError` and `LatentMismatchError` on what does
    not fit.

    >>> walk = sm.latent_walk(sm.Latents.of(faces), frames=4)
    >>> len(walk), torch.equal(walk.w[0], faces[0]), torch.equal(walk.w[-1], faces[1])
    (5, True, True)
    """
    if len(keys) < 2:
        raise StyleMixError(f"a walk needs two faces to walk between; found {len(keys)}")
    if keys.regions or keys.channels is not None:
        raise StyleMixError(
            "codes with regions or style channels cannot be walked between; give plain W+ codes"
        )
    if interpolation not in ("linear", "cubic"):
        raise StyleMixError(f"interpolation {interpolation!r} is unknown for codes; choose linear or cubic")
    timing = plan_times(len(keys), frames, loop, holds, easing)
    return at_times(keys, timing.times, interpolation, loop)


def at_times(keys: Latents, times: torch.Tensor, interpolation: str, loop: bool) -> Latents:
    """The codes of a walk at times `[T]` in keyframes."""
    names = [short_origin(keys, place) for place in range(len(keys))]
    return Latents(
        interpolate(keys.w, times, interpolation, loop),
        tuple(_told(names, time) for time in times.tolist()),
        keys.generator,
        None if keys.w_rgb is None else interpolate(keys.w_rgb, times, interpolation, loop),
    )


def _told(names: Sequence[str], time: float) -> str:
    span, share = int(time), time - int(time)
    if not share:
        return names[span % len(names)]
    return f"{names[span % len(names)]} → {names[(span + 1) % len(names)]}, {share:.0%}"


def seed_walk(
    generator: Generator,
    seeds: Sequence[int],
    timing: Timing,
    interpolation: str = "slerp",
    psi: float = 0.7,
    cutoff: int | None = None,
) -> Latents:
    """A walk in z, along great circles where it is "slerp": between seeds every frame is as likely a face as any."""
    if interpolation not in INTERPOLATIONS:
        raise StyleMixError(
            f"interpolation {interpolation!r} is unknown; choose one of: {', '.join(INTERPOLATIONS)}"
        )
    z = interpolate(sample_z(seeds, generator.z_dim), timing.times, interpolation, timing.loop)
    with torch.inference_mode():
        w = torch.cat([generator.mapping(part, None, psi, cutoff) for part in z.split(256)]).cpu()
    names = [describe(seed, psi, cutoff) for seed in seeds]
    return Latents(w, tuple(_told(names, time) for time in timing.times.tolist()), generator.fingerprint())


def random_walk(
    generator: Generator, count: int, seed: int = 0, smooth: float = 48.0, psi: float = 0.7, loop: bool = True
) -> Latents:
    """`count` codes of a smooth random way through z: noise, averaged over about `smooth` frames by a Gaussian.

    In a loop the noise goes round. The same seed gives the same walk.
    """
    if count < 2:
        raise StyleMixError(f"a walk has two frames or more; found {count}")
    noise = torch.randn(
        count, generator.z_dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    padded = noise if loop else torch.cat([noise, noise.new_zeros(noise.shape)])
    frequencies = torch.fft.rfftfreq(len(padded), dtype=torch.float64)
    kernel = torch.exp(-2 * (torch.pi * smooth * frequencies) ** 2)
    z = torch.fft.irfft(torch.fft.rfft(padded, dim=0) * kernel[:, None], n=len(padded), dim=0)[:count]
    z = z / z.square().mean(1, keepdim=True).sqrt()
    with torch.inference_mode():
        w = torch.cat([generator.mapping(part.float(), None, psi) for part in z.split(256)]).cpu()
    return Latents(w, tuple(f"random walk {seed}, frame {i}" for i in range(count)), generator.fingerprint())


def circle(around: Latents, toward: Latents, count: int, radius: float = 0.5) -> Latents:
    """`count` codes on a circle around a face, through two ways off it: towards each of two others."""
    if len(around) != 1 or len(toward) != 2:
        raise StyleMixError(
            f"a circle is around one face, towards two; found {len(around)} and {len(toward)}"
        )
    join_latents([around, toward])  # refuses other shapes
    angles = torch.arange(count, dtype=torch.float32) * (2 * torch.pi / count)
    one, other = toward.w[0] - around.w[0], toward.w[1] - around.w[0]
    ways = torch.cos(angles)[:, None, None] * one + torch.sin(angles)[:, None, None] * other
    name = short_origin(around, 0)
    return replace(
        around,
        w=around.w + radius * ways,
        origins=tuple(f"around {name}, {360 * i / count:.0f}°" for i in range(count)),
        w_rgb=None,
    )
