"""Windows hold everything: each word is one window's own, each token of a long text stands in one window."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.errors import TextError
from endash.text import Window, Words, token_windows, word_windows
from endash.text.words import Around

AROUNDS: list[Around] = [((), (3,)), ((1,), (2,)), ((), ())]
arounds = st.sampled_from(AROUNDS)
sizes_of_words = st.lists(st.integers(1, 5) | st.integers(1, 30), max_size=60)


def text(sizes: list[int], around: Around) -> Words:
    """Words of so many tokens, each of which tells the word and its place in that."""
    return Words.of(
        [[100 * (number + 1) + place for place in range(size)] for number, size in enumerate(sizes)], around=around
    )


def read_words(window: Window) -> range:
    """The numbers of the words in a window of `text`."""
    numbers = [token // 100 - 1 for token in window.tokens if token >= 100]
    return range(numbers[0], numbers[-1] + 1)


@given(sizes_of_words, st.integers(3, 24), arounds)
def test_each_word_is_the_own_of_one_window_in_turn(sizes: list[int], limit: int, around: Around) -> None:
    words, room = text(sizes, around), limit - sum(map(len, around))
    windows = word_windows(words, limit=limit)
    assert [number for window in windows for number in window.own] == list(range(len(sizes)))
    for window in windows:
        assert window.own
        assert set(window.own) <= set(read_words(window))
        assert len(window.tokens) <= limit
        before, after = around
        inner = window.tokens[len(before) : len(window.tokens) - len(after)]
        assert window.tokens == [*before, *inner, *after]
        assert inner == [token for number in read_words(window) for token in words.of_word(number)[:room]]
        assert [window.tokens[place - 1] for place in window.places] == [words.of_word(n)[0] for n in window.own]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(12, 24))
def test_a_word_is_labelled_where_it_stands_farther_from_the_cut(sizes: list[int], limit: int) -> None:
    windows = word_windows(text(sizes, ((), ())), limit=limit)
    assert (len(windows) == 1) == (sum(sizes) <= limit)
    for first, second in pairwise(windows):
        before, after = read_words(first), read_words(second)
        common = range(after.start, before.stop)
        assert len(common) == 0 or sum(sizes[number] for number in common) <= limit // 4
        for number in common:
            behind, ahead = number - after.start, before.stop - 1 - number
            if ahead != behind:
                assert (number in first.own) == (ahead > behind)
        assert first.own.stop == second.own.start
        assert sum(sizes[number] for number in before) + sizes[before.stop] > limit, "no window is left half empty"


def test_neighbours_overlap_by_a_quarter() -> None:
    windows = word_windows(text([1] * 20, ((1,), (2,))), limit=10)
    assert [(read_words(window), window.own) for window in windows] == [
        (range(8), range(7)),
        (range(6, 14), range(7, 13)),
        (range(12, 20), range(13, 20)),
    ]
    assert windows[1].places == [3, 4, 5, 6, 7, 8]


def test_a_word_longer_than_a_window_keeps_its_first_tokens() -> None:
    first, long, last = word_windows(text([2, 30, 2], ((), (3,))), limit=9)
    assert long.tokens == [*range(200, 208), 3]
    assert (long.own, long.places) == (range(1, 2), [1])
    assert (first.tokens, last.tokens) == ([100, 101, 3], [300, 301, 3])


def test_no_words_have_no_window_and_no_room_is_refused() -> None:
    assert word_windows(text([], ((), (3,))), limit=8) == []
    for limit, around in ((2, ((1,), (2,))), (1, ((), (3,)))):
        with pytest.raises(TextError, match=rf"a window of {limit} tokens has no room .*: raise text\.max_length"):
            word_windows(text([1], around), limit=limit)
        with pytest.raises(TextError, match=rf"a window of {limit} tokens has no room"):
            token_windows([1, 5, 2], limit=limit, around=around)


@given(st.integers(0, 200), st.integers(3, 40), arounds)
def test_each_token_of_a_long_text_is_in_one_window_in_turn(count: int, limit: int, around: Around) -> None:
    before, after = around
    inner, room = list(range(100, 100 + count)), limit - len(before) - len(after)
    windows = token_windows([*before, *inner, *after], limit=limit, around=around)
    bare = [window[len(before) : len(window) - len(after)] for window in windows]
    assert [token for window in bare for token in window] == inner
    assert [[*before, *one, *after] for one in bare] == windows
    assert all(len(window) <= limit for window in windows)
    assert max(map(len, bare)) - min(map(len, bare)) <= 1
    assert len(windows) == max(1, -(-count // room))
