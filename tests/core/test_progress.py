"""Progress on a terminal and in a log."""

import io

import pytest

from stylemix_core import progress
from stylemix_core.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to: a list with the seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "SILENT_SECONDS", 1.0)
    return now


def written(monkeypatch, clock, stream, seconds: float, steps: int) -> str:
    """What a job of so many seconds in even steps writes."""
    monkeypatch.setattr(progress.sys, "stderr", stream)
    bar = ProgressBar(steps, "find")
    for step in range(1, steps + 1):
        clock[0] += seconds / steps
        bar.update(step)
    bar.close()
    return stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_short_job_is_silent(monkeypatch, clock, stream):
    assert written(monkeypatch, clock, stream(), 0.9, 10) == ""


def test_a_log_has_a_line_now_and_then_and_one_at_the_end(monkeypatch, clock):
    first, *others, end = written(monkeypatch, clock, io.StringIO(), 25.0, 100).splitlines()
    assert "find" in first and " 4/100 " in first
    assert len(others) == 2
    assert end == "find: done after 25 s"


def test_a_terminal_has_one_line_up_to_the_last_step(monkeypatch, clock):
    text = written(monkeypatch, clock, Terminal(), 25.0, 100)
    assert text.count("\n") == 1 and "100/100" in text.split("\r")[-1]
