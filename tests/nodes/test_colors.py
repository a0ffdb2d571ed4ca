"""The page colours the sockets that the nodes have."""

import re

import pytest

from ..host import PACK

SCRIPT = (PACK / "web/stylemix/colors.js").read_text(encoding="utf-8")
COLORS = dict(re.findall(r'(STYLEMIX_\w+): "(#[0-9A-F]{6})"', SCRIPT))


def luminance(color: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def test_every_socket_of_the_pack_has_a_colour(stand_in):
    info = stand_in.object_info().values()
    sockets = {kind for node in info for group in node["input"].values() for kind, *_ in group.values()}
    sockets |= {kind for node in info for kind in node["output"]}
    assert {kind for kind in sockets if kind.startswith("STYLEMIX_")} == set(COLORS)
    assert len(set(COLORS.values())) == len(COLORS)


@pytest.mark.parametrize("background", ["#353535", "#FFFFFF"])
def test_colours_can_be_seen_on_dark_and_light_nodes(background):
    for color in COLORS.values():
        low, high = sorted((luminance(color), luminance(background)))
        assert (high + 0.05) / (low + 0.05) >= 3
