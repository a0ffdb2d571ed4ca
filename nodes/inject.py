"""Nodes that mix W+ codes, and the mask lists that say how."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.latents import Latents
from ..stylemix_core.encoder.identity import find_identity
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.masks.grammar import MAX_STRENGTH
from ..stylemix_core.masks.mask_list import MaskList, MaskText
from ..stylemix_core.mixing.identity_cap import cap_identity, seen_through
from ..stylemix_core.mixing.inject import CHANNEL_SHARE, SPACES, Injection
from ..stylemix_core.motion.walk import MOST_FRAMES
from . import host, live
from .inputs import (
    alpha_input,
    checked_masks,
    codes_inputs,
    mask_list_input,
    mask_seed_input,
    masks_input,
    mixing_inputs,
    pairing_input,
)
from .search_words import search_words
from .sockets import CURVE, ENCODER, GENERATOR, LATENT, MASKS


def masks_shown(resolved: MaskList) -> dict[str, list[Any]]:
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
                *codes_inputs(),
                mask_list_input(),
                alpha_input(),
                pairing_input(),
                mask_seed_input(),
                masks_input(),
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
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=MOST_FRAMES,
                    optional=True,
                    tooltip="How many frames a single source becomes, over which strengths change that are written "
                    "as 0>1 or sin. 0: every source is a frame, as those of Latent Walk are.",
                ),
                CURVE.Input(
                    "curve",
                    optional=True,
                    tooltip="What all strengths are multiplied with at each frame, from Strength Curve or Loudness "
                    "Curve.",
                ),
                io.Boolean.Input(
                    "sure_only",
                    default=False,
                    optional=True,
                    tooltip="Leave alone the layers that the style's encoder was unsure of, as PSPEncode says: what it "
                    "could not see in the photo does not spoil the face.",
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
        generator: host.AnyModel | None = None,
        frames: int = 0,
        curve: tuple[float, ...] | None = None,
        sure_only: bool = False,
    ) -> io.NodeOutput:
        resolved = MaskText.of(mask_list if masks is None else masks, alpha, seed).resolve(latent.w.shape[1])
        injection = Injection(
            replace(resolved, curve=curve), pairing, space, region, channel_share, frames, sure_only
        )
        injected = injection.run(latent, style, None if generator is None else partial(host.run, generator))
        for warning in injected.warnings:
            host.warn(cls.hidden.unique_id, warning)
        values = {"mask_list": resolved.text, "alpha": float(alpha), "seed": seed, "row": 0}
        ran = live.Ran(latent, values, partial(_one_mask, injection, style.take([0])))
        shown = masks_shown(resolved) | live.leave(injected.codes, ran)
        return io.NodeOutput(injected.codes, "\n".join(injected.labels), ui=shown)


def _one_mask(
    injection: Injection,
    style: Latents,
    source: Latents,
    network: Any,
    mask_list: str,
    alpha: float,
    seed: int,
    row: int,
) -> Latents:
    """What one mask of another list gives."""
    masks = MaskText(mask_list, float(alpha), seed).resolve(source.w.shape[1])
    if not 0 <= row < len(masks.labels):
        raise StyleMixError(f"there is no mask {row + 1}; the list has {len(masks.labels)}")
    alone = injection.alone(masks, row)
    return alone.run(source, style, lambda count, forward: forward(network, slice(0, count))).codes


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
                mask_seed_input(),
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


class IdentityCap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixIdentityCap",
            display_name="Identity Cap",
            category="StyleMix/inject",
            description="Inject as much of a style as a face can take before it becomes somebody else: every mask's "
            "strength is raised until identity drifts as far as the limit.",
            **search_words(
                "identity", "ArcFace", "likeness", "limit", "style mixing", "face", "StyleGAN", "W+"
            ),
            **host.shows(),
            inputs=[
                *mixing_inputs("all"),
                io.Float.Input(
                    "limit",
                    default=0.2,
                    min=0.01,
                    max=2.0,
                    step=0.01,
                    tooltip="How far identity may drift: 0 is the same face, 1 nothing in common (1 − cosine). What a "
                    "number means depends on what recognises the faces, which the report names.",
                ),
                io.Float.Input(
                    "highest",
                    default=1.0,
                    min=0.05,
                    max=MAX_STRENGTH,
                    step=0.05,
                    tooltip="How far to raise where the limit is not reached: what the masks' strengths are times.",
                ),
                pairing_input(),
                masks_input(),
                ENCODER.Input(
                    "encoder",
                    optional=True,
                    tooltip="Recognises faces by its features. Not needed where ArcFace's file model_ir_se50.pth is in "
                    "models/psp or models/stylegan, which recognises them better.",
                ),
            ],
            outputs=[
                LATENT.Output(
                    display_name="latent",
                    tooltip="The results: all masks for the first source, then for the second, and so on.",
                ),
                io.String.Output(
                    display_name="labels",
                    tooltip="One line per result, with the strength that was found, for Compare Grid.",
                ),
                io.String.Output(
                    display_name="report", tooltip="What recognised the faces, and every drift."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        latent: Latents,
        style: Latents,
        mask_list: str,
        alpha: float,
        seed: int,
        limit: float,
        highest: float,
        pairing: str,
        masks: object = None,
        encoder: host.Model | None = None,
    ) -> io.NodeOutput:
        resolved = checked_masks(cls, generator, latent, style, mask_list, alpha, seed, masks)
        arcface = host.arcface_file()
        identity = find_identity(
            arcface, None if encoder is None else encoder.network(), generator.handle().load_device
        )
        if identity is None:
            raise StyleMixError(
                "nothing here recognises faces: connect an encoder that reads photos, or put ArcFace's "
                "model_ir_se50.pth into models/psp"
            )
        beside = [encoder] if encoder is not None and arcface is None else []
        see = seen_through(partial(host.run, generator, beside=beside), identity)
        capped = cap_identity(latent, style, resolved, limit, see, pairing, highest)
        host.tell(cls.hidden.unique_id, f"Identity by {identity.name}")
        report = capped.report(identity.name)
        return io.NodeOutput(capped.results, "\n".join(capped.labels), report, ui=masks_shown(resolved))
