"""The node that moves a face by points of its picture."""

from dataclasses import replace

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.inversion.drag import Dragged, drag_points, parse_drags
from ..stylemix_core.masks.mask_list import MaskText
from . import host, live
from .inputs import masks_input
from .sample import draw
from .search_words import search_words
from .sockets import GENERATOR, LATENT

SHOWN_EVERY = 5
"""Steps from one picture on the way to the next."""


class DragFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixDrag",
            display_name="Drag Face · move points",
            category="StyleMix/latent",
            description="Drag points of a face, and the face follows: the nose to turn the head, the ends of the hair "
            "to make it longer (DragGAN). After a first run, draw the arrows on the picture.",
            **search_words("drag", "DragGAN", "move", "point", "pose", "turn", "warp", "liquify", "StyleGAN"),
            **host.shows(),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator of the code."),
                LATENT.Input("latent", tooltip="The face, one code: pick it with Latent From Batch."),
                io.String.Input(
                    "points",
                    multiline=True,
                    default="0.50, 0.58 > 0.54, 0.58",
                    dynamic_prompts=False,
                    tooltip="What goes where, one arrow a line: from x, y to x, y, each 0 to 1 from the left and the "
                    "top. Arrows drawn on the picture are written here.",
                ),
                io.String.Input(
                    "mask_list",
                    default="0-5",
                    dynamic_prompts=False,
                    tooltip="The layers that may change, as in InjectW+. 0-5 carry pose and shapes; strengths say how "
                    "fast.",
                ),
                io.Int.Input(
                    "steps",
                    default=100,
                    min=0,
                    max=2000,
                    tooltip="How many steps at most. It ends sooner when all points have arrived.",
                ),
                masks_input(replaces="mask_list"),
                io.Mask.Input(
                    "may_move",
                    optional=True,
                    tooltip="Where the picture may change: black is kept as it is as far as possible.",
                ),
            ],
            outputs=[
                LATENT.Output(display_name="latent", tooltip="The moved W+ code."),
                io.Image.Output(display_name="image", tooltip="The face as it is then."),
                io.String.Output(display_name="report", tooltip="How far each point came."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        latent: Latents,
        points: str,
        mask_list: str,
        steps: int,
        masks: object = None,
        may_move: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        node_id = cls.hidden.unique_id
        host.warn(node_id, check_generator(latent, generator.network()))
        drags = parse_drags(points)
        layers = MaskText.of(mask_list if masks is None else masks).resolve(latent.w.shape[1])
        report = host.step_reporter(node_id)

        def show(step: int, so_far: Dragged) -> None:
            picture = generator.network().synthesis(so_far.latents.w) if step % SHOWN_EVERY == 0 else None
            report(step, steps, picture)

        dragged = host.descend(
            [generator],
            1,
            lambda save_memory: drag_points(
                generator.network(),
                latent,
                drags,
                layers,
                steps,
                may_move,
                on_step=show,
                checkpointing=save_memory,
            ),
        )
        told = dragged.report(generator.network().img_resolution)
        host.tell(node_id, told.splitlines()[0])
        image = draw(generator, dragged.latents, "const", noise_seed=0)
        result = replace(dragged.latents)  # the same code, but not what ComfyUI keeps
        ran = live.Ran(latent, {}, lambda _, __: result)
        shown = host.pictures(image) | live.leave(dragged.latents, ran)
        return io.NodeOutput(dragged.latents, image, told, ui=shown)
