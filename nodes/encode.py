"""Nodes that find the W+ codes of pictures."""

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.latents import Latents
from ..stylemix_core.encoder.align import align_for
from ..stylemix_core.encoder.network import ITERATIONS
from ..stylemix_core.faces.align import ALIGN_MODES
from ..stylemix_core.images import from_comfy, to_comfy
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
            **host.shows(),
            inputs=[
                ENCODER.Input("encoder", tooltip="The encoder, from Load pSp Encoder."),
                io.Image.Input(
                    "image",
                    tooltip="Pictures of faces of the kind that the encoder was trained on. Of several faces the "
                    "largest one is read.",
                ),
                io.Combo.Input(
                    "align",
                    options=list(ALIGN_MODES),
                    default="auto",
                    tooltip="Whether to find the face and crop the picture to it first, framed as encoders know faces. "
                    "auto: unless it is such a crop already, or the encoder reads sketches or label maps. always. "
                    "never: the picture as it is.",
                ),
                io.Int.Input(
                    "n_iters",
                    default=ITERATIONS,
                    min=1,
                    max=20,
                    # Prompts from before there was this input lack it.
                    optional=True,
                    tooltip="How often a ReStyle encoder compares its picture with yours and refines the codes. Only "
                    "ReStyle encoders use it; others find the codes at once.",
                ),
            ],
            outputs=[
                LATENT.Output(display_name="latent", tooltip="The W+ codes, one per picture."),
                io.Image.Output(display_name="aligned", tooltip="The pictures as the encoder saw them."),
            ],
        )

    @classmethod
    @host.speaking
    def execute(
        cls, encoder: host.Model, image: torch.Tensor, align: str, n_iters: int = ITERATIONS
    ) -> io.NodeOutput:
        pictures = encoder.network().fit(align_for(encoder.network(), from_comfy(image), align))
        iterations = n_iters if encoder.network().iterative else None
        w = host.run(encoder, len(pictures), lambda E, items: E(pictures[items], iterations))
        origins = tuple(f"encoded picture {i}" for i in range(1, len(w) + 1))
        aligned = to_comfy(pictures)
        return io.NodeOutput(
            Latents(w, origins, encoder.network().generator), aligned, ui=host.pictures(aligned)
        )
