"""What the files of `nodes/` may import: ComfyUI in one room alone, and no arithmetic."""

import ast
from pathlib import Path

import pytest

from ..host import PACK

NODES = PACK / "nodes"
HOST = NODES / "host"
OF_COMFYUI = {"comfy", "folder_paths", "server", "execution", "nodes", "app"}
"""ComfyUI's own modules. `comfy_api`, in which nodes are described, is for all."""

files = pytest.mark.parametrize(
    "path", sorted(NODES.rglob("*.py")), ids=lambda path: str(path.relative_to(NODES))
)


def imports(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it; relative ones with their dots."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            found |= {start} if node.module else {start + alias.name for alias in node.names}
    return found


@files
def test_only_the_room_of_the_host_touches_comfyui(path):
    touched = {name.split(".")[0] for name in imports(path)} & OF_COMFYUI
    assert path.is_relative_to(HOST) or not touched


def test_the_rooms_of_the_host_lie_in_order():
    """No file of it imports one that comes later here, and none imports a node."""
    order = ["folders", "saving", "models", "execution", "messages", "__init__"]
    assert sorted(order) == sorted(path.stem for path in HOST.glob("*.py"))
    for index, name in enumerate(order):
        near = {each for each in imports(HOST / f"{name}.py") if each.startswith(".")}
        beside = {each.lstrip(".") for each in near if not each.startswith("..")}
        assert beside <= set(order[:index]), name
        assert all(each.startswith("...stylemix_core.") for each in near if each.startswith("..")), name


@files
def test_the_core_is_imported_relatively(path):
    """The pack's root is no place to import from: ComfyUI has a module `nodes` of its own."""
    assert not {name for name in imports(path) if name.split(".")[0] == "stylemix_core"}


@pytest.mark.parametrize("path", sorted(NODES.glob("*.py")), ids=lambda path: path.stem)
def test_nodes_name_tensors_and_leave_the_arithmetic_to_the_core(path):
    uses = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch"
    }
    assert uses <= {"Tensor"}
