"""Live pictures below the mask grid, in ComfyUI's own front ends."""

import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from .widget import INJECT, Widget, workflow

pytestmark = [pytest.mark.real, pytest.mark.browser]

PICTURES = ".stylemix-live-picture"


def with_decode(text: str) -> dict:
    """The widget's workflow, drawn and shown."""
    content = workflow(text)
    generator, latent = "STYLEMIX_GENERATOR", "STYLEMIX_LATENT"
    content["nodes"][0]["outputs"][0]["links"] = [1, 4, 7]
    content["nodes"][1]["outputs"][1]["links"] = [2]
    content["nodes"][INJECT - 1]["outputs"][0]["links"] = [5]
    for id, type, inputs, outputs, values in (
        (
            4,
            "StyleMixDecode",
            [("generator", generator, 4), ("latent", latent, 5)],
            [("image", "IMAGE", [6])],
            ["const"],
        ),
        (5, "PreviewImage", [("images", "IMAGE", 6)], [], []),
        (
            6,
            "StyleMixSampler",
            [("generator", generator, 7)],
            [("image", "IMAGE", None), ("latent", latent, [3])],
            [7, "fixed", 1, 0.7, -1, -1, "const"],
        ),
    ):
        content["nodes"].append(
            {
                "id": id,
                "type": type,
                "pos": [900, 400 * (id - 4)],
                "size": [280, 300],
                "flags": {},
                "order": id - 1,
                "mode": 0,
                "inputs": [{"name": name, "type": kind, "link": link} for name, kind, link in inputs],
                "outputs": [{"name": name, "type": kind, "links": links} for name, kind, links in outputs],
                "properties": {},
                "widgets_values": values,
            }
        )
    content["links"][2] = [3, 6, 1, INJECT, 1, latent]  # another face is the style
    content["links"] += [
        [4, 1, 0, 4, 0, generator],
        [5, INJECT, 0, 4, 1, latent],
        [6, 4, 0, 5, 0, "IMAGE"],
        [7, 1, 0, 6, 0, generator],
    ]
    content["last_node_id"], content["last_link_id"] = 6, 7
    return content


@pytest.fixture
def widget(page):
    page.problems.clear()
    page.page.set_default_timeout(60000)
    yield Widget(page)
    assert page.problems == []


def run(widget: Widget) -> None:
    widget.page.queue()
    widget.tab.wait_for_function(
        "id => app.nodeOutputs[id]?.stylemix_live && app.nodeOutputs['5']", arg=str(INJECT)
    )
    widget.page.wait_for_quiet()


def shown(widget: Widget) -> list[np.ndarray]:
    """The source and the result as they are seen, when nothing is asked for any more."""
    before: list = []
    for _ in range(100):
        now = widget.tab.evaluate(
            "selector => [...document.querySelectorAll(selector)].map(each =>"
            " each.complete && each.naturalWidth && each.offsetParent ? each.src : '')",
            PICTURES,
        )
        if all(now) and now == before and not widget.page.asking:
            break
        before = now
        widget.tab.wait_for_timeout(300)
    pictures = widget.tab.evaluate(
        """selector => [...document.querySelectorAll(selector)].map(picture => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
            canvas.getContext("2d").drawImage(picture, 0, 0);
            return canvas.toDataURL("image/png").split(",")[1];
        })""",
        PICTURES,
    )
    return [np.asarray(Image.open(io.BytesIO(b64decode(each))).convert("RGB")) for each in pictures]


def result(widget: Widget, place: int = 0) -> np.ndarray:
    """What the last run has drawn."""
    files = widget.tab.evaluate("() => app.nodeOutputs['5'].images")
    server = widget.page.server
    return np.asarray(server.picture(**files[place]))


def test_what_is_painted_is_seen_at_once_and_is_what_a_run_gives(widget, screenshots):
    widget.load(with_decode("0; 4-5"))
    widget.view()
    assert not widget.tab.locator(PICTURES).first.is_visible()
    run(widget)
    assert not widget.tab.locator(PICTURES).first.is_visible()  # takes no room until somebody comes
    widget.tab.mouse.move(*widget.place(1, 9))
    source, before = shown(widget)
    assert np.array_equal(before, result(widget, 1))
    widget.click(1, 8)
    _, painted = shown(widget)
    assert not np.array_equal(painted, before)
    widget.tab.locator(".stylemix-index").nth(5).hover()
    _, layer = shown(widget)
    assert widget.grid().locator(".stylemix-live-caption").nth(1).inner_text() == "layer 5 alone"
    run(widget)
    widget.tab.mouse.move(*widget.place(1, 9))
    again, live = shown(widget)
    assert np.array_equal(again, source) and np.array_equal(live, painted)
    assert np.array_equal(live, result(widget, 1))
    widget.page.screenshot(screenshots / f"live, {widget.page.name}.png")
    widget.set_text("5")
    assert np.array_equal(shown(widget)[1], layer)
    widget.set_text("none")
    assert np.array_equal(shown(widget)[1], source)
