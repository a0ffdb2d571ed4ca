"""Encoders trained on a generator's own pictures; `benchmarks/encoder_maker.py` says how good they become."""

import itertools

import pytest
import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.checkpoints import native
from stylemix_core.codes.certainty import told, told_of_all
from stylemix_core.encoder import SURE
from stylemix_core.generator import StyleGAN2
from stylemix_core.generator.spread import Spread
from stylemix_core.training import encoder_maker, run
from stylemix_core.training.samples import Samples
from tests import builders, builders_stylegan3


def new_generator(**changes) -> StyleGAN2:
    """A 32 px generator before training, whose pictures differ."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = StyleGAN2(builders.tiny_generator_config(**changes))
    return generator.eval()


@pytest.fixture(scope="module")
def generator():
    return new_generator()


@pytest.fixture(autouse=True)
def few_held_out_samples(monkeypatch):
    """`made` has as many as users' encoders."""
    monkeypatch.setattr(encoder_maker, "CALIBRATED", 64)
    monkeypatch.setattr(encoder_maker, "JUDGED", 32)


@pytest.fixture(scope="module")
def made(generator, tmp_path_factory):
    """An encoder after some steps, and what was told of them."""
    told = []
    path = sm.train_encoder(
        generator, tmp_path_factory.mktemp("made"), steps=100, on_step=lambda *step: told.append(step)
    )
    return path, told


def held_out(generator, count=512):
    samples = Samples(generator)
    codes = samples.codes(5 * 10**7, count)
    with torch.no_grad():
        return Spread(generator, codes), codes, samples.pictures(codes, 0)


def test_it_learns_what_was_not_known(generator, made):
    spread, codes, pictures = held_out(generator)
    encoder = sm.load_encoder(made[0], "cpu")
    with torch.no_grad():
        wrong = spread.errors(encoder(pictures), codes).mean()
        average = spread.errors(generator.w_avg.expand_as(codes), codes).mean()
    assert average > 0.9
    assert wrong < 0.9 * average
    assert encoder.generator == generator.fingerprint()


def test_as_many_errors_lie_below_the_bars_as_they_say(generator, made):
    spread, codes, pictures = held_out(generator)
    with torch.no_grad():
        found, bars = sm.load_encoder(made[0], "cpu").with_error_bars(pictures)
    below = spread.errors(found, codes).sqrt()[..., None] <= bars
    assert bars.shape == (512, generator.num_ws, len(SURE))
    assert below.float().mean((0, 1)).tolist() == pytest.approx(SURE, abs=0.03)
    assert (bars.diff(dim=2) > 0).all()


def test_the_file_says_how_it_was_made(made):
    info = sm.inspect_checkpoint(made[0])
    assert "100 steps" in info.made and "round trip" in info.made and info.made in info.summary()
    assert info.encoder == "GradualStyleEncoder"


def test_it_tells_how_far_it_is_and_shows_pictures(made):
    told = made[1]
    assert [step[:2] for step in told[:3]] == [(1, 100), (10, 100), (20, 100)]
    assert told[0][2].shape == (1, 3, 64, 8 * 32)
    (first, *_) = torch.load(made[0].parent / "encoder.checkpoint", weights_only=True)["curve"]["found"]
    assert told[0][3].endswith(f"round trip {first:.3f}")
    with Image.open(made[0].parent / "curve.png") as drawn:
        assert drawn.size == (640, 360)


def test_an_automatic_size_is_that_of_the_training_to_go_on_with(generator):
    begun = repr(encoder_maker._config(generator, "medium", 60, None, False, None))
    assert repr(encoder_maker._config(generator, "auto", 0, None, False, begun)) == begun
    small = repr(encoder_maker._config(generator, "small", 60, None, False, None))
    assert repr(encoder_maker._config(generator, "auto", 60, None, False, None)) == small


def test_without_a_training_and_a_start_there_is_nothing_to_make(generator, tmp_path):
    with pytest.raises(sm.StyleMixError, match="there is no training in"):
        sm.train_encoder(generator, tmp_path, minutes=0)
    assert not any(tmp_path.iterdir())  # of which a later training would go on


def test_time_asleep_is_no_training(tmp_path, monkeypatch):
    now = iter([0, 1, 2, 3, 4, 4000, 4001])
    monkeypatch.setattr(run.time, "monotonic", now.__next__)
    training = run.Run(tmp_path / "checkpoint", {})
    assert len([*training.steps(lambda: training.step == 6)]) == 6
    assert training.seconds == 5 + 70  # ten usual steps and a minute, of more than an hour


def test_killed_it_goes_on_to_the_same_encoder(generator, tmp_path, monkeypatch):
    whole = sm.train_encoder(generator, tmp_path / "whole", steps=6)

    def stop(done, *_):
        if done == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run.time, "monotonic", itertools.count(0, 100).__next__)  # a checkpoint each step
        patch.setattr(encoder_maker, "TELL", 4)
        sm.train_encoder(generator, tmp_path / "killed", steps=6, on_step=stop)
    assert torch.load(tmp_path / "killed" / "encoder.checkpoint", weights_only=True)["step"] == 4
    resumed = sm.train_encoder(generator, tmp_path / "killed", steps=6)
    one, other = (sm.load_encoder(path, "cpu").state_dict() for path in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_of_another_generator_is_left_alone(generator, tmp_path):
    sm.train_encoder(generator, tmp_path, steps=1)
    with pytest.raises(sm.StyleMixError, match="is of a training with generator .*another folder"):
        sm.train_encoder(new_generator(channels=(16, 12, 8, 4)), tmp_path, steps=1)


@pytest.mark.parametrize(
    "changes", [{"img_channels": 1}, {"img_channels": 4}, {"c_dim": 3}, {"start": (2, 4)}], ids=str
)
def test_every_kind_of_generator_is_learnt(changes, tmp_path):
    generator = new_generator(**changes)
    encoder = sm.load_encoder(sm.train_encoder(generator, tmp_path, steps=2), "cpu")
    pictures = Samples(generator).pictures(Samples(generator).codes(0, 2), 0).detach()
    assert encoder(pictures[:, :3].expand(-1, 3, -1, -1)).shape == (2, generator.num_ws, generator.w_dim)


def test_so_is_stylegan3(tmp_path):
    original = builders_stylegan3.Original(num_layers=4, channel_max=4)
    generator = sm.load_generator(builders_stylegan3.write(tmp_path / "network.pkl", original), "cpu")
    encoder = sm.load_encoder(sm.train_encoder(generator, tmp_path, steps=2), "cpu")
    assert encoder.num_ws == generator.num_ws
    assert encoder.generator == generator.fingerprint()


def test_nothing_can_be_learnt_of_broken_pictures(tmp_path):
    generator = new_generator()
    generator.synthesis.b32.torgb.bias.data[0] = float("nan")
    with pytest.raises(sm.StyleMixError, match="NaN or infinite"):
        sm.train_encoder(generator, tmp_path, steps=1)
    generator = new_generator()
    for _, module in generator.synthesis.styled():
        module.affine.weight.data.zero_()
    with pytest.raises(sm.StyleMixError, match="hardly differ"):
        sm.train_encoder(generator, tmp_path, steps=1)
    assert not [*tmp_path.iterdir()]


def test_it_begins_with_another_encoder(generator, made, tmp_path):
    start = sm.load_encoder(made[0], "cpu")
    again = sm.load_encoder(sm.train_encoder(generator, tmp_path, steps=0, start=start), "cpu")
    body = {
        name: value for name, value in start.state_dict().items() if name.startswith(("body.", "styles."))
    }
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in body.items())


def test_an_editable_one_is_e4es(generator, tmp_path):
    encoder = sm.load_encoder(sm.train_encoder(generator, tmp_path, steps=2, editable=True), "cpu")
    assert encoder.config.kind == "Encoder4Editing"


def test_good_enough_is_enough(generator, tmp_path):
    sm.train_encoder(generator, tmp_path, steps=50, good_enough=2.0)
    assert torch.load(tmp_path / "encoder.checkpoint", weights_only=True)["step"] == 1


@pytest.mark.parametrize("masked", [False, True])
def test_own_pictures_count_where_the_mask_says(masked, generator, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder_maker, "PICTURES_FROM", 0.0)
    own = torch.zeros(3, 3, 20, 20)
    seen = []
    monkeypatch.setattr(
        encoder_maker.Maker,
        "seen",
        lambda maker, codes, wanted, weights=None: (seen.append((wanted, weights)), codes.sum() * 0)[1],
    )
    masks = torch.zeros(1, 8, 8) if masked else None
    sm.train_encoder(generator, tmp_path, steps=1, pictures=own, masks=masks)
    (_, without), (wanted, weights) = seen
    assert without is None and wanted.shape == (encoder_maker.SEEN, 3, 32, 32) and not wanted.any()
    assert weights is None if not masked else not weights.any()


def test_an_unknown_size_is_refused(generator, tmp_path):
    with pytest.raises(sm.StyleMixError, match="size is 'huge'; choose auto, small, medium, large"):
        sm.train_encoder(generator, tmp_path, size="huge")


def test_encoders_without_bars_say_so():
    encoder = builders.tiny_encoder()
    with pytest.raises(sm.StyleMixError, match="does not tell how wrong its codes may be"):
        encoder.with_error_bars(torch.zeros(1, 3, 64, 64))


def test_the_command_trains_and_goes_on(generator, tmp_path, capsys):
    native.write(tmp_path / "mine.safetensors", generator=generator)
    command = [
        "train-encoder",
        str(tmp_path / "mine.safetensors"),
        "--out",
        str(tmp_path / "out"),
        "--device",
        "cpu",
    ]
    assert cli.main([*command, "--minutes", "0.01"]) == 0
    assert f"{tmp_path / 'out' / 'encoder.safetensors'}: Trained for 0.0" in capsys.readouterr().out
    assert (tmp_path / "out" / "progress.png").exists()
    before = torch.load(tmp_path / "out" / "encoder.checkpoint", weights_only=True)["step"]
    assert cli.main([*command, "--minutes", "0"]) == 0
    assert torch.load(tmp_path / "out" / "encoder.checkpoint", weights_only=True)["step"] == before
    encode = [
        "encode",
        tmp_path / "out" / "progress.png",
        "--encoder",
        tmp_path / "out" / "encoder.safetensors",
    ]
    draw = ["--generator", tmp_path / "mine.safetensors", "--align", "never", "--out", tmp_path / "codes"]
    assert cli.main([str(word) for word in [*encode, *draw]]) == 0
    assert "% wrong" in capsys.readouterr().out
    (codes,) = (tmp_path / "codes").glob("*.safetensors")
    assert "progress.png (usually " in sm.load_latents(codes).origins[0]


def test_error_bars_in_words():
    bars = torch.tensor([[0.3, 0.6, 0.9], [0.3, 0.5, 0.9], [0.4, 0.7, 0.9]])
    assert told(bars) == "usually 34 % wrong, unsure of layers 0, 2"
    assert told(bars / 10) == "usually 3 % wrong"
    assert told_of_all(torch.stack([bars, bars / 10])) == (
        "picture 1: usually 34 % wrong, unsure of layers 0, 2\npicture 2: usually 3 % wrong"
    )
    assert told_of_all(torch.stack([bars / 10, bars / 10, bars, bars / 5])) == (
        "4 pictures: usually 3 % wrong; the worst, picture 3: usually 34 % wrong, unsure of layers 0, 2"
    )
