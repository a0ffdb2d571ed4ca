"""Finding faces and cropping to them."""

import json
import math
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core.encoder.align import align_for
from stylemix_core.faces import (
    Face,
    FaceTransform,
    Landmarks,
    align_batch,
    align_pictures,
    detection,
    find_faces,
    is_aligned,
)
from stylemix_core.faces.landmarks import parse_landmarks
from stylemix_core.faces.mediapipe import read_face_landmarks
from stylemix_core.faces.networks import networks
from stylemix_core.files.pictures import open_image
from stylemix_core.images import from_pil

from ..builders import draw_avatars, paste_avatar, tiny_encoder

DATA = Path(__file__).parents[1] / "data" / "align"
POINTS = json.loads((DATA / "points.json").read_text())

peak_memory_is_known = pytest.mark.skipif(
    sys.platform != "linux", reason="read as Linux counts it, in kilobytes"
)


@pytest.fixture(scope="module")
def avatars():
    return draw_avatars(4)


@pytest.fixture(scope="module")
def scene(avatars):
    """A picture of 800×500 with a large avatar on the right and a smaller one on the left."""
    picture = Image.new("RGB", (800, 500), (90, 120, 150))
    picture.paste(avatars[0].resize((200, 200)), (60, 150))
    picture.paste(avatars[1].resize((340, 340)), (400, 80))
    return picture


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), dtype=np.float64)


# The networks


@pytest.mark.parametrize(
    ("index", "mean_output", "mean_score"),
    [(0, 1.934164, -149.348037), (1, 9.210029, -7.324300), (2, 65.458802, -8.712915)],
    ids=["back", "short", "mesh"],
)
def test_the_networks_compute_what_the_original_graphs_do(index, mean_output, mean_score):
    """The numbers are of an interpreter of MediaPipe's own graphs."""
    network = networks()[index]
    line = torch.linspace(0, 1, network.input_size)
    down, across = torch.meshgrid(line, line, indexing="ij")
    with torch.no_grad():
        outputs, scores = network(torch.stack([across, down, across * down])[None])
    assert float(outputs.double().mean()) == pytest.approx(mean_output, rel=1e-4)
    assert float(scores.double().mean()) == pytest.approx(mean_score, rel=1e-4)


def test_the_weights_are_small_and_come_with_their_licence():
    folder = Path(sm.__file__).parent / "faces"
    assert (folder / "weights.safetensors").stat().st_size < 2_000_000
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "MediaPipe" in (folder / "NOTICE").read_text()


def test_importing_reads_no_weights_and_no_new_package():
    check = (
        "import sys, stylemix_core.faces as a; from stylemix_core.faces.networks import networks;"
        "new = {'cv2', 'scipy', 'mediapipe', 'onnxruntime', 'dlib', 'torchvision'} & set(sys.modules);"
        "sys.exit(networks.cache_info().currsize or bool(new))"
    )
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


# Finding faces


def test_avatars_are_found():
    assert sum(len(faces) == 1 for faces in find_faces(draw_avatars(6, seed=8))) == 6


def test_generated_avatars_are_found():
    G = sm.load_generator("demo", "cpu")
    with torch.no_grad():
        pictures = G.synthesis(G.mapping(sm.sample_z(range(6), G.z_dim), truncation_psi=0.7))
    aligned, transforms = align_batch(pictures.clamp(-1, 1), 256, "always")
    assert aligned.shape == (6, 3, 256, 256)
    assert all(abs(transform.side / 256 - 1) < 0.15 for transform in transforms)


@pytest.mark.parametrize("angle", [-25, -10, 17, 25])
def test_a_leaning_face_is_framed_as_the_upright_one(avatars, angle):
    _, upright = sm.align_face(avatars[0])
    picture, moved = paste_avatar(avatars[0], (900, 700), (500, 320), 1.3, angle)
    _, found = sm.align_face(picture)
    (x0, y0), (x1, y1) = (moved(upright.quad[corner]) for corner in (0, 2))
    centre, side = ((x0 + x1) / 2, (y0 + y1) / 2), math.dist((x0, y0), (x1, y1)) / math.sqrt(2)
    assert abs(found.angle - upright.angle - angle) < 2  # the avatar itself leans by 8°, to 33° in all
    assert found.side == pytest.approx(side, rel=0.04)
    assert math.dist(found.centre, centre) < 0.01 * side


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_faces_are_found_at_any_angle(avatars, turn):
    turned = [avatar.rotate(turn) for avatar in avatars]  # counterclockwise
    for avatar, one in zip(avatars, align_pictures(turned), strict=True):
        expected, upright = sm.align_face(avatar, any_angle=False)
        assert (one.transform.angle - upright.angle + turn + 1) % 360 < 2
        assert np.abs(levels(one.crop) - levels(expected)).mean() < 4


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_that_only_its_exif_turns_upright_is_cropped_right(avatars, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = avatars[0].rotate({3: 180, 6: 90, 8: 270}[orientation])
    stored.save(tmp_path / "a.png", exif=exif)
    expected, _ = sm.align_face(avatars[0])
    for picture in (open_image(tmp_path / "a.png"), stored):
        assert np.abs(levels(sm.align_face(picture)[0]) - levels(expected)).mean() < 4


def test_a_turned_picture_is_turned_upright_for_an_encoder(avatars):
    turned, upright = (from_pil(avatars[0].rotate(turn)) for turn in (180, 0))
    expected, _ = align_batch(upright, 128, "always")
    for crops in (align_batch(turned, 128)[0], align_for(tiny_encoder(), turned, size=128)):
        assert (crops - expected).abs().mean() < 0.04


def test_which_way_is_up_is_what_the_mesh_is_surer_of_unless_it_leans():
    """Scores of 12 and 14 are both 1 after the sigmoid. `FaceMesh` has learned faces that lean little in their turn."""
    faces = [Face(np.random.RandomState(0).rand(468, 2) + shift) for shift in (0, 1e-6, 2e-6)]
    unsure, sure, leaning = (
        detection._Found(face, logit, leans)
        for face, logit, leans in zip(faces, (12.0, 14.0, 20.0), (False, False, True))
    )
    assert detection._distinct([unsure, leaning, sure]) == [faces[1]]
    assert detection._distinct([leaning, unsure]) == [faces[0]]


def test_upright_faces_alone_cost_a_third(avatars, monkeypatch):
    looked_at = []
    detect = detection._detect
    monkeypatch.setattr(
        detection, "_detect", lambda *args: (looked_at.append(len(args[2])), detect(*args))[1]
    )
    find_faces(avatars[:1], any_angle=False)
    assert looked_at[0] == 1
    looked_at.clear()
    find_faces(avatars[:1])
    assert looked_at[0] == 4


def test_a_batch_finds_what_single_pictures_do(avatars):
    together = find_faces([*avatars, Image.new("RGB", (300, 200))])
    assert [len(faces) for faces in together] == [1, 1, 1, 1, 0]
    for picture, (face,) in zip(avatars, together):
        (alone,) = find_faces([picture])[0]
        assert np.abs(face.points - alone.points).max() < 0.02


@pytest.mark.parametrize("kind", ["plain", "noise", "gradient", "rings", "stripes"])
def test_no_face_is_found_where_there_is_none(kind):
    y, x = np.mgrid[0:512, 0:512] / 512
    pictures = {
        "plain": x * 0 + 0.7,
        "noise": np.random.RandomState(0).rand(512, 512),
        "gradient": x * y,
        "rings": 0.5 + 0.5 * np.sin(80 * np.hypot(x - 0.5, y - 0.5)),
        "stripes": 0.5 + 0.5 * np.sin(40 * x),
    }
    picture = Image.fromarray((255 * pictures[kind]).astype(np.uint8))
    with pytest.raises(sm.NoFaceError, match=r"no face was found in the picture; .*give the points"):
        sm.align_face(picture)


def test_the_picture_without_a_face_is_named(avatars):
    with pytest.raises(sm.NoFaceError, match="picture 2 of 3"):
        align_pictures([avatars[0], Image.new("RGB", (64, 64)), avatars[1]])
    batch = torch.cat([from_pil(avatars[0]), torch.zeros(1, 3, 256, 256)])
    with pytest.raises(sm.NoFaceError, match="picture 2 of 2"):
        align_batch(batch, 256, "auto")


def test_a_face_of_ten_pixels_is_no_face(avatars):
    picture = Image.new("RGB", (640, 480), (90, 120, 150))
    picture.paste(avatars[0].resize((16, 16)), (300, 200))  # the face itself fills two thirds
    with pytest.raises(sm.NoFaceError, match="no face was found"):
        sm.align_face(picture)


def test_faces_are_counted_from_the_left_and_the_largest_is_the_default(scene):
    _, largest = sm.align_face(scene)
    _, first = sm.align_face(scene, face=0)
    _, second = sm.align_face(scene, face=1)
    assert largest == second
    assert first.centre[0] < 300 < second.centre[0]
    assert [transform for _, transform in sm.align_faces(scene)] == [first, second]


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (2, "no face number 2 in the picture, which shows 2 faces, numbers 0 to 1"),
        (-1, "unknown"),
        (True, "unknown"),
        ("biggest", "unknown"),
        ("all", "use align_faces"),
    ],
)
def test_a_face_that_is_not_there_is_refused(scene, face, message):
    with pytest.raises(sm.StyleMixError, match=message):
        sm.align_face(scene, face=face)


# Cropping


@pytest.mark.parametrize("name", POINTS)
def test_crops_equal_those_of_the_original_alignment(name):
    expected = levels(Image.open(DATA / f"{name}.webp"))
    crop, transform = sm.align_face(Image.open(DATA / "input.webp"), POINTS[name], 256)
    difference = np.abs(levels(crop) - expected)
    real = transform.real_area().numpy() > 0
    assert difference[real].mean() <= 0.7
    assert difference[~real].mean() <= 3 if (~real).any() else name in ("inside", "small", "flip")


def test_only_what_lies_in_the_picture_is_real():
    _, inside = sm.align_face(Image.open(DATA / "input.webp"), POINTS["inside"])
    _, edge = sm.align_face(Image.open(DATA / "input.webp"), POINTS["edge"])
    assert inside.real_area().min() == 1
    real = edge.real_area(64)
    assert real.shape == (64, 64)
    # The crop reaches beyond the left and the upper edge.
    assert real[0, 0] == 0 and real[-1, -1] == 1 and 0.4 < float(real.mean()) < 0.6


@pytest.mark.parametrize("size", [16, 100, 512, 1024])
def test_every_output_size_shows_the_same(scene, size):
    reference, transform = sm.align_face(scene, output_size=256)
    crop, other = sm.align_face(scene, output_size=size)
    assert crop.size == (size, size)
    assert other.quad == transform.quad
    small = min(size, 64)
    shown, expected = (
        levels(image.resize((small, small), Image.Resampling.BOX)) for image in (crop, reference)
    )
    assert np.abs(shown - expected).mean() < 6


def test_a_margin_shows_more_around_the_same_centre(scene):
    _, plain = sm.align_face(scene)
    _, wide = sm.align_face(scene, margin=0.5)
    assert wide.side == pytest.approx(1.5 * plain.side)
    assert wide.centre == pytest.approx(plain.centre)


def test_a_large_picture_gives_the_crop_of_the_small_one(avatars):
    large = avatars[0].resize((2304, 2304), Image.Resampling.BICUBIC)
    small_crop, small = sm.align_face(avatars[0])
    _, transform = sm.align_face(large)
    assert transform.side / 9 == pytest.approx(small.side, rel=0.02)
    points = {
        name: (9 * x + 4, 9 * y + 4)
        for name, (x, y) in find_faces([avatars[0]])[0][0].landmarks.__dict__.items()
    }
    same_crop, _ = sm.align_face(large, points)
    assert np.abs(levels(same_crop) - levels(small_crop)).mean() < 2.5


@peak_memory_is_known
@pytest.mark.slow
def test_fifty_megapixels_stay_under_one_and_a_half_gigabytes():
    """In a process of its own, whose peak it is; the picture itself takes 200 MB."""
    check = (
        "import resource, stylemix_core as sm; from PIL import Image; from tests.builders import draw_avatars;"
        "picture = Image.new('RGB', (8660, 5774)); picture.paste(draw_avatars(1)[0].resize((5774, 5774)));"
        "crop, transform = sm.align_face(picture, output_size=1024); sm.paste_face(picture, crop, transform);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", check], cwd=root, capture_output=True, text=True, check=True
    )
    assert int(result.stdout) < 1500


@peak_memory_is_known
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "never"])
def test_a_file_of_fifty_megapixels_is_read_under_one_and_a_half_gigabytes(tmp_path, mode):
    """As the command line reads it."""
    path = tmp_path / "huge.jpg"
    picture = Image.new("RGB", (8660, 5774))
    picture.paste(draw_avatars(1)[0].resize((5774, 5774)))
    picture.save(path)
    check = (
        "import resource, sys; from stylemix_core.encoder.align import align_for;"
        "from stylemix_core.files.pictures import open_image; from tests.builders import tiny_encoder;"
        "assert align_for(tiny_encoder(), open_image(sys.argv[1]), sys.argv[2], 1024).shape[0] == 1;"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", check, str(path), mode]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert int(result.stdout) < 1500


def test_a_face_at_the_border_is_padded(avatars):
    cut = avatars[1].crop((90, 20, 256, 256))
    crop, transform = sm.align_face(cut)
    assert crop.size == (256, 256)
    assert 0.4 < float(transform.real_area().mean()) < 0.9
    # The padding fades, it neither ends in black nor repeats the picture sharply.
    padded = transform.real_area().numpy() == 0
    assert levels(crop)[padded].min() > 5


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16"])
def test_pictures_of_every_mode_are_aligned(avatars, mode):
    picture = avatars[0]
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    crop, transform = sm.align_face(picture.convert(mode) if mode != "I;16" else picture)
    expected = sm.align_face(avatars[0])[1]
    assert crop.mode == "RGB"
    assert transform.side == pytest.approx(expected.side, rel=0.05)


def test_holes_of_a_transparent_picture_are_white(avatars):
    picture = avatars[0].convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 256, 40))
    crop, transform = sm.align_face(picture)
    x, y = transform.to_crop(torch.tensor(128.0), torch.tensor(32.0))
    assert levels(crop)[int(y * 256), int(x * 256)].min() >= 250


def test_floating_point_pictures_with_nan_are_refused():
    with pytest.raises(sm.StyleMixError, match="unknown range"):
        sm.align_face(Image.fromarray(np.full((64, 64), np.nan, dtype=np.float32)))


@pytest.mark.parametrize("size", [0, -5, 15, 2049, 10**9])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(sm.StyleMixError, match=f"the output size is {size}; choose 16 to 2048"):
        sm.align_face(Image.new("RGB", (640, 480)), POINTS["inside"], size)


@pytest.mark.parametrize("margin", [-0.9, 5, math.nan])
def test_impossible_margins_are_refused(margin):
    with pytest.raises(sm.StyleMixError, match="margin"):
        sm.align_face(Image.new("RGB", (640, 480)), POINTS["inside"], margin=margin)


# Points that are given


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eye_left": (352, 223)}, "on top of each other"),
        (
            {"eye_left": (300, 276), "eye_right": (330, 276), "mouth_right": (336, 279)},
            "on top of each other",
        ),
        ({"eye_left": (352, 223), "eye_right": (293, 215)}, "left is left as seen"),
        ({"mouth_left": (294, 150), "mouth_right": (336, 150)}, "do not form a face"),
        ({"mouth_left": (900, 219), "mouth_right": (910, 220)}, "do not form a face"),
        ({"eye_left": (math.nan, 1)}, "finite"),
        ({"eye_left": (1,)}, "two numbers"),
        ({"eye_left": "here"}, "two numbers"),
        ({"eye_left": (-100000, 20)}, "far outside the picture of 640×480"),
        ({"nose": (1, 2)}, "expected eye_left, eye_right, mouth_left, mouth_right"),
    ],
)
def test_points_that_are_no_face_are_refused(change, message):
    with pytest.raises(sm.StyleMixError, match=message):
        sm.align_face(Image.new("RGB", (640, 480)), {**POINTS["inside"], **change})


@pytest.mark.parametrize(
    "text",
    [
        "293,215 352,223 294,273 336,279",
        "(293, 215), (352, 223), (294, 273), (336, 279)",
        "mouth_left 294,273; mouth_right 336,279; eye_left=293,215; eye_right=352,223",
        '{"eye_left": [293, 215], "eye_right": [352, 223], "mouth_left": [294, 273], "mouth_right": [336, 279]}',
    ],
)
def test_points_are_read_from_text(text):
    assert astuple(parse_landmarks(text)) == ((293, 215), (352, 223), (294, 273), (336, 279))


@pytest.mark.parametrize("text", ["1,2 3,4", "a,b c,d", "{", "1 2 3 4 5 6 7 8 9", "eye_left 1 2 3 4 5 6 7 8"])
def test_text_without_four_points_is_refused(text):
    with pytest.raises(sm.StyleMixError, match="for example: eye_left 293,215"):
        parse_landmarks(text)


# Faces that ComfyUI's landmarker has found


def as_comfyui_finds(pictures, faces=None) -> dict:
    """What ComfyUI's Detect Face Landmarks gives for pictures of one size: the surest face first, 478 points each."""
    faces = find_faces(pictures) if faces is None else faces
    width, height = pictures[0].size
    frames = [
        [
            {
                "bbox_xyxy": np.concatenate([face.points.min(0), face.points.max(0)]).astype(np.float32),
                "blendshapes": {"jawOpen": 0.1},
                "landmarks_xy": np.concatenate([face.points, face.points[:10]]).astype(np.float32),
                "landmarks_3d": np.zeros((478, 3), np.float32),
                "presence": 1.0,
                "score": 1.0,
            }
            for face in sorted(frame, key=lambda face: -face.points[0, 0])
        ]
        for frame in faces
    ]
    return {"frames": frames, "image_size": (height, width), "connection_sets": {}}


def test_faces_found_by_comfyui_are_framed_as_our_own(scene, avatars):
    pictures = [scene, scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    given = as_comfyui_finds(pictures)
    for face in ("largest", 0, 1, "all"):
        own = align_pictures(pictures, face=face)
        read = align_pictures(pictures, face=face, found=read_face_landmarks(given, pictures))
        assert [aligned.number for aligned in read] == [aligned.number for aligned in own]
        for one, other in zip(read, own):
            assert one.transform.picture == other.transform.picture
            assert np.abs(np.subtract(one.transform.quad, other.transform.quad)).max() < 1e-3


def test_a_picture_in_which_comfyui_found_no_face_is_named(scene):
    given = as_comfyui_finds([scene, scene], [find_faces([scene])[0], []])
    with pytest.raises(sm.NoFaceError, match="picture 2 of 2"):
        align_pictures([scene, scene], found=read_face_landmarks(given, [scene, scene]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: None, "the landmarks are NoneType"),
        (lambda given: [given], "the landmarks are list"),
        (lambda given: {"frames": 3}, "the landmarks are dict"),
        (lambda given: {**given, "frames": given["frames"] * 2}, "of 2 pictures, but there are 1"),
        (lambda given: {**given, "image_size": (10, 20)}, "of 20×10 pixels, but picture 1 has 800×500"),
        (lambda given: {**given, "frames": [[{"score": 1.0}]]}, "has no landmarks_xy"),
        (lambda given: {**given, "frames": [["face"]]}, "has no landmarks_xy"),
        (lambda given: {**given, "frames": [[{"landmarks_xy": np.zeros((68, 2))}]]}, "expected at least 468"),
        (lambda given: {**given, "frames": [[{"landmarks_xy": np.full((478, 2), np.nan)}]]}, "hold NaN"),
    ],
)
def test_landmarks_of_another_kind_are_refused(scene, change, message):
    with pytest.raises(sm.StyleMixError, match=message):
        read_face_landmarks(change(as_comfyui_finds([scene])), [scene])


# Transforms


def test_a_transform_survives_json():
    _, transform = sm.align_face(Image.open(DATA / "input.webp"), POINTS["flip"])
    assert FaceTransform.from_dict(json.loads(json.dumps(transform.as_dict()))) == transform
    with pytest.raises(sm.StyleMixError, match="expected quad, size and picture_size"):
        FaceTransform.from_dict({"quad": [1, 2]})


def test_crop_and_picture_positions_are_inverse():
    _, transform = sm.align_face(Image.open(DATA / "input.webp"), POINTS["edge"])
    u, v = torch.rand(2, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    back = transform.to_crop(*transform.to_picture(u, v))
    assert torch.allclose(back[0], u) and torch.allclose(back[1], v)


# Aligned already


def test_aligned_pictures_are_left_alone_and_others_are_not(avatars):
    crop, _ = sm.align_face(avatars[1])
    batch = from_pil(crop)
    aligned, transforms = align_batch(batch, 256, "auto")
    assert transforms == (None,) and torch.equal(aligned, batch)
    _, (transform,) = align_batch(batch, 256, "always")
    assert transform is not None and is_aligned(transform)
    turned = from_pil(crop.rotate(12, Image.Resampling.BICUBIC))
    aligned, (transform,) = align_batch(turned, 128, "auto")
    assert aligned.shape == (1, 3, 128, 128) and abs(transform.angle + 12) < 2


@pytest.mark.parametrize(
    ("config", "aligned"),
    [({}, True), ({"input_nc": 1}, False), ({"input_nc": 19}, False), ({"input_height": 48}, False)],
    ids=["photos", "sketches", "label maps", "cars"],
)
def test_auto_crops_for_encoders_that_read_photos_of_faces(scene, config, aligned):
    encoder = tiny_encoder(**config)
    picture = from_pil(scene)
    assert (align_for(encoder, picture).shape == (1, 3, 64, 64)) is aligned
    assert aligned or torch.equal(align_for(encoder, picture), picture)
    assert torch.equal(align_for(encoder, picture, "never"), picture)
    assert align_for(encoder, picture, "always", 100).shape == (1, 3, 100, 100)


def test_never_only_resizes():
    batch = torch.rand(2, 3, 40, 60) * 2 - 1
    aligned, transforms = align_batch(batch, 32, "never")
    assert aligned.shape == (2, 3, 32, 32) and transforms == (None, None)
    with pytest.raises(sm.StyleMixError, match="choose one of: auto, always, never"):
        align_batch(batch, 32, "sometimes")


@pytest.mark.parametrize(
    ("quad", "aligned"),
    [
        (((-0.5, -0.5), (-0.5, 99.5), (99.5, 99.5), (99.5, -0.5)), True),
        (((-4, -4), (-4, 103), (103, 103), (103, -4)), True),  # 7 % larger
        (((-5, -5), (-5, 104), (104, 104), (104, -5)), False),
        (((1.5, -0.5), (1.5, 99.5), (101.5, 99.5), (101.5, -0.5)), False),  # 2 % off
    ],
)
def test_what_counts_as_aligned(quad, aligned):
    assert is_aligned(FaceTransform(quad, 256, (100, 100))) is aligned
    assert not is_aligned(FaceTransform(quad, 256, (100, 110)))


def test_landmarks_are_left_and_right_as_seen(avatars):
    landmarks = find_faces(avatars[:1])[0][0].landmarks
    assert isinstance(landmarks, Landmarks)
    assert landmarks.eye_left[0] < landmarks.eye_right[0]
    assert landmarks.mouth_left[0] < landmarks.mouth_right[0]
    assert landmarks.eye_left[1] < landmarks.mouth_left[1]
