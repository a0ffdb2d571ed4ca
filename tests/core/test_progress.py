"""Progress on a terminal, and nowhere else."""

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
    with ProgressBar(first + steps, "find", **options) as bar:
        for step in range(1, steps + 1):
            clock[0] += seconds / steps
            bar.update(first + step)
    return lines(stream)


def lines(stream) -> list[str]:
    return [line for line in stream.getvalue().replace("\n", "\r").split("\r") if line.strip()]


def test_a_short_job_is_silent(monkeypatch, clock):
    assert written(monkeypatch, clock, Terminal(), 0.9, 10) == []


def test_a_quiet_job_is_silent(monkeypatch, clock):
    assert written(monkeypatch, clock, Terminal(), 25.0, 100, quiet=True) == []


def test_nothing_is_drawn_where_there_is_no_terminal(monkeypatch, clock):
    assert written(monkeypatch, clock, io.StringIO(), 25.0, 100) == []


def test_a_terminal_has_one_line_up_to_the_last_step(monkeypatch, clock):
    stream = Terminal()
    shown = written(monkeypatch, clock, stream, 25.0, 100)
    assert len(shown) > 50 and " 100/100 " in shown[-1]
    assert stream.getvalue().count("\n") == 1


def test_a_job_that_goes_on_is_as_fast_as_its_own_steps(monkeypatch, clock):
    *_, end = written(monkeypatch, clock, Terminal(), 20.0, 10, first=1000)
    assert " 1010/1010 " in end and "2.00s/" in end


def test_a_job_that_ends_before_what_was_expected_of_it_ends_at_all_of_it(monkeypatch, clock):
    stream = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", stream)
    with ProgressBar(1, "find") as bar:
        for done in range(1, 70):
            clock[0] += 0.5
            bar.step(done, 84)
    *others, end = lines(stream)
    assert " 69/84 " in others[-1]
    assert "100%" in end and " 69/69 " in end


def test_a_job_that_fails_ends_its_line_where_it_stands(monkeypatch, clock):
    stream = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", stream)
    with pytest.raises(RuntimeError), ProgressBar(10, "find") as bar:
        clock[0] += 15
        bar.update(3)
        raise RuntimeError
    assert " 3/10 " in lines(stream)[-1]
    assert stream.getvalue().endswith("\n")


def test_a_narrow_encoding_gets_plain_signs(monkeypatch, clock):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", write_through=True)
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress.sys, "stderr", stream)
    with ProgressBar(10, "find") as bar:
        clock[0] += 15
        bar.step(5, 20)
    assert b"#" in stream.buffer.getvalue() and b"5/20" in stream.buffer.getvalue()
