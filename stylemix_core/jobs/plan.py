"""The list of what a job works on, kept in its folder and cut into parts."""

import json
import os
from pathlib import Path

from ..errors import StyleMixError
from ..files.writing import replacing
from .chain import wants_pictures
from .job import Job, Source
from .sources import Entry, Seeds, find_pictures, list_entries

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
        at = 0
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    self.starts.append(at)
                    at += len(line)
                # The last line says how many there are: a plan that is cut off is none.
                file.seek(self.starts.pop())
                self.count = int(json.loads(file.readline())["items"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise self._damaged(error) from None
        if len(self.starts) != self.parts or not self.count:
            raise self._damaged(f"it has {len(self.starts)} parts for {self.count} items")

    def _damaged(self, why: object) -> StyleMixError:
        return StyleMixError(f"{self.path} is damaged ({why}); give the job a new folder")

    @property
    def parts(self) -> int:
        return -(-self.count // self.size)

    def entries(self, part: int) -> list[tuple[int, Entry]]:
        """The numbers and entries of a part."""
        first = part * self.size
        if self.seeds is not None:
            entries = self.seeds[first : first + self.size]
        else:
            try:
                with open(self.path, "rb") as file:
                    file.seek(self.starts[part])
                    entries = json.loads(file.readline())
                if len(entries) != self.items_in(part):
                    raise ValueError(f"line {part + 1} has {len(entries)} items")
            except (ValueError, TypeError) as error:
                raise self._damaged(error) from None
        return list(enumerate(entries, first))

    def items_in(self, part: int) -> int:
        """How many items a part has."""
        return min(self.size, self.count - part * self.size)


def make_plan(folder: Path, job: Job) -> Plan:
    """The plan in a job's folder, which is made where there is none yet."""
    if job.source.kind != "seeds" and not (folder / FILE).exists():
        entries = list_entries(job.source, wants_pictures(job.steps))
        with replacing(folder / FILE) as partial, open(partial, "w", encoding="ascii", newline="\n") as file:
            for start in range(0, len(entries), job.part):
                # ASCII: names may be of any bytes.
                file.write(json.dumps(entries[start : start + job.part]) + "\n")
            file.write(json.dumps({"items": len(entries)}) + "\n")
            file.flush()
            os.fsync(file.fileno())
    return Plan(folder, job.source, job.part)


def grown(plan: Plan, source: Source) -> list[str]:
    """A sentence to warn with where pictures have come or gone since the plan was made."""
    if source.pictures is None:
        return []
    try:
        now = len(list(find_pictures(source.pictures)))
    except StyleMixError:  # all that was to do may be done
        return []
    if now == plan.count:
        return []
    return [
        f"the job was made when there were {plan.count} pictures, and now there are {now}: it keeps to those it began "
        "with; give a job of all a new folder"
    ]
