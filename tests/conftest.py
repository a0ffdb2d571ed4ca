"""Hosts to run the pack on, and the last lines of every test run: what ran on which real ComfyUI and what did not."""

import math
import os
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from stylemix_core import progress

from . import builders
from .host import Host
from .host.runner import StandIn
from .real import find
from .real.server import RealComfy

# The tests' models are so small that more threads only wait for each other: they cost many times the time of one.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of commands and servers that tests start
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

RINGS = {"real": "real ComfyUI", "browser": "browser"}
counts: dict[str, Counter] = {ring: Counter() for ring in RINGS}
places: dict[str, dict[str, Counter]] = {ring: {} for ring in RINGS}
"""By ring, and by what its tests ran on: how many passed and failed."""
reasons: dict[str, set[str]] = {ring: set() for ring in RINGS}

OBSERVER = Path(__file__).parent / "real" / "observer"


def core_param(core: find.Core | None, *marks: pytest.MarkDecorator):
    """A real ComfyUI to run a test on; None, for which tests are skipped, where there is none."""
    return pytest.param(core, id=core.version if core else "real", marks=[pytest.mark.real, *marks])


*OLDER, NEWEST = find.find_cores() or [None]
CORES = [core_param(core) for core in (*OLDER, NEWEST)]


def add_tiny_models(host: Host) -> None:
    """`tiny.safetensors` in both model folders, and beside them what else the tests load."""
    generators, encoders = host.base / "models" / "stylegan", host.base / "models" / "psp"
    for folder in (generators, encoders):
        folder.mkdir(parents=True, exist_ok=True)
    generator, encoder = builders.write_tiny_native(host.base)
    generator.replace(generators / "tiny.safetensors")
    encoder.replace(encoders / "tiny.safetensors")
    builders.write_tiny_psp(encoders / "psp.pt")
    restyle = builders.tiny_encoder_config(kind="BackboneEncoder", input_nc=6, iterative=True)
    builders.write_tiny_psp(encoders / "restyle.pt", restyle)
    (generators / "broken.pkl").write_bytes(b"not a checkpoint")
    (generators / "notes.txt").write_text("not a checkpoint")


@pytest.fixture(autouse=True)
def no_progress_bar(monkeypatch):
    """What a command writes does not depend on how fast the machine is."""
    monkeypatch.setattr(progress, "SILENT_SECONDS", math.inf)


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """The stand-in host, in this process."""
    host = StandIn(tmp_path_factory.mktemp("stand_in"))
    add_tiny_models(host)
    return host


@pytest.fixture(scope="session")
def start_comfy(tmp_path_factory):
    """Gives the server of a real ComfyUI with the observer, one for all tests."""
    servers: dict[find.Core, RealComfy] = {}
    with ExitStack() as stack:

        def start(core: find.Core | None) -> RealComfy:
            if find.missing(core):
                pytest.skip(find.missing(core))
            if core not in servers:
                server = RealComfy(core, tmp_path_factory.mktemp("real"), packs=(OBSERVER,))
                servers[core] = stack.enter_context(server)
                add_tiny_models(servers[core])
            return servers[core]

        yield start


@pytest.fixture(scope="session", params=CORES)
def real_comfy(request, start_comfy):
    """A real ComfyUI server; tests that use it run on every core."""
    return start_comfy(request.param)


def host_of(request, start_comfy) -> Host:
    if request.param == "stand-in":
        return request.getfixturevalue("stand_in")
    return start_comfy(request.param)


@pytest.fixture(scope="session", params=["stand-in", *CORES])
def every_host(request, start_comfy):
    """Every host: tests that use it assert the same of all."""
    return host_of(request, start_comfy)


OLDER_ARE_SLOW = [core_param(core, pytest.mark.slow) for core in OLDER]


@pytest.fixture(scope="session", params=["stand-in", *OLDER_ARE_SLOW, core_param(NEWEST)])
def host(request, start_comfy):
    """The same for tests of what hardly depends on the host: on older cores they are slow ones."""
    return host_of(request, start_comfy)


QUICK = (
    "demo",
    "checkpoints",
    "generator_reference",
    "encoder_reference",
    "masks",
    "injection",
    "latents",
    "host",
)
"""Files with the tests that show at once whether an installation works."""


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items):
    """Mark the quick tests, and note for the summary what each test counts for and what it runs on."""
    for item in items:
        if item.path.stem.removeprefix("test_") in QUICK and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.quick)
        params = item.callspec.params.values() if hasattr(item, "callspec") else ()
        ran_on = [str(param) for param in params if isinstance(param, find.Core | find.FrontEnd)]
        item.user_properties += [("ran on", place) for place in ran_on]
        item.user_properties += [("ring", ring) for ring in rings(item)]


def rings(item) -> list[str]:
    """The ring that a test counts for: one that needs a browser is not counted among the others."""
    return [ring for ring in ("browser", "real") if item.get_closest_marker(ring)][:1]


def pytest_deselected(items):
    for item in items:
        for ring in rings(item):
            counts[ring]["left out"] += 1


def pytest_sessionfinish(session):
    """Tests run in worker processes, and what these left out only they know."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = {ring: counts[ring]["left out"] for ring in RINGS}


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_testnodedown(node):
    for ring, count in getattr(node, "workeroutput", {}).get("left out", {}).items():
        counts[ring]["left out"] = count  # every worker left out the same


def pytest_runtest_logreport(report):
    noted = dict(report.user_properties)
    if "ring" not in noted:
        return
    ring = noted["ring"]
    if report.skipped:
        counts[ring]["skipped"] += 1
        reasons[ring].add(report.longrepr[2].removeprefix("Skipped: "))
    elif report.when == "call" or report.failed:
        results = places[ring].setdefault(noted.get("ran on", "this machine"), Counter())
        results["failed" if report.failed else "passed"] += 1


def pytest_terminal_summary(terminalreporter):
    for ring, name in RINGS.items():
        count = counts[ring]
        parts = [
            f"{results.total()} tests ran on {place}, {results['failed']} failed"
            for place, results in places[ring].items()
        ]
        if count["skipped"]:
            parts.append(f"{count['skipped']} skipped ({'; '.join(sorted(reasons[ring]))})")
        if count["left out"]:
            parts.append(f"{count['left out']} left out by -m or -k")
        terminalreporter.write_line(f"{name}: {'; '.join(parts) or 'no tests were selected'}")
