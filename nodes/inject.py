"""Nodes that mix W+ codes."""

from comfy_api.v0_0_2 import io

from ..stylemix_core.injection import PAIRINGS, check_styles, inject_latents, result_labels
from ..stylemix_core.latents import Latents
from ..stylemix_core.masks import MAX_STRENGTH, MIN_STRENGTH, STUDY_SWEEP, MaskList, parse_masks
from . import host
from .sockets import LATENT, MASKS


class Inject(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixInject",
            display_name="InjectW+",
            category="StyleMix/inject",
            description="Put layers of a style's W+ code into other codes. Every mask of the list gives one result "
            "per source.",
            inputs=[
                LATENT.Input("latent", tooltip="The source: codes that keep what the masks leave alone."),
                LATENT.Input("style", tooltip="The style: codes whose layers are put in."),
                io.String.Input(
                    "mask_list",
                    multiline=True,
                    default=STUDY_SWEEP,
                    dynamic_prompts=False,
                    tooltip="Which layers to take from the style. Masks are separated by ; or line breaks, each gives "
                    "one result. A mask is a list of layers (0, 2, 5), ranges (0-6) and names (all, none, coarse, "
                    "middle, fine, random(3)), with a strength if you like: hair: 2-6, 7-9@0.5. # starts a comment.",
                ),
                io.Float.Input(
                    "alpha",
                    default=1.0,
                    min=MIN_STRENGTH,
                    max=MAX_STRENGTH,
                    step=0.05,
                    tooltip="Strength where the mask list names none. 0 keeps the source, 1 takes the style, more "
                    "exaggerates it, negative values go the opposite way.",
                ),
                io.Combo.Input(
                    "pairing",
                    options=list(PAIRINGS),
                    default="match",
                    tooltip="match: the one style for all sources, or the first style for the first source, and so "
                    "on. all: every style for every source.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    # A seed that changes by itself would redraw everything for mask lists without `random`.
                    control_after_generate=False,
                    tooltip="Which layers random in a mask list draws. Without random it does nothing.",
                ),
                MASKS.Input(
                    "masks", optional=True, tooltip="A mask list from another node. Replaces mask_list."
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
    def execute(
        cls,
        latent: Latents,
        style: Latents,
        mask_list: str,
        alpha: float,
        pairing: str,
        seed: int,
        masks: MaskList | None = None,
    ) -> io.NodeOutput:
        if masks is None:
            masks = parse_masks(mask_list, latent.w.shape[1], alpha, seed)
        warning = check_styles(latent, style)
        if warning:
            host.warn(cls.hidden.unique_id, warning)
        labels = result_labels(masks, len(latent), len(style), pairing)
        return io.NodeOutput(inject_latents(latent, style, masks, pairing), "\n".join(labels))
