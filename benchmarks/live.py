"""How long it takes from a stroke on the mask grid to the picture below it.

    python benchmarks/live.py [--strokes 60] [--small]

Needs what the browser tests need: a real ComfyUI and Chromium. Strokes are made with the demo generator on the oldest
core's page and on the newest one's, with the classic canvas and with Vue nodes: by a hand that rests on each cell
before it presses, and by one that presses as it arrives, whose stroke waits until the picture of the layer that it
points at is drawn. What the server and the page take, each without the other, stands beside it. Exit code 1 when a goal
is missed.
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
"""Milliseconds from a stroke to its picture. Chromium without a screen draws the page on the processor, which the
generator needs at the same time."""
REST = 250
"""Milliseconds from arriving on a cell to pressing, of a hand that aims."""

WATCH = """selector => {
    window.strokes = [];
    let begun = 0;
    document.addEventListener("pointerup", () => (begun = performance.now()), true);
    document.querySelectorAll(selector)[1].addEventListener("load", () => {
        if (begun) window.strokes.push(performance.now() - begun);
        begun = 0;
    });
}"""

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


def strokes_on(widget: Widget, count: int, rest: int) -> list[float]:
    """Milliseconds from each stroke to its picture, sorted."""
    widget.load(drawn_workflow("0; 4-5"))
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    widget.tab.locator(LIVE_PICTURES).nth(1).wait_for(state="visible")
    widget.page.wait_for_quiet()  # else the first stroke is credited with the picture of what was pointed at
    widget.tab.evaluate(WATCH, LIVE_PICTURES)
    for stroke in range(count):
        place = widget.place(1, stroke % 14)
        widget.tab.mouse.move(*place)
        widget.tab.wait_for_timeout(rest)
        widget.tab.mouse.click(*place)
        widget.tab.wait_for_function("done => window.strokes.length > done", arg=stroke)
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
        for hand, rest in (("rests", REST), ("arrives", 0)):
            times = strokes_on(widget, count, rest)
            yield f"{name}: median of a hand that {hand}, ms", statistics.median(times), "≤", GOAL
            yield f"{name}: its 95 %, ms", times[int(0.95 * len(times))], "", 0
        yield f"{name}: the server alone, ms", statistics.median(drawing_alone(widget, count)), "", 0
        widget.tab.evaluate(ANSWER)
        yield f"{name}: the page alone, ms", statistics.median(strokes_on(widget, count, REST)), "", 0


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
