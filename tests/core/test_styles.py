"""Style channels: S instead of W+."""

from dataclasses import replace

import pytest
import torch

import stylemix_core as sm
from stylemix_core.codes.combine import blend_latents, join_latents, truncate_latents
from stylemix_core.codes.latents import Latents, check_generator, load_latents, pick_latents, save_latents
from stylemix_core.codes.style_space import channels_in, choose_channels, pack, styles_of, unpack
from stylemix_core.decoding import decode
from stylemix_core.errors import LatentMismatchError, StyleMixError
from stylemix_core.generator.batches import in_chunks
from stylemix_core.mixing.channels import ChannelPairs, channel_changes
from stylemix_core.mixing.inject import Injected, Injection, inject_latents
from stylemix_core.mixing.pairing import Meeting

from .. import builders


def masks(generator, text: str):
    return sm.parse_masks(text, generator.num_ws)


@torch.no_grad()
def in_channels(generator, source, style, masks, region, share=0.5) -> Injected:
    injection = Injection(masks, space="channels", region=region, channel_share=share)
    return injection.run(source, style, in_chunks(generator))


def drawn(generator, latents: Latents) -> torch.Tensor:
    with torch.no_grad():
        return decode(generator, latents)


def test_styles_draw_the_same_picture_as_their_code(generator, faces):
    w = faces[0].w
    with torch.no_grad():
        styles = generator.synthesis.styles(w)
        assert torch.equal(generator.synthesis.draw(styles), generator.synthesis(w))
    assert len(styles) == generator.num_ws - 1 + generator.num_ws // 2


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_networks_with_one_to_rgb_have_fewer_styles(architecture):
    generator = builders.tiny_generator(architecture=architecture)
    with torch.no_grad():
        assert (
            len(generator.synthesis.styles(torch.zeros(1, generator.num_ws, generator.w_dim)))
            == generator.num_ws
        )


def test_every_odd_layer_gives_a_convolution_and_a_to_rgb_their_styles(generator):
    kinds = [(layer, module.to_rgb) for layer, module in generator.synthesis.styled()]
    last = generator.num_ws - 1
    assert sorted(layer for layer, colours in kinds if colours) == list(range(1, last + 1, 2))
    assert sorted(layer for layer, colours in kinds if not colours) == list(range(last))


def test_styles_that_do_not_fit_are_refused(generator, faces):
    styles = generator.synthesis.styles(faces[0].w)
    with pytest.raises(LatentMismatchError, match="this generator takes"):
        generator.synthesis.draw(styles[:-1])


def test_injecting_all_of_s_equals_injecting_all_of_w_plus_bit_for_bit(generator, faces):
    source, style = faces[0], join_latents([faces[1], faces[1]])
    everything = masks(generator, "all")
    expected = drawn(generator, inject_latents(source, style, everything))
    with torch.no_grad():
        assert torch.equal(generator.synthesis.draw(styles_of(generator, style)), expected)
    shapes = inject_latents(source, style, everything, space="convolutions")
    both = inject_latents(shapes, style, everything, space="to-RGB")
    assert both.w_rgb is None
    assert torch.equal(drawn(generator, both), expected)


def test_all_channels_of_all_layers_are_the_style(generator, faces):
    source, style = faces
    everything = masks(generator, "all")
    mixed = in_channels(generator, source, style, everything, torch.ones(1, 8, 8), share=1.0).codes
    assert (drawn(generator, mixed) - drawn(generator, style)).abs().max() < 1e-5


@pytest.mark.parametrize("space", ["convolutions", "to-RGB"])
def test_a_space_changes_its_own_styles_alone(generator, faces, space):
    source, style = faces[0], join_latents([faces[1], faces[1]])
    mixed = inject_latents(source, style, masks(generator, "1, 3@0.5"), space=space)
    before, after, other = (pack(generator, styles_of(generator, codes)) for codes in (source, mixed, style))
    kind = int(space == "to-RGB")
    assert torch.equal(after[:, 1 - kind], before[:, 1 - kind])
    assert torch.equal(after[:, kind, 1], other[:, kind, 1])
    assert torch.allclose(after[:, kind, 3], (before[:, kind, 3] + other[:, kind, 3]) / 2, atol=1e-5)
    assert torch.equal(after[:, kind, 2], before[:, kind, 2])
    assert mixed.origins[0].endswith(f"layers 1, 3@0.5 of {space}")


def test_to_rgbs_take_nothing_of_even_layers(generator, faces):
    source, style = faces
    mixed = inject_latents(source, style, masks(generator, "0, 2"), space="to-RGB")
    assert torch.equal(drawn(generator, mixed), drawn(generator, source))


def test_packing_styles_loses_nothing(generator, faces):
    styles = generator.synthesis.styles(faces[0].w)
    again = unpack(generator, pack(generator, styles))
    assert all(torch.equal(one, other) for one, other in zip(styles, again, strict=True))


def test_channels_in_the_whole_picture_act_with_all_their_energy(generator, faces):
    whole = channels_in(generator, faces[0], torch.ones(1, 8, 8))
    assert torch.allclose(*whole, rtol=1e-4)
    nowhere, _ = channels_in(generator, faces[0], torch.zeros(1, 8, 8))
    assert not nowhere.any()


def test_the_halves_of_a_picture_share_the_energy(generator, faces):
    left = torch.zeros(1, 32, 32)
    left[..., :16] = 1
    one, everywhere = channels_in(generator, faces[0], left)
    other, _ = channels_in(generator, faces[0], 1 - left)
    assert torch.allclose(one + other, everywhere, rtol=1e-3)


def test_the_channels_with_the_largest_part_inside_are_chosen():
    inside = torch.tensor([1.0, 6.0, 3.0, 0.0, 0.0]).expand(1, 2, 6, 5)
    everywhere = torch.tensor([10.0, 8.0, 4.0, 4.0, 0.0]).expand(1, 2, 6, 5)  # the last one is padding
    assert choose_channels(inside, everywhere, 0.5)[0, 0, 0].tolist() == [0, 1, 1, 0, 0]
    assert choose_channels(inside, everywhere, 1.0)[0, 1, 5].tolist() == [1, 1, 1, 1, 0]
    assert not choose_channels(inside, everywhere, 0.0).any()
    with pytest.raises(StyleMixError, match="from 0 to 1"):
        choose_channels(inside, everywhere, 1.5)


@torch.no_grad()
def test_channels_are_measured_once_a_pair_in_whatever_batches(generator, faces):
    two, region = masks(generator, "0-3@0.5; all"), torch.eye(32)[None]
    met = ChannelPairs.of(Meeting.of(*faces, two, "match"), region)
    changes = channel_changes(generator, met, 0.5)
    expected = inject_latents(*faces, two, space="channels", channels=changes)
    batches = []

    def one_by_one(count, forward):
        batches.append(count)
        return torch.cat([forward(generator, slice(i, i + 1)) for i in range(count)])

    injection = Injection(two, space="channels", region=region, channel_share=0.5)
    for runner in (in_chunks(generator), one_by_one):
        injected = injection.run(*faces, runner)
        assert torch.allclose(injected.codes.channels, expected.channels, atol=1e-5)
        assert injected.codes.origins == expected.origins and injected.warnings == []
    assert batches == [2]


def test_channels_of_another_generator_and_no_channels_at_all_are_told(generator, faces):
    source, style = (replace(codes, generator="another") for codes in faces)
    none, other = in_channels(generator, source, style, masks(generator, "all"), torch.eye(32), 0.0).warnings
    assert none == "results stay the source: a channel share of 0 takes no channels; give more"
    assert "for a generator with other weights" in other


def test_channels_need_to_be_given(generator, faces):
    with pytest.raises(StyleMixError, match="needs a generator and a region"):
        inject_latents(*faces, masks(generator, "all"), space="channels")


def test_channels_of_codes_with_regions_are_refused(generator, faces):
    whole = torch.ones(1, 8, 8)
    mixed = inject_latents(*faces, masks(generator, "all"), region=whole)
    with pytest.raises(LatentMismatchError, match="inject channels first"):
        in_channels(generator, mixed, faces[1], masks(generator, "all"), whole)


@pytest.fixture(params=["to-RGB", "channels"])
def changed(request, generator, faces):
    """Codes with something that is not W+."""
    everything = masks(generator, "0-3; 4, 5")
    if request.param == "channels":
        return in_channels(generator, *faces, everything, torch.eye(32)[None]).codes
    return inject_latents(*faces, everything, space=request.param)


def test_what_is_not_w_plus_survives_a_file(generator, changed, tmp_path):
    save_latents(tmp_path / "codes.safetensors", changed)
    again = load_latents(tmp_path / "codes.safetensors")
    assert torch.allclose(drawn(generator, again), drawn(generator, changed), atol=1e-5)
    assert again.origins == changed.origins and again.generator == changed.generator


def test_what_is_not_w_plus_is_picked_and_joined(generator, faces, changed):
    pictures = drawn(generator, changed)
    assert torch.allclose(drawn(generator, pick_latents(changed, 2)), pictures[2:3], atol=1e-5)
    joined = join_latents([faces[1], changed])
    expected = torch.cat([drawn(generator, faces[1]), pictures])
    assert torch.allclose(drawn(generator, joined), expected, atol=1e-5)


def test_what_is_not_w_plus_is_blended(generator, faces, changed):
    """Styles are affine in W+, so halfway in one is halfway in the other."""
    halfway = blend_latents(changed, faces[1], 0.5)
    mine, other, mixed = (
        pack(generator, styles_of(generator, codes)) for codes in (changed, faces[1], halfway)
    )
    assert torch.allclose(mixed, (mine + other) / 2, atol=1e-5)
    assert torch.allclose(
        drawn(generator, blend_latents(changed, faces[1], 1.0)), drawn(generator, faces[1]), atol=1e-5
    )


def test_what_is_not_w_plus_is_truncated(generator, changed):
    average = Latents.of(generator.w_avg.expand(generator.num_ws, -1))
    mean, before, after = (
        pack(generator, styles_of(generator, codes))
        for codes in (average, changed, truncate_latents(changed, generator, 0.6, cutoff=3))
    )
    assert torch.allclose(after[:, :, :3], (mean + 0.6 * (before - mean))[:, :, :3], atol=1e-5)
    assert torch.equal(after[:, :, 3:], before[:, :, 3:])


def test_injecting_everything_once_more_leaves_nothing_of_it(generator, faces, changed):
    again = inject_latents(changed, faces[1], masks(generator, "all"))
    assert torch.allclose(
        drawn(generator, again), drawn(generator, faces[1]).expand(4, -1, -1, -1), atol=1e-5
    )


def test_codes_with_channels_of_another_generator_are_refused(generator, faces):
    odd = Latents(faces[1].w, faces[1].origins, channels=torch.zeros(1, 2, generator.num_ws, 7))
    with pytest.raises(LatentMismatchError, match="style channels of 7 numbers"):
        check_generator(odd, generator)
