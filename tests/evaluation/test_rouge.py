from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.evaluation.rouge import Rouge, common_subsequence, ngrams
from endash.evaluation.scorer import answered

TEXTS = st.lists(st.sampled_from(["The", "cat", "cat.", "sat", "on"]), max_size=6).map(" ".join)


def slow_common(a, b):
    for size in range(min(len(a), len(b)), 0, -1):
        if {tuple(one) for one in combinations(a, size)} & {tuple(one) for one in combinations(b, size)}:
            return size
    return 0


def slow_f(kind, answer, reference):
    """Precision and recall by counting n-grams one by one, then their harmonic mean (Lin 2004)."""
    a, b = (text.lower().replace(".", "").split() for text in (answer, reference))
    if kind == "l":
        common, sizes = slow_common(a, b), (len(a), len(b))
    else:
        n = int(kind)
        left, right = ([tuple(words[i : i + n]) for i in range(len(words) - n + 1)] for words in (a, b))
        sizes, rest, common = (len(left), len(right)), list(right), 0
        for ngram in left:
            if ngram in rest:
                rest.remove(ngram)
                common += 1
    if not common:
        return 0.0
    precision, recall = common / sizes[0], common / sizes[1]
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("kind", ["1", "2", "l"])
@settings(deadline=None)
@given(pairs=st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_rouge_is_the_mean_of_each_records_best_f(kind, pairs):
    by_hand = [max(slow_f(kind, answer, one) for one in right) for answer, right in pairs]
    answers, references = zip(*pairs, strict=True)
    found = Rouge(kind).value(answered(answers, references))
    assert found == pytest.approx(100 * sum(by_hand) / len(by_hand), abs=1e-9)


def test_known_values_by_hand():
    # rouge-score's own example: 6 of 9 words are among 9, a subsequence of 3
    given_ = answered(["The quick brown dog jumps on the log."], ["The quick brown fox jumps over the lazy dog"])
    assert Rouge("1").value(given_) == pytest.approx(100 * 2 * 6 / (8 + 9))
    assert Rouge("l").value(given_) == pytest.approx(100 * 2 * 5 / (8 + 9))


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_the_common_subsequence_is_the_longest(a, b):
    assert common_subsequence(a, b) == slow_common(a, b)


def test_ngrams_are_counted():
    assert ngrams(["a", "b", "a", "b"], 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert ngrams(["a"], 2) == {}


def test_chinese_is_counted_by_characters():
    assert Rouge("1").value(answered(["红苹果"], ["青苹果"])) == pytest.approx(100 * 2 / 3)
