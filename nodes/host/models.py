"""Networks in ComfyUI's care, as they travel between nodes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import torch
from comfy import model_management
from comfy.model_patcher import ModelPatcher

from ...stylemix_core.inversion.delta import Delta
from ...stylemix_core.wording import counted
from .folders import checkpoint_source, checkpoint_stamp

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


def tuned(model: AnyModel, delta: Delta | None) -> AnyModel:
    """The model with some tensors changed, if any are."""
    return model if delta is None else Tuned(model, delta)


_models: WeakValueDictionary[tuple[str, str, str], Model] = WeakValueDictionary()


def open_model(load: Callable[..., torch.nn.Module], folder: str, checkpoint: str, dtype: str) -> Model:
    """The model of a checkpoint. Whoever asks for the same unchanged file gets the same model."""
    key = (load.__name__, checkpoint_stamp(folder, checkpoint), dtype)
    model = _models.get(key)
    if model is None:
        source = checkpoint_source(folder, checkpoint)
        model = _models[key] = Model(load, source, dtype)
    return model
