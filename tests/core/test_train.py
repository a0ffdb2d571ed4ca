"""The recipe of the demo models runs, stops and goes on; `benchmarks/demo_quality.py` says how good they become."""

import pytest
import torch

from stylemix_core.demo import train, truth
from stylemix_core.demo.train import Phase, train_encoder, train_generator


@pytest.fixture(autouse=True)
def little_randomness():
    """Training reseeds torch's global generator; give it back as it was."""
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.mark.slow
def test_a_stopped_training_goes_on_where_it_was(tmp_path):
    short = (Phase(8, 2, batch=2), Phase(16, 1, batch=2))
    whole = (Phase(8, 2, batch=2), Phase(16, 3, batch=2))
    train_generator(tmp_path, short)
    stopped = torch.load(tmp_path / "generator.pt", weights_only=True)
    finished = train_generator(tmp_path, whole)
    saved = torch.load(tmp_path / "generator.pt", weights_only=True)
    assert (stopped["step"], saved["step"]) == (3, 5)
    assert (tmp_path / "generator.png").exists()
    moved = saved["generator"]["synthesis.b4.const"] - stopped["generator"]["synthesis.b4.const"]
    assert 0 < moved.abs().max() < 0.1  # a few steps from where it stopped, not a new start
    unread = ~truth.coordinates_of(0)
    assert not finished.synthesis.b4.conv1.affine.weight[:, unread].any()


@pytest.mark.slow
def test_the_encoder_trains_with_and_without_the_generator(tmp_path):
    generator = train.new_generator()
    phases = (Phase(256, 1, batch=4), Phase(256, 1, batch=8, through_generator=True))
    encoder = train_encoder(tmp_path, generator, phases)
    assert not encoder.training
    assert torch.isfinite(encoder(torch.zeros(1, 3, 128, 128))).all()
    assert torch.load(tmp_path / "encoder.pt", weights_only=True)["step"] == 2
