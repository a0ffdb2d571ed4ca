"""Runs API-format prompts on the stand-in: what ComfyUI's `execution.py` does, in little."""

import asyncio
import importlib.util
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from stylemix_core.motion.film import Film

from .. import builders
from . import PACK, Prompt, Run, probing

STAND_IN = Path(__file__).parent / "stand_in"


class StandIn:
    """A `Host` inside this process."""

    def __init__(self, base: Path):
        if str(STAND_IN) not in sys.path:
            sys.path.insert(0, str(STAND_IN))
        import folder_paths

        folder_paths.set_base(base)
        self.base = base
        for folder in ("models", "input", "output"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        self.pack = load_pack(PACK)
        extension = complete(self.pack.comfy_entrypoint())
        self.nodes = {node.define_schema().node_id: node for node in complete(extension.get_node_list())}
        self.cache: dict[Any, tuple] = {}

    def module(self, name: str) -> ModuleType:
        """A module of the loaded pack, such as "nodes.host"."""
        return sys.modules[f"{self.pack.__name__}.{name}"]

    def object_info(self) -> dict[str, Any]:
        return {node_id: node.define_schema().info() for node_id, node in self.nodes.items()}

    def forget(self) -> None:
        self.cache.clear()

    def run(self, prompt: Prompt) -> Run:
        run = Run()
        outputs = [node_id for node_id, node in prompt.items() if self.is_output(node["class_type"])]
        for node_id in prompt:
            problem = self.problem(prompt, node_id)
            if problem:
                run.errors[node_id] = problem
        # What earlier prompts left and this one does not use is dropped, as ComfyUI's default cache does.
        signatures = {}
        if not run.errors:
            signatures = {node_id: self.signature(prompt, node_id) for node_id in prompt}
            self.cache = {key: value for key, value in self.cache.items() if key in signatures.values()}
        for node_id in outputs:
            if run.errors:
                break
            self.result(prompt, node_id, signatures, run)
        # What was remembered is told again, of nodes before a remembered one as well.
        for node_id, key in signatures.items():
            if node_id not in run.executed and key in self.cache:
                self.show(run, node_id, self.cache[key][1])
        return run

    def is_output(self, class_type: str) -> bool:
        if class_type in CORE_NODES:
            return class_type in OUTPUT_NODES
        return self.nodes[class_type].define_schema().is_output_node

    def problem(self, prompt: Prompt, node_id: str) -> str | None:
        """Why ComfyUI would refuse this node's inputs."""
        class_type, given = prompt[node_id]["class_type"], prompt[node_id]["inputs"]
        if class_type in CORE_NODES:
            return None
        node = self.nodes[class_type]
        checked = []
        if hasattr(node, "validate_inputs"):
            checked = [*signature(node.validate_inputs).parameters]
            values = {name: given[name] for name in checked if name in given}
            # ComfyUI does not know wired values yet.
            wired = {name: None for name, value in values.items() if isinstance(value, list)}
            answer = node.validate_inputs(**values | wired)
            if answer is not True:
                return f"Custom validation failed for node: {checked[0]} - {answer}"
        for item in node.define_schema().inputs:
            value = given.get(item.id)
            if value is None:
                if not item.optional:
                    return f"Required input is missing: {item.id}"
            elif isinstance(value, list):
                received = self.output_types(prompt[value[0]]["class_type"])[value[1]]
                if received != item.io_type:
                    return f"Return type mismatch between linked nodes: {item.id}, {received}, {item.io_type}"
            elif item.id in checked:
                continue
            elif item.options.get("min") is not None and value < item.options["min"]:
                return f"Value {value} smaller than min of {item.options['min']}: {item.id}"
            elif item.options.get("max") is not None and value > item.options["max"]:
                return f"Value {value} bigger than max of {item.options['max']}: {item.id}"
        return None

    def output_types(self, class_type: str) -> list[str]:
        if class_type in CORE_NODES:
            return [
                {"SolidMask": "MASK", "SwellingTone": "AUDIO", "MovingAvatar": "VIDEO"}.get(
                    class_type, "IMAGE"
                )
            ]
        return [output.io_type for output in self.nodes[class_type].define_schema().outputs]

    def signature(self, prompt: Prompt, node_id: str) -> Any:
        """Equal for two nodes that must give the same result."""
        class_type, inputs = prompt[node_id]["class_type"], prompt[node_id]["inputs"]
        fingerprint = None
        if hasattr(self.nodes.get(class_type), "fingerprint_inputs"):
            try:
                fingerprint = self.nodes[class_type].fingerprint_inputs(**inputs)
            except Exception:
                fingerprint = object()  # differs from every other
        parts = [
            (name, (self.signature(prompt, value[0]), value[1]) if isinstance(value, list) else value)
            for name, value in sorted(inputs.items())
        ]
        return class_type, fingerprint, tuple(parts)

    def result(self, prompt: Prompt, node_id: str, signatures: dict[str, Any], run: Run) -> tuple | None:
        """The node's outputs; None when it or a node before it failed."""
        key = signatures[node_id]
        if key in self.cache:
            results, shown = self.cache[key]
            self.show(run, node_id, shown)
            return results
        class_type = prompt[node_id]["class_type"]
        arguments = {}
        for name, value in prompt[node_id]["inputs"].items():
            if isinstance(value, list):
                results = self.result(prompt, value[0], signatures, run)
                if results is None:
                    return None
                value = results[value[1]]
            listed = class_type in self.nodes and self.nodes[class_type].define_schema().is_input_list
            arguments[name] = [value] if listed else value
        from comfy_execution.graph_utils import ExecutionBlocker

        blocked = [value for value in arguments.values() if isinstance(value, ExecutionBlocker)]
        if blocked:
            return tuple(blocked[:1] * len(self.output_types(class_type)))
        run.executed.add(node_id)
        try:
            with torch.inference_mode():
                if class_type in CORE_NODES:
                    results = CORE_NODES[class_type](self, run, node_id, **arguments)
                    shown = {"pictures": run.pictures.get(node_id), "text": run.texts.get(node_id)}
                else:
                    output = self.execute(class_type, node_id, prompt, arguments)
                    results = output.result
                    shown = output.ui.as_dict() if hasattr(output.ui, "as_dict") else output.ui
        except Exception as error:
            run.errors[node_id] = str(error)
            return None
        probing.look(results)
        self.cache[key] = results, shown
        self.show(run, node_id, shown)
        return results

    def show(self, run: Run, node_id: str, shown: dict[str, Any] | None) -> None:
        """Note what a node tells the page."""
        if not shown:
            return
        if "pictures" in shown:  # a node of the core's
            told = ((run.pictures, shown["pictures"]), (run.texts, shown["text"]))
            for kept, value in told:
                if value is not None:
                    kept[node_id] = value
            return
        run.shown[node_id] = shown
        images = shown.get("images", [])
        if isinstance(images, torch.Tensor):
            save_image(self, run, node_id, images)
        elif images and not any(shown.get("animated", [])):  # which are films
            paths = [self.base / image["type"] / image["subfolder"] / image["filename"] for image in images]
            run.pictures[node_id] = [Image.open(path).convert("RGB") for path in paths]

    def call(self, class_type: str, node_id: str = "1", **arguments: Any) -> tuple:
        """Run one node and return its outputs."""
        return self.execute(class_type, node_id, {}, arguments).result

    def said(self, class_type: str, **arguments: Any) -> list[list[str]]:
        """Run one node and return its messages: the kind and the text of each."""
        return self.execute(class_type, "1", {}, arguments).ui["stylemix_messages"]

    def execute(self, class_type: str, node_id: str, prompt: Prompt, arguments: dict[str, Any]) -> Any:
        """Run one node on a copy of its class that knows the hidden inputs, as ComfyUI does."""
        from comfy_api.v0_0_2 import io

        node = self.nodes[class_type]
        values = {io.Hidden.unique_id: node_id, io.Hidden.prompt: prompt}
        hidden = {name: value for name, value in values.items() if name in node.define_schema().hidden}
        copy = type(node.__name__, (node,), {"hidden": io.HiddenHolder(hidden)})
        with torch.inference_mode():
            return copy.execute(**arguments)


def complete(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """A coroutine's result, on a thread of its own: a browser that tests have open keeps this one's loop running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def load_pack(folder: Path) -> ModuleType:
    """Import the pack the way ComfyUI does: from its folder, under a name made of the path."""
    name = str(folder).replace(".", "_x_")
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def save_image(
    host: StandIn, run: Run, node_id: str, images: torch.Tensor, filename_prefix: str = ""
) -> tuple:
    pixels = np.clip(images.cpu().numpy() * 255, 0, 255).astype(np.uint8)
    run.pictures[node_id] = [Image.fromarray(picture) for picture in pixels]
    return ()


def preview_any(host: StandIn, run: Run, node_id: str, source: Any, **_: Any) -> tuple:
    # The page sends its own preview fields along.
    run.texts[node_id] = str(source)
    return ()


def load_image(host: StandIn, run: Run, node_id: str, image: str) -> tuple:
    with Image.open(host.base / "input" / image) as picture:
        return (torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255)[None],)


def solid_mask(host: StandIn, run: Run, node_id: str, value: float, width: int, height: int) -> tuple:
    return (torch.full((1, height, width), value),)


def swelling_tone(host: StandIn, run: Run, node_id: str) -> tuple:
    """A second of sound that grows from nothing, as Load Audio gives it."""
    time = torch.arange(8000) / 8000
    return ({"waveform": (time * torch.sin(2765 * time))[None, None], "sample_rate": 8000},)


def moving_avatar(host: StandIn, run: Run, node_id: str) -> tuple:
    """A clip of four frames, as Load Video gives it."""
    path = host.base / "input" / "moving_avatar.mp4"
    frames = builders.moving_avatar(4)
    Film(path, len(frames), 10).write(lambda first: iter(frames[first:]))
    return (SimpleNamespace(get_stream_source=lambda: str(path)),)


CORE_NODES = {
    "MovingAvatar": moving_avatar,
    "SwellingTone": swelling_tone,
    "SaveImage": save_image,
    "PreviewImage": save_image,
    "PreviewAny": preview_any,
    "LoadImage": load_image,
    "SolidMask": solid_mask,
}
OUTPUT_NODES = ("SaveImage", "PreviewImage", "PreviewAny")
