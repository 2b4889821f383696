import json
import random

import pytest

from endash.errors import CorpusError
from endash.evaluation.compare import Difference, compare

WORDS = ["the", "boy", "girl", "dog", "cat", "runs", "sits", "reads", "on", "near", "green", "red", "old", "field"]


def corpus(*, noise, seed):
    """Sixty random sentences and a copy of each in which a share `noise` of the words is replaced."""
    draw = random.Random(7)
    references = [" ".join(draw.choices(WORDS, k=9)) for _ in range(60)]
    break_ = random.Random(seed)
    return references, [
        " ".join(break_.choice(WORDS) if break_.random() < noise else word for word in line.split())
        for line in references
    ]


@pytest.mark.parametrize("method", ["bootstrap", "randomisation"])
def test_a_clear_difference_is_found(method):
    references, worse = corpus(noise=0.5, seed=1)
    _, good = corpus(noise=0.1, seed=2)
    found = compare(worse, good, references, method=method)
    assert [row.metric for row in found.differences] == ["bleu", "chrf", "ter"]
    assert all(row.better == "b" and row.p < 0.01 for row in found.differences)
    assert found.differences[0].difference > 10
    assert found.differences[2].difference < 0
    assert (found.method, found.sentences) == (method, 60)
    assert {row.better for row in compare(good, worse, references).differences} == {"a"}


def test_equal_systems_cannot_be_told_apart():
    references, one = corpus(noise=0.3, seed=1)
    _, other = corpus(noise=0.3, seed=2)
    assert all(row.better is None for row in compare(one, other, references).differences)
    same = compare(one, one, references)
    assert all(row.better is None and row.difference == 0 for row in same.differences)


def test_the_same_input_gives_the_same_p():
    references, one = corpus(noise=0.3, seed=1)
    _, other = corpus(noise=0.2, seed=3)
    first = compare(one, other, references)
    assert first == compare(one, other, references)
    assert "seed:12345" in first.differences[0].signature


def test_a_lower_ter_is_the_better_one():
    assert Difference("ter", 50.0, 40.0, 0.01, "").better == "b"
    assert Difference("bleu", 50.0, 40.0, 0.01, "").better == "a"
    assert Difference("bleu", 50.0, 40.0, 0.05, "").better is None


def test_it_becomes_json():
    references, one = corpus(noise=0.3, seed=1)
    found = json.loads(json.dumps(compare(one, references, references).to_json()))
    assert found["bleu"]["b"] == pytest.approx(100)
    assert found["bleu"]["better"] == "b"
    assert found["sentences"] == 60


def test_lists_that_do_not_fit_are_refused_by_name():
    with pytest.raises(CorpusError, match="system b: 1 hypotheses for 2 references"):
        compare(["a", "b"], ["a"], ["a", "b"])
