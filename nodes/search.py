"""Words that find a node."""

from inspect import signature

from comfy_api.v0_0_2 import io

KNOWN = "search_aliases" in signature(io.Schema).parameters
"""Whether this core has them. Cores that do not search descriptions, which therefore name the main words too."""


def search_words(*words: str) -> dict[str, list[str]]:
    """Arguments for a `Schema`: words that a newcomer would type to find the node."""
    return {"search_aliases": list(words)} if KNOWN else {}
