"""Everything this pack asks of ComfyUI: folders, devices, progress, interrupts, messages.

No other file touches `comfy`, `folder_paths` or `server`.
"""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from inspect import signature
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4
from weakref import WeakKeyDictionary, WeakValueDictionary

import comfy.utils
import folder_paths
import torch
from comfy import model_management
from comfy.cli_args import args
from comfy.model_patcher import ModelPatcher
from comfy_api.v0_0_2 import io
from PIL import Image

from ..stylemix_core.checkpoints import DEMO as DEMO_FOLDER
from ..stylemix_core.codes.directions import holds_directions
from ..stylemix_core.codes.latents import holds_latents
from ..stylemix_core.encoder.identity import holds_arcface
from ..stylemix_core.errors import CheckpointError, StyleMixError
from ..stylemix_core.images import check_proportions, thumbnail, to_pil
from ..stylemix_core.inversion.delta import Delta, holds_delta
from ..stylemix_core.inversion.features import holds_vgg
from ..stylemix_core.progress import OnStep
from ..stylemix_core.wording import counted

DEMO = "demo (bundled)"
"""How the bundled models are called in the list of checkpoints."""

BOB = "bob haircut (bundled)"
"""How the bundled W+ code is called in the list of W+ files."""

GENERATORS, ENCODERS = "stylegan", "psp"
EXTENSIONS = {GENERATORS: {".pkl", ".pt", ".pth", ".safetensors"}, ENCODERS: {".pt", ".pth", ".safetensors"}}
"""Folders below ComfyUI's `models`, and the endings of the files that this pack reads in them."""

GPU_BATCH = 8
"""Pictures in one forward pass on a GPU."""

CPU_BATCH = 1
"""A CPU gains little from batches, and single pictures report progress sooner."""

PREVIEW_SECONDS, PREVIEW_SIDE = 1.0, 512
"""How often a picture is shown while more are made, and how large at most."""

BYTES_PER_PIXEL = 6 * 32 * 4
"""Memory that a forward pass needs: about six maps of 32 float32 channels at full resolution."""

GRADIENT_FACTOR = 4
"""How much more a pass needs whose maps are kept for its gradients; measured by benchmarks/inversion.py."""

PREVIEWS = 4
"""How many pictures of a batch are shown while all are worked on together."""

SHOWN, SHOWN_SIDE, SHOWN_QUALITY = 16, 1024, 92
"""How many of its pictures a node shows after its run, how large at most, and in which quality of JPEG, which takes a
tenth of the time of PNG."""

VGG_NAMES = ("vgg16", "lpips")
"""What the names of files with perceptual features contain, in the generators' folder."""

ARCFACE_NAMES = ("ir_se50", "irse50", "arcface")
"""What the names of files with ArcFace's weights contain."""

Result = TypeVar("Result")


def register_model_folders() -> None:
    """Make the model folders known. Paths that the user or another pack registered stay as they are."""
    for folder, extensions in EXTENSIONS.items():
        default = os.path.join(folder_paths.models_dir, folder)
        try:
            os.makedirs(default, exist_ok=True)
        except OSError as error:
            logging.warning("StyleMix: %s cannot be created: %s", default, error)
        known = folder_paths.folder_names_and_paths.get(folder)
        paths = [*known[0]] if known else []
        # An empty set lists every file, which another pack may count on.
        listed = set(known[1]) and set(known[1]) | extensions if known else extensions
        folder_paths.folder_names_and_paths[folder] = (
            paths if default in paths else [*paths, default],
            listed,
        )


def checkpoint_names(folder: str) -> list[str]:
    """The bundled model, then the files in `folder` that this pack reads."""
    files = folder_paths.get_filename_list(folder)
    return [DEMO, *(name for name in files if Path(name).suffix.lower() in EXTENSIONS[folder])]


def check_checkpoint(folder: str, checkpoint: str | None) -> bool | str:
    """For `validate_inputs`: whether `checkpoint` is listed, in whatever system's spelling; else what is wrong."""
    if checkpoint is None or _with_slashes(checkpoint) in map(_with_slashes, checkpoint_names(folder)):
        return True  # a wired name is not known yet
    return str(_no_such_checkpoint(folder, checkpoint))


def checkpoint_source(folder: str, checkpoint: str) -> str:
    """What `load_generator` and its kin take for a checkpoint: "demo" or the file's path."""
    return "demo" if checkpoint == DEMO else _checkpoint_path(folder, checkpoint)


def checkpoint_stamp(folder: str, checkpoint: str) -> str:
    """Text that changes when the file behind `checkpoint` does."""
    if checkpoint == DEMO:
        return DEMO
    return file_stamp(_checkpoint_path(folder, checkpoint))


def file_stamp(path: str) -> str:
    """Text that changes when the file does."""
    status = os.stat(path)
    return f"{path} {status.st_mtime_ns} {status.st_size}"


def latent_names() -> list[str]:
    """The bundled code, then the W+ files in the input and output folders, as ComfyUI names them:
    "latents/a.safetensors [output]"."""
    return [BOB, *_names_of(holds_latents)]


def tuning_names() -> list[str]:
    """The files with generators' tunings in the input and output folders, named alike."""
    return _names_of(holds_delta)


def direction_names() -> list[str]:
    """The files with directions in the input and output folders, named alike."""
    return _names_of(holds_directions)


def latent_path(name: str) -> str:
    """The file that a name of `latent_names` means. `StyleMixError` when there is none, or it lies elsewhere."""
    return str(DEMO_FOLDER / "bob.safetensors") if name == BOB else file_path(name)


def file_path(name: str) -> str:
    """The file of the input or output folder that has this name. `StyleMixError` when there is none there."""
    relative, folder = folder_paths.annotated_filepath(name)
    folder = os.path.abspath(folder or folder_paths.get_input_directory())
    if not os.path.exists(os.path.join(folder, relative)):
        relative = _with_slashes(relative)
    path = os.path.abspath(os.path.join(folder, relative))
    if not Path(path).is_relative_to(folder):
        raise StyleMixError(
            f"{name} lies outside of ComfyUI's folders; choose a file of the list, or upload it"
        )
    if not os.path.isfile(path):
        raise StyleMixError(f"there is no file {name} in {folder}; choose another file, or upload it again")
    return path


@dataclass(frozen=True)
class NewFile:
    """A place in the output folder that is not taken yet."""

    folder: str
    subfolder: str
    stem: str

    def path(self, ending: str) -> str:
        return os.path.join(self.folder, self.stem + ending)

    def shown(self, ending: str) -> dict[str, str]:
        """How the page asks for the file."""
        return {"filename": self.stem + ending, "subfolder": self.subfolder, "type": "output"}


def new_file(prefix: str, width: int = 0, height: int = 0) -> NewFile:
    """The next free number for a prefix, as ComfyUI's own save nodes count: "faces_00001_"."""
    output = folder_paths.get_output_directory()
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
        _dated(prefix), output, width, height
    )
    return NewFile(folder, subfolder, f"{name}_{counter:05}_")


def workflow_texts(hidden: Any) -> dict[str, str]:
    """The workflow as JSON, for a file's metadata; empty where the user wants none. `hidden`: of an output node."""
    if args.disable_metadata:
        return {}
    parts = {"prompt": hidden.prompt, **(hidden.extra_pnginfo or {})}
    return {name: json.dumps(part) for name, part in parts.items() if part is not None}


# Models are outputs of nodes, and hosts probe those: for `patcher`, `model` and more, they compare, copy and pickle.
# Nothing of that may read a file. So a model is but its fields, what reads is a method, and what was read lies beside.


@dataclass(frozen=True, eq=False)
class Model:
    """A network in ComfyUI's care. Its file is read at the first use; a copy reads it again."""

    load: Callable[..., torch.nn.Module]
    """`load_generator` or `load_encoder`."""
    source: str
    """"demo" or the file's path."""
    dtype: str
    """As in the loaders' `dtype` input."""

    def __str__(self) -> str:
        """For people, from what is known without the file."""
        kind = self.load.__name__.removeprefix("load_")
        return f"StyleMix {kind}: {Path(self.source).name}, precision {self.dtype}"

    def network(self) -> Any:
        """The network, wherever ComfyUI keeps it at the moment. Only `run` may call its `forward`."""
        return self.handle().model

    def handle(self) -> ModelPatcher:
        """What ComfyUI moves the network between memories by."""
        if self not in _handles:
            _handles[self] = self.read()
        return _handles[self]

    def read(self) -> ModelPatcher:
        """Read the file anew."""
        device, offload = model_management.get_torch_device(), model_management.unet_offload_device()
        network = self.load(self.source, device=offload, dtype=self.dtype, runs_on=device)
        return ModelPatcher(network, load_device=device, offload_device=offload)


@dataclass(frozen=True, eq=False)
class Compiled:
    """A generator that draws with compiled code. Its network is its base's, and ComfyUI sees that one alone."""

    base: Model

    def __str__(self) -> str:
        return f"{self.base}, compiled"

    def network(self) -> Any:
        """A view of the base's network. Only `run` may call its `forward`."""
        if self not in _views:
            _views[self] = self.base.network().compiled()
        return _views[self]

    def handle(self) -> ModelPatcher:
        return self.base.handle()


@dataclass(frozen=True, eq=False)
class Tuned:
    """A model with some tensors changed. ComfyUI sees its base alone: the changes are added while it is used."""

    base: "Model | Compiled | Tuned"
    delta: Delta

    def __str__(self) -> str:
        return f"{self.base}, with {counted(len(self.delta.tensors), 'tensor')} tuned"

    def network(self) -> Any:
        """The base's network, its tensors shared, with the changes. Only `run` may call its `forward`."""
        return self.delta.apply(self.base.network())

    def handle(self) -> ModelPatcher:
        return self.base.handle()

    def tuning(self) -> Delta:
        """All changes to the network that ComfyUI sees."""
        return self.delta.after(self.base.tuning()) if isinstance(self.base, Tuned) else self.delta


_handles: WeakKeyDictionary[Model, ModelPatcher] = WeakKeyDictionary()
_views: WeakKeyDictionary[Compiled, Any] = WeakKeyDictionary()

AnyModel = Model | Compiled | Tuned
"""What `run` and its kin take."""

_models: WeakValueDictionary[tuple[str, str, str], Model] = WeakValueDictionary()


def open_model(load: Callable[..., torch.nn.Module], folder: str, checkpoint: str, dtype: str) -> Model:
    """The model of a checkpoint. Whoever asks for the same unchanged file gets the same model."""
    key = (load.__name__, checkpoint_stamp(folder, checkpoint), dtype)
    model = _models.get(key)
    if model is None:
        source = checkpoint_source(folder, checkpoint)
        model = _models[key] = Model(load, source, dtype)
    return model


def run(
    model: AnyModel,
    count: int,
    forward: Callable[[Any, slice], torch.Tensor],
    preview: Callable[[torch.Tensor], Image.Image] | None = None,
    beside: Sequence[AnyModel] = (),
) -> torch.Tensor:
    """Map `count` items through a network, with ComfyUI's memory management, progress and interrupts.

    forward: called as `forward(network, items)`; computes the items of that slice, `[n, …]`.
    preview: makes a picture of one result, to show the newest while the rest is computed.
    beside: other models whose networks `forward` uses.
    Returns all results `[count, …]` on the device where ComfyUI wants node outputs. When memory runs out the
    batch is halved; `OOM_EXCEPTION` when a single item is too much.
    """
    size = CPU_BATCH if model.handle().load_device.type == "cpu" else GPU_BATCH
    progress = comfy.utils.ProgressBar(count)
    shown = time.monotonic()
    results: torch.Tensor | None = None
    done = 0
    while done < count:
        model_management.throw_exception_if_processing_interrupted()
        items = slice(done, min(done + size, count))
        result = None
        try:
            _place([model, *beside], items.stop - items.start)
            result = forward(model.network(), items).to(model_management.intermediate_device())
        except model_management.OOM_EXCEPTION:
            if items.stop - items.start == 1:
                raise
        # Outside the except block: the exception held on to the tensors of the failed pass.
        if result is None:
            size = (items.stop - items.start + 1) // 2
            logging.info("StyleMix: out of memory, going on with batches of %d", size)
            model_management.soft_empty_cache()
            continue
        if results is None:
            results = result if len(result) == count else result.new_empty(count, *result.shape[1:])
        if results is not result:
            results[items] = result
        done = items.stop
        newest = None
        # Not the last one: the results themselves follow at once.
        if preview is not None and done < count and time.monotonic() - shown >= PREVIEW_SECONDS:
            picture = preview(result[-1])
            newest = ("JPEG", picture, min(PREVIEW_SIDE, max(picture.size)))  # ComfyUI enlarges small ones
            shown = time.monotonic()
        progress.update_absolute(done, count, newest)
    assert results is not None
    return results


def placed(model: AnyModel) -> Any:
    """A network on the device that computes, for a short job that is no map over items."""
    _place([model], 1)
    return model.network()


def descend(models: Sequence[AnyModel], count: int, job: Callable[[bool], Result]) -> Result:
    """Run a job that descends gradients through networks, on `count` pictures at once.

    job: called with whether to save memory by gradient checkpointing: without, and with when memory runs out.
    """
    return work(models, count * GRADIENT_FACTOR, count, job)


def work(models: Sequence[AnyModel], most: int, least: int, job: Callable[[bool], Result]) -> Result:
    """Run a job that passes batches through networks on its own.

    job: called with whether to save memory: without, for which there is room for passes of `most` pictures, and
        when that runs out, with, for passes of `least`.
    """
    _place(models, most)
    try:
        return job(False)
    except model_management.OOM_EXCEPTION:
        pass
    # Outside the except block: the exception held on to the tensors of the failed pass.
    logging.info("StyleMix: out of memory, going on with less at a time")
    model_management.soft_empty_cache()
    _place(models, least)
    return job(True)


def step_reporter() -> OnStep:
    """A callback for the steps of a long job: shows progress and the newest pictures, and raises on interrupts."""
    progress = comfy.utils.ProgressBar(1)

    def report(done: int, total: int, images: torch.Tensor | None = None, /) -> None:
        model_management.throw_exception_if_processing_interrupted()
        preview = None
        if images is not None:
            preview = ("JPEG", to_pil(torch.cat([*images[:PREVIEWS]], dim=2)), PREVIEW_SIDE)
        progress.update_absolute(done, total, preview)

    return report


def vgg_file() -> str | None:
    """The first file in the generators' folders with VGG16's or LPIPS' weights, if any."""
    return _first_file((GENERATORS,), VGG_NAMES, holds_vgg)


def arcface_file() -> str | None:
    """The first file in the generators' or the encoders' folders with ArcFace's weights, if any."""
    return _first_file((GENERATORS, ENCODERS), ARCFACE_NAMES, holds_arcface)


_said: dict[str | None, list[list[str]]] = {}
"""What the node that runs has said so far, by its id: "warning" or "note", and the text."""


def speaking(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """Decorates a node's `execute`: what it tells and warns of stays on the node, below its widgets.

    The messages are part of the output, so that they come again with a result that is remembered.
    """

    @wraps(execute)
    def execute_and_tell(cls: Any, *given: Any, **inputs: Any) -> io.NodeOutput:
        node_id = cls.hidden.unique_id
        said = _said[node_id] = []
        try:
            output = execute(cls, *given, **inputs)
        finally:
            del _said[node_id]
        shown = output.ui.as_dict() if hasattr(output.ui, "as_dict") else output.ui or {}
        # Without any as well: that takes back what the run before had said.
        output.ui = {**shown, "stylemix_messages": said}
        return output

    return execute_and_tell


def shows() -> dict[str, bool]:
    """Arguments for the `Schema` of a node that shows something and is no output: newer cores send that again when the
    node's result is remembered. `web/stylemix/messages.js` does it with older ones."""
    known = "has_intermediate_output" in signature(io.Schema).parameters
    return {"has_intermediate_output": True} if known else {}


def pictures(image: torch.Tensor) -> dict[str, Any]:
    """What shows an IMAGE on the node, in place of the last preview of its making; for `ui`.

    The first `SHOWN` pictures of a batch, as JPEG in ComfyUI's temporary folder.
    """
    prefix, folder = f"stylemix_{uuid4().hex[:8]}", folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    shown = []
    for number, picture in enumerate(image[:SHOWN]):
        name = f"{prefix}_{number:02}.jpg"
        thumbnail(picture, SHOWN_SIDE).save(os.path.join(folder, name), quality=SHOWN_QUALITY)
        shown.append({"filename": name, "subfolder": "", "type": "temp"})
    return {"images": shown}


def warn(node_id: str | None, message: str | None) -> None:
    """Tell the user, in the log and on the node. Without a message nothing happens."""
    if message is not None:
        logging.warning("StyleMix: %s", message)
        _said[node_id].append(["warning", message])


def warn_of_proportions(
    node_id: str | None, name: str, mask: torch.Tensor | None, pictures: tuple[int, int]
) -> None:
    """`warn` of a mask that is squeezed onto pictures of that height and width."""
    if mask is not None:
        warn(node_id, check_proportions(name, mask, pictures))


def tell(node_id: str | None, message: str) -> None:
    """Show a text on the node whose `execute` is `speaking`."""
    _said[node_id].append(["note", message])


def routes() -> Any:
    """The server's table of routes (aiohttp's), or None where nothing is served."""
    from server import PromptServer  # not at import: the server imports the packs

    return getattr(PromptServer.instance, "routes", None)


def _dated(prefix: str) -> str:
    """The prefix with %date:yyyy-MM-dd% filled in, which ComfyUI's page does for the save nodes that it knows."""
    now = time.localtime()
    numbers = {"M": now.tm_mon, "d": now.tm_mday, "h": now.tm_hour, "m": now.tm_min, "s": now.tm_sec}

    def part(found: re.Match[str]) -> str:
        text = found[0]
        return f"{now.tm_year}"[-len(text) :] if text[0] == "y" else f"{numbers[text[0]]:0{len(text)}}"

    return re.sub("%date:([^%]+)%", lambda date: re.sub("yyyy|yy|MM?|dd?|hh?|mm?|ss?", part, date[1]), prefix)


def _checkpoint_path(folder: str, checkpoint: str) -> str:
    path = folder_paths.get_full_path(folder, checkpoint)
    if path is None:
        path = folder_paths.get_full_path(folder, _with_slashes(checkpoint))
    if path is None:
        raise _no_such_checkpoint(folder, checkpoint)
    return path


def _no_such_checkpoint(folder: str, checkpoint: str) -> CheckpointError:
    folders = " or ".join(folder_paths.get_folder_paths(folder))
    return CheckpointError(
        f"there is no file {checkpoint}; put it into {folders}, or choose another checkpoint"
    )


def _with_slashes(name: str) -> str:
    """A name in one spelling: workflows from Windows part folders by backslashes, which other systems do not."""
    return name.replace("\\", "/")


def _first_file(folders: Sequence[str], parts: Sequence[str], holds: Callable[[str], bool]) -> str | None:
    """The first file in these model folders whose name has one of `parts`, in lower case, and which `holds`."""
    for folder in chain.from_iterable(map(folder_paths.get_folder_paths, folders)):
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        for name in names:
            path = os.path.join(folder, name)
            if any(part in name.lower() for part in parts) and os.path.isfile(path) and holds(path):
                return path
    return None


def _names_of(holds: Callable[[str], bool]) -> list[str]:
    """Those .safetensors files of the input and output folders that `holds` approves of."""
    names = []
    for folder, mark in (
        (folder_paths.get_input_directory(), ""),
        (folder_paths.get_output_directory(), " [output]"),
    ):
        for place, _, files in os.walk(folder):
            paths = [os.path.join(place, file) for file in files if file.lower().endswith(".safetensors")]
            relative = [
                os.path.relpath(path, folder).replace(os.sep, "/") for path in paths if _holds(holds, path)
            ]
            names += [name + mark for name in relative]
    return sorted(names, key=lambda name: (name.endswith("]"), name))


def _holds(holds: Callable[[str], bool], path: str) -> bool:
    try:
        return _read_holds(holds, path, file_stamp(path))
    except OSError:
        return False  # it vanished meanwhile


@lru_cache(maxsize=8192)
def _read_holds(holds: Callable[[str], bool], path: str, stamp: str) -> bool:
    return holds(path)


def _place(models: Sequence[AnyModel], items: int) -> None:
    """Bring networks to the device that computes, and make room there for `items` pictures."""
    patchers = list(dict.fromkeys(model.handle() for model in models))
    memory = items * max(_side(patcher.model) for patcher in patchers) ** 2 * BYTES_PER_PIXEL
    # Outside of ComfyUI's inference mode, whose tensors hide their changes: nothing could be kept with them.
    with torch.inference_mode(False), torch.no_grad():
        model_management.load_models_gpu(patchers, memory_required=memory, force_full_load=True)
        for patcher in patchers:
            network, device = patcher.model, patcher.load_device
            # Partial loads and --novram leave parameters behind that are not a leaf module's own.
            tensors = chain(network.parameters(), network.buffers())
            places = {(tensor.device.type, tensor.device.index) for tensor in tensors}
            if places != {(device.type, device.index)}:
                network.to(device)


def _side(network: Any) -> int:
    """Width of the pictures that a network works on."""
    draws = getattr(network, "decoder", None) or network  # ReStyle's encoders draw pictures on their way
    return getattr(draws, "img_resolution", None) or network.input_size
