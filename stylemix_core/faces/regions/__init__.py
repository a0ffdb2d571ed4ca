"""Where in a picture of a face hair, eyes, … and background are: soft masks by name (`find`).

The face mesh draws the face and its features (`mesh`). What lies around them is told apart in photographs by the person
network and colours (`photo`), in drawn faces by colours alone (`drawn`). Masks of the user's own replace all of this
(`given`).
"""

from .find import (
    REGIONS,
    SOURCES,
    Regions,
    described,
    faces_of,
    find_heads,
    find_regions,
    grow,
    soften,
    sureness,
)
from .given import GivenRegions, name_masks, regions_of
from .mesh import SIDE

__all__ = [
    "REGIONS",
    "SIDE",
    "SOURCES",
    "GivenRegions",
    "Regions",
    "described",
    "faces_of",
    "find_heads",
    "find_regions",
    "grow",
    "name_masks",
    "regions_of",
    "soften",
    "sureness",
]
