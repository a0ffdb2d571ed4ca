"""Writing files so that they appear complete or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import StyleMixError


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
        partial.chmod(0o644)  # safetensors makes files that only their owner can read
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or error
        raise StyleMixError(f"cannot write {path}: {reason}; check the folder and its free space") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
