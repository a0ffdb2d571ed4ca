"""What the page asks of the server: how many layers a checkpoint's model has and what they carry, live pictures,
and the gallery."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ..stylemix_core.checkpoints import inspect_checkpoint
from ..stylemix_core.demo.attributes import GROUPS
from ..stylemix_core.errors import StyleMixError
from . import gallery, host, live


def register() -> None:
    """Answer `GET /stylemix/inspect?folder=stylegan|psp&checkpoint=NAME`, `POST /stylemix/live`, and `GET` and `POST
    /stylemix/gallery`, where there is a server."""
    routes = host.routes()
    if routes is None:
        return

    async def answer(request: Any) -> Any:
        from aiohttp import web  # a server has it, a test without one need not

        # Reading a pickle's outline takes a second or two, which the server must not wait for.
        return web.json_response(await asyncio.to_thread(inspect, request.query))

    routes.get("/stylemix/inspect")(answer)
    routes.post("/stylemix/live")(live.Desk().answer)
    routes.get("/stylemix/gallery")(gallery.answer)
    routes.post("/stylemix/gallery")(gallery.answer)


def inspect(query: Mapping[str, str]) -> dict[str, Any]:
    """`num_ws`, `resolution` and `summary` of a checkpoint that the loaders offer, or `error` in words.

    `layers` has the first and last layer of what the demo models carry, by its name. Of StyleGAN3, `pixels` has those
    of every layer's maps, and `poses` is true.
    """
    folder, checkpoint = query.get("folder", ""), query.get("checkpoint", "")
    # Names from the list only: nothing else on the disk can be asked for.
    if folder not in host.EXTENSIONS or host.check_checkpoint(folder, checkpoint) is not True:
        return {
            "error": f"there is no checkpoint {checkpoint!r} in {folder!r}; choose one that a loader lists"
        }
    try:
        source, stamp = host.checkpoint_source(folder, checkpoint), host.checkpoint_stamp(folder, checkpoint)
        return _inspect(source, "encoder" if folder == host.ENCODERS else "generator", stamp)
    except (StyleMixError, OSError) as error:
        return {"error": str(error)}


@lru_cache(maxsize=256)
def _inspect(source: str, part: str, stamp: str) -> dict[str, Any]:
    info = inspect_checkpoint(source, part)
    answer: dict[str, Any] = {"num_ws": info.num_ws, "summary": info.summary()}
    if info.layer_resolutions is not None:
        answer |= {"pixels": info.layer_resolutions, "poses": True}
    if source == "demo":
        answer["layers"] = {group.name: [group.first_layer, group.last_layer] for group in GROUPS}
    return answer
