from . import model_management

updates: list[tuple[int, int]] = []
"""Every progress report: done, total."""
previews: list[tuple[str, object, int | None]] = []
"""Every picture shown meanwhile: format, picture, largest side."""


class ProgressBar:
    def __init__(self, total, node_id=None) -> None:
        self.total = total

    def update_absolute(self, value, total=None, preview=None) -> None:
        self.total = self.total if total is None else total
        model_management.throw_exception_if_processing_interrupted()
        updates.append((value, self.total))
        if preview is not None:
            previews.append(preview)
