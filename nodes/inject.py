"""Nodes that mix W+ codes, and the mask lists that say how."""

from functools import partial

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.latents import Latents
from ..stylemix_core.masks.grammar import MAX_STRENGTH, MIN_STRENGTH, STUDY_SWEEP
from ..stylemix_core.masks.mask_list import MaskList, MaskText
from ..stylemix_core.mixing.inject import CHANNEL_SHARE, SPACES, Injection
from ..stylemix_core.mixing.pairing import PAIRINGS
from . import host
from .search import search_words
from .sockets import GENERATOR, LATENT, MASKS


def mask_list_input(default: str = STUDY_SWEEP) -> io.String.Input:
    return io.String.Input(
        "mask_list",
        multiline=True,
        default=default,
        dynamic_prompts=False,
        tooltip="Which layers to take from the style. Masks are separated by ; or line breaks, each gives "
        "one result. A mask is a list of layers (0, 2, 5), ranges (0-6) and names (all, none, coarse, "
        "middle, fine, random(3)). A label may come first, as in hair: 2-6, and a strength after an at sign. "
        "# starts a comment.",
    )


def alpha_input() -> io.Float.Input:
    return io.Float.Input(
        "alpha",
        default=1.0,
        min=MIN_STRENGTH,
        max=MAX_STRENGTH,
        step=0.05,
        tooltip="Strength where the mask list names none. 0 keeps the source, 1 takes the style, more "
        "exaggerates it, negative values go the opposite way.",
    )


def seed_input() -> io.Int.Input:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=2**64 - 1,
        # A seed that changes by itself would redraw everything for mask lists without `random`.
        control_after_generate=False,
        tooltip="Which layers random in a mask list draws. Without random it does nothing.",
    )


def masks_shown(resolved: MaskList) -> dict[str, list]:
    """What the page's grid shows after a run: as many columns as the model has layers, and the masks in force."""
    return {"stylemix_num_ws": [resolved.num_ws], "stylemix_masks": [resolved.text]}


class Inject(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixInject",
            display_name="InjectW+",
            category="StyleMix/inject",
            description="Put layers of a style's W+ code into other codes: its hair, colours or face shape. Every mask "
            "of the list gives one result per source.",
            **search_words(
                "style mixing", "inject", "face", "hair", "style transfer", "swap", "StyleGAN", "W+"
            ),
            **host.shows(),
            inputs=[
                LATENT.Input("latent", tooltip="The source: codes that keep what the masks leave alone."),
                LATENT.Input("style", tooltip="The style: codes whose layers are put in."),
                mask_list_input(),
                alpha_input(),
                io.Combo.Input(
                    "pairing",
                    options=list(PAIRINGS),
                    default="match",
                    tooltip="match: the one style for all sources, or the first style for the first source, and so "
                    "on. all: every style for every source.",
                ),
                seed_input(),
                MASKS.Input(
                    "masks",
                    optional=True,
                    tooltip="A mask list from another node. Replaces mask_list, alpha and seed.",
                ),
                io.Combo.Input(
                    "space",
                    options=list(SPACES),
                    default="W+",
                    optional=True,
                    tooltip="What of a layer to take. W+: all. convolutions: what makes shapes. to-RGB: what makes "
                    "colours, on odd layers. channels: those style channels that act in the region.",
                ),
                io.Float.Input(
                    "channel_share",
                    default=CHANNEL_SHARE,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="With space channels: how many of each layer's channels to take, those first that act in "
                    "the region the most.",
                ),
                io.Mask.Input(
                    "region",
                    optional=True,
                    tooltip="Where the style acts: white is the style, black the source. One mask for all, or one per "
                    "mask of the list.",
                ),
                GENERATOR.Input(
                    "generator", optional=True, tooltip="Only for space channels: the generator of the codes."
                ),
            ],
            outputs=[
                LATENT.Output(
                    display_name="latent",
                    tooltip="The results: all masks for the first source, then for the second, and so on.",
                ),
                io.String.Output(display_name="labels", tooltip="One line per result, for Compare Grid."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        latent: Latents,
        style: Latents,
        mask_list: str,
        alpha: float,
        pairing: str,
        seed: int,
        masks: object = None,
        space: str = "W+",
        channel_share: float = CHANNEL_SHARE,
        region: torch.Tensor | None = None,
        generator: host.Model | host.Tuned | None = None,
    ) -> io.NodeOutput:
        resolved = MaskText.of(mask_list if masks is None else masks, alpha, seed).resolve(latent.w.shape[1])
        injection = Injection(resolved, pairing, space, region, channel_share)
        injected = injection.run(latent, style, None if generator is None else partial(host.run, generator))
        for warning in injected.warnings:
            host.warn(cls.hidden.unique_id, warning)
        return io.NodeOutput(injected.codes, "\n".join(injected.labels), ui=masks_shown(resolved))


class MaskListNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixMaskList",
            display_name="Mask List",
            category="StyleMix/inject",
            description="Say which layers take the style, once for several InjectW+. Lists are joined by wiring one "
            "into the next.",
            **search_words("mask", "layers", "style mixing", "hair", "face", "StyleGAN", "W+"),
            inputs=[
                mask_list_input(),
                alpha_input(),
                seed_input(),
                MASKS.Input(
                    "masks",
                    optional=True,
                    tooltip="Another mask list. Its masks come first and keep their own alpha and seed.",
                ),
            ],
            outputs=[
                MASKS.Output(display_name="masks", tooltip="All masks, for InjectW+ or another Mask List."),
                io.String.Output(
                    display_name="mask_list",
                    tooltip="All masks as text, one a line, with their strengths. random stays random.",
                ),
            ],
        )

    @classmethod
    def execute(cls, mask_list: str, alpha: float, seed: int, masks: object = None) -> io.NodeOutput:
        before = None if masks is None else MaskText.of(masks, alpha, seed)
        joined = MaskText(mask_list, alpha, seed, before)
        return io.NodeOutput(joined, joined.text)
