"""The stand-in host over HTTP: what ComfyUI's own page needs to open, change and run workflows with this pack.

`python -m tests.host.served BASE PORT`, in a Python that has aiohttp and ComfyUI's front end. Every answer has the
form that ComfyUI's server gives it; what the page asks for and does not need is a 404.
"""

import asyncio
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import comfyui_frontend_package
from aiohttp import WSMsgType, web

from . import PACK, Prompt, Run
from .runner import StandIn

NAME = "stylemix"
"""What the pack's folder is called in `custom_nodes`."""

FRONT_END = Path(comfyui_frontend_package.__file__).parent / "static"

EMPTY: dict[str, Any] = {
    "/embeddings": [],
    "/experiment/models": [],
    "/extensions": [
        f"/extensions/{NAME}/{file.relative_to(PACK / 'web')}" for file in PACK.glob("web/**/*.js")
    ],
    "/features": {},
    "/history": {},
    "/internal/folder_paths": {},
    "/internal/logs": "",
    "/queue": {"queue_running": [], "queue_pending": []},
    "/system_stats": {"system": {"comfyui_version": "stand-in", "argv": []}, "devices": []},
    "/userdata": [],
    "/users": {"storage": "server", "migrated": True},
    "/workflow_templates": {NAME: [file.stem for file in PACK.glob("example_workflows/*.json")]},
}
"""Answers that stay as they are."""


class Served:
    """Sockets and the prompts that they ask for, one after the other."""

    def __init__(self, base: Path, routes: web.RouteTableDef):
        self.host = StandIn(base)
        from server import PromptServer  # the stand-in's, which its host has put on the path

        PromptServer.instance.routes = routes
        self.host.module("nodes.routes").register()
        self.settings_file = base / "user/default/comfy.settings.json"
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.history: dict[str, Any] = {}
        self.running = asyncio.Lock()
        self.tasks: set[asyncio.Task] = set()
        for path, answer in EMPTY.items():
            routes.get(path)(answering(answer))
        routes.get("/i18n")(answering(translations()))
        routes.get("/ws")(self.talk)
        routes.get("/settings")(self.settings)
        routes.post("/settings/{id}")(self.set_setting)
        routes.get("/object_info")(self.object_info)
        routes.post("/prompt")(self.prompt)
        routes.get("/history/{id}")(self.past)
        routes.get("/view")(self.view)
        routes.post("/upload/image")(self.upload)

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sid = request.query.get("clientId") or uuid.uuid4().hex
        self.sockets[sid] = socket
        await self.tell(sid, "status", status={"exec_info": {"queue_remaining": 0}}, sid=sid)
        async for message in socket:
            if message.type == WSMsgType.ERROR:
                break
        del self.sockets[sid]
        return socket

    async def tell(self, client: str, kind: str, **data: Any) -> None:
        if client in self.sockets:
            await self.sockets[client].send_json({"type": kind, "data": data})

    async def settings(self, request: web.Request) -> web.Response:
        return web.json_response(json.loads(self.settings_file.read_text()))

    async def set_setting(self, request: web.Request) -> web.Response:
        kept = json.loads(self.settings_file.read_text())
        self.settings_file.write_text(json.dumps(kept | {request.match_info["id"]: await request.json()}))
        return web.Response()

    async def object_info(self, request: web.Request) -> web.Response:
        pack = {
            node_id: info | {"python_module": f"custom_nodes.{NAME}"}
            for node_id, info in self.host.object_info().items()
        }
        return web.json_response(pack | core_nodes(self.host.base))

    async def prompt(self, request: web.Request) -> web.Response:
        content = await request.json()
        prompt, client = content["prompt"], content.get("client_id", "")
        problems = {node_id: self.host.problem(prompt, node_id) for node_id in prompt}
        refused = {node_id: problem for node_id, problem in problems.items() if problem}
        # ComfyUI runs every output that it can.
        needed = [needs(prompt, node) for node in prompt if self.host.is_output(prompt[node]["class_type"])]
        sound = set().union(*(nodes for nodes in needed if not nodes & refused.keys()))
        if refused and not sound:
            return web.json_response(refusal(prompt, refused), status=400)
        prompt_id = uuid.uuid4().hex
        kept = {node: inputs for node, inputs in prompt.items() if node in sound}
        task = asyncio.create_task(self.run(kept, prompt_id, client))
        self.tasks.add(task)  # else it may be forgotten before it ends
        task.add_done_callback(self.tasks.discard)
        errors = node_errors(prompt, refused)
        return web.json_response({"prompt_id": prompt_id, "number": 1, "node_errors": errors})

    async def run(self, prompt: Prompt, prompt_id: str, client: str) -> None:
        async with self.running:
            await self.tell(client, "execution_start", prompt_id=prompt_id)
            run = await asyncio.to_thread(self.host.run, prompt)
            outputs = self.outputs(run)
            cached = [*prompt.keys() - run.executed] if not run.errors else []
            messages = [("execution_cached", {"nodes": cached})]
            messages += [
                ("executed", {"node": node, "display_node": node, "output": output})
                for node, output in outputs.items()
            ]
            messages += [
                ("execution_error", failure(prompt, node, text)) for node, text in run.errors.items()
            ] or [("execution_success", {})]
            self.history[prompt_id] = {
                "prompt": [1, prompt_id, prompt, {}, []],
                "outputs": outputs,
                "status": {"messages": messages},
            }
            for kind, data in messages:
                await self.tell(client, kind, prompt_id=prompt_id, **data)
            await self.tell(client, "executing", node=None, prompt_id=prompt_id)
            await self.tell(client, "status", status={"exec_info": {"queue_remaining": 0}})

    def outputs(self, run: Run) -> dict[str, Any]:
        """What each node shows, pictures by the names of their files."""
        outputs: dict[str, Any] = {node_id: dict(shown) for node_id, shown in run.shown.items()}
        for node_id, pictures in run.pictures.items():
            output = outputs.setdefault(node_id, {})
            if not isinstance(output.get("images"), list):  # else the node has saved them itself
                output["images"] = [self.keep(picture) for picture in pictures]
        for node_id, text in run.texts.items():
            outputs[node_id] = {"text": [text]}
        return outputs

    def keep(self, picture: Any) -> dict[str, str]:
        name = f"{uuid.uuid4().hex}.png"
        (self.host.base / "temp").mkdir(exist_ok=True)
        picture.save(self.host.base / "temp" / name)
        return {"filename": name, "subfolder": "", "type": "temp"}

    async def past(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["id"]
        known = self.history.get(prompt_id)
        return web.json_response({prompt_id: known} if known else {})

    async def view(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        file = self.host.base / query["type"] / query.get("subfolder", "") / Path(query["filename"]).name
        return web.FileResponse(file) if file.is_file() else web.Response(status=404)

    async def upload(self, request: web.Request) -> web.Response:
        file = (await request.post())["image"]
        (self.host.base / "input" / Path(file.filename).name).write_bytes(file.file.read())
        return web.json_response({"name": file.filename, "subfolder": "", "type": "input"})


def answering(answer: Any) -> Any:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(answer)

    return handler


def translations() -> dict[str, Any]:
    """The pack's words by language, as ComfyUI joins them."""

    def read(file: Path) -> Any:
        return json.loads(file.read_text(encoding="utf-8"))

    return {
        folder.name: read(folder / "main.json") | {"nodeDefs": read(folder / "nodeDefs.json")}
        for folder in PACK.glob("locales/*")
    }


def core_nodes(base: Path) -> dict[str, Any]:
    """ComfyUI's own nodes that the stand-in runs, as the page needs them described."""
    pictures = sorted(file.name for file in (base / "input").iterdir())

    def node(name: str, inputs: dict[str, Any], outputs: list[str]) -> dict[str, Any]:
        return {
            "input": {"required": inputs},
            "input_order": {"required": list(inputs)},
            "output": outputs,
            "output_is_list": [False] * len(outputs),
            "output_name": outputs,
            "name": name,
            "display_name": name,
            "description": "",
            "python_module": "nodes",
            "category": "image",
            "output_node": not outputs,
        }

    images = {"images": ["IMAGE"]}
    prefix = {"filename_prefix": ["STRING", {"default": "ComfyUI"}]}
    return {
        "LoadImage": node("LoadImage", {"image": [pictures, {"image_upload": True}]}, ["IMAGE", "MASK"]),
        "PreviewAny": node("PreviewAny", {"source": ["*"]}, []),
        "PreviewImage": node("PreviewImage", images, []),
        "SaveImage": node("SaveImage", images | prefix, []),
    }


def needs(prompt: Prompt, node_id: str) -> set[str]:
    """A node and all nodes before it."""
    before = [value[0] for value in prompt[node_id]["inputs"].values() if isinstance(value, list)]
    return {node_id}.union(*(needs(prompt, each) for each in before))


def node_errors(prompt: Prompt, problems: dict[str, str]) -> dict[str, Any]:
    """Why nodes are not run."""
    kinds = {"Custom validation failed for node": "custom_validation_failed"}
    errors = {}
    for node_id, text in problems.items():
        message, _, details = text.partition(": ")
        error = {"type": kinds.get(message, "refused"), "message": message, "details": details}
        errors[node_id] = {
            "class_type": prompt[node_id]["class_type"],
            "dependent_outputs": [],
            "errors": [error | {"extra_info": {}}],
        }
    return errors


def refusal(prompt: Prompt, problems: dict[str, str]) -> dict[str, Any]:
    """Why a prompt is not run."""
    summary = {
        "type": "prompt_outputs_failed_validation",
        "message": "Prompt outputs failed validation",
        "details": "",
        "extra_info": {},
    }
    return {"error": summary, "node_errors": node_errors(prompt, problems)}


def failure(prompt: Prompt, node_id: str, text: str) -> dict[str, Any]:
    return {
        "node_id": node_id,
        "node_type": prompt[node_id]["class_type"],
        "executed": [],
        "exception_message": text,
        "exception_type": "Exception",
        "traceback": [],
        "current_inputs": {},
        "current_outputs": [],
    }


def main(base: Path, port: int) -> None:
    routes = web.RouteTableDef()
    Served(base, routes)
    app = web.Application()
    for route in routes:
        for prefix in ("", "/api"):
            app.router.add_route(route.method, prefix + route.path, route.handler)
    app.router.add_static(f"/extensions/{NAME}", PACK / "web")
    app.router.add_get("/", index)
    app.router.add_static("/", FRONT_END)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


async def index(request: web.Request) -> web.FileResponse:
    return web.FileResponse(FRONT_END / "index.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
