"""Hosts for the pack: a small stand-in for ComfyUI, and a real one where there is one.

Both take API-format prompts and answer with a `Run`, so that the same test runs on either.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

PACK = Path(__file__).parents[2]

Prompt = dict[str, dict[str, Any]]


@dataclass
class Run:
    """What came of a prompt."""

    pictures: dict[str, list[Image.Image]] = field(default_factory=dict)
    """By node: what it shows, such as SaveImage and PreviewImage."""
    texts: dict[str, str] = field(default_factory=dict)
    """By node: what PreviewAny shows."""
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By node: what it told the page, when it told anything."""
    errors: dict[str, str] = field(default_factory=dict)
    """By node: why it refused its inputs or failed."""
    executed: set[str] = field(default_factory=set)
    """Nodes whose result was not remembered from an earlier prompt."""


class Host(Protocol):
    base: Path
    """Folder with `models`, `input` and `output`."""

    def object_info(self) -> dict[str, Any]:
        """Every node's description, as `/object_info` gives it."""

    def run(self, prompt: Prompt) -> Run:
        """Run an API-format prompt."""

    def forget(self) -> None:
        """Drop every remembered result."""
