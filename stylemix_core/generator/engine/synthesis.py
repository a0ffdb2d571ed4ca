"""Synthesis networks of all families: W+ → styles → pictures, whatever their stages are."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn

from ...device import exact_convolutions
from ...errors import LatentMismatchError, StyleMixError
from . import fused
from .compiled import compiling
from .graphs import Graphs
from .noise import NOISE_MODES, NoiseSource
from .parts import CHUNK, gathered, parts_of, run, run_in_parts
from .stages import Drawn, Stage, Styled
from .styles import UniformStyle

Codes = Sequence[torch.Tensor]
"""What pictures are drawn of: one W+ `[B, num_ws, w_dim]`, or the styles `[B, channels]` of every module."""


class Synthesis(nn.Module):
    """W+ → pictures. A family's network derives from it and gives `stages`, `styled` and `maps_like`.

    Attributes: `num_ws`, `w_dim`, and `colour_resolutions`, the larger sides of the stages that a picture can be taken
    from, the last of them the full size; other sizes cannot be drawn.
    """

    compiled = False
    """Whether pictures are drawn with compiled code where that is possible; see `Generator.compiled`."""

    tf32 = False
    """Whether float32 may be TF32; see `device.TF32`."""

    def __init__(self, num_ws: int, w_dim: int, colour_resolutions: tuple[int, ...]):
        super().__init__()
        self.num_ws, self.w_dim = num_ws, w_dim
        self.colour_resolutions = colour_resolutions
        self.graphs = Graphs()

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "Synthesis":
        self.graphs.forget()
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def stages(self, resolution: int | None = None) -> Sequence[Stage]:
        """The stages in their order, up to the one whose larger side has `resolution` pixels, None for all."""
        raise NotImplementedError

    def styled(self) -> list[tuple[int, Styled]]:
        """Every module that takes a style, in the stages' order, with the index of the w that gives it."""
        raise NotImplementedError

    @property
    def maps_like(self) -> torch.Tensor:
        """A tensor of the network, where its maps are and in their precision."""
        raise NotImplementedError

    @property
    def style_widths(self) -> list[int]:
        """The number of style channels of every module of `styled()`."""
        return [module.affine.out_features for _, module in self.styled()]

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        """The larger side of the maps that each w acts on, the last of them where it acts on several, without what
        lies beyond the picture."""
        sizes = (stage.rate for stage in self.stages() for _ in stage.styled())
        last = {layer: size for (layer, _), size in zip(self.styled(), sizes, strict=True)}
        return tuple(last[layer] for layer in range(self.num_ws))

    def forward(
        self,
        w: torch.Tensor,
        noise_mode: str = "const",
        noise_seed: int | Sequence[int] | None = None,
        resolution: int | None = None,
        translate: Any = None,
        rotate: Any = None,
    ) -> torch.Tensor:
        """Draw the pictures of W+ codes `[B, num_ws, w_dim]`; the rest as for `draw`.

        translate, rotate: as for `moved`; None leaves the pictures where they are. `LatentMismatchError` when w does
        not fit.
        """
        self.check_codes(w)
        self.check_choices(noise_mode, resolution)

        def styles(codes: Codes) -> list[torch.Tensor]:
            return self.styles(*codes)

        if translate is None and rotate is None:
            return self._draw([w], styles, noise_mode, noise_seed, resolution)
        moved = self.moved(styles([w]), translate, rotate)
        return self._draw(moved, lambda codes: codes, noise_mode, noise_seed, resolution)

    def moved(
        self, styles: Sequence[torch.Tensor], translate: Any = None, rotate: Any = None
    ) -> list[torch.Tensor]:
        """Styles whose pictures are turned, then shifted: by the network itself, so that nothing is cut off.

        translate: x and y in picture widths, to the right and down; a pair for all pictures or `[B, 2]`.
        rotate: degrees counter-clockwise; a number for all or `[B]`.
        None for either leaves that as it is. `StyleMixError` in families that cannot, unless both are None.
        """
        if translate is not None or rotate is not None:
            raise StyleMixError(
                "this generator cannot turn or shift its pictures, only StyleGAN3 can; leave translate and rotate out"
            )
        return list(styles)

    def styles(self, w: torch.Tensor, w_rgb: torch.Tensor | None = None) -> list[torch.Tensor]:
        """W+ → S, the style channels of every module (Wu et al. 2021, arXiv:2011.12799, section 3.1).

        w: `[B, num_ws, w_dim]`.
        w_rgb: the same for the to-RGBs, where they take another code than the convolutions.
        Returns float32 `[B, channels]` for every module of `styled()`, in its order.
        """
        self.check_codes(w, w_rgb)
        w = w.to(self.maps_like.device, torch.float32)
        w_rgb = w if w_rgb is None else w_rgb.to(w)
        return [module.affine((w_rgb if module.to_rgb else w)[:, layer]) for layer, module in self.styled()]

    def draw(
        self,
        styles: Sequence[torch.Tensor],
        noise_mode: str = "const",
        noise_seed: int | Sequence[int] | None = None,
        resolution: int | None = None,
    ) -> torch.Tensor:
        """Draw pictures from styles.

        styles: as `styles` gives them.
        noise_mode: "const" takes the noise that was stored in training, "random" draws new noise for every
            picture, "none" leaves noise out.
        noise_seed: makes "random" repeatable; picture i of the batch draws from `noise_seed + i`, or from its
            own of a list of seeds.
        resolution: stop after the stage of this larger side and return its smaller picture, where there is one;
            None for the full size.
        Returns float32 `[B, img_channels, H, W]`, nominally −1…1. `LatentMismatchError` when styles do not fit.
        """
        self.check(styles, noise_mode, resolution)
        return self._draw(styles, lambda styles: styles, noise_mode, noise_seed, resolution)

    def watch(self, styles: Sequence[torch.Tensor], note: Callable[[torch.Tensor], None]) -> None:
        """Draw with the stored noise and hand `note` what goes into every module of `styled()`, in its order.

        styles: as `styles` gives them. `note` takes maps `[B, I, H, W]`: the whole batch and whole maps.
        """
        modules = [module for _, module in self.styled()]
        hooks = [module.register_forward_pre_hook(lambda _, inputs: note(inputs[0])) for module in modules]
        try:
            self._through(self.stages(), styles)
        finally:
            for hook in hooks:
                hook.remove()

    def maps(self, w: torch.Tensor, resolution: int) -> torch.Tensor:
        """What the stage of this larger side hands on, `[B, C, H, W]`: the picture so far, if there is one, then maps.

        w: as `forward` takes it; noise is the stored one. resolution: one of `colour_resolutions` but the last.
        """
        self.check_codes(w)
        self.check_choices("const", resolution)
        with self.drawing([w]):
            x, image = self._through(self.stages(resolution), self.styles(w))
            return x if image is None else torch.cat([image, x], 1)

    def _through(self, stages: Sequence[Stage], styles: Sequence[torch.Tensor]) -> Drawn:
        """What stages hand on, of styles in their order."""
        x: torch.Tensor | None = None
        image: torch.Tensor | None = None
        for stage in stages:
            own, styles = styles[: len(stage.styled())], styles[len(stage.styled()) :]
            x, image = stage(x, image, [UniformStyle(style) for style in own], stage.stored_noise())
        assert x is not None
        return x, image

    def _draw(
        self,
        codes: Codes,
        to_styles: Callable[[Codes], Sequence[torch.Tensor]],
        noise_mode: str,
        noise_seed: int | Sequence[int] | None,
        resolution: int | None,
    ) -> torch.Tensor:
        """`draw` from codes, of which `to_styles` makes the styles."""
        stages, count, like = self.stages(resolution), len(codes[0]), self.maps_like
        noise = NoiseSource(noise_mode, noise_seed, count)

        def styles_of(codes: Codes) -> list[UniformStyle]:
            return [UniformStyle(style) for style in to_styles(codes)]

        def draw(codes: Codes) -> torch.Tensor:
            size = len(codes[0])
            return gathered(run(stages, None, None, styles_of(codes), noise[:size]), size)

        def derived() -> list[object]:
            return [tensor for stage in stages for tensor in stage.derived()]

        with self.drawing(codes):
            codes = [code.to(like.device, torch.float32) for code in codes]
            if not self.draws_graphs(noise_mode, count):
                return gathered(run_in_parts(CHUNK, stages, None, None, styles_of(codes), noise), count)
            if self.graphs.known:  # something was drawn before, so more may come
                fused.prepare(like.device, like.dtype)
            stream = torch.cuda.current_stream().cuda_stream
            shapes = tuple(code.shape[1:] for code in codes)
            key, state = (shapes, noise_mode, resolution, stream), self.state()
            parts = ([code[part] for code in codes] for part in parts_of(count, CHUNK))
            return gathered((self.graphs.draw(key, state, part, draw, derived) for part in parts), count)

    @contextmanager
    def drawing(self, styles: Codes) -> Iterator[None]:
        """How pictures of these styles are drawn: exactly, with gradients only where they are wanted."""
        like = self.maps_like
        with (
            torch.cuda.device_of(like),  # type: ignore[no-untyped-call]  # of several GPUs, graphs run on the current one
            exact_convolutions(like, self.tf32),
            torch.set_grad_enabled(self.wants_gradient(styles)),
            compiling(self.compiled, like.device, like.dtype),
        ):
            yield

    def draws_graphs(self, noise_mode: str, count: int) -> bool:
        """Whether such a pass can become a CUDA graph."""
        if self.maps_like.device.type != "cuda" or torch.is_grad_enabled():
            return False
        return count > 0 and noise_mode != "random" and not torch.cuda.is_current_stream_capturing()

    def wants_gradient(self, styles: Codes) -> bool:
        """Whether pictures of these styles are to be differentiated, by the styles or by the network's tensors."""
        tensors = chain(styles, self.parameters(), self.buffers())
        return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)

    def state(self) -> Hashable:
        """Changes when a tensor of the network does."""
        tensors = chain(self.parameters(), self.buffers())
        return tuple((x.data_ptr(), None if x.is_inference() else x._version) for x in tensors)

    def check(self, styles: Sequence[torch.Tensor], noise_mode: str, resolution: int | None) -> None:
        """Raise `draw`'s errors."""
        expected = self.widths_that_fit(styles)
        if [style.shape[1:] for style in styles] != [(channels,) for channels in expected]:
            raise LatentMismatchError(
                f"the styles have the shapes {[list(style.shape) for style in styles]}; "
                f"this generator takes {len(expected)} of {expected} channels"
            )
        self.check_choices(noise_mode, resolution)

    def widths_that_fit(self, styles: Sequence[torch.Tensor]) -> list[int]:
        """The channels that styles of this kind should have."""
        return self.style_widths

    def check_codes(self, *codes: torch.Tensor | None) -> None:
        """Raise `forward`'s error."""
        for code in (code for code in codes if code is not None):
            if not isinstance(code, torch.Tensor):
                raise LatentMismatchError(
                    f"W+ codes are a tensor here, not {type(code).__name__}; of Latents give `.w`"
                )
            if code.ndim != 3 or code.shape[1:] != (self.num_ws, self.w_dim):
                raise LatentMismatchError(
                    f"the W+ code has the shape {list(code.shape)}; "
                    f"this generator takes [batch, {self.num_ws}, {self.w_dim}]. "
                    "Use codes that were sampled or encoded for a generator of the same resolution."
                )

    def check_choices(self, noise_mode: str, resolution: int | None) -> None:
        """Raise what `forward` and `draw` have in common."""
        if noise_mode not in NOISE_MODES:
            raise StyleMixError(
                f"noise_mode {noise_mode!r} is unknown; choose one of: {', '.join(NOISE_MODES)}"
            )
        if resolution is not None and resolution not in self.colour_resolutions:
            raise StyleMixError(
                f"there is no picture of {resolution} pixels inside; "
                f"choose one of: {', '.join(map(str, self.colour_resolutions))}"
            )
