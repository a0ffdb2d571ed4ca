"""Parts of a sheet that stand for something to use: a column for a layer, a row for a direction."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pick:
    """A part of a sheet, and what it stands for."""

    box: tuple[float, float, float, float]
    """Left, top, right and bottom, as parts of the sheet's width and height: 0…1."""
    value: str
    """A mask list, or a direction's name or number."""

    def figures(self) -> dict[str, Any]:
        """For JSON."""
        return {"box": [round(side, 4) for side in self.box], "value": self.value}
