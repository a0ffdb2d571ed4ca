"""The page's own tests, which node runs: the table of mask lists of Python's parser, formatting, editing, links."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
FOLDER = Path(__file__).parent


def node_version() -> tuple[int, ...]:
    text = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.findall(r"[0-9]+", text)))


def passed(file: str) -> int:
    """How many of a file's tests have passed; none may fail."""
    if NODE is None:
        pytest.skip("the page's tests need node, which is not installed")
    if node_version() < (20,):
        pytest.skip("the page's tests need node 20 or newer")
    done = subprocess.run(
        [NODE, "--test", FOLDER / file], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"pass (\d+)", done.stdout)
    assert found
    return int(found[1])


def test_the_page_reads_and_writes_mask_lists_as_python_does():
    assert passed("grammar.test.mjs") > 60


def test_the_page_finds_the_model_and_the_masks_in_force_through_links():
    assert passed("graph.test.mjs") > 10


def test_the_page_shows_what_is_remembered_and_no_picture_of_progress_when_runs_end():
    assert passed("runs.test.mjs") == 7


OTHERS = {path.name for path in FOLDER.glob("*.test.mjs")} - {
    "grammar.test.mjs",
    "graph.test.mjs",
    "runs.test.mjs",
}


@pytest.mark.parametrize("file", sorted(OTHERS))
def test_the_pages_other_modules(file):
    assert passed(file) > 0
