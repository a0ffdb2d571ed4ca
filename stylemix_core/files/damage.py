"""What a damaged or hostile file does to the code that reads it becomes an error in words, here."""

import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CheckpointError, StyleMixError

DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    lzma.LZMAError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged file may end in before any of its values has been checked."""
LONGEST_MESSAGE = 1000
"""Characters of an error, whatever the file's names and values are."""
LONGEST_CAUSE = 400
"""Characters of what another library says of a file; some of its errors hold the file's bytes."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Makes a `CheckpointError` of all that reading `what`, a damaged file or a part of it, ends in.

    Errors of this package pass: they say already what is wrong.
    """
    try:
        yield
    except StyleMixError:
        raise
    except DAMAGE as error:
        problem = (
            f"the {what} is damaged or cut off ({repr(error)[:LONGEST_CAUSE]}); download or copy it again"
        )
        raise CheckpointError(problem) from error


@contextmanager
def about(path: str | os.PathLike[str]) -> Iterator[None]:
    """As `reading` the file at `path`, whose name then stands before every error, those of this package among them."""
    try:
        with reading("file"):
            yield
    except StyleMixError as error:
        name = Path(path).name or str(path)
        raise CheckpointError(f"{name}: {error}"[:LONGEST_MESSAGE]) from error


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Puts before this package's errors, whose kind they keep, which file cannot be used."""
    try:
        yield
    except StyleMixError as error:
        raise type(error)(f"{path} cannot be used: {error}"[:LONGEST_MESSAGE]) from error
