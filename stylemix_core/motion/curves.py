"""Curves through keyframes: straight, smooth, and on the sphere of z. Times count in keyframes from 0."""

import torch

from ..errors import StyleMixError

INTERPOLATIONS = ("cubic", "linear", "slerp")
EASINGS = ("none", "in", "out", "in-out")
AT_ONCE = 256
"""Times that are computed together."""


def interpolate(keys: torch.Tensor, times: torch.Tensor, kind: str, loop: bool) -> torch.Tensor:
    """Values of keys `[K, …]` at times `[T]` in 0 … K−1, or 0 … K where a `loop` goes on from the last to the first.

    kind: "linear"; "cubic": the spline through all keys, as NVIDIA's gen_video draws it (SciPy's `CubicSpline` with
        not-a-knot ends, periodic in a loop); "slerp": along great circles, of rows as one vector, with the length
        going evenly from one key's to the next one's (Shoemake 1985).
    Returns float32 `[T, …]`; at whole times the keys, bit for bit. `StyleMixError` on unknown kinds.
    """
    if kind not in INTERPOLATIONS:
        raise StyleMixError(f"the curve {kind!r} is unknown; choose one of: {', '.join(INTERPOLATIONS)}")
    if len(keys) == 1:
        return keys.expand(len(times), *keys.shape[1:]).clone()
    flat = keys.double().flatten(1)
    second = second_derivatives(flat, loop) if kind == "cubic" else flat
    parts = [_between(flat, second, part, kind, loop).float() for part in times.double().split(AT_ONCE)]
    return torch.cat(parts).unflatten(1, keys.shape[1:])


def _between(
    keys: torch.Tensor, second: torch.Tensor, times: torch.Tensor, kind: str, loop: bool
) -> torch.Tensor:
    """`interpolate` of rows `[K, N]`, a few times of it; second: their second derivatives, for "cubic"."""
    count = len(keys)
    span = times.floor().long().clamp(0, count - 1 if loop else count - 2)
    here, there = span % count, (span + 1) % count
    a, b, t = keys[here], keys[there], (times - span)[:, None]
    if kind == "linear":
        values = a + t * (b - a)
    elif kind == "cubic":
        s = 1 - t
        values = s * a + t * b + ((s**3 - s) * second[here] + (t**3 - t) * second[there]) / 6
    else:
        values = slerp(a, b, t)
    return torch.where(t == 0, a, torch.where(t == 1, b, values))


def second_derivatives(keys: torch.Tensor, loop: bool) -> torch.Tensor:
    """Those of the cubic spline through keys `[K, N]` at the keys, which are one apart.

    Inside, m[i−1] + 4m[i] + m[i+1] = 6·(y[i−1] − 2y[i] + y[i+1]) (de Boor 1978, chapter IV).
    """
    count = len(keys)
    if count == 2 and not loop:
        return torch.zeros_like(keys)
    matrix = torch.zeros(count, count, dtype=keys.dtype)
    right = torch.zeros_like(keys)
    for i in range(count) if loop else range(1, count - 1):
        before, after = (i - 1) % count, (i + 1) % count
        matrix[i, before] += 1
        matrix[i, i] += 4
        matrix[i, after] += 1
        right[i] = 6 * (keys[before] - 2 * keys[i] + keys[after])
    if not loop:
        if count == 3:  # not-a-knot: one parabola through all three
            matrix[0, :2], matrix[2, 1:] = torch.tensor([1.0, -1.0]), torch.tensor([1.0, -1.0])
            return torch.linalg.solve(matrix, right)
        matrix[0, :3] = torch.tensor([1.0, -2.0, 1.0])  # the third derivative goes on beyond the second key
        matrix[-1, -3:] = torch.tensor([1.0, -2.0, 1.0])
    return torch.linalg.solve(matrix, right)


def slerp(a: torch.Tensor, b: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """From rows a to rows b `[T, N]` along great circles; t `[T, 1]`."""
    one, other = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    u, v = a / one.clamp_min(1e-12), b / other.clamp_min(1e-12)
    angle = torch.acos((u * v).sum(1, keepdim=True).clamp(-1, 1))
    sine = torch.sin(angle)
    near = sine < 1e-6
    sine = torch.where(near, torch.ones_like(sine), sine)
    way = torch.where(
        near, u + t * (v - u), (torch.sin((1 - t) * angle) * u + torch.sin(t * angle) * v) / sine
    )
    return way * (one + t * (other - one))


def ease(t: torch.Tensor, kind: str) -> torch.Tensor:
    """Times inside a span, 0 … 1, slowed at its start ("in"), its end ("out") or both."""
    if kind == "none":
        return t
    if kind == "in":
        return t * t
    if kind == "out":
        return t * (2 - t)
    if kind == "in-out":
        return t * t * (3 - 2 * t)
    raise StyleMixError(f"easing {kind!r} is unknown; choose one of: {', '.join(EASINGS)}")
