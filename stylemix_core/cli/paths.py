"""Files that are given and files that are written: which there are, and what they are called."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from ..errors import StyleMixError
from ..files import endings
from ..files.endings import HEIC, HEIC_REFUSED, listed
from ..files.names import file_name
from ..masks.grammar import MaskSource

PICTURES = frozenset((*endings.PICTURES, *endings.HEIC))
"""Endings that are taken for pictures; those of HEIC to be refused with advice."""
LATENTS = ".safetensors"
"""Ending of files with W+ codes, directions and tunings that this package writes."""
CODE_FILES = frozenset(endings.CODES)
"""Endings of those that it reads, other tools' among them."""
CODES = PICTURES | CODE_FILES
"""Endings of what W+ codes are read from."""
MASK_FILE = ".txt"
"""Ending of files with a mask list, as `find` writes them."""


def expand(paths: Sequence[Path], endings: Collection[str]) -> list[Path]:
    """`inside`, all checked."""
    found = inside(paths, endings)
    for path in found:
        check_file(path, endings)
    return found


def inside(paths: Sequence[Path], endings: Collection[str]) -> list[Path]:
    """The files given, and in the place of folders those inside that have one of the endings, if there are any.

    A folder with W+ files of this package stands for these: its pictures were drawn from them. Other tools' files do
    not keep pictures from being read.
    """
    found: list[Path] = []
    for path in chain.from_iterable(map(matching, paths)):
        children = sorted(path.iterdir()) if path.is_dir() else []
        files = [child for child in children if child.suffix.lower() in endings and not child.is_dir()]
        pictures = [file for file in files if file.suffix.lower() in PICTURES]
        ours = [file for file in files if file.suffix.lower() == LATENTS]
        found += (ours or pictures) if pictures else files or [path]
    return found


def matching(path: Path) -> list[Path]:
    """The files that a pattern such as `photos/*.jpg` means, which Windows' shells pass on as it is; else the path."""
    if path.exists() or not {*path.name} & {*"*?"}:
        return [path]
    return sorted(path.parent.glob(path.name)) or [path]


def check_file(path: Path, endings: Collection[str]) -> None:
    """`StyleMixError` unless there is such a file, and it has one of the endings and is no HEIC picture."""
    ending = path.suffix.lower()
    if path.is_dir():
        raise StyleMixError(
            f"the folder {path} holds nothing to read; expected files or folders with {listed(endings)}"
        )
    if not path.exists():
        raise StyleMixError(f"there is no file or folder {path}; check the path")
    if ending not in endings:
        raise StyleMixError(
            f"{path} has the ending {ending or '(none)'}; expected files or folders with {listed(endings)}"
        )
    if ending in HEIC:
        raise StyleMixError(f"{path} {HEIC_REFUSED}")


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
        elif path.suffix.lower() in CODES:
            words.append(path.stem)
        else:
            words.append(f"layers_{part}" if re.match(r"\d", part) else part)
    return file_name("_".join(words))


def numbered(results: Iterable[Sequence[str]]) -> Iterator[str]:
    """Names for the files of results, in their order; each is told by what it is of, as for `result_name`."""
    for number, parts in enumerate(results):
        yield f"{number:04d}_{result_name(*parts)}"


def refuse_to_replace(files: Iterable[str | Path], targets: Iterable[Path]) -> None:
    """`StyleMixError` where one of the files that are read would be written over."""
    read = [path for path in map(Path, files) if path.exists()]
    for target in targets:
        if target.exists() and any(target.samefile(path) for path in read):
            raise StyleMixError(
                f"{target} is read, and would be replaced; choose another folder by --out, or leave --overwrite out"
            )
