"""Points of a picture are dragged, and the face follows."""

import numpy as np
import pytest
import torch

import stylemix_core as sm
from stylemix_core.codes.latents import Latents
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES
from stylemix_core.faces.detection import find_faces
from stylemix_core.images import to_pil

from .. import builders

NOSE = 1
"""The tip of the nose in the face mesh."""
UNIFORM = 12**-0.5
"""How far attributes spread: the standard deviation of numbers that are uniform in 0…1."""
RIGHT = sm.parse_drags("0.5,0.58 > 0.54,0.58")


@pytest.fixture(scope="module")
def face(demo) -> Latents:
    """Looks straight ahead, without glasses or a hat."""
    w = demo.mapping(sm.sample_z([5], 512))
    for name, value in (("turn", 0.5), ("glasses", 0.2), ("hat", 0.2), ("eyelids", 0.7)):
        w = truth.with_attribute(w, name, value)
    return Latents(w, ("a face",), demo.fingerprint())


def nose(generator, w: torch.Tensor) -> np.ndarray:
    """Where the tip of the nose is, as the face mesh sees it, in parts of the picture."""
    with torch.no_grad():
        picture = to_pil(generator.synthesis(w)[0].clamp(-1, 1))
    ((found,),) = find_faces([picture])
    return found.points[NOSE] / picture.width


def test_the_face_turns_with_its_nose(demo, face):
    seen = []
    dragged = sm.drag_points(demo, face, RIGHT, on_step=lambda step, so_far: seen.append(so_far.left[0]))
    assert dragged.arrived == (True,) and dragged.left[0] <= 0.5 / 128
    assert dragged.steps == len(seen) <= 40
    assert dragged.report(256).startswith(f"1 of 1 point arrived in {dragged.steps} steps\n")
    assert seen[-1] == dragged.left[0] < seen[0]
    asked = np.subtract(RIGHT[0].end, RIGHT[0].start)
    moved = nose(demo, dragged.latents.w) - nose(demo, face.w)
    assert 256 * np.linalg.norm(moved - asked) <= 4
    before, after = (truth.attributes_of_codes(w)[0] for w in (face.w, dragged.latents.w))
    assert after[truth.column("turn")] > before[truth.column("turn")] + 0.03
    # What the gradient does not need hardly moves; beyond the first six layers nothing moves at all.
    others = [column for column, attribute in enumerate(ATTRIBUTES) if attribute.layer > 1]
    assert (after - before)[others].abs().max() <= 0.15 * UNIFORM
    assert torch.equal(dragged.latents.w[:, 6:], face.w[:, 6:])
    assert not torch.equal(dragged.latents.w[:, :6], face.w[:, :6])
    assert dragged.latents.origins == ("a face, dragged",) and dragged.latents.generator == face.generator


def test_the_same_drag_gives_the_same_face(demo, face):
    one, other = (sm.drag_points(demo, face, RIGHT, steps=3) for _ in range(2))
    assert torch.equal(one.latents.w, other.latents.w) and one.points == other.points
    with torch.inference_mode():
        inside = sm.drag_points(demo, face, RIGHT, steps=3)
    assert torch.equal(one.latents.w, inside.latents.w)
    saving = sm.drag_points(demo, face, RIGHT, steps=3, checkpointing=True)
    assert torch.allclose(one.latents.w, saving.latents.w, atol=1e-5)


def test_only_chosen_layers_and_places_move(demo, face):
    masks = sm.parse_masks("0", demo.num_ws)
    dragged = sm.drag_points(demo, face, RIGHT, masks, steps=3)
    assert torch.equal(dragged.latents.w[:, 1:], face.w[:, 1:])

    def change(may_move: torch.Tensor | None) -> float:
        """Of the lower half."""
        w = sm.drag_points(demo, face, RIGHT, steps=8, may_move=may_move).latents.w
        with torch.no_grad():
            changed = demo.synthesis(w) - demo.synthesis(face.w)
        return float(changed[:, :, 128:].abs().mean())

    upper = (torch.arange(64) < 32).float()[:, None].expand(64, 64)
    assert change(upper) < 0.8 * change(None)


def test_it_can_be_stopped(demo, face):
    dragged = sm.drag_points(demo, face, RIGHT, on_step=lambda step, so_far: step == 2)
    assert dragged.steps == 2
    still = sm.drag_points(demo, face, sm.parse_drags("0.5,0.5 > 0.5,0.5"))
    assert still.steps == 0 and torch.equal(still.latents.w, face.w)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no point to drag"),
        ("0.5,0.5", "expected a point and where it shall go, as in 0.50,0.58 > 0.54,0.58; found '0.5,0.5'"),
        ("0.5,0.5 > 0.6,1.2", "places are from 0 to 1"),
        ("0.1,0.2 > 0.3,0.4; nose", "found 'nose'"),
    ],
)
def test_what_is_no_drag_is_refused(text, message):
    with pytest.raises(sm.StyleMixError, match=message):
        sm.parse_drags(text)


def test_several_drags_are_read():
    first, second = sm.parse_drags(" .5,0.5>0.6,0.5 ;\n0,1 > 1,0\n")
    assert (first.start, first.end, second.start, second.end) == ((0.5, 0.5), (0.6, 0.5), (0, 1), (1, 0))


def test_distances_are_pixels_in_pictures_that_are_not_square():
    tall = builders.tiny_generator(start=(8, 4), img_resolution=64)
    w = tall.mapping(sm.sample_z([0], tall.z_dim))
    across, down = (sm.Drag((0.5, 0.5), end) for end in ((0.6, 0.5), (0.5, 0.6)))
    left = sm.drag_points(tall, Latents(w, ("face",)), [across, down], steps=0).left
    assert left == pytest.approx((0.05, 0.1))  # of the larger side


def test_what_cannot_be_dragged_is_refused(demo, face):
    twice = face.take([0, 0])
    with pytest.raises(sm.StyleMixError, match="one face is dragged at a time; found 2 codes"):
        sm.drag_points(demo, twice, RIGHT)
    with pytest.raises(sm.StyleMixError, match="one mask says which layers move; found 2 masks"):
        sm.drag_points(demo, face, RIGHT, sm.parse_masks("0; 1", demo.num_ws))
    with pytest.raises(sm.StyleMixError, match="cannot be dragged: .* Take the codes before it"):
        sm.drag_points(demo, Latents(face.w, face.origins, w_rgb=face.w), RIGHT)
    with pytest.raises(sm.StyleMixError, match="which is 2 masks; expected one"):
        sm.drag_points(demo, face, RIGHT, may_move=torch.ones(2, 8, 8))
