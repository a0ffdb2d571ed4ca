"""The engine draws any family: here one without noise, without smaller pictures, and with maps that do not double."""

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stylemix_core.errors import LatentMismatchError, StyleMixError
from stylemix_core.generator.engine import parts
from stylemix_core.generator.engine.stages import Drawn, Stage, Styled
from stylemix_core.generator.engine.styles import Convolution, Style, squared
from stylemix_core.generator.engine.synthesis import Synthesis
from stylemix_core.generator.linear import EqualLinear

W_DIM, WIDTH = 4, 6


class Layer(Styled):
    def __init__(self) -> None:
        super().__init__()
        self.affine = EqualLinear(W_DIM, WIDTH, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(WIDTH, WIDTH, 3, 3))

    def forward(self, x: torch.Tensor, style: Style) -> torch.Tensor:
        def full(x: torch.Tensor, weight: torch.Tensor, *, bias: torch.Tensor | None = None) -> torch.Tensor:
            return F.conv2d(x, weight, bias, padding=2)  # two pixels more

        return style.convolve(x, Convolution(self.weight, squared(self.weight), full))


class Margin(Stage):
    """From `size` − 2 to `size` pixels; the last one gives the picture."""

    channels = WIDTH

    def __init__(self, size: int, last: bool):
        super().__init__()
        self.resolution, self.shape, self.last = size, (size, size), last
        self.layer = Layer()

    def styled(self) -> list[Styled]:
        return [self.layer]

    def forward(
        self,
        x: torch.Tensor | None,
        image: torch.Tensor | None,
        styles: Sequence[Style],
        noises: Sequence[torch.Tensor | None],
    ) -> Drawn:
        assert image is None and not noises
        if x is None:
            x = torch.ones(len(styles[0]), WIDTH, self.resolution - 2, self.resolution - 2)
        x = self.layer(x, styles[0])
        return x, x[:, :3, 2:-2, 2:-2] if self.last else None


class Growing(Synthesis):
    def __init__(self) -> None:
        super().__init__(num_ws=3, w_dim=W_DIM, colour_resolutions=(8,))
        self.layers = nn.ModuleList(Margin(size, last=size == 12) for size in (8, 10, 12))

    def stages(self, resolution: int | None = None) -> list[Stage]:
        return [*self.layers]

    def styled(self) -> list[tuple[int, Styled]]:
        return [(i, stage.layer) for i, stage in enumerate(self.layers)]

    @property
    def maps_like(self) -> torch.Tensor:
        return self.layers[0].layer.weight


@pytest.fixture
def network() -> Growing:
    torch.manual_seed(0)
    return Growing().requires_grad_(False)


@pytest.fixture
def w() -> torch.Tensor:
    return torch.randn(6, 3, W_DIM, generator=torch.Generator().manual_seed(1))


def test_a_batch_is_drawn_in_parts(network, w, monkeypatch):
    seen = []
    draw = parts.pass_through
    monkeypatch.setattr(
        parts,
        "pass_through",
        lambda stage, x, image, styles, *others, **options: (
            seen.append(len(styles[0])),
            draw(stage, x, image, styles, *others, **options),
        )[1],
    )
    pictures = network(w)
    assert pictures.shape == (6, 3, 8, 8) and pictures.std() > 0.1
    assert seen == [4, 4, 4, 2, 2, 2]
    singly = torch.cat([network(one) for one in w.split(1)])
    assert (pictures - singly).abs().max() < 1e-5
    assert torch.equal(network.draw(network.styles(w)), pictures)


def test_gradients_reach_the_codes(network, w):
    w.requires_grad_()
    network(w).square().sum().backward()
    assert (w.grad.abs().amax((0, 2)) > 0).all()


def test_its_layers_and_sizes_are_told(network, w):
    assert network.layer_resolutions == (8, 10, 12)
    assert network.style_widths == [WIDTH] * 3
    sizes = []
    network.watch(network.styles(w), lambda x: sizes.append(tuple(x.shape)))
    assert sizes == [(6, WIDTH, size, size) for size in (6, 8, 10)]


def test_what_does_not_fit_is_refused(network, w):
    with pytest.raises(LatentMismatchError, match=r"\[6, 2, 4\].*\[batch, 3, 4\]"):
        network(w[:, :2])
    with pytest.raises(StyleMixError, match="no picture of 4 pixels inside; choose one of: 8"):
        network(w, resolution=4)
