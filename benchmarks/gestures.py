"""Random gestures on the mask grid beside running prompts: what fails, what grows, and how long prompts wait for a
preview: longer than beside the same gestures while live pictures are switched off.

    python benchmarks/gestures.py [--minutes 30] [--small]

Needs what the browser tests need: a real ComfyUI and Chromium. The time is shared by the oldest core's page and the
newest one's, with the classic canvas and with Vue nodes. Exit code 1 when a goal is missed.
"""

import argparse
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from goals import report
from pages import count_pages, lacking, widgets

from tests.real.server import RealComfy
from tests.real.widget import LIVE_PICTURES, Widget, drawn_workflow

BEGUN = 0.25
"""Growth is measured from this part of the time on, when caches and undo are filled."""
TURN = 40
"""Gestures until live pictures are switched off or on again."""
MOST_ROWS = 5
SAMPLER = "2"
"""Id of the source's node."""
MIB = 1 << 20


class Prompts(threading.Thread):
    """Runs prompts one after the other, and notes how long each waits until it starts."""

    def __init__(self, server: RealComfy, prompt: dict[str, Any]):
        super().__init__(daemon=True)
        self.server, self.prompt = server, prompt
        self.live = True
        self.waits: dict[bool, list[float]] = {True: [], False: []}
        """Milliseconds from sending to start, with live pictures and without."""
        self.failed: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self.enough.wait(3):
            turn += 1
            self.prompt[SAMPLER]["inputs"]["seed"] = turn
            sent, live = time.time(), self.live
            try:
                entry = self.server.wait(self.server.queue(self.prompt)["prompt_id"])
            except (RuntimeError, OSError, KeyError) as error:
                self.failed.append(f"{error}")
                continue
            messages = dict(entry["status"]["messages"])
            if "execution_error" in messages:
                self.failed.append(messages["execution_error"]["exception_message"])
            self.waits[live].append(messages["execution_start"]["timestamp"] - 1000 * sent)


def gestures_of(widget: Widget, chance: random.Random) -> list[Callable[[], object]]:
    """What a hand does."""
    tab, keys = widget.tab, widget.tab.keyboard

    def place() -> tuple[float, float]:
        cells = widget.grid().locator("[data-layer]")
        while True:
            cells.first.wait_for()
            widget.settle()
            count = cells.count()
            box = cells.nth(chance.randrange(count)).bounding_box() if count else None
            if box:  # undo makes the node anew, at any moment
                return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def hold() -> None:
        tab.mouse.move(*place())
        keys.down("s")
        tab.wait_for_timeout(chance.randrange(300))
        keys.up("s")

    def wheel() -> None:
        tab.mouse.move(*place())
        keys.down("Alt")
        tab.mouse.wheel(0, chance.choice((-100, 100)))
        keys.up("Alt")

    def undo() -> None:
        for key in ("Control+z", "Control+Shift+z")[: chance.choice((1, 2))]:
            keys.press(key)
            tab.wait_for_timeout(400)

    def add() -> None:
        if widget.grid().locator(".stylemix-row").count() < MOST_ROWS:
            widget.grid().locator(".stylemix-button").first.click()
        else:
            widget.set_text("0; hair: 4-5")

    def compare() -> None:
        pictures = tab.locator(LIVE_PICTURES)
        if not all(pictures.nth(place).is_visible() for place in (0, 1)):  # the hand has not been near yet
            return
        pictures.nth(1).click()
        tab.locator(".stylemix-compare").wait_for()
        keys.press(chance.choice("123"))
        keys.press("Escape")

    return [
        lambda: tab.mouse.click(*place()),
        lambda: tab.mouse.click(*place()),
        lambda: widget.drag(place(), place()),
        lambda: widget.drag(place(), place(), place()),
        lambda: tab.mouse.move(*place(), steps=8),
        hold,
        wheel,
        undo,
        add,
        compare,
        lambda: widget.view(chance.choice((0.6, 0.8, 1.0))),
    ]


def heap(page: Any) -> int:
    """Bytes that the page's scripts hold."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return int(used)


def soak(widget: Widget, seconds: float) -> tuple[int, list[str], dict[bool, list[float]], int, int]:
    """How many gestures were made; what failed; what prompts waited, with live pictures and without; bytes by which
    the server and the page grew."""
    server = widget.page.server
    widget.load(drawn_workflow("0; hair: 4-5"), "gestures")
    widget.run()
    widget.tab.mouse.move(*widget.place(1, 9))
    prompts = Prompts(server, widget.page.api_prompt())
    prompts.start()
    chance = random.Random(0)
    gestures = gestures_of(widget, chance)
    started, count, before, failed = time.monotonic(), 0, (0, 0), []
    while (passed := time.monotonic() - started) < seconds:
        if not any(before) and passed > BEGUN * seconds:
            before = server.memory(), heap(widget.tab)
        try:
            chance.choice(gestures)()
        except Exception as error:  # a gesture that cannot be made is a failure like any other
            failed.append(f"{type(error).__name__}: {error}")
            widget.load(drawn_workflow("0; hair: 4-5"), "gestures")
            widget.run()
        count += 1
        if count % TURN == 0:
            prompts.live = not prompts.live
            widget.tab.evaluate("on => app.extensionManager.setting.set('StyleMix.Live', on)", prompts.live)
    prompts.enough.set()
    prompts.join(60)
    failed += [*widget.page.problems, *prompts.failed]
    failed += [line for line in server.log_text().splitlines() if "Traceback" in line]
    return count, failed, prompts.waits, server.memory() - before[0], heap(widget.tab) - before[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30, help="for how long in all (%(default)s)")
    parser.add_argument("--small", action="store_true", help="half a minute on one page, which proves little")
    arguments = parser.parse_args()
    if lack := lacking():
        print(lack)
        return 0 if arguments.small else 1
    seconds = 30 if arguments.small else 60 * arguments.minutes / count_pages(arguments.small)
    missed = 0
    for name, widget in widgets(arguments.small):
        widget.tab.set_default_timeout(20_000)
        count, failed, waits, server_growth, page_growth = soak(widget, seconds)
        live, still = (max(waits[on], default=0.0) for on in (True, False))
        total = sum(map(len, waits.values()))
        print(f"\n{name}: {count} gestures and {total} prompts in {seconds / 60:g} minutes")
        print(f"longest wait of a prompt {live:.0f} ms with live pictures, {still:.0f} ms without\n")
        missed |= report(
            [
                ("failures", len(failed), "≤", 0),
                ("longest wait of a prompt for a preview, ms", live - still, "≤", 100),
                ("growth of the server, MiB", server_growth / MIB, "≤", 50),
                ("growth of the page, MiB", page_growth / MIB, "≤", 20),
            ],
            judged=not arguments.small,
        )
        print(*sorted(set(failed)), sep="\n", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
