"""Nodes that say which layer carries what, and find the layers for a wish."""

import json
from typing import Any

import torch
from comfy_api.v0_0_2 import io, ui

from ..stylemix_core.analysis.explain import CHUNK as EXPLAIN_CHUNK
from ..stylemix_core.analysis.explain import explain_layers
from ..stylemix_core.analysis.find import CARE, OTHERS, find_layers
from ..stylemix_core.analysis.find import CHUNK as FIND_CHUNK
from ..stylemix_core.analysis.wish_text import KINDS
from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.encoder.identity import find_identity
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.faces.regions import name_masks
from ..stylemix_core.images import pil_to_comfy, to_comfy
from ..stylemix_core.inversion import check_encoder
from ..stylemix_core.masks.mask_list import MaskText
from ..stylemix_core.mixing.pairing import check_styles
from . import host
from .inputs import AUTO, region_source, region_source_input
from .search_words import search_words
from .sockets import ENCODER, GENERATOR, LATENT, MASKS

PAINTED = "mask"
NOTHING = "nothing"
TARGETS = (
    "hair",
    "hair and skin",
    "face",
    "eyes and mouth",
    "eyes",
    "mouth",
    "nose",
    "brows",
    "background",
    "body",
    "everything",
    "everything but the face",
    "everything but the background",
    PAINTED,
)
KEPT = (NOTHING, "identity", "hair", "face", "eyes and mouth", "background", "body", PAINTED)


class ExplainLayers(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixExplainLayers",
            display_name="Explain Layers",
            category="StyleMix/explore",
            description="Show which W+ layer carries what: every layer of a style injected alone, what it changes, "
            "where and how much.",
            **search_words("layers", "explain", "what does each layer do", "heat map", "StyleGAN", "W+"),
            is_output_node=True,
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator that the codes are for."),
                LATENT.Input(
                    "latent",
                    tooltip="The source. Several codes give the average of all, with the pictures of the first.",
                ),
                LATENT.Input("style", tooltip="The style whose layers are put in: one, or one per source."),
                ENCODER.Input(
                    "encoder",
                    optional=True,
                    tooltip="Tells how far each layer moves the identity, without a file of ArcFace's weights.",
                ),
                io.Mask.Input(
                    "masks",
                    optional=True,
                    tooltip="Regions of your own in the source's picture, one mask each. Without them, hair, face, "
                    "eyes, mouth, background and more are found.",
                ),
                io.String.Input(
                    "mask_names",
                    optional=True,
                    default="",
                    tooltip="What the masks show, separated by commas: hat, beard.",
                ),
                region_source_input("regions_by", optional=True),
            ],
            outputs=[
                io.Image.Output(display_name="sheet", tooltip="All of it on one labelled picture."),
                io.Image.Output(display_name="pictures", tooltip="Each layer injected alone, in order."),
                io.Image.Output(
                    display_name="heat_maps", tooltip="What each layer changed, glowing over the source."
                ),
                io.String.Output(display_name="table", tooltip="The figures, one line per layer."),
                io.String.Output(display_name="json", tooltip="The figures for programs."),
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
        encoder: host.Model | None = None,
        masks: torch.Tensor | None = None,
        mask_names: str = "",
        regions_by: str = AUTO,
    ) -> io.NodeOutput:
        warn_of_codes(cls, generator, latent, style)
        if encoder is not None:
            host.warn(cls.hidden.unique_id, check_encoder(encoder.network(), generator.network()))
        host.warn_of_proportions(cls.hidden.unique_id, "masks", masks, generator.network().img_shape)
        report = host.work(
            [generator] if encoder is None else [generator, encoder],
            EXPLAIN_CHUNK,
            1,
            lambda save_memory: explain_layers(
                generator.network(),
                latent.only_w("explained"),
                style.only_w("explained"),
                region_source(regions_by) if masks is None else name_masks(masks, mask_names),
                None if encoder is None else encoder.network(),
                host.vgg_file(),
                host.arcface_file(),
                1 if save_memory else EXPLAIN_CHUNK,
                host.step_reporter(cls.hidden.unique_id),
            ),
        )
        drawn = report.sheet()
        sheet = pil_to_comfy([drawn])
        return io.NodeOutput(
            sheet,
            to_comfy(report.alone),
            to_comfy(report.heat_maps()),
            report.table(),
            json.dumps(report.figures(), ensure_ascii=False, indent=2),
            ui=ui.PreviewImage(sheet, cls=cls).as_dict() | host.picks("mask_list", report.picks(drawn)),
        )


class FindLayers(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixFindLayers",
            display_name="Find Layers · hair or face",
            category="StyleMix/explore",
            description="Search the layers and strengths that change what you want, only the hair for instance, and "
            "little else.",
            **search_words("layers", "find", "only the hair", "mask list", "search", "StyleGAN", "W+"),
            is_output_node=True,
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator that the codes are for."),
                LATENT.Input(
                    "latent",
                    tooltip="The source. Of several codes one mask is found that suits all; each takes its time.",
                ),
                LATENT.Input("style", tooltip="The style whose layers are put in: one, or one per source."),
                io.Combo.Input(
                    "target",
                    options=list(TARGETS),
                    default="hair",
                    tooltip="Where something shall change. mask: where target_mask is white.",
                ),
                io.Combo.Input(
                    "what",
                    options=list(KINDS),
                    default="anything",
                    tooltip="What shall change there. shape: outlines and features, whatever their colours. colour: "
                    "colours, whatever the shapes. anything: both.",
                ),
                io.Combo.Input(
                    "keep",
                    options=list(KEPT),
                    default=NOTHING,
                    tooltip="What must stay above all. All else stays as well as it can anyway. mask: where keep_mask "
                    "is white. identity: who is seen, by the encoder if there is one.",
                ),
                io.Float.Input(
                    "care",
                    default=CARE,
                    min=0.0,
                    max=10.0,
                    step=0.1,
                    tooltip="How much more a change elsewhere counts than one of the target. 0.5 is bold, 4 careful.",
                ),
                io.Int.Input(
                    "steps",
                    default=8,
                    min=0,
                    max=100,
                    tooltip="Steps in which the strengths are refined. 0: every layer is taken wholly or not at all.",
                ),
                io.Mask.Input(
                    "target_mask", optional=True, tooltip="The target in the source's picture, for mask."
                ),
                io.Mask.Input("keep_mask", optional=True, tooltip="What must stay, for mask."),
                ENCODER.Input("encoder", optional=True, tooltip="Sees identity, to keep it."),
                io.Int.Input(
                    "others",
                    default=OTHERS,
                    min=0,
                    max=64,
                    optional=True,
                    tooltip="With so many random faces the layers are tried too, so that the mask suits other styles. "
                    "0: this pair alone, and quicker.",
                ),
                region_source_input("regions_by", optional=True),
            ],
            outputs=[
                MASKS.Output(display_name="masks", tooltip="The best mask, for InjectW+."),
                io.String.Output(
                    display_name="mask_list", tooltip="The best masks as text, one a line, the best first."
                ),
                io.Image.Output(display_name="sheet", tooltip="The best masks and each layer's part in it."),
                io.String.Output(display_name="table", tooltip="The best masks with their figures."),
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
        target: str,
        what: str,
        keep: str,
        care: float,
        steps: int,
        target_mask: torch.Tensor | None = None,
        keep_mask: torch.Tensor | None = None,
        encoder: host.Model | None = None,
        others: int = OTHERS,
        regions_by: str = AUTO,
    ) -> io.NodeOutput:
        warn_of_codes(cls, generator, latent, style)
        for words, name, mask in ((target, "target_mask", target_mask), (keep, "keep_mask", keep_mask)):
            if words == PAINTED:
                host.warn_of_proportions(cls.hidden.unique_id, name, mask, generator.network().img_shape)
        seen = encoder if keep == "identity" else None
        found = host.work(
            [generator] if seen is None else [generator, seen],
            FIND_CHUNK * host.GRADIENT_FACTOR,
            1,
            lambda save_memory: find_layers(
                generator.network(),
                latent.only_w("searched"),
                style.only_w("searched"),
                painted(target, target_mask, "target"),
                None if keep == NOTHING else painted(keep, keep_mask, "keep"),
                what,
                regions=region_source(regions_by),
                care=care,
                steps=steps,
                others=others,
                chunk=1 if save_memory else FIND_CHUNK,
                identity=None
                if seen is None
                else find_identity(host.arcface_file(), seen.network(), generator.network().w_avg.device),
                on_step=host.step_reporter(cls.hidden.unique_id),
            ),
        )
        host.warn(cls.hidden.unique_id, found.warning)
        drawn = found.sheet()
        sheet = pil_to_comfy([drawn])
        return io.NodeOutput(
            MaskText(found[0].mask_text),
            "\n".join(mask.mask_text for mask in found),
            sheet,
            found.table(),
            ui=ui.PreviewImage(sheet, cls=cls).as_dict() | host.picks("mask_list", found.picks(drawn)),
        )


def warn_of_codes(cls: Any, generator: host.AnyModel, latent: Latents, style: Latents) -> None:
    """Warn at the node of codes that are not for the generator, or not for each other."""
    host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
    of_style = check_generator(style, generator.network()) or check_styles(latent, style)
    host.warn(cls.hidden.unique_id, of_style)


def painted(words: str, mask: torch.Tensor | None, name: str) -> str | torch.Tensor:
    """The wish in words, or the mask that it asks for."""
    if words != PAINTED:
        return words
    if mask is None:
        raise StyleMixError(f"{name} is mask, but there is none; connect {name}_mask, or choose a region")
    return mask
