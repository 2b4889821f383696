import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.evaluation.cider import Cider
from endash.evaluation.scorer import answered

CAPTION = st.lists(st.sampled_from(["a", "dog", "cat", "runs", "on", "grass"]), max_size=6).map(" ".join)
RECORD = st.tuples(CAPTION, st.lists(CAPTION, min_size=1, max_size=3))


def slow_cider(answers, references):
    """Equation 5 of Vedantam et al. 2015, gram by gram, with raw counts, times 10, then times 100."""

    def grams(text, n):
        words = text.split()
        return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]

    def weight(gram, text, n):
        having = sum(any(gram in grams(one, n) for one in right) for right in references)
        return grams(text, n).count(gram) * math.log(len(references) / max(1, having))

    total = 0.0
    for answer, right in zip(answers, references, strict=True):
        for n in (1, 2, 3, 4):
            for reference in right:
                every = set(grams(answer, n)) | set(grams(reference, n))
                a = {gram: weight(gram, answer, n) for gram in every}
                b = {gram: weight(gram, reference, n) for gram in every}
                norm = math.sqrt(sum(w * w for w in a.values())) * math.sqrt(sum(w * w for w in b.values()))
                if norm:
                    close = math.exp(-((len(answer.split()) - len(reference.split())) ** 2) / (2 * 6**2))
                    total += 10 * close * sum(min(a[g], b[g]) * b[g] for g in every) / norm / 4 / len(right)
    return 100 * total / len(answers)


@settings(deadline=None)
@given(st.lists(RECORD, min_size=1, max_size=4))
def test_cider_is_its_definition(records):
    answers, references = zip(*records, strict=True)
    # sums of floats in another order
    assert Cider().value(answered(answers, references)) == pytest.approx(slow_cider(answers, references), abs=1e-8)


def test_saying_what_all_say_is_worth_most():
    references = [["a dog runs on grass", "a dog is running"], ["two men sit at a table"], ["a red bus stops here"]]
    right = [one[0] for one in references]
    found = Cider().value(answered(right, references))
    assert found > Cider().value(answered(["a dog runs on grass"] * 3, references)) > 0
    assert Cider().value(answered([text.upper() + "!" for text in right], references)) == pytest.approx(found)


def test_a_perfect_answer_with_one_reference_scores_a_thousand():
    references = ["a dog runs on grass", "two men sit at tables", "red buses stop here now"]
    assert Cider().value(answered(references, references)) == pytest.approx(1000)


def test_one_record_says_nothing_and_that_is_told():
    given_ = answered(["a dog"], ["a dog"])
    assert Cider().value(given_) == 0
    assert "CIDEr of 1 record is 0" in Cider().notes(given_)[0]
    assert Cider().notes(answered(["a", "b"], ["a", "b"])) == ()
