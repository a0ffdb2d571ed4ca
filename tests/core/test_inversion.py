"""Finding codes: methods, inputs, and what callers count on."""

import pytest
import torch

import stylemix_core as sm
from stylemix_core.encoder import Encoder
from stylemix_core.generator.spread import Spread
from stylemix_core.inversion import QUALITIES, descent
from stylemix_core.inversion.descent import schedule
from stylemix_core.inversion.optimize import noise_correlation, off_w

from .. import builders


@pytest.fixture(scope="module")
def pictures(generator):
    """Two pictures that the generator can draw, and their codes."""
    w = generator.mapping(sm.sample_z([3, 4], generator.z_dim))
    return generator.synthesis(w)


def invert(generator, images, *arguments, **options):
    options = {"learning_rate": 0.1, "perceptual": "gradients", **options}
    return sm.invert(generator, images, *arguments, **options)


def test_optimize_comes_near_a_picture_that_the_generator_can_draw(generator, encoder, pictures):
    result = invert(generator, pictures, encoder, steps=30)
    assert result.losses.shape == (30, 2)
    assert all(after < before / 3 for before, after in zip(result.start_l2, result.l2))
    squared = (result.images - pictures.clamp(-1, 1)).square().mean([1, 2, 3])
    assert torch.allclose(torch.tensor(result.l2), squared)
    assert result.w.shape == (2, 8, 16) and result.w.dtype == torch.float32
    assert result.steps == 30 and result.seconds > 0


def test_the_results_generator_draws_its_pictures(generator, encoder, pictures):
    for method in ("encode", "optimize", "tune"):
        result = invert(generator, pictures, encoder, method, 4)
        assert torch.allclose(result.generator.synthesis(result.w), result.images, atol=1e-5)


def test_encode_is_the_encoders_code(generator, encoder, pictures):
    result = invert(generator, pictures.clamp(-1, 1), encoder, "encode")
    assert torch.allclose(result.w, encoder(pictures.clamp(-1, 1)), atol=1e-5)
    assert result.steps == 0 and result.generator is generator and result.delta is None
    assert result.l2 == result.start_l2


class Refining(torch.nn.Module):
    """Stands for a ReStyle encoder: its code says how often it was asked to refine."""

    num_ws, w_dim, input_size, iterative, info, generator = 8, 16, 64, True, None, None
    config = builders.tiny_encoder_config()

    def forward(self, images, iterations=1):
        return torch.full([len(images), 8, 16], float(iterations))


def test_iterate_lets_the_encoder_refine(generator, pictures):
    result = invert(generator, pictures, Refining(), "iterate", iterations=3)
    assert torch.equal(result.w, torch.full([2, 8, 16], 3.0))


def test_without_an_encoder_the_best_of_several_codes_is_the_start(generator, pictures):
    average = invert(generator, pictures, steps=0, starts=1)
    best = invert(generator, pictures, steps=0, starts=12)
    assert torch.equal(average.w[0], generator.w_avg.expand(8, -1))
    assert all(b <= a for a, b in zip(average.start_l2, best.start_l2))
    assert best.start_l2 != average.start_l2
    result = invert(generator, pictures, steps=25, starts=4)
    assert all(after < before / 2 for before, after in zip(result.start_l2, result.l2))


def test_a_conditional_generator_is_inverted_without_a_label(pictures):
    conditional = builders.tiny_generator(c_dim=3)
    assert invert(conditional, pictures, steps=2, starts=3).w.shape == (2, 8, 16)


def test_zero_steps_leave_the_start(generator, encoder, pictures):
    for method in ("optimize", "tune"):
        result = invert(generator, pictures, encoder, method, 0)
        assert torch.allclose(result.w, encoder(pictures.clamp(-1, 1)), atol=1e-5)
        assert result.losses.shape == (0, 2) and result.generator is generator
        assert result.report().size == (640, 360)


def test_repeats_are_identical_and_seeds_matter(generator, encoder, pictures):
    first, again, other = (invert(generator, pictures, encoder, "tune", 5, seed) for seed in (1, 1, 2))
    assert torch.equal(first.w, again.w) and torch.equal(first.images, again.images)
    assert not torch.equal(first.w, other.w)


def test_a_picture_of_a_batch_gets_the_code_it_gets_alone(generator, encoder, pictures):
    batch = invert(generator, pictures, encoder, steps=8, noise=False)
    for i in range(2):
        alone = invert(generator, pictures[i : i + 1], encoder, steps=8, noise=False)
        assert torch.allclose(alone.w[0], batch.w[i], atol=1e-4)


def test_models_loaded_in_inference_mode_are_inverted_there(pictures, generator, encoder):
    expected = invert(generator, pictures, encoder, "tune", 3)
    with torch.inference_mode():
        models = builders.tiny_generator(), builders.tiny_encoder()
        assert models[0].w_avg.is_inference()
        result = invert(models[0], pictures.clone(), models[1], "tune", 3)
        assert torch.allclose(result.w, expected.w, atol=1e-5)
        assert result.generator.synthesis(result.w).isfinite().all()


def test_the_given_models_stay_as_they_are(encoder, pictures):
    generator = builders.tiny_generator()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    invert(generator, pictures, encoder, "tune", 3, checkpointing=True)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())
    assert not any(parameter.requires_grad for parameter in generator.parameters())
    assert "forward" not in generator.synthesis.b8.__dict__


def test_checkpointing_changes_nothing_but_memory(generator, encoder, pictures):
    plain = invert(generator, pictures, encoder, "tune", 3)
    saving = invert(generator, pictures, encoder, "tune", 3, checkpointing=True)
    assert torch.allclose(plain.w, saving.w, atol=1e-5)
    assert torch.allclose(plain.images, saving.images, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_generators_are_inverted(encoder, pictures, dtype):
    generator = builders.tiny_generator().set_dtype(dtype)
    result = invert(generator, pictures, encoder, "tune", 10)
    assert result.generator.dtype == dtype
    assert all(after < before / 1.5 for before, after in zip(result.start_l2, result.l2))


def test_found_noise_lowers_the_loss_and_stays_white(generator, encoder, pictures):
    kept = invert(generator, pictures, encoder, steps=20, noise=False)
    found = invert(generator, pictures, encoder, steps=20)
    assert kept.generator is generator
    assert set(found.delta.tensors) == {
        f"synthesis.b{size}.{layer}.noise_const"
        for size in (4, 8, 16, 32)
        for layer in ("conv0", "conv1")
        if (size, layer) != (4, "conv0")
    }
    assert sum(found.l2) < sum(kept.l2)
    noise = found.generator.synthesis.b32.conv1.noise_const
    assert float(noise_correlation(noise)) < 2 * float(
        noise_correlation(generator.synthesis.b32.conv1.noise_const)
    )


def test_a_generator_that_uses_no_noise_keeps_its_own(encoder, pictures):
    generator = builders.tiny_generator()
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.zero_()
    assert invert(generator, pictures, encoder, steps=2).generator is generator


def test_noise_that_repeats_is_correlated():
    white = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    assert float(noise_correlation(white)) < 0.2
    assert float(noise_correlation(torch.ones(64, 64))) > 2


def test_the_pull_keeps_the_layers_alike(generator, encoder, pictures):
    distance = [
        float(off_w(invert(generator, pictures, encoder, steps=15, pull=pull).w, 1.0).mean())
        for pull in (0.0, 0.3, 1.0)
    ]
    assert distance[0] > distance[1] > distance[2]
    assert float(off_w(torch.randn(1, 1, 16).expand(2, 8, 16), 1.0).max()) == pytest.approx(0, abs=1e-10)


def test_trusted_error_bars_hold_a_code_where_the_encoder_is_sure(generator, pictures):
    encoder = Encoder(builders.tiny_encoder_config(error_bars=True))
    encoder.load_state_dict(builders.tiny_encoder().state_dict(), strict=False)
    sure, unsure = slice(0, 4), slice(4, 8)
    spread = Spread(generator, generator.mapping(sm.sample_z(range(200), generator.z_dim)))
    encoder.errors.factors[sure] *= 0.01
    encoder.errors.factors[unsure] *= 100

    def moved(**options):
        found = sm.invert(generator, pictures, encoder, steps=20, noise=False, **options).w
        return spread.errors(found, encoder(pictures)).mean(0)

    free, held = moved(trust=0.0), moved(trust=10.0)
    assert (held[sure] < 0.25 * free[sure]).all()
    assert (held[unsure] > 0.5 * free[unsure]).all()


def test_trust_needs_error_bars(generator, encoder, pictures):
    found = [sm.invert(generator, pictures, encoder, steps=2, trust=trust).w for trust in (0.0, 1.0)]
    assert torch.equal(*found)


def test_codes_of_ones_own_are_started_from(generator, pictures):
    with torch.inference_mode():
        start = generator.mapping(torch.randn(2, 16, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(invert(generator, pictures, steps=0, start=start).w, start)
    tuned = invert(generator, pictures, method="tune", steps=0, tune_steps=8, start=start)
    assert torch.equal(tuned.w, start) and tuned.delta is not None and tuned.l2 < tuned.start_l2
    with pytest.raises(sm.StyleMixError, match="1 codes to start from do not belong to 2 pictures"):
        invert(generator, pictures, start=start[:1])
    with pytest.raises(sm.LatentMismatchError, match=r"shape \[2, 7, 16\]"):
        invert(generator, pictures, start=start[:, 1:])


def test_the_learning_rate_rises_and_falls_to_zero():
    assert schedule(0) < 0.05
    assert schedule(0.3) == 1
    assert schedule(0.875) == pytest.approx(0.5)
    assert schedule(1) == 0


def test_only_what_the_mask_shows_is_matched(generator, encoder, pictures):
    spoilt = pictures.clone()
    spoilt[:, :, :, 16:] = 1
    mask = torch.zeros(64, 64)  # another size than the pictures' and the generator's
    mask[:, :32] = 1
    masked = invert(generator, spoilt, encoder, steps=15, mask=mask)
    unmasked = invert(generator, spoilt, encoder, steps=15)

    def left(result):
        return float((result.images - pictures)[:, :, :, :15].square().mean())

    assert left(masked) < left(unmasked)
    seen = (masked.images - pictures.clamp(-1, 1))[:, :, :, :16].square().mean([1, 2, 3])
    assert torch.allclose(torch.tensor(masked.l2), seen, rtol=0.05)


def test_each_picture_may_have_a_mask(generator, encoder, pictures):
    masks = torch.ones(2, 1, 32, 32)
    masks[1] = 0.5
    assert invert(generator, pictures, encoder, steps=1, mask=masks).w.isfinite().all()


def test_progress_counts_all_steps_and_shows_the_newest_pictures(generator, encoder, pictures, monkeypatch):
    monkeypatch.setattr(descent.Watch, "interval", 0.0)
    calls = []
    invert(generator, pictures, encoder, "tune", 3, on_step=lambda *call: calls.append(call), tune_steps=2)
    assert [call[:2] for call in calls] == [(done, 5) for done in range(1, 6)]
    assert calls[-1][2].shape == (2, 3, 32, 32) and not calls[-1][2].requires_grad


def test_a_picture_is_shown_about_once_a_second(generator, encoder, pictures, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(descent.time, "monotonic", lambda: 0.4 * next(clock))  # a step takes 0.4 s
    shown = []
    invert(generator, pictures, encoder, steps=9, on_step=lambda done, total, images: shown.append(images))
    assert [step for step, images in enumerate(shown, 1) if images is not None] == [3, 6, 9]


def test_without_waiting_no_pictures_are_shown(generator, encoder, pictures):
    shown = []
    invert(generator, pictures, encoder, steps=2, on_step=lambda done, total, images: shown.append(images))
    assert shown == [None, None]


@pytest.mark.parametrize("last", range(1, 7))
def test_an_exception_from_the_callback_ends_the_inversion_at_any_step(generator, encoder, pictures, last):
    """Three steps of optimize, three of tune; the models given stay usable."""
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    done = []

    def interrupt(step, total, images):
        done.append(step)
        if step == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        invert(generator, pictures, encoder, "tune", 3, on_step=interrupt)
    assert done == [*range(1, last + 1)]
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_pictures_of_any_kind_and_size_are_inverted(generator, encoder):
    random = torch.Generator().manual_seed(0)
    grey = torch.rand(1, 1, 40, 50, generator=random) * 2 - 1
    for images in (grey, grey.expand(-1, 3, -1, -1)):
        result = invert(generator, images, encoder, steps=20)
        assert result.l2[0] < result.start_l2[0]
    as_grey, as_colour = (
        invert(generator, images, encoder, "encode") for images in (grey, grey.expand(-1, 3, -1, -1))
    )
    assert torch.equal(as_grey.w, as_colour.w)


def test_a_picture_of_another_domain_comes_as_near_as_the_generator_allows(generator, encoder):
    """Stripes, of which the generator knows nothing: nearer than the start, and nothing overflows."""
    stripes = torch.ones(1, 3, 50, 50)
    stripes[:, :, :, ::10] = -1
    for given in (encoder, None):
        result = invert(generator, stripes, given, "tune", 15, starts=2)
        assert result.l2[0] < 0.8 * result.start_l2[0]
        assert result.w.isfinite().all() and result.images.isfinite().all()


def test_transparent_holes_are_white(generator, encoder, pictures):
    holes = torch.cat([pictures.clamp(-1, 1), torch.ones(2, 1, 32, 32)], dim=1)
    holes[:, 3, 8:20, 8:20] = -1
    white = pictures.clamp(-1, 1)
    white[:, :, 8:20, 8:20] = 1
    results = [invert(generator, images, encoder, steps=2).l2 for images in (holes, white)]
    assert results[0] == pytest.approx(results[1], rel=1e-4)


def test_a_grey_generator_is_inverted(pictures):
    grey = builders.tiny_generator(img_channels=1)
    result = invert(grey, pictures, builders.tiny_encoder(), steps=20, perceptual=None)
    assert result.images.shape == (2, 1, 32, 32)
    assert sum(result.l2) < sum(result.start_l2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "method 'magic' is unknown; choose one of: encode"),
        ({"quality": "best"}, "quality 'best' is unknown"),
        ({"steps": -1}, "steps is -1"),
        ({"method": "iterate"}, "needs a ReStyle encoder"),
        ({"encoder": None, "method": "encode"}, "needs an encoder"),
        ({"encoder": None, "identity_weight": 1.0}, "identity_weight needs an encoder"),
        ({"encoder": None, "perceptual": "encoder"}, "there is no encoder"),
        ({"speed": 3}, "the option speed is unknown"),
        ({"pull": 1.5}, "pull is 1.5"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"starts": 0}, "starts is 0"),
        ({"mask": torch.zeros(32, 32)}, "the mask is black everywhere"),
        ({"mask": torch.full([32, 32], torch.nan)}, "holds NaN"),
        ({"mask": torch.ones(3, 32, 32)}, "the mask has the shape"),
        ({"images": torch.full([1, 3, 32, 32], torch.nan)}, "holds NaN"),
        ({"images": torch.zeros(0, 3, 32, 32)}, "there are no pictures"),
        ({"images": torch.zeros(3, 32, 32)}, "pictures have the shape"),
    ],
)
def test_mistakes_are_explained(generator, encoder, pictures, change, message):
    arguments = {"images": pictures, "encoder": encoder, **change}
    with pytest.raises(sm.StyleMixError, match=message):
        sm.invert(generator, arguments.pop("images"), arguments.pop("encoder"), **arguments)


def test_an_encoder_of_another_model_is_refused(generator, pictures):
    with pytest.raises(sm.LatentMismatchError, match="codes have 10 layers of 16 numbers.*takes 8 of 16"):
        sm.invert(generator, pictures, builders.tiny_encoder(num_ws=10), steps=1)


@pytest.mark.parametrize("architecture", ["orig", "resnet"])
def test_other_architectures_are_tuned_too(encoder, pictures, architecture):
    generator = builders.tiny_generator(architecture=architecture)
    plain = invert(generator, pictures, encoder, "tune", 4)
    saving = invert(generator, pictures, encoder, "tune", 4, checkpointing=True)
    assert torch.allclose(plain.images, saving.images, atol=1e-3)
    assert sum(plain.l2) < sum(plain.start_l2)
    assert any("skip" in name for name in plain.delta.tensors) == (architecture == "resnet")


def test_pictures_with_transparency_cannot_be_drawn(pictures):
    with pytest.raises(sm.StyleMixError, match="4 channels"):
        sm.invert(builders.tiny_generator(img_channels=4), pictures)


def test_every_quality_works(generator, encoder, pictures):
    pulls = [
        float(off_w(sm.invert(generator, pictures, encoder, steps=10, quality=quality).w, 1.0).mean())
        for quality in ("editable", "balanced", "faithful")
    ]
    assert pulls == sorted(pulls)
    assert set(QUALITIES) == {"editable", "balanced", "faithful"}


def test_the_report_shows_curves_and_figures(generator, encoder, pictures):
    result = invert(generator, pictures, encoder, "tune", 6)
    sheet = result.report()
    colours = {colour for _, colour in sheet.getcolors(1 << 16)}
    assert {(96, 165, 250), (251, 146, 60)} <= colours  # one curve for each picture
    figures = result.figures()
    assert figures["steps"] == 12 and figures["features"] == "gradients"
    assert figures["l2"] == result.l2 and len(figures["losses"]) == 12
    assert result.latents().origins == tuple(f"inverted picture {i} (tune, 12 steps)" for i in (1, 2))
    assert result.latents().generator == generator.fingerprint()
