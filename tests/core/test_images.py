import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from stylemix_core import images
from stylemix_core.errors import StyleMixError
from stylemix_core.files import pictures
from stylemix_core.files.endings import listed
from stylemix_core.files.pictures import load_image, load_mask, open_image, picture_endings, save_image
from stylemix_core.images import (
    as_masks,
    check_proportions,
    comfy_to_pil,
    cut,
    from_comfy,
    from_pil,
    pil_to_comfy,
    resize,
    to_comfy,
    to_pil,
)

from .. import builders


def test_comfy_images_map_to_minus_one_to_one_and_back():
    image = torch.rand(2, 5, 7, 3)
    inside = from_comfy(image)
    assert inside.shape == (2, 3, 5, 7)
    assert torch.allclose(inside[1, 2], image[1, :, :, 2] * 2 - 1)
    assert torch.allclose(to_comfy(inside), image, atol=1e-6)


def test_a_single_channel_is_repeated():
    inside = from_comfy(torch.full((1, 2, 2, 1), 0.75))
    assert inside.shape == (1, 3, 2, 2)
    assert inside.unique().tolist() == [0.5]


def test_transparency_is_composited_over_white():
    image = torch.tensor([1.0, 0.0, 0.5, 0.25]).expand(1, 2, 2, 4)
    assert from_comfy(image)[0, :, 0, 0].tolist() == [1.0, 0.5, 0.75]


@pytest.mark.parametrize("shape", [(4, 4, 3), (1, 4, 4, 2), (1, 4, 4, 5), (1, 0, 4, 3), (0, 4, 4, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(StyleMixError, match="expected"):
        from_comfy(torch.zeros(shape))


@pytest.mark.parametrize(
    ("number", "found"), [(torch.nan, "NaN"), (torch.inf, "infinite"), (-torch.inf, "infinite")]
)
def test_one_pixel_that_is_no_number_is_refused(number, found):
    image = torch.rand(2, 4, 5, 3)
    image[1, 2, 3, 0] = number
    with pytest.raises(StyleMixError, match=f"the image holds {found}"):
        from_comfy(image)
    for half in (torch.float16, torch.bfloat16):
        with pytest.raises(StyleMixError, match=f"the image holds {found}"):
            from_comfy(image.to(half))


def test_whole_numbers_are_refused():
    with pytest.raises(StyleMixError, match="uint8"):
        from_comfy(torch.zeros(1, 2, 2, 3, dtype=torch.uint8))


@pytest.mark.parametrize("shape", [(4, 6), (1, 4, 6), (3, 4, 6), (3, 1, 4, 6)])
def test_masks_of_every_shape_mean_the_same(shape):
    masks = as_masks(torch.full(shape, 1.5).numpy(), "the mask", 3)
    assert masks.shape == (3 if shape[0] == 3 else 1, 4, 6)
    assert masks.dtype == torch.float32 and masks.unique().tolist() == [1.0]
    assert torch.equal(as_masks(torch.ones(shape) > 0, "the mask"), masks)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(4), r"the region has the shape \[4\]; expected a mask \[height, width\]"),
        (torch.ones(2, 3, 4, 5), r"has the shape \[2, 3, 4, 5\]"),
        (torch.ones(0, 4, 5), r"has the shape \[0, 4, 5\]"),
        (torch.ones(2, 4, 5), r"which is 2 masks; expected one, or one for each of 3 pictures"),
        (torch.ones(4, 5, dtype=torch.uint8), "holds torch.uint8; expected floating point"),
        (torch.full((4, 5), torch.nan), "the region holds NaN"),
        (torch.full((4, 5), torch.inf), "the region holds infinite numbers"),
    ],
)
def test_what_is_no_mask_is_refused(mask, message):
    with pytest.raises(StyleMixError, match=message):
        as_masks(mask, "the region", 3)


def test_to_comfy_clamps_and_repeats_grey():
    image = to_comfy(torch.tensor([-3.0, 0.0, 3.0]).reshape(1, 1, 1, 3).half())
    assert image.dtype == torch.float32
    assert image.tolist() == [[[[0.0] * 3, [0.5] * 3, [1.0] * 3]]]
    with pytest.raises(StyleMixError, match="3, 1 or 4"):
        to_comfy(torch.zeros(1, 2, 2, 2))


def test_to_comfy_takes_pictures_by_their_places():
    images = torch.linspace(-1.2, 1.2, 3 * 3 * 5 * 4).view(3, 3, 5, 4)
    before = images.clone()
    assert torch.equal(to_comfy(images, [2, 0, 2]), to_comfy(images)[[2, 0, 2]])
    assert torch.equal(images, before)


def test_the_transparency_of_generated_pictures_is_kept(tmp_path):
    drawn = torch.tensor([1.0, -1.0, 0.0, -0.5]).reshape(1, 4, 1, 1).expand(1, 4, 2, 2)
    assert to_comfy(drawn)[0, 0, 0].tolist() == [1.0, 0.0, 0.5, 0.25]
    save_image(tmp_path / "drawn.png", drawn[0])
    with Image.open(tmp_path / "drawn.png") as picture:
        assert picture.getpixel((0, 0)) == (255, 0, 128, 64)


def test_resize_averages_instead_of_skipping_pixels():
    stripes = torch.tensor([-1.0, 1.0]).repeat(32).expand(1, 3, 64, 64)
    small = resize(stripes, 8, 8)
    assert small.shape == (1, 3, 8, 8)
    assert small[..., 1:-1].abs().max() < 0.05


def test_resize_to_the_same_size_changes_nothing():
    images = torch.rand(1, 3, 5, 6)
    assert resize(images, 5, 6) is images
    with pytest.raises(StyleMixError, match="0×4"):
        resize(images, 4, 0)


def test_pil_round_trip_keeps_every_byte():
    pixels = np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3)
    assert np.array_equal(np.asarray(to_pil(from_pil(Image.fromarray(pixels))[0])), pixels)


def test_to_pil_takes_one_picture():
    assert to_pil(torch.tensor([-5.0, 0.0, 5.0]).reshape(1, 1, 3)).getpixel((2, 0)) == (255, 255, 255)
    with pytest.raises(StyleMixError, match="height, width"):
        to_pil(torch.zeros(1, 3, 2, 2))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16"])
def test_black_stays_black_in_every_mode(mode):
    black = Image.new("RGB", (2, 2))
    image = Image.new(mode, (2, 2)) if mode.startswith("I") else black.convert(mode)
    assert from_pil(image).unique().tolist() == [-1.0]


@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_a_transparent_colour_becomes_white(mode, tmp_path):
    image = Image.new("RGB", (2, 1)).convert(mode)
    image.putpixel((1, 0), (255, 255, 255) if mode == "RGB" else 255 if mode == "L" else 1)
    image.save(tmp_path / "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert load_image(tmp_path / "a.png")[0, 0, 0, 0].item() == 1.0


def test_sixteen_bit_grey_keeps_its_range(tmp_path):
    Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16)).save(tmp_path / "a.png")
    values = load_image(tmp_path / "a.png")[0, 0, 0]
    assert torch.allclose(values, torch.tensor([-1.0, 0.0, 1.0]), atol=1e-4)


def test_load_image_turns_photos_upright(tmp_path):
    image = Image.new("RGB", (4, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise
    image.save(tmp_path / "a.jpg", exif=exif)
    assert load_image(tmp_path / "a.jpg").shape == (1, 3, 4, 2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_are_what_the_profile_means(mode, tmp_path):
    """Display P3, as phones have it, with a plain gamma; expected by the formula."""
    shown = Image.fromarray(np.random.RandomState(0).randint(90, 170, (8, 8, 3)).astype(np.uint8))
    shown = shown.quantize(64) if mode == "P" else shown.convert(mode)
    shown.save(tmp_path / "a.png", icc_profile=builders.colour_profile(builders.P3_TO_XYZ, 2.2))
    to_srgb = np.linalg.inv(builders.SRGB_TO_XYZ) @ builders.P3_TO_XYZ
    light = (np.asarray(shown.convert("RGB")) / 255) ** 2.2 @ to_srgb.T
    expected = 255 * np.where(light < 0.0031308, 12.92 * light, 1.055 * light.clip(0) ** (1 / 2.4) - 0.055)
    opened = open_image(tmp_path / "a.png")
    difference = np.abs(np.asarray(opened.convert("RGB")) - expected.clip(0, 255))
    assert opened.mode == ("RGBA" if mode == "RGBA" else "RGB")
    assert difference.max() < 1.5
    assert np.abs(np.asarray(shown.convert("RGB")) - expected).max() > 20


def test_profiles_that_cannot_be_used_are_ignored(tmp_path):
    profile = builders.colour_profile(builders.P3_TO_XYZ, 2.2)
    for mode, given in (
        ("RGB", b"rubbish"),
        ("RGB", profile[:150]),
        ("L", profile),
        ("LA", b""),
        ("I;16", profile),
    ):
        image = Image.new(mode, (3, 2), 100 if mode in ("L", "I;16") else None)
        image.save(tmp_path / "a.png", icc_profile=given)
        opened = open_image(tmp_path / "a.png")
        assert opened.tobytes() == image.tobytes() and opened.mode == mode


def test_srgb_pictures_keep_every_level(tmp_path):
    levels = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(levels).save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.png")), levels)


@pytest.mark.parametrize("ending", [".jpe", ".jfif", ".gif", ".avif", ".webp", ".bmp", ".tiff"])
def test_every_ending_that_is_named_is_read(ending, tmp_path):
    if ending not in picture_endings():
        pytest.skip("this build of Pillow does not read it")
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    several = {"save_all": True, "append_images": frames[1:]} if ending in (".gif", ".webp", ".tiff") else {}
    frames[0].save(tmp_path / f"a{ending}", **several)
    red, _, blue = load_image(tmp_path / f"a{ending}").mean((0, 2, 3)).tolist()
    assert red > 0.9 and blue < -0.9


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.HEIC", b"whatever"), ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")],
    ids=["by its ending", "by its bytes"],
)
def test_heic_is_refused_with_advice(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StyleMixError, match=f"{name} is a HEIC picture.*save it as JPEG or PNG"):
        load_image(tmp_path / name)


def test_large_pictures_are_read_silently_and_huge_ones_refused_in_plain_words(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000_000)
    Image.new("1", (2000, 1500)).save(tmp_path / "large.png")
    Image.new("1", (3000, 2000)).save(tmp_path / "huge.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(tmp_path / "large.png").size == (2000, 1500)
        assert cut(Image.new("1", (2000, 1500)), (0, 0, 2000, 1400)).size == (2000, 1400)
    with pytest.raises(
        StyleMixError, match=r"huge.png has 6 megapixels; at most 4 are read, so scale it down"
    ):
        open_image(tmp_path / "huge.png")


def test_a_mask_is_a_pictures_lightness_and_black_where_it_is_transparent(tmp_path):
    picture = Image.new("RGBA", (3, 1), (255, 255, 255, 255))
    picture.putpixel((1, 0), (128, 128, 128, 255))
    picture.putpixel((2, 0), (255, 255, 255, 0))
    picture.save(tmp_path / "a.png")
    assert load_mask(tmp_path / "a.png").tolist() == [[1.0, pytest.approx(128 / 255), 0.0]]


def test_a_photo_in_colours_is_no_mask(tmp_path):
    builders.draw_avatars(1)[0].save(tmp_path / "face.png")
    with pytest.raises(StyleMixError, match="face.png is a coloured picture; a mask is grey: white inside"):
        load_mask(tmp_path / "face.png")
    mask = Image.new("RGB", (64, 64))
    mask.paste((255, 255, 255), (10, 10, 40, 50))
    mask.save(tmp_path / "mask.jpg", quality=60)  # with a trace of colours along its edges
    assert load_mask(tmp_path / "mask.jpg").mean().item() == pytest.approx(1200 / 4096, abs=0.01)


def test_saved_pictures_load_again(tmp_path):
    picture = torch.tensor([-1.0, 0.2, 1.0]).reshape(3, 1, 1).expand(3, 4, 6)
    save_image(tmp_path / "new" / "a.png", picture)
    assert torch.allclose(load_image(tmp_path / "new" / "a.png")[0], picture, atol=1 / 255)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.png"]
    with pytest.raises(StyleMixError, match=r"ending \.png"):
        save_image(tmp_path / "a.jpg", picture)


def test_a_saved_picture_carries_texts(tmp_path):
    save_image(tmp_path / "a.png", torch.zeros(3, 2, 2), {"workflow": '{"한": 1}'})
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.text == {"workflow": '{"한": 1}'}


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(StyleMixError, match="no picture at"):
        load_image(tmp_path / "missing.png")
    (tmp_path / "text.png").write_text("<html>")
    with pytest.raises(StyleMixError, match="cannot be read as a picture") as refused:
        load_image(tmp_path / "text.png")
    assert str(refused.value).count("text.png") == 1
    assert f"of the kind {listed(picture_endings())}" in str(refused.value)
    with pytest.raises(StyleMixError, match="cannot be read as a picture") as refused:
        load_image(tmp_path)
    assert str(refused.value).count(str(tmp_path)) == 1


def test_a_truncated_file_is_refused(tmp_path):
    noise = Image.fromarray(np.random.RandomState(0).randint(0, 256, (32, 32, 3), dtype=np.uint8))
    noise.save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:1500])
    with pytest.raises(StyleMixError, match="cannot be read as a picture"):
        load_image(tmp_path / "half.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_converting_a_few_rows_at_a_time_changes_nothing(mode, monkeypatch):
    """Huge pictures are converted so."""
    random = np.random.RandomState(0)
    shape = {"RGB": (37, 20, 3), "RGBA": (37, 20, 4), "I;16": (37, 20)}[mode]
    top, kind = (65536, np.uint16) if mode == "I;16" else (256, np.uint8)
    picture = Image.fromarray(random.randint(0, top, shape).astype(kind))
    whole = from_pil(picture)
    monkeypatch.setattr(images, "_BAND_PIXELS", 100)  # five rows
    assert torch.equal(from_pil(picture), whole)
    if mode == "RGB":
        assert to_pil(whole[0]).tobytes() == picture.tobytes()


def test_a_mask_of_other_proportions_is_told_with_both_sizes():
    assert check_proportions("hat.png", torch.zeros(1, 100, 101), (256, 256)) is None
    assert "hat.png is 300×200 pixels, the pictures are 256×256" in check_proportions(
        "hat.png", torch.zeros(200, 300), (256, 256)
    )


def test_pictures_go_to_comfyui_and_back():
    pixels = np.arange(2 * 3 * 5 * 3, dtype=np.uint8).reshape(2, 3, 5, 3)
    batch = pil_to_comfy([Image.fromarray(picture) for picture in pixels])
    assert batch.shape == (2, 3, 5, 3) and (batch * 255 - torch.from_numpy(pixels)).abs().max() < 1e-4
    assert np.array_equal(np.stack([np.asarray(picture) for picture in comfy_to_pil(batch)]), pixels)


@pytest.mark.parametrize("webp", [True, False])
def test_quick_files_lose_nothing(monkeypatch, webp):
    monkeypatch.setattr(pictures.features, "check", lambda _: webp)
    image = torch.rand(24, 32, 3, generator=torch.Generator().manual_seed(1))
    file, kind = pictures.lossless(image)
    with Image.open(io.BytesIO(file)) as read:
        assert (read.get_format_mimetype(), kind) == ("image/webp" if webp else "image/png",) * 2
        assert np.array_equal(np.asarray(read), (255 * image).byte().numpy())
