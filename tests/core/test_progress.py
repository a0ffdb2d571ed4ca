"""Progress on a terminal and in a log."""

import io

import pytest
from tqdm import tqdm

from stylemix_core import progress
from stylemix_core.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to: a list with the seconds."""
    now = [100.0]
    monkeypatch.setattr(progress, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    monkeypatch.setattr(tqdm, "monitor_interval", 0)
    return now


def written(monkeypatch, clock, stream, seconds: float, steps: int, first: int = 0, **options) -> list[str]:
    """The lines that a job of so many seconds in even steps writes, each over the one before on a terminal."""
    monkeypatch.setattr(progress.sys, "stderr", stream)
    bar = ProgressBar(first + steps, "find", **options)
    for step in range(1, steps + 1):
        clock[0] += seconds / steps
        bar.update(first + step)
    bar.close()
    return [line for line in stream.getvalue().replace("\n", "\r").split("\r") if line.strip()]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_short_job_is_silent(monkeypatch, clock, stream):
    assert written(monkeypatch, clock, stream(), 0.9, 10) == []


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_quiet_job_is_silent(monkeypatch, clock, stream):
    assert written(monkeypatch, clock, stream(), 25.0, 100, quiet=True) == []


def test_a_log_has_a_line_now_and_then_and_one_at_the_end(monkeypatch, clock):
    *others, end = written(monkeypatch, clock, io.StringIO(), 25.0, 100)
    assert len(others) == 2
    assert all("find" in line for line in others) and " 100/100 " in end


def test_a_terminal_has_one_line_up_to_the_last_step(monkeypatch, clock):
    stream = Terminal()
    lines = written(monkeypatch, clock, stream, 25.0, 100)
    assert len(lines) > 50 and " 100/100 " in lines[-1]
    assert stream.getvalue().count("\n") == 1


def test_a_job_that_goes_on_is_as_fast_as_its_own_steps(monkeypatch, clock):
    *_, end = written(monkeypatch, clock, Terminal(), 20.0, 10, first=1000)
    assert " 1010/1010 " in end and "2.00s/" in end


def test_a_narrow_encoding_gets_plain_signs(monkeypatch, clock):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", write_through=True)
    monkeypatch.setattr(progress.sys, "stderr", stream)
    bar = ProgressBar(10, "find")
    clock[0] += 15
    bar.step(5, 20)
    bar.close()
    assert b"#" in stream.buffer.getvalue() and b"5/20" in stream.buffer.getvalue()
