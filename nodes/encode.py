"""Nodes that find the W+ codes of pictures."""

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.images import from_comfy, resize, to_comfy
from ..stylemix_core.latents import Latents
from . import host
from .search import search_words
from .sockets import ENCODER, LATENT


class Encode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixEncode",
            display_name="PSPEncode",
            category="StyleMix/encode",
            description="Find the W+ codes of pictures of faces, so that a generator can draw and change them.",
            **search_words(
                "pSp", "encode", "invert", "photo", "face", "style", "StyleGAN", "image to latent"
            ),
            inputs=[
                ENCODER.Input("encoder", tooltip="The encoder, from Load pSp Encoder."),
                io.Image.Input(
                    "image",
                    tooltip="Pictures of one face each, of the kind that the encoder was trained on: for FFHQ models "
                    "an upright square crop of the head. Other sizes are resized.",
                ),
                io.Combo.Input(
                    "align",
                    options=["never"],
                    default="never",
                    tooltip="Whether to find the face and crop the picture to it first. never: the picture as it is.",
                ),
            ],
            outputs=[
                LATENT.Output(display_name="latent", tooltip="The W+ codes, one per picture."),
                io.Image.Output(display_name="aligned", tooltip="The pictures as the encoder saw them."),
            ],
        )

    @classmethod
    def execute(cls, encoder: host.Model, image: torch.Tensor, align: str) -> io.NodeOutput:
        if align != "never":  # the host does not check it
            raise StyleMixError(
                f"align {align!r} is unknown to this version; choose never, or update StyleMix"
            )
        size = encoder.network.input_size
        pictures = resize(from_comfy(image), size, size)
        w = host.run(encoder, len(pictures), lambda E, items: E(pictures[items]))
        origins = tuple(f"encoded picture {i}" for i in range(1, len(w) + 1))
        return io.NodeOutput(Latents(w, origins, encoder.network.generator), to_comfy(pictures))
