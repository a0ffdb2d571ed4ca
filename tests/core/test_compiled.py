"""Drawing with compiled code: the same pictures, or a sentence that says why not."""

import os
import subprocess
import sys

import pytest
import torch

from stylemix_core import cli
from stylemix_core.checkpoints import load_generator
from stylemix_core.generator.engine import compiled
from stylemix_core.generator.engine.noise import NOISE_MODES
from stylemix_core.generator.engine.regions import draw_regions
from stylemix_core.inversion.delta import Delta
from tests import builders
from tests.core.test_speed import build, codes

CPU = torch.device("cpu")


@pytest.fixture
def compiler(monkeypatch):
    """Stands in for PyTorch's compiler: leaves functions as they are. Gives a list of the calls of such functions."""
    calls = []

    def compile(function, dynamic):
        return lambda *arguments: (calls.append(function.__name__), function(*arguments))[1]

    yield from replaced(monkeypatch, compile, calls)


@pytest.fixture
def no_compiler(monkeypatch):
    def compile(function, dynamic):
        def fail(*arguments):
            raise RuntimeError(
                "backend='inductor' raised:\nInvalidCxxCompiler: No working C++ compiler\n\nMore"
            )

        return fail

    yield from replaced(monkeypatch, compile)


def replaced(monkeypatch, compile, given=None):
    monkeypatch.setattr(torch, "compile", compile)
    monkeypatch.setattr(compiled, "_any_number", lambda pixels: pixels)
    monkeypatch.setenv(compiled.CACHE, "of the tests")
    forget()
    yield given
    forget()


def forget():
    compiled.cannot_compile.cache_clear()
    compiled._code.cache_clear()


@pytest.mark.parametrize("noise_mode", NOISE_MODES)
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("start", [(4, 4), (4, 2)])
def test_pictures_are_the_same(compiler, narrow_strips, noise_mode, count, start):
    generator, w = build(conv_clamp=1.5, start=start), codes(count)
    plain = generator.synthesis(w, noise_mode, noise_seed=4)
    assert compiler == []
    drawn = generator.compiled().synthesis(w, noise_mode, noise_seed=4)
    assert (drawn - plain).abs().max() < 1e-5
    assert {"activate_24_float32", "_sum_colours_16_float32"} < set(compiler)


def test_regions_are_drawn_with_compiled_code_too(compiler):
    generator = build()
    streams = [generator.synthesis.styles(codes(1, seed)) for seed in (0, 1)]
    masks = torch.zeros(1, 1, 32, 32)
    masks[..., :16] = 1
    plain = draw_regions(generator.synthesis, streams, masks)
    drawn = draw_regions(generator.compiled().synthesis, streams, masks)
    assert (drawn - plain).abs().max() < 1e-5
    assert "activate_16_float32" in compiler


def test_weights_and_their_changes_are_shared(compiler):
    generator, w = build(), codes(1)
    fast = generator.compiled()
    assert fast.synthesis.b32.conv1.weight is generator.synthesis.b32.conv1.weight
    generator.set_dtype(torch.bfloat16)
    assert fast.dtype == torch.bfloat16
    fast.synthesis(w)
    assert "activate_24_bfloat16" in compiler


def test_tuned_generators_are_compiled_as_theirs_are(compiler):
    generator, w = build(), codes(1)
    change = torch.full_like(generator.synthesis.b16.conv1.weight, 0.1)
    delta = Delta({"synthesis.b16.conv1.weight": change}, generator.fingerprint())
    plain = delta.apply(generator).synthesis(w)
    assert compiler == []
    assert (delta.apply(generator.compiled()).synthesis(w) - plain).abs().max() < 1e-5
    assert compiler


def test_nothing_is_compiled_for_a_gpu(compiler, caplog):
    with caplog.at_level("INFO"):
        assert "on a GPU" in compiled.cannot_compile(torch.device("cuda"), torch.float16)
    assert "compile is left out" in caplog.text
    assert compiler == []


def test_gradients_go_the_ordinary_way(compiler):
    w = codes(1).requires_grad_()
    build().compiled().synthesis(w).square().sum().backward()
    assert w.grad.abs().sum() > 0
    assert compiler == []


def test_without_a_compiler_one_sentence_says_so(no_compiler, caplog):
    generator = load_generator("demo", device="cpu", compile=True)
    (record,) = caplog.records
    assert record.getMessage() == (
        "StyleMix: compile is left out and pictures are drawn as without it, since PyTorch cannot compile for cpu "
        "here: InvalidCxxCompiler: No working C++ compiler"
    )
    w = generator.w_avg.expand(1, 14, 512)
    assert torch.equal(generator.compiled().synthesis(w), generator.synthesis(w))
    assert len(caplog.records) == 1


def test_loading_compiles_only_when_asked(compiler):
    assert not load_generator("demo", device="cpu").synthesis.compiled
    assert compiler == []
    assert load_generator("demo", device="cpu", compile=True).synthesis.compiled


@pytest.mark.parametrize("given", [[], ["--compile"]])
def test_the_command_line_passes_it_on(compiler, tmp_path, given):
    path, _ = builders.write_tiny_native(tmp_path)
    arguments = ["generate", "--seeds", "1", "--out", str(tmp_path / "out"), "--generator", str(path)]
    assert cli.main([*arguments, "--device", "cpu", *given]) == 0
    assert bool(compiler) == bool(given)


def test_code_is_kept_among_the_users_caches_unless_they_say_where(monkeypatch, tmp_path):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    seen = []

    def compile(function, dynamic):
        return lambda *arguments: seen.append(os.environ[compiled.CACHE])

    for _ in replaced(monkeypatch, compile):
        monkeypatch.delenv(compiled.CACHE)
        compiled.cannot_compile(CPU, torch.float32)
        # It stays named, for another thread may be compiling at any time.
        assert os.environ[compiled.CACHE] == str(compiled.cache_folder())
        monkeypatch.setenv(compiled.CACHE, "theirs")
        compiled.cannot_compile(CPU, torch.bfloat16)
    assert seen == [str(compiled.cache_folder()), "theirs"]


def test_drawing_changes_nothing_in_the_environment(compiler, monkeypatch):
    generator = build().compiled()
    generator.synthesis(codes(1))
    monkeypatch.delenv(compiled.CACHE)
    before = dict(os.environ)
    seen = []
    monkeypatch.setattr(
        compiled, "_any_number", lambda pixels: (seen.append(dict(os.environ) == before), pixels)[1]
    )
    generator.synthesis(codes(2))
    assert seen and all(seen)


def test_drawing_without_it_imports_no_compiler():
    check = (
        "import sys, stylemix_core as sm; G = sm.load_generator('demo', device='cpu');"
        "G.synthesis(G.w_avg.expand(1, 14, 512), resolution=32); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("dtype, most", [(torch.float32, 1e-4), (torch.bfloat16, 0.2)])
def test_really_compiled_code_draws_the_same(narrow_strips, monkeypatch, tmp_path, dtype, most):
    monkeypatch.setenv(compiled.CACHE, str(tmp_path))
    forget()
    if compiled.cannot_compile(CPU, dtype):
        pytest.skip(compiled.cannot_compile(CPU, dtype))
    generator = build().set_dtype(dtype)
    for count, noise_mode in ((1, "const"), (3, "random"), (1, "none")):
        plain = generator.synthesis(codes(count), noise_mode, noise_seed=2)
        drawn = generator.compiled().synthesis(codes(count), noise_mode, noise_seed=2)
        assert (drawn - plain).abs().max() < most * plain.abs().max()
    assert any(tmp_path.rglob("*.so")) or sys.platform != "linux"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="its compiler is not found by PATH alone")
def test_a_machine_without_a_compiler_draws_all_the_same(tmp_path):
    check = (
        "import stylemix_core as sm; G = sm.load_generator('demo', device='cpu', compile=True);"
        "assert not G.synthesis.compiled; G.synthesis(G.w_avg.expand(1, 14, 512), resolution=32)"
    )
    windows = {
        name: os.environ[name] for name in {"SYSTEMROOT"} & {*os.environ}
    }  # its Python starts with that only
    paths = {"PATH": str(tmp_path), compiled.CACHE: str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", check], env=windows | paths, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "PyTorch cannot compile for cpu here" in done.stderr
