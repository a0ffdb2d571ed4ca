"""Everything this pack asks of ComfyUI: folders, models, devices and progress, messages.

No file outside of this room touches `comfy`, `folder_paths` or `server`. The nodes take what they need from here.
"""

from .execution import GRADIENT_FACTOR, descend, placed, run, step_reporter, work
from .folders import (
    BOB,
    DEMO,
    ENCODERS,
    EXTENSIONS,
    GENERATORS,
    NONE,
    arcface_file,
    check_checkpoint,
    check_file,
    checkpoint_names,
    checkpoint_source,
    checkpoint_stamp,
    direction_names,
    file_path,
    file_stamp,
    latent_names,
    latent_path,
    register_model_folders,
    tuning_names,
    vgg_file,
)
from .messages import pictures, routes, shows, speaking, tell, warn, warn_of_proportions
from .models import AnyModel, Compiled, Model, Tuned, open_model
from .saving import new_file, workflow_texts

__all__ = [
    "BOB",
    "DEMO",
    "ENCODERS",
    "EXTENSIONS",
    "GENERATORS",
    "GRADIENT_FACTOR",
    "NONE",
    "AnyModel",
    "Compiled",
    "Model",
    "Tuned",
    "arcface_file",
    "check_checkpoint",
    "check_file",
    "checkpoint_names",
    "checkpoint_source",
    "checkpoint_stamp",
    "descend",
    "direction_names",
    "file_path",
    "file_stamp",
    "latent_names",
    "latent_path",
    "new_file",
    "open_model",
    "pictures",
    "placed",
    "register_model_folders",
    "routes",
    "run",
    "shows",
    "speaking",
    "step_reporter",
    "tell",
    "tuning_names",
    "vgg_file",
    "warn",
    "warn_of_proportions",
    "work",
    "workflow_texts",
]
