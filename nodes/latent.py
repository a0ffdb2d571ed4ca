"""Nodes that keep, pick and change W+ codes."""

from typing import Any

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.combine import blend_latents, join_latents, truncate_latents
from ..stylemix_core.codes.latents import (
    Latents,
    check_generator,
    for_other_generators,
    load_latents,
    pick_latents,
    save_latents,
)
from ..stylemix_core.figures.grid import overview
from ..stylemix_core.files.pictures import save_image
from ..stylemix_core.images import from_comfy
from ..stylemix_core.motion.walk import MOST_FRAMES
from . import host, live
from .inputs import (
    OWN_FORMAT,
    cutoff_of,
    file_input,
    filename_prefix_input,
    format_input,
    truncation_inputs,
)
from .sample import draw
from .search_words import search_words
from .sockets import GENERATOR, LATENT


class SaveLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixSaveLatent",
            display_name="Save W+",
            category="StyleMix/latent",
            description="Save W+ codes in the output folder, with a picture of them beside the file if you like. Load "
            "W+ brings the faces back, in this workflow or another.",
            **search_words("save latent", "W+", "export", "safetensors", "face", "StyleGAN"),
            is_output_node=True,
            inputs=[
                LATENT.Input("latent", tooltip="The W+ codes to save. A batch becomes one file."),
                filename_prefix_input("latents"),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The pictures of the codes, to be saved as one PNG beside the file and shown here.",
                ),
                GENERATOR.Input(
                    "generator", optional=True, tooltip="Draws the pictures when image is not connected."
                ),
                format_input(),
            ],
            outputs=[LATENT.Output(display_name="latent", tooltip="The same W+ codes.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        latent: Latents,
        filename_prefix: str,
        image: torch.Tensor | None = None,
        generator: host.AnyModel | None = None,
        format: str = OWN_FORMAT,
    ) -> io.NodeOutput:
        if image is None and generator is not None:
            host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
            image = draw(generator, latent, "const", noise_seed=0)
        picture = None if image is None else overview(from_comfy(image))
        height, width = (0, 0) if picture is None else picture.shape[1:]
        file = host.new_file(filename_prefix, width, height)
        texts = host.workflow_texts(cls.hidden)
        save_latents(file.path(f".{format}"), latent, texts)
        shown = {"latents": [file.shown(f".{format}")]}
        if picture is not None:
            save_image(file.path(".png"), picture, texts)
            shown["images"] = [file.shown(".png")]
        return io.NodeOutput(latent, ui=shown)


class LoadLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLoadLatent",
            display_name="Load W+",
            category="StyleMix/latent",
            description="Load W+ codes to draw or mix those faces again: those that Save W+ has saved, and other "
            "tools' (projected_w.npz, latents.pt, latents.npy and more).",
            **search_words(
                "load latent",
                "W+",
                "import",
                "safetensors",
                "npz",
                "projected_w",
                "e4e",
                "PTI",
                "face",
                "StyleGAN",
            ),
            **host.shows(),
            inputs=[
                file_input(
                    host.latent_names(),
                    "A file with W+ codes from the input or the output folder, this pack's or another tool's (.npz, "
                    ".npy, .pt), or the bundled bob haircut, which suits the bundled demo models.",
                    default=host.BOB,
                ),
                GENERATOR.Input(
                    "generator",
                    optional=True,
                    tooltip="Needed for files of single w, which do not say how many layers there are.",
                ),
                io.Int.Input(
                    "iteration",
                    default=-1,
                    min=-1000,
                    max=1000,
                    optional=True,
                    tooltip="Which one, where a file keeps all steps of a code, as ReStyle's do: from 0 on, or "
                    "negative from the last. Other files do not use it.",
                ),
            ],
            outputs=[
                LATENT.Output(display_name="latent", tooltip="The W+ codes."),
                io.String.Output(
                    display_name="labels",
                    tooltip="How each code came about, one line per code, for Compare Grid.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return host.check_file(file, host.latent_path)

    @classmethod
    def fingerprint_inputs(cls, file: str, **others: object) -> str:
        return host.file_stamp(host.latent_path(file))

    @classmethod
    @host.speaking
    def execute(cls, file: str, generator: host.AnyModel | None = None, iteration: int = -1) -> io.NodeOutput:
        num_ws = None if generator is None else generator.network().num_ws
        latent = load_latents(host.latent_path(file), num_ws, iteration)
        return io.NodeOutput(latent, "\n".join(latent.origins), ui=live.faces(latent))


class BlendLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixBlendLatent",
            display_name="Blend W+ · morph or mix faces",
            category="StyleMix/latent",
            description="Blend two faces: from a to b in all layers alike. InjectW+ blends chosen layers.",
            **search_words("blend", "lerp", "interpolate", "morph", "mix faces", "merge", "W+", "StyleGAN"),
            **host.shows(),
            inputs=[
                LATENT.Input("a", tooltip="The codes at weight 0."),
                LATENT.Input("b", tooltip="The codes at weight 1. One code is blended with each of several."),
                io.Float.Input(
                    "weight",
                    default=0.5,
                    min=-1.0,
                    max=2.0,
                    step=0.01,
                    tooltip="How much of b. 0 is a, 1 is b, 0.5 is halfway. Beyond 1 exaggerates what sets b apart, "
                    "below 0 goes the opposite way.",
                ),
            ],
            outputs=[LATENT.Output(display_name="latent", tooltip="The blended W+ codes.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(cls, a: Latents, b: Latents, weight: float) -> io.NodeOutput:
        blended = blend_latents(a, b, weight)
        if for_other_generators(a, b):
            host.warn(
                cls.hidden.unique_id,
                "a and b were made for generators with different weights, so the blend may look wrong; "
                "sample or encode both for the same generator",
            )
        other = b.take([0])
        ran = live.Ran(
            a, {"weight": float(weight)}, lambda first, _, weight: blend_latents(first, other, weight)
        )
        return io.NodeOutput(blended, ui=live.leave(blended, ran))


class TruncateLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixTruncateLatent",
            display_name="Truncate W+",
            category="StyleMix/latent",
            description="Move faces towards the generator's average face (truncation): fewer oddities, less variety.",
            **search_words("truncation", "psi", "average face", "W+", "StyleGAN"),
            **host.shows(),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator whose average face is meant."),
                LATENT.Input("latent", tooltip="The W+ codes to move."),
                *truncation_inputs(),
            ],
            outputs=[LATENT.Output(display_name="latent", tooltip="The moved W+ codes.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls, generator: host.AnyModel, latent: Latents, truncation_psi: float, truncation_cutoff: int
    ) -> io.NodeOutput:
        host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))

        def truncated(codes: Latents, network: Any, truncation_psi: float, truncation_cutoff: int) -> Latents:
            return truncate_latents(codes, network, truncation_psi, cutoff_of(truncation_cutoff))

        moved = truncated(latent, generator.network(), truncation_psi, truncation_cutoff)
        values = {"truncation_psi": float(truncation_psi), "truncation_cutoff": truncation_cutoff}
        return io.NodeOutput(moved, ui=live.leave(moved, live.Ran(latent, values, truncated)))


class LatentFromBatch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLatentFromBatch",
            display_name="Latent From Batch",
            category="StyleMix/latent",
            description="Pick W+ codes out of a batch: one face of many, or several in a row.",
            **search_words("pick", "select", "index", "split", "W+", "face", "StyleGAN"),
            **host.shows(),
            inputs=[
                LATENT.Input("latent", tooltip="The batch of W+ codes."),
                io.Int.Input(
                    "index",
                    default=0,
                    min=-MOST_FRAMES,
                    max=MOST_FRAMES - 1,
                    tooltip="The first code to pick. 0 is the first of the batch, -1 the last.",
                ),
                io.Int.Input("length", default=1, min=1, max=MOST_FRAMES, tooltip="How many codes to pick."),
            ],
            outputs=[LATENT.Output(display_name="latent", tooltip="The picked W+ codes.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(cls, latent: Latents, index: int, length: int) -> io.NodeOutput:
        picked = pick_latents(latent, index, length)
        return io.NodeOutput(picked, ui=live.faces(picked))


class LatentBatch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLatentBatch",
            display_name="Batch W+",
            category="StyleMix/latent",
            description="Join W+ codes into one batch, to draw or mix all those faces together.",
            **search_words("batch", "join", "concatenate", "combine", "W+", "face", "StyleGAN"),
            **host.shows(),
            inputs=[
                LATENT.Input("a", tooltip="The codes that come first."),
                LATENT.Input("b", tooltip="The codes that come after them."),
            ],
            outputs=[LATENT.Output(display_name="latent", tooltip="All W+ codes.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(cls, a: Latents, b: Latents) -> io.NodeOutput:
        joined = join_latents([a, b])
        return io.NodeOutput(joined, ui=live.faces(joined))
