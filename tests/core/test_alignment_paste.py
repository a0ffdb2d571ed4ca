"""Putting faces back."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

import stylemix_core as sm
from stylemix_core.demo.renderer import render, sample_attributes
from stylemix_core.faces import align_faces, align_pictures
from stylemix_core.faces.crop import crop_face
from stylemix_core.faces.paste import paste_faces
from stylemix_core.images import to_comfy, to_pil

from ..builders import draw_avatars, paste_avatar

POINTS = {
    "eye_left": (150, 145),
    "eye_right": (210, 135),
    "mouth_left": (165, 210),
    "mouth_right": (215, 203),
}


@pytest.fixture(scope="module")
def picture():
    """Smooth, so that sampling twice loses little."""
    grid = np.random.RandomState(0).randint(60, 200, (6, 8, 3)).astype(np.uint8)
    return Image.fromarray(grid).resize((400, 300), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def aligned(picture):
    return sm.align_face(picture, POINTS, 256)


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.float64)


def inside(transform, margin: float = 0.0) -> np.ndarray:
    """Which pixels of the picture lie in the crop, `margin` of its side away from its edge."""
    width, height = transform.picture_size
    u, v = transform.to_crop(torch.arange(width)[None].double(), torch.arange(height)[:, None].double())
    return (torch.maximum((u - 0.5).abs(), (v - 0.5).abs()) <= 0.5 - margin).numpy()


@pytest.mark.parametrize("size", [128, 256, 700])
def test_an_unchanged_face_leaves_the_picture_as_it_was(picture, size):
    crop, transform = sm.align_face(picture, POINTS, size)
    result = sm.paste_face(picture, crop, transform)
    assert result.size == picture.size
    assert np.abs(levels(result) - levels(picture)).max() <= 4
    assert np.abs(levels(result) - levels(picture))[inside(transform)].mean() < 0.7


@pytest.mark.parametrize("feather", [0, 0.1, 0.5])
def test_nothing_changes_outside_the_crop(picture, aligned, feather):
    crop, transform = aligned
    result = sm.paste_face(picture, Image.new("RGB", crop.size, "red"), transform, feather, None, "none")
    outside = ~inside(transform)
    assert outside.mean() > 0.2
    assert np.array_equal(levels(result)[outside], levels(picture)[outside])
    middle = inside(transform, 0.48)
    assert middle.any() and np.abs(levels(result)[middle] - (255, 0, 0)).max() <= 1


def test_the_edge_is_as_soft_as_asked_for(picture, aligned):
    crop, transform = aligned
    red = Image.new("RGB", crop.size, "red")
    for feather in (0.05, 0.3):
        pure = (
            np.abs(levels(sm.paste_face(picture, red, transform, feather, None, "none")) - (255, 0, 0)).max(2)
            < 0.5
        )
        assert np.array_equal(pure & inside(transform, feather + 0.01), inside(transform, feather + 0.01))
        assert not (pure & ~inside(transform, 0.7 * feather)).any()


def test_the_place_is_exact():
    """A dot painted on the crop appears where the transform says."""
    picture, _ = paste_avatar(draw_avatars(1)[0], (700, 600), (380, 300), 1.2, 20)
    crop, transform = sm.align_face(picture)
    face = crop.copy()
    face.paste((0, 255, 0), (100, 140, 108, 148))
    change = np.abs(
        levels(sm.paste_face(picture, face, transform)) - levels(sm.paste_face(picture, crop, transform))
    )
    weight = change.sum(2)
    y, x = (float((weight * axis).sum() / weight.sum()) for axis in np.mgrid[0:600, 0:700])
    expected = transform.to_picture(torch.tensor(104 / 256), torch.tensor(144 / 256))
    assert x == pytest.approx(float(expected[0]), abs=0.6)
    assert y == pytest.approx(float(expected[1]), abs=0.6)


def test_a_mask_limits_where_the_face_is_pasted(picture, aligned):
    crop, transform = aligned
    mask = torch.zeros(50, 50)
    mask[:, :25] = 1  # of another size than the crop
    result = sm.paste_face(picture, Image.new("RGB", crop.size, "red"), transform, 0.05, mask)
    changed = np.abs(levels(result) - levels(picture)).max(2) > 0
    u, _ = transform.to_crop(torch.arange(400)[None].double(), torch.arange(300)[:, None].double())
    assert not changed[u.numpy() > 0.55].any()
    assert changed[inside(transform, 0.1) & (u.numpy() < 0.45)].all()


@pytest.mark.parametrize("match", ["seam", "whole"])
def test_colours_can_be_matched(picture, aligned, match):
    crop, transform = aligned
    darker = Image.fromarray((levels(crop) - (40, 20, 30)).clip(0, 255).astype(np.uint8))
    plain, matched = (
        sm.paste_face(picture, darker, transform, 0.1, None, choice) for choice in ("none", match)
    )
    errors = [
        np.abs(levels(result) - levels(picture))[inside(transform)].mean() for result in (plain, matched)
    ]
    assert errors[0] > 15 and errors[1] < 2


def test_a_match_along_the_seam_keeps_a_change_in_the_middle(picture, aligned):
    crop, transform = aligned
    face = crop.copy()
    face.paste((255, 0, 0), (90, 90, 166, 166))
    result = sm.paste_face(picture, face, transform, 0.1, None, "seam")
    middle = inside(transform, 0.4)
    assert np.abs(levels(result)[middle] - (255, 0, 0)).max() < 6


@pytest.fixture(scope="module")
def changed():
    """A picture with a face, its transform, and the crop with hair of another colour and another background."""
    avatar = render(sample_attributes(1, torch.Generator().manual_seed(6)), 256)

    def placed(shown: torch.Tensor) -> Image.Image:
        return paste_avatar(to_pil(shown), (520, 480), (250, 240), 1.3, 8)[0]

    picture = placed(avatar.image[0])
    crop, transform = sm.align_face(picture)
    hair, background = (
        levels(crop_face(placed(avatar.regions[name] * 2 - 1), transform))[..., 0] > 128
        for name in ("hair", "background")
    )
    face = levels(crop)
    face[hair] = (200, 60, 30)
    face[background] += (25, -30, 40)
    return picture, crop, transform, Image.fromarray(face.clip(0, 255).astype(np.uint8)), hair, background


def put_back(changed, colour_match, blend, feather=0.1):
    """The result's crop, and how far every pixel of the whole picture has moved."""
    picture, _, transform, face, *_ = changed
    result = sm.paste_face(picture, face, transform, feather, None, colour_match, blend)
    return levels(crop_face(result, transform)), np.abs(levels(result) - levels(picture)).max(2)


def test_a_head_goes_back_without_the_background_around_it(changed):
    _, crop, transform, face, hair, background = changed
    shown, moved = put_back(changed, "none", "head")
    square, moved_square = put_back(changed, "none", "square")
    assert np.abs(shown - levels(face))[hair].mean() < 5
    near = np.asarray(Image.fromarray(~background).filter(ImageFilter.MaxFilter(41)))
    away = ~near.astype(bool)
    assert away.mean() > 0.05
    assert np.abs(shown - levels(crop))[away].max() == 0
    assert np.abs(square - levels(crop))[away].mean() > 5
    assert not moved[~inside(transform)].any()
    assert (moved > 0).sum() < 0.8 * (moved_square > 0).sum()


def test_colours_along_the_seam_leave_the_head_its_own_and_fit_what_shows_around_it(changed):
    _, crop, _, face, hair, background = changed
    results = {match: put_back(changed, match, "head")[0] for match in ("none", "seam", "whole")}
    off = {match: np.abs(shown - levels(crop))[background].mean() for match, shown in results.items()}
    kept = {match: np.abs(shown - levels(face))[hair].mean() for match, shown in results.items()}
    assert off["seam"] < 0.5 * off["none"]
    assert kept["seam"] < 5 < kept["whole"]


def test_what_shows_no_head_goes_back_as_a_square(changed):
    picture, crop, transform, *_ = changed
    plain = Image.new("RGB", crop.size, (90, 200, 90))
    results = [
        sm.paste_face(picture, plain, transform, 0.1, None, "seam", blend) for blend in ("head", "square")
    ]
    assert results[0].tobytes() == results[1].tobytes()


def test_a_mask_goes_before_the_blend(changed):
    picture, _, transform, face, *_ = changed
    mask = torch.zeros(40, 40)
    mask[:8, :8] = 1  # background
    results = [
        sm.paste_face(picture, face, transform, 0, mask[shape], "none", blend)
        for blend in ("head", "square")
        for shape in (..., None, (None, None))
    ]
    assert len({result.tobytes() for result in results}) == 1
    assert results[0].tobytes() != picture.tobytes()


def test_a_face_at_the_border_goes_back_without_its_padding(picture):
    points = {name: (x - 120, y - 115) for name, (x, y) in POINTS.items()}
    crop, transform = sm.align_face(picture, points, 256)
    assert transform.real_area().mean() < 0.8
    result = sm.paste_face(picture, crop, transform)
    assert np.abs(levels(result) - levels(picture)).max() <= 6


def test_batches_keep_untouched_numbers_exactly():
    pictures = torch.rand(2, 300, 400, 3, generator=torch.Generator().manual_seed(0))
    faces = align_pictures([Image.new("RGB", (400, 300))] * 2, POINTS, 64)
    transforms = [aligned.transform for aligned in faces]
    result = paste_faces(pictures, torch.zeros(2, 64, 64, 3), transforms, colour_match="none")
    outside = ~torch.from_numpy(inside(transforms[0]))
    assert torch.equal(result[:, outside], pictures[:, outside])
    assert float(result[0, 160, 190].max()) == 0


def test_several_versions_of_a_face_give_several_pictures():
    pictures = torch.full((2, 300, 400, 3), 0.5)
    faces = align_pictures([Image.new("RGB", (400, 300))] * 2, POINTS, 64)
    values = torch.tensor([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])  # three versions of each of two faces
    shown = values[:, None, None, None].expand(6, 32, 32, 3)
    result = paste_faces(pictures, shown, [a.transform for a in faces], colour_match="none")
    assert len(result) == 6
    assert torch.allclose(result[:, 160, 190, 0], values, atol=1e-6)


def test_all_faces_of_a_picture_go_back_into_it():
    avatars = draw_avatars(2)
    scene = Image.new("RGB", (700, 400), (90, 120, 150))
    scene.paste(avatars[0], (40, 60))
    scene.paste(avatars[1], (400, 90))
    faces = align_faces(scene, 128)
    red = torch.zeros(2, 128, 128, 3)
    red[..., 0] = 1
    picture = torch.from_numpy(np.asarray(scene, dtype=np.float32) / 255)[None]
    result = paste_faces(picture, red, [transform for _, transform in faces], colour_match="none")
    assert len(result) == 1
    for _, transform in faces:
        x, y = (round(value) for value in transform.centre)
        assert result[0, y, x].tolist() == pytest.approx([1, 0, 0])


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_get_their_faces(channels):
    picture = torch.rand(1, 300, 400, channels, generator=torch.Generator().manual_seed(1))
    (aligned,) = align_pictures([Image.new("RGB", (400, 300))], POINTS, 64)
    result = paste_faces(picture, torch.ones(1, 64, 64, 3), [aligned.transform], colour_match="none")
    assert result.shape[3] == max(channels, 3)
    assert result[0, 160, 190, :3].tolist() == pytest.approx([1, 1, 1])
    if channels == 4:
        assert torch.equal(result[..., 3], picture[..., 3])


def test_what_does_not_fit_is_refused(picture, aligned):
    crop, transform = aligned
    with pytest.raises(
        sm.StyleMixError, match="has 256×256 pixels, but the face was cropped from one of 400×300"
    ):
        sm.paste_face(crop, crop, transform)
    for feather in (-0.1, 0.6, float("nan")):
        with pytest.raises(sm.StyleMixError, match="feather"):
            sm.paste_face(picture, crop, transform, feather)
    with pytest.raises(sm.StyleMixError, match="choose one of: none, seam, whole"):
        sm.paste_face(picture, crop, transform, colour_match="all")
    with pytest.raises(sm.StyleMixError, match="choose one of: head, square"):
        sm.paste_face(picture, crop, transform, blend="hair")
    pictures, faces = torch.rand(1, 300, 400, 3), torch.rand(3, 64, 64, 3)
    with pytest.raises(sm.StyleMixError, match="3 faces do not belong to 2 transforms"):
        paste_faces(pictures, faces, [transform] * 2)
    with pytest.raises(sm.StyleMixError, match="there are 2 masks"):
        paste_faces(pictures, faces, [transform] * 3, masks=torch.ones(2, 8, 8))
    for place, name in ((pictures, "image"), (faces, "face")):
        broken = place.clone()
        broken[0, 3, 5] = torch.inf
        given = (broken, faces) if name == "image" else (pictures, broken)
        with pytest.raises(sm.StyleMixError, match=f"the {name} holds infinite numbers"):
            paste_faces(*given, [transform] * 3)
    other = type(transform)(transform.quad, 64, transform.picture_size, picture=1)
    with pytest.raises(sm.StyleMixError, match="belongs to picture 2, but there are 1"):
        paste_faces(pictures, faces[:1], [other])


def test_a_face_that_lies_wholly_outside_changes_nothing(picture, aligned):
    crop, transform = aligned
    far = type(transform)(tuple((x + 1000, y) for x, y in transform.quad), 256, (400, 300))
    assert np.array_equal(levels(sm.paste_face(picture, crop, far)), levels(picture))


def test_the_given_picture_stays_as_it_was(picture, aligned):
    crop, transform = aligned
    before = picture.tobytes()
    sm.paste_face(picture, Image.new("RGB", crop.size), transform)
    assert picture.tobytes() == before
    pictures = to_comfy(torch.rand(1, 3, 300, 400))
    copy = pictures.clone()
    paste_faces(pictures, torch.zeros(1, 8, 8, 3), [transform])
    assert torch.equal(pictures, copy)
