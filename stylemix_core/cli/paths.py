"""Files that are given and files that are written: which there are, and what they are called."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from .. import endings
from ..errors import StyleMixError
from ..mask_text import MaskSource

PICTURES = frozenset((*endings.PICTURES, *endings.HEIC))
LATENTS = ".safetensors"
MASK_FILE = ".txt"
"""Ending of files with a mask list, as `find` writes them."""


def expand(paths: Sequence[Path], endings: Collection[str]) -> list[Path]:
    """The files given, and those inside the folders given.

    A folder with W+ files stands for these: its pictures were drawn from them.
    """
    expected = f"expected files or folders with {', '.join(sorted(endings))}"
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(child for child in path.iterdir() if child.suffix.lower() in endings)
            codes = [child for child in inside if child.suffix.lower() == LATENTS]
            if not inside:
                raise StyleMixError(f"the folder {path} holds nothing to read; {expected}")
            found += codes or inside
        elif not path.exists():
            raise StyleMixError(f"there is no file or folder {path}; check the path")
        elif path.suffix.lower() not in endings:
            raise StyleMixError(f"{path} has the ending {path.suffix or '(none)'}; {expected}")
        else:
            found.append(path)
    return found


def mask_text(text: str) -> str:
    """A mask list: the text itself, or what is in the text file that it names. `MaskSyntaxError` where it is none."""
    path = Path(text)
    if path.suffix.lower() == MASK_FILE:
        try:
            text = path.read_text(encoding="utf-8-sig")  # Windows' editors begin files with a mark
        except FileNotFoundError:
            raise StyleMixError(
                f"there is no mask list at {path}; check the path, or write the masks themselves, as in 0-3; 8"
            ) from None
        except UnicodeDecodeError:
            raise StyleMixError(f"{path} is no text in UTF-8; expected a mask list, as in 0-3; 8") from None
    MaskSource(text)
    return text


def unique(names: Sequence[str]) -> list[str]:
    """The names, numbered where one comes up again."""
    taken: list[str] = []
    for name in names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.append(free)
    return taken


def file_name(text: str) -> str:
    """The text with only what every file system takes."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "unnamed"


def result_name(*parts: str) -> str:
    """What a file is called by what it is of: seed or picture, style, mask.

    >>> result_name("seed 3", "photo.png", "0-6")
    'seed0003_photo_layers_0-6'
    """
    words = []
    for part in parts:
        seed = re.fullmatch(r"seed (\d+)", part)
        path = Path(part)
        if seed:
            words.append(f"seed{int(seed[1]):04d}")
        elif path.suffix.lower() in PICTURES | {LATENTS}:
            words.append(path.stem)
        else:
            words.append(f"layers_{part}" if re.match(r"\d", part) else part)
    return file_name("_".join(words))


def numbered(results: Iterable[Sequence[str]]) -> Iterator[str]:
    """Names for the files of results, in their order; each is told by what it is of, as for `result_name`."""
    for number, parts in enumerate(results):
        yield f"{number:04d}_{result_name(*parts)}"
