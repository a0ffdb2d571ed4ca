"""ComfyUI's pages that benchmarks of gestures run on: the oldest core's, and the newest one's with the classic canvas
and with Vue nodes."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.real import browser, find
from tests.real.server import RealComfy
from tests.real.widget import Widget


def lacking() -> str | None:
    """What is missing here, as a sentence."""
    return find.missing(next(iter(find.find_cores()), None)) or browser.missing()


def count_pages(small: bool) -> int:
    return 3 if os.environ.get("COMFYUI_FRONTEND") and not small else 1


def widgets(small: bool) -> Iterator[tuple[str, Widget]]:
    """Each page's name and its InjectW+ node, one after the other. small: the first page alone."""
    cores = find.find_cores()
    pages = [("classic canvas", cores[0], (), False)]
    if count_pages(small) > 1:
        root = str(Path(os.environ["COMFYUI_FRONTEND"]).expanduser())
        for name, vue in (("classic canvas", False), ("Vue nodes", True)):
            pages.append((name, cores[-1], ("--front-end-root", root), vue))
    for name, core, options, vue in pages:
        with (
            tempfile.TemporaryDirectory() as folder,
            RealComfy(core, Path(folder), options, {"Comfy.VueNodes.Enabled": vue}) as server,
            browser.open_page(server) as page,
        ):
            page.server, page.name = server, name
            yield f"{core.version}, {name}", Widget(page)
