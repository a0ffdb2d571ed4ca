"""The page's own tests, which node runs: the same table of mask lists as Python's parser, formatting, editing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
TESTS = Path(__file__).with_name("grammar.test.mjs")


def node_version() -> tuple[int, ...]:
    text = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.findall(r"[0-9]+", text)))


def test_the_page_reads_and_writes_mask_lists_as_python_does():
    if NODE is None:
        pytest.skip("the page's tests need node, which is not installed")
    if node_version() < (20,):
        pytest.skip("the page's tests need node 20 or newer")
    done = subprocess.run(
        [NODE, "--test", TESTS], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"pass (\d+)", done.stdout)
    assert passed and int(passed[1]) > 60
