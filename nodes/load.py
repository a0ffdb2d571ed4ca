"""Nodes that load checkpoints."""

from comfy_api.v0_0_2 import io

from ..stylemix_core.checkpoints import load_encoder, load_generator
from ..stylemix_core.device import PRECISIONS
from ..stylemix_core.generator.engine.compiled import cannot_compile
from . import host
from .search_words import search_words
from .sockets import ENCODER, GENERATOR


def checkpoint_input(folder: str, tooltip: str) -> io.Combo.Input:
    return io.Combo.Input(
        "checkpoint", options=host.checkpoint_names(folder), default=host.DEMO, tooltip=tooltip
    )


def dtype_input() -> io.Combo.Input:
    return io.Combo.Input(
        "dtype",
        options=list(PRECISIONS),
        default="auto",
        tooltip="Precision of the heavy layers. auto takes float16 for generators on NVIDIA and AMD GPUs, "
        "bfloat16 for large networks on processors that compute with it, and float32 elsewhere; the log says which. "
        "float32 is exact; tf32 is as fast and as rough as the original code on NVIDIA GPUs, and float32 elsewhere; "
        "the half precisions need half the memory.",
    )


class LoadGenerator(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLoadGenerator",
            display_name="Load StyleGAN2",
            category="StyleMix/load",
            description="Load a StyleGAN2 generator (GAN), which draws faces or whatever else it was trained on.",
            **search_words("StyleGAN", "GAN", "face", "generator", "checkpoint", "model", "FFHQ"),
            **host.shows(),
            inputs=[
                checkpoint_input(
                    host.GENERATORS,
                    "The generator. The bundled demo draws cartoon avatars at once. Files of your own go into "
                    "models/stylegan: NVIDIA's .pkl (PyTorch or TensorFlow), rosinality's .pt, .safetensors.",
                ),
                dtype_input(),
                io.Boolean.Input(
                    "compile",
                    default=False,
                    optional=True,
                    tooltip="Draw with code that PyTorch compiles for this machine: a few percent faster in half "
                    "precision, next to nothing in float32. The first picture takes up to a minute longer, after a "
                    "restart some seconds. Where PyTorch cannot compile, the node says so and draws without it.",
                ),
            ],
            outputs=[
                GENERATOR.Output(
                    display_name="generator",
                    tooltip="The generator, for StyleGAN2Sampler and StyleGAN2Decode.",
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        return host.check_checkpoint(host.GENERATORS, checkpoint)

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str, dtype: str, compile: bool = False) -> str:
        return host.checkpoint_stamp(host.GENERATORS, checkpoint)

    @classmethod
    @host.speaking
    def execute(cls, checkpoint: str, dtype: str, compile: bool = False) -> io.NodeOutput:
        generator = host.open_model(load_generator, host.GENERATORS, checkpoint, dtype)
        network = generator.network()  # read the file now: a damaged one is this node's error
        if not compile:
            return io.NodeOutput(generator)
        refusal = cannot_compile(generator.handle().load_device, network.dtype)
        if refusal is None:
            return io.NodeOutput(host.Compiled(generator))
        host.tell(cls.hidden.unique_id, refusal)
        return io.NodeOutput(generator)


class LoadEncoder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLoadEncoder",
            display_name="Load pSp Encoder",
            category="StyleMix/load",
            description="Load an encoder (pSp, e4e, ReStyle), which finds the W+ code of a face in a picture.",
            **search_words("pSp", "pixel2style2pixel", "e4e", "encoder", "face", "inversion", "StyleGAN"),
            inputs=[
                checkpoint_input(
                    host.ENCODERS,
                    "The encoder. The bundled demo knows cartoon avatars. Files of your own go into models/psp: the "
                    ".pt of pSp, e4e or ReStyle, .safetensors.",
                ),
                dtype_input(),
            ],
            outputs=[
                ENCODER.Output(display_name="encoder", tooltip="The encoder, for PSPEncode."),
                GENERATOR.Output(
                    display_name="generator",
                    tooltip="The generator that the encoder was trained for, if its file contains one. "
                    "It is loaded when it is used.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        return host.check_checkpoint(host.ENCODERS, checkpoint)

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str, dtype: str) -> str:
        return host.checkpoint_stamp(host.ENCODERS, checkpoint)

    @classmethod
    def execute(cls, checkpoint: str, dtype: str) -> io.NodeOutput:
        encoder = host.open_model(load_encoder, host.ENCODERS, checkpoint, dtype)
        encoder.network()  # read the file now: a damaged one is this node's error
        # Not read yet: many workflows take their generator from another file.
        generator = host.open_model(load_generator, host.ENCODERS, checkpoint, dtype)
        return io.NodeOutput(encoder, generator)
