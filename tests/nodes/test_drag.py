"""Drag Face on the hosts: what it gives and what it says."""

import numpy as np
import pytest

from .prompts import node, sampler
from .test_latent import TINY, generator_node

HERE, THERE = "0.5, 0.5 > 0.5, 0.5", "0.5, 0.5 > 0.7, 0.5"


def dragged(points: str, **others: object) -> dict:
    given = {
        "generator": ["generator", 0],
        "latent": ["faces", 1],
        "points": points,
        "mask_list": "0-3",
        "steps": 4,
    }
    return {
        "generator": generator_node(TINY),
        "faces": sampler(["generator", 0]),
        "drag": node("StyleMixDrag", **given | others),
        "save": node("SaveImage", images=["drag", 1], filename_prefix="drag"),
        "before": node("SaveImage", images=["faces", 0], filename_prefix="drag"),
    }


def test_points_move_and_are_reported(host):
    run = host.run(dragged(THERE))
    assert not run.errors
    (after,), (before,) = (np.asarray(run.pictures[each][0], dtype=int)[None] for each in ("save", "before"))
    assert np.abs(after - before).mean() > 1
    assert run.shown["drag"]["images"] and run.shown["drag"]["stylemix_live"]
    assert "0 of 1 point arrived in 4 steps" in run.shown["drag"]["stylemix_messages"][0][1]
    still = host.run(dragged(HERE))
    assert "1 of 1 point arrived in 0 steps" in still.shown["drag"]["stylemix_messages"][0][1]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"points": "nose > chin"}, "expected a point and where it shall go"),
        ({"points": ""}, "there is no point to drag"),
        ({"points": THERE, "mask_list": "0; 1"}, "one mask says which layers move"),
    ],
)
def test_a_mistake_is_explained(stand_in, inputs, message):
    run = stand_in.run(dragged(inputs.pop("points"), **inputs))
    assert message in run.errors["drag"]
