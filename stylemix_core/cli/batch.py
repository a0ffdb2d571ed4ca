"""Work on many files, of which some may be unusable."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..errors import StyleMixError
from ..wording import counted
from .paths import check_file
from .run import Run

Item = TypeVar("Item", bound=str | Path)
Result = TypeVar("Result")


class SomeFailed(Exception):
    """Items of a batch could not be used; the others are done."""

    def __init__(self, lines: list[str], exit_code: int):
        super().__init__(*lines)
        self.lines, self.exit_code = lines, exit_code


class Batch:
    """Goes on after items that cannot be read, and tells of them at the end; where it is `strict` stops at the first.

    endings: as for `check_file`; None where `read` refuses all that cannot be used.
    """

    def __init__(self, run: Run, strict: bool, endings: Collection[str] | None = None):
        self.run = run
        self.strict = strict
        self.endings = endings
        self.done = 0
        self.failures: list[str] = []

    def each(
        self, items: Sequence[Item], read: Callable[[Item], Result], told: bool = True
    ) -> Iterator[tuple[int, Result]]:
        """The place of every item that can be read, and what `read` gives. told: with a progress bar."""
        with self.run.progress(len(items), shown=told) as bar:
            for place, item in enumerate(items):
                try:
                    with naming(item):
                        if self.endings is not None:
                            check_file(Path(item), self.endings)
                        result = read(item)
                except StyleMixError as error:
                    if self.strict:
                        raise
                    self.failures.append(str(error))
                else:
                    self.done += 1
                    yield place, result
                bar.update(place + 1)

    def end(self) -> None:
        """`SomeFailed` where items could not be used: exit code 1, or 2 where there was no other."""
        if self.failures:
            total = self.done + len(self.failures)
            told = (
                [f"{len(self.failures)} of {counted(total, 'file')} could not be used"] if total > 1 else []
            )
            raise SomeFailed(self.failures + told, 1 if self.done else 2)


@contextmanager
def naming(file: str | Path) -> Iterator[None]:
    """Makes errors that come from a file name it by its path, once."""
    path = Path(file)
    try:
        yield
    except (StyleMixError, OSError) as error:
        told = str(error).removeprefix(f"{path.name}: ")
        if not re.search(rf"(?<!\w){re.escape(str(path))}(?!\w)", told):
            told = f"{path}: {told}"
        kind = type(error) if isinstance(error, StyleMixError) else StyleMixError
        raise kind(told) from error
