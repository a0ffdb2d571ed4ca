"""The CPU's ways of a large convolution give what the plain one gives, in every kind of encoder."""

import copy

import pytest
import torch
import torch.nn.functional as F

from stylemix_core.encoder import KINDS, Encoder, convolution
from stylemix_core.encoder.convolution import Conv3x3, by_rows
from stylemix_core.encoder.identity import EncoderIdentity
from tests import builders

WAYS = {"plain": (1 << 60, 0), "rows": (0, 1 << 60), "packed": (0, 0), "mixed": (0, 64)}
"""`HEAVY` and `FEW_PIXELS`."""


@pytest.fixture
def choose(monkeypatch):
    """Sends every 3×3 convolution one way."""

    def way(name: str) -> None:
        for setting, value in zip(("HEAVY", "FEW_PIXELS"), WAYS[name]):
            monkeypatch.setattr(convolution, setting, value)

    return way


def picture(count: int) -> torch.Tensor:
    return builders.value("pictures", (count, 3, 64, 64)).tanh()


def of_kind(kind: str) -> Encoder:
    iterative = {"input_nc": 6, "iterative": True} if kind.endswith("BackboneEncoder") else {}
    return builders.tiny_encoder(kind=kind, **iterative)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_all_ways_give_the_same_codes(kind, count, layout, choose):
    encoder, pictures = of_kind(kind), picture(count).contiguous(memory_format=layout)
    codes = {}
    for name in WAYS:
        choose(name)
        with torch.inference_mode():
            codes[name] = encoder(pictures)
    for name in WAYS:
        assert (codes[name] - codes["plain"]).abs().max() < 2e-5 * codes["plain"].abs().max(), name


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(1, 5, 1, 1), (3, 5, 2, 2), (2, 5, 7, 4)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_rows_equal_a_convolution_up_to_the_border(stride, shape, layout):
    x = builders.value("x", shape).contiguous(memory_format=layout)
    weight, bias = builders.value("weight", (6, 5, 3, 3)), builders.value("bias", (6,))
    for added in (bias, None):
        expected = F.conv2d(x, weight, added, stride, padding=1)
        assert (by_rows(x, weight, added, stride) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_all_ways_take_half_precision(name, dtype, choose):
    choose("plain")
    encoder = builders.tiny_encoder()
    exact = encoder(picture(1))
    choose(name)
    with torch.inference_mode():
        assert (encoder.set_dtype(dtype)(picture(1)) - exact).abs().mean() < 0.03 * exact.abs().mean()


@pytest.mark.parametrize("name", ["rows", "packed", "mixed"])
@pytest.mark.parametrize("loaded_in_inference_mode", [False, True])
def test_all_ways_carry_gradients_to_the_picture(name, loaded_in_inference_mode, choose):
    with torch.inference_mode(loaded_in_inference_mode):
        encoder = builders.tiny_encoder()
        choose(name)
        encoder(picture(1))  # whatever is kept is kept now
    if loaded_in_inference_mode:
        from stylemix_core.networks import differentiable, twin

        encoder = twin(encoder, differentiable)
    identity = EncoderIdentity(encoder)
    gradients = {}
    for way in ("plain", name):
        choose(way)
        with torch.inference_mode(False), torch.enable_grad():
            x = picture(2).requires_grad_()
            (encoder(x).square().sum() + identity(x)[:, 0].sum()).backward()
        gradients[way] = x.grad
    largest = gradients["plain"].abs().max()
    assert largest > 0 and (gradients[name] - gradients["plain"]).abs().max() < 1e-4 * largest


class TestPacked:
    @pytest.fixture
    def layer(self, choose) -> Conv3x3:
        choose("packed")
        layer = Conv3x3(8, 8).requires_grad_(False).to(memory_format=torch.channels_last)
        layer(self.x)
        return layer

    x = builders.value("x", (1, 8, 6, 6)).contiguous(memory_format=torch.channels_last)

    def test_weights_are_packed_once(self, layer, monkeypatch):
        monkeypatch.setattr(
            convolution.Packed, "make", lambda packed, weight: pytest.fail("packed once more")
        )
        layer(self.x)

    def test_are_no_part_of_the_state(self, layer):
        assert list(layer.state_dict()) == ["weight"] and len(list(layer.buffers())) == 0

    @pytest.mark.parametrize("change", ["to", "dtype", "meta"])
    def test_are_dropped_when_the_weight_moves_or_changes_its_type(self, layer, change):
        assert layer.packed.known is not None
        {"to": layer.cpu, "dtype": layer.bfloat16, "meta": lambda: layer.to("meta")}[change]()
        assert layer.packed.known is None

    def test_are_dropped_with_the_encoders_precision(self, choose):
        choose("packed")
        encoder = builders.tiny_encoder()
        with torch.inference_mode():
            encoder(picture(1))
        layers = [module for module in encoder.modules() if isinstance(module, Conv3x3)]
        assert all(layer.packed.known is not None for layer in layers)
        encoder.set_dtype(torch.bfloat16)
        assert all(layer.packed.known is None for layer in layers)

    @pytest.mark.parametrize("how", ["in place", "new", "loaded", "copy"])
    def test_follow_the_weights(self, layer, how):
        other = builders.value("other", (8, 8, 3, 3))
        if how == "in place":
            layer.weight.copy_(other)
        elif how == "new":
            layer.weight = torch.nn.Parameter(other, requires_grad=False)
        elif how == "loaded":
            layer.load_state_dict({"weight": other})
        else:
            layer = copy.deepcopy(layer)
            layer.weight.copy_(other)
        assert (layer(self.x) - F.conv2d(self.x, other, padding=1)).abs().max() < 1e-5
