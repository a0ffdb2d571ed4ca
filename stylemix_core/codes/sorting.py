"""Faces sorted by hand into those that have something and those that have it not, and which one to ask of next."""

import re

import torch

from ..errors import StyleMixError
from .directions import Directions
from .latents import Latents

_CHOICE = re.compile(r"([+-])\s*([0-9]{1,6})")


def read_choices(text: str, count: int) -> tuple[list[int], list[int]]:
    """Places from 0 on of faces that have it and that have it not, of a text such as "+3 -1 +12", numbers from 1 on.

    A later choice of the same face replaces an earlier one. `StyleMixError` on anything else.

    >>> from stylemix_core.codes.sorting import read_choices
    >>> read_choices("+3 -1 +12", 24)
    ([2, 11], [0])
    """
    chosen: dict[int, bool] = {}
    for word in filter(None, re.split(r"[\s,;]+", text.strip())):
        found = _CHOICE.fullmatch(word)
        if not found or not 1 <= int(found[2]) <= count:
            raise StyleMixError(
                f"{word[:40]!r} is no choice; write +3 for the third face if it has it and -3 if it has it not, with "
                f"numbers from 1 to {count}"
            )
        chosen[int(found[2]) - 1] = found[1] == "+"
    return [place for place, has in chosen.items() if has], [
        place for place, has in chosen.items() if not has
    ]


def ask_next(
    faces: Latents, positive: list[int], negative: list[int], direction: Directions | None
) -> list[int]:
    """The places of faces that are not sorted yet, the one first that a choice tells most of.

    direction: what was learnt of those that are sorted: the one that it is least sure of comes first, that which lies
        nearest to the middle of both groups along it. Without a direction, their own order.
    """
    rest = [place for place in range(len(faces)) if place not in {*positive, *negative}]
    if direction is None:
        return rest
    along = torch.einsum("nld,ld->n", faces.w.float().cpu(), direction.vectors[0])
    middle = (along[positive].mean() + along[negative].mean()) / 2
    return sorted(rest, key=lambda place: abs(float(along[place] - middle)))
