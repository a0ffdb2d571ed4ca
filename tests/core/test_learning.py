"""Directions by example: what is learnt of the demo's attributes, which are known, and how far it can be trusted."""

import json
import math

import pytest
import torch

import stylemix_core as sm
from stylemix_core.analysis.direction_effects import HARDLY, condition_on_effects, explained
from stylemix_core.codes.directions import MANY, luck
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.codes.sorting import ask_next, read_choices
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import ATTRIBUTES, index
from stylemix_core.errors import LatentMismatchError, StyleMixError
from tests import builders


@pytest.fixture(scope="module")
def demo():
    return sm.load_generator("demo", "cpu")


@pytest.fixture(scope="module")
def people(demo):
    """Sampled w, and the attributes that they have."""
    z = torch.randn(2_000, demo.z_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return demo.mapping(z), truth.attributes_of(z)


def learn(demo, people, name, count, **more):
    w, attributes = people
    has = attributes[:, index(name)] > 0.5
    return sm.learn_direction(demo, w[has][:count], w[~has][:count], name, **more)


NAMES = ("tilt", "jaw", "cut", "smile", "hair_tone", "clothes_tone")


@pytest.mark.parametrize("name", NAMES)
def test_the_layer_that_carries_an_attribute_is_found(name, demo, people):
    found = learn(demo, people, name, 20)
    layer = ATTRIBUTES[index(name)].layer
    assert found.layers.nonzero()[:, 0].tolist() == [layer]
    assert found.vectors.shape == (1, demo.num_ws, demo.w_dim)
    assert max(range(demo.num_ws), key=found.confidence.layers.__getitem__) == layer
    assert not found.confidence.is_noise and found.confidence.accuracy > 0.7
    more = learn(demo, people, name, 150)
    assert torch.cosine_similarity(found.vectors.flatten(), more.vectors.flatten(), 0) > 0.85


def test_only_what_the_attribute_reads_is_moved(demo, people):
    """A layer's attributes read coordinates of their own; a plain difference of means moves all of them."""
    w, attributes = people
    column = index("smile")
    has = attributes[:, column] > 0.5
    plain = w[has][:20, 0].mean(0) - w[~has][:20, 0].mean(0)
    found = learn(demo, people, "smile", 20).vectors[0, ATTRIBUTES[column].layer]
    own = truth.attribute_of_coordinate() == column

    def inside(vector):
        return float(vector[own].square().sum() / vector.square().sum())

    assert inside(found) > 0.85 > 0.6 > inside(plain)


def test_strength_one_is_the_difference_of_the_groups(demo, people):
    found = learn(demo, people, "hair_tone", 150)
    w, attributes = people
    has = attributes[400:, index("hair_tone")] > 0.5
    along = (w[400:] * found.vectors[0]).sum((1, 2))
    assert float((along[has].mean() - along[~has].mean()) / found.units[0]) == pytest.approx(1, abs=0.15)


def test_moving_by_one_turns_those_who_have_it_not_into_those_who_have(demo, people):
    found = learn(demo, people, "smile", 20)
    w, _ = people
    moved = sm.apply_direction(sm.Latents.of(w[300:400]), found, "smile", 1.0).w
    column = index("smile")
    own = truth.attribute_of_coordinate() == column
    layer = ATTRIBUTES[column].layer
    # The second half of w mirrors the first, so their difference grows with the attribute.
    sign = torch.where(torch.arange(demo.w_dim) < demo.w_dim // 2, 1.0, -1.0) * own
    assert float((((moved - w[300:400])[:, layer] @ sign) > 0).float().mean()) == 1


def test_labels_that_mean_nothing_are_called_noise(demo, people):
    w, _ = people
    noise = 0
    for seed in range(20):
        order = torch.randperm(2_000, generator=torch.Generator().manual_seed(seed))
        found = sm.learn_direction(demo, w[order[:10]], w[order[10:20]], seed=seed)
        noise += found.confidence.is_noise
        assert ("this is noise" in found.report()) == found.confidence.is_noise
    assert noise >= 19


def test_pairs_tell_what_single_faces_hide(demo, people):
    """The same faces after and before a change much smaller than what sets the faces apart."""
    w, _ = people
    direction = learn(demo, people, "smile", 150)
    after = sm.apply_direction(sm.Latents.of(w[:8]), direction, 1, 0.15).w
    found = sm.learn_direction(demo, after, w[:8], "smile", pairs=True)
    assert torch.cosine_similarity(found.vectors.flatten(), direction.vectors.flatten(), 0) > 0.99
    assert float(found.units[0]) == pytest.approx(0.15 * float(direction.units[0]), rel=0.05)
    assert found.confidence.accuracy == 1
    alone = sm.learn_direction(demo, after, w[:8], "smile")
    assert alone.confidence.is_noise


@pytest.mark.parametrize("count", [3, 5])
def test_shuffled_labels_are_never_the_true_ones(count, demo, people):
    """Of so few examples a shuffle is often the labelling itself, or its opposite, which separates as well."""
    w, _ = people
    direction = learn(demo, people, "hair_tone", 150)
    after = sm.apply_direction(sm.Latents.of(w[:count]), direction, 1, 1.0).w
    for seed in range(6):
        found = sm.learn_direction(demo, after, w[:count], pairs=True, seed=seed)
        assert found.confidence.by_chance < 0.5 * found.confidence.separation
        assert found.layers.nonzero()[:, 0].tolist() == [ATTRIBUTES[index("hair_tone")].layer]


def test_a_pair_counts_once(demo, people):
    """Three pairs that are told right are one chance in eight, five are one in 32."""
    w, _ = people
    direction = learn(demo, people, "hair_tone", 150)
    for count, noise in ((3, True), (5, False)):
        after = sm.apply_direction(sm.Latents.of(w[:count]), direction, 1, 1.0).w
        found = sm.learn_direction(demo, after, w[:count], pairs=True).confidence
        assert (found.accuracy, found.pairs, found.is_noise) == (1, True, noise)


def test_chances_of_many_faces_are_near_the_exact_ones():
    exact = sum(math.comb(MANY, k) for k in range(270, MANY + 1)) / 2**MANY
    assert luck(270, MANY) == exact
    assert luck(275, MANY + 1) == pytest.approx(
        sum(math.comb(MANY + 1, k) for k in range(275, MANY + 2)) / 2 ** (MANY + 1), rel=0.02
    )
    assert luck(99_999, 199_998) == pytest.approx(0.5, abs=0.01)


def test_groups_that_do_not_differ_are_refused(demo, people):
    w, _ = people
    for pairs in (False, True):
        with pytest.raises(StyleMixError, match="the same on average, so there is nothing to learn"):
            sm.learn_direction(demo, w[:5], w[:5], pairs=pairs)


def test_even_noise_moves_faces(demo, people):
    w, _ = people
    units = [
        float(sm.learn_direction(demo, w[i : i + 3], w[i + 3 : i + 6]).units[0]) for i in range(0, 60, 6)
    ]
    assert min(units) > 0


def test_it_is_kept_with_its_confidence(demo, people, tmp_path):
    found = learn(demo, people, "smile", 10)
    sm.save_directions(tmp_path / "smile.safetensors", found)
    again = sm.load_directions(tmp_path / "smile.safetensors", demo)
    assert again.confidence == found.confidence and torch.equal(again.vectors, found.vectors)
    assert again.report() == found.report() and "learnt from 10 + 10 faces" in again.report()
    assert (learn(demo, people, "smile", 10).vectors == found.vectors).all()


NUMBERS = '"positive": 3, "negative": 3, "stability": 1, "separation": 2, "by_chance": 1, "layers": [1]'


@pytest.mark.parametrize(
    "text",
    [f'{{{NUMBERS}, "accuracy": {value}}}' for value in ("NaN", "-1", "2")]
    + [
        f'{{{NUMBERS.replace("[1]", "[Infinity]")}, "accuracy": 1}}',
        "[]",
        "{}",
        '{"layers": [1], "positive": -1, "negative": 2}',
        "nonsense",
    ],
)
def test_a_broken_confidence_is_damage(text, demo, people, tmp_path):
    found = learn(demo, people, "smile", 10)
    sm.save_directions(tmp_path / "a.safetensors", found)
    data = (tmp_path / "a.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["confidence"] = text
    changed = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(len(changed).to_bytes(8, "little") + changed + data[8 + size :])
    with pytest.raises(StyleMixError, match="is damaged"):
        sm.load_directions(tmp_path / "a.safetensors")


def test_too_few_or_unfitting_faces_are_refused(demo, people):
    w, _ = people
    with pytest.raises(StyleMixError, match="there are 2 faces with it and 5 without it; give 3 or more"):
        sm.learn_direction(demo, w[:2], w[2:7])
    with pytest.raises(StyleMixError, match="there are 3 and 4; give equally many"):
        sm.learn_direction(demo, w[:3], w[3:7], pairs=True)
    with pytest.raises(LatentMismatchError, match="this generator .32 pixels. takes 8 of 16"):
        sm.learn_direction(builders.tiny_generator(), w[:3], w[3:7])


def test_a_direction_is_made_orthogonal_to_others(demo, people):
    smile, lips, tone = (learn(demo, people, name, 20) for name in ("smile", "lips", "hair_tone"))
    two = sm.Directions(
        torch.cat([lips.vectors, tone.vectors]), torch.ones(2), None, ("lips", "tone"), None, "learnt"
    )
    left = sm.condition_directions(smile, two)
    for other in (lips, tone):
        assert torch.einsum("ld,ld->l", left.vectors[0], other.vectors[0]).abs().max() < 1e-5
    assert torch.cosine_similarity(left.vectors.flatten(), smile.vectors.flatten(), 0) > 0.85
    sefa = sm.find_directions(demo, count=4)
    assert torch.allclose(
        sm.condition_directions(sefa.pick([0]), sefa.pick([1, 2])).vectors, sefa.vectors[:1], atol=1e-5
    )
    with pytest.raises(StyleMixError, match="'SeFa 1' is made of the others"):
        sm.condition_directions(sefa.pick([0]), sefa)
    with pytest.raises(StyleMixError, match="only directions of one space"):
        sm.condition_directions(sefa, sm.style_channels(demo, "3:5"))


def test_what_others_change_in_pictures_is_taken_away(demo, people):
    """A direction that smiles and colours hair, without the hair: what is left does not colour it."""
    smile, tone = (learn(demo, people, name, 50) for name in ("smile", "hair_tone"))
    both = sm.Directions(
        smile.vectors * smile.units + 0.5 * tone.vectors * tone.units,
        torch.ones(1),
        None,
        ("both",),
        None,
        "learnt",
    )
    faces = sample_latents(demo, [1, 2], 0.7)
    left = condition_on_effects(demo, faces, both, tone)
    cosine = torch.cosine_similarity(left.vectors.flatten(), smile.vectors.flatten(), 0)
    assert cosine > 0.98 > torch.cosine_similarity(both.vectors.flatten(), smile.vectors.flatten(), 0)


PROPOSED = {
    "tilt": "pose",
    "volume": "hair shape",
    "smile": "mouth shape",
    "hair_tone": "hair colour",
    "skin_tone": "face colour",
}


def test_a_direction_is_called_by_what_it_changes(demo, people):
    faces = sample_latents(demo, [1, 2], 0.7)
    for name, expected in PROPOSED.items():
        (effect,) = sm.measure_directions(demo, faces, learn(demo, people, name, 50))
        assert set(expected.split()) <= set(effect.proposal.split()), (name, effect)
        assert sum(effect.shares.values()) == pytest.approx(1, abs=0.01)


def test_directions_that_hardly_change_anything_are_last(demo):
    found = sm.find_directions(demo, count=10)
    faces = sample_latents(demo, [1], 0.7)
    effects = sm.measure_directions(demo, faces, found)
    weak = [effect.change < HARDLY * max(one.change for one in effects) for effect in effects]
    assert any(weak) and not all(weak)
    ordered = explained(found, effects)
    assert len(ordered) == 10
    sunk = ["hardly anything" in name for name in ordered.names]
    assert sunk == sorted(weak)
    assert [name for name, bad in zip(ordered.names, sunk, strict=True) if not bad][0].startswith("SeFa ")
    assert ordered.names[0].split(" · ")[1] == effects[weak.index(False)].proposal


def test_choices_are_read_and_the_least_sure_face_is_asked_next(demo, people):
    w, attributes = people
    faces = sm.Latents.of(w[:24])
    has = attributes[:24, index("skin_tone")]
    order = has.argsort().tolist()
    negative, positive = order[:6], order[-6:]
    text = " ".join([*(f"+{place + 1}" for place in positive), *(f"-{place + 1}" for place in negative)])
    read = read_choices(text, 24)
    assert read == (positive, negative)
    direction = sm.learn_direction(demo, faces.take(positive), faces.take(negative))
    asked = ask_next(faces, *read, direction)
    assert sorted(asked) == sorted(order[6:-6])
    middle = [abs(float(has[place]) - 0.5) for place in asked]
    assert sum(middle[:4]) < sum(middle[-4:])
    assert ask_next(faces, [1], [3], None) == [0, 2, *range(4, 24)]


@pytest.mark.parametrize("text", ["3", "+0", "+25", "+x", "++3", "-1.5"])
def test_other_choices_are_refused(text):
    with pytest.raises(StyleMixError, match="is no choice; write .3 for the third face"):
        read_choices(text, 24)
    assert read_choices("+3, -3;\n+4", 24) == ([3], [2])


def test_tensors_are_moved_as_codes_are(generator):
    w = generator.mapping(sm.sample_z(range(12), generator.z_dim))
    found = sm.learn_direction(generator, w[:6], w[6:], "it")
    moved = sm.apply_direction(w[:2], found, "it", 1.0)
    assert torch.equal(moved.w, sm.apply_direction(sm.Latents.of(w)[:2], found, "it", 1.0).w)
    assert torch.equal(moved[1].w, moved.w[1:])
