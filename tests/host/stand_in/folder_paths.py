"""Model folders. `set_base` points at the folder that holds `models`, `input`, `output` and `temp`."""

import os

models_dir = ""
folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {}


def set_base(base) -> None:
    global models_dir
    models_dir = os.path.join(base, "models")
    folder_names_and_paths.clear()


def get_folder_paths(folder_name: str) -> list[str]:
    return folder_names_and_paths[folder_name][0][:]


def get_full_path(folder_name: str, filename: str) -> str | None:
    filename = os.path.relpath(os.path.join("/", filename), "/")
    for folder in folder_names_and_paths[folder_name][0]:
        path = os.path.join(folder, filename)
        if os.path.isfile(path):
            return path
    return None


def get_filename_list(folder_name: str) -> list[str]:
    folders, extensions = folder_names_and_paths[folder_name]
    found = set()
    for folder in folders:
        for directory, _, files in os.walk(folder, followlinks=True):
            found |= {os.path.relpath(os.path.join(directory, name), folder) for name in files}
    return sorted(name for name in found if not extensions or os.path.splitext(name)[1].lower() in extensions)
