class PromptServer:
    instance: "PromptServer | None" = None
