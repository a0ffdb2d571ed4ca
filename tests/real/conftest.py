"""ComfyUI's own front ends, one page each for all tests.

The installed front end runs on the oldest core that is found; `COMFYUI_FRONTEND` names the `static` folder of another
one, which runs on the newest core, with the classic canvas and with Vue nodes. Where there is no ComfyUI, what is
marked `on_stand_in` runs on the installed front end over the stand-in host. `-m browser` runs all of them,
`-m "browser and not slow"` one. `STYLEMIX_SCREENSHOTS` names a folder to keep screenshots in.
"""

import os
import shutil
from pathlib import Path

import pytest

from stylemix_core import save_image
from stylemix_core.demo.experiment import style_picture

from .. import builders, builders_stylegan3
from ..host import PACK
from . import browser, find
from .server import RealComfy, ServedStandIn
from .widget import Widget

CORES = find.find_cores() or (None,)
STAND_IN = find.FrontEnd("stand-in", None)
FRONT_ENDS = [
    find.FrontEnd("installed", CORES[0]),
    find.FrontEnd("other", CORES[-1]),
    find.FrontEnd("other, Vue nodes", CORES[-1]),
    *([] if CORES[0] else [STAND_IN]),
]
STYLEGAN3 = "stylegan3-r-ffhqu-256x256.pkl"
"""What an example workflow opens, which the pack does not bring along; here a small network that draws patterns."""
GESTURES = ("test_widget.py", "test_messages.py", "test_live.py")
"""Tests whose classic canvas of the newest front end is the older one's; they are marked `again`."""
WORKFLOWS = sorted((PACK / "example_workflows").glob("*.json"))
FIRST_WORKFLOW = "study_experiment"
"""Runs on every page. Each other example workflow is marked `again` on all pages but one: in turns the older front
end's classic canvas and the newest one's Vue nodes."""
DEFAULT = FRONT_ENDS[1] if os.environ.get("COMFYUI_FRONTEND") else FRONT_ENDS[0] if CORES[0] else STAND_IN
"""The page whose tests are not slow ones."""


def pytest_collection_modifyitems(items):
    """Keep the stand-in's page for the tests that are marked for it, and mark gestures that another page shows."""
    for item in items:
        page = getattr(item, "callspec", None) and item.callspec.params.get("page")
        workflow = getattr(item, "callspec", None) and item.callspec.params.get("shown")
        if item.path.name in GESTURES and page == FRONT_ENDS[1]:
            item.add_marker(pytest.mark.again)
        if workflow and workflow.stem != FIRST_WORKFLOW:
            turn = WORKFLOWS.index(workflow) % 2
            if page in FRONT_ENDS[:3] and page != FRONT_ENDS[2 * turn]:
                item.add_marker(pytest.mark.again)
    items[:] = [
        item
        for item in items
        if item.get_closest_marker("on_stand_in")
        or getattr(item, "callspec", None) is None
        or item.callspec.params.get("page") != STAND_IN
    ]


def lacking(front_end: find.FrontEnd) -> str | None:
    """What a front end lacks on this machine, as a sentence."""
    if browser.missing():
        return browser.missing()
    if front_end == STAND_IN:
        if find.find_serving_python():
            return None
        return (
            "no Python here has aiohttp, comfyui-frontend-package and torch: no page over the stand-in host"
        )
    if find.missing(front_end.core):
        return find.missing(front_end.core)
    if front_end.name != "installed" and not os.environ.get("COMFYUI_FRONTEND"):
        return "COMFYUI_FRONTEND names no other front end"
    return None


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    """What LoadImage finds under the name that the example workflows have: a face, larger than the models'. Beside it
    lies another one, style.png."""
    path = tmp_path_factory.mktemp("photos") / "example.png"
    bob = style_picture(400)[0]
    save_image(path, bob)
    save_image(path.with_name("style.png"), bob.flip(2, 0))  # of other colours, turned the other way
    return path


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(front_end, id=front_end.name, marks=[] if front_end == DEFAULT else [pytest.mark.slow])
        for front_end in FRONT_ENDS
    ],
)
def page(request, tmp_path_factory, photo):
    if lacking(request.param):
        pytest.skip(lacking(request.param))
    base = tmp_path_factory.mktemp("browser")
    settings = {"Comfy.VueNodes.Enabled": "Vue" in request.param.name}
    arguments: tuple[str, ...] = ()
    if request.param.name.startswith("other"):
        arguments = ("--front-end-root", str(Path(os.environ["COMFYUI_FRONTEND"]).expanduser()))
    host = ServedStandIn if request.param == STAND_IN else RealComfy
    shutil.copytree(photo.parent, base / "input")
    generator, _ = builders.write_tiny_native(base)
    (base / "models/stylegan").mkdir(parents=True)
    generator.replace(base / "models/stylegan/tiny.safetensors")
    builders_stylegan3.write_patterns(base / "models/stylegan" / STYLEGAN3)
    with host(request.param.core, base, arguments, settings) as server, browser.open_page(server) as page:
        page.server, page.name = server, request.param.name
        yield page


@pytest.fixture(autouse=True)
def no_dialog_left(request):
    """A dialog that a test leaves open would take the clicks and keys of the tests after it."""
    yield
    if page := request.node.funcargs.get("page"):
        left = page.page.evaluate(
            "() => [...document.querySelectorAll('dialog[open]')].map(each => (each.close(), each.ariaLabel))"
        )
        assert left == []


@pytest.fixture
def widget(page):
    """The grid; no test may leave a message of the pack in the console."""
    page.problems.clear()
    page.page.set_default_timeout(60000)
    yield Widget(page)
    assert page.problems == []


@pytest.fixture
def screenshots(tmp_path):
    folder = os.environ.get("STYLEMIX_SCREENSHOTS")
    return Path(folder).expanduser() if folder else tmp_path
