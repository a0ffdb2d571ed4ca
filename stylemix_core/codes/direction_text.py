"""How directions are named in writing, read without tensors."""

import re

from ..errors import StyleMixError
from ..masks.grammar import plain

_LINE = re.compile(r"(-?)\s*([0-9]{1,9})\s*:\s*(\S.*)")


def read_names(text: str) -> dict[int, str]:
    """Names by number, of lines such as "3: smile", or "-3: smile" to turn the direction around.

    `StyleMixError` on other lines.
    """
    names = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        found = _LINE.fullmatch(plain(line))
        if not found or not int(found[2]):
            raise StyleMixError(
                f"{line[:60]!r} names no direction; write its number and its name, as in 1: smile"
            )
        names[-int(found[2]) if found[1] else int(found[2])] = line[found.start(3) :]
    return names
