"""The synthesis network: W+ → pictures (section 3; figure 4)."""

from collections.abc import Sequence
from typing import Any

import torch

from ...errors import StyleMixError
from ..engine.stages import Stage, Styled
from ..engine.synthesis import Synthesis
from .config import StyleGAN3Config
from .input import POSE, SynthesisInput, inverse_motion
from .layers import InputStage, LayerStage, SynthesisLayer


class SynthesisNetwork(Synthesis):
    """W+ → pictures through Fourier features and layers; the w of layer 0 turns and shifts them."""

    input: SynthesisInput

    def __init__(self, config: StyleGAN3Config):
        super().__init__(config.num_ws, config.w_dim, (config.img_resolution,))
        self.input = SynthesisInput(config)
        self.names = [layer.name for layer in config.layers]
        for layer in config.layers:
            self.add_module(layer.name, SynthesisLayer(config, layer))
        # In a list, for their tensors are those of the modules above.
        self._stages: list[Stage] = [InputStage(config, self.input)]
        self._stages += [LayerStage(config, layer) for layer in self.layers()]

    def layers(self) -> list[SynthesisLayer]:
        """All layers in their order."""
        return [getattr(self, name) for name in self.names]

    def stages(self, resolution: int | None = None) -> Sequence[Stage]:
        return self._stages

    def styled(self) -> list[tuple[int, Styled]]:
        """The input takes the first w, every layer the next one."""
        return list(enumerate([self.input, *self.layers()]))

    @property
    def maps_like(self) -> torch.Tensor:
        return self.layers()[-2].weight

    def moved(
        self, styles: Sequence[torch.Tensor], translate: Any = None, rotate: Any = None
    ) -> list[torch.Tensor]:
        if translate is None and rotate is None:
            return list(styles)
        first = styles[0]
        shift = per_picture("translate", (0.0, 0.0) if translate is None else translate, first, 2)
        angle = per_picture("rotate", 0.0 if rotate is None else rotate, first, 1)
        return [torch.cat([first[:, :POSE], inverse_motion(shift, angle[:, 0])], 1), *styles[1:]]

    def widths_that_fit(self, styles: Sequence[torch.Tensor]) -> list[int]:
        widths = self.style_widths
        moved = len(styles) > 0 and styles[0].shape[-1] == POSE + 6
        return [POSE + 6, *widths[1:]] if moved else widths


def per_picture(name: str, given: Any, like: torch.Tensor, width: int) -> torch.Tensor:
    """What is given for all pictures or for each, `[B, width]`. `StyleMixError` where it does not fit."""
    values = torch.as_tensor(given, dtype=torch.float32, device=like.device)
    rows = values[:, None] if width == 1 and values.ndim == 1 else torch.atleast_2d(values)
    if rows.ndim != 2 or rows.shape[1] != width or len(rows) not in (1, len(like)):
        kind = "two numbers, x and y in picture widths" if width == 2 else "a number of degrees"
        raise StyleMixError(
            f"{name} has the shape {list(values.shape)}; expected {kind}, or that for each of the {len(like)} pictures"
        )
    if not rows.isfinite().all():
        raise StyleMixError(f"{name} holds NaN or infinite numbers; give finite ones")
    return rows.expand(len(like), -1)
