from . import model_management

updates: list[tuple[int, int]] = []
"""Every progress report: done, total."""


class ProgressBar:
    def __init__(self, total, node_id=None):
        self.total = total

    def update_absolute(self, value, total=None, preview=None):
        self.total = self.total if total is None else total
        model_management.throw_exception_if_processing_interrupted()
        updates.append((value, self.total))
