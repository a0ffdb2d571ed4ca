"""The node that says which layer carries what."""

import json

import torch
from comfy_api.v0_0_2 import io, ui

from ..stylemix_core.analysis.explain import CHUNK, explain_layers
from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.faces.regions import name_masks
from ..stylemix_core.images import from_pil, to_comfy
from ..stylemix_core.inversion import check_encoder
from ..stylemix_core.mixing.pairing import check_styles
from . import host
from .search import search_words
from .sockets import ENCODER, GENERATOR, LATENT


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
        generator: host.Model | host.Tuned,
        latent: Latents,
        style: Latents,
        encoder: host.Model | None = None,
        masks: torch.Tensor | None = None,
        mask_names: str = "",
    ) -> io.NodeOutput:
        for warning in (
            check_generator(latent, generator.network()),
            check_generator(style, generator.network()) or check_styles(latent, style),
            None if encoder is None else check_encoder(encoder.network(), generator.network()),
        ):
            host.warn(cls.hidden.unique_id, warning)
        host.warn_of_proportions(cls.hidden.unique_id, "masks", masks, generator.network().img_shape)
        report = host.work(
            [generator] if encoder is None else [generator, encoder],
            CHUNK,
            1,
            lambda save_memory: explain_layers(
                generator.network(),
                latent.w,
                style.w,
                None if masks is None else name_masks(masks, mask_names),
                None if encoder is None else encoder.network(),
                host.vgg_file(),
                host.arcface_file(),
                1 if save_memory else CHUNK,
                host.step_reporter(),
            ),
        )
        sheet = to_comfy(from_pil(report.sheet()))
        return io.NodeOutput(
            sheet,
            to_comfy(report.alone),
            to_comfy(report.heat_maps()),
            report.table(),
            json.dumps(report.figures(), ensure_ascii=False, indent=2),
            ui=ui.PreviewImage(sheet, cls=cls),
        )
