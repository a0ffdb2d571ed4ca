"""Curves from sound: how loud it is at each frame of a film."""

import math

import torch

from ..errors import StyleMixError

BANDS = {
    "all": (0.0, math.inf),
    "bass": (0.0, 250.0),
    "middle": (250.0, 4000.0),
    "treble": (4000.0, math.inf),
}
"""Parts of the sound by their frequencies in hertz."""
WINDOW = 4096
"""Samples around a frame, at most; at least those up to the next frame are looked at."""
AT_ONCE = 256
"""Frames that are computed together."""


def loudness(
    waveform: torch.Tensor,
    sample_rate: int,
    fps: float,
    frames: int | None = None,
    band: str = "all",
    smooth: float = 2.0,
    gain: float = 1.0,
    low: float = 0.0,
    high: float = 1.0,
) -> tuple[float, ...]:
    """One number per frame, between `low` where it is silent and `high` where it is loudest.

    waveform: `[channels, samples]`; channels are averaged.
    frames: how many; None for as many as the sound lasts. Beyond its end it is silent.
    band: of `BANDS`. smooth: σ of a Gaussian over frames. gain: above 1, quieter parts reach `high`, too.
    The root of the mean power of the band in a Hann window around each frame, of the greatest one.
    `StyleMixError` on what is no sound, and on numbers out of range.
    """
    if band not in BANDS:
        raise StyleMixError(f"band {band!r} is unknown; choose one of: {', '.join(BANDS)}")
    if waveform.ndim != 2 or not waveform.shape[1] or sample_rate < 1:
        raise StyleMixError(
            f"the sound has the shape {list(waveform.shape)} at {sample_rate} Hz; expected [channels, samples]"
        )
    if not 0.01 <= fps <= 1000:
        raise StyleMixError(f"fps is {fps:g}; give 0.01 to 1000 frames a second")
    sound = waveform.double().mean(0)
    count = math.ceil(len(sound) / sample_rate * fps) if frames is None else frames
    levels = _smoothed(_levels(sound, sample_rate, fps, count, BANDS[band]), smooth)
    levels = (gain * levels / levels.max().clamp_min(1e-12)).clamp(0, 1)
    return tuple((low + (high - low) * levels).tolist())


def _levels(
    sound: torch.Tensor, rate: int, fps: float, count: int, band: tuple[float, float]
) -> torch.Tensor:
    """The root of the band's mean power around each frame, float64 `[count]`."""
    size = max(min(WINDOW, len(sound)), math.ceil(rate / fps), 16)
    starts = (torch.arange(count, dtype=torch.float64) * rate / fps).round().long()
    padded = torch.nn.functional.pad(sound, (size // 2, size + max(int(starts[-1]) - len(sound), 0)))
    window = torch.hann_window(size, dtype=torch.float64)
    frequencies = torch.fft.rfftfreq(size, 1 / rate, dtype=torch.float64)
    inside = (frequencies >= band[0]) & (frequencies < band[1])
    parts = []
    for some in starts.split(AT_ONCE):
        pieces = padded[some[:, None] + torch.arange(size)] * window
        power = torch.fft.rfft(pieces).abs().square()[:, inside]
        parts.append(power.sum(1).sqrt())
    return torch.cat(parts)


def _smoothed(levels: torch.Tensor, sigma: float) -> torch.Tensor:
    """Averaged by a Gaussian of σ frames; beyond the ends the first and last go on."""
    if sigma <= 0:
        return levels
    reach = math.ceil(4 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=levels.dtype) / sigma) ** 2)
    extended = torch.cat([levels[:1].expand(reach), levels, levels[-1:].expand(reach)])
    return torch.nn.functional.conv1d(extended[None, None], (kernel / kernel.sum())[None, None])[0, 0]
