"""Explain Layers against the demo models' recipe, and on tiny models what holds for every model."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.analysis.explain import COLOUR, REST, SIDE, explain_layers
from stylemix_core.analysis.explain_sheet import CELL
from stylemix_core.analysis.published import FINDINGS, published
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import GROUPS, index
from stylemix_core.drawing import squared
from stylemix_core.files.pictures import load_image
from stylemix_core.images import from_pil
from tests import builders
from tests.grids import pixels_of

HALVES = {"left": torch.cat([torch.ones(8, 4), torch.zeros(8, 4)], 1)}


@pytest.fixture(scope="module")
def encoder():
    return sm.load_encoder("demo", "cpu")


@pytest.fixture(scope="module")
def bob_report(demo, encoder):
    """A blonde with long hair and the bob."""
    source = demo.mapping(sm.sample_z([96], demo.z_dim), truncation_psi=0.8)
    bob = sm.load_latents("stylemix_core/demo/bob.safetensors").w
    with torch.inference_mode():
        return explain_layers(demo, source, bob, encoder=encoder)


@pytest.fixture(scope="module")
def tiny():
    generator = builders.tiny_generator()
    codes = generator.mapping(sm.sample_z([0, 1, 2], generator.z_dim))
    return generator, codes


@pytest.mark.parametrize("name", ["tilt", "jaw", "cut", "mouth_width", "hair_tone", "background_hue"])
def test_the_strongest_layer_is_the_one_that_carries_the_attribute(demo, name):
    source = torch.full([1, len(truth.ATTRIBUTES)], 0.5)
    style = source.clone()
    source[0, index(name)], style[0, index(name)] = 0.1, 0.6
    codes = demo.mapping(truth.z_of(torch.cat([source, style])))
    report = explain_layers(demo, codes[:1], codes[1:], HALVES)
    assert report.strongest == truth.ATTRIBUTES[index(name)].layer
    others = torch.cat([report.effect[: report.strongest], report.effect[report.strongest + 1 :]])
    assert others.max() < 0.1 * report.effect.max()


@pytest.mark.parametrize(
    ("region", "group", "least"),
    [("hair", "hair shape", 0.45), ("background", "background and light", 0.4), ("eyes", "features", 0.1)],
)
def test_a_region_changes_most_by_its_own_group(bob_report, region, group, least):
    inside = bob_report.effect * bob_report.shares[region]
    shares = {
        g.name: float(inside[list(g.layers)].sum() / bob_report.effect[list(g.layers)].sum()) for g in GROUPS
    }
    assert shares[group] >= least
    # Pose moves everything, and the hair's colour is a colour.
    rivals = {"pose", "face shape", "colour"} if region == "hair" else {"pose"}
    assert max(share for name, share in shares.items() if name not in rivals) == shares[group]


def test_hair_that_grows_or_vanishes_before_the_background_is_hairs(demo):
    attributes = torch.full([2, len(truth.ATTRIBUTES)], 0.5)
    attributes[:, index("hair_tone")], attributes[:, index("background_strength")] = 0.0, 0.0
    attributes[0, index("cut")], attributes[1, index("cut")] = 0.1, 0.95
    cropped, long = demo.mapping(truth.z_of(attributes)).split(1)
    for source, style in ((cropped, long), (long, cropped)):
        shares = explain_layers(demo, source, style).shares
        assert shares["hair"][4] > 0.45
        assert shares["background"][4] < 0.2


def test_found_regions_divide_every_change(bob_report):
    total = sum(bob_report.shares.values())
    assert torch.allclose(total, torch.ones(14), atol=1e-3)


def test_identity_drifts_with_the_hair_more_than_with_the_background(bob_report):
    assert bob_report.identity.startswith("encoder features")
    assert bob_report.identity_drift.shape == (14,)
    assert bob_report.identity_drift[8] > 5 * bob_report.identity_drift[13].clamp_min(1e-4)


def test_leaving_a_layer_out_shows_what_it_adds_to_the_others(bob_report, demo):
    # In dark hair, its shape is seen better than in the source's blonde before a pale background.
    assert bob_report.left_out[4] > 1.5 * bob_report.effect[4]
    difference = (bob_report.without[4] - bob_report.full).abs().mean() / 2
    assert float(bob_report.left_out[4]) == pytest.approx(float(difference), rel=1e-3)


def test_pictures_are_those_of_the_injected_codes(tiny):
    generator, codes = tiny
    report = explain_layers(generator, codes[:1], codes[1:2], HALVES, chunk=3)
    layers = generator.num_ws
    alone = generator.synthesis(sm.inject(codes[:1], codes[1:2], torch.eye(layers))).clamp(-1, 1)
    without = generator.synthesis(sm.inject(codes[:1], codes[1:2], 1 - torch.eye(layers))).clamp(-1, 1)
    source, full = generator.synthesis(codes[:2]).clamp(-1, 1)
    for found, expected in (
        (report.source, source),
        (report.full, full),
        (report.alone, alone),
        (report.without, without),
    ):
        assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(report.effect, (alone - source).abs().mean([1, 2, 3]) / 2, atol=1e-6)
    assert report.whole == pytest.approx(float((full - source).abs().mean()) / 2, rel=1e-4)
    assert report.measure == COLOUR and report.identity is None and report.identity_drift is None


def test_layers_that_are_alike_are_drawn_once_and_change_nothing(tiny, monkeypatch):
    generator, codes = tiny
    style = codes[:1].clone()
    style[:, 2] = codes[1, 2]
    drawn = []
    synthesis = generator.synthesis.forward
    monkeypatch.setattr(
        generator.synthesis, "forward", lambda w, *rest: drawn.append(len(w)) or synthesis(w, *rest)
    )
    report = explain_layers(generator, codes[:1], style, HALVES)
    assert sum(drawn) == 2  # the source, and the source with layer 2
    assert report.strongest == 2
    assert report.effect[[0, 1, 3, 4, 5, 6, 7]].abs().max() == 0
    assert report.shares["left"][0] == 0


def test_no_pass_holds_more_pictures_than_a_chunk(tiny, monkeypatch):
    generator, codes = tiny
    drawn = []
    synthesis = generator.synthesis.forward
    monkeypatch.setattr(
        generator.synthesis, "forward", lambda w, *rest: drawn.append(len(w)) or synthesis(w, *rest)
    )
    seen = []
    explain_layers(
        generator,
        codes[:2],
        codes[2:],
        HALVES,
        chunk=5,
        on_step=lambda done, total: seen.append((done, total)),
    )
    assert max(drawn) == 5 and sum(drawn) == 2 * 18
    assert seen[-1] == (36, 36) and seen == sorted(seen)


def test_several_pairs_are_averaged(tiny):
    generator, codes = tiny
    both = explain_layers(generator, codes[:2], codes[2:], HALVES)
    single = [explain_layers(generator, codes[i : i + 1], codes[2:], HALVES) for i in range(2)]
    assert both.pairs == 2
    assert torch.allclose(both.effect, (single[0].effect + single[1].effect) / 2)
    assert torch.allclose(both.left_out, (single[0].left_out + single[1].left_out) / 2)
    assert torch.equal(both.alone, single[0].alone)
    low = torch.minimum(single[0].shares["left"], single[1].shares["left"]) - 1e-6
    high = torch.maximum(single[0].shares["left"], single[1].shares["left"]) + 1e-6
    assert ((low <= both.shares["left"]) & (both.shares["left"] <= high)).all()


def test_own_masks_are_completed_by_the_rest(tiny):
    generator, codes = tiny
    report = explain_layers(generator, codes[:1], codes[1:2], HALVES)
    assert list(report.shares) == ["left", REST]
    assert torch.allclose(report.shares["left"] + report.shares[REST], torch.ones(8), atol=1e-5)


def test_an_encoder_can_compare_and_sees_colours_less(demo, encoder):
    codes = demo.mapping(sm.sample_z([5, 6], demo.z_dim))
    colours = explain_layers(demo, codes[:1], codes[1:], HALVES, perceptual="gradients")
    features = explain_layers(demo, codes[:1], codes[1:], HALVES, encoder, "encoder")
    assert features.measure.startswith("IR-SE encoder")
    assert features.effect[9] / features.whole < colours.effect[9] / colours.whole


def test_the_table_and_the_figures_say_the_same(bob_report):
    figures = json.loads(json.dumps(bob_report.figures()))
    table = bob_report.table()
    lines = table.split("\n")[5:19]
    for layer, line, row in zip(range(14), lines, figures["layers"]):
        assert row["layer"] == layer and line.split()[:2] == [str(layer), str(row["resolution"])]
        assert f"{100 * row['effect'] / figures['whole']:.0f}"[0] in line
        assert sum(row["shares"].values()) == pytest.approx(1, abs=0.01)
    for finding in FINDINGS:
        assert table.count(finding.what) == 1
    assert "StyleGAN: 0-3 pose, hair style, face shape; " in table and "8-13 colours and micro" in table
    assert "StyleSpace: 1-2 glasses; 3-5 waves; 6 gender; " in table
    assert [row["resolution"] for row in figures["layers"]][:6] == [4, 8, 8, 16, 16, 32]
    assert figures["layers"][13]["resolution"] == 256


def test_what_is_published_is_told_by_layer():
    assert published(4)["GANSpace"] == [
        "hair length, face roundness",
        "smile, hairline",
        "baldness",
        "curls, jaw",
    ]
    assert published(17) == {"StyleGAN": ["colours and micro-structure"]}
    assert all(0 <= finding.first <= finding.last <= 17 for finding in FINDINGS)


def test_the_sheet_has_a_column_a_layer_and_draws_their_pictures(bob_report):
    sheet = np.asarray(bob_report.sheet().convert("RGB"), dtype=np.float32)
    assert sheet.shape[1] > 14 * 124 and sheet.shape[0] < sheet.shape[1]
    # The hair is black in column 8 alone: that column of the first row is the darkest.
    top = sheet[250:340, 150:]
    darkness = [top[:, 130 * layer + 30 : 130 * layer + 90].mean() for layer in range(14)]
    assert int(np.argmin(darkness)) == 8


def test_it_is_known_where_a_layers_column_is_on_the_sheet(bob_report):
    sheet = bob_report.sheet()
    picks = bob_report.picks(sheet)
    assert [pick.value for pick in picks] == [str(layer) for layer in range(14)]
    drawn = from_pil(sheet)[0]
    for pick, picture in zip(picks, bob_report.alone):
        left, top, right, bottom = pixels_of(pick, sheet)
        assert (right - left, bottom) == (CELL, sheet.height)
        shown = drawn[:, top + 68 : top + 68 + CELL, left:right]  # below the numbers
        assert (shown - squared(picture[None], CELL)[0]).abs().mean() < 0.01


def test_heat_maps_glow_where_something_changed(bob_report):
    maps = bob_report.heat_maps()
    assert maps.shape == (14, 3, 256, 256) and maps.min() >= -1 and maps.max() <= 1
    bright = maps[8].mean(0) > 0
    # Hair before the shoulders may be taken for body.
    hair = bob_report.regions["hair"] + bob_report.regions["body"] > 0.5
    assert (bright & hair).sum() > 0.8 * bright.sum()


def test_large_pictures_are_kept_small(monkeypatch, tiny):
    generator, codes = tiny
    draw = generator.synthesis.forward
    monkeypatch.setattr(
        generator.synthesis, "forward", lambda w: F.interpolate(draw(w), size=2 * SIDE, mode="nearest")
    )
    monkeypatch.setattr(generator, "img_shape", (2 * SIDE, 2 * SIDE))
    report = explain_layers(generator, codes[:1], codes[1:2], HALVES)
    assert report.alone.shape[-1] == SIDE and report.changes.shape == (8, SIDE, SIDE)


def test_what_does_not_fit_is_refused(tiny):
    generator, codes = tiny
    with pytest.raises(sm.LatentMismatchError, match="cannot be matched"):
        explain_layers(generator, codes, codes[:2], HALVES)
    with pytest.raises(sm.StyleMixError, match="chunk is 0"):
        explain_layers(generator, codes[:1], codes[:1], HALVES, chunk=0)
    with pytest.raises(sm.NoFaceError, match="give regions as masks"):
        explain_layers(generator, codes[:1], codes[1:2])
    with pytest.raises(sm.StyleMixError, match="style's codes are those of the source"):
        explain_layers(generator, codes, codes, HALVES)


def test_the_command_writes_the_sheet_the_tables_and_the_pictures(tmp_path, capsys):
    generator, _ = builders.write_tiny_native(tmp_path)
    mask, codes, out = tmp_path / "mask.png", tmp_path / "style.safetensors", tmp_path / "out"
    sm.save_image(mask, HALVES["left"][None] * 2 - 1)
    sm.save_latents(codes, sm.load_generator(generator, "cpu").mapping(sm.sample_z([5], 16)))
    arguments = ["explain", "--seeds", "3", "--style", codes, "--region", f"left side={mask}"]
    arguments += ["--generator", generator, "--out", out, "--device", "cpu"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "heat_maps",
        "pictures",
        "sheet.png",
        "table.json",
        "table.txt",
        "without",
    ]
    assert load_image(out / "pictures" / "layer07.png").shape == (1, 3, 32, 32)
    figures = json.loads((out / "table.json").read_text())
    assert list(figures["layers"][0]["shares"]) == ["left side", REST]
    assert figures["identity"] is None  # the bundled encoder does not know this generator
    assert (out / "table.txt").read_text().strip() in capsys.readouterr().out


def test_a_region_without_a_file_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(
            ["explain", "--seeds", "0", "--style", "stylemix_core/demo/bob.safetensors", "--region", "hair"]
        )
    assert "write for instance hat=hat.png" in capsys.readouterr().err
