"""On an NVIDIA GPU pictures are those of the CPU, and the fast paths are those of the plain ones."""

import pytest
import torch

from stylemix_core.checkpoints import load_generator
from stylemix_core.codes.latents import Latents
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.decoding import decode
from stylemix_core.generator import Generator, StyleGAN2
from stylemix_core.generator.engine import fused, steps, strips
from stylemix_core.masks.mask_list import parse_masks
from stylemix_core.mixing.inject import inject_latents
from tests.core.test_speed import build, change_weights, codes

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def graphs(generator: Generator) -> list:
    return [graph for graph in generator.synthesis.graphs.known.values() if graph is not None]


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("noise_mode", ["const", "none", "random"])
@pytest.mark.parametrize("start", [(4, 4), (4, 2)])
def test_pictures_are_those_of_the_cpu(monkeypatch, architecture, alone, noise_mode, start):
    monkeypatch.setattr(strips, "GPU_ALONE_BYTES", 1 if alone else 1 << 40)
    generator, w = build(architecture=architecture, start=start), codes(5)
    expected = generator.synthesis(w, noise_mode, noise_seed=4)
    generator.cuda()
    for _ in range(3):
        drawn = generator.synthesis(w, noise_mode, noise_seed=4)
        assert (drawn.cpu() - expected).abs().max() < 1e-4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("noise_mode", ["const", "none"])
@pytest.mark.parametrize("clamp", [None, 0.8])
def test_passes_that_come_again_give_the_same_bits(dtype, noise_mode, clamp):
    generator = build(conv_clamp=clamp).cuda().set_dtype(dtype)
    w = codes(6).cuda()
    with torch.inference_mode():
        first = generator.synthesis(w, noise_mode)
        assert not graphs(generator)
        again = [generator.synthesis(w, noise_mode) for _ in range(2)]
        assert len(graphs(generator)) == 2  # of 4 pictures, and of 2
        assert all(torch.equal(pictures, first) for pictures in again)
        turned = generator.synthesis(w.flip(0)[:4], noise_mode)
    assert fused._ready[w.device, dtype]
    assert (turned - first.flip(0)[:4]).abs().mean() < 0.01 * first.abs().mean()
    assert not torch.equal(turned, first[:4])
    assert torch.equal(generator.synthesis(w, noise_mode), first)  # out of inference mode, too


def test_tf32_is_rougher_than_float32_and_finer_than_half_precision():
    w = sample_latents(load_generator("demo", "cpu"), [1, 2]).w
    exact, *others = (
        load_generator("demo", "cuda", dtype).synthesis(w) for dtype in ("float32", "tf32", "bfloat16")
    )
    rougher, roughest = ((other - exact).abs().mean() for other in others)
    assert 1e-6 < rougher < roughest / 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clamp", [None, 1.5])
@pytest.mark.parametrize("noise_shape", [(9, 7), (3, 1, 9, 7), None])
def test_the_kernel_rounds_as_its_steps_do(monkeypatch, dtype, clamp, noise_shape):
    random = torch.Generator().manual_seed(0)
    x = torch.randn(3, 12, 9, 7, generator=random).to("cuda", dtype, memory_format=torch.channels_last)
    bias = torch.randn(12, generator=random).cuda()
    noise = None if noise_shape is None else torch.randn(noise_shape, generator=random).cuda()
    with torch.no_grad():
        assert fused.fuses(x)
        with monkeypatch.context() as patch:
            patch.setattr(fused, "_ready", {})
            expected = fused.finish(x, bias, noise, clamp)
        fused.prepare(x.device, dtype)
        assert fused._ready[x.device, dtype]
        finished = fused.finish(x, bias, noise, clamp)
    assert torch.equal(finished, expected)
    assert finished.is_contiguous(memory_format=torch.channels_last)
    plain = steps.activate(x + bias[:, None, None].to(dtype), noise, clamp)
    assert (finished - plain).abs().max() <= 4 * torch.finfo(dtype).eps


class TestGraphs:
    @pytest.fixture
    def generator(self) -> Generator:
        generator = build().cuda()
        for _ in range(2):
            generator.synthesis(codes(1).cuda())
        assert len(graphs(generator)) == 1
        return generator

    @pytest.mark.parametrize(
        "how",
        ["in place", "data", "new", "loaded", "noise", "moved", "precision", "precision as it is", "copy"],
    )
    def test_follow_the_weights(self, generator, how):
        generator = change_weights(generator, how)
        # What was freed does not keep its numbers.
        overwriting = [torch.full((24, 24), torch.nan, device="cuda") for _ in range(100)]
        fresh = StyleGAN2.from_state_dict(generator.config, generator.state_dict())
        for _ in range(3):
            difference = generator.synthesis(codes(1).cuda()) - fresh.synthesis(codes(1).cuda())
            assert difference.abs().max() < 1e-5
        del overwriting

    def test_are_few_and_go_with_the_network(self, generator):
        for count in (1, 2, 3, 4):
            for mode in ("const", "none"):
                for _ in range(2):
                    generator.synthesis(codes(count).cuda(), mode)
        assert len(graphs(generator)) == 4
        generator.cpu()
        assert not generator.synthesis.graphs.known

    def test_are_not_taken_of_random_noise_or_for_gradients(self, generator):
        before = graphs(generator)
        for _ in range(3):
            drawn = generator.synthesis(codes(1).cuda(), "random")
            w = codes(1).cuda().requires_grad_()
            generator.synthesis(w).square().mean().backward()
        assert drawn.std() > 0 and w.grad.abs().max() > 0
        assert graphs(generator) == before

    def test_failures_leave_pictures_as_they_are(self, monkeypatch):
        def refuse(*_, **__):
            raise RuntimeError("out of memory")

        generator, w = build().cuda(), codes(1).cuda()
        plain = generator.synthesis(w)
        monkeypatch.setattr(torch.cuda, "graph", refuse)
        for _ in range(3):
            assert torch.equal(generator.synthesis(w), plain)


def test_no_codes_give_no_pictures():
    generator = build().cuda()
    for _ in range(3):
        assert generator.synthesis(codes(0)).shape == (0, 3, 32, 32)


def test_gradients_are_those_of_the_cpu():
    generator, w = build(), codes(2)
    grads = []
    for device in ("cpu", "cuda"):
        own = w.detach().clone().to(device).requires_grad_()
        generator.to(device).synthesis(own).square().mean().backward()
        grads.append(own.grad.cpu())
    assert (grads[1] - grads[0]).norm() < 0.01 * grads[0].norm()


def test_regions_are_those_of_the_cpu():
    faces, style = Latents.of(codes(3)), Latents.of(codes(4)[3:])
    region = torch.zeros(1, 32, 32)
    region[..., :16] = 1
    mixed = inject_latents(faces, style, parse_masks("all", 8), region=region)
    generator = build()
    expected = decode(generator, mixed)
    generator.cuda()
    for _ in range(3):
        generator.synthesis(codes(1).cuda())  # from the second on, with the kernel
        assert (decode(generator, mixed).cpu() - expected).abs().max() < 1e-4


def test_half_precision_of_the_demo_is_below_what_eyes_see():
    w = load_generator("demo", device="cpu").mapping(
        torch.randn(4, 512, generator=torch.Generator().manual_seed(0))
    )
    exact = load_generator("demo", device="cuda").synthesis(w)
    half = load_generator("demo", device="cuda", dtype="auto")
    assert half.dtype == torch.float16
    difference = (half.synthesis(w) - exact).abs() * 127.5
    assert difference.mean() < 0.5
    assert difference.max() < 6


def test_memory_is_bounded_by_the_part():
    generator = load_generator("demo", device="cuda", dtype="auto")

    def peak(count: int) -> int:
        w = torch.randn(count, generator.num_ws, generator.w_dim, device="cuda")
        generator.synthesis(w)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        pictures = generator.synthesis(w)
        return torch.cuda.max_memory_allocated() - before - pictures.nbytes

    assert peak(32) <= 1.2 * peak(8)
