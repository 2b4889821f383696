from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.evaluation.edits import ErrorRate, edits
from endash.evaluation.scorer import answered

WORDS = st.lists(st.sampled_from(["one", "two", "three", "four", "Two"]), min_size=1, max_size=7).map(" ".join)


def slow_edits(a, b):
    @lru_cache(None)
    def cost(i, j):
        if not i or not j:
            return i + j
        return min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, cost(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return cost(len(a), len(b))


def value(unit, answers, references):
    return ErrorRate(unit).value(answered(answers, references))


@settings(deadline=None)
@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edits_are_those_of_the_definition(a, b):
    assert edits(a, b) == slow_edits(a, b) == edits(b, a)


@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_the_rates_are_jiwers(pairs):
    jiwer = pytest.importorskip("jiwer", reason="needs jiwer, to compare with")
    answers, references = (list(side) for side in zip(*pairs, strict=True))
    # the same whole numbers are divided: equal but for the last digit
    assert value("word", answers, references) == pytest.approx(100 * jiwer.wer(references, answers), rel=1e-12)
    assert value("character", answers, references) == pytest.approx(100 * jiwer.cer(references, answers), rel=1e-12)


def test_chinese_is_counted_by_characters():
    assert value("word", ["我喜欢红苹果"], ["我喜欢青苹果"]) == pytest.approx(100 / 6)
    assert value("character", ["我 喜欢 红苹果"], ["我喜欢青苹果"]) == pytest.approx(100 / 6)


def test_the_nearest_of_several_references_counts():
    assert value("word", ["a b c"], [["x y", "a b d e"]]) == pytest.approx(100 * 2 / 4)
    # as few edits from both: the longer one
    assert value("word", ["a"], [["b", "a c"]]) == pytest.approx(100 * 1 / 2)


def test_an_empty_reference_has_no_words_but_edits():
    assert value("word", ["a b", "c"], ["", "c"]) == pytest.approx(200)
    assert value("word", ["a b"], [""]) == 100
    assert value("word", [""], [""]) == 0
    assert value("word", [""], ["a b"]) == 100


def test_case_and_punctuation_count():
    assert value("word", ["Two"], ["two"]) == 100
    assert "wer|nrefs:1|unit:word|case:mixed|punct:yes" in ErrorRate("word").signature(answered(["a"], ["a"]))
