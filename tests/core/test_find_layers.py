"""Find Layers: what counts as a change, what a wish means, and which layers the search finds."""

import json
import re
import statistics
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.analysis import find_sheet, judges, sketches, trials, wish_regions, wish_text
from stylemix_core.analysis.find import find_layers
from stylemix_core.analysis.found import FoundMask
from stylemix_core.analysis.judges import Judge
from stylemix_core.analysis.measures import colour_change, difference, find_motion, shape_change
from stylemix_core.analysis.search import greedy, refine, simplest_first, useful
from stylemix_core.analysis.trials import LAYER_COST, Pairs
from stylemix_core.analysis.wish_regions import Ends, regions_of_wish
from stylemix_core.analysis.wish_text import Wish, check_wish, read_wish
from stylemix_core.demo import truth
from stylemix_core.demo.renderer import render, sample_attributes
from stylemix_core.drawing import squared
from stylemix_core.encoder.identity import EncoderIdentity, Identity
from stylemix_core.faces import regions
from stylemix_core.files.pictures import save_image
from stylemix_core.generator.sampling import sampled_w
from stylemix_core.images import from_pil, resize
from tests import builders
from tests.grids import pixels_of

SEEDS = (97, 99)
LEFT = torch.cat([torch.ones(8, 4), torch.zeros(8, 4)], 1)


@pytest.fixture(scope="module")
def tiny():
    return builders.tiny_generator()


@pytest.fixture(scope="module")
def codes(tiny):
    return tiny.mapping(sm.sample_z(SEEDS, tiny.z_dim)).split(1)


@pytest.fixture(scope="module")
def search(tiny, codes):
    """A search as it is by default, but for the strengths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judges, "SIDE", tiny.img_resolution)
        return find_layers(tiny, *codes, LEFT, count=8, steps=0)


@pytest.fixture(autouse=True)
def small_judges(request, monkeypatch):
    """The tiny generator's pictures are judged in their own size, which takes a quarter of the time."""
    if "tiny" in request.fixturenames:
        monkeypatch.setattr(judges, "SIDE", builders.tiny_generator_config().img_resolution)


@pytest.fixture(scope="module")
def avatars():
    """An avatar, and what it looks like with attributes of another, at 64 pixels: a function of the layers."""
    one, other = sample_attributes(2, torch.Generator().manual_seed(11)).split(1)

    def swapped(*layers: int):
        return render(truth.mix(one, other, layers), 64)

    return swapped


def test_recolouring_is_no_change_of_shape(avatars):
    picture = avatars().image
    recoloured = picture.flip(1) * 0.6 - 0.2
    assert shape_change(picture, recoloured).mean() < 0.02
    assert shape_change(picture, picture.flip(3)).mean() > 0.2
    assert difference(picture, recoloured).mean() > 0.2


def test_a_change_of_shape_does_not_depend_on_which_picture_came_first(avatars):
    one, other = avatars().image, avatars(4, 5).image
    assert torch.allclose(shape_change(one, other), shape_change(other, one), atol=1e-5)
    assert shape_change(one, one).max() < 0.01


def test_colours_that_swap_places_are_no_new_colours(avatars):
    """Layers 4–5 move hair, layer 8 colours it."""
    avatar = avatars()
    hair = avatar.regions["hair"][0] * avatars(4, 5).regions["hair"][0]
    moved, coloured = (
        colour_change(avatar.image, avatars(*layers).image, hair)[0] for layers in ((4, 5), (8,))
    )
    assert 3 * (moved * hair).sum() < (coloured * hair).sum()


def test_a_motion_is_found_and_undone(avatars):
    avatar = avatars()
    face = avatar.regions["face"][0]
    angle, shift = 0.1, 0.05
    turn = torch.tensor([[1.0, -angle, shift], [angle, 1.0, 0.0]])[None]
    grid = F.affine_grid(turn, [1, 3, 64, 64], align_corners=False)
    moved = F.grid_sample(avatar.image, grid, padding_mode="border", align_corners=False)
    back = find_motion(avatar.image, moved, face).undo(moved)
    before, after = ((difference(avatar.image, picture)[0] * face).sum() for picture in (moved, back))
    assert after < 0.3 * before


def test_what_does_not_move_stays(avatars):
    avatar = avatars()
    motion = find_motion(avatar.image, avatars(8).image, avatar.regions["hair"][0])
    assert motion.parameters.abs().max() < 0.5  # pixels


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("hair shape", Wish(("hair",), kind="shape")),
        ("Only the hair", Wish(("hair",))),
        ("hair and skin colour", Wish(("hair", "skin"), kind="colour")),
        ("the colors of eyes, lips", Wish(("eyes", "mouth"), kind="colour")),
        ("colours", Wish((), kind="colour")),
        ("everything but the face", Wish(("face",), elsewhere=True)),
        ("everything", Wish(())),
        ("nose hair", Wish(("nose", "hair"))),
        ("eye colour", Wish(("eyes",), kind="colour")),
        ("머리 모양", Wish(("hair",), kind="shape")),
        ("머리만", Wish(("hair",))),
        ("머리색만", Wish(("hair",), kind="colour")),
        ("머리색과 피부색", Wish(("hair", "skin"), kind="colour")),
        ("눈과 입", Wish(("eyes", "mouth"))),
        ("눈썹, 코, 입술", Wish(("brows", "nose", "mouth"))),
        ("얼굴형", Wish(("face",), kind="shape")),
        ("얼굴만 빼고 전부", Wish(("face",), elsewhere=True)),
        ("배경", Wish(("background",))),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wishes_in_words(text, wish):
    assert read_wish(text) == wish


@pytest.mark.parametrize(
    "text", ["", "the", "hair shape and skin colour", "이랑" * 500, "hair but not the face", "얼굴 빼고 머리"]
)
def test_a_wish_that_is_not_understood_is_refused_with_examples(text):
    with pytest.raises(sm.StyleMixError, match="'hair and skin colour'"):
        read_wish(text)


def test_words_for_several_regions():
    regions = {name: torch.full([1, 2, 2], 0.25) for name in ("hair", "face", "eyes", "nose", "mouth")}
    assert regions_of_wish(read_wish("face"), regions).mean() == 1.0
    assert regions_of_wish(read_wish("hair and face"), regions).shape == (1, 2, 2, 2)
    assert regions_of_wish(read_wish("skin"), regions).mean() == 0.5
    assert regions_of_wish(read_wish("everything but hair"), regions).mean() == 0.75
    assert regions_of_wish(read_wish("everything"), regions).mean() == 1.0
    assert regions_of_wish(read_wish("머리와 코 빼고 전부"), regions).mean() == 0.5
    assert regions_of_wish(read_wish("skin"), regions | {"skin": torch.ones(1, 2, 2)}).mean() == 1.0
    with pytest.raises(
        sm.StyleMixError, match="no region 'smile'; choose among: hair, face, eyes.*directions"
    ):
        regions_of_wish(read_wish("smile"), regions)


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("beard", "face"),
        ("glasses", "eyes"),
        ("bob", "hair"),
        ("hiar", "hair"),
        ("lipz", "mouth"),
        ("단발", "hair"),
    ],
)
def test_an_unknown_word_gets_the_nearest_region(word, nearest):
    with pytest.raises(
        sm.StyleMixError, match=f"no region '{word}'; choose among: hair, .*nearest is '{nearest}'"
    ):
        check_wish(read_wish(f"{word} shape"))
    check_wish(read_wish(nearest))


def test_wishes_know_the_regions_that_are_found():
    assert wish_text.REGIONS == regions.REGIONS


def test_how_a_wish_was_read_can_be_told():
    assert read_wish("nose hair").describe() == "nose and hair: anything"
    assert read_wish("everything but the face").describe("colour") == "everything but face: colour"


class Told:
    """Trials whose scores are told by a function of the strengths."""

    def __init__(self, num_ws, score, slope=None):
        self.num_ws, self.score, self.slope = num_ws, score, slope

    def __call__(self, masks, origins):
        return [
            FoundMask(torch.tensor(mask), 0.0, 0.0, 0.0, self.score(mask), 1.0, origins) for mask in masks
        ]


def test_layers_are_added_while_it_helps_and_left_out_where_others_do_better():
    worth = {(0,): 0.3, (1,): 0.2, (2,): 0.1, (0, 1): 0.4, (0, 2): 0.35, (1, 2): 0.6, (0, 1, 2): 0.5}
    trials = Told(3, lambda mask: worth[tuple(layer for layer in range(3) if mask[layer])])
    tried = greedy(trials, range(3))
    assert [sorted(mask.layers) for mask in tried[:7]] == [[0], [1], [2], [0, 1], [0, 2], [0, 1, 2], [1, 2]]
    assert max(tried, key=lambda mask: mask.score).layers == {1, 2}
    assert [sorted(mask.layers) for mask in greedy(Told(2, lambda mask: -0.1), range(2))] == [[0], [1]]


def test_strengths_climb_and_keep_only_the_moves_that_help():
    """The first layer is best at 0.5; the slope moves the second one as well, which changes nothing."""

    def score(mask):
        return 1 - (mask[0] - 0.5) ** 2

    def slope(strengths):
        return torch.stack([1 - 2 * strengths[0], torch.tensor(0.3)])

    trials = Told(2, score, slope)
    (start,) = trials([(1.0, 0.0)], "greedy")
    found = refine(trials, start, 8)
    assert found.strengths.tolist() == pytest.approx([0.5, 0.0], abs=0.051)
    assert found.origin == "strengths"


def test_masks_that_gain_nothing_are_not_offered():
    def found(inside, score):
        return FoundMask(torch.ones(3), inside, 0.1, 0.0, score, 1.0, "")

    good, poor, useless, harmful = found(0.5, 0.3), found(0.1, 0.1), found(0.0, -0.03), found(-0.2, -0.4)
    assert useful([good, poor, useless, harmful], "hair") == [good, poor]
    assert useful([moving := found(0.1, -0.1), useless, harmful], "hair") == [moving]
    with pytest.raises(sm.StyleMixError, match=r"no layers do this \(hair: shape\) for these faces"):
        useful([useless, harmful], "hair: shape")


def test_shares_are_parts_of_what_the_whole_style_changes(avatars):
    nothing, all_layers = avatars(), avatars(*range(14))
    hair, style_hair = nothing.regions["hair"], all_layers.regions["hair"]
    for kind in ("anything", "shape", "colour"):
        judge = Judge(
            nothing.image, all_layers.image, hair, style_hair, kind, keep=nothing.regions["eyes"][0]
        )
        inside, outside, kept = judge(torch.cat([nothing.image, all_layers.image])).unbind()
        assert inside[0] < 0.05 and outside[0] < 0.01 and kept[0] < 0.01
        assert torch.allclose(torch.stack([inside[1], outside[1], kept[1]]), torch.ones(3), atol=2e-3)


def test_judges_tell_shape_from_colour(avatars):
    nothing, all_layers = avatars(), avatars(*range(14))
    masks = nothing.regions["hair"], all_layers.regions["hair"]
    results = torch.cat([avatars(4, 5).image, avatars(8).image])
    shape, colour = (
        Judge(nothing.image, all_layers.image, *masks, kind)(results)[0] for kind in ("shape", "colour")
    )
    assert shape[0] > 2 * shape[1]
    assert colour[1] > 2 * colour[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "layers"),
    [("hair shape", {4, 5}), ("hair and skin colour", {8, 9}), ("background", {11, 13})],
)
def test_the_search_finds_the_layers_that_carry_a_wish(demo, target, layers):
    """On regions that it finds itself in the pictures."""
    w = demo.mapping(sm.sample_z([108, 109], demo.z_dim), truncation_psi=0.8)
    bob = sm.load_latents("stylemix_core/demo/bob.safetensors").w
    with torch.inference_mode():
        search = find_layers(demo, w, bob, target, steps=0)
    found = set(search[0].strengths.nonzero().flatten().tolist())
    assert 2 * len(found & layers) / (len(found) + len(layers)) >= 0.8
    assert search[0].inside > 0.4 and search[0].outside < 0.2
    for mask in (*search.presets, *search.singles):
        assert search[0].score >= mask.score


def test_candidates_are_ranked_and_ready_for_a_mask_list(tiny, codes):
    with torch.inference_mode():
        search = find_layers(tiny, *codes, LEFT, count=4, others=0, steps=2)
    assert len(search) == 4
    scores = [mask.score for mask in search[1:]]
    assert scores == sorted(scores, reverse=True)
    assert search.masks.strengths.shape == (4, tiny.num_ws)
    for mask in search:
        assert torch.equal(sm.parse_masks(mask.mask_text, tiny.num_ws).strengths[0], mask.strengths)
        cost = LAYER_COST * float(mask.strengths.sum())
        assert mask.score == pytest.approx(mask.inside - 2.0 * mask.outside - cost)
        assert mask.strengths.min() >= 0 and mask.strengths.max() <= 1
    assert len(search.singles) == len(search.without) == tiny.num_ws
    lines = search.table().splitlines()
    assert lines[1:5] == [line for line in lines if " (" in line and "%" in line.split(" (")[0]][:4]
    for column in lines[0].split()[:4]:
        assert any(line.startswith(column) or f", {column}:" in line for line in lines[6:])
    assert len(search.figures()["layers"]) == tiny.num_ws
    json.dumps(search.figures())


def test_what_layers_do_in_general_counts_twice(tiny, codes):
    w, style = codes
    search, alone = (find_layers(tiny, w, style, LEFT, steps=0, others=others) for others in (2, 0))
    random = torch.cat([*sampled_w(tiny.mapping, 2, seed=0)])[:, None].expand(-1, tiny.num_ws, -1)
    each = [find_layers(tiny, w, other[None], LEFT, steps=0, others=0).singles for other in random]
    general = [statistics.mean(single.score for single in layer) for layer in zip(*each)]
    here = {mask.mask_text: mask.score for mask in (*alone.without, *alone.singles)}
    for mask in (*search.without, *search.singles):
        around = sum(general[layer] for layer in mask.strengths.nonzero().flatten())
        assert mask.score == pytest.approx(here[mask.mask_text] / 3 + around * 2 / 3, abs=1e-4)


def test_how_many_pairs_agree_is_counted(tiny, codes):
    w, style = codes
    search, alone = (find_layers(tiny, w, style, LEFT, steps=0, others=others, care=1.0) for others in (2, 0))
    random = torch.cat([*sampled_w(tiny.mapping, 2, seed=0)])[:, None].expand(-1, tiny.num_ws, -1)
    each = [find_layers(tiny, w, o[None], LEFT, steps=0, others=0, care=1.0).singles for o in random]
    for layer, mask in enumerate(search.singles):
        worths = [
            alone.singles[layer].inside - alone.singles[layer].outside,
            *(singles[layer].score for singles in each),
        ]
        assert mask.agreement == pytest.approx(statistics.mean(worth > 0 for worth in worths))
    assert len({mask.agreement for mask in search.singles}) > 1


def test_it_is_told_how_sure_regions_are(tiny, codes):
    vague = torch.full([1, 8, 8], 0.5)
    given = find_layers(tiny, *codes, "hair", regions={"hair": vague}, steps=0, others=0)
    assert given.regions_sure == 1.0
    ends = Ends(torch.zeros(1, 3, 8, 8), [torch.zeros(1, 3, 8, 8)], [0])
    with pytest.MonkeyPatch.context() as patch:
        found = {"hair": LEFT[None] * 0.8, "face": 1 - LEFT[None] * 0.8}
        patch.setattr(wish_regions, "regions_of", lambda _, given: given or found)
        patch.setattr(wish_regions, "find_regions", lambda *_, **__: {"hair": LEFT[None] * 0.7})
        assert wish_regions.find_wish_regions(ends, read_wish("hair")).sure == pytest.approx(0.7)
        assert wish_regions.find_wish_regions(ends, LEFT).sure == 1.0


def test_alternatives_do_more_than_add_layers_to_a_better_mask(search):
    layers = [{*mask.strengths.nonzero().flatten().tolist()} for mask in search]
    assert not any(later > earlier for i, earlier in enumerate(layers) for later in layers[i + 1 :])


def test_figures_are_those_of_the_pictures(tiny, codes, search):
    w, style = codes
    assert torch.allclose(search.source, tiny.synthesis(w), atol=1e-5)
    drawn = tiny.synthesis(sm.inject(w, style, search.masks))
    assert torch.allclose(search.pictures, drawn, atol=1e-5)
    side = search.source.shape[-1]
    region = resize(LEFT[None, None], side, side)[0, 0]
    judge = Judge(search.source, search.style, region[None], region[None], "anything")
    inside, outside, _ = judge(drawn)
    assert inside.tolist() == pytest.approx([mask.inside for mask in search], abs=1e-3)
    assert outside.tolist() == pytest.approx([mask.outside for mask in search], abs=1e-3)


def test_nothing_that_was_measured_is_better_than_the_first(tiny, codes):
    search = find_layers(tiny, *codes, LEFT, steps=2, others=1)
    everything = (*search, *search.singles, *search.without, *search.presets)
    assert max(search[:2], key=lambda mask: mask.score).score == max(mask.score for mask in everything)


def test_a_layer_that_alone_does_better_here_comes_first():
    def found(layers, inside, outside, score):
        strengths = torch.tensor([float(layer in layers) for layer in range(3)])
        return FoundMask(strengths, inside, outside, 0.0, score, 1.0, "")

    singles = [found({0}, 0.6, 0.1, 0.2), found({1}, 0.1, 0.1, 0.0), found({2}, 0.9, 0.1, 0.1)]
    both, better = found({0, 1}, 0.6, 0.2, 0.5), found({0, 1}, 0.7, 0.1, 0.5)
    assert simplest_first([both, singles[1]], singles) == [singles[0], both, singles[1]]
    assert simplest_first([both, singles[0]], singles) == [singles[0], both]
    assert simplest_first([better, singles[0]], singles) == [better, singles[0]]


def test_care_makes_masks_more_careful(tiny, codes):
    bold, careful = (find_layers(tiny, *codes, LEFT, care=care, steps=0, others=0)[0] for care in (0.0, 10.0))
    assert bold.inside >= careful.inside
    assert bold.outside >= careful.outside


def test_what_is_to_be_kept_is_measured(tiny, codes):
    search = find_layers(tiny, *codes, LEFT, keep=1 - LEFT, steps=0, others=0)
    assert search.presets[-1].origin == "all"
    assert search.presets[-1].kept == pytest.approx(1.0, abs=1e-4)
    best = search[0]
    cost = LAYER_COST * float(best.strengths.sum())
    assert best.score == pytest.approx(best.inside - 2 * (best.outside + best.kept) - cost)


def test_identity_is_asked_where_it_is_given(tiny, codes):
    class Stranger(Identity):
        """Sees someone else in every picture."""

        def drift(self, images, reference):
            return images.new_full([len(images)], 0.5)

        def forward(self, images):
            return images.mean([1, 2, 3])[:, None]

    regions = {"face": LEFT, "hair": 1 - LEFT}
    search = find_layers(
        tiny, *codes, "hair", "identity", regions=regions, steps=0, others=0, identity=Stranger()
    )
    assert [mask.kept for mask in search] == [1.0] * len(search)


def test_identity_has_a_gradient_in_inference_mode_too(tiny, codes):
    with torch.inference_mode():
        identity = EncoderIdentity(builders.tiny_encoder())
        search = find_layers(tiny, *codes, LEFT, "identity", steps=1, others=0, identity=identity)
    assert search.presets[-1].kept == pytest.approx(1.0, abs=1e-4)


def test_one_mask_for_several_sources(tiny, codes):
    w, style = codes
    both = find_layers(tiny, torch.cat([w, style]), w, LEFT, steps=0, others=0)
    alone = find_layers(tiny, style, w, LEFT, steps=0, others=0)
    # The first pair is the same code twice: nothing changes in it.
    for layer in range(tiny.num_ws):
        assert both.singles[layer].inside == pytest.approx(alone.singles[layer].inside / 2, abs=6e-3)


def test_small_chunks_find_the_same(tiny, codes):
    a, b = (find_layers(tiny, *codes, LEFT, steps=1, others=1, chunk=chunk) for chunk in (1, 8))
    assert [mask.mask_text for mask in a] == [mask.mask_text for mask in b]
    assert a[0].inside == pytest.approx(b[0].inside, abs=1e-3)


def test_progress_is_told_and_can_stop_the_search(tiny, codes):
    told = []

    def on_step(done, about, pictures, note):
        told.append((done, about))
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_layers(tiny, *codes, LEFT, on_step=on_step)
    assert all(0 < done <= about for done, about in told)


def test_the_best_mask_so_far_is_shown_from_the_first_seconds_on(tiny, codes):
    shown = []

    def on_step(done, about, picture, note):
        if picture is not None:
            shown.append((done, note, picture))

    search = find_layers(tiny, *codes, LEFT, on_step=on_step, steps=0, others=2)
    assert (shown[0][0], shown[0][1]) == (2, "so far: all")  # before all else
    assert all(re.fullmatch(r"best so far: \S.*", note) for _, note, _ in shown[1:])
    best = max((*search, *search.singles, *search.without, *search.presets), key=lambda mask: mask.score)
    assert shown[-1][1] == f"best so far: {best.mask_text}"
    assert torch.allclose(shown[-1][2], search.pictures[[*search].index(best)][None], atol=1e-5)


@pytest.fixture
def sketching(request, monkeypatch):
    """The tiny generator and the bundled one are tried as large ones are, on sketches."""
    if "tiny" in request.fixturenames:
        for module in (sketches, trials):
            monkeypatch.setattr(module, "SKETCHED", 8)
    monkeypatch.setattr(trials, "can_sketch", lambda synthesis: True)


def test_sketches_of_outer_layers_are_exact_and_free(tiny, codes, sketching):
    pairs = Pairs(tiny, *codes, others=1, chunk=4)
    assert (pairs.sketches.inner, pairs.sketches.outer) == ([0, 1, 2], [3, 4, 5, 6, 7])
    each = torch.cat([torch.zeros(1, tiny.num_ws), torch.eye(tiny.num_ws)[pairs.sketches.outer]])
    for pair in (0, 1):
        drawn = resize(pairs.draw(pair, each), sketches.SIDE, sketches.SIDE)
        assert torch.allclose(pairs.trial(pair, each), drawn, atol=1e-5)
        assert torch.allclose(pairs.trial(pair, each / 2), (drawn + drawn[:1]) / 2, atol=1e-5)
    before = pairs.decoded
    pairs.trial(0, each)
    assert pairs.decoded == before


def test_sketches_come_close_to_what_is_drawn(demo, sketching):
    w = demo.mapping(sm.sample_z([96, 98], demo.z_dim), truncation_psi=0.8)
    pairs = Pairs(demo, *w.split(1), others=6, chunk=4)
    masks = torch.zeros(4, demo.num_ws)
    masks[0, 4:6] = masks[1, :10] = masks[2, 3::2] = masks[3, 8] = 1.0
    drawn, source = (
        resize(each, sketches.SIDE, sketches.SIDE) for each in (pairs.draw(0, masks), pairs.ends.sources)
    )
    wrong, changed = (pairs.trial(0, masks) - drawn).abs(), (drawn - source).abs()
    assert (wrong.mean((1, 2, 3)) < 0.15 * changed.mean((1, 2, 3))).all()


def test_small_generators_are_drawn_in_full(tiny, codes):
    pairs = Pairs(tiny, *codes, others=0, chunk=4)
    assert not pairs.sketched
    masks = torch.eye(tiny.num_ws)
    assert torch.equal(pairs.trial(0, masks), pairs.draw(0, masks))


def test_masks_found_on_sketches_are_measured_on_full_pictures(tiny, codes, sketching):
    search = find_layers(tiny, *codes, LEFT, steps=2, others=1)
    drawn = tiny.synthesis(sm.inject(*codes, search.masks))
    assert torch.allclose(search.pictures, drawn, atol=1e-5)
    region = resize(LEFT[None, None], *drawn.shape[2:])[0]
    inside, outside, _ = Judge(search.source, search.style, region, region, "anything")(drawn)
    assert inside.tolist() == pytest.approx([mask.inside for mask in search], abs=1e-4)
    assert outside.tolist() == pytest.approx([mask.outside for mask in search], abs=1e-4)


def test_the_generator_is_left_as_it_was(tiny, codes):
    before = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    find_layers(tiny, *codes, LEFT, steps=2, others=1, chunk=1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny.state_dict().items())
    assert all(parameter.grad is None for parameter in tiny.parameters())
    assert "forward" not in tiny.synthesis.b4.__dict__


def test_the_sheet_has_a_column_for_every_candidate(search):
    two, four = (
        replace(search, candidates=search.candidates[:count], pictures=search.pictures[:count]).sheet()
        for count in (2, 4)
    )
    assert four.width > two.width
    assert four.height == two.height


def test_it_is_known_where_masks_and_layers_are_on_the_sheet(search):
    sheet = search.sheet()
    picks = search.picks(sheet)
    assert [pick.value for pick in picks] == [
        *(mask.mask_text for mask in search),
        *(str(layer) for layer in range(8)),
    ]
    drawn = from_pil(sheet)[0]
    for pick, picture in zip(picks, search.pictures):
        left, top, right, bottom = pixels_of(pick, sheet)
        side = find_sheet.CELL
        wanted = squared(picture[None].expand(-1, 3, -1, -1), side)[0].clamp(-1, 1)
        line = drawn[0, top:bottom, left:right].unfold(0, side, 1).unfold(1, side, 1)  # at every place
        assert (line - wanted[0]).abs().amax((2, 3)).min() < 0.01
    for layer, pick in enumerate(picks[len(search) :]):
        left, top, _, bottom = pixels_of(pick, sheet)
        backed = drawn[:, bottom - 10, left + 3] * 127.5 + 127.5
        assert torch.allclose(backed.round(), torch.tensor(find_sheet.CHOSEN).float()) == (
            layer in search[0].layers
        )


def test_the_sheet_shows_the_source_beside_the_target(search, monkeypatch):
    given = []
    monkeypatch.setattr(
        find_sheet, "compare_grid", lambda *a, **k: given.append(a) or sm.compare_grid(*a, **k)
    )
    search.sheet()
    (source, lit, *_), labels = given[0]
    assert labels[0] == "source"
    assert torch.equal(source, resize(search.source, 256, 256)[0])
    assert torch.allclose(lit[:, :, :100], source[:, :, :100], atol=1e-4)  # where the target is
    assert lit[:, :, 156:].mean() < source[:, :, 156:].mean() - 0.1


def test_a_wish_that_no_mask_fulfils_comes_with_a_warning(search):
    def best(regions_sure=1.0, **figures):
        candidates = (replace(search[0], **{"agreement": 1.0, **figures}), search[1])
        return replace(search, candidates=candidates, pictures=search.pictures[:2], regions_sure=regions_sure)

    assert best(inside=0.6, outside=0.1, score=0.3).warning is None
    little = best(inside=0.02, outside=0.0, score=0.01)
    assert "changes only 2% of what the style changes there; try" in little.warning
    harmful = best(inside=0.6, outside=0.4, score=-0.3)
    assert "changes 60% of what the style changes there, and 40% of what shall stay" in harmful.warning
    assert "and 90% of what shall stay" in best(inside=0.6, outside=0.9, kept=0.8).warning  # not 170%
    alone = best(inside=0.6, outside=0.1, score=0.3, agreement=0.25)
    assert "does more for it than against it in only 25% of the pairs of faces" in alone.warning
    vague = best(inside=0.6, outside=0.1, score=0.3, regions_sure=0.4, agreement=0.5)
    assert vague.warning.startswith("only 40% sure where that is in these pictures")
    assert [vague.sure, vague.figures()["sure"]] == [0.2, 0.2]
    assert "sure: 20%, of the regions 40%" in vague.table()
    assert little.figures()["warning"] == little.warning
    assert little.sheet().height > best(inside=0.6, outside=0.1, score=0.3).sheet().height


def test_a_style_that_is_the_source_is_refused(tiny, codes):
    w, style = codes
    with pytest.raises(sm.StyleMixError, match="style's codes are those of the source"):
        find_layers(tiny, torch.cat([w, w]), w, LEFT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": torch.zeros(4, 4)}, "the target is empty"),
        ({"target": "hair", "regions": {"face": LEFT}}, "no region 'hair'; choose among: face"),
        ({"keep": "nose", "regions": {"hair": LEFT}}, "no region 'nose'"),
        ({"keep": torch.zeros(4, 4)}, "the region to keep is empty"),
        ({"keep": LEFT}, "what is to be kept lies in the target"),
        (
            {"target": "face", "keep": "eyes", "regions": {"face": 1 - LEFT, "eyes": LEFT}},
            "what is to be kept lies in the target",
        ),
        ({"what": "size"}, "what is 'size'; choose one of: anything, shape, colour"),
        ({"care": float("nan")}, "care is nan"),
        ({"steps": -1}, "steps is -1"),
        ({"others": -1}, "others -1"),
        ({"target": torch.ones(3, 4, 4)}, r"\[3, 4, 4\]"),
    ],
)
def test_what_does_not_fit_is_refused(tiny, codes, changes, message):
    with pytest.raises(sm.StyleMixError, match=message):
        find_layers(tiny, *codes, **{"target": LEFT, **changes})


def test_regions_that_are_named_need_a_face(tiny, codes):
    with pytest.raises(sm.NoFaceError):
        find_layers(tiny, *codes, "hair")


def test_codes_that_do_not_fit_are_refused(tiny, codes):
    w, style = codes
    with pytest.raises(sm.LatentMismatchError, match="1 source and 2 styles"):
        find_layers(tiny, w, torch.cat([w, style]), LEFT)


def test_the_command_writes_masks_figures_and_pictures(tmp_path, capsys):
    generator, _ = builders.write_tiny_native(tmp_path)
    mask = torch.cat([torch.ones(1, 3, 8, 4), -torch.ones(1, 3, 8, 4)], 3)
    save_image(tmp_path / "left.png", mask[0])
    w = sm.load_generator(generator, "cpu").mapping(sm.sample_z([5], 16))
    sm.save_latents(tmp_path / "style.safetensors", sm.Latents.of(w))
    arguments = ["find", "--seeds", "4", "--style", str(tmp_path / "style.safetensors"), "--steps", "0"]
    arguments += ["--generator", str(generator), "--target", str(tmp_path / "left.png"), "--count", "3"]
    arguments += ["--others", "1"]
    assert cli.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    out = tmp_path / "out"
    figures = json.loads((out / "table.json").read_text())
    masks = sm.parse_masks((out / "mask_list.txt").read_text(), num_ws=len(figures["layers"]))
    assert [len(masks), len(figures["candidates"]), len(list((out / "pictures").iterdir()))] == [3, 3, 3]
    assert masks.strengths[0].tolist() == pytest.approx(figures["candidates"][0]["strengths"])
    assert (out / "sheet.png").exists()
    said = capsys.readouterr()
    assert f"the least bad mask is {figures['candidates'][0]['layers']}" in said.out
    assert f"warning: {figures['warning']}" in said.err
