"""Make the example workflows' thumbnails by running them: `python -m tests.real.thumbnails`.

Needs what the browser tests need. Each `example_workflows/NAME.json` gets a `NAME.jpg` of the picture that its
SaveImage node shows.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from ..host import PACK
from . import browser, find
from .server import RealComfy

WIDTH = 1000


def main() -> None:
    lacking = find.missing() or browser.missing()
    if lacking:
        sys.exit(lacking)
    with tempfile.TemporaryDirectory() as folder, RealComfy(Path(folder)) as server:
        shutil.copy(find.find_comfyui() / "input" / "example.png", server.base / "input")
        with browser.open_page(server) as page:
            for workflow in sorted((PACK / "example_workflows").glob("*.json")):
                nodes = json.loads(workflow.read_text(encoding="utf-8"))["nodes"]
                (sheet,) = [node["id"] for node in nodes if node["type"] == "SaveImage"]
                page.load(workflow)
                page.queue()
                picture = server.picture(**page.pictures(sheet)[0])
                height = round(picture.height * WIDTH / picture.width)
                thumbnail = workflow.with_suffix(".jpg")
                picture.resize((WIDTH, height), Image.Resampling.LANCZOS).save(thumbnail, quality=88)
                print(f"{thumbnail.name}: {WIDTH}×{height}")


if __name__ == "__main__":
    main()
