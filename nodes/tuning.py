"""Nodes that keep what Invert changed in a generator."""

from typing import Any

from comfy_api.v0_0_2 import io

from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.inversion import load_delta, save_delta
from . import host
from .search import search_words
from .sockets import GENERATOR

NONE = ""
"""What is chosen where there is no file yet."""


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
                io.String.Input(
                    "filename_prefix",
                    default="tunings/StyleMix",
                    tooltip="Name of the file, with folders if you like. A number is added, so that nothing is "
                    "overwritten. %date:yyyy-MM-dd%, %year% and the like are filled in.",
                ),
            ],
            outputs=[GENERATOR.Output(display_name="generator", tooltip="The same generator.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(cls, generator: host.Model | host.Tuned, filename_prefix: str) -> io.NodeOutput:
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
                io.Combo.Input(
                    "file",
                    options=host.tuning_names() or [NONE],
                    upload=io.UploadType.model,
                    tooltip="A .safetensors file with a tuning, from the input or the output folder.",
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
        """Checked here and not against the list, which the page may have got before the file was written."""
        try:
            if file == NONE:
                return "there is no tuning yet; save one with Save Tuning, or upload one"
            if file is not None:  # a wired name is not known yet
                host.file_path(file)
        except StyleMixError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str, generator: Any = None) -> str:
        return host.file_stamp(host.file_path(file))

    @classmethod
    def execute(cls, generator: host.Model | host.Tuned, file: str) -> io.NodeOutput:
        tuned = host.Tuned(generator, load_delta(host.file_path(file)))
        tuned.network()  # made now: a tuning of another generator is this node's error
        return io.NodeOutput(tuned)
