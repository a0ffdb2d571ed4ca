"""How long it takes from a gesture on the mask grid to the picture below it.

    python benchmarks/live.py [--strokes 60] [--small]

Needs what the browser tests need: a real ComfyUI and Chromium. Gestures are made with the demo generator on the oldest
core's page and on the newest one's, with the classic canvas and with Vue nodes: clicks, of which the page asks for the
picture when they are pressed, and drags up and down, step by step. What the server and the page take for a step, each
without the other, stands beside it. Exit code 1 when a goal is missed.
"""

import argparse
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from goals import Row, report
from pages import lacking, widgets

from tests.real.widget import INJECT, LIVE_PICTURES, Widget, drawn_workflow

GOAL = 80
"""Milliseconds from a gesture to its picture. Chromium without a screen draws the page on the processor, which the
generator needs at the same time."""
REST = 250
"""Milliseconds from arriving on a cell to pressing, of a hand that aims."""
PRESS = 60
"""Milliseconds that the button of a click is held: quick for people."""
STEPS, STEP = 10, 4
"""Of a drag, and how many pixels each is long."""

WATCH = """([selector, drags]) => {
    window.strokes = [];
    let made = 0, drawn = 0;
    const tell = () => {
        if (!made || !drawn) return;
        window.strokes.push(Math.max(0, drawn - made));
        made = drawn = 0;
    };
    document.addEventListener("pointerdown", () => (made = drawn = 0), true);
    document.addEventListener(drags ? "pointermove" : "pointerup", ({ buttons }) => {
        if (drags && !buttons) return;
        if (drags) drawn = 0;
        made = performance.now();
        tell();
    }, true);
    document.querySelectorAll(selector)[1].addEventListener("load", () => {
        drawn = performance.now();
        tell();
    });
}"""
"""Notes the milliseconds from each step of a drag, or from letting go of a click, until its picture is there: 0 where
it was there before."""

ANSWER = """() => {
    const fetched = window.fetch;
    let first;
    window.fetch = async (address, ...more) => {
        if (!String(address).endsWith("/stylemix/live")) return fetched(address, ...more);
        first ??= await fetched(address, ...more);
        return first.clone();
    };
}"""
"""Every wish gets the first one's picture at once."""


def opened(widget: Widget, drags: bool) -> None:
    """Run a workflow, open its live pictures and watch them."""
    widget.load(drawn_workflow("0; 4-5"))
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    widget.tab.locator(LIVE_PICTURES).nth(1).wait_for(state="visible")
    widget.page.wait_for_quiet()  # else the first gesture is credited with the picture of what was pointed at
    widget.tab.evaluate(WATCH, [LIVE_PICTURES, drags])


def clicks(widget: Widget, count: int) -> list[float]:
    """Milliseconds to the picture of each click, sorted."""
    opened(widget, drags=False)
    for click in range(count):
        place = widget.place(1, click % 14)
        widget.tab.mouse.move(*place)
        widget.tab.wait_for_timeout(REST)
        widget.tab.mouse.click(*place, delay=PRESS)
        wait_for_stroke(widget, click)
    return times_of(widget)


def drags(widget: Widget, count: int) -> list[float]:
    """Milliseconds to the picture of each step of some drags, sorted."""
    opened(widget, drags=True)
    for step in range(count):
        turn, within = divmod(step, STEPS)
        x, y = widget.place(1, 6 + turn % 8)
        if within == 0:
            widget.tab.mouse.move(x, y)
            widget.tab.mouse.down()
            widget.tab.wait_for_timeout(REST)
        widget.tab.mouse.move(x, y - STEP * (2 + within))
        wait_for_stroke(widget, step)
        if within == STEPS - 1 or step == count - 1:
            widget.tab.mouse.up()
    return times_of(widget)


def wait_for_stroke(widget: Widget, number: int) -> None:
    widget.tab.wait_for_function("number => window.strokes.length > number", arg=number)


def times_of(widget: Widget) -> list[float]:
    return sorted(widget.tab.evaluate("() => window.strokes"))


def drawing_alone(widget: Widget, count: int) -> list[float]:
    """Milliseconds that the server takes for a picture, from request to answer."""
    (name,) = widget.tab.evaluate("id => app.nodeOutputs[id].stylemix_live", str(INJECT))
    times = []
    for turn in range(count):
        wish = {"name": name, "values": {"mask_list": f"{turn % 14}@0.{turn + 1:03d}"}}
        started = time.perf_counter()
        urllib.request.urlopen(f"{widget.page.server.url}/stylemix/live", json.dumps(wish).encode()).read()
        times.append(1000 * (time.perf_counter() - started))
    return times


def figures(count: int, small: bool) -> Iterator[Row]:
    for name, widget in widgets(small):
        for gesture, times in (("click", clicks(widget, count)), ("step of a drag", drags(widget, count))):
            yield f"{name}: median of a {gesture}, ms", statistics.median(times), "≤", GOAL
            yield f"{name}: its 95 %, ms", times[int(0.95 * len(times))], "", 0
        yield f"{name}: the server alone, ms", statistics.median(drawing_alone(widget, count)), "", 0
        widget.tab.evaluate(ANSWER)
        yield f"{name}: the page alone, ms", statistics.median(drags(widget, count)), "", 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--strokes", type=int, default=60, help="how many are made (%(default)s)")
    parser.add_argument("--small", action="store_true", help="few strokes on one page, which prove little")
    arguments = parser.parse_args()
    if lack := lacking():
        print(lack)
        return 0 if arguments.small else 1
    count = 5 if arguments.small else arguments.strokes
    return report(figures(count, arguments.small), judged=not arguments.small)


if __name__ == "__main__":
    sys.exit(main())
