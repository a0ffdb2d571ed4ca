"""What all verbs have in common: how one is made of a function, and the options that several share.

Whatever can be checked without a tensor is checked while options are read, so that help and refusals cost no import
of PyTorch.
"""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click

from ..errors import StyleMixError, why_unwritable

if TYPE_CHECKING:
    from .results import Results


class Options(SimpleNamespace):
    """What the options of a verb were read to. `name` is the verb's own."""

    results: "Results"
    """Where its files go; there is none without --out."""
    warned: set[str]
    """What it has warned of already."""


Check = Callable[[Options], None]
"""Raises an error where options do not fit each other."""


class Verb(click.Command):
    """A command whose options of `multiple` values take them in a row, too: `--style a.png b.png`."""

    checks: tuple["Check", ...] = ()
    """What is asked of the options together before PyTorch is imported."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        several = {
            name
            for param in self.params
            if isinstance(param, click.Option) and param.multiple
            for name in param.opts
        }
        return super().parse_args(ctx, list(repeated(args, several)))

    def invoke(self, ctx: click.Context) -> None:
        options = Options(name=self.name, warned=set(), **ctx.params)
        for check in self.checks:
            check(options)
        with stopping_at_once():
            import torch

            from .results import Results  # and with it most of what verbs import
        assert self.callback is not None
        if "out" in ctx.params:
            options.results = Results(options)
            ctx.call_on_close(options.results.tell)
        try:
            with torch.inference_mode():
                self.callback(options)
        except torch.OutOfMemoryError as error:
            raise StyleMixError(str(error)) from error


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """While PyTorch and NumPy are imported, which swallow an interrupt and go on broken, Ctrl-C ends the process."""

    def stop(*_: object) -> None:
        os.write(2, b"stylemix: stopped before it had begun\n")
        os._exit(130)

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread, which alone hears of interrupts
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def repeated(words: Sequence[str], several: set[str]) -> Iterator[str]:
    """The words with the name of an option of `several` before each of its values."""
    name, first = "", False
    for word in words:
        if word.startswith("-") and len(word) > 1:
            option, given, _ = word.partition("=")
            name, first = option if option in several else "", not given
        elif name and not first:
            yield name
        else:
            first = False
        yield word


Decorator = Callable[[Callable], Callable]


def verb(
    summary: str,
    out: Decorator | None = None,
    about: str = "",
    epilog: str | None = None,
    checks: tuple[Check, ...] = (),
) -> Callable[[Callable], Verb]:
    """Make a verb of a function of `Options`; it is called as the function is. about: what its arguments are."""

    def decorate(function: Callable) -> Verb:
        quiet(function)
        if out is not None:
            out(function)
        command = click.command(
            function.__name__, Verb, help=f"{summary}\n\n{about}", short_help=summary, epilog=epilog
        )(function)
        command.checks = checks
        return command

    return decorate


def group(*options: Decorator) -> Decorator:
    """Several options as one decorator, in that order."""

    def decorate(function: Callable) -> Callable:
        for option in reversed(options):
            option(function)
        return function

    return decorate


quiet = click.option("--quiet", is_flag=True, help="Print warnings and errors only.")

strict = click.option("--strict", is_flag=True, help="Stop at the first file that cannot be used.")


class Place(click.ParamType):
    """Where results go: a folder, made if need be, or a file with `ending`. It is tried out at once."""

    name = "folder"

    def __init__(self, ending: str | None = None):
        self.ending = ending

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if not str(value).strip():
            raise StyleMixError("--out names no folder; give one, or leave the option out")
        is_file = self.ending is not None and path.suffix.lower() == self.ending and not path.is_dir()
        check_writable(path.parent if is_file else path)
        return path


overwrite = click.option(
    "--overwrite",
    is_flag=True,
    help="Replace files of earlier runs in that folder. Without it, they are kept, and new ones get a number.",
)


def out_folder(name: str) -> Decorator:
    place = click.option("--out", type=Place(), default=f"stylemix_{name}", help="Folder for results.")
    return group(place, overwrite)


def check_writable(folder: Path) -> None:
    """`StyleMixError` when nothing can be written there. Leaves everything as it was."""
    made = []
    try:
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        for place in reversed(missing):
            place.mkdir()
            made.append(place)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = why_unwritable(folder, error)
        raise StyleMixError(f"cannot write to {folder}: {reason}; choose another folder by --out") from None
    finally:
        for place in reversed(made):
            with suppress(OSError):  # another run has begun to write there
                place.rmdir()
