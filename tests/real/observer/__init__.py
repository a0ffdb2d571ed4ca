"""A custom node pack without nodes: counts what StyleMix does on a ComfyUI server, makes memory short, and probes.

`POST /observer` starts anew. It takes the bytes that a pass may ask for, how many pictures make a pass, the seconds
between previews, and whether to probe every output of every node. `GET /observer` tells what happened since, and
what was asked for by `/free` and is not done.
"""

import importlib.util
import sys
import traceback
from functools import wraps
from pathlib import Path

import execution
from aiohttp import web
from comfy import model_management
from server import BinaryEventTypes, PromptServer

NODE_CLASS_MAPPINGS: dict[str, type] = {}

seen: dict[str, list] = {}
settings = {"memory": float("inf"), "probe": False}
originals: dict[str, object] = {}


spec = importlib.util.spec_from_file_location(
    "stylemix_probing", Path(__file__).resolve().parents[2] / "host" / "probing.py"
)
probing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(probing)


def start() -> None:
    """Look over the shoulder of everything that is counted. Done at the first request, when all packs are loaded."""
    host, originals["passes"] = (
        next(module for name, module in sys.modules.items() if name.endswith(f"/stylemix.nodes.{room}"))
        for room in ("host", "host.execution")
    )
    host.Model.read = noting("loads", host.Model.read, lambda model: str(model.source))
    model_management.load_models_gpu = noting(
        "passes", short_of_memory, lambda *_, memory_required=0, **__: memory_required
    )
    server = PromptServer.instance
    server.send_sync = noting("messages", server.send_sync, describe)
    originals["get_output_data"] = execution.get_output_data
    execution.get_output_data = probing_outputs


async def probing_outputs(prompt_id, unique_id, *arguments, **options):
    """Note for every output of a node what came of probing it: nothing, or an error."""
    answer = await originals["get_output_data"](prompt_id, unique_id, *arguments, **options)
    if settings["probe"]:
        for values in answer[0]:  # what each output gave for each item of a list
            error = None
            try:
                for value in values:
                    probing.probe(value)
            except Exception:
                error = traceback.format_exc()
            seen.setdefault("probes", []).append([unique_id, error])
    return answer


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
    if event == "stylemix_progress":
        return [event, data["node"], data["text"]]
    return [str(event)]


@PromptServer.instance.routes.post("/observer")
async def restart(request):
    if "passes" not in originals:
        start()
    given = await request.json()
    settings["memory"] = given.get("memory", float("inf"))
    settings["probe"] = given.get("probe", False)
    originals["passes"].CPU_BATCH = given.get("batch", 1)
    originals["passes"].PREVIEW_SECONDS = given.get("preview_seconds", 1.0)
    seen.clear()
    return web.json_response({})


@PromptServer.instance.routes.get("/observer")
async def report(request):
    return web.json_response({**seen, "asked": PromptServer.instance.prompt_queue.get_flags(reset=False)})
