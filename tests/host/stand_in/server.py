class PromptServer:
    instance: "PromptServer | None" = None


PromptServer.instance = PromptServer()
