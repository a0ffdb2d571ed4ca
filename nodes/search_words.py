"""Words that find a node."""

from inspect import signature

from comfy_api.v0_0_2 import io

KNOWN = "search_aliases" in signature(io.Schema).parameters
"""Whether this core has them. The page of cores without them searches names alone, so that some names hold the words
that a newcomer would type."""


def search_words(*words: str) -> dict[str, list[str]]:
    """Arguments for a `Schema`: words that a newcomer would type to find the node."""
    return {"search_aliases": list(words)} if KNOWN else {}
