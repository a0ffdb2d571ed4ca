"""Pictures of codes that share their first layers with another code: what these draw is drawn once."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from .noise import NoiseSource
from .parts import CHUNK, gathered, pass_through, run_in_parts
from .stages import Stage
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
        """As the network draws codes `[B, num_ws, w_dim]`."""
        stages = self.synthesis.stages()
        with torch.no_grad(), self.synthesis.drawing([w]):
            kept, styles = self._shared(stages, w)
            x, image = (each if each is None else each.expand(len(w), -1, -1, -1) for each in kept[2:])
            noise = NoiseSource("const", None, len(w))
            return gathered(run_in_parts(CHUNK, stages[kept.stage :], x, image, styles, noise), len(w))

    def _shared(self, stages: Sequence[Stage], w: torch.Tensor) -> tuple[Kept, list[UniformStyle]]:
        """The last maps that codes have in common, and the styles of what is left."""
        differ = (w != self.w).any(2).any(0)
        same = next((i for i, layer in enumerate(self.layers) if differ[layer]), len(self.layers))
        kept = next(each for each in reversed(self.kept) if each.module <= same)
        return kept, [UniformStyle(style) for style in self.synthesis.styles(w)[kept.module :]]
