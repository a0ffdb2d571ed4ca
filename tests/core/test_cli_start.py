"""The command line before it works: help, refusals, what is imported, interrupts, output's encoding."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from PIL import Image

from stylemix_core import cli
from stylemix_core.analysis import find as finding
from stylemix_core.checkpoints import PARTS
from stylemix_core.cli import app, choices
from stylemix_core.cli.fit import known_layers
from stylemix_core.cli.options import GeneratorOptions
from stylemix_core.cli.reading import device, seed_list
from stylemix_core.codes import directions, unsupervised
from stylemix_core.device import PRECISIONS
from stylemix_core.faces.align import ALIGN_MODES
from stylemix_core.faces.paste import COLOUR_MATCHES
from stylemix_core.figures import sheets
from stylemix_core.files.coloured import refuse_plainly_coloured
from stylemix_core.generator.engine.noise import NOISE_MODES
from stylemix_core.inversion import METHODS, QUALITIES
from stylemix_core.mixing import inject as injection
from stylemix_core.mixing.pairing import PAIRINGS
from stylemix_core.motion import curves, film, walk
from stylemix_core.training.encoder_maker import SIZES
from tests import builders

without_windows = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

BOB = "stylemix_core/demo/bob.safetensors"
ENCODER = "stylemix_core/demo/encoder.safetensors"
MIX = ["mix", "--seeds", "0", "--style", BOB]
EXPLAIN = ["explain", "--seeds", "0", "--style", BOB]
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
    (["generate", "--seeds", "0-x"], "'0-x' is no seed or range of seeds; write for instance 0-3,7"),
    (["generate", "--seeds", "7, 3-1"], "the range 3-1 runs backwards; write 1-3"),
    (["generate", "--seeds", "0..2"], "'0..2' is no seed or range of seeds; write 0-2"),
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
    ([*EXPLAIN, "--region", "hat=README.md", "--region", "hat=README.md"], "hat is given twice"),
    ([*EXPLAIN, "--region", "hat"], "'hat' names no region and file"),
    ([*FIND, "hair shape and skin colour"], "is not understood"),
    ([*FIND, "hair", "--keep", "glasses"], "The nearest is 'eyes'"),
    ([*FIND, "nowhere.png"], "there is no picture at nowhere.png"),
    (["blend", BOB, BOB, "--weight", "3"], "weight is 3; give a number from -1 to 2"),
    (["inspect", "missing.pt"], "missing.pt: there is no such file; check the path"),
    (["inspect", "--strict", "missing.pt", "a.pkl"], "missing.pt: there is no such file; check the path"),
    (["convert", "missing.pt"], "missing.pt: there is no such file; check the path"),
    (["convert", BOB, BOB, "--out", "new.safetensors"], "--out names one file, new.safetensors"),
    (
        ["generate", "--seeds", "0", "--out", "a.png"],
        "--out names a folder, not a file such as a.png; give a",
    ),
    (
        ["generate", "--seeds", "0", "--device", "gpu"],
        "there is no device 'gpu'; choose one of: cpu, cuda, mps",
    ),
    (["generate", "--seeds", "0", "--device", "cuda:"], "there is no device 'cuda:'"),
    (["generate", "--seeds", "0", "--class-label", "-1"], "class_label is -1; give 0 or more"),
    (
        ["generate", "--seeds", "0", "--cutoff", "15"],
        "truncation_cutoff is 15, but this generator has 14 layers",
    ),
    (["truncate", BOB, "--cutoff", "15"], "truncation_cutoff is 15"),
    (
        ["find", "--seeds", "0", "--style", BOB, "--target", "hair", "--cutoff", "15"],
        "truncation_cutoff is 15",
    ),
    ([*MIX, "--masks", "0; 2-14"], "there is no layer 14: this model has the layers 0-13"),
    ([*MIX, "--encoder", ENCODER, "--masks", "random(15)"], "random can draw 1 to 14 layers from this model"),
    ([*MIX, "--channel-share", "1.5"], "channel_share is 1.5; give a number from 0 to 1"),
    ([*MIX, "--space", "channels"], "give a picture of it by --region"),
    (["strip", *MIX[1:], "--count", "0"], "count is 0; give a number from 1 to 64"),
    (["strip", *MIX[1:], "--to", "4"], "the strength 4 is out of range; use a number from -2 to 3"),
    (
        ["directions", "--name", "smile"],
        "'smile' names no direction; write its number and its name, as in 1: smile",
    ),
    (["directions", "--layers", "4; 5"], "holds 2 masks"),
    (["directions", "--layers", "12-14"], "there is no layer 14"),
    (["directions", "--strength", "21"], "strength is 21; give a number from -20 to 20"),
    (["directions", "--steps", "0"], "steps is 0; give a number from 1 to 64"),
    (["directions", "--count", "0"], "count is 0; give 1 or more"),
]

WITHOUT_TENSORS = """
import contextlib, io, json, sys
sys.modules |= dict.fromkeys(sys.argv[2:])
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
"""Runs commands in a process where some packages cannot be imported."""


def told_without(packages: list[str], commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of commands that have to do without these packages."""
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORS, json.dumps(commands), *packages],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def done() -> dict[tuple[str, ...], tuple[int, str, str]]:
    """Exit code, output and errors of `HELP` and `REFUSED`, by their words."""
    commands = [*HELP, *(arguments for arguments, _ in REFUSED)]
    told = told_without(["torch", "numpy", "PIL", "safetensors"], commands)
    return {tuple(command): result for command, result in zip(commands, told, strict=True)}


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
    assert error.count("\n") == (5 if "line 1, column" in error else 1)


def test_a_photo_as_a_mask_is_refused_before_tensors_are_imported(tmp_path):
    photo = str(tmp_path / "photo.jpg")
    Image.linear_gradient("L").convert("P").convert("RGB").save(tmp_path / "grey.png")
    colours = [Image.linear_gradient("L").rotate(turn) for turn in (0, 90, 180)]
    Image.merge("RGB", colours).resize((2000, 1500)).save(photo)
    commands = [
        [*FIND, photo],
        [*FIND, "hair", "--keep", photo],
        [*MIX, "--region", photo],
        [*EXPLAIN, "--region", f"hat={photo}"],
        ["invert", photo, "--mask", photo],
        ["paste", photo, photo, "--mask", photo],
    ]
    for code, _, error in told_without(["torch", "numpy", "safetensors"], commands):
        assert code == 2 and error.count("\n") == 1
        assert f"{photo} is a coloured picture; a mask is grey" in error
    refuse_plainly_coloured(tmp_path / "grey.png")
    refuse_plainly_coloured("README.md")


def test_the_layers_of_files_that_others_wrote_are_told_by_their_readers(tmp_path):
    def layers(**files) -> int | None:
        models = {"generator": None, "tuning": None, "device": None, "dtype": "float32", "compile": False}
        return known_layers(GeneratorOptions(**models | files))

    own = {"format": "stylemix", "config": '{"generator": {}}'}
    headers = [{}, {"num_ws": "3"}, own, own | {"num_ws": "9" * 5000}, own | {"num_ws": "0"}, [own]]
    contents = [builders.safetensors_bytes({"__metadata__": metadata}) for metadata in headers]
    model = tmp_path / "model.safetensors"
    for content in (*contents, b"", b"{", b"\x02" + bytes(7) + b"[]", b"\xff" * 50):
        model.write_bytes(content)
        assert layers(generator=str(model)) is None
        assert layers(encoder=str(model)) is None
    model.write_bytes(builders.safetensors_bytes({"__metadata__": own | {"num_ws": "18"}}))
    assert layers(generator=str(model)) == 18
    assert layers(encoder=str(model)) == 18
    model.unlink()
    assert layers(generator=str(model)) is None
    assert layers(encoder=ENCODER) == 14


def test_devices_are_names_that_pytorch_knows():
    assert [torch.device(name).type for name in choices.DEVICES] == [*choices.DEVICES]
    assert device("cuda:1") == "cuda:1"


def test_choices_are_those_of_the_modules_that_act_on_them():
    assert choices.PAIRINGS == PAIRINGS and choices.SPACES == injection.SPACES
    assert choices.CHANNEL_SHARE == injection.CHANNEL_SHARE
    assert (choices.DIRECTION_METHODS, choices.SAMPLES) == (unsupervised.METHODS, unsupervised.SAMPLES)
    assert (METHODS, tuple(QUALITIES)) == (choices.INVERSION_METHODS, choices.QUALITIES)
    assert ("auto", *SIZES) == choices.ENCODER_SIZES
    assert (choices.CARE, choices.OTHERS) == (finding.CARE, finding.OTHERS)
    assert (choices.PARTS, choices.ALIGN_MODES) == (PARTS, ALIGN_MODES)
    assert (choices.CURVES, choices.SPEEDS, choices.EASINGS) == (walk.CURVES, walk.SPEEDS, curves.EASINGS)
    assert {f".{name}" for name in choices.FILMS} == {*film.ENDINGS, ".png"}
    assert (choices.COLOUR_MATCHES, choices.NOISE_MODES) == (COLOUR_MATCHES, NOISE_MODES)
    assert choices.PRECISIONS == PRECISIONS
    assert choices.DIRECTION_STRENGTH == directions.MAX_STRENGTH
    assert choices.MOST_COLUMNS == sheets.MOST_COLUMNS


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0-3,7", [0, 1, 2, 3, 7]),
        ("0–2", [0, 1, 2]),
        (" 0 - 2 , 9", [0, 1, 2, 9]),
        ("0 – 1,3−4", [0, 1, 3, 4]),
        ("5,5,4-6", [5, 4, 6]),
        ("0~2", [0, 1, 2]),
        ("０～２，４－５、\u30007", [0, 1, 2, 4, 5, 7]),
        ("18446744073709551615", [2**64 - 1]),
    ],
)
def test_seeds_take_dashes_tildes_spaces_and_full_width_signs(text, seeds):
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


@without_windows
def test_interrupted_while_it_starts_it_ends_quietly(tmp_path):
    """Wherever the interrupt comes: while click, PyTorch or a verb's own modules are imported."""
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"  # background jobs lack it
        "from stylemix_core.cli import main;"
        # Said from inside `main`: an interrupt before it would be Python's own to answer.
        "sys.addaudithook(lambda event, found: print('started', flush=True)"
        " if event == 'import' and found[0] == 'stylemix_core.cli.app' else None);"
        "sys.exit(main())"
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


@without_windows
def test_a_reader_that_has_seen_enough_ends_it_quietly():
    command = [sys.executable, "-m", "stylemix_core.cli", "inspect", BOB, BOB]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
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


SHELLS = {"bash": "complete -o nosort", "zsh": "compdef", "fish": "complete --no-files"}


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_are_told_how_to_complete_a_line(monkeypatch, capfdbinary, shell):
    monkeypatch.setenv("_STYLEMIX_COMPLETE", f"{shell}_source")
    assert cli.main() == 0
    script = capfdbinary.readouterr().out.decode()
    assert SHELLS[shell] in script and "_STYLEMIX_COMPLETE=" + f"{shell}_complete" in script


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("stylemix in", ["plain,invert", "plain,inspect"]),
        ("stylemix mix --pair", ["plain,--pairing"]),
        ("stylemix mix --space c", ["plain,convolutions", "plain,channels"]),
        ("stylemix mix --style a.png --region fac", ["file,fac"]),
        ("stylemix mix --out res", ["dir,res"]),
        ("stylemix convert --out res", ["file,res"]),
        ("stylemix find --target ey", ["file,ey"]),
        ("stylemix encode --strict pho", ["file,pho"]),
        ("stylemix inspect gen", ["file,gen"]),
        ("stylemix generate --generator gen", ["file,gen"]),
    ],
)
def test_a_line_is_completed_and_nothing_is_tried_out(tmp_path, monkeypatch, capfdbinary, line, completed):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_STYLEMIX_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    monkeypatch.setattr("stylemix_core.cli.reading.check_writable", lambda folder: pytest.fail("tried out"))
    assert cli.main() == 0
    assert capfdbinary.readouterr().out.decode().split() == completed
