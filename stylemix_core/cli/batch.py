"""Work on many files, of which some may be unusable."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from ..errors import StyleMixError
from ..progress import ProgressBar
from ..texts import counted
from .verb import Options

Item = TypeVar("Item")
Result = TypeVar("Result")


class SomeFailed(Exception):
    """Items of a batch could not be used; the others are done."""

    def __init__(self, lines: list[str], exit_code: int):
        super().__init__(*lines)
        self.lines, self.exit_code = lines, exit_code


class Batch:
    """Goes on after items that cannot be read, and tells of them at the end; with --strict stops at the first."""

    def __init__(self, options: Options):
        self.options = options
        self.done = 0
        self.failures: list[str] = []

    def each(
        self, items: Sequence[Item], read: Callable[[Item], Result], told: bool = True
    ) -> Iterator[tuple[int, Result]]:
        """The place of every item that can be read, and what `read` gives. told: with a progress bar."""
        with ProgressBar(len(items), self.options.name, self.options.quiet or not told) as bar:
            for place, item in enumerate(items):
                try:
                    result = read(item)
                except (StyleMixError, OSError) as error:
                    if self.options.strict:
                        raise
                    named = str(item) in str(error)
                    self.failures.append(str(error) if named else f"{item}: {error}")
                else:
                    self.done += 1
                    yield place, result
                bar.update(place + 1)

    def end(self) -> None:
        """`SomeFailed` where items could not be used: exit code 1, or 2 where there was no other."""
        if self.failures:
            raise some_failed(self.failures, self.done)


def some_failed(failures: list[str], done: int) -> SomeFailed:
    """For a sentence on each item that could not be used, and the number of the others."""
    total = done + len(failures)
    told = [f"{len(failures)} of {counted(total, 'file')} could not be used"] if total > 1 else []
    return SomeFailed(failures + told, 1 if done else 2)
