"""Model folders. `set_base` points at the folder that holds `models`, `input`, `output` and `temp`."""

import os
import re

models_dir = input_directory = output_directory = temp_directory = ""
folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {}


def set_base(base) -> None:
    global models_dir, input_directory, output_directory, temp_directory
    models_dir, input_directory, output_directory, temp_directory = (
        os.path.join(base, name) for name in ("models", "input", "output", "temp")
    )
    folder_names_and_paths.clear()


def get_input_directory() -> str:
    return input_directory


def get_output_directory() -> str:
    return output_directory


def get_temp_directory() -> str:
    return temp_directory


def annotated_filepath(name: str) -> tuple[str, str | None]:
    for mark, folder in (("[output]", output_directory), ("[input]", input_directory)):
        if name.endswith(mark):
            return name[: -len(mark) - 1], folder
    return name, None


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    subfolder, filename = os.path.split(os.path.normpath(filename_prefix))
    folder = os.path.join(output_dir, subfolder)
    if os.path.commonpath((output_dir, os.path.abspath(folder))) != output_dir:
        raise Exception("**** ERROR: Saving image outside the output folder is not allowed.")
    os.makedirs(folder, exist_ok=True)
    taken = [
        int(name.removeprefix(f"{filename}_").split("_")[0])
        for name in os.listdir(folder)
        if re.match(rf"{re.escape(filename)}_[0-9]+_", name)
    ]
    return folder, filename, max(taken, default=0) + 1, subfolder, filename_prefix


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
