"""Figures of many codes: the mixing matrix, the strip of strengths, the sheet of directions."""

import pytest
import torch

import stylemix_core as sm
from stylemix_core.codes.latents import Latents
from stylemix_core.figures.grid import row_picks
from stylemix_core.figures.sheets import even_strengths
from stylemix_core.images import to_pil
from tests.grids import pixels_of

SIDE = 32


def codes(generator, seeds):
    w = generator.mapping(sm.sample_z(seeds, generator.z_dim))
    return Latents(w, tuple(f"seed {seed}" for seed in seeds), generator.fingerprint())


def drawn(figure):
    """A figure drawn with grey pictures, code i of brightness i; its cells' brightness by rows, nan where empty."""
    count = len(figure.codes)
    pictures = (torch.arange(count) / count * 2 - 1).view(-1, 1, 1, 1).expand(-1, 3, 160, 160)
    return figure.sheet(pictures), pictures


def middle_of(sheet, picture):
    """Places `(y, x)` where the sheet shows the picture."""
    flat = (sheet[0] - picture[:, :1, :1]).abs().amax(0) < 0.01
    return flat.nonzero().float().mean(0).tolist() if flat.any() else None


def test_a_matrix_gives_every_source_every_style_through_every_mask(generator):
    faces, styles = codes(generator, [0, 1]), codes(generator, [5, 6, 7])
    masks = sm.parse_masks("0-2; 5", 8)
    figure = sm.mixing_matrix(faces, styles, masks)
    assert torch.equal(figure.results.w, sm.inject(faces.w, styles.w, masks, "all"))
    assert torch.equal(figure.codes.w[:5], torch.cat([faces.w, styles.w]))
    assert len(figure.labels) == len(figure.results) == 12
    assert figure.labels[3] == "5 · source 1 · style 2"
    assert figure.results.origins[3] == "seed 0 ← seed 6, layers 5"


def test_a_matrix_has_sources_at_the_side_and_styles_above_their_columns(generator):
    figure = sm.mixing_matrix(codes(generator, [0, 1]), codes(generator, [5, 6]), sm.parse_masks("0; 1", 8))
    sheet, pictures = drawn(figure)
    assert torch.equal(figure.result_pictures(pictures), pictures[4:])
    places = [middle_of(sheet, picture) for picture in pictures]
    (y0, x0), (y1, x1) = places[:2]  # sources
    assert x0 == pytest.approx(x1, abs=2) and y1 - y0 > 150
    row = [places[4 + i] for i in range(4)]  # of source 0: style 0 mask 0, style 0 mask 1, style 1 mask 0, …
    assert all(y == pytest.approx(y0, abs=2) for y, _ in row)
    assert [x for _, x in row] == sorted(x for _, x in row) and row[0][1] - x0 > 150
    for style, columns in ((2, row[:2]), (3, row[2:])):  # a style is drawn above each of its columns
        assert places[style][0] < y0 - 150
        assert places[style][1] == pytest.approx(sum(x for _, x in columns) / 2, abs=2)


def test_a_strip_multiplies_the_masks_strengths(generator):
    faces, styles = codes(generator, [0, 1]), codes(generator, [5])
    masks = sm.parse_masks("hair: 2, 3@0.5; 6", 8)
    figure = sm.strength_strip(faces, styles, masks, [0, 0.5, 2])
    assert len(figure.results) == 12
    w, style = faces.w, styles.w[0]
    assert torch.equal(figure.results.w[0], w[0])
    assert torch.allclose(figure.results.w[2, 2], w[0, 2].lerp(style[2], 2))
    assert torch.equal(figure.results.w[2, 3], style[3])
    assert torch.allclose(figure.results.w[4, 6], w[0, 6].lerp(style[6], 0.5))
    assert figure.labels[4] == "6 · 0.5 · source 1" and figure.labels[11] == "6 · 2 · source 2"


def test_a_strip_has_a_row_per_mask_between_source_and_style(generator):
    figure = sm.strength_strip(
        codes(generator, [0]), codes(generator, [5]), sm.parse_masks("1; 6", 8), [0, 1]
    )
    sheet, pictures = drawn(figure)
    places = [middle_of(sheet, picture) for picture in pictures]
    first, second = places[2:4], places[4:6]
    assert second[0][0] - first[0][0] > 150
    assert [x for _, x in first] == pytest.approx([x for _, x in second], abs=1)
    assert places[0][1] < places[1][1] < first[0][1] < first[1][1]  # source, style, strengths


def test_a_sheet_of_directions_has_a_row_each_and_a_column_per_strength(generator):
    faces = codes(generator, [0, 1])
    found = sm.find_directions(generator, "SeFa", "1-3", 3)
    figure = sm.direction_sheet(faces, found, [-2, 0, 2])
    assert len(figure.codes) == 18 and figure.rows[4] == "SeFa 2 · seed 1"
    assert figure.labels[5] == "SeFa 2 · seed 0 · +2"
    assert figure.results.origins[5] == "seed 0, +2 SeFa 2, layers 1-3"
    for place, code in ((5, sm.apply_direction(faces, found, 2, 2)), (4, faces)):
        assert torch.allclose(figure.results.w[place], code.w[0], atol=1e-6)
    masked = sm.direction_sheet(faces, found, [1], sm.parse_masks("7@0.5", 8))
    change = masked.results.w[2] - faces.w[0]
    assert change[:7].abs().max() == 0
    assert torch.allclose(change[7], 0.5 * found.units[2] * found.vectors[2], atol=1e-6)
    sheet, pictures = drawn(figure)
    places = [middle_of(sheet, picture) for picture in pictures]
    assert places[3][0] - places[0][0] > 150 and places[1][1] - places[0][1] > 150
    assert sheet.shape[2] < 6 * 160 + 200  # headings stand once, above the first row


def test_it_is_known_where_a_direction_is_on_its_sheet(generator):
    figure = sm.direction_sheet(
        codes(generator, [0]), sm.find_directions(generator, "SeFa", "1-3", 3), [-2, 2]
    )
    pictures = torch.rand(6, 3, 32, 40)
    sheet = figure.sheet(pictures)[0]
    for row, pick in enumerate(row_picks(figure.rows, 32, 40)):
        _, top, _, bottom = pixels_of(pick, to_pil(sheet))
        assert pick.value == f"SeFa {row + 1}"
        for picture in pictures[2 * row : 2 * row + 2]:
            wide = sheet[:, top:bottom].unfold(2, 40, 1).permute(2, 0, 1, 3)  # at every place
            assert (wide - picture).abs().amax((1, 2, 3)).min() < 1e-6


def test_strengths_are_even_and_checked(generator):
    assert even_strengths(-3, 3, 5) == [-3, -1.5, 0, 1.5, 3]
    assert even_strengths(0, 1, 4) == [0, 0.333, 0.667, 1]
    assert even_strengths(2, 3, 1) == [2]
    with pytest.raises(sm.StyleMixError, match="0 strengths do not make a figure"):
        even_strengths(0, 1, 0)
    face = codes(generator, [0])
    for strengths, message in (([0, 4], "the strength 4 is out of range"), ([], "there are no strengths")):
        with pytest.raises(sm.StyleMixError, match=message):
            sm.strength_strip(face, face, sm.parse_masks("1", 8), strengths)
