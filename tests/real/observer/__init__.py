"""A custom node pack without nodes: counts what StyleMix does on a ComfyUI server, and makes memory short.

`POST /observer` starts anew. It takes the bytes that a pass may ask for, how many pictures make a pass, and the
seconds between previews. `GET /observer` tells what happened since.
"""

import sys
from functools import wraps

from aiohttp import web
from comfy import model_management
from server import BinaryEventTypes, PromptServer

NODE_CLASS_MAPPINGS: dict[str, type] = {}

seen: dict[str, list] = {}
settings = {"memory": float("inf")}
originals: dict[str, object] = {}


def start() -> None:
    """Look over the shoulder of everything that is counted. Done at the first request, when all packs are loaded."""
    load, host = (
        next(module for name, module in sys.modules.items() if name.endswith(f"/stylemix.nodes.{part}"))
        for part in ("load", "host")
    )
    originals["host"] = host
    load.load_generator = noting("loads", load.load_generator, lambda source, **_: str(source))
    model_management.load_models_gpu = noting(
        "passes", short_of_memory, lambda *_, memory_required=0, **__: memory_required
    )
    server = PromptServer.instance
    server.send_sync = noting("messages", server.send_sync, describe)


def noting(kind: str, function, note):
    @wraps(function)
    def noted(*arguments, **options):
        seen.setdefault(kind, []).append(note(*arguments, **options))
        return function(*arguments, **options)

    return noted


originals["load_models_gpu"] = model_management.load_models_gpu


def short_of_memory(*arguments, memory_required=0, **options):
    if memory_required > settings["memory"]:
        raise model_management.OOM_EXCEPTION("no memory left, says the test")
    return originals["load_models_gpu"](*arguments, memory_required=memory_required, **options)


def describe(event, data, sid=None):
    """Kind of a message to the page; progress as [done, total], a preview picture as its size."""
    if event == "progress":
        return ["progress", data["value"], data["max"]]
    if event == BinaryEventTypes.UNENCODED_PREVIEW_IMAGE:
        return ["preview", *data[1].size]
    return [str(event)]


@PromptServer.instance.routes.post("/observer")
async def restart(request):
    if "host" not in originals:
        start()
    given = await request.json()
    settings["memory"] = given.get("memory", float("inf"))
    originals["host"].CPU_BATCH = given.get("batch", 1)
    originals["host"].PREVIEW_SECONDS = given.get("preview_seconds", 1.0)
    seen.clear()
    return web.json_response({})


@PromptServer.instance.routes.get("/observer")
async def report(request):
    return web.json_response(seen)
