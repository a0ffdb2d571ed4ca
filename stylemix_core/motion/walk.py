"""Walks through faces: one code per frame."""

from collections.abc import Callable, Sequence

import torch

from ..codes.latents import Latents, check_generator, short_origin
from ..codes.seeds import class_labels, describe, sample_z, seed_of
from ..errors import StyleMixError
from ..generator import Generator
from ..generator.batches import Runner, in_chunks
from ..generator.engine.parts import CHUNK
from ..progress import OnStep
from .curves import EASINGS, INTERPOLATIONS, ease, interpolate
from .speed import even_out

CURVES = (*INTERPOLATIONS, "circle")
SPEEDS = ("visible", "even")
MOST_FRAMES = 1_000_000
CLOSE = 1e-3
"""How near a seed's own code a code is, in any of its numbers."""

Way = Callable[[torch.Tensor], Latents]
"""The codes of a walk at times `[T]`, which count in keyframes from 0."""


def latent_walk(
    keys: Latents,
    frames: int | Sequence[int] = 48,
    curve: str = "cubic",
    loop: bool = True,
    speed: str = "even",
    G: Generator | None = None,
    *,
    holds: int | Sequence[int] = 0,
    easing: str = "none",
    on_step: OnStep | None = None,
    chunk: int = CHUNK,
) -> Latents:
    """One code per frame, from face to face.

    keys: codes of one generator, at least two: W+ alone, without regions and style channels.
    frames: from each key to the next, for all or one each.
    curve: "cubic": smooth, through every key, as NVIDIA's gen_video; "linear"; "slerp": along great circles in z, which
        is known of the codes of seeds; "circle": around the first key, through points halfway to the second, away from
        it, and the same with the third; `frames` is once around.
    loop: the last frame leads into the first; else the last frame is the last key. A circle is always one.
    speed: "even": as many frames from key to key; "visible": the picture changes by the same amount from each frame to
        the next, which `G` measures; a key then lies between two frames, unless the walk holds there.
    G: the generator, for "slerp" and "visible".
    holds: frames that stay at each key, for all or one each.
    easing: "in" starts slowly at each key, "out" arrives slowly, "in-out" does both; for even speed.
    chunk: pictures that are measured together.
    Returns codes on the CPU whose origins tell where on the way they are. `StyleMixError` and `LatentMismatchError` on
    what does not fit.

    >>> walk = sm.latent_walk(sm.Latents.of(faces), frames=4, loop=False)
    >>> len(walk), torch.equal(walk.w[0], faces[0]), torch.equal(walk.w[-1], faces[1])
    (5, True, True)
    """
    if curve not in CURVES:
        raise StyleMixError(f"the curve {curve!r} is unknown; choose one of: {', '.join(CURVES)}")
    if speed not in SPEEDS:
        raise StyleMixError(f"the speed {speed!r} is unknown; choose one of: {', '.join(SPEEDS)}")
    if G is None and (curve == "slerp" or speed == "visible"):
        raise StyleMixError(f"{'slerp' if curve == 'slerp' else 'visible speed'} needs the generator; give G")
    if len(keys) < 2:
        raise StyleMixError(f"a walk leads from face to face; found {len(keys)}, give two or more")
    if keys.regions or keys.channels is not None:
        raise StyleMixError(
            "codes with regions or style channels cannot be walked between; inject without them, or decode the pictures"
        )
    if G is not None:
        check_generator(keys, G)
    if curve == "circle":
        if len(keys) != 3:
            raise StyleMixError(f"a circle is around one face towards two others; found {len(keys)} codes")
        way, stations, loop = circle(keys), 1, True
    elif curve == "slerp":
        assert G is not None
        way, stations = through_z(keys, G, loop), len(keys)
    else:
        way, stations = through_codes(keys, curve, loop), len(keys)
    times = plan_times(stations, frames, loop, holds, easing)
    if speed == "visible":
        assert G is not None
        if easing != "none":
            raise StyleMixError("easing changes the speed, and visible speed is constant; choose one of both")
        staying = times[1:][times.diff() == 0]
        last = float(stations if loop else stations - 1)
        even = even_out(G, way, last, len(times) - len(staying), loop, on_step, chunk)
        times = torch.cat([even, staying]).sort().values
    return way(times)


def plan_times(
    keys: int, frames: int | Sequence[int], loop: bool, holds: int | Sequence[int] = 0, easing: str = "none"
) -> torch.Tensor:
    """The times of a walk's frames, float64 `[T]`, in keyframes from 0; arguments as for `latent_walk`."""
    if easing not in EASINGS:
        raise StyleMixError(f"easing {easing!r} is unknown; choose one of: {', '.join(EASINGS)}")
    each = _one_each(frames, keys if loop else keys - 1, "frames", 1)
    stays = _one_each(holds, keys, "holds", 0)
    total = sum(each) + sum(stays) + (not loop)
    if total > MOST_FRAMES:
        raise StyleMixError(f"the walk has {total} frames; {MOST_FRAMES} at most are planned")
    times = []
    for key, stay in enumerate(stays):
        times.append(torch.full([stay], key, dtype=torch.float64))
        if key < len(each):
            times.append(key + ease(torch.arange(each[key], dtype=torch.float64) / each[key], easing))
        else:
            times.append(torch.tensor([key], dtype=torch.float64))
    return torch.cat(times)


def _one_each(value: int | Sequence[int], count: int, name: str, least: int) -> list[int]:
    values = [value] * count if isinstance(value, int) else [*value]
    if len(values) != count:
        raise StyleMixError(f"found {len(values)} {name}; give one for all, or {count}")
    wrong = [one for one in values if one < least]
    if wrong:
        raise StyleMixError(f"{name} is {wrong[0]}; give {least} or more")
    return values


def through_codes(keys: Latents, curve: str, loop: bool) -> Way:
    """From code to code in W+."""
    names = [short_origin(keys, place) for place in range(len(keys))]
    w, w_rgb = keys.w.cpu(), None if keys.w_rgb is None else keys.w_rgb.cpu()

    def way(times: torch.Tensor) -> Latents:
        return Latents(
            interpolate(w, times, curve, loop),
            told(names, times),
            keys.generator,
            None if w_rgb is None else interpolate(w_rgb, times, curve, loop),
        )

    return way


def through_z(keys: Latents, generator: Generator, loop: bool, runner: Runner | None = None) -> Way:
    """From seed to seed along great circles in z: between them every frame is as likely a face as any.

    `StyleMixError` where the codes are not those of their seeds, or differ in truncation or class.
    """
    run = in_chunks(generator) if runner is None else runner
    seeds = [seed_of(origin) for origin in keys.origins]
    for origin, found in zip(keys.origins, seeds):
        if found is None:
            raise StyleMixError(
                f"slerp goes through z, which is known of seeds; {origin!r} is none. Choose another curve, or seeds"
            )
    known = [found for found in seeds if found is not None]
    if len({found[1:] for found in known}) > 1:
        raise StyleMixError("the seeds differ in truncation or class; sample all of them alike")
    _, psi, cutoff, label = known[0]
    z = sample_z([found[0] for found in known], generator.z_dim)
    names = [short_origin(keys, place) for place in range(len(keys))]

    def w_of(z: torch.Tensor) -> torch.Tensor:
        def forward(generator: Generator, items: slice) -> torch.Tensor:
            part = z[items]
            w: torch.Tensor = generator.mapping(
                part, class_labels(label, generator.c_dim, len(part)), psi, cutoff
            )
            return w

        return run(len(z), forward).cpu()

    with torch.inference_mode():
        if not torch.allclose(w_of(z), keys.w.cpu(), rtol=0, atol=CLOSE):
            raise StyleMixError(
                "slerp goes through z, and these codes are no longer those of their seeds, or of another generator; "
                "choose another curve"
            )

    def way(times: torch.Tensor) -> Latents:
        with torch.inference_mode():
            w = w_of(interpolate(z, times, "slerp", loop))
        return Latents(w, told(names, times), generator.fingerprint())

    return way


def circle(keys: Latents) -> Way:
    """Around the first of three, halfway to the others; once around is from 0 to 1."""
    w, w_rgb = keys.w.cpu(), None if keys.w_rgb is None else keys.w_rgb.cpu()
    name = short_origin(keys, 0)

    def around(w: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        angles = (2 * torch.pi * times).float()[:, None, None]
        return w[0] + 0.5 * (torch.cos(angles) * (w[1] - w[0]) + torch.sin(angles) * (w[2] - w[0]))

    def way(times: torch.Tensor) -> Latents:
        return Latents(
            around(w, times),
            tuple(f"around {name}, {360 * time:.0f}°" for time in times.tolist()),
            keys.generator,
            None if w_rgb is None else around(w_rgb, times),
        )

    return way


def told(names: Sequence[str], times: torch.Tensor) -> tuple[str, ...]:
    """Where on its way each frame is: "seed 1 → seed 2, 25%"."""

    def one(time: float) -> str:
        span, share = int(time), time - int(time)
        if not share:
            return names[span % len(names)]
        return f"{names[span % len(names)]} → {names[(span + 1) % len(names)]}, {share:.0%}"

    return tuple(one(time) for time in times.tolist())


def random_walk(
    generator: Generator,
    frames: int,
    seed: int = 0,
    smooth: float = 24.0,
    psi: float = 0.7,
    cutoff: int | None = None,
    label: int | None = None,
    loop: bool = True,
    runner: Runner | None = None,
) -> Latents:
    """`frames` codes of a smooth random way through z: noise, averaged over time by a Gaussian of σ `smooth` frames.

    In a loop the noise goes round. The same seed gives the same walk. psi, cutoff and label as for `Generator.mapping`
    and `class_labels`. `StyleMixError` on numbers out of range.
    """
    if not 2 <= frames <= MOST_FRAMES:
        raise StyleMixError(f"frames is {frames}; give 2 to {MOST_FRAMES}")
    if not 0 < smooth <= MOST_FRAMES:
        raise StyleMixError(
            f"smooth is {smooth}; give the frames over which the walk is averaged, such as 24"
        )
    z = smooth_noise(frames, generator.z_dim, seed, smooth, loop)
    c = class_labels(label, generator.c_dim, frames)

    def forward(generator: Generator, items: slice) -> torch.Tensor:
        w: torch.Tensor = generator.mapping(z[items], None if c is None else c[items], psi, cutoff)
        return w

    with torch.inference_mode():
        w = (in_chunks(generator) if runner is None else runner)(frames, forward).cpu()
    names = tuple(f"{describe(seed, psi, cutoff, label)}, random walk, frame {i}" for i in range(frames))
    return Latents(w, names, generator.fingerprint())


def smooth_noise(count: int, size: int, seed: int, smooth: float, loop: bool) -> torch.Tensor:
    """Rows of normal noise that pass smoothly into each other, float32 `[count, size]`, each of length √size."""
    noise = torch.randn(
        count, size, generator=torch.Generator().manual_seed(seed % 2**63), dtype=torch.float64
    )
    padded = noise if loop else torch.cat([noise, torch.zeros_like(noise)])
    frequencies = torch.fft.rfftfreq(len(padded), dtype=torch.float64)
    kernel = torch.exp(-2 * (torch.pi * smooth * frequencies) ** 2)
    z = torch.fft.irfft(torch.fft.rfft(padded, dim=0) * kernel[:, None], n=len(padded), dim=0)[:count]
    return (z / z.square().mean(1, keepdim=True).sqrt()).float()
