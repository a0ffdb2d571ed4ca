import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stylemix_core.errors import LatentMismatchError, MaskSyntaxError, StyleMixError
from stylemix_core.masks.grammar import EXAMPLE
from stylemix_core.masks.mask_list import MaskList, MaskText, layers_text, parse_masks

# Shared with the JavaScript tests. Strengths are written as {layer: strength}, zeros left out; "drawn"
# counts the layers of a random mask, whose choice depends on numpy; "over" has the strengths at five frames.
CASES = json.loads((Path(__file__).parent.parent / "mask_cases.json").read_text(encoding="utf-8"))
VALID = [case for case in CASES if "error" not in case]
INVALID = [case for case in CASES if "error" in case]


def rows(*masks: dict, num_ws: int) -> list[list[float]]:
    return [[mask.get(str(layer), 0) for layer in range(num_ws)] for mask in masks]


@pytest.mark.parametrize("case", VALID, ids=lambda case: case["text"])
def test_valid_text_gives_the_expected_labels_and_strengths(case):
    masks = parse_masks(case["text"], case["num_ws"], case.get("strength", 1.0))
    assert masks.labels == case["labels"]
    assert masks.strengths.dtype == torch.float32
    assert masks.num_ws == case["num_ws"]
    if "drawn" in case:
        assert (masks.strengths != 0).sum(1).tolist() == case["drawn"]
    else:
        assert masks.strengths.tolist() == rows(*case["strengths"], num_ws=case["num_ws"])


@pytest.mark.parametrize("case", [case for case in VALID if "over" in case], ids=lambda case: case["text"])
def test_courses_give_the_expected_strengths_over_a_film(case):
    masks = parse_masks(case["text"], case["num_ws"])
    expected = torch.zeros(5, len(case["over"]), case["num_ws"])
    for mask, layers in enumerate(case["over"]):
        for layer, strengths in layers.items():
            expected[:, mask, int(layer)] = torch.tensor(strengths)
    torch.testing.assert_close(masks.over(5), expected)
    again = parse_masks(masks.text, case["num_ws"])
    assert torch.equal(again.over(7), masks.over(7)) and again.text == masks.text


def test_lists_with_courses_are_joined_multiplied_and_refused_as_stills():
    one, other = parse_masks("0@0>1; 1", 4), parse_masks("2", 4)
    joined = MaskList.join(other, one)
    assert joined.moves and joined.over(3)[:, 1, 0].tolist() == [0, 0.5, 1] and not other.moves
    assert MaskText("0@0>1", before=other).resolve(4).over(3)[:, 1, 0].tolist() == [0, 0.5, 1]
    loud = replace(one, curve=(1.0, 0.5, 2.0))
    assert loud.over(3)[:, :, :2].tolist() == [[[0, 0], [0, 1]], [[0.25, 0], [0, 0.5]], [[2, 0], [0, 2]]]
    with pytest.raises(LatentMismatchError, match="the curve has 3 frames, and there are 4 codes"):
        loud.over(4)
    with pytest.raises(StyleMixError, match="change over a film"):
        one.still()
    assert other.still() is other


@pytest.mark.parametrize("case", VALID, ids=lambda case: case["text"])
def test_canonical_text_parses_to_the_same_strengths(case):
    masks = parse_masks(case["text"], case["num_ws"], case.get("strength", 1.0), seed=5)
    again = parse_masks(masks.text, case["num_ws"])
    assert torch.equal(again.strengths, masks.strengths)
    assert again.named == masks.named
    assert again.text == masks.text
    given = [label for label, named in zip(masks.labels, masks.named) if named]
    assert [label for label, named in zip(again.labels, again.named) if named] == given


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case["text"])
def test_an_error_quotes_the_line_and_points_at_the_column(case):
    with pytest.raises(MaskSyntaxError) as caught:
        parse_masks(case["text"], case["num_ws"])
    problem, place, quoted, caret, example = str(caught.value).split("\n")
    error = case["error"]
    assert error["says"] in problem
    assert [int(number) for number in re.findall(r"[0-9]+", place)] == [error["line"], error["column"]]
    assert quoted == "    " + case["text"].split("\n")[error["line"] - 1]
    assert caret.replace("\u3000", " ") == " " * (4 + error["column"] - 1) + "^"
    assert example.endswith(EXAMPLE)


def test_the_example_of_every_error_is_correct():
    assert len(parse_masks(EXAMPLE, num_ws=8)) == 6


def test_the_caret_stays_under_its_column_behind_wide_characters_and_tabs():
    with pytest.raises(MaskSyntaxError) as caught:
        parse_masks("머리:\t99", num_ws=14)
    assert str(caught.value).split("\n")[3] == "    \u3000\u3000 \t^"


@pytest.mark.parametrize(
    ("lists", "labels"),
    [
        ([[0], [1]], ["0", "1"]),
        ([0, 2, 5], ["0, 2, 5"]),
        ([[0, 1]], ["0-1"]),
        (((0, 1, 2), (np.int64(4),)), ["0-2", "4"]),
    ],
)
def test_lists_read_like_their_text(lists, labels):
    masks = parse_masks(lists, num_ws=6)
    assert masks.labels == labels
    assert torch.equal(masks.strengths, parse_masks("; ".join(labels), num_ws=6).strengths)


@pytest.mark.parametrize("lists", [[], [0.5], [[True]], [None], [[0], 1], [[[0]]], [6], ["0-6"]])
def test_wrong_lists_are_refused_with_a_position(lists):
    with pytest.raises(MaskSyntaxError, match="line 1, column"):
        parse_masks(lists, num_ws=6)


@pytest.mark.parametrize("masks", [7, None, {1, 2}, {"hair": [1]}, [{1}]])
def test_other_types_are_refused(masks):
    with pytest.raises(MaskSyntaxError, match="text or lists of layer numbers"):
        parse_masks(masks, num_ws=6)


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000, "[" + "9" * 5000 + "]", "0@" + "9" * 5000])
def test_hostile_text_is_a_syntax_error(text):
    with pytest.raises(MaskSyntaxError):
        parse_masks(text, num_ws=14)


@pytest.mark.parametrize("strength", [-2.01, 3.01, float("nan"), float("inf")])
def test_a_default_strength_out_of_range_is_refused(strength):
    with pytest.raises(MaskSyntaxError, match="-2 to 3"):
        parse_masks("0", num_ws=14, strength=strength)


def test_random_draws_distinct_layers_that_repeat_with_the_seed():
    text = "random(5); random(5); random(14)"
    masks = parse_masks(text, num_ws=14, seed=3)
    assert masks.strengths.sum(1).tolist() == [5, 5, 14]
    assert not torch.equal(masks.strengths[0], masks.strengths[1])
    assert torch.equal(masks.strengths, parse_masks(text, num_ws=14, seed=3).strengths)
    assert not torch.equal(masks.strengths, parse_masks(text, num_ws=14, seed=4).strengths)
    assert torch.equal(masks.strengths, parse_masks(text, num_ws=14, seed=3 + 2**32).strengths)


def test_random_alone_draws_one_layer():
    drawn = [parse_masks("random", num_ws=4, seed=seed).strengths[0] for seed in range(30)]
    assert torch.stack(drawn).sum(1).tolist() == [1] * 30
    assert torch.stack(drawn).amax(0).tolist() == [1, 1, 1, 1]


def test_canonical_text_spells_out_default_strength_and_random_layers():
    assert parse_masks("hair: 2-3; 5@0.1", num_ws=6, strength=0.3).text == "hair: 2-3@0.3; 5@0.1"
    assert parse_masks("[[0], [1, 2]]", num_ws=6).text == "0; 1-2"
    assert parse_masks("random(6)", num_ws=6).text == "0-5"


def test_canonical_text_has_no_label_that_nobody_wrote():
    masks = parse_masks("0-6; coarse; 0-2, 1@0; hair: 4; coarse: 4", num_ws=8, strength=0.7)
    assert masks.text == "0-6@0.7; 0-3@0.7; 0@0.7, 2@0.7; hair: 4@0.7; coarse: 4@0.7"
    assert masks.labels == ["0-6", "coarse", "0-2, 1@0", "hair", "coarse"]
    joined = MaskList.join(masks, MaskList(torch.ones(1, 8), ["everything"]), parse_masks("1", 8, 0.5))
    assert joined.text == masks.text + "; everything: 0-7; 1@0.5"


def test_layers_text_joins_runs_of_equal_strength():
    assert layers_text(torch.tensor([1, 1, 1, 0, 0.5, 0.5, 2, -1])) == "0-2, 4-5@0.5, 6@2, 7@-1"
    assert layers_text(torch.zeros(4)) == "none"
    assert layers_text(torch.tensor([1e-7])) == "0@0.0000001"


def test_iterating_gives_one_row_per_mask():
    masks = parse_masks("0; 1-2", num_ws=3)
    assert len(masks) == 2
    assert [row.tolist() for row in masks] == [[1, 0, 0], [0, 1, 1]]


def test_joining_keeps_the_order():
    joined = MaskList.join(parse_masks("a: 0", num_ws=3), parse_masks("1; none", num_ws=3))
    assert joined.labels == ["a", "1", "none"]
    assert joined.strengths.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_joining_masks_for_different_models_is_refused():
    with pytest.raises(LatentMismatchError, match="14 and 18"):
        MaskList.join(parse_masks("0", num_ws=18), parse_masks("0", num_ws=14))
    with pytest.raises(LatentMismatchError):
        MaskList.join()


def test_a_mask_text_becomes_a_mask_list_when_the_model_is_known():
    text = MaskText("hair: 2-3; fine; random(2)", strength=0.5, seed=3)
    for num_ws in (10, 14):
        expected = parse_masks("hair: 2-3; fine; random(2)", num_ws, 0.5, seed=3)
        assert torch.equal(text.resolve(num_ws).strengths, expected.strengths)
        assert text.resolve(num_ws).labels == expected.labels
    with pytest.raises(MaskSyntaxError, match="fine starts at layer 8"):
        text.resolve(8)


@pytest.mark.parametrize("source", ["", "0 1", "6-0", "hare", "[[0], 1]", "0@9"])
def test_a_mask_text_refuses_wrong_syntax_at_once(source):
    with pytest.raises(MaskSyntaxError, match="line 1, column"):
        MaskText(source)


def test_joined_mask_texts_keep_their_own_strengths_and_seeds():
    first = MaskText("0; random(3)", strength=0.5, seed=1)
    second = MaskText("random(3)", strength=2.0, seed=2, before=first)
    rows = second.resolve(14).strengths
    assert torch.equal(rows[:2], parse_masks("0; random(3)", 14, 0.5, seed=1).strengths)
    assert torch.equal(rows[2:], parse_masks("random(3)", 14, 2.0, seed=2).strengths)


def test_a_mask_list_joins_a_mask_text_of_its_model_only():
    text = MaskText("1", before=parse_masks("a: 0", num_ws=3))
    assert text.resolve(3).labels == ["a", "1"]
    with pytest.raises(LatentMismatchError, match="num_ws = 14"):
        text.resolve(14)


@pytest.mark.parametrize(
    ("source", "strength", "text"),
    [
        ("hair: 2 - 3, 5@.5 # note\n none", 1.0, "hair: 2-3, 5@.5\nnone"),
        ("hair: 2-3, 5@.5; RANDOM(2); none", 0.3, "hair: 2-3@0.3, 5@.5\nrandom(2)@0.3\nnone"),
        ("[[0, 1], []]", 0.00001, "0@0.00001, 1@0.00001\nnone"),
    ],
)
def test_the_text_of_a_mask_text_means_the_same_at_full_strength(source, strength, text):
    masks = MaskText(source, strength)
    assert masks.text == text
    assert torch.equal(parse_masks(text, 14).strengths, masks.resolve(14).strengths)
    assert MaskText("7", before=masks).text == text + "\n7"
    assert MaskText("7", before=parse_masks("0; 2-3@0.5", 14)).text == "0\n2-3@0.5\n7"


@pytest.mark.parametrize("masks", ["0; 1", [[0], [1]], MaskText("0; 1"), parse_masks("0; 1", 6)])
def test_whatever_says_a_mask_list_will_do(masks):
    assert MaskText.of(masks, strength=1.0).resolve(6).labels == ["0", "1"]


def test_leading_zeros_do_not_hide_an_index():
    assert parse_masks("0000000000005", num_ws=6).strengths.tolist() == [[0, 0, 0, 0, 0, 1]]
