"""The package as a whole: its public names, and what importing it costs."""

import subprocess
import sys

import stylemix_core as sm


def test_public_names_are_there():
    for name in sm.__all__:
        assert getattr(sm, name) is not None
    assert {"load_generator", "load_encoder", "sample_z", "parse_masks", "inject", "save_latents"} <= set(
        sm.__all__
    )


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(sm, "no_such_name")


def test_importing_the_package_imports_no_torch():
    check = "import sys, stylemix_core; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


def test_importing_everything_loads_no_model_and_no_drawing():
    check = (
        "import sys, stylemix_core as sm; [getattr(sm, name) for name in sm.__all__];"
        "sys.exit('stylemix_core.demo.renderer' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


def test_nothing_but_the_command_line_needs_its_libraries():
    """ComfyUI's users have neither."""
    check = (
        "import sys; sys.modules |= dict.fromkeys(('click', 'tqdm')); import stylemix_core as sm;"
        "[getattr(sm, name) for name in sm.__all__]"
    )
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
