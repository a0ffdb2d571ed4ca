"""Pictures while a hand is still painting: what InjectW+ would give, without a run.

A run of InjectW+ leaves its codes here under a name that nobody can guess; its page gets the name with the result, and
asks for pictures of other masks by it. The generator is that which drew such codes last. Nothing is kept longer than
ComfyUI keeps the result, nothing is moved between memories, and nothing is drawn while a prompt runs.
"""

import asyncio
import json
import secrets
import weakref
from dataclasses import dataclass
from typing import Any

from ..stylemix_core.codes.latents import Latents
from ..stylemix_core.decoding import glimpse
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.files.pictures import png_of
from ..stylemix_core.masks.mask_list import MaskText
from ..stylemix_core.mixing.inject import Injection
from . import host

SIDE = 256
"""Larger pictures are drawn by a smaller size inside the network, where it has one."""
BUSY = "a prompt runs; what it gives is seen then"
MOST_BYTES = 64 << 10
"""Of a request: far more than the longest mask list that a hand can paint."""


@dataclass(frozen=True, eq=False)
class Ran:
    """What a run of InjectW+ mixed, and how."""

    source: Latents
    style: Latents
    injection: Injection

    def codes(self, wish: "Wish", network: Any) -> Latents:
        """The source, or the first result of one mask of another list. `StyleMixError` where that cannot be read."""
        if wish.mask_list is None:
            return self.source
        masks = MaskText(wish.mask_list, float(wish.alpha), wish.seed).resolve(self.source.w.shape[1])
        if not 0 <= wish.row < len(masks.labels):
            raise StyleMixError(f"there is no mask {wish.row + 1}; the list has {len(masks.labels)}")
        pair = self.source.take([0]), self.style.take([0])
        injection = self.injection.alone(masks, wish.row)
        return injection.run(*pair, lambda count, forward: forward(network, slice(0, count))).codes


_ran: dict[str, Ran] = {}
_drawn_by: dict[str | None, tuple["weakref.ref[Any]", str]] = {}


def leave(injected: Latents, ran: Ran) -> str:
    """Keep what a run mixed for as long as ComfyUI keeps what it gave; under which name."""
    name = secrets.token_urlsafe(16)
    _ran[name] = ran
    weakref.finalize(injected, _ran.pop, name, None)
    return name


def drew(generator: host.AnyModel, codes: Latents, noise_mode: str) -> None:
    """Take note of what draws codes for this generator, and how."""
    _drawn_by[codes.generator] = weakref.ref(generator), noise_mode


class Nothing(Exception):
    """Why there is nothing to see now, which is no fault of whoever asks."""


class Refused(Exception):
    """An HTTP status and why."""

    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Wish:
    """What a page wishes to see."""

    name: str
    """Of a run, as `leave` gave it."""
    mask_list: str | None
    """The list that one mask is of; None for the source itself."""
    alpha: float = 1.0
    seed: int = 0
    row: int = 0
    """Which mask of the list."""

    @classmethod
    def of(cls, body: bytes) -> "Wish":
        """From JSON. `Refused` where it is no wish."""
        try:
            wish = cls(**json.loads(body))
        except (ValueError, TypeError, RecursionError):
            wish = None
        if (
            wish is None
            or not isinstance(wish.name, str)
            or not isinstance(wish.mask_list, str | None)
            or type(wish.alpha) not in (int, float)
            or type(wish.seed) is not int
            or type(wish.row) is not int
        ):
            raise Refused(400, "expected a JSON object of name, mask_list, alpha, seed and row")
        return wish


def picture(wish: Wish) -> tuple[bytes, int]:
    """A PNG of it, and the larger side of a run's pictures. `Nothing` where it cannot be drawn."""
    ran = _ran.get(wish.name)
    if ran is None:
        raise Nothing("this result is not in the server's memory any more; run the workflow")
    reference, noise_mode = _drawn_by.get(ran.source.generator, (lambda: None, "const"))
    generator = reference()
    if generator is None:
        raise Nothing("nothing has drawn these codes yet; run the workflow with a StyleGAN2Decode")
    network = generator.network()
    try:
        image = glimpse(network, ran.codes(wish, network), noise_mode, SIDE)
    except StyleMixError as error:
        raise Nothing(str(error)) from None
    except RuntimeError:
        if host.busy():  # a prompt has begun, and ComfyUI moves the network
            raise Nothing(BUSY) from None
        raise
    return png_of(image), network.img_resolution


class Desk:
    """Takes requests of pages: the newest wins, one is drawn at a time."""

    def __init__(self) -> None:
        self.newest = 0
        self.drawing = asyncio.Lock()

    async def answer(self, request: Any) -> Any:
        """`POST /stylemix/live` with a wish as JSON: the picture, or why there is none."""
        from aiohttp import web  # a server has it, a test without one need not

        try:
            made, full = await self.serve(request)
        except Nothing as nothing:
            return web.json_response({"nothing": str(nothing)})
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        headers = {"Cache-Control": "no-store", "X-Full-Size": str(full)}
        return web.Response(body=made, content_type="image/png", headers=headers)

    async def serve(self, request: Any) -> tuple[bytes, int]:
        """As `picture`. `Nothing` also while a prompt runs and where a newer wish came, `Refused` for what other
        sites send, what is too large and what is no wish."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "only ComfyUI's own page may ask")
        body = await request.content.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise Refused(413, f"a request has at most {MOST_BYTES} bytes")
        wish = Wish.of(body)
        self.newest += 1
        mine = self.newest
        async with self.drawing:
            if mine != self.newest:
                raise Nothing("a newer request came")
            if host.busy():
                raise Nothing(BUSY)
            return await asyncio.to_thread(picture, wish)
