class PromptServer:
    instance: "PromptServer | None" = None

    def __init__(self):
        self.messages: list[tuple[str, str]] = []
        """Node and text of every message shown on a node."""

    def send_progress_text(self, text, node_id, sid=None):
        self.messages.append((node_id, text))


PromptServer.instance = PromptServer()
