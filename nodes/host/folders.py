"""Files that a node may choose from, and where they lie: model folders, and the input and output folders."""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

import folder_paths

from ...stylemix_core.checkpoints import DEMO as DEMO_FOLDER
from ...stylemix_core.codes.direction_files import may_be_directions
from ...stylemix_core.codes.latents import holds_latents
from ...stylemix_core.encoder.identity import holds_arcface
from ...stylemix_core.errors import CheckpointError, StyleMixError
from ...stylemix_core.faces.regions.parsing import holds_parsing
from ...stylemix_core.files.endings import CODES
from ...stylemix_core.files.names import file_name
from ...stylemix_core.inversion.delta import holds_delta
from ...stylemix_core.inversion.features import holds_vgg

DEMO = "demo (bundled)"
"""How the bundled models are called in the list of checkpoints."""

BOB = "bob haircut (bundled)"
"""How the bundled W+ code is called in the list of W+ files."""

OUTPUT = " [output]"
"""What ComfyUI puts behind the name of a file of the output folder."""

TRASH = "stylemix_trash"
"""Where in the output folder the gallery puts what is thrown away."""

NONE = ""
"""What is chosen in a list that has no file yet."""

GENERATORS, ENCODERS = "stylegan", "psp"
EXTENSIONS = {GENERATORS: {".pkl", ".pt", ".pth", ".safetensors"}, ENCODERS: {".pt", ".pth", ".safetensors"}}
"""Folders below ComfyUI's `models`, and the endings of the files that this pack reads in them."""

VGG_NAMES = ("vgg16", "lpips")
"""What the names of files with perceptual features contain, in the generators' folder."""

ARCFACE_NAMES = ("ir_se50", "irse50", "arcface")
"""What the names of files with ArcFace's weights contain."""

PARSING_NAMES = ("parsing_bisenet", "79999_iter", "face_parsing")
"""What the names of files with BiSeNet's face parsing contain …"""
PARSING_FOLDERS = ("facedetection", "face_parsing")
"""… and where other packs keep them, below ComfyUI's `models`."""


TRAINED = "encoders"
"""Where in the output folder encoders lie that a node has trained, each in a folder of its own."""


def register_model_folders() -> None:
    """Make the model folders known. Paths that the user or another pack registered stay as they are."""
    more = {ENCODERS: [os.path.join(folder_paths.get_output_directory(), TRAINED)]}
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
        own = [path for path in (default, *more.get(folder, ())) if path not in paths]
        folder_paths.folder_names_and_paths[folder] = ([*paths, *own], listed)


def encoder_folder(name: str) -> Path:
    """Where an encoder of that name is trained and kept."""
    return Path(folder_paths.get_output_directory(), TRAINED, file_name(name))


def checkpoint_names(folder: str) -> list[str]:
    """The bundled model, then the files in `folder` that this pack reads."""
    files = folder_paths.get_filename_list(folder)
    return [DEMO, *(name for name in files if Path(name).suffix.lower() in EXTENSIONS[folder])]


def check_checkpoint(folder: str, checkpoint: str | None) -> bool | str:
    """For `validate_inputs`: whether `checkpoint` is listed; else what is wrong.

    Checked here and not by ComfyUI against the list, whose names differ between systems.
    """
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
    return [BOB, *_names_of(holds_latents, CODES, uploads=(".png",))]


def tuning_names() -> list[str]:
    """The files with generators' tunings in the input and output folders, named alike."""
    return _names_of(holds_delta, (".safetensors",))


def direction_names() -> list[str]:
    """The files with directions in the input and output folders, named alike."""
    return _names_of(may_be_directions, CODES)


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


def check_file(
    name: str | None,
    path_of: Callable[[str], str] = file_path,
    none: str = "no file is chosen; choose one, or upload one",
) -> bool | str:
    """For `validate_inputs`: whether the file is there; else what is wrong. none: what is wrong with `NONE`.

    Against the disk and not the list, which the page may have got before the file was written.
    """
    if name == NONE:
        return none
    try:
        if name is not None:  # a wired name is not known yet
            path_of(name)
    except StyleMixError as error:
        return str(error)
    return True


def parsing_file() -> str | None:
    """The first face-parsing file where this pack and others keep them, if any."""
    others = [os.path.join(folder_paths.models_dir, name) for name in PARSING_FOLDERS]
    return _first_file([*folder_paths.get_folder_paths(ENCODERS), *others], PARSING_NAMES, holds_parsing)


def vgg_file() -> str | None:
    """The first file in the generators' folders with VGG16's or LPIPS' weights, if any."""
    return _first_file(folder_paths.get_folder_paths(GENERATORS), VGG_NAMES, holds_vgg)


def arcface_file() -> str | None:
    """The first file in the generators' or the encoders' folders with ArcFace's weights, if any."""
    folders = chain.from_iterable(map(folder_paths.get_folder_paths, (GENERATORS, ENCODERS)))
    return _first_file(folders, ARCFACE_NAMES, holds_arcface)


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


def _first_file(folders: Iterable[str], parts: Sequence[str], holds: Callable[[str], bool]) -> str | None:
    """The first file in these folders whose name has one of `parts`, in lower case, and which `holds`."""
    for folder in folders:
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        for name in names:
            path = os.path.join(folder, name)
            if any(part in name.lower() for part in parts) and os.path.isfile(path) and holds(path):
                return path
    return None


def page_file(name: str) -> dict[str, str]:
    """How the page asks for a file of a list that this module gives."""
    kind = "output" if name.endswith(OUTPUT) else "input"
    folder, _, file = name.removesuffix(OUTPUT).rpartition("/")
    return {"filename": file, "subfolder": folder, "type": kind}


def trash_folder() -> Path:
    """Where the gallery puts what is thrown away; nothing there is listed."""
    return Path(folder_paths.get_output_directory(), TRASH)


def _names_of(holds: Callable[[str], bool], endings: Sequence[str], uploads: Sequence[str] = ()) -> list[str]:
    """Those files of the input and output folders that have one of the endings and that `holds` approves of.

    uploads: endings that are looked for in the input folder alone, since the output folder is full of such files.
    """
    names = []
    for folder, mark, read in (
        (folder_paths.get_input_directory(), "", (*endings, *uploads)),
        (folder_paths.get_output_directory(), OUTPUT, (*endings,)),
    ):
        for place, below, files in os.walk(folder):
            if TRASH in below:
                below.remove(TRASH)
            paths = [os.path.join(place, file) for file in files if file.lower().endswith(read)]
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
