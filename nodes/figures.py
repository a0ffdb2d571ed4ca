"""Nodes that draw many mixed faces as one figure."""

from functools import partial
from typing import Any

from comfy_api.v0_0_2 import io, ui

from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.decoding import draw_distinct
from ..stylemix_core.figures.sheets import Figure, even_strengths, mixing_matrix, strength_strip
from ..stylemix_core.images import to_comfy
from ..stylemix_core.masks.grammar import MAX_STRENGTH, MIN_STRENGTH
from ..stylemix_core.masks.mask_list import MaskList, MaskText
from ..stylemix_core.mixing.pairing import PAIRINGS, check_styles
from . import host
from .inject import alpha_input, mask_list_input, masks_shown, seed_input
from .search import search_words
from .sockets import GENERATOR, LATENT, MASKS


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
        generator: host.Model,
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
                io.Combo.Input(
                    "pairing",
                    options=list(PAIRINGS),
                    default="match",
                    tooltip="match: the one style for all sources, or the first style for the first source, and so "
                    "on. all: every style for every source.",
                ),
                masks_input(),
            ],
            outputs=figure_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.Model,
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


def mixing_inputs(masks: str) -> list[io.Input]:
    """What to mix, and how; `checked_masks` reads it."""
    return [
        GENERATOR.Input("generator", tooltip="Draws the faces."),
        LATENT.Input("latent", tooltip="The source: codes that keep what the masks leave alone."),
        LATENT.Input("style", tooltip="The style: codes whose layers are put in."),
        mask_list_input(masks),
        alpha_input(),
        seed_input(),
    ]


def masks_input() -> io.Input:
    return MASKS.Input(
        "masks",
        optional=True,
        tooltip="A mask list from another node. Replaces mask_list, alpha and seed.",
    )


def strength_input(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(
        name, default=default, min=MIN_STRENGTH, max=MAX_STRENGTH, step=0.05, tooltip=tooltip
    )


def checked_masks(
    cls: Any,
    generator: host.Model,
    latent: Latents,
    style: Latents,
    mask_list: str,
    alpha: float,
    seed: int,
    masks: object,
) -> MaskList:
    """The masks for the codes; warns at the node when codes and generator do not belong together."""
    host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
    host.warn(cls.hidden.unique_id, check_styles(latent, style))
    return MaskText.of(mask_list if masks is None else masks, alpha, seed).resolve(latent.w.shape[1])


def figure_outputs() -> list[io.Output]:
    return [
        io.Image.Output(display_name="image", tooltip="The figure as one picture."),
        io.Image.Output(display_name="images", tooltip="Its results as a batch."),
        LATENT.Output(display_name="latent", tooltip="The results' W+ codes."),
        io.String.Output(display_name="labels", tooltip="One line per result, for Compare Grid."),
    ]


def draw_figure(
    cls: Any, generator: host.Model, figure: Figure, shown: dict[str, list] | None = None
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
