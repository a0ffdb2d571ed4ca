"""Writing files so that they appear complete or not at all, and telling files apart."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from safetensors import SafetensorError

from ..errors import StyleMixError, why_unwritable


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write to the path this yields, an empty file; it takes the name `path` when the block ends well.

    Missing folders are made. `StyleMixError` when the place cannot be written to. Where `path` is there and cannot be
    replaced, because a program on Windows has it open, what was written is kept under the name that the error tells.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = create(partial)
        yield partial
        partial.chmod(mode)  # safetensors makes files that only their owner can read
        move(partial, path)
    except (OSError, SafetensorError) as error:
        reason = why_unwritable(path.parent, error)
        raise StyleMixError(f"cannot write {path}: {reason}; check the folder and its free space") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def create(path: Path) -> int:
    """Make an empty file in place of any; returns the permissions that the system gives to new files here."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return os.fstat(handle).st_mode & 0o777
    finally:
        os.close(handle)


def move(partial: Path, path: Path) -> None:
    """Give a finished file its name; see `replacing`."""
    try:
        os.replace(partial, path)
    except PermissionError as error:
        if not path.is_file():
            raise
        kept = next(name for name in other_names(path) if not name.exists())
        os.replace(partial, kept)
        raise StyleMixError(
            f"{path} cannot be replaced, perhaps because a program has it open; close that one. What was to be "
            f"written is kept as {kept.name}"
        ) from error


def other_names(path: Path) -> Iterator[Path]:
    """Names beside a path that is taken: "grid_2.png", "grid_3.png", …"""
    return (path.with_name(f"{path.stem}_{number}{path.suffix}") for number in count(2))


def sha256(path: str | os.PathLike[str]) -> str:
    """The checksum of a file's bytes, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
