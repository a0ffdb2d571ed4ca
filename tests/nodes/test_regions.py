"""Face Regions, on the stand-in and on a real ComfyUI."""

import numpy as np
import pytest
import torch

from stylemix_core.faces.regions import REGIONS, find_regions
from stylemix_core.faces.regions.parsing import FaceParsing
from stylemix_core.faces.regions.preview import paint_regions
from stylemix_core.images import from_comfy, to_comfy

from ..builders import draw_avatars
from .prompts import node


@pytest.fixture(scope="module")
def avatar():
    (picture,) = draw_avatars(1)
    return picture


def tensor(picture) -> torch.Tensor:
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)[None]


def prompt(source: str) -> dict:
    return {
        "load": node("LoadImage", image="avatar.png"),
        "regions": node("StyleMixFaceRegions", image=["load", 0], source=source),
        "save": node("SaveImage", images=["regions", 10], filename_prefix="regions"),
    }


@pytest.mark.parametrize("source", ["auto", "drawn"])
def test_the_preview_is_what_python_paints(host, avatar, source):
    avatar.save(host.base / "input" / "avatar.png")
    run = host.run(prompt(source))
    assert not run.errors
    picture = from_comfy(tensor(avatar))
    expected = to_comfy(paint_regions(picture, find_regions(picture, source=source)))[0].numpy() * 255
    assert np.abs(np.asarray(run.pictures["save"][0], dtype=float) - expected).max() <= 2


def test_a_file_that_is_not_there_is_asked_for(host, avatar):
    avatar.save(host.base / "input" / "avatar.png")
    run = host.run(prompt("face parsing file"))
    assert "there is no face parsing file; put parsing_bisenet.pth" in run.errors["regions"]


def test_masks_come_together_and_one_at_a_time(stand_in, avatar):
    masks, names, *single, preview, found_by = stand_in.call(
        "StyleMixFaceRegions", image=torch.cat([tensor(avatar)] * 2), source="auto"
    )
    assert names == ", ".join(REGIONS) and found_by.startswith("by ")
    assert masks.shape == (2 * len(REGIONS), *preview.shape[1:3]) and preview.shape[0] == 2
    assert (masks[: len(REGIONS)].sum(0) - 1).abs().max() < 1e-4
    for place, mask in enumerate(single):
        assert torch.equal(mask, masks[place :: len(REGIONS)])


def test_a_face_parsing_file_is_used_where_there_is_one(stand_in, avatar):
    path = stand_in.base / "models" / "facedetection" / "parsing_bisenet.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(FaceParsing().state_dict(), path)
    try:
        *_, found_by = stand_in.call("StyleMixFaceRegions", image=tensor(avatar), source="auto")
        assert found_by == "by parsing_bisenet.pth"
        *_, found_by = stand_in.call("StyleMixFaceRegions", image=tensor(avatar), source="drawn")
        assert found_by == "by colours"
    finally:
        path.unlink()
