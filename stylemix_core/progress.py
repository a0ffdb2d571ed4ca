"""A progress bar on the terminal, without a dependency."""

import sys
import time

SILENT_SECONDS = 1.0
"""A job that ends within them writes nothing."""


class ProgressBar:
    """One line on standard error that tells how far a job is.

    Nothing is written when the job ends within a second. Where standard error is no terminal, a line is written after
    that second, then every ten seconds, and at the end. `update` may be called as often as one likes.
    """

    def __init__(self, total: int, title: str):
        self.total, self.title = max(total, 1), title
        self.first: int | None = None
        self.started = self.shown = time.monotonic()
        self.stream = sys.stderr
        self.interval = 0.1 if self.stream.isatty() else 10.0

    def update(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = done - 1
        last = done >= self.total and self.stream.isatty()
        begun = self.shown > self.started
        if now - self.started < SILENT_SECONDS or (begun and now - self.shown < self.interval and not last):
            return
        self.shown = now
        rate = (now - self.started) / max(done - self.first, 1)
        left = int(rate * (self.total - done))
        filled = 24 * done // self.total
        bar = "█" * filled + "·" * (24 - filled)
        line = f"{self.title} [{bar}] {done}/{self.total} {left // 60}:{left % 60:02d} left {note}"
        self.stream.write(f"\r{line}\x1b[K" if self.stream.isatty() else line + "\n")
        self.stream.flush()

    def close(self) -> None:
        """End the line, after the last step."""
        if self.shown > self.started:
            seconds = time.monotonic() - self.started
            self.stream.write("\n" if self.stream.isatty() else f"{self.title}: done after {seconds:.0f} s\n")
            self.stream.flush()
