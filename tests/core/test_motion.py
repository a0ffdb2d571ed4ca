"""Walks: curves through keyframes, times, speed."""

import numpy as np
import pytest
import torch

import stylemix_core as sm
from stylemix_core.codes.combine import join_latents
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.codes.seeds import describe, seed_of
from stylemix_core.motion import curves, walk

pytestmark = pytest.mark.usefixtures("one_thread")


def keys(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [2, 3, 4, 7])
@pytest.mark.parametrize("loop", [False, True])
def test_a_cubic_walk_is_scipys_spline(count, loop):
    interpolate = pytest.importorskip("scipy.interpolate")
    given = keys(count)
    times = torch.linspace(0, count if loop else count - 1, 61, dtype=torch.float64)
    x = np.arange(count + loop)
    y = torch.cat([given, given[:1]]) if loop else given
    spline = interpolate.CubicSpline(x, y.double().numpy(), bc_type="periodic" if loop else "not-a-knot")
    found = curves.interpolate(given, times, "cubic", loop)
    torch.testing.assert_close(found, torch.from_numpy(spline(times.numpy())).float(), rtol=0, atol=1e-6)


def test_a_loop_of_many_keys_is_nvidias_wrapped_spline():
    interpolate = pytest.importorskip("scipy.interpolate")
    given = keys(8)
    x = np.arange(-8 * 2, 8 * 3)
    wrapped = interpolate.interp1d(x, np.tile(given.numpy(), [5, 1, 1]), kind="cubic", axis=0)
    times = torch.linspace(0, 8, 97, dtype=torch.float64)
    found = curves.interpolate(given, times, "cubic", True)
    torch.testing.assert_close(found, torch.from_numpy(wrapped(times.numpy())).float(), rtol=0, atol=1e-6)


def test_slerp_keeps_lengths_and_turns_evenly():
    given = torch.nn.functional.normalize(keys(3).flatten(1), dim=1)
    times = torch.linspace(0, 2, 41, dtype=torch.float64)
    found = curves.interpolate(given, times, "slerp", False)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(41))
    angles = torch.acos((found[1:21] * found[:20]).sum(1).clamp(-1, 1))
    assert float(angles.std() / angles.mean()) < 0.01
    same = curves.interpolate(torch.stack([given[0], given[0]]), times / 2, "slerp", False)
    torch.testing.assert_close(same, given[:1].expand(41, -1))


@pytest.mark.parametrize("kind", curves.INTERPOLATIONS)
def test_keys_are_met_bit_for_bit_and_loops_close(kind):
    given = keys(4)
    found = curves.interpolate(given, torch.arange(5, dtype=torch.float64), kind, True)
    assert torch.equal(found, torch.cat([given, given[:1]]))


def test_times_of_frames_holds_and_easing():
    assert walk.plan_times(3, [2, 4], False, [1, 0, 2]).tolist() == [0, 0, 0.5, 1, 1.25, 1.5, 1.75, 2, 2, 2]
    assert walk.plan_times(2, 4, True).tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    assert walk.plan_times(2, 4, False, easing="in-out").tolist() == [0, 0.15625, 0.5, 0.84375, 1]
    assert walk.plan_times(2, 4, False, easing="in").tolist() == [0, 0.0625, 0.25, 0.5625, 1]
    assert walk.plan_times(2, 4, False, easing="out").tolist() == [0, 0.4375, 0.75, 0.9375, 1]


def test_a_walk_tells_where_it_is(faces):
    given = faces[0]
    found = walk.latent_walk(given, 4, loop=False)
    assert len(found) == 5 and found.generator == given.generator
    assert torch.equal(found.w[0], given.w[0]) and torch.equal(found.w[-1], given.w[1])
    assert found.origins[1] == "seed 1 → seed 2, 25%" and found.origins[4] == "seed 2"
    assert walk.latent_walk(given, 4).origins[7] == "seed 2 → seed 1, 75%"


def test_slerp_goes_through_z(generator, faces):
    given = faces[0]
    found = walk.latent_walk(given, 4, "slerp", False, G=generator)
    torch.testing.assert_close(found.w[[0, -1]], given.w)
    z = curves.interpolate(sm.sample_z([1, 2], generator.z_dim), torch.tensor([0.5]), "slerp", False)
    with torch.no_grad():
        torch.testing.assert_close(found.w[2:3], generator.mapping(z))
    changed = sm.Latents(given.w + 0.1, given.origins, given.generator)
    with pytest.raises(sm.StyleMixError, match="no longer those of their seeds"):
        walk.latent_walk(changed, 4, "slerp", G=generator)
    with pytest.raises(sm.StyleMixError, match="'photo.png' is none"):
        walk.latent_walk(sm.Latents.of(given.w, "photo.png"), 4, "slerp", G=generator)
    with torch.no_grad():
        other = sample_latents(generator, [1], 0.5)
    with pytest.raises(sm.StyleMixError, match="differ in truncation"):
        walk.latent_walk(join_latents([given, other]), 4, "slerp", G=generator)


@pytest.mark.parametrize("line", [(7, 0.7, None, None), (2**64 - 1, -1.5, 8, 3), (0, 0.0, None, 999)])
def test_a_seeds_origin_is_read_again(line):
    assert seed_of(describe(*line)) == line
    assert seed_of(describe(*line) + ", truncated to 0.5") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"curve": "round"}, "choose one of: cubic"),
        ({"speed": "fast"}, "choose one of: visible"),
        ({"speed": "visible"}, "visible speed needs the generator"),
        ({"curve": "slerp"}, "slerp needs the generator"),
        ({"curve": "circle"}, "around one face towards two others; found 2"),
        ({"frames": 0}, "give 1 or more"),
        ({"frames": [1, 2, 3]}, "give one for all, or 2"),
        ({"frames": 10**6}, "1000000 at most"),
        ({"holds": -1}, "give 0 or more"),
        ({"easing": "up"}, "choose one of: none"),
    ],
)
def test_what_does_not_fit_is_refused(faces, given, message):
    with pytest.raises(sm.StyleMixError, match=message):
        walk.latent_walk(faces[0], **given)


def test_other_keys_are_refused(generator, faces, demo):
    with pytest.raises(sm.StyleMixError, match="found 1, give two or more"):
        walk.latent_walk(faces[1])
    with pytest.raises(sm.LatentMismatchError, match="Use the generator"):
        walk.latent_walk(faces[0], G=demo)
    with pytest.raises(sm.StyleMixError, match="easing changes the speed"):
        walk.latent_walk(faces[0], speed="visible", easing="in", G=generator)


def test_random_walks_are_smooth_alike_and_go_round(generator):
    one, again = (walk.random_walk(generator, 40, 3, smooth=8) for _ in range(2))
    assert torch.equal(one.w, again.w)
    changes = (one.w.roll(-1, 0) - one.w).flatten(1).norm(dim=1)
    assert float(changes[-1]) < 1.5 * float(changes[:-1].max()), "the last frame leads into the first"
    far = (one.w - one.w.roll(20, 0)).flatten(1).norm(dim=1)
    assert float(changes.mean()) < 0.4 * float(far.mean())
    assert not torch.equal(one.w, walk.random_walk(generator, 40, 4, smooth=8).w)
    with pytest.raises(sm.StyleMixError, match="give 2 to"):
        walk.random_walk(generator, 1)


def test_a_circle_takes_what_colours_read_along(faces):
    w = torch.cat([faces[0].w, faces[1].w])
    found = walk.latent_walk(sm.Latents(w, ("a", "b", "c"), None, w.flip(0)), 8, "circle")
    torch.testing.assert_close(found.w_rgb[0], w[2] + 0.5 * (w[1] - w[2]))


def test_a_circle_keeps_its_distance(faces):
    w = torch.cat([faces[0].w, faces[1].w])
    found = walk.latent_walk(sm.Latents.of(w), 8, "circle")
    torch.testing.assert_close(found.w[0], w[0] + 0.5 * (w[1] - w[0]))
    torch.testing.assert_close(found.w[2], w[0] + 0.5 * (w[2] - w[0]))
    torch.testing.assert_close(found.w[4], w[0] - 0.5 * (w[1] - w[0]))
    torch.testing.assert_close(found.w.mean(0), w[0])


def changes(demo, codes: sm.Latents) -> torch.Tensor:
    with torch.inference_mode():
        pictures = demo.synthesis(codes.w, "none")
    return (pictures[1:] - pictures[:-1]).abs().mean((1, 2, 3))


def test_constant_visible_speed(demo):
    with torch.inference_mode():
        given = sample_latents(demo, [0, 1, 2], 0.8)
        even = walk.latent_walk(given, 12, "linear", False)
        visible = walk.latent_walk(given, 12, "linear", False, "visible", demo)
    assert len(visible) == len(even) == 25
    assert torch.equal(visible.w[[0, -1]], given.w[[0, 2]])
    for codes, least, most in ((even, 0.3, 9.0), (visible, 0.0, 0.05)):
        found = changes(demo, codes)
        assert least < float(found.std() / found.mean()) < most


def test_at_visible_speed_holds_stay_at_their_keys(demo):
    with torch.inference_mode():
        given = sample_latents(demo, [1, 2], 0.8)
        found = walk.latent_walk(given, 6, "cubic", False, "visible", demo, holds=[2, 3])
    assert len(found) == 12
    assert torch.equal(found.w[:3], given.w[:1].expand(3, -1, -1))
    assert torch.equal(found.w[-4:], given.w[1:].expand(4, -1, -1))
