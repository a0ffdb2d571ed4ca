from dataclasses import replace

import pytest
import torch

from stylemix_core.codes.latents import Latents
from stylemix_core.errors import LatentMismatchError, StyleMixError
from stylemix_core.masks.mask_list import parse_masks
from stylemix_core.mixing.inject import Injection, inject, inject_latents
from stylemix_core.mixing.pairing import check_styles, result_labels

LAYERS, SIZE = 14, 16


def codes(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, LAYERS, SIZE, generator=torch.Generator().manual_seed(seed))


def masks(text: str):
    return parse_masks(text, LAYERS)


def test_injecting_no_layer_returns_the_source_bit_for_bit():
    w = codes(2)
    assert torch.equal(inject(w, codes(1, seed=1) * 1e6, masks("none")), w)


def test_injecting_all_layers_returns_the_style_bit_for_bit():
    style = codes(1, seed=1)
    assert torch.equal(inject(codes(2) * 1e6, style, masks("all")), style.expand(2, -1, -1))


def test_not_even_infinite_numbers_leak_through_layers_that_are_not_taken():
    w, style = codes(1), codes(1, seed=1)
    style[:, 5:] = torch.inf
    result = inject(w, style, masks("0-4"))
    assert torch.equal(result[:, :5], style[:, :5])
    assert torch.equal(result[:, 5:], w[:, 5:])


@pytest.mark.parametrize("strength", [-2, -0.5, 0.3, 1.5, 3])
def test_strength_moves_along_the_line_from_source_to_style(strength):
    w, style = codes(1), codes(1, seed=1)
    result = inject(w, style, masks(f"3@{strength}"))
    assert torch.allclose(result[:, 3], w[:, 3] + strength * (style[:, 3] - w[:, 3]), atol=1e-6)
    assert torch.equal(result[:, :3], w[:, :3])
    assert torch.equal(result[:, 4:], w[:, 4:])


def test_results_are_ordered_by_source_then_mask():
    w, style = codes(3), codes(3, seed=1)
    result = inject(w, style, masks("0; none; all@0.5"))
    assert result.shape == (9, LAYERS, SIZE)
    assert torch.equal(result[3, 0], style[1, 0])
    assert torch.equal(result[3, 1:], w[1, 1:])
    assert torch.equal(result[7], w[2])
    assert torch.allclose(result[5], (w[1] + style[1]) / 2, atol=1e-6)


def test_one_style_serves_every_source():
    w, style = codes(3), codes(1, seed=1)
    result = inject(w, style, masks("all; 0"))
    assert torch.equal(result[0::2], style.expand(3, -1, -1))


def test_pairing_all_orders_by_source_then_style_then_mask():
    w, style = codes(2), codes(3, seed=1)
    result = inject(w, style, masks("all; none"), pairing="all")
    assert result.shape == (12, LAYERS, SIZE)
    assert torch.equal(result[0::2], style.repeat(2, 1, 1))
    assert torch.equal(result[1::2], w.repeat_interleave(3, 0))


def test_a_batch_gives_what_single_injections_give():
    w, style = codes(3), codes(3, seed=1)
    list_ = masks("0-3@0.7; 5@2")
    singles = [inject(w[i : i + 1], style[i : i + 1], list_) for i in range(3)]
    assert torch.equal(inject(w, style, list_), torch.cat(singles))


def test_strengths_may_be_a_plain_tensor():
    list_ = masks("0; 1-3@0.5")
    w, style = codes(2), codes(1, seed=1)
    assert torch.equal(inject(w, style, list_.strengths), inject(w, style, list_))


def test_inputs_stay_as_they_are_and_gradients_flow():
    w, style = codes(1).requires_grad_(), codes(1, seed=1)
    before = w.detach().clone()
    inject(w, style, masks("0; 1@0.25")).sum().backward()
    assert torch.equal(w.detach(), before)
    assert w.grad[0, :3, 0].tolist() == [1, 1.75, 2]


def test_codes_of_other_models_are_refused_naming_both():
    with pytest.raises(LatentMismatchError, match="source has 14 layers.* style 18 .*same generator"):
        inject(codes(1), torch.zeros(1, 18, SIZE), masks("0"))
    with pytest.raises(LatentMismatchError, match="14 layers of 16 numbers, the style 14 of 32"):
        inject(codes(1), torch.zeros(1, LAYERS, 32), masks("0"))


def test_masks_for_another_model_are_refused_naming_both():
    with pytest.raises(LatentMismatchError, match="18 layers, the codes have 14"):
        inject(codes(1), codes(1), parse_masks("0", 18))


@pytest.mark.parametrize("strengths", [torch.zeros(0, LAYERS), torch.zeros(LAYERS)])
def test_strengths_without_a_mask_are_refused(strengths):
    with pytest.raises(LatentMismatchError, match="at least one"):
        inject(codes(1), codes(1), strengths)


def test_codes_without_a_batch_are_refused():
    with pytest.raises(LatentMismatchError, match=r"style has the shape \[14, 16\]"):
        inject(codes(1), codes(1)[0], masks("0"))


@pytest.mark.parametrize(("sources", "styles"), [(3, 2), (1, 2)])
def test_styles_that_cannot_be_matched_are_refused_with_the_way_out(sources, styles):
    with pytest.raises(LatentMismatchError, match='pairing "all"'):
        inject(codes(sources), codes(styles), masks("0"))


@pytest.mark.parametrize("pairing", ["match", "all"])
def test_empty_batches_are_refused(pairing):
    with pytest.raises(LatentMismatchError, match="0 sources and 1 style;"):
        inject(codes(0), codes(1), masks("0"), pairing)


def test_an_unknown_pairing_is_refused_with_the_choices():
    with pytest.raises(StyleMixError, match="match, all"):
        inject(codes(1), codes(1), masks("0"), pairing="zip")


def test_labels_of_one_source_and_style_are_the_masks_labels():
    assert result_labels(masks("hair: 2-6; 0"), 1, 1) == ["hair", "0"]


def test_labels_number_what_tells_results_apart():
    assert result_labels(masks("0; 1"), 2, 1) == [
        "0 · source 1",
        "1 · source 1",
        "0 · source 2",
        "1 · source 2",
    ]
    assert result_labels(masks("0"), 2, 2) == ["0 · source 1", "0 · source 2"]
    assert result_labels(masks("0"), 1, 2, "all") == ["0 · style 1", "0 · style 2"]
    assert result_labels(masks("0"), 2, 2, "all")[1] == "0 · source 1 · style 2"


@pytest.mark.parametrize(("styles", "pairing"), [(1, "match"), (2, "match"), (3, "all")])
def test_there_is_one_label_per_result(styles, pairing):
    list_ = masks("0; 1; 2")
    assert len(result_labels(list_, 2, styles, pairing)) == len(
        inject(codes(2), codes(styles), list_, pairing)
    )


def test_latents_tell_how_they_came_about_and_keep_the_sources_generator():
    source = Latents(codes(2), ("seed 7", "seed 8"), "abc")
    style = Latents(codes(1, seed=1), ("photo.png",), "def")
    result = inject_latents(source, style, masks("hair: 0-6; 1@0.5"))
    assert torch.equal(result.w, inject(source.w, style.w, masks("0-6; 1@0.5")))
    assert result.generator == "abc"
    assert result.origins == (
        "seed 7 ← photo.png, layers 0-6",
        "seed 7 ← photo.png, layers 1@0.5",
        "seed 8 ← photo.png, layers 0-6",
        "seed 8 ← photo.png, layers 1@0.5",
    )


def test_an_injection_is_the_codes_their_labels_and_what_to_warn_of():
    source, style = Latents(codes(2), ("a", "b"), "mine"), Latents.of(codes(2, seed=1), "c", "theirs")
    list_ = masks("0-3; 12@0.5")
    injected = Injection(list_, "all").run(source, style)
    expected = inject_latents(source, style, list_, "all")
    assert torch.equal(injected.codes.w, expected.w) and injected.codes.origins == expected.origins
    assert injected.labels == result_labels(list_, 2, 2, "all")
    assert injected.warnings == [check_styles(source, style)]
    assert Injection(list_).run(source, source).warnings == []


def test_origins_of_mixed_styles_are_bracketed():
    mixed = inject_latents(Latents.of(codes(1), "a"), Latents.of(codes(1), "b"), masks("0"))
    result = inject_latents(mixed, mixed, masks("1"), pairing="all")
    assert result.origins == ("a ← b, layers 0 ← (a ← b, layers 0), layers 1",)


def test_styles_of_another_generator_are_warned_about():
    w = torch.zeros(1, 8, 4)
    mine, other, unknown = Latents.of(w, generator="a"), Latents.of(w, generator="b"), Latents.of(w)
    assert "other weights" in check_styles(mine, other)
    assert check_styles(mine, mine) is None
    assert check_styles(mine, unknown) is None


# over the frames of a film


def test_strengths_change_from_source_to_source():
    w, style = torch.zeros(5, 4, 3), torch.ones(1, 4, 3)
    masks = parse_masks("1@0>1; 2@0.5, 3@sin", 4)
    mixed = inject(w, style, masks).unflatten(0, (5, 2))
    assert mixed[:, 0, 1, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert mixed[:, 1, 2, 0].tolist() == [0.5] * 5 and bool((mixed[:, :, 0] == 0).all())
    torch.testing.assert_close(mixed[1, 1, 3, 0], torch.tensor(0.3454915))


def test_a_single_source_becomes_frames_and_others_must_be_as_many():
    masks = parse_masks("1@0>1", 4)
    source, style = Latents.of(torch.zeros(1, 4, 3), "a"), Latents.of(torch.ones(1, 4, 3), "b")
    injected = Injection(masks, frames=3).run(source, style)
    assert injected.codes.w[:, 1, 0].tolist() == [0, 0.5, 1] and not injected.warnings
    assert injected.codes.origins == ("a ← b, layers none", "a ← b, layers 1@0.5", "a ← b, layers 1")
    loud = Injection(replace(parse_masks("1", 4), curve=(0.25, 2.0)))
    assert loud.run(source, style).codes.w[:, 1, 0].tolist() == [0.25, 2]
    live = loud.alone(parse_masks("2; 1", 4), 1)  # what the page draws shows the first frame
    assert live.run(source, style).codes.w[:, 1, 0].tolist() == [0.25]
    assert "one frame" in Injection(masks).run(source, style).warnings[0]
    with pytest.raises(LatentMismatchError, match="2 sources for 3 frames"):
        Injection(masks, frames=3).run(source.take([0, 0]), style)


def test_strengths_change_in_other_spaces_and_regions():
    masks = parse_masks("1@0>1", 4)
    source, style = Latents.of(torch.zeros(3, 4, 3), "a"), Latents.of(torch.ones(1, 4, 3), "b")
    colours = Injection(masks, space="to-RGB").run(source, style).codes
    assert (
        colours.w_rgb is not None and colours.w_rgb[:, 1, 0].tolist() == [0, 0.5, 1] and not colours.w.any()
    )
    inside = Injection(masks, region=torch.ones(8, 8)).run(source, style).codes.regions[0].codes
    assert inside.w[:, 1, 0].tolist() == [0, 0.5, 1]
