"""The list of what a job works on, kept in its folder and cut into parts."""

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ..errors import StyleMixError
from ..files.writing import replacing
from .job import Source
from .sources import Entry, Seeds, list_entries

FILE = "plan.jsonl"


class Plan:
    """Entries by parts. Those of seeds are computed, all others are lines of a file, of which each is a part."""

    def __init__(self, folder: Path, source: Source, size: int):
        self.size = size
        self.seeds = Seeds(str(source.seeds)) if source.kind == "seeds" else None
        self.path = folder / FILE
        self.starts: list[int] = []
        if self.seeds is not None:
            self.count = len(self.seeds)
            return
        at = last = 0
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    self.starts.append(at)
                    at, last = at + len(line), len(line)
                file.seek(at - last)
                rest = len(json.loads(file.readline()))
        except (OSError, ValueError) as error:
            raise StyleMixError(f"{self.path} is damaged ({error}); give the job a new folder") from None
        self.count = (len(self.starts) - 1) * size + rest

    @property
    def parts(self) -> int:
        return -(-self.count // self.size)

    def entries(self, part: int) -> list[tuple[int, Entry]]:
        """The numbers and entries of a part."""
        first = part * self.size
        if self.seeds is not None:
            entries = self.seeds[first : first + self.size]
        else:
            with open(self.path, "rb") as file:
                file.seek(self.starts[part])
                entries = json.loads(file.readline())
        return list(enumerate(entries, first))


def make_plan(folder: Path, source: Source, size: int) -> Plan:
    """The plan in a job's folder, which is made where there is none yet."""
    if source.kind != "seeds" and not (folder / FILE).exists():
        entries = iter(list_entries(source))
        with replacing(folder / FILE) as partial, open(partial, "w", encoding="ascii", newline="\n") as file:
            for part in batched(entries, size):
                file.write(json.dumps(part) + "\n")  # ASCII: names may be of any bytes
            file.flush()
            os.fsync(file.fileno())
    return Plan(folder, source, size)


def batched(entries: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    while part := list(islice(entries, size)):
        yield part
