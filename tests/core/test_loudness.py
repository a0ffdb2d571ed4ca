"""Curves from sound."""

import math

import pytest
import torch

import stylemix_core as sm
from stylemix_core.motion.loudness import loudness

RATE = 8000


def tone(frequency: float, seconds: float = 1.0, level: float = 1.0) -> torch.Tensor:
    return level * torch.sin(2 * math.pi * frequency * torch.arange(int(seconds * RATE)) / RATE)


def test_the_curve_follows_loudness_between_low_and_high():
    sound = torch.cat([tone(440, level=0), tone(440, level=0.5), tone(440)])[None]
    curve = loudness(sound, RATE, 10, smooth=0)
    assert len(curve) == 30
    assert curve[3] == pytest.approx(0, abs=1e-6) and curve[15] == pytest.approx(0.5, abs=0.01)
    assert max(curve) == 1 and curve[24] == pytest.approx(1, abs=0.01)
    between = loudness(sound, RATE, 10, smooth=0, low=-1, high=2)
    assert between[3] == pytest.approx(-1) and between[15] == pytest.approx(0.5, abs=0.03)
    assert loudness(sound, RATE, 10, smooth=0, gain=2)[15] == pytest.approx(1, abs=0.02)


def test_bands_hear_their_own_tones():
    sound = torch.stack([torch.cat([tone(100), tone(1000)])] * 2)
    bass, middle, treble = (
        loudness(sound, RATE, 10, smooth=0, band=name) for name in ("bass", "middle", "treble")
    )
    assert bass[5] > 0.95 and bass[15] < 0.01
    assert middle[15] > 0.95 and middle[5] < 0.05
    assert len(treble) == 20


def test_smoothing_widens_a_beat_and_keeps_silence_and_length():
    sound = torch.cat([tone(440, 1, 0), tone(440, 0.1), tone(440, 1, 0)])[None]
    sharp, soft = (loudness(sound, RATE, 20, 60, smooth=sigma) for sigma in (0, 3))
    assert len(sharp) == len(soft) == 60 and sharp[55] == 0
    assert sum(value > 0.1 for value in soft) > sum(value > 0.1 for value in sharp)
    assert loudness(torch.zeros(1, RATE), RATE, 10) == (0.0,) * 10


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"band": "voice"}, "choose one of: all, bass"),
        ({"fps": 0}, "fps is 0"),
        ({"waveform": torch.zeros(1, 0)}, "expected \\[channels, samples\\]"),
        ({"waveform": torch.zeros(5)}, "expected \\[channels, samples\\]"),
    ],
)
def test_what_is_no_sound_is_refused(given, message):
    with pytest.raises(sm.StyleMixError, match=message):
        loudness(**{"waveform": torch.zeros(1, 100), "sample_rate": RATE, "fps": 10, **given})
