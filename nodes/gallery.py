"""The page's gallery of saved faces and directions: what lies in ComfyUI's folders, and with which picture.

Only files that Load W+ and Load Directions list are there, and only those of the output folder can be renamed or thrown
away. What is thrown away is moved, not deleted.
"""

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.files.names import file_name
from . import host
from .page import Refused, body_of, fields_of

PICTURE = ".png"
"""What Save W+ writes beside its file, of the same name."""

_moving = threading.Lock()
"""Held from finding a name free to taking it."""


def listed() -> list[dict[str, Any]]:
    """Every file: its `name` in its loader's list, its `kinds`, how the page asks for its `picture` if it has one,
    whether it is `bundled`, so that the page has one, and whether it may be `changed`. The newest come first, behind
    what is bundled."""
    kinds: dict[str, list[str]] = {}  # other tools' files may be both
    for kind, names in (("latent", host.latent_names()), ("directions", host.direction_names())):
        for name in names:
            kinds.setdefault(name, []).append(kind)
    dates = {}
    for name in kinds:
        try:
            dates[name] = os.stat(host.latent_path(name)).st_mtime
        except (OSError, StyleMixError):
            continue  # it vanished meanwhile
    return [
        {
            "name": name,
            "kinds": kinds[name],
            "picture": _picture_of(name),
            "bundled": name == host.BOB,
            "changed": name.endswith(host.OUTPUT),
        }
        for name in sorted(dates, key=lambda name: (name != host.BOB, -dates[name], name))
    ]


def rename(name: str, to: str) -> str:
    """Give a file of the output folder, and the picture beside it, another name in the same folder.

    Returns its name in the list. `StyleMixError` where it is none, or the name is taken.
    """
    with _moving:
        path, stem = _own(name), file_name(to.strip())
        target = path.with_stem(stem)
        if target.name != path.name:
            if any(new.exists() and not new.samefile(old) for old, new in _moves(path, target)):
                raise StyleMixError(f"there is already a file {stem}; choose another name")
            _move(path, target)
        return name.removesuffix(path.name + host.OUTPUT) + target.name + host.OUTPUT


def throw_away(name: str) -> None:
    """Move a file of the output folder, and the picture beside it, to what was thrown away before.

    `StyleMixError` where it is none.
    """
    with _moving:
        path, trash = _own(name), host.trash_folder()
        trash.mkdir(exist_ok=True)
        number, target = 1, trash / path.name
        while any(new.exists() for _, new in _moves(path, target)):
            number += 1
            target = trash / f"{path.stem}_{number}{path.suffix}"
        _move(path, target)


def _own(name: str) -> Path:
    """The file of the output folder that the gallery lists under a name."""
    listed = {*host.latent_names(), *host.direction_names()}
    if name not in listed or not name.endswith(host.OUTPUT):
        raise StyleMixError(f"{name} is no file of the output folder that the gallery lists")
    return Path(host.file_path(name))


def _picture_of(name: str) -> dict[str, str] | None:
    if name == host.BOB:
        return None  # the page has one
    relative = name.removesuffix(host.OUTPUT)
    beside = os.path.splitext(relative)[0] + PICTURE + name[len(relative) :]
    return host.page_file(beside) if host.check_file(beside) is True else None


def _moves(path: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """A file and the picture beside it, from where to where."""
    yield path, target
    if path.suffix != PICTURE and path.with_suffix(PICTURE).exists():
        yield path.with_suffix(PICTURE), target.with_suffix(PICTURE)


def _move(path: Path, target: Path) -> None:
    done: list[tuple[Path, Path]] = []
    for old, new in [*_moves(path, target)]:
        try:
            shutil.move(old, new)  # also to another disk
            done.append((old, new))
        except OSError:
            if old.exists() and new.exists() and not new.samefile(old):
                new.unlink()  # it was copied, and could not be taken away
            for before, after in done:
                shutil.move(after, before)
            raise


async def answer(request: Any) -> Any:
    """`GET /stylemix/gallery`, and `POST` with `{"name": …, "to": …}` as JSON: `files` as they are then, and the file's
    `name`, or `error`.

    to: a new name, or null to throw the file away.
    """
    from aiohttp import web  # a server has it, a test without one need not

    name = None
    try:
        if request.method == "POST":
            given = fields_of(await body_of(request), name=str, to=str | None)
            if given["to"] is None:
                await asyncio.to_thread(throw_away, given["name"])
            else:
                name = await asyncio.to_thread(rename, given["name"], given["to"])
        return web.json_response({"name": name, "files": await asyncio.to_thread(listed)})
    except Refused as refused:
        return web.json_response({"error": str(refused)}, status=refused.status)
    except (StyleMixError, OSError) as error:
        return web.json_response({"error": str(error)}, status=409)
