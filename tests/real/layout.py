"""Where the nodes and groups of the graph that is open lie on the page."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from .browser import Page

ZOOM = 0.6
"""At smaller ones the classic canvas draws no texts."""

VIEW = (65, 90, 1920, 1030)
"""Left, top, right and bottom of what the page's side bar, tabs and buttons leave free."""

PLACES = """() => {
    const { scale, offset } = app.canvas.ds;
    const canvas = app.canvas.canvas.getBoundingClientRect();
    const onPage = ([x, y, width, height]) => [
        canvas.left + (x + offset[0]) * scale, canvas.top + (y + offset[1]) * scale,
        canvas.left + (x + width + offset[0]) * scale, canvas.top + (y + height + offset[1]) * scale,
    ];
    // A Vue node is more than its element: a footer hangs below it.
    const drawn = id => {
        const element = document.querySelector(`[data-node-id="${id}"]`);
        if (!element) return null;
        const parts = [element, ...element.querySelectorAll("*")]
            .map(part => part.getBoundingClientRect())
            .filter(({ width, height }) => width && height);
        return [
            Math.min(...parts.map(part => part.left)), Math.min(...parts.map(part => part.top)),
            Math.max(...parts.map(part => part.right)), Math.max(...parts.map(part => part.bottom)),
        ];
    };
    return {
        zoom: scale,
        nodes: app.canvas.graph._nodes.map(({ id, type, pos, size }) => {
            const title = LiteGraph.NODE_TITLE_HEIGHT;
            const place = drawn(id) ?? onPage([pos[0], pos[1] - title, size[0], size[1] + title]);
            return [`${type} ${id}`, place];
        }),
        groups: app.canvas.graph._groups.map(group => [group.title, onPage([...group.pos, ...group.size])]),
    };
}"""


@dataclass
class Rectangle:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Rectangle") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: "Rectangle") -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


@dataclass
class Layout:
    """Places in pixels of the page."""

    zoom: float
    nodes: dict[str, Rectangle]
    """By the node's type and id."""
    groups: dict[str, Rectangle]
    """By title."""

    @classmethod
    def of(cls, page: Page) -> "Layout":
        places: dict[str, Any] = page.page.evaluate(PLACES)
        return cls(
            places["zoom"],
            {name: Rectangle(*place) for name, place in places["nodes"]},
            {title: Rectangle(*place) for title, place in places["groups"]},
        )

    def overlaps(self) -> list[str]:
        """What lies over another, as sentences."""
        return [
            f"{one} lies over {other}"
            for kind in (self.nodes, self.groups)
            for one, other in combinations(kind, 2)
            if kind[one].overlaps(kind[other])
        ]

    def faults(self) -> list[str]:
        """Also what lies outside of every group or out of view, and a zoom without texts."""
        found = self.overlaps()
        if self.zoom < ZOOM:
            found.append(f"the zoom is {self.zoom}")
        for name, place in self.nodes.items():
            if not any(group.holds(place) for group in self.groups.values()):
                found.append(f"{name} is in no group")
            if not Rectangle(*VIEW).holds(place):
                found.append(f"{name} is out of view")
        return found
