import pytest
import torch
from PIL import ImageFont

from stylemix_core import drawing
from stylemix_core.errors import StyleMixError
from stylemix_core.figures import grid
from stylemix_core.figures.grid import compare_grid, overview

SIZE, GAP, LINE = 64, 2, 17  # cell, margin and caption height of a 64-pixel cell


def pictures(*values: float, height: int = SIZE, width: int = SIZE) -> torch.Tensor:
    """One plain red picture per value."""
    images = torch.full((len(values), 3, height, width), -1.0)
    images[:, 0] = torch.tensor(values)[:, None, None]
    return images


def origin(sheet: torch.Tensor, value: float) -> list[tuple[int, int]]:
    """Top left corners (y, x) of the pictures of this value, which must be whole."""
    match = (sheet[0, 0] - value).abs() + (sheet[0, 1:] + 1).abs().sum(0) < 0.02
    corners = []
    for y, x in match.nonzero().tolist():
        if not match[max(y - 1, 0), x] and not match[y, max(x - 1, 0)]:
            assert match[y : y + SIZE, x : x + SIZE].all()
            corners.append((y, x))
    return corners


def ink(sheet: torch.Tensor, top: int, left: int, height: int, width: int) -> torch.Tensor:
    """Where something is brighter than the background."""
    return sheet[0, :, top : top + height, left : left + width].amax(0) > -0.6


def test_pictures_stand_in_rows_with_equal_margins():
    sheet = compare_grid(pictures(0.0, 0.3, 0.6, 0.9), columns=3)
    step = SIZE + GAP
    assert sheet.shape == (1, 3, GAP + 2 * step, GAP + 3 * step)
    assert origin(sheet, 0.0) == [(GAP, GAP)]
    assert origin(sheet, 0.6) == [(GAP, GAP + 2 * step)]
    assert origin(sheet, 0.9) == [(GAP + step, GAP)]


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (4, 2, 2), (7, 2, 4), (16, 4, 4)]
)
def test_automatic_sheets_are_balanced(count, rows, columns):
    height, width = compare_grid(pictures(*[0.0] * count)).shape[2:]
    assert (height - GAP, width - GAP) == (rows * (SIZE + GAP), columns * (SIZE + GAP))


def test_more_columns_than_pictures_make_one_row():
    assert compare_grid(pictures(0.0, 0.5), columns=50).shape[2:] == (
        GAP + SIZE + GAP,
        GAP + 2 * (SIZE + GAP),
    )


def test_captions_stand_centred_above_their_pictures():
    sheet = compare_grid(pictures(0.0, 0.5), labels=["0-6", ""])
    assert origin(sheet, 0.5) == [(GAP + LINE, GAP + SIZE + GAP)]
    strip = ink(sheet, GAP, GAP, LINE, SIZE)
    where = strip.any(0).nonzero().flatten()
    assert strip.any()
    assert abs((where.min() + where.max()).item() / 2 - (SIZE - 1) / 2) <= 1.5
    assert not ink(sheet, GAP, GAP + SIZE + GAP, LINE, SIZE).any()


def test_long_captions_stay_within_their_cell():
    sheet = compare_grid(pictures(0.0, 0.5), labels=["a very long caption " * 500, ""])
    assert ink(sheet, GAP, GAP, LINE, SIZE).any()
    assert not ink(sheet, GAP, GAP + SIZE, LINE, SIZE + 2 * GAP).any()


def test_captions_end_with_an_ellipsis_where_they_are_cut():
    font = ImageFont.load_default(20)
    assert drawing.shorten("0-6", 200, font) == "0-6"
    cut = drawing.shorten("hair, brows and background", 100, font)
    assert cut.endswith("…")
    assert cut[:4] == "hair"
    assert 70 < font.getlength(cut) <= 100
    assert drawing.shorten("wide", 1, font) == ""


def test_one_row_per_source_starts_with_source_and_style():
    sheet = compare_grid(
        pictures(0.1, 0.2, 0.3, 0.4), ["0", "1"], source=pictures(0.6, 0.7), style=pictures(0.9)
    )
    step = SIZE + GAP
    top, second = GAP + LINE, GAP + LINE + step
    assert sheet.shape[2:] == (top + 2 * step, GAP + 4 * step)
    assert origin(sheet, 0.6) == [(top, GAP)]
    assert origin(sheet, 0.7) == [(second, GAP)]
    assert origin(sheet, 0.9) == [(top, GAP + step), (second, GAP + step)]
    assert origin(sheet, 0.2) == [(top, GAP + 3 * step)]
    assert origin(sheet, 0.3) == [(second, GAP + 2 * step)]
    assert all(ink(sheet, GAP, GAP + column * step, LINE, SIZE).any() for column in range(4))


def test_a_label_per_picture_captions_every_row():
    sheet = compare_grid(pictures(0.1, 0.2, 0.3, 0.4), list("abcd"), source=pictures(0.6, 0.7))
    assert sheet.shape[2] == GAP + 2 * (LINE + SIZE + GAP)


def test_labels_of_injection_become_headings_of_columns_and_rows():
    sources, results = pictures(0.6, 0.7), pictures(0.1, 0.2, 0.3, 0.4)
    labels = ["0 · source 1", "0-6 · source 1", "0 · source 2", "0-6 · source 2"]
    sheet = compare_grid(results, labels, source=sources)
    expected = compare_grid(results, ["0", "0-6"], source=sources, rows=["source 1", "source 2"])
    assert torch.equal(sheet, expected)


def test_a_mixing_matrix_has_its_styles_above_the_columns():
    results, sources, styles = pictures(0.1, 0.2, 0.3, 0.4), pictures(0.6, 0.7), pictures(0.8, 0.9)
    labels = [f"0-3 · source {i} · style {j}" for i in (1, 2) for j in (1, 2)]
    sheet = compare_grid(results, labels, source=sources, top=styles)
    plain = compare_grid(
        results, ["0-3 · style 1", "0-3 · style 2"], source=sources, rows=["source 1", "source 2"]
    )
    step = SIZE + GAP
    assert sheet.shape[2] == plain.shape[2] + step and sheet.shape[3] == plain.shape[3]
    ((y, x),) = origin(sheet, 0.8)
    assert origin(sheet, 0.9) == [(y, x + step)]
    assert origin(sheet, 0.1) == [(y + step, x)] and origin(sheet, 0.4) == [(y + 2 * step, x + step)]
    assert origin(sheet, 0.6) == [(y + step, x - step)]
    left_of_first_result = plain[:, :, GAP + LINE :, : x - 1]
    assert torch.equal(sheet[:, :, GAP + LINE + step :, : x - 1], left_of_first_result)


def test_a_top_picture_stands_above_every_mask_of_its_style():
    sheet = compare_grid(pictures(0.1, 0.2, 0.3, 0.4), columns=4, top=pictures(0.8, 0.9))
    xs = [GAP + i * (SIZE + GAP) for i in range(4)]
    assert [x for _, x in origin(sheet, 0.8) + origin(sheet, 0.9)] == xs
    with pytest.raises(StyleMixError, match="3 top pictures for 4 columns"):
        compare_grid(pictures(0.1, 0.2, 0.3, 0.4), columns=4, top=pictures(0.7, 0.8, 0.9))


def test_one_source_with_several_styles_gives_a_row_per_style():
    sheet = compare_grid(pictures(0.1, 0.2), source=pictures(0.6), style=pictures(0.8, 0.9))
    assert [y for y, _ in origin(sheet, 0.6)] == [y for v in (0.8, 0.9) for y, _ in origin(sheet, v)]


def test_row_labels_stand_left_of_their_rows():
    plain = compare_grid(pictures(0.1, 0.2), ["0"], source=pictures(0.6, 0.7))
    sheet = compare_grid(pictures(0.1, 0.2), ["0"], source=pictures(0.6, 0.7), rows=["seed 3", ""])
    gutter = sheet.shape[3] - plain.shape[3]
    assert 20 < gutter <= SIZE + GAP
    assert torch.equal(sheet[..., gutter:], plain)
    assert ink(sheet, GAP + LINE, 0, SIZE, gutter).any()
    assert not ink(sheet, GAP + LINE + SIZE, 0, SIZE, gutter).any()


def test_the_first_picture_sets_the_cell_and_others_keep_their_proportions():
    tall = pictures(0.9, height=100, width=50)
    sheet = compare_grid([pictures(0.1)[0], tall], columns=2)
    assert sheet.shape[2:] == (GAP + SIZE + GAP, GAP + 2 * (SIZE + GAP))
    red = (sheet[0, 0] - 0.9).abs() < 0.02
    assert red.sum().item() == SIZE * SIZE // 2
    assert red.any(0).nonzero().flatten().tolist() == list(range(84, 116))


def test_grey_pictures_are_drawn_grey():
    sheet = compare_grid(torch.full((1, 1, SIZE, SIZE), 0.5))
    assert torch.allclose(sheet[0, :, 10, 10], torch.full((3,), 0.5), atol=0.01)


def test_hangul_is_looked_up_only_when_needed(monkeypatch):
    looked = []
    monkeypatch.setattr(drawing, "_wide_font", lambda: looked.append(True))
    compare_grid(pictures(0.0), ["0-6, 7@0.5 · source 1 …"])
    assert looked == []
    compare_grid(pictures(0.0), ["머리"])
    assert looked == [True]


@pytest.mark.skipif(drawing._wide_font() is None, reason="the system has no font with Hangul")
def test_hangul_syllables_look_different():
    one, other = (compare_grid(pictures(0.0), [text]) for text in ("머리", "눈썹"))
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["a"]}, "there is 1 label for 4 pictures"),
        ({"columns": -1}, "columns is -1"),
        ({"rows": ["a"]}, "1 row label for 2 rows"),
        ({"source": pictures(0, 0, 0)}, "4 pictures cannot fill 3 rows"),
        ({"source": pictures(*[0] * 8)}, "4 pictures cannot fill 8 rows"),
        ({"source": pictures(0, 0), "style": pictures(0, 0, 0)}, "2 source pictures for 3 rows"),
        ({"source": pictures(0, 0), "labels": ["a"] * 3}, "3 labels for 4 pictures in 2 columns"),
        ({"source": pictures(0, 0), "columns": 2}, "columns must be 0"),
    ],
)
def test_counts_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(StyleMixError, match=message):
        compare_grid(pictures(0, 0, 0, 0), **arguments)


@pytest.mark.parametrize("images", [torch.zeros(0, 3, 4, 4), [], torch.zeros(1, 2, 4, 4), torch.zeros(4, 4)])
def test_what_is_no_picture_is_refused(images):
    with pytest.raises(StyleMixError, match="images"):
        compare_grid(images)


def test_the_overview_of_one_picture_is_the_picture():
    one = pictures(0.5, height=700, width=900)
    assert torch.equal(overview(one), one[0])


def test_the_overview_of_several_is_a_sheet_of_small_ones():
    sheet = overview(pictures(0.1, 0.2, 0.3, height=1024, width=512))
    assert sheet.shape[0] == 3
    assert 256 <= sheet.shape[1] < 300 and 3 * 128 <= sheet.shape[2] < 3 * 128 + 40


def test_pictures_are_copied_as_they_are():
    images = torch.linspace(-1.5, 1.5, 2 * 3 * SIZE * SIZE).view(2, 3, SIZE, SIZE)
    before = images.clone()
    sheet = compare_grid(images)
    first = sheet[0, :, GAP : GAP + SIZE, GAP : GAP + SIZE]
    assert torch.equal(first, images[0].clamp(-1, 1))
    assert torch.equal(images, before)


def test_pillow_draws_the_words_and_no_pictures(monkeypatch):
    sizes = []
    convert = grid.from_pil
    monkeypatch.setattr(grid, "from_pil", lambda image: (sizes.append(image.size), convert(image))[1])
    compare_grid(pictures(0.1, 0.2, 0.3, 0.4))
    assert sizes == []
    sheet = compare_grid(pictures(0.1, 0.2), ["0"], source=pictures(0.6, 0.7), rows=["a", "b"])
    (strip, gutter) = sizes
    assert strip == (sheet.shape[3], LINE)
    assert gutter[0] < SIZE // 2 and gutter[1] == sheet.shape[2]


def test_transparent_pictures_show_the_sheet_behind_them():
    picture = torch.ones(1, 4, 32, 32)
    picture[:, 3, :, :16] = -1
    before = picture.clone()
    sheet = compare_grid(picture)
    assert torch.equal(picture, before)
    assert (sheet == 1).all(1).sum() == 16 * 32


def test_a_long_row_of_one_source_is_wrapped():
    sheet = compare_grid(
        pictures(*[0.0] * 15), [str(layer) for layer in range(15)], source=pictures(0.4), style=pictures(0.8)
    )
    line, step = LINE + SIZE + GAP, SIZE + GAP
    assert sheet.shape == (1, 3, GAP + 2 * line, GAP + 10 * step)
    assert origin(sheet, 0.4) == [(GAP + LINE, GAP)] and origin(sheet, 0.8) == [(GAP + LINE, GAP + step)]
    rows = [y for y, _ in origin(sheet, 0.0)]
    assert [rows.count(GAP + LINE), rows.count(GAP + LINE + line)] == [8, 7]
    assert min(x for y, x in origin(sheet, 0.0) if y > line) == GAP + 2 * step
    assert ink(sheet, GAP + line, GAP + 2 * step, LINE, SIZE).any()  # the later line's captions


def test_several_sources_stay_a_table():
    sheet = compare_grid(pictures(*[0.0] * 30), source=pictures(0.4, 0.8))
    assert sheet.shape[3] == GAP + 16 * (SIZE + GAP)
