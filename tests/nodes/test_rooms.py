"""What the files of `nodes/` keep to beside the import contracts: how they reach the core, what they leave to it."""

import ast
from pathlib import Path

import pytest

from ..host import PACK

NODES = PACK / "nodes"


def parts(path: Path) -> list[ast.AST]:
    return [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("path", sorted(NODES.rglob("*.py")), ids=lambda path: str(path.relative_to(NODES)))
def test_the_core_is_imported_relatively(path):
    """The pack's root is no place to import from: ComfyUI has a module `nodes` of its own."""
    names = {alias.name for part in parts(path) if isinstance(part, ast.Import) for alias in part.names}
    names |= {part.module for part in parts(path) if isinstance(part, ast.ImportFrom) and not part.level}
    assert not {name for name in names if name.split(".")[0] in ("nodes", "stylemix_core")}


@pytest.mark.parametrize("path", sorted(NODES.glob("*.py")), ids=lambda path: path.stem)
def test_nodes_name_tensors_and_leave_the_arithmetic_to_the_core(path):
    names = (
        part for part in parts(path) if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)
    )
    assert {part.attr for part in names if part.value.id == "torch"} <= {"Tensor"}
