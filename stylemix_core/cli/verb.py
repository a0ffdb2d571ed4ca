"""How a verb is made of a function and the options above it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import wraps
from typing import Any

import click

from ..errors import StyleMixError

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


class Verb(click.Command):
    """A command whose options of `multiple` values take them in a row, too: `--style a.png b.png`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        several = {
            name
            for param in self.params
            if isinstance(param, click.Option) and param.multiple
            for name in param.opts
        }
        return super().parse_args(ctx, list(repeated(args, several)))

    def invoke(self, ctx: click.Context) -> None:
        try:
            super().invoke(ctx)
        except RuntimeError as error:
            import torch  # which has most likely raised it

            if not isinstance(error, torch.OutOfMemoryError):
                raise
            raise StyleMixError(str(error)) from error


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


def verb(summary: str, about: str = "", epilog: str | None = None) -> Callable[[Function], Verb]:
    """Make a verb of a function, which is called as the function is. about: what its arguments are."""

    def decorate(function: Function) -> Verb:
        name = function.__name__.replace("_", "-")
        return click.command(name, Verb, help=f"{summary}\n\n{about}", short_help=summary, epilog=epilog)(
            function
        )

    return decorate


def in_order(*options: Decorator) -> Decorator:
    """Several options as one decorator, in that order."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def gathered(name: str, group: type[Any], *options: Decorator) -> Decorator:
    """Several options as one decorator, in that order; the function gets them as `name`, in the dataclass `group`.

    Options have the names of its fields. A field with a default needs none.
    """
    names = [field.name for field in fields(group)]

    def gather(function: Function) -> Function:
        @wraps(function)
        def with_group(**values: Any) -> Any:
            own = {field: values.pop(field) for field in names if field in values}
            return function(**values, **{name: group(**own)})

        return with_group

    return in_order(*options, gather)
