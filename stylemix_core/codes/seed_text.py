"""Seeds as people write them: `0-3, 7`."""

import re

from ..errors import StyleMixError
from ..masks.grammar import OTHER_RANGE, RANGE_SIGN, plain

MAX_SEED = 2**64 - 1
"""As ComfyUI's nodes have them."""

_SEEDS = re.compile(rf"\s*(?P<first>[0-9]+)(?:\s*{RANGE_SIGN}\s*(?P<last>[0-9]+))?\s*")


def seed_ranges(text: str) -> list[range]:
    """The ranges of seeds in a text, in its order. `StyleMixError` shows what is none.

    >>> seed_ranges("0-3, 7")
    [range(0, 4), range(7, 8)]
    """
    ranges = []
    start = 0
    for part in plain(text).split(","):
        written, start = text[start : start + len(part)], start + len(part) + 1
        match = _SEEDS.fullmatch(part)
        if not match:
            found = _SEEDS.match(part)
            other = OTHER_RANGE.fullmatch(part.rstrip(), found.end("first")) if found else None
            hint = f"{found['first']:.40}-{other['last']:.40}" if found and other else "for instance 0-3,7"
            raise StyleMixError(f"{written!r} is no seed or range of seeds; write {hint}")
        # Forty digits are enough to be too many; Python refuses to read thousands.
        first, last = int(match["first"][:40]), int((match["last"] or match["first"])[:40])
        if last < first:
            raise StyleMixError(f"the range {first}-{last} runs backwards; write {last}-{first}")
        if last > MAX_SEED:
            raise StyleMixError(
                f"{written.strip():.80} is no seed; seeds are 0 to {MAX_SEED}; write for instance 0-3,7"
            )
        ranges.append(range(first, last + 1))
    return ranges
