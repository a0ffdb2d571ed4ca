"""Pictures of codes that share their first layers with another code: what these draw is drawn once."""

from typing import NamedTuple

import torch

from .noise import NoiseSource
from .parts import gathered, pass_through, run
from .styles import UniformStyle
from .synthesis import Synthesis


class Kept(NamedTuple):
    """Before a stage."""

    stage: int
    module: int
    """The first of its modules, in the order of `Synthesis.styled`."""
    x: torch.Tensor | None
    image: torch.Tensor | None


class Trunk:
    """What the stages hand on for one code, with the stored noise and without gradients.

    w: `[1, num_ws, w_dim]`. smallest: the larger side of the smallest maps that are kept.
    """

    def __init__(self, synthesis: Synthesis, w: torch.Tensor, smallest: int):
        self.synthesis, self.w = synthesis, w
        self.layers = [layer for layer, _ in synthesis.styled()]
        stages = synthesis.stages()
        self.kept = [Kept(0, 0, None, None)]
        with torch.no_grad(), synthesis.drawing([w]):
            styles = [UniformStyle(style) for style in synthesis.styles(w)]
            _, module, x, image = self.kept[0]
            for number, stage in enumerate(stages[:-1]):
                after = module + len(stage.styled())
                x, image = pass_through(stage, x, image, styles[module:after], NoiseSource("const", None, 1))
                module = after
                if stage.resolution >= smallest:
                    self.kept.append(Kept(number + 1, module, x, image))

    def draw(self, w: torch.Tensor) -> torch.Tensor:
        """As the network draws codes `[B, num_ws, w_dim]`, one at a time: each leaves the trunk at its own place."""
        with torch.no_grad(), self.synthesis.drawing([w]):
            return torch.cat([self._draw_one(code) for code in w.split(1)])

    def _draw_one(self, w: torch.Tensor) -> torch.Tensor:
        differ = (w != self.w).any(2)[0]
        same = next((i for i, layer in enumerate(self.layers) if differ[layer]), len(self.layers))
        kept = next(each for each in reversed(self.kept) if each.module <= same)
        styles = [UniformStyle(style) for style in self.synthesis.styles(w)[kept.module :]]
        stages = self.synthesis.stages()[kept.stage :]
        return gathered(run(stages, kept.x, kept.image, styles, NoiseSource("const", None, 1)), 1)
