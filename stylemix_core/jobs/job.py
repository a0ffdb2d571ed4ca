"""A job: source, steps, sink, models. What a job file says, as dataclasses."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import StyleMixError
from .chain import STEPS, Step, check_chain
from .schema import Lines, Texts, build, ranged, read_text, read_yaml, unknown

KINDS = ("pictures", "tars", "parquet", "seeds", "codes")


@dataclass(frozen=True)
class Source:
    """What a job works on: one of five kinds."""

    pictures: Texts | None = None
    """Picture files, folders (with those inside them) and patterns such as photos/*.jpg."""
    tars: Texts | None = None
    """WebDataset shards, with pictures, or with W+ codes as .w.npy where there are no pictures."""
    parquet: Texts | None = None
    """Tables with pictures or paths of pictures in a column."""
    column: str = "image"
    seeds: str | None = None
    """As on the command line, but as many as one likes: 0-99999."""
    psi: float = ranged(0.7, -2, 2)
    cutoff: int | None = ranged(None, 0)
    class_label: int | None = ranged(None, 0)
    codes: Texts | None = None
    """Files of W+ codes and folders of them."""
    iteration: int = -1

    def __post_init__(self) -> None:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise StyleMixError(f"found {found}; give one of: {', '.join(KINDS)}")

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    def within(self, home: Path) -> "Source":
        """With paths that hold in any folder."""
        if self.kind == "seeds":
            return self
        paths: Any = tuple(os.path.abspath(home / path) for path in getattr(self, self.kind))
        return replace(self, **{self.kind: paths})


@dataclass(frozen=True)
class Sink:
    """Where results go, and as what."""

    folder: str
    format: Literal["tar", "files"] = "tar"
    """Each part as a WebDataset shard, or as a folder of files."""
    pictures: Literal["png", "jpg", "webp", "none"] = "png"
    quality: int = ranged(95, 1, 100)
    """Of jpg and webp."""
    codes: bool = True
    """Whether W+ codes are kept: .w.npy, float32 [num_ws, w_dim]."""
    index: Literal["jsonl", "parquet"] = "jsonl"


@dataclass(frozen=True)
class Models:
    """The networks, as on the command line."""

    generator: str | None = None
    encoder: str = "demo"
    tuning: str | None = None
    identity: str | None = None
    """ArcFace's weights, for reports."""
    device: str | None = None
    dtype: Literal["auto", "float32", "tf32", "float16", "bfloat16"] = "float32"
    compile: bool = False

    def within(self, home: Path) -> "Models":
        paths: dict[str, Any] = {}
        for name in ("generator", "encoder", "tuning", "identity"):
            path = getattr(self, name)
            paths[name] = path if path in (None, "demo") else os.path.abspath(home / path)
        return replace(self, **paths)


@dataclass(frozen=True)
class Job:
    """All that a job file says. `of` makes one."""

    source: Source
    steps: tuple[Step, ...]
    sink: Sink
    models: Models = Models()
    part: int = ranged(256, 1, 100_000)
    """Items that are written as one."""
    batch: int = ranged(8, 1, 1024)
    """Pictures that go through a network at a time."""

    @classmethod
    def of(cls, given: "Job | Mapping[str, Any] | str | os.PathLike[str]") -> "Job":
        """The job of a file, or of the same as a dictionary; paths are as seen from the file, or from where one is.

        `StyleMixError` names line and key of what is wrong.
        """
        if isinstance(given, Job):
            return given
        home = Path.cwd()
        if isinstance(given, Mapping):
            value: Any = given
            lines = Lines()
        else:
            path = Path(given)
            value, lines = read_yaml(read_text(path), path.name)
            home = path.absolute().parent
        if not isinstance(value, Mapping):
            raise lines.wrong((), "this is no job; expected source, steps and sink")
        if "steps" in value:
            value = {**value, "steps": read_steps(value["steps"], lines, home)}
        job = build(cls, value, lines, ())
        check_chain(job.source.kind, job.steps, job.sink.pictures != "none", lines)
        sink = replace(job.sink, folder=os.path.abspath(home / job.sink.folder))
        return replace(job, source=job.source.within(home), sink=sink, models=job.models.within(home))

    def described(self) -> dict[str, Any]:
        """The job as JSON has it, but for its folder; `of` makes it again."""
        told = {
            "source": {key: one for key, one in asdict(self.source).items() if one is not None},
            "steps": [{step.name: asdict(step)} for step in self.steps],
            "sink": {key: one for key, one in asdict(self.sink).items() if key != "folder"},
            "models": asdict(self.models),
            "part": self.part,
            "batch": self.batch,
        }
        plain: dict[str, Any] = json.loads(json.dumps(told))
        return plain


def read_steps(value: Any, lines: Lines, home: Path) -> tuple[Step, ...]:
    """The steps of the list in a file: each a name, or a name with options."""
    if not isinstance(value, list | tuple) or not value:
        raise lines.wrong(("steps",), f"expected a list of steps, of: {', '.join(STEPS)}")
    steps = []
    for place, one in enumerate(value):
        path = ("steps", place)
        if isinstance(one, str):
            one = {one: None}
        if not isinstance(one, Mapping) or len(one) != 1:
            raise lines.wrong(path, "expected one step, as in - encode or - inject: {masks: 4-5}")
        ((name, options),) = one.items()
        if name not in STEPS:
            raise lines.wrong((*path, name), unknown(name, STEPS).replace("key", "step"))
        steps.append(build(STEPS[name], options, lines, (*path, name)).within(home))
    return tuple(steps)
