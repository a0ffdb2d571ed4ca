"""The node that injects as much of a style as a face can take."""

from functools import partial

from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.latents import Latents
from ..stylemix_core.encoder.identity import find_identity
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.masks.grammar import MAX_STRENGTH
from ..stylemix_core.mixing.identity_cap import cap_identity, seen_through
from ..stylemix_core.mixing.pairing import PAIRINGS
from . import host
from .figures import checked_masks, masks_input, mixing_inputs
from .inject import masks_shown
from .search import search_words
from .sockets import ENCODER, LATENT


class IdentityCap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixIdentityCap",
            display_name="Identity Cap",
            category="StyleMix/inject",
            description="Inject as much of a style as a face can take before it becomes somebody else: every mask's "
            "strength is raised until identity drifts as far as the limit.",
            **search_words(
                "identity", "ArcFace", "likeness", "limit", "style mixing", "face", "StyleGAN", "W+"
            ),
            **host.shows(),
            inputs=[
                *mixing_inputs("all"),
                io.Float.Input(
                    "limit",
                    default=0.2,
                    min=0.01,
                    max=2.0,
                    step=0.01,
                    tooltip="How far identity may drift: 0 is the same face, 1 nothing in common (1 − cosine). What a "
                    "number means depends on what recognises the faces, which the report names.",
                ),
                io.Float.Input(
                    "highest",
                    default=1.0,
                    min=0.05,
                    max=MAX_STRENGTH,
                    step=0.05,
                    tooltip="How far to raise where the limit is not reached: what the masks' strengths are times.",
                ),
                io.Combo.Input(
                    "pairing",
                    options=list(PAIRINGS),
                    default="match",
                    tooltip="match: the one style for all sources, or the first style for the first source, and so "
                    "on. all: every style for every source.",
                ),
                masks_input(),
                ENCODER.Input(
                    "encoder",
                    optional=True,
                    tooltip="Recognises faces by its features. Not needed where ArcFace's file model_ir_se50.pth is in "
                    "models/psp or models/stylegan, which recognises them better.",
                ),
            ],
            outputs=[
                LATENT.Output(
                    display_name="latent",
                    tooltip="The results: all masks for the first source, then for the second, and so on.",
                ),
                io.String.Output(
                    display_name="labels",
                    tooltip="One line per result, with the strength that was found, for Compare Grid.",
                ),
                io.String.Output(
                    display_name="report", tooltip="What recognised the faces, and every drift."
                ),
            ],
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
        limit: float,
        highest: float,
        pairing: str,
        masks: object = None,
        encoder: host.Model | None = None,
    ) -> io.NodeOutput:
        resolved = checked_masks(cls, generator, latent, style, mask_list, alpha, seed, masks)
        arcface = host.arcface_file()
        identity = find_identity(
            arcface, None if encoder is None else encoder.network(), generator.handle().load_device
        )
        if identity is None:
            raise StyleMixError(
                "nothing here recognises faces: connect an encoder that reads photos, or put ArcFace's "
                "model_ir_se50.pth into models/psp"
            )
        beside = [encoder] if encoder is not None and arcface is None else []
        see = seen_through(partial(host.run, generator, beside=beside), identity)
        capped = cap_identity(latent, style, resolved, limit, see, pairing, highest)
        host.tell(cls.hidden.unique_id, f"Identity by {identity.name}")
        report = capped.report(identity.name)
        return io.NodeOutput(capped.results, "\n".join(capped.labels), report, ui=masks_shown(resolved))
