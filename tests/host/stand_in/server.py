from typing import Any


class PromptQueue:
    remaining = 0

    def get_tasks_remaining(self) -> int:
        return self.remaining


class PromptServer:
    instance: "PromptServer"
    client_id: str | None = None

    def __init__(self) -> None:
        self.prompt_queue = PromptQueue()
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send_sync(self, event: str, data: dict[str, Any], sid: str | None = None) -> None:
        self.sent.append((event, data))


PromptServer.instance = PromptServer()
