"""Walks: curves through keyframes, times, speed."""

import math

import numpy as np
import pytest
import torch

import stylemix_core as sm
from stylemix_core.motion import curves, speed, walk

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
    timing = walk.plan_times(3, [2, 4], False, [1, 0, 2])
    assert timing.times.tolist() == [0, 0, 0.5, 1, 1.25, 1.5, 1.75, 2, 2, 2]
    assert walk.plan_times(2, 4, True).times.tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    eased = walk.plan_times(2, 4, False, easing="in-out").times
    assert eased.tolist() == [0, 0.15625, 0.5, 0.84375, 1]
    for wrong in ({"frames": 0}, {"frames": [1, 2]}, {"frames": 2, "easing": "up"}, {"frames": 10**7}):
        with pytest.raises(sm.StyleMixError):
            walk.plan_times(2, **{"loop": False, **wrong})


def test_a_walk_tells_where_it_is(faces):
    given = faces[0]
    found = walk.latent_walk(given, 4)
    assert len(found) == 5 and found.generator == given.generator
    assert torch.equal(found.w[0], given.w[0]) and torch.equal(found.w[-1], given.w[1])
    assert found.origins[1] == "seed 1 → seed 2, 25%" and found.origins[4] == "seed 2"
    with pytest.raises(sm.StyleMixError, match="two faces"):
        walk.latent_walk(given.take([0]))
    with pytest.raises(sm.StyleMixError, match="unknown for codes"):
        walk.latent_walk(given, 4, "slerp")


def test_random_walks_are_smooth_alike_and_go_round(generator):
    one, again = (walk.random_walk(generator, 40, 3, smooth=8) for _ in range(2))
    assert torch.equal(one.w, again.w)
    changes = (one.w.roll(-1, 0) - one.w).flatten(1).norm(dim=1)
    assert float(changes[-1]) < 1.5 * float(changes.max()), "the last frame leads into the first"
    far = (one.w - one.w.roll(20, 0)).flatten(1).norm(dim=1)
    assert float(changes.mean()) < 0.4 * float(far.mean())
    assert not torch.equal(one.w, walk.random_walk(generator, 40, 4, smooth=8).w)


def test_a_circle_keeps_its_distance(faces):
    source, style = faces
    other = torch.cat([source.w[1:], style.w])
    found = walk.circle(source.take([0]), sm.Latents.of(other, "others", source.generator), 8, 0.5)
    torch.testing.assert_close(found.w[0], source.w[0] + 0.5 * (other[0] - source.w[0]))
    torch.testing.assert_close(found.w[4], source.w[0] - 0.5 * (other[0] - source.w[0]))
    assert math.isclose(float((found.w.mean(0) - source.w[0]).abs().max()), 0, abs_tol=1e-5)


def test_constant_visible_speed(demo):
    w = demo.mapping(sm.sample_z([1, 2, 3], 512), truncation_psi=0.8)

    def codes(times):
        return curves.interpolate(w, times, "linear", False)

    def variation(times):
        pictures = demo.synthesis(codes(times), "none", resolution=64)
        changes = (pictures[1:] - pictures[:-1]).square().mean((1, 2, 3)).sqrt()
        return float(changes.std() / changes.mean())

    with torch.inference_mode():
        even = speed.even_out(demo, codes, 0, 2, 25)
        assert (float(even[0]), float(even[-1])) == (0, 2) and bool((even.diff() > 0).all())
        assert variation(torch.linspace(0, 2, 25, dtype=torch.float64)) > 0.25
        assert variation(even) < 0.1
