"""ComfyUI's own front ends, one page each for all tests.

The installed front end runs always; `COMFYUI_FRONTEND` names the `static` folder of another one to run as well,
with the classic canvas and with Vue nodes. `STYLEMIX_SCREENSHOTS` names a folder to keep screenshots in.
"""

import os
import shutil
from pathlib import Path

import pytest

from .. import builders
from . import browser, find
from .server import RealComfy

FRONT_ENDS = ("installed", "other", "other, Vue nodes")


@pytest.fixture(scope="session", params=FRONT_ENDS)
def page(request, tmp_path_factory):
    if find.missing() or browser.missing():
        pytest.skip(find.missing() or browser.missing())
    arguments: tuple[str, ...] = ()
    if request.param != "installed":
        other = os.environ.get("COMFYUI_FRONTEND")
        if not other:
            pytest.skip("COMFYUI_FRONTEND names no other front end")
        arguments = ("--front-end-root", str(Path(other).expanduser()))
    base = tmp_path_factory.mktemp("browser")
    settings = {"Comfy.VueNodes.Enabled": "Vue" in request.param}
    with RealComfy(base, arguments, settings) as server:
        shutil.copy(find.find_comfyui() / "input" / "example.png", base / "input")
        generator, _ = builders.write_tiny_native(base)
        (base / "models/stylegan").mkdir(exist_ok=True)
        generator.replace(base / "models/stylegan/tiny.safetensors")
        with browser.open_page(server) as page:
            page.server, page.name = server, request.param
            yield page


@pytest.fixture
def screenshots(tmp_path):
    folder = os.environ.get("STYLEMIX_SCREENSHOTS")
    return Path(folder).expanduser() if folder else tmp_path
