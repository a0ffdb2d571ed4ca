"""Align Face and Paste Face Back, on the stand-in and on a real ComfyUI."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core.faces import find_faces

from ..builders import draw_avatars
from ..core.test_alignment import as_comfyui_finds
from .prompts import node
from .test_workflow import inputs_of

FACES = {"face": "largest", "face_index": 0, "margin": 0.0, "output_size": 128}
PASTE = {"feather": 0.1, "colour_match": "none"}


@pytest.fixture(scope="module")
def scene():
    """Two avatars: a small one on the left, a large one on the right."""
    picture = Image.new("RGB", (640, 400), (90, 120, 150))
    first, second = draw_avatars(2)
    picture.paste(first.resize((160, 160)), (40, 120))
    picture.paste(second, (340, 70))
    return picture


def levels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"), dtype=np.float64)


def tensor(*pictures: Image.Image) -> torch.Tensor:
    return torch.stack(
        [torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255) for picture in pictures]
    )


def prompt(name: str, **changes) -> dict:
    return {
        "load": node("LoadImage", image=name),
        "align": node("StyleMixAlignFace", image=["load", 0], **{**FACES, **changes}),
        "paste": node(
            "StyleMixPasteFace", image=["load", 0], face=["align", 0], transform=["align", 2], **PASTE
        ),
        "save input": node("SaveImage", images=["load", 0], filename_prefix="input"),
        "save face": node("SaveImage", images=["align", 0], filename_prefix="face"),
        "save preview": node("SaveImage", images=["align", 3], filename_prefix="preview"),
        "save result": node("SaveImage", images=["paste", 0], filename_prefix="result"),
    }


def test_a_picture_goes_there_and_back(host, scene):
    scene.save(host.base / "input" / "scene.png")
    run = host.run(prompt("scene.png"))
    assert not run.errors
    crop, transform = sm.align_face(scene, output_size=128)
    assert np.abs(levels(run.pictures["save face"][0]) - levels(crop)).max() <= 1.01
    (given,), (result,), (preview,) = (
        run.pictures[f"save {name}"] for name in ("input", "result", "preview")
    )
    assert result.size == preview.size == scene.size
    x, y = np.meshgrid(np.arange(640.0), np.arange(400.0))
    u, v = transform.to_crop(torch.from_numpy(x), torch.from_numpy(y))
    outside = torch.maximum((u - 0.5).abs(), (v - 0.5).abs()).numpy() > 0.5
    assert outside.any() and np.array_equal(levels(result)[outside], levels(given)[outside])
    assert np.abs(levels(result) - levels(given))[~outside].mean() < 4


def test_every_face_of_a_picture_is_found(host, scene):
    scene.save(host.base / "input" / "scene.png")
    run = host.run(prompt("scene.png", face="all"))
    assert not run.errors
    assert len(run.pictures["save face"]) == 2
    assert len(run.pictures["save result"]) == 1


def test_given_points_replace_the_search(host):
    Image.new("RGB", (200, 160), (10, 200, 30)).save(host.base / "input" / "plain.png")
    run = host.run(prompt("plain.png", points="80,60 120,60 85,100 115,100"))
    assert not run.errors
    assert np.abs(levels(run.pictures["save face"][0]) - (10, 200, 30)).max() <= 1.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "no face was found in the picture"),
        ({"points": "80,60 120,60"}, "expected eight numbers"),
        ({"points": "80,60 80,60 85,100 115,100"}, "on top of each other"),
        ({"output_size": 0}, "smaller than min"),
        ({"output_size": 100000}, "bigger than max"),
    ],
)
def test_what_cannot_be_aligned_is_refused(host, changes, message):
    Image.new("RGB", (200, 160), (10, 200, 30)).save(host.base / "input" / "plain.png")
    run = host.run(prompt("plain.png", **changes))
    assert message in run.errors["align"]


def test_a_face_index_that_is_not_there_is_refused(host, scene):
    scene.save(host.base / "input" / "scene.png")
    run = host.run(prompt("scene.png", face="index", face_index=2))
    assert "there is no face number 2 in the picture, which shows 2 faces" in run.errors["align"]


def test_an_index_chooses_from_the_left(stand_in, scene):
    for index in (0, 1):
        *_, (transform,), _ = stand_in.call(
            "StyleMixAlignFace", image=tensor(scene), **{**FACES, "face": "index", "face_index": index}
        )
        assert (transform.centre[0] < 320) is (index == 0)


def test_faces_that_comfyui_found_are_cropped_and_points_go_before_them(stand_in, scene):
    """On pictures in which our own search finds none: the faces come from the input."""
    plain = Image.new("RGB", scene.size, (10, 200, 30))
    given = as_comfyui_finds([plain, plain], find_faces([scene, scene]))
    options = {**FACES, "face": "all", "landmarks": given}
    face, _, transforms, _ = stand_in.call("StyleMixAlignFace", image=tensor(plain, plain), **options)
    assert face.shape == (4, 128, 128, 3)
    assert [transform.picture for transform in transforms] == [0, 0, 1, 1]
    assert transforms[0].centre[0] < 320 < transforms[1].centre[0]
    points = "80,60 120,60 85,100 115,100"
    *_, transforms, _ = stand_in.call(
        "StyleMixAlignFace", image=tensor(plain, plain), **options, points=points
    )
    assert len(transforms) == 2 and transforms[0].centre[1] < 100
    with pytest.raises(ValueError, match="of 2 pictures, but there are 1"):
        stand_in.call("StyleMixAlignFace", image=tensor(plain), **options)


def test_the_picture_of_a_batch_without_a_face_is_named(stand_in, scene):
    with pytest.raises(ValueError, match="picture 2 of 2"):
        stand_in.call("StyleMixAlignFace", image=tensor(scene, Image.new("RGB", scene.size)), **FACES)


def test_the_mask_is_white_where_the_crop_shows_the_picture(stand_in, scene):
    cut = scene.crop((420, 60, 640, 400))
    face, real_area, (transform,), preview = stand_in.call("StyleMixAlignFace", image=tensor(cut), **FACES)
    assert face.shape == (1, 128, 128, 3) and preview.shape == (1, 340, 220, 3)
    assert torch.equal(real_area[0], transform.real_area())
    assert set(real_area.unique().tolist()) == {0.0, 1.0}


def test_the_preview_marks_the_crop(stand_in, scene):
    *_, (transform,), preview = stand_in.call("StyleMixAlignFace", image=tensor(scene), **FACES)
    changed = (preview[0] - tensor(scene)[0]).abs().amax(2) > 0.1
    x, y = (round(value) for value in transform.quad[1])
    assert changed[y - 3 : y + 4, x - 3 : x + 4].any()
    assert 0.001 < float(changed.float().mean()) < 0.1


def test_a_huge_picture_has_a_small_preview(stand_in, scene):
    large = scene.resize((2560, 1600))
    *_, preview = stand_in.call("StyleMixAlignFace", image=tensor(large), **FACES)
    assert preview.shape == (1, 640, 1024, 3)


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_are_aligned(stand_in, scene, channels):
    image = tensor(scene)
    image = (
        image.mean(3, keepdim=True)
        if channels == 1
        else torch.cat([image, torch.ones_like(image[..., :1])], 3)
    )
    face, _, transform, _ = stand_in.call("StyleMixAlignFace", image=image, **FACES)
    assert face.shape == (1, 128, 128, 3)
    (result,) = stand_in.call("StyleMixPasteFace", image=image, face=face, transform=transform, **PASTE)
    assert result.shape == (1, 400, 640, max(channels, 3))


def test_nan_is_refused(stand_in, scene):
    image = tensor(scene)
    image[0, 5, 5] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        stand_in.call("StyleMixAlignFace", image=image, **FACES)
    face, _, transform, _ = stand_in.call("StyleMixAlignFace", image=tensor(scene), **FACES)
    with pytest.raises(ValueError, match="NaN"):
        stand_in.call(
            "StyleMixPasteFace", image=tensor(scene), face=face * math.nan, transform=transform, **PASTE
        )


def test_several_versions_make_several_pictures_and_a_mask_limits_them(stand_in, scene):
    image = tensor(scene)
    _, _, transform, _ = stand_in.call("StyleMixAlignFace", image=image, **FACES)
    mask = torch.zeros(1, 20, 20)
    mask[:, 8:12, 8:12] = 1
    faces = torch.tensor([0.0, 0.5, 1.0])[:, None, None, None].expand(3, 64, 64, 3)
    (result,) = stand_in.call(
        "StyleMixPasteFace", image=image, face=faces, transform=transform, mask=mask, **PASTE
    )
    x, y = (round(value) for value in transform[0].centre)
    assert result[:, y, x, 0].tolist() == pytest.approx([0, 0.5, 1], abs=1e-5)
    assert 0.001 < float((result[0] != image[0]).any(2).float().mean()) < 0.03


def test_pspencode_crops_by_itself_unless_told_not_to(host):
    """New nodes align; what is saved with a workflow stays."""
    _, options = inputs_of(host.object_info()["StyleMixEncode"])["align"]
    assert options["default"] == "auto"
    assert options["options"] == ["auto", "always", "never"]


def test_pspencode_crops_to_the_face(stand_in, scene):
    encoder, _ = stand_in.call("StyleMixLoadEncoder", checkpoint="tiny.safetensors", dtype="float32")
    image = tensor(scene)
    codes = {
        align: stand_in.call("StyleMixEncode", encoder=encoder, image=image, align=align)
        for align in ("never", "auto", "always")
    }
    crop, _ = sm.align_face(scene, output_size=64)
    aligned = codes["always"][1]
    assert (aligned - tensor(crop)).abs().max() < 1e-5
    assert torch.equal(codes["auto"][0].w, codes["always"][0].w)
    assert not torch.equal(codes["never"][0].w, codes["always"][0].w)
