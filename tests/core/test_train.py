"""The recipe of the demo models runs, stops and goes on; `benchmarks/demo_quality.py` says how good they become."""

import itertools

import pytest
import torch

from stylemix_core.demo import train, truth
from stylemix_core.demo.train import Phase, Round, train_encoder, train_generator
from stylemix_core.training import run


@pytest.fixture(autouse=True)
def little_randomness():
    """Training reseeds torch's global generator; give it back as it was."""
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def interrupted_at(step, out, monkeypatch, rounds):
    """Train until the loss of a step is known, from 1, and stop there; returns the losses."""
    losses = []

    def report(run, loss):
        losses.append(float(loss.detach()))
        if len(losses) == step:
            raise KeyboardInterrupt

    out.mkdir(exist_ok=True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train.Run, "report", report)
        train_generator(out, rounds)
    return losses


@pytest.mark.slow
def test_its_first_steps_are_those_of_the_bundled_generator(tmp_path, monkeypatch):
    """Losses of 64-pixel batches in bfloat16; another processor rounds differently, a little."""
    losses = interrupted_at(5, tmp_path, monkeypatch, train.GENERATOR_ROUNDS)
    assert losses == pytest.approx([2.9755, 2.8311, 2.4682, 2.2706, 2.2203], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("step", [4, 7], ids=["first round", "second round"])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, monkeypatch, step):
    rounds = (
        Round((Phase(8, 2, batch=2), Phase(16, 3, batch=2))),
        Round((Phase(16, 2, batch=2),), rate=1e-3, noise=0.02),
    )
    straight = train_generator(tmp_path / "straight", rounds).state_dict()
    killed = tmp_path / "killed"
    with monkeypatch.context() as patch:
        patch.setattr(run.time, "monotonic", itertools.count(0, 200).__next__)  # a checkpoint each step
        interrupted_at(step, killed, patch, rounds)
    assert torch.load(killed / "generator.pt", weights_only=True)["step"] == step - 1
    finished = train_generator(killed, rounds)
    assert all(torch.equal(value, straight[name]) for name, value in finished.state_dict().items())
    assert not finished.synthesis.b4.conv1.affine.weight[:, ~truth.coordinates_of(0)].any()
    assert (killed / "generator.png").exists()
    strength = straight["synthesis.b256.conv1.noise_strength"]
    assert 0.01 < strength <= 0.02  # held; the average of the weights comes near it


@pytest.mark.slow
def test_the_encoder_trains_with_and_without_the_generator(tmp_path):
    generator = train.new_generator()
    phases = (Phase(128, 1, batch=4), Phase(256, 1, batch=8, through_generator=True))
    encoder = train_encoder(tmp_path, generator, phases)
    assert not encoder.training
    assert torch.isfinite(encoder(torch.zeros(1, 3, 128, 128))).all()
    assert torch.load(tmp_path / "encoder.pt", weights_only=True)["step"] == 2
