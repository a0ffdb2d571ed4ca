"""ComfyUI's page in a headless Chromium."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .server import RealComfy

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
READY = "window.app?.vueAppReady && app.graph && document.querySelector('[data-testid=queue-button]')"
QUEUE_BUTTON = '[data-testid="queue-button"] button, button[data-testid="queue-button"]'


def chromium() -> str | None:
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
    )


def missing() -> str | None:
    """What a browser run lacks here, as a sentence."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed in this Python"
    return None if chromium() else "no Chromium found"


class Page:
    """A tab with ComfyUI's front end."""

    def __init__(self, page: Any):
        self.page = page
        self.problems: list[str] = []
        """Errors and warnings of the console that name this pack, and page errors from its files."""
        self.asking: set[Any] = set()
        """Requests to this pack's routes that are not answered yet."""
        page.on("request", lambda request: "/stylemix/" in request.url and self.asking.add(request))
        for answered in ("requestfinished", "requestfailed"):
            page.on(answered, lambda request: self.asking.discard(request))
        page.on("console", self.note_message)
        page.on("pageerror", lambda error: self.note(f"{error}\n{error.stack}"))

    def note_message(self, message: Any) -> None:
        text = f"{message.text} {message.location.get('url', '')}"
        # What newer front ends ask other machines about a pack is kept from leaving this one.
        if message.type in ("error", "warning") and "https://" not in text:
            self.note(text)

    def note(self, text: str) -> None:
        if "stylemix" in text.lower():
            self.problems.append(text)

    def open(self, url: str) -> None:
        self.page.goto(url, timeout=90000)
        self.page.wait_for_function(READY, timeout=90000)
        self.page.wait_for_timeout(500)

    def use_language(self, locale: str) -> None:
        """Set the page's language, as a user does in the settings, and open the page anew."""
        self.page.evaluate(
            "async locale => { await app.extensionManager.setting.set('Comfy.Locale', locale) }", locale
        )
        self.page.wait_for_timeout(500)  # the setting is on its way to the server
        self.page.once("dialog", lambda dialog: dialog.accept())  # there may be unsaved changes
        self.open(self.page.url.split("#")[0])

    def show_help(self, kind: str) -> None:
        """Open a node's help page beside the graph, as a user does: select the node, press the info button."""
        self.page.evaluate(
            """kind => {
                const node = app.graph._nodes.find(node => node.type === kind);
                app.canvas.ds.scale = 1;
                app.canvas.ds.offset = [700 - node.pos[0], 300 - node.pos[1]];
                app.canvas.selectNode(node);
                app.canvas.setDirty(true, true);
            }""",
            kind,
        )
        self.page.locator("[data-testid=info-button]").first.click()

    def load(self, workflow: Path, source: str = "file_drop") -> None:
        """Open a workflow, as a drop of its file does, in the view that it was saved with.

        source: where the page is told that it comes from; "template": from the list of templates.
        """
        content = json.loads(workflow.read_text(encoding="utf-8"))
        self.page.evaluate(
            "([content, name, openSource]) => app.loadGraphData(content, true, true, name, { openSource })",
            [content, f"{workflow.stem}, {source}", source],
        )
        self.page.wait_for_function("count => app.graph._nodes.length === count", arg=len(content["nodes"]))
        self.page.wait_for_timeout(1000)

    def api_prompt(self) -> dict[str, Any]:
        return self.page.evaluate("async () => (await app.graphToPrompt()).output")

    def saved_values(self) -> dict[int, list[Any]]:
        """The widgets' values that the page saves, by node."""
        nodes = self.page.evaluate("() => app.graph.serialize().nodes")
        return {node["id"]: node.get("widgets_values") or [] for node in nodes}

    def queue(self) -> None:
        self.page.locator(QUEUE_BUTTON).first.click()

    def pictures(self, node_id: int, timeout: float = 120) -> list[dict[str, str]]:
        """Wait until a node shows its pictures; what `/view` takes to get them."""
        self.page.wait_for_function(
            "id => app.nodeOutputs[id]?.images?.length", arg=str(node_id), timeout=1000 * timeout
        )
        return self.page.evaluate("id => app.nodeOutputs[id].images", str(node_id))

    def wait_for_drawn(self, node_id: int, width: int) -> None:
        """Until the node itself shows a picture of that width; before, it may show that of another workflow's node."""
        shown = (
            "([id, width]) => width === (app.graph.getNodeById(id)?.imgs?.[0]?.naturalWidth"
            " || document.querySelector(`[data-node-id='${id}'] img`)?.naturalWidth)"
        )
        self.page.wait_for_function(shown, arg=[node_id, width], timeout=60000)

    def wait_for_quiet(self) -> None:
        """Until the server has nothing left to do and the page has drawn what came last."""
        self.until(
            """async () => {
                const queue = await (await fetch("/queue")).json();
                return !queue.queue_running.length && !queue.queue_pending.length;
            }"""
        )
        self.page.wait_for_timeout(1000)

    def until(self, question: str, timeout: float = 120) -> None:
        """Ask an async function of the page until it says true; `wait_for_function` takes its promise for a yes."""
        end = time.monotonic() + timeout
        while True:
            self.page.wait_for_timeout(200)
            if self.page.evaluate(question):
                return
            if time.monotonic() > end:
                raise TimeoutError(f"not true within {timeout:g} s: {question}")

    def marked_nodes(self) -> list[int]:
        """Ids of the nodes that the canvas draws as failed."""
        return self.page.evaluate(
            "() => app.graph._nodes.filter(node => node.has_errors || node.strokeStyles?.nodeError?.call(node)"
            " || app.lastExecutionError?.node_id == node.id).map(node => node.id)"
        )

    def messages(self) -> list[str]:
        """The toasts and dialogs that are open."""
        return self.page.locator(".p-toast-message, .p-dialog").all_inner_texts()

    def close_dialog(self) -> None:
        dialog = self.page.locator(".p-dialog")
        if dialog.count():
            dialog.locator(".p-dialog-close-button").first.click()
            dialog.first.wait_for(state="detached")

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path))


@contextmanager
def open_page(server: RealComfy) -> Iterator[Page]:
    """The front end that the server serves. Nothing beyond this machine is reached."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            tab = browser.new_page(viewport={"width": 1920, "height": 1080})
            tab.route(
                lambda url: (
                    not url.startswith((server.url, "data:", "blob:", server.url.replace("http", "ws")))
                ),
                lambda route: route.abort(),
            )
            page = Page(tab)
            page.open(server.url)
            yield page
        finally:
            browser.close()
