"""Telling how far a job is: what a long job calls as it goes on, and a bar on the terminal that can be called so."""

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

SILENT_SECONDS = 1.0
"""A job that ends within them writes nothing."""


class OnStep(Protocol):
    """Called by a long job after each of its steps. What it raises ends the job."""

    def __call__(
        self, done: int, total: int, pictures: "torch.Tensor | None" = None, note: str = "", /
    ) -> None:
        """How far the job is.

        done: the steps done; total: all of them, as far as the job knows by now.
        pictures: the newest ones, `[B, C, R, R]` in −1…1, from a job that shows them now and then; else None.
        note: what else there is to say by now: the best mask so far.
        """


class ProgressBar:
    """A bar on standard error, by tqdm, which only the command line and training need. A context manager.

    Nothing is written when the job ends within a second, and where standard error is no terminal. `update` may be
    called as often as one likes. A job that ends well ends at 100 %, whatever was expected of it; one that fails leaves
    the bar where it stands.
    quiet: draw nothing at all.
    """

    def __init__(self, total: int, title: str, quiet: bool = False):
        from tqdm import tqdm  # not needed to import what reports progress

        self.begun = False
        self.bar = tqdm(
            total=max(total, 1),
            desc=title,
            delay=SILENT_SECONDS,
            miniters=1,
            dynamic_ncols=True,
            disable=quiet or not sys.stderr.isatty(),
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.close()
        else:
            self.bar.close()

    def update(self, done: int, note: str = "") -> None:
        if not self.begun:  # a job that goes on where another stopped is no faster for it
            self.begun, self.bar.initial, self.bar.n = True, done - 1, done - 1
        if note:
            self.bar.set_postfix_str(note, refresh=False)
        self.bar.update(done - self.bar.n)

    def step(self, done: int, total: int, pictures: "torch.Tensor | None" = None, note: str = "", /) -> None:
        """`update` as an `OnStep`: for jobs that tell, and may learn on their way, how long they are."""
        self.bar.total = total
        self.update(done, note)

    def close(self) -> None:
        """End the line, after the last step."""
        self.bar.total = self.bar.n or self.bar.total
        self.bar.close()
