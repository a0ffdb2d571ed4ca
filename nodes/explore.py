"""Nodes that show what happened."""

import torch
from comfy_api.v0_0_2 import io, ui

from ..stylemix_core.figures.grid import compare_grid
from ..stylemix_core.images import from_comfy, to_comfy
from .search import search_words


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
                    max=64,
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
