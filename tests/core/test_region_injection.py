"""The style inside a region, the source around it."""

import pytest
import torch
from torch.nn.functional import max_pool2d

import stylemix_core as sm
from stylemix_core.codes.combine import blend_latents, join_latents, truncate_latents
from stylemix_core.codes.latents import Latents, load_latents, pick_latents, save_latents
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.decoding import decode, leakage
from stylemix_core.errors import CheckpointError, LatentMismatchError
from stylemix_core.generator.batches import in_chunks
from stylemix_core.generator.engine import strips
from stylemix_core.mixing.inject import Injection, inject_latents

from .. import builders


def masks(generator, text: str = "all"):
    return sm.parse_masks(text, generator.num_ws)


def drawn(generator, latents: Latents, **options) -> torch.Tensor:
    with torch.no_grad():
        return decode(generator, latents, **options)


def half(side: int = 32) -> torch.Tensor:
    mask = torch.zeros(1, side, side)
    mask[..., : side // 2] = 1
    return mask


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("options", [{}, {"noise_mode": "random", "noise_seed": 5}])
def test_a_region_everywhere_is_the_style_and_one_nowhere_the_source(architecture, options):
    generator = builders.tiny_generator(architecture=architecture)
    with torch.no_grad():
        source, style = sample_latents(generator, [1, 2], 1.0), sample_latents(generator, [3], 1.0)
    expected = {0.0: source, 1.0: inject_latents(source, style, masks(generator))}
    for value, codes in expected.items():
        mixed = inject_latents(source, style, masks(generator), region=torch.full((1, 8, 8), value))
        difference = drawn(generator, mixed, **options) - drawn(generator, codes, **options)
        assert difference.abs().max() < 1e-4


def test_only_the_region_takes_the_style(demo):
    with torch.no_grad():
        source, style = sample_latents(demo, [4], 0.8), sample_latents(demo, [9], 0.8)
    mixed = inject_latents(source, style, masks(demo), region=half(256))
    full = inject_latents(source, style, masks(demo))
    mine, both, other = (drawn(demo, codes) for codes in (source, mixed, full))
    assert (both - mine)[..., 128 + 40 :].abs().max() < 1e-4
    assert (both - other)[..., : 128 - 40].abs().max() < 1e-4
    assert (mine - other).abs().mean() > 0.05


@pytest.mark.parametrize(("layers", "most"), [("all", 0.02), ("4-5", 0.002)])
def test_leakage_is_small_and_the_inside_is_changed(demo, layers, most):
    with torch.no_grad():
        source, style = sample_latents(demo, [4, 5], 0.8), sample_latents(demo, [9], 0.8)
        mixed = inject_latents(source, style, masks(demo, layers), region=half(256))
        figures = leakage(demo, mixed)
    assert figures.shape == (2, 2)
    assert (figures[:, 0] < most).all()
    assert (figures[:, 1] > 0.9).all() and (figures[:, 1] < 1.1).all()


def test_leakage_is_what_its_definition_says(generator, faces):
    mixed = inject_latents(*faces, masks(generator), region=half())
    with torch.no_grad():
        figures = leakage(generator, mixed)
    mine, both, other = (
        drawn(generator, codes) for codes in (faces[0], mixed, inject_latents(*faces, masks(generator)))
    )
    far = max_pool2d(half()[:, None], 3, 1, 1)[0, 0] == 0  # 8 px of 256 are 1 of 32
    outside = (both - mine).abs()[..., far].sum((1, 2)) / (other - mine).abs()[..., far].sum((1, 2))
    assert torch.allclose(figures[:, 0], outside, atol=1e-4)


def test_soft_edges_lie_between_source_and_style(demo):
    with torch.no_grad():
        source, style = sample_latents(demo, [4], 0.8), sample_latents(demo, [9], 0.8)
    soft = torch.full((1, 256, 256), 0.5)
    mine, both, other = (
        drawn(demo, codes)
        for codes in (
            source,
            inject_latents(source, style, masks(demo, "8-13"), region=soft),
            inject_latents(source, style, masks(demo, "8-13")),
        )
    )
    change = (both - mine).abs().mean() / (other - mine).abs().mean()
    assert 0.2 < change < 0.8


def test_every_mask_has_its_own_region(generator, faces):
    regions = torch.cat([half(), 1 - half()])
    mixed = inject_latents(*faces, masks(generator, "0-3; all"), region=regions)
    (region,) = mixed.regions
    assert region.mask.shape == (4, 32, 32)
    assert region.mask[:, 0, 0].tolist() == [255, 0, 255, 0]
    assert torch.equal(mixed.w, faces[0].w.repeat_interleave(2, 0))
    assert torch.equal(region.codes.w, inject_latents(*faces, masks(generator, "0-3; all")).w)
    assert mixed.origins[0] == "seed 1, psi 1 ← seed 3, psi 1, layers 0-3 in a region"


def test_regions_that_do_not_fit_the_masks_are_refused(generator, faces):
    with pytest.raises(sm.StyleMixError, match="one for each of 3 layer masks"):
        inject_latents(*faces, masks(generator, "0; 1; 2"), region=torch.ones(2, 8, 8))


def test_a_later_region_lies_on_top(generator, faces):
    source, style = faces
    below = inject_latents(source, style, masks(generator), region=torch.ones(1, 8, 8))
    above = inject_latents(below, source.take([1]), masks(generator), region=torch.ones(1, 8, 8))
    assert len(above.regions) == 2
    expected = drawn(generator, source)[1:].expand(2, -1, -1, -1)
    assert (drawn(generator, above) - expected).abs().max() < 1e-4


def test_regions_side_by_side_take_two_styles(demo):
    with torch.no_grad():
        source, one, other = (sample_latents(demo, [seed], 0.8) for seed in (4, 9, 12))
    corner = torch.zeros(1, 256, 256)
    corner[:, :80, :80] = 1
    mixed = inject_latents(source, one, masks(demo), region=corner)
    mixed = inject_latents(mixed, other, masks(demo), region=corner.flip(1, 2))
    pictures = [drawn(demo, codes)[0] for codes in (source, one, other, mixed)]
    assert (pictures[3] - pictures[1])[:, :50, :50].abs().max() < 1e-4
    assert (pictures[3] - pictures[2])[:, -50:, -50:].abs().max() < 1e-4
    assert (pictures[3] - pictures[0])[:, :150, -150:].abs().max() < 1e-4


def test_injection_without_a_region_reaches_everywhere(generator, faces):
    source, style = faces
    mixed = inject_latents(source, style, masks(generator, "0-1"), region=half())
    again = inject_latents(mixed, style, masks(generator))
    assert len(again.regions) == 1
    expected = drawn(generator, style).expand(2, -1, -1, -1)
    assert (drawn(generator, again) - expected).abs().max() < 1e-4


def test_a_style_with_regions_is_refused(generator, faces):
    mixed = inject_latents(*faces, masks(generator), region=half())
    with pytest.raises(LatentMismatchError, match="not one style"):
        inject_latents(faces[0], mixed, masks(generator))


@pytest.fixture
def mixed(generator, faces):
    return inject_latents(*faces, masks(generator, "0-3; all"), region=half())


def test_regions_survive_a_file(generator, mixed, tmp_path):
    save_latents(tmp_path / "codes.safetensors", mixed)
    again = load_latents(tmp_path / "codes.safetensors")
    assert torch.equal(again.regions[0].mask, mixed.regions[0].mask)
    assert torch.equal(again.regions[0].codes.w, mixed.regions[0].codes.w)
    assert torch.allclose(drawn(generator, again), drawn(generator, mixed), atol=1e-5)


def test_a_damaged_region_is_refused(mixed, tmp_path):
    from safetensors.torch import load_file, save_file

    path = tmp_path / "codes.safetensors"
    save_latents(path, mixed)
    tensors = load_file(path)
    del tensors["region0.mask"]
    metadata = {"format": "stylemix.latents", "version": "2", "origins": '["a", "b", "c", "d"]'}
    save_file(tensors, path, metadata)
    with pytest.raises(CheckpointError, match="is damaged: it lacks 'mask'; save the W. codes anew"):
        load_latents(path)


def test_files_of_a_later_version_are_refused(mixed, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "codes.safetensors"
    metadata = {"format": "stylemix.latents", "version": "3", "origins": '["a", "b", "c", "d"]'}
    save_file({"w": mixed.w.contiguous()}, path, metadata)
    with pytest.raises(CheckpointError, match="is of version 3, this program reads up to 2; update StyleMix"):
        load_latents(path)


def test_regions_are_picked_and_joined(generator, faces, mixed):
    pictures = drawn(generator, mixed)
    assert torch.allclose(drawn(generator, pick_latents(mixed, 1, 2)), pictures[1:3], atol=1e-5)
    joined = drawn(generator, join_latents([mixed, faces[1]]))
    expected = torch.cat([pictures, drawn(generator, faces[1])])
    assert torch.allclose(joined, expected, atol=1e-4)


def test_regions_are_blended_where_they_are_the_same(generator, faces, mixed):
    again = blend_latents(mixed, faces[1], 0.0)
    assert torch.allclose(drawn(generator, again), drawn(generator, mixed), atol=1e-5)
    whole = blend_latents(faces[1], mixed, 0.0)
    assert torch.allclose(
        drawn(generator, whole), drawn(generator, faces[1]).expand(4, -1, -1, -1), atol=1e-4
    )
    both = blend_latents(mixed, mixed, 0.5)
    assert torch.allclose(drawn(generator, both), drawn(generator, mixed), atol=1e-4)
    other = inject_latents(*faces, masks(generator, "0-3; all"), region=1 - half())
    with pytest.raises(LatentMismatchError, match="in different ones"):
        blend_latents(mixed, other, 0.5)


def test_regions_are_truncated_with_their_codes(generator, mixed):
    average = truncate_latents(mixed, generator, 0.0)
    expected = drawn(generator, Latents.of(generator.w_avg.expand(generator.num_ws, -1)))
    assert (drawn(generator, average) - expected).abs().max() < 1e-4


def test_strips_and_single_pictures_draw_the_same_regions(demo, monkeypatch):
    with torch.no_grad():
        source, style = sample_latents(demo, [4, 5], 0.8), sample_latents(demo, [9], 0.8)
    mixed = inject_latents(source, style, masks(demo), region=half(256).transpose(1, 2))
    options = {"noise_mode": "random", "noise_seed": 3}
    whole = drawn(demo, mixed, **options)
    monkeypatch.setattr(strips, "STRIP_BYTES", 1 << 18)
    monkeypatch.setattr(strips, "ALONE_BYTES", 1 << 10)
    assert (drawn(demo, mixed, **options) - whole).abs().max() < 1e-4


def test_pictures_that_are_smaller_than_the_blend_have_regions_too(demo):
    with torch.no_grad():
        source, style = sample_latents(demo, [4], 0.8), sample_latents(demo, [9], 0.8)
    mixed = inject_latents(source, style, masks(demo), region=half(256))
    mine, both, other = (drawn(demo, codes, resolution=32) for codes in (source, mixed, style))
    assert (both - mine)[..., 17:].abs().max() < 1e-5
    assert (both - other)[..., :15].abs().max() < 1e-5


def test_half_precision_draws_the_same_regions(demo):
    with torch.no_grad():
        source, style = sample_latents(demo, [4], 0.8), sample_latents(demo, [9], 0.8)
    mixed = inject_latents(source, style, masks(demo), region=half(256))
    exact = drawn(demo, mixed)
    halved = sm.load_generator("demo", "cpu", "bfloat16")
    assert (drawn(halved, mixed) - exact).abs().mean() < 0.02


def test_gradients_reach_the_styles_inside(generator, faces):
    style = faces[1].w.clone().requires_grad_()
    around = inject_latents(faces[0], Latents.of(style), masks(generator), region=half())
    decode(generator, around)[..., :8].sum().backward()
    assert style.grad is not None and style.grad.abs().max() > 0


@pytest.mark.parametrize("space", ["W+", "convolutions", "to-RGB"])
def test_layers_that_carry_nothing_in_a_space_are_told(generator, faces, space):
    source, style = faces
    for layer in range(generator.num_ws):
        mixed = inject_latents(source, style, masks(generator, str(layer)), space=space)
        same = torch.equal(drawn(generator, mixed), drawn(generator, source))
        warnings = Injection(masks(generator, f"here: {layer}; none; all"), space=space).run(*faces).warnings
        assert len(warnings) == same
        assert not warnings or "the masks here do nothing" in warnings[0]


def test_a_black_region_changes_no_channel(generator, faces):
    injection = Injection(masks(generator, "0-3"), space="channels", region=torch.zeros(1, 8, 8))
    assert not injection.run(*faces, in_chunks(generator)).codes.channels.any()


def test_frames_share_one_region(generator, faces):
    injected = (
        Injection(masks(generator, "0-1"), region=half(), frames=5).run(faces[0].take([0]), faces[1]).codes
    )
    (region,) = injected.regions
    assert len(region.mask) == 5 and region.mask.untyped_storage().nbytes() == region.mask[0].numel()


def test_black_regions_are_told(generator, faces):
    def warnings(region: torch.Tensor) -> list[str]:
        return Injection(masks(generator, "0; 1"), region=region).run(*faces).warnings

    assert warnings(half()) == []
    assert "the region is black everywhere" in warnings(torch.zeros(1, 8, 8))[0]
    assert "region 2 of 2 is black" in warnings(torch.cat([half(8), torch.zeros(1, 8, 8)]))[0]
    assert "region is 16×8 pixels, the pictures are 32×32" in warnings(torch.ones(1, 8, 16))[0]
