"""Hosts to run the pack on, and the last lines of every test run: what ran on a real ComfyUI and what did not."""

from collections import Counter

import pytest

from . import builders
from .host import Host
from .host.runner import StandIn
from .real import find
from .real.server import RealComfy

RINGS = {"real": "real ComfyUI", "browser": "browser"}
counts: dict[str, Counter] = {ring: Counter() for ring in RINGS}
reasons: dict[str, set[str]] = {ring: set() for ring in RINGS}
versions: set[str] = set()


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


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """The stand-in host, in this process."""
    host = StandIn(tmp_path_factory.mktemp("stand_in"))
    add_tiny_models(host)
    return host


@pytest.fixture(scope="session")
def real_comfy(tmp_path_factory):
    """A real ComfyUI server."""
    if find.missing():
        pytest.skip(find.missing())
    with RealComfy(tmp_path_factory.mktemp("real")) as host:
        versions.add(f"{host.version} at {find.short(find.find_comfyui())}")
        add_tiny_models(host)
        yield host


@pytest.fixture(scope="session", params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def host(request):
    """Either host: tests that use it assert the same of both."""
    return request.getfixturevalue("stand_in" if request.param == "stand-in" else "real_comfy")


def rings(keywords) -> list[str]:
    """The ring that a test counts for: one that needs a browser is not counted among the others."""
    return [ring for ring in ("browser", "real") if ring in keywords][:1]


def pytest_deselected(items):
    for item in items:
        for ring in rings(item.keywords):
            counts[ring]["left out"] += 1


def pytest_runtest_logreport(report):
    for ring in rings(report.keywords):
        if report.skipped:
            counts[ring]["skipped"] += 1
            reasons[ring].add(report.longrepr[2].removeprefix("Skipped: "))
        elif report.when == "call" or report.failed:
            counts[ring]["failed" if report.failed else "passed"] += 1


def pytest_terminal_summary(terminalreporter):
    for ring, name in RINGS.items():
        count = counts[ring]
        ran = count["passed"] + count["failed"]
        parts = []
        if ran:
            where = f" on {' and '.join(sorted(versions))}" if versions else ""
            parts.append(f"{ran} tests ran{where}, {count['failed']} failed")
        if count["skipped"]:
            parts.append(f"{count['skipped']} skipped ({'; '.join(sorted(reasons[ring]))})")
        if count["left out"]:
            parts.append(f"{count['left out']} left out by -m or -k")
        terminalreporter.write_line(f"{name}: {'; '.join(parts) or 'no tests were selected'}")
