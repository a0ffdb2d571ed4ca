"""What a verb writes into `--out`, beside what lies there already."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch

from ..codes.latents import Latents, save_latents
from ..errors import CheckpointError
from ..files.header import read_header
from ..files.pictures import save_image
from ..files.writing import other_names, replacing
from ..motion.film import Film
from .options import Output
from .paths import LATENTS
from .run import Run

BLOCK = 1 << 20
"""Bytes compared at a time."""


class Results:
    """The files of one run. Each appears complete or not at all.

    Where another file has the name, it is kept and the run's gets a number; a file with the same content is left as it
    is. With --overwrite the other one is replaced.
    """

    def __init__(self, output: Output, run: Run):
        self.folder = output.out
        self.overwrite = output.overwrite
        self.run = run
        self.written: set[Path] = set()
        self.renamed: list[tuple[Path, Path]] = []
        """The names that others had, and the names taken instead."""

    def latents(self, name: str, latents: Latents) -> Path:
        """Write W+ codes; returns where."""
        return self.file(self.folder / f"{name}{LATENTS}", lambda path: save_latents(path, latents))

    def picture(self, name: str, picture: torch.Tensor) -> Path:
        """Write a picture `[C, H, W]` in −1…1; returns where."""
        return self.file(self.folder / f"{name}.png", lambda path: save_image(path, picture))

    def pictures(self, folder: str, pictures: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Write pictures by their names into a folder, one after the other."""
        for name, picture in pictures:
            self.picture(f"{folder}/{name}" if folder else name, picture)

    def text(self, name: str, text: str, same: Callable[[Path, Path], bool] | None = None) -> Path:
        """Write a text, such as "table.txt"; returns where. same: as for `file`."""

        def save(path: Path) -> None:
            with replacing(path) as partial:
                partial.write_text(f"{text}\n", encoding="utf-8", newline="\n")

        return self.file(self.folder / name, save, same)

    def file(
        self, path: Path, save: Callable[[Path], object], same: Callable[[Path, Path], bool] | None = None
    ) -> Path:
        """Write a file by `save`, which makes it complete or not at all; returns where.

        same: whether two files have the same content; None for `alike`.
        """
        if not path.exists() or (self.overwrite and path not in self.written):
            save(path)
            self.written.add(path)
            return path
        draft = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")
        names = chain([path], other_names(path))
        try:
            save(draft)
            free = next(place for place in names if not place.exists() or (same or alike)(draft, place))
            if not free.exists():
                os.replace(draft, free)
                self.written.add(free)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        if free != path:
            self.renamed.append((path, free))
        return free

    def film(self, film: Film) -> Film:
        """The film under a name that no other file has, or under that of an earlier run that was stopped in it."""
        if (begun := film.begun()) is not None:
            return begun
        if self.overwrite:
            film.clear()
        names = chain([film.path], other_names(film.path))
        free = next(name for name in names if self.overwrite or not name.exists())
        if free != film.path:
            self.renamed.append((film.path, free))
        return replace(film, path=free)

    def tell(self) -> None:
        """Warn of all names that were taken."""
        if not self.renamed:
            return
        path, free = self.renamed[0]
        kept = f"{path} was there already and is kept; this run's is {free.name} (--overwrite replaces it)"
        if len(self.renamed) > 1:
            kept = (
                f"{len(self.renamed)} files in {self.folder} were there already and are kept; this run's have other "
                f"names, such as {free.name} for {path.name} (--overwrite replaces them)"
            )
        self.run.warn({kept})


def alike(one: Path, other: Path) -> bool:
    """Whether two files hold the same. The metadata of safetensors may stand in any order."""
    try:
        with open(one, "rb") as ours, open(other, "rb") as theirs:
            if one.suffix == LATENTS and read_header(ours) != read_header(theirs):
                return False
            while block := ours.read(BLOCK):
                if block != theirs.read(BLOCK):
                    return False
            return not theirs.read(1)
    except (OSError, CheckpointError):  # the other one is damaged, or none that can be read
        return False
