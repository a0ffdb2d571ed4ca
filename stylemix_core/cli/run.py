"""What a run of a verb tells people."""

import sys
from collections.abc import Iterable

from ..progress import ProgressBar


class Run:
    """A run of the verb `name`. Warnings and errors are told even where it is `quiet`."""

    def __init__(self, name: str, quiet: bool = False):
        self.name = name
        self.quiet = quiet
        self.warned: set[str] = set()
        """What it has warned of already."""

    def say(self, text: str) -> None:
        """Tell a result."""
        if not self.quiet:
            print(text)

    def warn(self, warnings: Iterable[str | None]) -> None:
        """Print warnings, each once."""
        new = set(filter(None, warnings)) - self.warned
        for warning in sorted(new):
            print(f"stylemix {self.name}: warning: {warning}", file=sys.stderr)
        self.warned |= new

    def progress(self, total: int = 1, title: str | None = None, shown: bool = True) -> ProgressBar:
        """A bar for a job of so many steps, called as the verb unless it has a title."""
        return ProgressBar(total, title or self.name, self.quiet or not shown)
