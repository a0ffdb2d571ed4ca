"""The header of safetensors files: what they hold, told without PyTorch."""

import json
from typing import Any, BinaryIO

from ..errors import CheckpointError

METADATA = "__metadata__"
LONGEST_HEADER = 1 << 22
"""Bytes. Those of the largest image models have a quarter of it."""


def read_header(file: BinaryIO) -> tuple[dict[str, Any], dict[str, str]]:
    """Entries by the tensors' names, unchecked, and metadata. The tensors' data start where the file then is read.

    `CheckpointError` when the file is damaged or none of safetensors.
    """
    length = int.from_bytes(file.read(8), "little")
    text = file.read(length) if length <= LONGEST_HEADER else b""
    if len(text) != length:
        raise damaged(f"its header of {length} bytes does not fit")
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged("its header is not JSON") from error
    if not isinstance(entries, dict):
        raise damaged("its header is not a list of tensors")
    metadata = entries.pop(METADATA, None)
    texts = metadata.items() if isinstance(metadata, dict) else ()
    return entries, {key: value for key, value in texts if isinstance(value, str)}


def damaged(why: str) -> CheckpointError:
    """An error that says what is wrong with a safetensors file."""
    return CheckpointError(f"the safetensors file is damaged or cut off ({why}); download or copy it again")
