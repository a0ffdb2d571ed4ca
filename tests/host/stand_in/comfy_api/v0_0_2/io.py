"""The part of ComfyUI's V3 schema that the pack uses, with the arguments that 0.3.48 has and no others."""

from enum import Enum
from typing import Any


class Input:
    io_type = ""

    def __init__(
        self, id, display_name=None, optional=False, tooltip=None, lazy=None, extra_dict=None
    ) -> None:
        self.id, self.optional = id, optional
        self.options = {"display_name": display_name, "tooltip": tooltip, "lazy": lazy, **(extra_dict or {})}


class WidgetInput(Input):
    def __init__(
        self, id, display_name, optional, tooltip, lazy, default, socketless=None, force_input=None, **options
    ) -> None:
        super().__init__(id, display_name, optional, tooltip, lazy)
        self.options |= {"default": default, "socketless": socketless, "forceInput": force_input, **options}


class Output:
    io_type = ""

    def __init__(self, id=None, display_name=None, tooltip=None, is_output_list=False) -> None:
        self.id, self.display_name, self.tooltip, self.is_output_list = (
            id,
            display_name,
            tooltip,
            is_output_list,
        )


InputKind = type[Input]
OutputKind = type[Output]


class Socket:
    Input: InputKind
    Output: OutputKind


def Custom(io_type: str) -> type[Socket]:
    names = {"io_type": io_type}
    return type(
        io_type,
        (Socket,),
        {"Input": type("Input", (Input,), names), "Output": type("Output", (Output,), names)},
    )


Image = Custom("IMAGE")
Mask = Custom("MASK")
Audio = Custom("AUDIO")
Video = Custom("VIDEO")


class Boolean:
    class Input(WidgetInput):
        io_type = "BOOLEAN"

        def __init__(
            self, id, display_name=None, optional=False, tooltip=None, lazy=None, default=None, label_on=None,
            label_off=None, socketless=None, force_input=None,
        ) -> None:  # fmt: skip
            super().__init__(
                id, display_name, optional, tooltip, lazy, default, socketless, force_input, label_on=label_on,
                label_off=label_off,
            )  # fmt: skip


class Int:
    class Input(WidgetInput):
        io_type = "INT"

        def __init__(
            self, id, display_name=None, optional=False, tooltip=None, lazy=None, default=None, min=None, max=None,
            step=None, control_after_generate=None, display_mode=None, socketless=None, force_input=None,
        ) -> None:  # fmt: skip
            super().__init__(
                id, display_name, optional, tooltip, lazy, default, socketless, force_input, min=min, max=max,
                step=step, control_after_generate=control_after_generate, display=display_mode,
            )  # fmt: skip

    class Output(Output):
        io_type = "INT"


class Float:
    class Input(WidgetInput):
        io_type = "FLOAT"

        def __init__(
            self, id, display_name=None, optional=False, tooltip=None, lazy=None, default=None, min=None, max=None,
            step=None, round=None, display_mode=None, socketless=None, force_input=None,
        ) -> None:  # fmt: skip
            super().__init__(
                id, display_name, optional, tooltip, lazy, default, socketless, force_input, min=min, max=max,
                step=step, round=round, display=display_mode,
            )  # fmt: skip


class String:
    class Input(WidgetInput):
        io_type = "STRING"

        def __init__(
            self, id, display_name=None, optional=False, tooltip=None, lazy=None, multiline=False, placeholder=None,
            default=None, dynamic_prompts=None, socketless=None, force_input=None,
        ) -> None:  # fmt: skip
            super().__init__(
                id, display_name, optional, tooltip, lazy, default, socketless, force_input, multiline=multiline,
                placeholder=placeholder, dynamicPrompts=dynamic_prompts,
            )  # fmt: skip

    class Output(Output):
        io_type = "STRING"


class Combo:
    class Input(WidgetInput):
        io_type = "COMBO"

        def __init__(
            self, id, options=None, display_name=None, optional=False, tooltip=None, lazy=None, default=None,
            control_after_generate=None, upload=None, image_folder=None, remote=None, socketless=None,
        ) -> None:  # fmt: skip
            super().__init__(
                id, display_name, optional, tooltip, lazy, default, socketless, multiselect=False, options=options,
                control_after_generate=control_after_generate, **({upload.value: True} if upload else {}),
            )  # fmt: skip


class UploadType(str, Enum):
    model = "file_upload"


class Hidden(str, Enum):
    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"


class HiddenHolder:
    def __init__(self, values: dict[Hidden, Any]) -> None:
        self.__dict__.update({key.name: value for key, value in values.items()})

    def __getattr__(self, name: str) -> None:
        return None


class Schema:
    def __init__(
        self, node_id, display_name=None, category="sd", inputs=None, outputs=None, hidden=None, description="",
        is_input_list=False, is_output_node=False, is_deprecated=False, is_experimental=False, is_api_node=False,
        not_idempotent=False, enable_expand=False,
    ) -> None:  # fmt: skip
        self.node_id, self.display_name, self.category, self.description = (
            node_id,
            display_name,
            category,
            description,
        )
        self.inputs, self.outputs, self.hidden = inputs or [], outputs or [], [*(hidden or ())]
        self.is_input_list = is_input_list
        if is_output_node:
            self.hidden += [item for item in (Hidden.prompt, Hidden.extra_pnginfo) if item not in self.hidden]
        self.is_output_node, self.is_deprecated, self.is_experimental = (
            is_output_node,
            is_deprecated,
            is_experimental,
        )
        ids = [item.id for item in (*self.inputs, *self.outputs) if item.id is not None]
        if len(ids) != len(set(ids)):
            raise ValueError(f"ids of inputs and outputs must be unique: {ids}")

    def info(self) -> dict[str, Any]:
        """As `/object_info` describes the node."""
        inputs: dict[str, dict] = {"required": {}}
        for item in self.inputs:
            options = {key: value for key, value in item.options.items() if value is not None}
            inputs.setdefault("optional" if item.optional else "required", {})[item.id] = [
                item.io_type,
                options,
            ]
        for hidden in self.hidden:
            inputs.setdefault("hidden", {})[hidden.name] = [hidden.value]
        return {
            "input": inputs,
            "input_order": {group: list(names) for group, names in inputs.items()},
            "output": [output.io_type for output in self.outputs],
            "output_is_list": [output.is_output_list for output in self.outputs],
            "output_name": [output.display_name or output.io_type for output in self.outputs],
            "output_tooltips": [output.tooltip for output in self.outputs],
            "name": self.node_id,
            "display_name": self.display_name,
            "description": self.description,
            "category": self.category,
            "output_node": self.is_output_node,
            "deprecated": self.is_deprecated,
            "experimental": self.is_experimental,
        }


class ComfyNode:
    hidden: HiddenHolder
    """Set on the copy of the class that runs."""


class NodeOutput:
    def __init__(self, *args, ui=None, expand=None, block_execution=None) -> None:
        self.args, self.ui = args, ui

    @property
    def result(self) -> tuple:
        return self.args
