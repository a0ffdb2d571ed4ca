"""How the values of options are read: callbacks that refuse what can be refused without a tensor."""

import math
import re
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..analysis.wish_text import check_wish, read_wish
from ..codes.seed_text import seed_ranges
from ..errors import StyleMixError, why_unwritable
from ..masks.grammar import check_strength, refuse_several
from .choices import DEVICES
from .paths import CODES, PICTURES, check_file, expand, inside, matching

MAX_SEEDS = 100_000

Callback = Callable[[click.Context, click.Parameter, Any], Any]


def reading(read: Callable[[Any], Any]) -> Callback:
    """A callback that gives `read` the value of an option, unless there is none."""
    return lambda ctx, param, value: None if value is None else read(value)


def number(name: str, least: float, most: float = math.inf, usual: str = "") -> Callback:
    """A callback that refuses numbers out of a range, and NaN."""

    def check(value: float) -> float:
        if not least <= value <= most:
            span = f"{least:g} or more" if most == math.inf else f"a number from {least:g} to {most:g}"
            raise StyleMixError(f"{name} is {value:g}; give {span}{usual}")
        return value

    return reading(check)


def finite(name: str, value: float) -> float:
    """The number, unless it is NaN or infinite."""
    if not math.isfinite(value):
        raise StyleMixError(f"{name} is {value:g}; give a finite number")
    return value


def files(endings: Collection[str]) -> Callback:
    """A callback for paths: the files meant."""
    return lambda ctx, param, value: expand(value, endings)


def some(check: Callable[[Any], object], find: Callable[[Any], list[Any]]) -> Callback:
    """A callback for what a `Batch` works on: what `find` makes of it, refused where `check` refuses all."""

    def read(ctx: click.Context, param: click.Parameter, value: Any) -> list[Any]:
        found = find(value)
        refusals = []
        for item in found:
            try:
                check(item)
            except StyleMixError as error:
                refusals.append(error)
            else:
                return found
        if len(found) == 1:
            raise refusals[0]
        raise StyleMixError(f"{refusals[0]}; none of the {len(found)} files can be used")

    return read


def some_files(endings: Collection[str]) -> Callback:
    """A callback for the paths of a `Batch`: the files meant, of which some may be unusable."""
    return some(partial(check_file, endings=endings), partial(inside, endings=endings))


def model_files(files: Sequence[str]) -> list[str]:
    """The files meant by paths and patterns. "demo" stands for itself."""
    return [str(path) for file in files for path in matching(Path(file))]


def check_model(file: str | Path) -> None:
    """`StyleMixError` unless there is a file, or it is "demo"."""
    if str(file) != "demo" and not Path(file).exists():
        raise StyleMixError(f"{file}: there is no such file; check the path")


def existing(message: str) -> Callback:
    """A callback for the path of one file, with what to say when there is none."""

    def check(value: str | Path) -> str | Path:
        if not Path(value).exists():
            raise StyleMixError(message.format(path=value))
        return value

    return reading(check)


def model_file(*known: str) -> Callback:
    """A callback for the path of a model, or one of the names that stand for models."""
    check = existing("{path}: there is no such file; check the path")
    return lambda ctx, param, value: value if value in known else check(ctx, param, value)


picture = existing("there is no picture at {path}; check the path")


def mask_picture(path: str | Path) -> Path:
    """The path of a picture that is white inside a region. `StyleMixError` when it is plainly something else."""
    if not Path(path).exists():
        raise StyleMixError(f"there is no picture at {path}; check the path")
    from ..files.coloured import refuse_plainly_coloured  # Pillow, which most commands need much later

    refuse_plainly_coloured(path)
    return Path(path)


def pose_file(path: Path) -> Path:
    """The path of a photograph, or of a file with poses. `StyleMixError` when there is none."""
    check_file(path, {*PICTURES, ".npy"})
    return path


def each(read: Callable[[Any], Any]) -> Callback:
    """A callback that gives `read` every value of an option of several."""
    return lambda ctx, param, value: [read(item) for item in value]


def one_path(endings: Collection[str]) -> Callback:
    """A callback for one path: the files meant."""
    return reading(lambda value: expand([value], endings))


def seed_list(text: str) -> list[int]:
    """Seeds of "0-3,7", each once."""
    ranges = seed_ranges(text)
    for each in ranges:
        # A range's length can be more than `len` can tell.
        if each.stop - each.start > MAX_SEEDS:
            raise StyleMixError(
                f"{each.start}-{each.stop - 1} asks for {each.stop - each.start} pictures; write for instance 0-3,7, "
                f"{MAX_SEEDS} at most"
            )
    return list(dict.fromkeys(chain(*ranges)))


def device(text: str) -> str:
    """A name that a device may have. Whether it is there is told later."""
    if not re.fullmatch(rf"({'|'.join(DEVICES)})(:[0-9]+)?", text):
        raise StyleMixError(
            f"there is no device {text!r}; choose one of: {', '.join(DEVICES)}, with a number as in cuda:1 where there "
            "are several, or leave --device out for the fastest there is"
        )
    return text


def one_mask(text: str) -> str:
    """Layers, written as a single mask."""
    refuse_several(text)
    return text


def strength(value: float) -> float:
    check_strength(value)
    return value


def named_masks(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, Path]:
    """A callback: names and files of "hat=hat.png"."""
    paths: dict[str, str] = {}
    for text in value:
        name, _, path = text.partition("=")
        if not (name := name.strip()) or not path:
            raise click.BadParameter(f"{text!r} names no region and file; write for instance hat=hat.png")
        if name in paths:
            raise click.BadParameter(f"{name} is given twice; give every region one picture")
        paths[name] = path
    return {name: mask_picture(path) for name, path in paths.items()}


def wish_or_picture(text: str) -> str | Path:
    """A wish in words, checked, or the path of a picture that is white there."""
    if Path(text).suffix.lower() in PICTURES:
        return mask_picture(text)
    check_wish(read_wish(text))
    return text


def place(ending: str | None = None) -> Callback:
    """A callback for where results go: a folder, made if need be, or a file with the ending. It is tried at once."""

    def read(ctx: click.Context, param: click.Parameter, value: str) -> Path:
        if not value.strip():
            raise StyleMixError("--out names no folder; give one, or leave the option out")
        path = Path(value)
        is_file = ending is not None and path.suffix.lower() == ending and not path.is_dir()
        if not is_file and path.suffix.lower() in CODES and not path.is_dir():
            raise StyleMixError(
                f"--out names a folder, not a file such as {path}; give {path.with_suffix('')}"
            )
        if not ctx.resilient_parsing:  # a shell completes the line
            check_writable(path.parent if is_file else path)
        return path

    return read


def check_writable(folder: Path) -> None:
    """`StyleMixError` when nothing can be written there. Leaves everything as it was."""
    made = []
    try:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir()
            made.append(parent)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = why_unwritable(folder, error)
        raise StyleMixError(f"cannot write to {folder}: {reason}; choose another folder by --out") from None
    finally:
        for parent in reversed(made):
            with suppress(OSError):  # another run has begun to write there
                parent.rmdir()


def any_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """For `shell_complete`: the shell's own completion of paths."""
    return [CompletionItem(incomplete, type="file")]


def any_folder(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """For `shell_complete`: the shell's own completion of folders."""
    return [CompletionItem(incomplete, type="dir")]
