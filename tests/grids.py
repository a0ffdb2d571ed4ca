"""What tests of sheets share."""

from PIL import Image

from stylemix_core.figures.picks import Pick


def pixels_of(pick: Pick, sheet: Image.Image) -> tuple[int, ...]:
    """Left, top, right and bottom of a pick."""
    return tuple(round(part * side) for part, side in zip(pick.box, sheet.size * 2))
