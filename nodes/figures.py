"""Nodes that lay many faces out as one figure. They stand in the menu group explore."""

from functools import partial
from typing import Any

import torch
from comfy_api.v0_0_2 import io, ui

from ..stylemix_core.codes.latents import Latents
from ..stylemix_core.decoding import draw_distinct
from ..stylemix_core.figures.grid import compare_grid
from ..stylemix_core.figures.sheets import (
    MOST_COLUMNS,
    Figure,
    even_strengths,
    mixing_matrix,
    strength_strip,
)
from ..stylemix_core.images import from_comfy, to_comfy
from . import host
from .inject import masks_shown
from .inputs import checked_masks, masks_input, mixing_inputs, pairing_input, strength_input
from .search_words import search_words
from .sockets import LATENT


class Matrix(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixMatrix",
            display_name="Mixing Matrix",
            category="StyleMix/explore",
            description="StyleGAN's style-mixing figure: faces down the side, styles along the top, every face with "
            "every style in between.",
            **search_words("style mixing", "matrix", "table", "XY plot", "grid", "StyleGAN", "W+"),
            is_output_node=True,
            inputs=[*mixing_inputs("0-3"), masks_input()],
            outputs=figure_outputs(),
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
        masks: object = None,
    ) -> io.NodeOutput:
        resolved = checked_masks(cls, generator, latent, style, mask_list, alpha, seed, masks)
        return draw_figure(cls, generator, mixing_matrix(latent, style, resolved), masks_shown(resolved))


class Strip(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixStrip",
            display_name="Strength Strip",
            category="StyleMix/explore",
            description="Show how a face changes as more and more of a style is injected: one row per mask, one "
            "picture per strength.",
            **search_words("strength", "alpha", "sweep", "interpolate", "style mixing", "StyleGAN", "W+"),
            is_output_node=True,
            inputs=[
                *mixing_inputs("all"),
                strength_input(
                    "first", 0.0, "Strength of the first picture: what the masks' strengths are times."
                ),
                strength_input("last", 1.0, "Strength of the last picture."),
                io.Int.Input("steps", default=5, min=2, max=21, tooltip="How many pictures."),
                pairing_input(),
                masks_input(),
            ],
            outputs=figure_outputs(),
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
        first: float,
        last: float,
        steps: int,
        pairing: str,
        masks: object = None,
    ) -> io.NodeOutput:
        resolved = checked_masks(cls, generator, latent, style, mask_list, alpha, seed, masks)
        strengths = even_strengths(first, last, steps)
        figure = strength_strip(latent, style, resolved, strengths, pairing)
        return draw_figure(cls, generator, figure, masks_shown(resolved))


class Grid(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixGrid",
            display_name="Compare Grid",
            category="StyleMix/explore",
            description="Lay pictures out side by side on one labelled sheet, and show it.",
            **search_words("grid", "compare", "contact sheet", "table", "XY plot", "collage", "StyleGAN"),
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The pictures, in order."),
                io.String.Input(
                    "labels",
                    optional=True,
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="One line per picture, as InjectW+ gives them. Leave empty for none.",
                ),
                io.Int.Input(
                    "columns",
                    optional=True,
                    default=0,
                    min=0,
                    max=MOST_COLUMNS,
                    tooltip="Pictures in a row. 0: as many as make a well-shaped sheet. With a source or style: 0.",
                ),
                io.Image.Input(
                    "source",
                    optional=True,
                    tooltip="The pictures before. Each starts a row, followed by its results.",
                ),
                io.Image.Input(
                    "style", optional=True, tooltip="The picture of the style, shown beside the results."
                ),
                io.Image.Input(
                    "top",
                    optional=True,
                    tooltip="Pictures above the columns, one each: the styles of a mixing matrix, where InjectW+ gave "
                    "every style to every source.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The sheet.")],
        )

    @classmethod
    def execute(
        cls,
        images: torch.Tensor,
        labels: str = "",
        columns: int = 0,
        source: torch.Tensor | None = None,
        style: torch.Tensor | None = None,
        top: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        sheet = compare_grid(
            from_comfy(images),
            labels.strip("\n").split("\n") if labels.strip() else None,
            columns,
            None if source is None else from_comfy(source),
            None if style is None else from_comfy(style),
            top=None if top is None else from_comfy(top),
        )
        picture = to_comfy(sheet)
        return io.NodeOutput(picture, ui=ui.PreviewImage(picture, cls=cls))


def figure_outputs() -> list[io.Output]:
    return [
        io.Image.Output(display_name="image", tooltip="The figure as one picture."),
        io.Image.Output(display_name="images", tooltip="Its results as a batch."),
        LATENT.Output(display_name="latent", tooltip="The results' W+ codes."),
        io.String.Output(display_name="labels", tooltip="One line per result, for Compare Grid."),
    ]


def draw_figure(
    cls: Any, generator: host.AnyModel, figure: Figure, shown: dict[str, list[Any]] | None = None
) -> io.NodeOutput:
    """The outputs of `figure_outputs`, the figure shown on the node, and what else is `shown` there."""
    # Without previews: on the page they would stay in the figure's place.
    drawn, places = draw_distinct(figure.codes, partial(host.run, generator))
    sheet = to_comfy(figure.sheet([drawn[place] for place in places]))
    return io.NodeOutput(
        sheet,
        to_comfy(drawn, figure.result_pictures(places)),
        figure.results,
        "\n".join(figure.labels),
        ui=ui.PreviewImage(sheet, cls=cls).as_dict() | (shown or {}),
    )
