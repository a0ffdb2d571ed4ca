"""Run ComfyUI's `main.py`, also beside a CPU-only torch: `launch.py COMFYUI_FOLDER [arguments of main.py]`.

PyPI's torchvision is built for CUDA and registers two operators that a CPU-only torch does not know. They are
declared just before torchvision is imported, and not earlier, because ComfyUI wants to import torch itself.
Its torchaudio needs CUDA's libraries, and newer cores import it: where there is none, empty modules stand in, as only
nodes for sound would use it.

Without `--cpu` ComfyUI takes the GPU for granted. Where there is none it is given the CPU in its place, so that its
ways to manage a GPU's memory run.
"""

import os
import runpy
import sys
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


class GiveDevice(MetaPathFinder):
    """Finds nothing; acts on the first look for the module that asks for the GPU."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "comfy.model_management":
            return None
        sys.meta_path.remove(self)
        import torch

        if not torch.cuda.is_available():
            torch.cuda.current_device = lambda: "cpu"
        return None


class DeclareOperators(MetaPathFinder):
    """Finds nothing; acts on the first look for torchvision."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "torchvision":
            return None
        sys.meta_path.remove(self)
        import torch

        if not torch.cuda.is_available():
            library = torch.library.Library("torchvision", "FRAGMENT")
            for name in ("nms", "qnms"):
                with suppress(RuntimeError):  # a torchvision for this torch has it already
                    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            torch.stylemix_library = library  # the operators go when the library object does
        return None


def stand_in_for_torchaudio() -> None:
    package = ModuleType("torchaudio")
    parts = {name: ModuleType(f"torchaudio.{name}") for name in ("functional", "transforms")}
    vars(package).update(parts)
    for module in (package, *parts.values()):
        module.__spec__ = ModuleSpec(module.__name__, None, is_package=module is package)
        sys.modules[module.__name__] = module


if __name__ == "__main__":
    folder = os.path.abspath(sys.argv[1])
    sys.path[0] = folder
    sys.argv = [os.path.join(folder, "main.py"), *sys.argv[2:]]
    sys.meta_path[:0] = [DeclareOperators(), GiveDevice()]
    if find_spec("torchaudio") is None:
        stand_in_for_torchaudio()
    runpy.run_path(sys.argv[0], run_name="__main__")
