"""Live pictures below the mask grid, in ComfyUI's own front ends."""

import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from . import browser
from .widget import LIVE_PICTURES, Widget, drawn_workflow

pytestmark = [pytest.mark.real, pytest.mark.browser]


@pytest.fixture(autouse=True)
def fresh_page_afterwards(page):
    """What ran here would be seen live by other tests' nodes of the same ids."""
    yield
    page.page.reload()
    page.page.wait_for_function(browser.READY, timeout=60000)
    page.page.wait_for_timeout(1000)


def shown(widget: Widget) -> list[np.ndarray]:
    """The source and the result as they are seen, when nothing is asked for any more."""
    before: list = []
    for _ in range(100):
        now = widget.tab.evaluate(
            "selector => [...document.querySelectorAll(selector)].map(each =>"
            " each.complete && each.naturalWidth && each.offsetParent ? each.src : '')",
            LIVE_PICTURES,
        )
        if all(now) and now == before and not widget.page.asking:
            break
        before = now
        widget.tab.wait_for_timeout(300)
    else:
        raise AssertionError(f"the live pictures do not come to rest: {before}")
    pictures = widget.tab.evaluate(
        """selector => [...document.querySelectorAll(selector)].map(picture => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
            canvas.getContext("2d").drawImage(picture, 0, 0);
            return canvas.toDataURL("image/png").split(",")[1];
        })""",
        LIVE_PICTURES,
    )
    return [np.asarray(Image.open(io.BytesIO(b64decode(each))).convert("RGB")) for each in pictures]


def result(widget: Widget, place: int = 0) -> np.ndarray:
    """What the last run has drawn."""
    return np.asarray(widget.page.server.picture(**widget.page.pictures(5)[place]))


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether pictures are the same, but for levels that round otherwise: matrix products may use fewer threads on a
    busy machine."""
    return np.abs(one.astype(int) - other).max() <= 1


def test_a_node_is_saved_without_its_live_pictures(widget):
    def heights() -> list[float]:
        return widget.js("return [node.size[1], node.serialize().size[1]]")

    widget.load(drawn_workflow("0; 4-5"), "saved")
    widget.run()
    before, saved = heights()
    assert saved == before
    widget.tab.mouse.move(*widget.place(1, 9))
    shown(widget)
    grown, saved = heights()
    assert grown > before + 150 and saved == before


def test_what_is_painted_is_seen_at_once_and_is_what_a_run_gives(widget, screenshots):
    widget.load(drawn_workflow("0; 4-5"), "live")
    widget.view()
    assert not widget.tab.locator(LIVE_PICTURES).first.is_visible()
    widget.run()
    assert not widget.tab.locator(LIVE_PICTURES).first.is_visible()  # takes no room until somebody comes
    widget.tab.mouse.move(*widget.place(1, 9))
    source, before = shown(widget)
    assert alike(before, result(widget, 1))
    widget.click(1, 8)
    _, painted = shown(widget)
    assert not np.array_equal(painted, before)
    widget.tab.locator(".stylemix-index").nth(5).hover()
    _, layer = shown(widget)
    assert widget.grid().locator(".stylemix-live-caption").nth(1).inner_text() == "layer 5 alone"
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    again, live = shown(widget)
    assert np.array_equal(again, source) and np.array_equal(live, painted)
    assert alike(live, result(widget, 1))
    widget.page.screenshot(screenshots / f"live, {widget.page.name}.png")
    widget.click(0, 3)  # the keys go to the grid
    widget.tab.keyboard.down("s")
    covered, source_again = shown(widget)
    assert np.array_equal(covered, source_again)
    widget.tab.keyboard.up("s")
    assert not np.array_equal(*shown(widget))
    widget.set_text("5")
    assert np.array_equal(shown(widget)[1], layer)
    widget.set_text("none")
    assert np.array_equal(shown(widget)[1], source)
