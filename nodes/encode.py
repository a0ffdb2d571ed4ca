"""Nodes that find the W+ codes of pictures: at once, or by descent, which may tune the generator to them."""

from typing import Any

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.certainty import as_latents, read, told_of_all
from ..stylemix_core.encoder.align import align_for
from ..stylemix_core.encoder.network import ITERATIONS
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.faces.align import ALIGN_MODES
from ..stylemix_core.images import from_comfy, pil_to_comfy, to_comfy
from ..stylemix_core.inversion import (
    METHODS,
    QUALITIES,
    InversionOptions,
    check_encoder,
    invert,
    load_delta,
    save_delta,
)
from . import host
from .inputs import file_input, filename_prefix_input, seed_input
from .search_words import search_words
from .sockets import ENCODER, GENERATOR, INVERSION, LATENT

AS_QUALITY = -0.01
"""What the options' numbers are where the quality decides."""


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
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls, encoder: host.Model, image: torch.Tensor, align: str, n_iters: int = ITERATIONS
    ) -> io.NodeOutput:
        network = encoder.network()
        pictures = network.fit(align_for(network, from_comfy(image), align))
        iterations = n_iters if network.iterative else None
        found = host.run(encoder, len(pictures), lambda E, items: read(E, pictures[items], iterations))
        names = [f"encoded picture {i}" for i in range(1, len(pictures) + 1)]
        codes = as_latents(network, found, names)
        if codes.error_bars is not None:
            host.tell(cls.hidden.unique_id, told_of_all(codes.error_bars))
        aligned = to_comfy(pictures)
        return io.NodeOutput(codes, aligned, ui=host.pictures(aligned))


class Invert(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixInvert",
            display_name="Invert",
            category="StyleMix/encode",
            description="Find the W+ codes that draw pictures again as exactly as the chosen method can.",
            **search_words(
                "inversion",
                "projection",
                "project",
                "GAN inversion",
                "pivotal tuning",
                "PTI",
                "ReStyle",
                "photo",
            ),
            **host.shows(),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator that shall draw the pictures."),
                io.Image.Input(
                    "image",
                    tooltip="Pictures of one face each, cropped as the generator's training pictures were: see Align "
                    "Face. A batch is inverted together.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="optimize",
                    tooltip="encode: what the encoder sees, at once. iterate: ReStyle encoders, which look several "
                    "times. optimize: improve the encoder's code step by step. tune: then change the generator "
                    "itself a little; the closest, and codes only look so with the generator that comes out.",
                ),
                io.Int.Input(
                    "steps",
                    default=200,
                    min=0,
                    max=10000,
                    tooltip="How long optimize works; tune takes as many steps again. 100 is a draft, 500 thorough.",
                ),
                io.Combo.Input(
                    "quality",
                    options=list(QUALITIES),
                    default="balanced",
                    tooltip="What to favour. faithful: likeness to the picture. editable: codes that mix well. "
                    "balanced: both.",
                ),
                seed_input("Of the random numbers inside. The same seed gives the same result."),
                ENCODER.Input(
                    "encoder",
                    optional=True,
                    tooltip="Where to start: much better than without. encode and iterate need it.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the pictures matter: white is matched, black is left to the generator.",
                ),
                INVERSION.Input("options", optional=True, tooltip="More settings, from Invert Options."),
            ],
            outputs=[
                LATENT.Output(display_name="latent", tooltip="The W+ codes, one per picture."),
                io.Image.Output(display_name="image", tooltip="The pictures as the codes draw them."),
                GENERATOR.Output(
                    display_name="generator",
                    tooltip="The generator that draws the codes so: with the noise and the tuning that were found.",
                ),
                io.Image.Output(display_name="report", tooltip="How the loss fell, with the figures."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        image: torch.Tensor,
        method: str,
        steps: int,
        quality: str,
        seed: int,
        encoder: host.Model | None = None,
        mask: torch.Tensor | None = None,
        options: tuple[tuple[str, Any], ...] = (),
    ) -> io.NodeOutput:
        warning = None if encoder is None else check_encoder(encoder.network(), generator.network())
        host.warn(cls.hidden.unique_id, warning)
        chosen = {"perceptual": host.vgg_file(), **dict(options)}
        pictures = from_comfy(image)
        result = host.descend(
            [generator] if encoder is None else [generator, encoder],
            len(pictures),
            lambda save_memory: invert(
                generator.network(),
                pictures,
                None if encoder is None else encoder.network(),
                method,
                steps,
                seed,
                quality=quality,
                mask=mask,
                on_step=host.step_reporter(cls.hidden.unique_id),
                **{**chosen, "checkpointing": save_memory or chosen.get("checkpointing", False)},
            ),
        )
        images = to_comfy(result.images)
        return io.NodeOutput(
            result.latents(),
            images,
            host.tuned(generator, result.delta),
            pil_to_comfy([result.report()]),
            ui=host.pictures(images),
        )


class InvertOptions(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def strength(
            name: str, default: float, most: float, step: float, tooltip: str, optional: bool = False
        ) -> io.Float.Input:
            least = AS_QUALITY if default == AS_QUALITY else 0.0
            if default == AS_QUALITY:
                tooltip += " Below 0: what quality sets."
            return io.Float.Input(
                name, default=default, min=least, max=most, step=step, tooltip=tooltip, optional=optional
            )

        return io.Schema(
            node_id="StyleMixInvertOptions",
            display_name="Invert Options",
            category="StyleMix/encode",
            description="What Invert offers beyond its own inputs.",
            **search_words(
                "inversion", "projection", "pivotal tuning", "PTI", "learning rate", "perceptual loss"
            ),
            inputs=[
                strength(
                    "learning_rate",
                    AS_QUALITY,
                    1.0,
                    0.01,
                    "How far a step goes, in standard deviations of w. 0.05 is usual.",
                ),
                strength(
                    "pull",
                    AS_QUALITY,
                    1.0,
                    0.01,
                    "Keeps the layers of a code alike, so that they can be mixed.",
                ),
                io.Combo.Input(
                    "noise",
                    options=["find", "keep"],
                    default="find",
                    tooltip="find: also look for the fine noise of the pictures, for generators that use noise. keep: "
                    "the generator's own.",
                ),
                strength(
                    "perceptual_weight",
                    InversionOptions.perceptual_weight,
                    10.0,
                    0.05,
                    "How much looks count beside plain pixels.",
                ),
                strength(
                    "identity_weight",
                    InversionOptions.identity_weight,
                    10.0,
                    0.05,
                    "How much the face that the encoder recognises counts.",
                ),
                io.Int.Input(
                    "starts",
                    default=InversionOptions.starts,
                    min=1,
                    max=256,
                    tooltip="Codes to try first when there is no encoder.",
                ),
                io.Int.Input(
                    "iterations",
                    default=InversionOptions.iterations,
                    min=1,
                    max=50,
                    tooltip="How often a ReStyle encoder looks, for iterate.",
                ),
                io.Int.Input(
                    "tune_steps",
                    default=-1,
                    min=-1,
                    max=10000,
                    tooltip="Steps that tune takes after those of optimize. -1: as many.",
                ),
                io.Float.Input(
                    "tune_learning_rate",
                    default=InversionOptions.tune_learning_rate,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="How fast tune changes the generator.",
                ),
                strength(
                    "locality",
                    AS_QUALITY,
                    10.0,
                    0.01,
                    "How much tune keeps the generator as it was for other faces.",
                ),
                io.Combo.Input(
                    "memory",
                    options=["auto", "save"],
                    default="auto",
                    tooltip="save: needs less memory and up to half more time. auto: when memory runs out.",
                ),
                strength(
                    "trust",
                    AS_QUALITY,
                    10.0,
                    0.01,
                    "How much an encoder's error bars hold the code near what it saw, where it is sure.",
                    optional=True,
                ),
            ],
            outputs=[INVERSION.Output(display_name="options", tooltip="For Invert.")],
        )

    @classmethod
    def execute(cls, noise: str, memory: str, tune_steps: int, **numbers: Any) -> io.NodeOutput:
        given = {name: value for name, value in numbers.items() if value >= 0}
        chosen = {
            **given,
            "noise": noise == "find",
            "checkpointing": memory == "save",
            "tune_steps": None if tune_steps < 0 else tune_steps,
        }
        return io.NodeOutput(tuple(chosen.items()))


class SaveTuning(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixSaveTuning",
            display_name="Save Tuning",
            category="StyleMix/encode",
            description="Save what Invert has changed in a generator as a small file in the output folder. Load Tuning "
            "gives it to the same generator again.",
            **search_words("tuning", "PTI", "pivotal tuning", "save", "generator", "safetensors", "StyleGAN"),
            is_output_node=True,
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator that came out of Invert."),
                filename_prefix_input("tunings"),
            ],
            outputs=[GENERATOR.Output(display_name="generator", tooltip="The same generator.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(cls, generator: host.AnyModel, filename_prefix: str) -> io.NodeOutput:
        if not isinstance(generator, host.Tuned):
            raise StyleMixError(
                "nothing in this generator was changed; connect the generator output of Invert, with the method tune"
            )
        file = host.new_file(filename_prefix)
        texts = host.workflow_texts(cls.hidden)
        save_delta(file.path(".safetensors"), generator.tuning(), texts=texts)
        host.tell(cls.hidden.unique_id, f"{file.subfolder}/{file.stem}.safetensors".lstrip("/"))
        return io.NodeOutput(generator, ui={"tunings": [file.shown(".safetensors")]})


class LoadTuning(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLoadTuning",
            display_name="Load Tuning",
            category="StyleMix/encode",
            description="Give a generator what Invert had changed in it, from a file that was saved.",
            **search_words("tuning", "PTI", "pivotal tuning", "load", "generator", "safetensors", "StyleGAN"),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator that was tuned, as its loader gives it."),
                file_input(
                    host.tuning_names(),
                    "A .safetensors file with a tuning, from the input or the output folder.",
                ),
            ],
            outputs=[
                GENERATOR.Output(
                    display_name="generator", tooltip="The tuned generator. The one given stays as it is."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return host.check_file(file, none="there is no tuning yet; save one with Save Tuning, or upload one")

    @classmethod
    def fingerprint_inputs(cls, file: str, generator: Any = None) -> str:
        return host.file_stamp(host.file_path(file))

    @classmethod
    def execute(cls, generator: host.AnyModel, file: str) -> io.NodeOutput:
        tuned = host.Tuned(generator, load_delta(host.file_path(file)))
        tuned.network()  # made now: a tuning of another generator is this node's error
        return io.NodeOutput(tuned)
