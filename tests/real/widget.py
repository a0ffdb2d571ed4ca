"""The mask grid as a user handles it: with pointer and keys, on ComfyUI's page."""

from typing import Any

from .browser import Page

INJECT = 3
"""Id of the InjectW+ node in the workflow that `Widget.open` loads."""
LIVE_PICTURES = ".stylemix-live-picture"
"""The source and the result below the grid."""


def node(id, type, pos, inputs, outputs, values, size=(280, 240)) -> dict[str, Any]:
    """A node as workflows save it. inputs, outputs: name, type and link or links of each."""
    return {
        "id": id,
        "type": type,
        "pos": pos,
        "size": list(size),
        "flags": {},
        "order": id - 1,
        "mode": 0,
        "inputs": [{"name": name, "type": kind, "link": link} for name, kind, link in inputs],
        "outputs": [{"name": name, "type": kind, "links": links} for name, kind, links in outputs],
        "properties": {},
        "widgets_values": values,
    }


def workflow(text: str, checkpoint: str = "demo (bundled)") -> dict[str, Any]:
    """A generator, a sampler and an InjectW+ node with a mask list, as a saved workflow."""
    generator, latent = "STYLEMIX_GENERATOR", "STYLEMIX_LATENT"

    nodes = [
        node(1, "StyleMixLoadGenerator", [0, 0], [], [("generator", generator, [1])], [checkpoint, "auto"]),
        node(
            2,
            "StyleMixSampler",
            [0, 200],
            [("generator", generator, 1)],
            [("image", "IMAGE", None), ("latent", latent, [2, 3])],
            [0, "fixed", 1, 0.7, -1, -1, "const"],
        ),
        node(
            INJECT,
            "StyleMixInject",
            [400, 0],
            [("latent", latent, 2), ("style", latent, 3), ("masks", "STYLEMIX_MASKS", None)],
            [("latent", latent, None), ("labels", "STRING", None)],
            [text, 1, "match", 0],
            (400, 460),
        ),
    ]
    links = [[1, 1, 0, 2, 0, generator], [2, 2, 1, 3, 0, latent], [3, 2, 1, 3, 1, latent]]
    return {
        "last_node_id": INJECT,
        "last_link_id": 3,
        "nodes": nodes,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def drawn_workflow(text: str) -> dict[str, Any]:
    """The same with another face as the style, drawn and shown."""
    content = workflow(text)
    generator, latent = "STYLEMIX_GENERATOR", "STYLEMIX_LATENT"
    content["nodes"][0]["outputs"][0]["links"] = [1, 4, 7]
    content["nodes"][1]["outputs"][1]["links"] = [2]
    content["nodes"][INJECT - 1]["outputs"][0]["links"] = [5]
    content["nodes"] += [
        node(
            4,
            "StyleMixDecode",
            [900, 0],
            [("generator", generator, 4), ("latent", latent, 5)],
            [("image", "IMAGE", [6])],
            ["const"],
            (280, 300),
        ),
        node(5, "PreviewImage", [900, 400], [("images", "IMAGE", 6)], [], [], (280, 300)),
        node(
            6,
            "StyleMixSampler",
            [900, 800],
            [("generator", generator, 7)],
            [("image", "IMAGE", None), ("latent", latent, [3])],
            [7, "fixed", 1, 0.7, -1, -1, "const"],
            (280, 300),
        ),
    ]
    content["links"][2] = [3, 6, 1, INJECT, 1, latent]  # another face is the style
    content["links"] += [
        [4, 1, 0, 4, 0, generator],
        [5, INJECT, 0, 4, 1, latent],
        [6, 4, 0, 5, 0, "IMAGE"],
        [7, 1, 0, 6, 0, generator],
    ]
    content["last_node_id"], content["last_link_id"] = 6, 7
    return content


class Widget:
    """The grid of one InjectW+ node. Its text is read back from the node, not from the grid."""

    def __init__(self, page: Page):
        self.page, self.tab, self.node = page, page.page, INJECT
        self.vue = "Vue" in page.name

    def open(self, text: str, checkpoint: str = "demo (bundled)") -> None:
        """Load a workflow and show its InjectW+ node, its grid below (x 500, y 150)."""
        self.load(workflow(text, checkpoint))

    def load(self, content: dict[str, Any], name: str = "widget") -> None:
        """Load a workflow. Newer front ends remember what nodes of a workflow of that name have given."""
        self.node = INJECT
        self.tab.evaluate("([w, name]) => app.loadGraphData(w, true, true, name)", [content, name])
        self.tab.wait_for_function("n => app.graph._nodes.length === n", arg=len(content["nodes"]))
        self.view()

    def view(self, scale: float = 1) -> None:
        """Put the node's upper left corner at (500, 150), at a zoom."""
        self.js(
            "app.canvas.ds.scale = given;"
            "app.canvas.ds.offset = [500 / given - node.pos[0], 150 / given - node.pos[1]];"
            "app.canvas.setDirty(true, true)",
            scale,
        )
        self.tab.mouse.move(1700, 900)
        self.settle()

    def settle(self) -> None:
        """Wait until the grids stand still: the server has told of the model, the canvas has drawn."""
        self.stand_still()
        while self.page.asking:
            self.tab.wait_for_timeout(20)
            self.stand_still()

    def stand_still(self) -> None:
        self.tab.evaluate(
            """async () => {
                const state = () => JSON.stringify([...document.querySelectorAll('.stylemix-masks')].map(
                    each => [each.getBoundingClientRect(), each.innerText]));
                for (let same = 0, before = '', turn = 0; same < 5 && turn < 200; turn++) {
                    await new Promise(requestAnimationFrame);
                    const now = state();
                    same = now === before ? same + 1 : 0;
                    before = now;
                }
            }"""
        )

    def js(self, code: str, given: Any = None) -> Any:
        """Run code with `node`, `text` (its mask_list widget) and `given`; a `return` comes back."""
        return self.tab.evaluate(
            "([id, given]) => { const node = app.canvas.graph.getNodeById(id);"
            f"const text = node?.widgets?.find(w => w.name === 'mask_list'); {code} }}",
            [self.node, given],
        )

    @property
    def text(self) -> str:
        return self.js("return text.value")

    def set_text(self, text: str) -> None:
        self.js("text.value = given", text)
        self.settle()

    def grid(self) -> Any:
        """The grid on the page, the first of several."""
        return self.tab.locator(".stylemix-masks").first

    def row(self, row: int) -> Any:
        return self.grid().locator(f'[data-row="{row}"]')

    def cell(self, row: int, layer: int) -> Any:
        return self.row(row).locator(f'[data-layer="{layer}"]')

    def label(self, row: int) -> Any:
        return self.row(row).locator(".stylemix-label")

    def place(self, row: int, layer: int) -> tuple[float, float]:
        box = self.cell(row, layer).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def click(self, row: int, layer: int) -> None:
        self.tab.mouse.click(*self.place(row, layer))
        self.settle()

    def drag(self, *places: tuple[float, float]) -> None:
        """Press at the first place and let go at the last."""
        self.tab.mouse.move(*places[0])
        self.tab.mouse.down()
        for place in places[1:]:
            self.tab.mouse.move(*place, steps=4)
        self.tab.mouse.up()
        self.settle()

    def slide(self, name: str) -> float:
        """Drag a number's widget to the right, or type into it where the page has a field; what it is then."""
        if self.vue:
            field = self.tab.locator(f'[data-node-id="{self.node}"] [data-widget-name="{name}"] input').first
            field.fill("0.75")
            field.press("Enter")
        else:
            x, y = self.js(
                "const { x, y } = app.canvas.canvas.getBoundingClientRect();"
                "return [x + 640, y + 160 + node.widgets.find(w => w.name === given).y]",
                name,
            )
            self.drag((x, y), (x + 60, y))
        return self.js("return node.widgets.find(w => w.name === given).value", name)

    def touch(self, places: list[tuple[float, float]], hold: int = 30) -> None:
        """Put a finger down at the first place and lift it at the last. hold: milliseconds at the first.

        The events are made here: Chromium without a screen keeps those of DevTools' fingers to itself.
        """
        self.tab.evaluate(
            """async ([places, hold]) => {
                const target = document.elementFromPoint(...places[0]);
                const rows = target.closest('.stylemix-rows'); // captures the pointer
                const send = (element, type, [clientX, clientY], button, buttons) =>
                    element.dispatchEvent(new PointerEvent(type, {
                        bubbles: true, cancelable: true, composed: true, pointerId: 1, pointerType: 'touch',
                        isPrimary: true, clientX, clientY, button, buttons,
                    }));
                send(target, 'pointerdown', places[0], 0, 1);
                await new Promise(resolve => setTimeout(resolve, hold));
                for (const place of places.slice(1)) send(rows, 'pointermove', place, -1, 1);
                send(rows, 'pointerup', places.at(-1), 0, 0);
                send(rows, 'pointerleave', places.at(-1), 0, 0);
            }""",
            [places, hold],
        )
        self.settle()

    def run(self) -> None:
        """Run a `drawn_workflow`, and wait until it is done."""
        self.tab.evaluate(
            """() => {
                window.ran = false;
                const { api } = window.comfyAPI.api;
                const note = ({ detail }) => {
                    if (detail !== null) return;
                    window.ran = true;
                    api.removeEventListener("executing", note);
                };
                api.addEventListener("executing", note);
            }"""
        )
        self.page.queue()
        self.tab.wait_for_function("window.ran")
        self.page.wait_for_quiet()

    def show_run(self, output: dict[str, Any]) -> None:
        """Let the page note what a run of the node has given."""
        self.js("app.nodeOutputs[node.id] = given; node.onExecuted(given)", output)
        self.settle()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)
        self.settle()

    def levels(self) -> list[list[float]]:
        """What the grid shows: by row, the strength of every cell. Rows without cells are empty."""
        return self.tab.evaluate(
            """() => [...document.querySelectorAll('.stylemix-row')].map(row =>
                [...row.querySelectorAll('[data-layer]')].map(cell => {
                    const level = parseFloat(cell.style.getPropertyValue('--level')) / 100;
                    const beyond = parseFloat(cell.style.getPropertyValue('--beyond')) / 100;
                    const negative = cell.classList.contains('stylemix-negative');
                    const strength = level + beyond * (negative ? 1 : 2);
                    return Math.round(1000 * (negative ? -strength : strength)) / 1000;
                }))"""
        )

    def on(self, row: int = 0) -> list[int]:
        """Layers that a row shows as taken."""
        return [layer for layer, strength in enumerate(self.levels()[row]) if strength]

    def wait_for_columns(self, count: int, timeout: float = 60) -> None:
        self.tab.wait_for_function(
            "count => document.querySelectorAll('.stylemix-index').length === count",
            arg=count,
            timeout=1000 * timeout,
        )

    def status(self) -> str:
        return self.grid().locator(".stylemix-status").inner_text()

    def menu(self, opener: Any, item: str, extra: bool = False) -> None:
        """Open a menu of the grid and choose an item, or the item's second button."""
        opener.click()
        row = self.tab.locator(".stylemix-menu-row").filter(has_text=item)
        row.locator(".stylemix-menu-extra" if extra else ".stylemix-menu-item").click()
        self.settle()

    def menu_of(self, node: int, item: str) -> None:
        """Choose an item of a node's menu."""
        self.menu_entry(node, item).click()

    def menu_entry(self, node: int, item: str) -> Any:
        """Right-click a node's title; the item of its menu, if it has it."""
        if self.vue:
            title = self.tab.locator(f'[data-node-id="{node}"] .lg-node-header').first
            title.click(button="right")
            return self.tab.get_by_role("menuitem", name=item)
        else:
            place = self.tab.evaluate(
                """id => {
                    const { canvas, ds, graph } = app.canvas, { x, y } = canvas.getBoundingClientRect();
                    const [left, top] = graph.getNodeById(id).pos;
                    ds.offset[0] -= 400;
                    return [x + (left + ds.offset[0] + 60) * ds.scale, y + (top + ds.offset[1] - 15) * ds.scale];
                }""",
                node,
            )
            self.tab.mouse.click(*place, button="right")
            return self.tab.locator(".litecontextmenu .litemenu-entry").filter(has_text=item)

    def row_menu(self, row: int, item: str) -> None:
        self.menu(self.row(row).locator(".stylemix-more"), item)

    def preset(self, item: str, extra: bool = False) -> None:
        self.menu(self.grid().locator(".stylemix-button").nth(1), item, extra)

    def text_area(self) -> Any:
        """The text field that the user sees."""
        return self.tab.locator(
            f'[data-node-id="{self.node}"] [data-widget-name="mask_list"] textarea'
            if self.vue
            else ".dom-widget textarea.comfy-multiline-input"
        ).first

    def message(self) -> str:
        return self.grid().locator(".stylemix-message").inner_text()
