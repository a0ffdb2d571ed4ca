"""Names for files that every file system takes."""

import re
import unicodedata
from collections.abc import Sequence

LONGEST_NAME = 180
"""Bytes. File systems take 255, endings and numbers included."""
RESERVED = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"),
}
"""Names that Windows gives to devices, whatever the ending."""


def unique(names: Sequence[str]) -> list[str]:
    """The names, numbered where one comes up again: to Windows and macOS, A and a are one file."""
    taken: dict[str, str] = {}
    for name in names:
        free, number = name, 1
        while free.casefold() in taken:
            number += 1
            free = f"{name}_{number}"
        taken[free.casefold()] = free
    return [*taken.values()]


def file_name(text: str) -> str:
    """The text with only what every file system takes, in one piece per letter: macOS takes them apart."""
    text = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text)).strip("._") or "unnamed"
    text = text.encode()[:LONGEST_NAME].decode(errors="ignore")
    first, dot, rest = text.partition(".")
    return f"{first}_{dot}{rest}" if first.upper() in RESERVED else text  # "con.png" is the console, too
