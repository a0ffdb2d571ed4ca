"""The command line before it works: help, refusals, what is imported, interrupts, output's encoding."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from stylemix_core import cli
from stylemix_core.analysis import find as finding
from stylemix_core.checkpoints import PARTS
from stylemix_core.cli import app, choices
from stylemix_core.cli.arguments import seed_list
from stylemix_core.codes import directions
from stylemix_core.device import DTYPES
from stylemix_core.faces.align import ALIGN_MODES
from stylemix_core.faces.paste import COLOUR_MATCHES
from stylemix_core.generator.engine.noise import NOISE_MODES
from stylemix_core.inversion import METHODS, QUALITIES
from stylemix_core.mixing import inject as injection

BOB = "stylemix_core/demo/bob.safetensors"
MIX = ["mix", "--seeds", "0", "--style", BOB]
FIND = ["find", "--seeds", "0", "--style", BOB, "--target"]


def run(*arguments) -> int:
    """The exit code, however it is given."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return stopped.code


HELP = [["--help"], ["--version"], *([verb.name, "--help"] for verb in app.VERBS)]
REFUSED = [
    (["mxi"], "No such command 'mxi'. Did you mean 'mix'?"),
    (["generate", "--sed", "0"], "No such option '--sed'"),
    (["generate"], "Missing option '--seeds'"),
    (["generate", "--seeds", "3-1"], "write for instance 0-3,7"),
    (["generate", "--seeds", "18446744073709551616"], "seeds are 0 to 18446744073709551615"),
    (["generate", "--seeds", "0", "--psi", "100"], "truncation_psi is 100; give a number from -2 to 2"),
    (["generate", "--seeds", "0", "--psi", "nan"], "truncation_psi is nan"),
    (["generate", "--seeds", "0", "--cutoff", "-1"], "truncation_cutoff is -1"),
    (["generate", "--seeds", "0", "--out", ""], "--out names no folder"),
    (["generate", "--seeds", "0", "--out", "README.md"], "a file stands where a folder is needed"),
    (["generate", "--seeds", "0", "--out", "README.md/a"], "a file stands where a folder is needed"),
    (["generate", "--seeds", "0", "--generator", "nowhere.pkl"], "nowhere.pkl: there is no such file"),
    (["generate", "--seeds", "0", "--dtype", "float64"], "'float64' is not one of"),
    (["mix", "--style", BOB], "give --source or --seeds"),
    ([*MIX, "--source", BOB], "--source and --seeds exclude each other"),
    ([*MIX, "--masks", "0-x"], "line 1, column 2"),
    ([*MIX, "--alpha", "4"], "the strength 4 is out of range"),
    ([*MIX, "--region", "nowhere.png"], "there is no picture at nowhere.png"),
    (["encode", "nowhere.png"], "there is no file or folder nowhere.png"),
    ([*FIND, "beard"], "there is no region 'beard'"),
    ([*FIND, "hair shape and skin colour"], "is not understood"),
    ([*FIND, "hair", "--keep", "glasses"], "The nearest is 'eyes'"),
    ([*FIND, "nowhere.png"], "there is no picture at nowhere.png"),
    (["blend", BOB, BOB, "--weight", "3"], "weight is 3; give a number from -1 to 2"),
]

WITHOUT_TENSORS = """
import contextlib, io, json, sys
sys.modules |= dict.fromkeys(("torch", "numpy", "PIL", "safetensors"))
from stylemix_core.cli import main
done = []
for arguments in json.loads(sys.argv[1]):
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            code = main(arguments)
        except SystemExit as stopped:
            code = stopped.code
    done.append([code, out.getvalue(), error.getvalue()])
print(json.dumps(done))
"""
"""Runs commands in a process where neither PyTorch nor NumPy can be imported."""


@pytest.fixture(scope="module")
def done() -> dict[tuple[str, ...], tuple[int, str, str]]:
    """Exit code, output and errors of `HELP` and `REFUSED`, by their words."""
    commands = [*HELP, *(arguments for arguments, _ in REFUSED)]
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORS, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {tuple(command): result for command, result in zip(commands, json.loads(told.stdout), strict=True)}


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_needs_no_tensors(done, arguments):
    code, output, error = done[tuple(arguments)]
    assert code == 0 and not error
    assert "stylemix" in output


@pytest.mark.parametrize(("arguments", "says"), REFUSED)
def test_refusals_that_need_no_tensor_import_none(done, arguments, says):
    code, _, error = done[tuple(arguments)]
    assert code == 2
    assert says in error
    assert error.count("\n") == (5 if "--masks" in arguments else 1)


def test_choices_are_those_of_the_modules_that_act_on_them():
    assert choices.PAIRINGS == injection.PAIRINGS and choices.SPACES == injection.SPACES
    assert choices.CHANNEL_SHARE == injection.CHANNEL_SHARE
    assert (choices.DIRECTION_METHODS, choices.SAMPLES) == (directions.METHODS, directions.SAMPLES)
    assert (METHODS, tuple(QUALITIES)) == (choices.INVERSION_METHODS, choices.QUALITIES)
    assert (choices.CARE, choices.OTHERS) == (finding.CARE, finding.OTHERS)
    assert (choices.PARTS, choices.ALIGN_MODES) == (PARTS, ALIGN_MODES)
    assert (choices.COLOUR_MATCHES, choices.NOISE_MODES) == (COLOUR_MATCHES, NOISE_MODES)
    assert ("auto", *DTYPES) == choices.DTYPES


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0-3,7", [0, 1, 2, 3, 7]),
        ("0–2", [0, 1, 2]),
        (" 0 - 2 , 9", [0, 1, 2, 9]),
        ("0 – 1,3−4", [0, 1, 3, 4]),
        ("5,5,4-6", [5, 4, 6]),
        ("18446744073709551615", [2**64 - 1]),
    ],
)
def test_seeds_take_dashes_and_spaces(text, seeds):
    assert seed_list(text) == seeds


def test_an_output_that_cannot_be_written_is_noticed_at_once_and_nothing_is_left(
    tmp_path, monkeypatch, capsys
):
    locked = tmp_path / "locked"
    locked.mkdir()
    monkeypatch.setattr(
        "tempfile.TemporaryFile", lambda dir: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    assert run("generate", "--seeds", "0", "--out", locked / "a" / "b") == 2
    assert f"cannot write to {locked / 'a' / 'b'}: Permission denied" in capsys.readouterr().err
    assert not any(locked.iterdir())


def test_interrupted_while_it_starts_it_ends_quietly(tmp_path):
    """Wherever the interrupt comes: while click, PyTorch or a verb's own modules are imported."""
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"  # background jobs lack it
        "from stylemix_core.cli import main; print('started', flush=True); sys.exit(main())"
    )
    for delay in (0.0, 0.1, 0.3, 0.8):
        process = subprocess.Popen(
            [sys.executable, "-c", script, "mix", "--seeds", "0-500", "--style", BOB, "--out", tmp_path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130, error
        assert "Traceback" not in error


def test_a_reader_that_has_seen_enough_ends_it_quietly():
    process = subprocess.Popen(
        [sys.executable, "-m", "stylemix_core.cli", "inspect", BOB, BOB],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_narrow_encoding_ends_nothing(encoding, tmp_path):
    script = (
        "import sys; from stylemix_core.cli import main; from stylemix_core.codes.latents import Latents, save_latents;"
        "import torch; save_latents(sys.argv[1], Latents.of(torch.zeros(1, 8, 16), '머리 ← photo.png'));"
        "sys.exit(main(['inspect', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "a.safetensors"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr
    assert b"? photo.png" in done.stdout
