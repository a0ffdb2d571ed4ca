"""Make the pictures of the example workflows and of the help pages by running the workflows:
`python -m tests.real.pictures`.

Needs what the browser tests need, and PyAV. Each `example_workflows/NAME.json` gets a `NAME.jpg` of the film that it
makes or the picture that its SaveImage node shows, each `web/docs/ID` a `node.jpg` of that node after the run.
"""

import io
import json
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from stylemix_core.motion.clip import Clip

from .. import builders_stylegan3
from ..host import PACK
from . import browser, find
from .conftest import STYLEGAN3
from .server import RealComfy

WIDTH = 1000
FILM_WIDTH = 256
FILM_RATE = 12
"""Frames a second, of the thumbnail of a film."""
MARGIN = 24
"""Around a node, in pixels: the ends of its wires are seen."""

TITLE = 30
"""Height of a node's title, which is not part of its size."""

TO_NODE = """type => {
    const node = app.graph._nodes.find(node => node.type === type);
    app.canvas.ds.scale = 1;
    app.canvas.ds.offset = [300 - node.pos[0], 200 - node.pos[1]];
    app.canvas.setDirty(true, true);
    const page = app.canvas.canvas.getBoundingClientRect();
    return [page.left + 300, page.top + 200, ...node.size];
}"""


ALONE = """type => {
    app.graph.clear();
    app.graph.add(LiteGraph.createNode(type));
}"""
"""For nodes that no example workflow has."""


def main() -> None:
    core = next(iter(find.find_cores()), None)  # with the installed front end, as in the browser tests
    lacking = find.missing(core) or browser.missing()
    if lacking:
        sys.exit(lacking)
    with tempfile.TemporaryDirectory() as folder, RealComfy(core, Path(folder)) as server:
        shutil.copy(core.folder / "input" / "example.png", server.base / "input")
        (server.base / "models/stylegan").mkdir(exist_ok=True)
        builders_stylegan3.write_patterns(server.base / "models/stylegan" / STYLEGAN3)
        with browser.open_page(server) as page:
            shown: set[str] = set()
            for workflow in sorted((PACK / "example_workflows").glob("*.json")):
                nodes = json.loads(workflow.read_text(encoding="utf-8"))["nodes"]
                (sheet,) = [node["id"] for node in nodes if node["type"] == "SaveImage"]
                page.load(workflow)
                page.queue()
                picture = server.picture(**page.pictures(sheet)[0])
                page.wait_for_quiet()
                films = [*(server.base / "output").rglob("*.mp4")]
                if films:
                    save_film(films[0], workflow.with_suffix(".jpg"))
                    films[0].unlink()
                else:
                    save(sized(picture, WIDTH), workflow.with_suffix(".jpg"))
                types = {node["type"] for node in nodes if node["type"].startswith("StyleMix")}
                for kind in sorted(types - shown):
                    save(picture_of_node(page, kind), PACK / "web" / "docs" / kind / "node.jpg")
                shown |= types
            for kind in sorted({path.name for path in (PACK / "web" / "docs").iterdir()} - shown):
                page.page.evaluate(ALONE, kind)
                save(picture_of_node(page, kind), PACK / "web" / "docs" / kind / "node.jpg")


def picture_of_node(page: browser.Page, kind: str) -> Image.Image:
    left, top, width, height = page.page.evaluate(TO_NODE, kind)
    page.page.wait_for_timeout(700)
    clip = {
        "x": left - MARGIN,
        "y": top - TITLE - MARGIN,
        "width": width + 2 * MARGIN,
        "height": TITLE + height + 2 * MARGIN,
    }
    return Image.open(io.BytesIO(page.page.screenshot(clip=clip)))


def sized(picture: Image.Image, width: int) -> Image.Image:
    return picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)


def save_film(film: Path, path: Path) -> None:
    """A thumbnail that moves. ComfyUI asks for no other name than .jpg; browsers look into the file, which is WebP."""
    clip = Clip.of(film)
    frames = [*map(Image.fromarray, clip.frames())][:: max(1, round(clip.rate / FILM_RATE))]
    first, *others = (sized(frame, FILM_WIDTH) for frame in frames)
    first.save(path, "WEBP", save_all=True, append_images=others, duration=1000 // FILM_RATE, quality=75)
    print(f"{path.relative_to(PACK)}: {len(frames)} frames, {first.width}×{first.height}")


def save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.convert("RGB").save(path, quality=88)
    print(f"{path.relative_to(PACK)}: {picture.width}×{picture.height}")


if __name__ == "__main__":
    main()
