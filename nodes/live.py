"""Pictures while a hand is still painting or sliding: what a node would give, without a run.

A run leaves its codes here under a name that nobody can guess; the page gets the name with the result, and asks for
pictures of other masks, strengths or frames by it. The generator is that which drew such codes last. Nothing is kept
longer than ComfyUI keeps the result, nothing is moved between memories, and nothing is drawn while a prompt runs.
"""

import asyncio
import secrets
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..stylemix_core.codes.latents import Latents, pick_latents
from ..stylemix_core.decoding import glimpse
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.files.pictures import lossless
from . import host
from .page import Refused, body_of, fields_of

SIDE = 256
"""Larger pictures are drawn by a smaller size inside the network, where it has one."""
BUSY = "a prompt runs; what it gives is seen then"
MOST = 2**64
"""Of a number: the highest seed."""


@dataclass(frozen=True, eq=False)
class Ran:
    """What a run of a node gave, and what it would give of other values."""

    source: Latents
    """The codes before, of which the first is shown."""
    values: Mapping[str, object]
    """The run's own, texts and numbers, which a page may wish otherwise."""
    change: Callable[..., Latents]
    """Called with the first code before, the generator's network and, by name, all values: the first code after.

    It must not hold what the run gave, which would be kept for ever. `StyleMixError` where values do not go.
    """

    def codes(self, values: Mapping[str, object] | None, network: Any) -> Latents:
        """The source, or what other values make of it. `Refused` for values that the node has not or cannot have;
        `StyleMixError` where they do not go."""
        if values is None:
            return self.source
        wished = dict(self.values)
        for name, value in values.items():
            kind: Any = type(self.values.get(name))
            fits = name in self.values and (type(value) is kind or (kind is float and type(value) is int))
            if not fits or (isinstance(value, float | int) and not abs(value) <= MOST):
                raise Refused(400, f"{name!r} cannot be that on this node")
            wished[name] = kind(value)
        return self.change(self.source.take([0]), network, **wished)


_ran: dict[str, Ran] = {}
_drawn_by: dict[str | None, tuple["weakref.ref[Any]", str]] = {}


def leave(given: Latents, ran: Ran) -> dict[str, list[str]]:
    """Keep what a run was made of for as long as ComfyUI keeps what it gave: the name of it, for `ui`."""
    name = secrets.token_urlsafe(16)
    _ran[name] = ran
    weakref.finalize(given, _ran.pop, name, None)
    return {"stylemix_live": [name]}


def faces(codes: Latents) -> dict[str, Any]:
    """Lets the page show any code of a batch; for `ui`. They are called frames, as those of a walk."""
    kept = replace(codes)  # the same codes, but not what ComfyUI keeps
    ran = Ran(kept, {"frame": 0}, lambda _, __, frame: pick_latents(kept, frame))
    return leave(codes, ran) | {"stylemix_frames": [len(codes)]}


def drew(generator: host.AnyModel, codes: Latents, noise_mode: str) -> None:
    """Take note of what draws codes for this generator, and how."""
    _drawn_by[codes.generator] = weakref.ref(generator), noise_mode


class Nothing(Exception):
    """Why there is nothing to see now, which is no fault of whoever asks."""


class Needed(Nothing):
    """What a user has to do before there can be anything to see; pages show it."""


@dataclass(frozen=True)
class Wish:
    """What a page wishes to see."""

    name: str
    """Of a run, as `leave` gave it."""
    values: dict[str, object] | None
    """Of the node; None for the source itself."""

    @classmethod
    def of(cls, body: bytes) -> "Wish":
        """From JSON. `Refused` where it is no wish."""
        return cls(**fields_of(body, name=str, values=dict | None))


def picture(wish: Wish) -> tuple[bytes, str, int]:
    """A file of it, its media type, and the larger side of a run's pictures. `Nothing` where it cannot be drawn."""
    ran = _ran.get(wish.name)
    if ran is None:
        raise Needed("this result is not in the server's memory any more; run the workflow")
    reference, noise_mode = _drawn_by.get(ran.source.generator, (lambda: None, "const"))
    generator = reference()
    if generator is None:
        raise Needed("nothing has drawn these codes yet; run the workflow with a StyleGAN2Decode")
    network = generator.network()
    try:
        image = glimpse(network, ran.codes(wish.values, network), noise_mode, SIDE)
    except StyleMixError as error:
        raise Nothing(str(error)) from None
    except RuntimeError:
        if host.busy():  # a prompt has begun, and ComfyUI moves the network
            raise Nothing(BUSY) from None
        raise
    return *lossless(image), network.img_resolution


class Desk:
    """Takes requests of pages: the newest wins, one is drawn at a time."""

    def __init__(self) -> None:
        self.newest = 0
        self.drawing = asyncio.Lock()

    async def answer(self, request: Any) -> Any:
        """`POST /stylemix/live` with a wish as JSON: the picture, or why there is none."""
        from aiohttp import web  # a server has it, a test without one need not

        try:
            made, kind, full = await self.serve(request)
        except Needed as needed:
            return web.json_response({"why": str(needed)})
        except Nothing as nothing:
            return web.json_response({"nothing": str(nothing)})
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        headers = {"Cache-Control": "no-store", "X-Full-Size": str(full)}
        return web.Response(body=made, content_type=kind, headers=headers)

    async def serve(self, request: Any) -> tuple[bytes, str, int]:
        """As `picture`. `Nothing` also while a prompt runs and where a newer wish came, `Refused` for what other
        sites send, what is too large and what is no wish."""
        wish = Wish.of(await body_of(request))
        self.newest += 1
        mine = self.newest
        async with self.drawing:
            if mine != self.newest:
                raise Nothing("a newer request came")
            if host.busy():
                raise Nothing(BUSY)
            return await asyncio.to_thread(picture, wish)
