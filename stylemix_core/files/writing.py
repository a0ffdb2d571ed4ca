"""Writing files so that they appear complete or not at all, and telling files apart."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from ..errors import StyleMixError, why_unwritable


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write to the path this yields; it takes the name `path` when the block ends well.

    Missing folders are made. `StyleMixError` when the place cannot be written to.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.chmod(0o666 & ~current_umask())  # safetensors makes files that only their owner can read
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        reason = why_unwritable(path.parent, error)
        advice = "check the folder and its free space"
        if os.name == "nt" and isinstance(error, PermissionError) and path.is_file():
            advice = "close the programs that have the file open"
        raise StyleMixError(f"cannot write {path}: {reason}; {advice}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def sha256(path: str | os.PathLike[str]) -> str:
    """The checksum of a file's bytes, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def current_umask() -> int:
    """Which permissions new files of this process lack. It can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
