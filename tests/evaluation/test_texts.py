import math

import pytest

from endash.errors import CorpusError
from endash.evaluation.evaluate import evaluate
from endash.evaluation.scorer import answered
from endash.evaluation.texts import Distinct, Perplexity


def test_perplexity_is_of_all_tokens_together():
    given = answered(["a", "b"], ["a", "b"], losses=[(4.0, 2), (2.0, 4)])
    assert Perplexity().value(given) == pytest.approx(math.exp(6 / 6))
    assert "tokens:6" in Perplexity().signature(given)
    found = evaluate(["a", "b"], ["a", "b"], losses=[(4.0, 2), (2.0, 4)], metrics=["perplexity"], confidence=True)
    assert found["perplexity"].low == pytest.approx(math.exp(0.5))
    assert found["perplexity"].high == pytest.approx(math.exp(2.0))


def test_a_perplexity_past_all_numbers_is_still_one():
    assert math.isfinite(Perplexity().value(answered(["a"], ["a"], losses=[(1e6, 1)])))


def test_losses_that_are_missing_or_no_numbers_are_refused():
    with pytest.raises(CorpusError, match="perplexity is of a model's losses, and none were given"):
        Perplexity().value(answered(["a"], ["a"]))
    for loss in ((math.nan, 2), (math.inf, 2), (1.0, 0)):
        with pytest.raises(CorpusError, match=r"record 2 has the loss \("):
            Perplexity().value(answered(["a", "b"], ["a", "b"], losses=[(1.0, 1), loss]))


def test_distinct_is_the_share_of_different_ngrams():
    given = answered(["I do not know.", "I do not know", "Yes I do"], ["x"] * 3)
    assert Distinct(1).value(given) == pytest.approx(5 / 11)
    assert Distinct(2).value(given) == pytest.approx(4 / 8)
    assert Distinct(2).value(answered(["yes", ""], ["x", "y"])) == 0.0


def test_distinct_has_no_interval_and_says_so():
    found = evaluate(["a b", "a"], ["x", "y"], metrics=["distinct-1"], confidence=True)
    assert (found["distinct-1"].value, found["distinct-1"].low) == (pytest.approx(2 / 3), None)
    assert found.notes == ("distinct-1 does not add up over records: it has no interval and no p-value",)
    assert found.worst(3) is None
