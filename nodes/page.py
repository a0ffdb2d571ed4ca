"""What the page may ask of the server beside prompts: read with care, since any page in a browser can send it."""

import json
from typing import Any
from urllib.parse import urlsplit

MOST_BYTES = 64 << 10
"""Of a request: far more than the longest mask list that a hand can paint."""


class Refused(Exception):
    """An HTTP status and why."""

    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status


async def body_of(request: Any) -> bytes:
    """What a page has sent. `Refused` for what other sites send, and for what is too large."""
    headers = request.headers
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if (
        site is None and origin is not None
    ):  # browsers leave the first out where a server is not on this machine
        site = "same-origin" if urlsplit(origin).netloc == headers.get("Host") else "cross-site"
    if site not in (None, "same-origin", "none"):
        raise Refused(403, "only ComfyUI's own page may ask")
    body = b""
    while len(body) <= MOST_BYTES and (part := await request.content.read(MOST_BYTES + 1 - len(body))):
        body += part  # it comes in pieces
    if len(body) > MOST_BYTES:
        raise Refused(413, f"a request has at most {MOST_BYTES} bytes")
    return body


def fields_of(body: bytes, **kinds: Any) -> dict[str, Any]:
    """The fields of a JSON object that has exactly these, each of its kind. `Refused` where it is another thing."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if (
        not isinstance(given, dict)
        or given.keys() != kinds.keys()
        or not all(isinstance(given[name], kind) for name, kind in kinds.items())
    ):
        raise Refused(400, f"expected a JSON object of {' and '.join(kinds)}")
    return given
