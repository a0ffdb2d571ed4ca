"""Nodes that draw pictures: from seeds, and from W+ codes."""

from functools import partial

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.checkpoints.base import MOST_CLASSES
from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.codes.sampling import sample_latents
from ..stylemix_core.decoding import describe_leakage, draw_distinct, leakage
from ..stylemix_core.faces.transform import FaceTransform
from ..stylemix_core.images import to_comfy, to_pil
from ..stylemix_core.moving import STILL, Move, as_in_photos
from . import host, live
from .inputs import cutoff_of, move_input, noise_mode_input, seed_input, truncation_inputs
from .search_words import search_words
from .sockets import GENERATOR, LATENT, MOVE, TRANSFORM


class Sampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixSampler",
            display_name="StyleGAN2Sampler",
            category="StyleMix/sample",
            description="Draw new faces from seeds with a StyleGAN2 generator (GAN). The same seed and settings always "
            "give the same picture.",
            **search_words("StyleGAN", "GAN", "face", "generate", "portrait", "avatar", "random face"),
            is_output_node=True,
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator, from Load StyleGAN2."),
                seed_input(
                    "Which picture. A batch takes this seed, the next one, and so on. Seeds mean the same as "
                    "in NVIDIA's tools, where they go up to 4294967295.",
                    control_after_generate=True,
                ),
                io.Int.Input(
                    "batch_size", default=1, min=1, max=64, tooltip="How many pictures, from as many seeds."
                ),
                *truncation_inputs(),
                io.Int.Input(
                    "class_label",
                    default=-1,
                    min=-1,
                    max=MOST_CLASSES - 1,
                    tooltip="Which class to draw, counted from 0, for generators that were trained with class labels; "
                    "those need one. -1: none.",
                ),
                noise_mode_input(),
                move_input(),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The pictures."),
                LATENT.Output(display_name="latent", tooltip="The W+ codes of the pictures, one each."),
            ],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        seed: int,
        batch_size: int,
        truncation_psi: float,
        truncation_cutoff: int,
        class_label: int,
        noise_mode: str,
        move: Move = STILL,
    ) -> io.NodeOutput:
        seeds = range(seed, seed + batch_size)
        label = None if class_label < 0 else class_label
        runner = partial(host.run, generator)
        cutoff = cutoff_of(truncation_cutoff)
        latent = sample_latents(generator.network(), seeds, truncation_psi, cutoff, label, runner)
        images = draw(generator, latent, noise_mode, seed, move.for_codes(batch_size))
        return io.NodeOutput(images, latent, ui=host.pictures(images))


class Decode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixDecode",
            display_name="StyleGAN2Decode",
            category="StyleMix/sample",
            description="Draw the faces of W+ codes with a StyleGAN2 generator (GAN).",
            **search_words("StyleGAN", "GAN", "face", "decode", "W+", "latent to image"),
            is_output_node=True,
            inputs=[
                GENERATOR.Input(
                    "generator", tooltip="The generator that the codes were sampled or encoded for."
                ),
                LATENT.Input("latent", tooltip="The W+ codes, from StyleGAN2Sampler, PSPEncode or InjectW+."),
                noise_mode_input(),
                move_input(),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The pictures, one per code.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        latent: Latents,
        noise_mode: str,
        move: Move = STILL,
    ) -> io.NodeOutput:
        warning = check_generator(latent, generator.network())
        host.warn(cls.hidden.unique_id, warning)
        move = move.for_codes(len(latent))
        images = draw(generator, latent, noise_mode, 0, move)
        if latent.regions and warning is None:
            (figures,) = host.run(
                generator, 1, lambda G, items: leakage(G, latent.take(items), move.take(items))
            )
            host.tell(cls.hidden.unique_id, describe_leakage(*figures.tolist()))
        return io.NodeOutput(images, ui=host.pictures(images))


def draw(
    generator: host.AnyModel, latent: Latents, noise_mode: str, noise_seed: int, move: Move = STILL
) -> torch.Tensor:
    """The codes' pictures as IMAGE. Random noise depends on `noise_seed` and the place in the batch alone."""
    live.drew(generator, latent, noise_mode)
    runner = partial(host.run, generator, preview=to_pil)
    return to_comfy(*draw_distinct(latent, runner, noise_mode, noise_seed, move))


class TurnAndShift(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixMove",
            display_name="Turn and Shift",
            category="StyleMix/sample",
            description="Turn and shift the pictures of StyleGAN3, which draws what comes in at the edges.",
            **search_words("StyleGAN3", "rotate", "translate", "pose", "move", "tilt", "unaligned"),
            inputs=[
                io.Float.Input(
                    "rotate",
                    default=0.0,
                    min=-360.0,
                    max=360.0,
                    step=1.0,
                    tooltip="Degrees, counter-clockwise.",
                ),
                *(
                    io.Float.Input(
                        name,
                        default=0.0,
                        min=-2.0,
                        max=2.0,
                        step=0.01,
                        tooltip=f"How far {where}, in picture widths; after turning.",
                    )
                    for name, where in (("translate_x", "to the right"), ("translate_y", "down"))
                ),
                TRANSFORM.Input(
                    "transform",
                    optional=True,
                    tooltip="From Align Face: every face leans again as it did in its photo, and turns by rotate from "
                    "there.",
                ),
            ],
            outputs=[MOVE.Output(display_name="move", tooltip="For StyleGAN2Sampler or StyleGAN2Decode.")],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        rotate: float,
        translate_x: float,
        translate_y: float,
        transform: tuple[FaceTransform, ...] | None = None,
    ) -> io.NodeOutput:
        shift = translate_x, translate_y
        if transform is not None:
            return io.NodeOutput(as_in_photos(transform, shift, rotate))
        return io.NodeOutput(Move((shift,), (rotate,)))
