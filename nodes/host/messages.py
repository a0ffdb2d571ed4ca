"""What the page is told: messages and pictures on a node, and answers at addresses of the pack's own."""

import logging
import os
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Any
from uuid import uuid4

import folder_paths
import torch
from comfy_api.v0_0_2 import io

from ...stylemix_core.figures.picks import Pick
from ...stylemix_core.images import check_proportions, thumbnail

SHOWN, SHOWN_SIDE, SHOWN_QUALITY = 16, 1024, 92
"""How many of its pictures a node shows after its run, how large at most, and in which quality of JPEG, which takes a
tenth of the time of PNG."""

_said: dict[str | None, list[list[str]]] = {}
"""What the node that runs has said so far, by its id: "warning" or "note", and the text."""


def speaking(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """Decorates a node's `execute`: what it tells and warns of stays on the node, below its widgets.

    The messages are part of the output, so that they come again with a result that is remembered.
    """

    @wraps(execute)
    def execute_and_tell(cls: Any, *given: Any, **inputs: Any) -> io.NodeOutput:
        node_id = cls.hidden.unique_id
        said = _said[node_id] = []
        try:
            output = execute(cls, *given, **inputs)
        finally:
            del _said[node_id]
        shown = output.ui.as_dict() if hasattr(output.ui, "as_dict") else output.ui or {}
        # Without any as well: that takes back what the run before had said.
        output.ui = {**shown, "stylemix_messages": said}
        return output

    return execute_and_tell


def shows() -> dict[str, bool]:
    """Arguments for the `Schema` of a node that shows something and is no output: newer cores send that again when the
    node's result is remembered. `web/stylemix/messages.js` does it with older ones."""
    known = "has_intermediate_output" in signature(io.Schema).parameters
    return {"has_intermediate_output": True} if known else {}


def pictures(image: torch.Tensor) -> dict[str, Any]:
    """What shows an IMAGE on the node, in place of the last preview of its making; for `ui`.

    The first `SHOWN` pictures of a batch, as JPEG in ComfyUI's temporary folder.
    """
    return {"images": temporary_pictures(image[:SHOWN], SHOWN_SIDE)}


def picks(widget: str, picks: Sequence[Pick]) -> dict[str, Any]:
    """What parts of the sheet that a node shows stand for, and the widget of other nodes that takes it; for `ui`."""
    return {"stylemix_picks": [{"widget": widget, **pick.figures()} for pick in picks]}


def temporary_pictures(image: torch.Tensor, side: int) -> list[dict[str, str]]:
    """The pictures of an IMAGE as JPEG in ComfyUI's temporary folder, of `side` pixels at most; for `ui`."""
    prefix, folder = f"stylemix_{uuid4().hex[:8]}", folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    shown = []
    for number, picture in enumerate(image):
        name = f"{prefix}_{number:02}.jpg"
        thumbnail(picture, side).save(os.path.join(folder, name), quality=SHOWN_QUALITY)
        shown.append({"filename": name, "subfolder": "", "type": "temp"})
    return shown


def warn(node_id: str | None, message: str | None) -> None:
    """Tell the user, in the log and on the node. Without a message nothing happens."""
    if message is not None:
        logging.warning("StyleMix: %s", message)
        _said[node_id].append(["warning", message])


def warn_of_proportions(
    node_id: str | None, name: str, mask: torch.Tensor | None, pictures: tuple[int, int]
) -> None:
    """`warn` of a mask that is squeezed onto pictures of that height and width."""
    if mask is not None:
        warn(node_id, check_proportions(name, mask, pictures))


def tell(node_id: str | None, message: str) -> None:
    """Show a text on the node whose `execute` is `speaking`."""
    _said[node_id].append(["note", message])


def show_progress(node_id: str | None, text: str) -> None:
    """Show a text on the node as long as it runs; `web/stylemix/messages.js` listens."""
    from server import PromptServer  # not at import: the server imports the packs

    server = PromptServer.instance
    server.send_sync("stylemix_progress", {"node": node_id, "text": text}, server.client_id)


def busy() -> bool:
    """Whether a prompt runs or waits."""
    from server import PromptServer  # not at import: the server imports the packs

    remaining: int = PromptServer.instance.prompt_queue.get_tasks_remaining()
    return remaining > 0


def routes() -> Any:
    """The server's table of routes (aiohttp's), or None where nothing is served."""
    from server import PromptServer  # not at import: the server imports the packs

    return getattr(PromptServer.instance, "routes", None)
