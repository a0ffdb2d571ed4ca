"""What other tools' files of codes and directions are, for people."""

from contextlib import suppress
from pathlib import Path

from ..errors import StyleMixError
from ..files.damage import about
from ..files.source import Source
from .foreign import is_foreign
from .foreign_codes import describe_codes
from .foreign_directions import describe_directions


def describe_foreign(path: Path) -> str | None:
    """What a file of another tool holds, and what it can be used as; None where there are no codes and no directions.

    A few arrays can be both: nothing in them says which.
    """
    readings = []
    with suppress(StyleMixError), about(path):
        source = Source(path)
        if is_foreign(source):
            for describe in (describe_codes, describe_directions):
                with suppress(StyleMixError), about(path):
                    readings.append(describe(source))
    if not readings:
        return None
    return f"{'; or '.join(readings)}. Written by another tool, for a generator that the file does not name."
