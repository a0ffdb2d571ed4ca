"""Where a verb begins its work: PyTorch is imported after all that could be refused without it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from .options import Output
from .run import Run

if TYPE_CHECKING:
    from .results import Results


def begin() -> None:
    """Import PyTorch. From here on the verb keeps no gradients."""
    with stopping_at_once():
        import torch

    click.get_current_context().with_resource(torch.inference_mode())


def begin_results(output: Output, run: Run) -> "Results":
    """`begin`, and where the verb's files go. At the verb's end it warns of names that were taken."""
    begin()
    from .results import Results

    results = Results(output, run)
    click.get_current_context().call_on_close(results.tell)
    return results


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
