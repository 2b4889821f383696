import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.errors import EndashError
from endash.evaluation.alignment import align_tokens, align_words, pharaoh, words_of


def test_each_target_token_is_aligned_to_the_source_token_it_weighs_most():
    weights = [[0.1, 0.7, 0.2], [0.6, 0.2, 0.2], [0.0, 0.1, 0.9]]
    assert align_tokens(weights, [True] * 3, [True] * 3) == ((0, 1), (1, 0), (2, 2))


def test_tokens_that_are_no_words_take_no_part():
    weights = [[0.1, 0.2, 0.7], [0.3, 0.1, 0.6]]
    assert align_tokens(weights, [True, True, False], [True, False]) == ((1, 0),)
    assert align_tokens(weights, [False] * 3, [True, True]) == ()


def test_pieces_are_read_at_words():
    source = ["▁The", "▁green", "▁ho", "use", "</s>"]
    target = ["▁Das", "▁gr", "üne", "▁Haus", ".", "</s>"]
    weights = np.eye(6, 5) * 0.9
    weights[2], weights[3], weights[4] = [0, 0.9, 0, 0, 0], [0, 0, 0.1, 0.8, 0], [0, 0, 0, 0.2, 0.8]
    assert pharaoh(align_words(weights, source, target)) == "0-0 1-1 2-2"


def test_a_target_word_may_have_two_source_words():
    assert align_words([[0.9, 0.1], [0.1, 0.9]], ["▁look", "▁up"], ["▁nach", "schlagen"]) == ((0, 0), (1, 0))


def test_text_without_spaces_is_one_word():
    assert words_of(["▁我", "喜欢", "苹果"]) == [(0,), (0,), (0,)]


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["▁a", "b", "▁", "▁c", "</s>"], [(0,), (0,), (), (1,), ()]),
        (["▁a▁b", "c"], [(0, 1), (1,)]),
        (["▁", "x"], [(), (0,)]),
        (["▁a", "<0x0A>", "b"], [(0,), (), (1,)]),
        (["▁a", "<0xE3>", "<0x80>", "<0x80>", "b"], [(0,), (), (), (), (1,)]),  # an ideographic space, in bytes
        (["▁", "<0xE4>", "<0xBD>", "<0xA0>", "▁b"], [(), (0,), (0,), (0,), (1,)]),
        (["▁", "<0xE4>", "▁b"], [(), (0,), (1,)]),
        (["<s>", "▁a", "</s>", "b", "<sep>", "</s>"], [(), (0,), (0,), (0,), (), ()]),
        (["▁see", "▁", '<a href="x">', "here"], [(0,), (), (1, 2), (2,)]),
        ([], []),
    ],
)
def test_words_are_what_whitespace_separates(pieces, words):
    assert words_of(pieces) == words


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=8))
def test_words_are_those_of_the_joined_text(pieces):
    words = {word for held in words_of(["▁", *pieces, "▁"]) for word in held}
    assert words == set(range(len("".join(pieces).replace("▁", " ").split())))


def test_pairs_are_printed_sorted():
    assert pharaoh([(2, 1), (0, 3), (0, 0)]) == "0-0 0-3 2-1"
    assert pharaoh(()) == ""


def test_weights_of_another_shape_are_refused():
    with pytest.raises(EndashError, match=r"weights of shape \(2, 3\) for 3 target and 2 source tokens"):
        align_words([[0, 0, 1], [0, 1, 0]], ["▁a", "▁b"], ["▁a", "▁b", "▁c"])
