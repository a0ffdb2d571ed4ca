"""What makes drawing fast changes no picture, and what makes it frugal bounds its memory."""

import copy
import dataclasses
import logging
import weakref
from collections import Counter
from types import SimpleNamespace

import pytest
import torch

from stylemix_core import decoding, device
from stylemix_core.checkpoints import load_encoder, load_generator
from stylemix_core.codes.latents import Latents
from stylemix_core.decoding import decode, distinct, distinct_in, draw_each
from stylemix_core.encoder import EncoderConfig
from stylemix_core.generator import Generator, StyleGAN2
from stylemix_core.generator.engine import graphs, parts, regions, strips, styles, synthesis
from stylemix_core.generator.engine.noise import NOISE_MODES, NoiseSource
from stylemix_core.generator.engine.styles import UniformStyle, squared
from stylemix_core.generator.stylegan2 import ops
from stylemix_core.generator.stylegan2.ops import styled_convolution
from stylemix_core.generator.stylegan2.synthesis import SynthesisBlock
from stylemix_core.masks.mask_list import parse_masks
from stylemix_core.mixing.inject import inject_latents
from tests.builders import ADA_UNCOND32, nvidia_state


def build(**changes) -> Generator:
    config = dataclasses.replace(ADA_UNCOND32, **changes)
    return StyleGAN2.from_state_dict(config, nvidia_state(config))


def codes(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 8, 32, generator=torch.Generator().manual_seed(seed))


def change_weights(generator: Generator, how: str) -> Generator:
    """Change a network in one of the ways there are, or a copy; gives the changed one."""
    layer = generator.synthesis.b16.conv1
    factors = torch.linspace(0.1, 3, layer.weight.shape[1], device=layer.weight.device)
    grown = layer.weight * factors[:, None, None]
    if how == "in place":
        layer.weight.copy_(grown)
    elif how == "data":
        layer.half()
        layer.weight.data = grown.half()
        layer.float()
    elif how == "new":
        layer.weight = torch.nn.Parameter(grown, requires_grad=False)
    elif how == "loaded":
        layer.load_state_dict({**layer.state_dict(), "weight": grown})
    elif how == "precision":
        generator.set_dtype(torch.bfloat16)
        generator.set_dtype(torch.float32)
    elif how == "precision as it is":
        generator.set_dtype(generator.dtype)
        layer.to(layer.weight.device)
    elif how == "noise":
        layer.noise_const.neg_()
    elif how == "moved":
        generator.cpu().cuda()
    elif how == "copy":
        generator = copy.deepcopy(generator)
        generator.synthesis.b16.conv1.weight.copy_(grown)
    else:
        raise ValueError(how)
    return generator


def whole(monkeypatch, draw):
    """What `draw` gives without strips and with the whole batch at once."""
    with monkeypatch.context() as patch:
        patch.setattr(strips, "STRIP_BYTES", 1 << 40)
        patch.setattr(strips, "ALONE_BYTES", 1 << 40)
        return draw()


@pytest.mark.parametrize("noise_mode", NOISE_MODES)
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_strips_draw_what_whole_maps_do(monkeypatch, narrow_strips, architecture, noise_mode):
    generator, w = build(architecture=architecture), codes(3)
    plain = whole(monkeypatch, lambda: generator.synthesis(w, noise_mode, noise_seed=4))
    pieces = []
    forward = SynthesisBlock.compute

    def counted(block, x, *others):
        pieces.append(x.shape[2])
        return forward(block, x, *others)

    monkeypatch.setattr(SynthesisBlock, "compute", counted)
    drawn = generator.synthesis(w, noise_mode, noise_seed=4)
    assert (drawn - plain).abs().max() < 1e-5
    assert max(pieces) < 16  # the last block's input has 16 rows


@pytest.mark.parametrize("rows", [4, 5, 7, 8, 15])
def test_strips_of_any_height_fit_together(monkeypatch, rows):
    generator, w = build(), codes(1)
    plain = generator.synthesis(w)
    monkeypatch.setattr(parts, "strip_rows", lambda x, channels: min(rows, x.shape[2]))
    assert (generator.synthesis(w) - plain).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_strips_round_as_whole_maps_do(monkeypatch, narrow_strips, dtype):
    generator, w = build().set_dtype(dtype), codes(2)
    plain = whole(monkeypatch, lambda: generator.synthesis(w))
    assert (generator.synthesis(w) - plain).abs().mean() < 0.02 * plain.abs().mean()


def test_a_smaller_resolution_comes_out_of_strips_too(monkeypatch, narrow_strips):
    generator, w = build(), codes(2)
    plain = whole(monkeypatch, lambda: generator.synthesis(w, resolution=16))
    assert (generator.synthesis(w, resolution=16) - plain).abs().max() < 1e-5


def convolved(x, weight, style, fir=None, gain=1.0, bias=None) -> torch.Tensor:
    convolution = styled_convolution(weight, squared(weight), fir)
    return UniformStyle(style).convolve(x, convolution, gain, bias)


@pytest.mark.parametrize("up", [False, True])
def test_scaling_weights_equals_scaling_maps(monkeypatch, up):
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1, 5, 12, 12, generator=random).contiguous(memory_format=torch.channels_last)
    weight, style = torch.randn(7, 5, 3, 3, generator=random), torch.randn(1, 5, generator=random)
    bias, fir = torch.randn(7, generator=random), ops.fir_filter() if up else None
    results = []
    for choice in (True, False):
        monkeypatch.setattr(styles, "weighs_less", lambda *_, choice=choice: choice)
        results.append(convolved(x, weight, style, fir, 1.5, bias))
    assert (results[0] - results[1]).abs().max() < 1e-5
    assert results[0].std() > 0.5


def test_gradients_of_styles_alone_do_not_go_through_weights(monkeypatch):
    x, weight, style = torch.ones(1, 5, 12, 12), torch.ones(7, 5, 3, 3), torch.ones(1, 5, requires_grad=True)
    asked = []
    monkeypatch.setattr(
        ops, "filtered_conv", lambda x, weight, *_: asked.append(weight.requires_grad) or x[:, :1]
    )
    convolved(x, weight, style)
    convolved(x, weight.requires_grad_(), style)
    assert asked == [False, True]


def test_drawing_leaves_the_maps_that_it_is_given(monkeypatch):
    x = torch.randn(1, 5, 12, 12, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    for choice in (True, False):
        monkeypatch.setattr(styles, "weighs_less", lambda *_, choice=choice: choice)
        convolved(x, torch.ones(7, 5, 3, 3), torch.ones(1, 5))
        assert torch.equal(x, before)


class TestSquares:
    def changed(self, generator: Generator) -> float:
        """How far the pictures are from those of the same weights without a memory."""
        fresh = StyleGAN2.from_state_dict(generator.config, generator.state_dict())
        return float((generator.synthesis(codes(1)) - fresh.synthesis(codes(1))).abs().max())

    def test_are_computed_once(self, monkeypatch):
        generator = build()
        generator.synthesis(codes(1))
        monkeypatch.setattr(styles, "squared", lambda weight: pytest.fail("computed again"))
        generator.synthesis(codes(2))

    @pytest.mark.parametrize(
        "how", ["in place", "data", "new", "loaded", "precision", "precision as it is", "copy"]
    )
    def test_follow_the_weights(self, how):
        generator = build()
        generator.synthesis(codes(1))
        assert self.changed(change_weights(generator, how)) < 1e-6

    def test_remember_what_was_loaded_in_inference_mode(self, monkeypatch):
        with torch.inference_mode():
            generator = load_generator("demo", device="cpu", dtype="bfloat16")
            w = generator.w_avg.expand(1, 14, 512)
            generator.synthesis(w)
            monkeypatch.setattr(styles, "squared", lambda weight: pytest.fail("computed again"))
            generator.synthesis(w)

    def test_carry_gradients_where_weights_do(self):
        generator = build()
        weight = generator.synthesis.b32.conv1.weight
        generator.synthesis(codes(1))
        weight.requires_grad_()
        generator.synthesis(codes(1)).square().sum().backward()
        along = (weight.grad * weight.detach()).sum() / weight.grad.norm() / weight.detach().norm()
        assert abs(along) < 1e-3  # demodulation: along the weight itself there is no gradient

    def test_do_not_trust_weights_that_hide_their_changes(self):
        with torch.inference_mode():
            generator = build()
            generator.synthesis(codes(1))
            layer = generator.synthesis.b16.conv1
            layer.weight.mul_(torch.linspace(0.1, 3, layer.weight.shape[1])[:, None, None])
            assert torch.equal(layer.squares(layer.weight), squared(layer.weight))


class TestChunks:
    def test_draw_a_few_pictures_at_a_time(self, monkeypatch):
        generator, w = build(), codes(5)
        plain = generator.synthesis(w, "random", noise_seed=9)
        seen = []
        forward = SynthesisBlock.forward
        monkeypatch.setattr(
            SynthesisBlock,
            "forward",
            lambda block, x, image, styles, noises: (
                seen.append(len(styles[0])),
                forward(block, x, image, styles, noises),
            )[1],
        )
        monkeypatch.setattr(synthesis, "CHUNK", 2)
        drawn = generator.synthesis(w, "random", noise_seed=9)
        assert max(seen) == 2
        assert (drawn - plain).abs().max() < 1e-5
        generator.synthesis(w.clone().requires_grad_())
        assert max(seen) == 5

    def test_leave_large_maps_to_single_pictures(self, monkeypatch, narrow_strips):
        generator, w = build(), codes(5)
        uniform = [UniformStyle(style) for style in generator.synthesis.styles(w)]
        noise = NoiseSource("const", None, 5)
        with torch.inference_mode():
            drawn = parts.run_in_parts(2, generator.synthesis.stages(), None, None, uniform, noise)
            assert [len(part) for part in drawn] == [1] * 5

    def test_are_gone_when_the_next_is_drawn(self):
        drawn = []

        def draw(value):
            assert not any(part() is not None for part in drawn)
            part = torch.full((2, 3, 4, 4), value)
            drawn.append(weakref.ref(part))
            return part

        pictures = parts.gathered((draw(value) for value in (0.0, 1.0, 2.0)), 6)
        assert pictures[:, 0, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]

    def test_bound_the_streams_of_regions_too(self, monkeypatch):
        generator = build()
        faces, style = Latents.of(codes(3)), Latents.of(codes(1, 1))
        region = torch.zeros(1, 32, 32)
        region[..., :16] = 1
        mixed = inject_latents(faces, style, parse_masks("all", 8), region=region)
        with torch.inference_mode():
            plain = decode(generator, mixed, "random", 9)
            seen = []
            forward = SynthesisBlock.forward
            monkeypatch.setattr(
                SynthesisBlock,
                "forward",
                lambda block, x, *others: (
                    seen.append(1 if x is None else len(x)),
                    forward(block, x, *others),
                )[1],
            )
            monkeypatch.setattr(regions, "CHUNK", 2)
            drawn = decode(generator, mixed, "random", 9)
        assert max(seen) == 2 * 2  # of two streams
        assert (drawn - plain).abs().max() < 1e-5

    def test_are_not_taken_where_gradients_are_wanted(self, narrow_strips):
        generator, w = build(), codes(2).requires_grad_()
        generator.synthesis(w).square().sum().backward()
        alone = codes(2)[1:].requires_grad_()
        generator.synthesis(alone).square().sum().backward()
        assert torch.allclose(w.grad[1], alone.grad[0], rtol=1e-3, atol=1e-4 * alone.grad.abs().max())

    def test_are_not_needed_to_leave_gradients_out(self, monkeypatch):
        generator = build()
        assert not generator.synthesis(codes(1)).requires_grad
        assert torch.is_grad_enabled()


class TestAutomaticPrecision:
    WIDE, NARROW = (512, 256, 64), (128, 64, 16)

    @pytest.fixture(params=[True, False], ids=["bf16 CPU", "plain CPU"])
    def hardware(self, request, monkeypatch):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: request.param, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
        return request.param

    def test_follows_processor_and_network(self, hardware, caplog):
        cpu = torch.device("cpu")
        with caplog.at_level(logging.INFO):
            wide = device.resolve_dtype("auto", cpu, self.WIDE)
        assert wide == (torch.bfloat16 if hardware else torch.float32)
        assert f"auto is {str(wide).removeprefix('torch.')}" in caplog.text
        assert device.resolve_dtype("auto", cpu, self.NARROW) == torch.float32
        assert device.resolve_dtype("auto", cpu, EncoderConfig().stage_channels, encoder=True) == wide

    def test_of_a_gpu_rounds_generators_alone(self, hardware):
        gpu = torch.device("cuda")
        assert device.resolve_dtype("auto", gpu, self.NARROW) == torch.float16
        assert device.resolve_dtype("auto", gpu, self.WIDE, encoder=True) == torch.float32
        assert device.resolve_dtype("auto", torch.device("mps"), self.WIDE) == torch.float32

    @pytest.mark.parametrize("tf32", [False, True])
    def test_tf32_is_what_convolutions_on_an_nvidia_gpu_may_be(self, tf32):
        on_gpu = SimpleNamespace(device=torch.device("cuda"))
        with device.exact_convolutions(on_gpu, tf32):
            assert torch.backends.cudnn.allow_tf32 is tf32
            assert torch.backends.cudnn.deterministic
        generator = load_generator("demo", "cpu", "tf32" if tf32 else None)
        encoder = load_encoder("demo", "cpu", "tf32" if tf32 else None)
        assert generator.synthesis.tf32 is encoder.tf32 is tf32
        assert generator.dtype == torch.float32

    def test_knows_amx(self, monkeypatch):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
        assert device.computes_bfloat16()
        monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported", raising=False)
        assert not device.computes_bfloat16()

    def test_of_the_demo_is_exact(self, hardware):
        assert load_generator("demo", device="cpu", dtype="auto").dtype == torch.float32
        assert load_encoder("demo", device="cpu", dtype="auto").dtype == torch.float32

    def test_is_that_of_the_device_where_the_network_will_run(self, hardware):
        moved = load_generator("demo", device="cpu", dtype="auto", runs_on=torch.device("cuda"))
        assert moved.dtype == torch.float16


def test_equal_codes_are_found():
    w = codes(3)[[0, 1, 0, 2, 1]]
    latents = Latents(w, tuple("abcde"))
    kept, places = distinct(latents)
    assert kept.origins == ("a", "b", "d")
    assert places == [0, 1, 0, 2, 1]
    assert torch.equal(kept.w[places], w)
    assert distinct(latents, "random")[1] == [0, 1, 2, 3, 4]


def test_equal_codes_are_found_across_batches():
    w = codes(3)
    one, other, known = (
        Latents(w[[0, 1]], tuple("ab")),
        Latents(w[[1, 2]], tuple("cd")),
        Latents(w[[0]], ("e",)),
    )
    kept, places = distinct_in([one, other, known])
    assert [part.origins for part in kept] == [("a", "b"), ("d",), ()]
    assert places == [[0, 1], [1, 2], [0]]
    assert distinct_in([one, other], "random")[1] == [[0, 1], [2, 3]]


def test_codes_that_differ_in_what_they_carry_are_kept_apart():
    w = codes(1)[[0, 0, 0]]
    channels = torch.zeros(3, 2, 8, 24)
    channels[2, 1, 7, 3] = 1e-6
    assert distinct(Latents(w, tuple("abc"), channels=channels))[1] == [0, 0, 1]
    w_rgb = w.clone()
    w_rgb[1, 4, 5] += 1
    assert Counter(distinct(Latents(w, tuple("abc"), w_rgb=w_rgb))[1]) == {0: 2, 1: 1}


def test_pictures_are_drawn_a_few_ahead_each_once_and_none_is_kept(monkeypatch):
    generator, w = build(), codes(6)
    batches = [Latents(w[[0, 1, 0, 2, 3, 4]], tuple("abcdef")), Latents(w[[5, 0]], tuple("gh"))]
    drawn = []
    draw = decoding.decode
    monkeypatch.setattr(
        decoding,
        "decode",
        lambda G, part, *how, **move: drawn.append(len(part)) or draw(G, part, *how, **move),
    )
    with torch.no_grad():
        pictures = draw_each(generator, batches)
        first = next(pictures)
        assert drawn == [parts.CHUNK]
        rest = [*pictures]
        assert drawn == [parts.CHUNK, 1, 1]
        assert torch.allclose(
            torch.stack([first, *rest]), generator.synthesis(w[[0, 1, 0, 2, 3, 4, 5, 0]]), atol=1e-5
        )


class TestPhases:
    """The GPU's way to convolve and double the size."""

    @pytest.mark.parametrize("maps_at_once", [512, 5])
    def test_equal_the_transposed_convolution_and_its_filter(self, monkeypatch, maps_at_once):
        monkeypatch.setattr(ops, "MAPS_AT_ONCE", maps_at_once)
        random = torch.Generator().manual_seed(0)
        x = torch.randn(2, 5, 7, 9, generator=random).contiguous(memory_format=torch.channels_last)
        weight, bias = torch.randn(6, 5, 3, 3, generator=random), torch.randn(6, generator=random)
        fir = torch.rand(4, 4, generator=random)
        expected = ops.filtered_conv(x, weight, fir, bias)
        phased = ops.filtered_conv_in_phases(x, weight, fir, bias)
        assert (phased - expected).abs().max() < 1e-4
        assert expected.std() > 10
        assert phased.is_contiguous(memory_format=torch.channels_last)

    def test_of_no_picture_are_none(self):
        nothing, fir = torch.zeros(0, 5, 7, 9).contiguous(memory_format=torch.channels_last), ops.fir_filter()
        phased = ops.filtered_conv_in_phases(nothing, torch.ones(6, 5, 3, 3), fir)
        assert phased.shape == (0, 6, 14, 18)
        assert ops.upsample_in_phases(nothing[:, :3], fir).shape == (0, 3, 14, 18)

    def test_equal_the_upsampled_picture(self):
        random = torch.Generator().manual_seed(0)
        x, fir = torch.randn(2, 3, 7, 9, generator=random), torch.rand(4, 4, generator=random)
        assert (ops.upsample_in_phases(x, fir) - ops.upsample(x, fir)).abs().max() < 1e-5

    def test_have_the_gradients_of_the_plain_way(self, monkeypatch):
        generator, grads = build(), []
        for _ in range(2):
            w = codes(2).requires_grad_()
            generator.synthesis(w).square().mean().backward()
            grads.append(w.grad)
            monkeypatch.setattr(ops, "filtered_conv", in_phases)
        assert (grads[1] - grads[0]).norm() < 0.01 * grads[0].norm()


def in_phases(x, weight, fir, bias=None, plain=ops.filtered_conv):
    return plain(x, weight, fir, bias) if fir is None else ops.filtered_conv_in_phases(x, weight, fir, bias)


class TestGraphs:
    """What is drawn as it comes, what is recorded, and what is run again."""

    @pytest.fixture
    def taken(self, monkeypatch) -> list:
        """A pass that is recorded multiplies by ten, so that one sees where it is run."""
        taken = []

        def take(inputs, draw, held):
            taken.append(len(inputs[0]))
            return lambda inputs: 10 * draw(inputs)

        monkeypatch.setattr(graphs, "take", take)
        return taken

    def draw(self, known: graphs.Graphs, key="a", state=0, count=1) -> float:
        return float(known.draw(key, state, [torch.ones(count, 2)], lambda inputs: inputs[0].sum()))

    def test_are_recorded_when_a_pass_comes_again(self, taken):
        known = graphs.Graphs()
        assert [self.draw(known) for _ in range(3)] == [2, 20, 20]
        assert self.draw(known, "b") == 2
        assert self.draw(known, count=3) == 6
        assert taken == [1]

    def test_are_dropped_with_a_new_state(self, taken):
        known = graphs.Graphs()
        assert [self.draw(known, state=state) for state in (0, 0, 1, 1, 1)] == [2, 20, 2, 20, 20]
        known.forget()
        assert self.draw(known, state=1) == 2

    def test_that_were_not_used_for_long_are_dropped(self, taken):
        known = graphs.Graphs()
        for key in range(graphs.LIMIT + 1):
            assert [self.draw(known, key) for _ in range(2)] == [2, 20]
        assert sum(graph is not None for graph in known.known.values()) == graphs.LIMIT
        assert self.draw(known, 1) == 20
        assert len(taken) == graphs.LIMIT + 1
        assert self.draw(known, 0) == 20  # recorded anew
        assert len(taken) == graphs.LIMIT + 2

    def test_are_not_tried_twice(self, monkeypatch):
        tried = []

        def refuse(inputs, draw, held):
            tried.append(inputs)
            raise RuntimeError("out of memory")

        monkeypatch.setattr(graphs, "take", refuse)
        known = graphs.Graphs()
        assert [self.draw(known, key) for key in "aaabbb"] == [2] * 6
        assert len(tried) == 1

    def test_are_not_copied_with_their_network(self, taken):
        generator = build()
        self.draw(generator.synthesis.graphs)
        assert not copy.deepcopy(generator).synthesis.graphs.known
        assert not generator.double().synthesis.graphs.known
