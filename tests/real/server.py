"""A real ComfyUI server with this pack, in a base folder of its own."""

import io
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from PIL import Image

from ..host import PACK, Prompt, Run
from .find import Core, find_python, find_serving_python

START_SECONDS, RUN_SECONDS = 180, 300
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.Persist": False,
    "Comfy.Minimap.Visible": False,
    "Comfy.Notification.ShowVersionUpdates": False,
    "Comfy.Locale": "en",
}


class RealComfy:
    """A `Host` over HTTP. Use as a context manager.

    core: the ComfyUI to run.
    memory: the flag that says how ComfyUI manages memory; empty for its default, which is the GPU where there is one.
    packs: folders of further custom nodes.
    """

    def __init__(
        self,
        core: Core | None,
        base: Path,
        arguments: tuple[str, ...] = (),
        settings: dict[str, Any] | None = None,
        memory: str = "--cpu",
        packs: tuple[Path, ...] = (),
    ):
        self.core, self.base, self.arguments = core, base, (*filter(None, [memory]), *arguments)
        for folder in ("models", "input", "output", "temp", "custom_nodes", "user/default"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        for name, pack in {"stylemix": PACK, **{pack.name: pack for pack in packs}}.items():
            link = base / "custom_nodes" / name
            if not link.exists():
                link.symlink_to(pack, target_is_directory=True)
        (base / "user/default/comfy.settings.json").write_text(json.dumps(SETTINGS | (settings or {})))
        self.log = base / "server.log"

    def __enter__(self) -> "RealComfy":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command(port)],
                cwd=self.folder,
                env=environment | {"PYTHONIOENCODING": "utf-8"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def command(self, port: int) -> list[Any]:
        """What starts the server."""
        folder = self.core.folder
        command = [find_python(folder), Path(__file__).with_name("launch.py"), folder]
        command += ["--listen", "127.0.0.1", "--port", port, "--base-directory", self.base]
        command += ["--disable-auto-launch", "--disable-api-nodes", "--database-url", "sqlite:///:memory:"]
        return [*command, *self.arguments]

    @property
    def folder(self) -> Path:
        """Where the server is started."""
        return self.base

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.get("/system_stats")
                break
            except (OSError, ValueError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"ComfyUI did not start:\n{self.log_text()[-3000:]}") from None
                time.sleep(0.2)
        failed = [
            line for line in self.log_text().splitlines() if "IMPORT FAILED" in line and "stylemix" in line
        ]
        if failed:
            raise RuntimeError(f"ComfyUI did not import the pack:\n{self.log_text()[-3000:]}")

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=60) as response:
            return json.load(response)

    def post(self, path: str, content: Any) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(content).encode(), method="POST")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                body = response.read()
        except urllib.error.HTTPError as error:
            if error.code != 400:
                raise
            body = error.read()
        return json.loads(body) if body else None

    def picture(self, filename: str, subfolder: str, type: str) -> Image.Image:
        query = urllib.parse.urlencode({"filename": filename, "subfolder": subfolder, "type": type})
        with urllib.request.urlopen(f"{self.url}/view?{query}", timeout=60) as response:
            return Image.open(io.BytesIO(response.read())).convert("RGB")

    def object_info(self) -> dict[str, Any]:
        return self.get("/object_info")

    def forget(self) -> None:
        self.free(free_memory=True)

    def free(self, **what: bool) -> None:
        """Do what `/free` asks for, before the next prompt. Needs the observer, who knows when it is noted."""
        self.post("/free", what)
        while self.get("/observer")["asked"]:
            time.sleep(0.02)

    def queue(self, prompt: Prompt) -> dict[str, Any]:
        """The server's answer: with `prompt_id`, or with `node_errors`."""
        return self.post("/prompt", {"prompt": prompt, "client_id": uuid.uuid4().hex})

    def wait(self, prompt_id: str) -> dict[str, Any]:
        """The finished prompt's entry in the history."""
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            if self.process.poll() is not None or "Exception in thread" in self.log_text():
                raise RuntimeError(f"ComfyUI or its queue ended:\n{self.log_text()[-3000:]}")
            time.sleep(0.05)
        raise RuntimeError(f"the prompt did not finish:\n{self.log_text()[-3000:]}")

    def run(self, prompt: Prompt) -> Run:
        answer = self.queue(prompt)
        if answer.get("node_errors"):
            return Run(
                errors={
                    node_id: "; ".join(f"{error['message']}: {error['details']}" for error in node["errors"])
                    for node_id, node in answer["node_errors"].items()
                }
            )
        entry = self.wait(answer["prompt_id"])
        run = Run(executed=set(prompt))
        for kind, details in entry["status"]["messages"]:
            if kind == "execution_error":
                run.errors[details["node_id"]] = details["exception_message"].rstrip("\n")
            elif kind == "execution_cached":
                run.executed -= set(details["nodes"])
        for node_id, output in entry["outputs"].items():
            run.shown[node_id] = output
            if "images" in output and not any(output.get("animated", [])):  # which are films
                run.pictures[node_id] = [self.picture(**image) for image in output["images"]]
            if "text" in output:
                run.texts[node_id] = output["text"][0]
        return run

    def memory(self) -> int:
        """Bytes of main memory that the server holds."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the server has ended")


class ServedStandIn(RealComfy):
    """The stand-in host, which needs no ComfyUI and so no core, with ComfyUI's own page."""

    def command(self, port: int) -> list[Any]:
        return [find_serving_python(), "-m", "tests.host.served", self.base, port]

    @property
    def folder(self) -> Path:
        return PACK
