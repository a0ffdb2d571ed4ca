"""Error bars that codes carry, and injection of sure layers only."""

import pytest
import torch

import stylemix_core as sm
from stylemix_core.codes.certainty import is_unsure
from stylemix_core.codes.combine import blend_latents, join_latents
from stylemix_core.codes.latents import Latents
from stylemix_core.mixing.inject import Injection

LAYERS, W_DIM = 6, 4


def read_codes(*unsure: list[int]) -> Latents:
    """A code for each list of the layers that its encoder is unsure of."""
    bars = torch.full((len(unsure), LAYERS, 3), 0.25)
    for code, layers in enumerate(unsure):
        bars[code, layers] = 0.75
    w = torch.randn(len(unsure), LAYERS, W_DIM, generator=torch.Generator().manual_seed(1))
    return Latents(w, tuple(f"photo {i}" for i in range(len(unsure))), error_bars=bars)


def sampled(count: int = 1) -> Latents:
    return Latents.of(torch.zeros(count, LAYERS, W_DIM), "seed 7")


def test_a_layer_is_unsure_when_one_error_in_five_exceeds_half_of_the_spread():
    bars = torch.tensor([[0.1, 0.5, 2.0], [0.1, 0.51, 0.6]])
    assert is_unsure(bars).tolist() == [False, True]


def test_error_bars_go_along_with_their_codes(tmp_path):
    codes = read_codes([0], [1], [2, 3])
    taken = codes[[2, 0]]
    assert is_unsure(taken.error_bars).nonzero().tolist() == [[0, 2], [0, 3], [1, 0]]
    joined = join_latents([codes[1], codes[0]])
    assert is_unsure(joined.error_bars).nonzero().tolist() == [[0, 1], [1, 0]]
    sm.save_latents(tmp_path / "codes.safetensors", codes)
    loaded = sm.load_latents(tmp_path / "codes.safetensors")
    assert torch.equal(loaded.error_bars, codes.error_bars) and torch.equal(loaded.w, codes.w)
    sm.save_latents(tmp_path / "codes.npz", codes)
    assert torch.equal(sm.load_latents(tmp_path / "codes.npz").w, codes.w)


def test_codes_of_others_have_no_error_bars():
    codes = read_codes([0], [1])
    assert join_latents([codes, sampled()]).error_bars is None
    assert blend_latents(codes, sampled(), 0.5).error_bars is None


@pytest.mark.parametrize("shape", [(1, 5, 3), (1, LAYERS, 1)])
def test_error_bars_of_another_shape_are_refused(shape):
    found = rf"\[{', '.join(map(str, shape))}\]"
    with pytest.raises(
        sm.LatentMismatchError,
        match=rf"the error bars are torch.float32 {found}; expected float32 \[1, 6, 3\]",
    ):
        Latents(torch.zeros(1, LAYERS, W_DIM), ("a",), error_bars=torch.zeros(shape))


def test_sure_layers_alone_are_injected_each_style_by_its_own():
    source, style = sampled(2), read_codes([1, 2], [])
    masks = sm.parse_masks("0-3", LAYERS)
    injected = Injection(masks, sure_only=True).run(source, style)
    one, other = injected.codes.w
    assert torch.equal(one[[0, 3]], style.w[0, [0, 3]]) and not one[[1, 2, 4, 5]].any()
    assert torch.equal(other[:4], style.w[1, :4]) and not other[4:].any()
    assert injected.codes.origins == ("seed 7 ← photo 0, layers 0, 3", "seed 7 ← photo 1, layers 0-3")
    assert injected.warnings == ["nothing is taken of style 1's layers 1-2, which the encoder is unsure of"]
    assert injected.codes.error_bars is None


def test_a_style_that_does_not_tell_is_taken_whole_and_said_so():
    injected = Injection(sm.parse_masks("all", LAYERS), sure_only=True).run(sampled(), sampled())
    assert injected.warnings[0].startswith(
        "the style's code does not say which layers its encoder is sure of"
    )
