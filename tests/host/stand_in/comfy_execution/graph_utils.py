class ExecutionBlocker:
    """An output that keeps nodes behind it from running."""

    def __init__(self, message: str | None) -> None:
        self.message = message
