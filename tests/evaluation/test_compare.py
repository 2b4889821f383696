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


@pytest.fixture
def fewer_trials(monkeypatch):
    monkeypatch.setattr("sacrebleu.significance.PairedTest._DEFAULT_SAMPLES", {"ar": 1000})


def test_a_clear_difference_is_found():
    references, worse = corpus(noise=0.5, seed=1)
    _, good = corpus(noise=0.1, seed=2)
    found = compare(worse, good, references)
    assert [row.metric for row in found.differences] == ["bleu", "chrf", "ter"]
    assert all(row.better == "b" and row.p < 0.01 for row in found.differences)
    assert found.differences[0].difference > 10
    assert found.differences[2].difference < 0
    assert found.sentences == 60
    assert "ar:10000|seed:12345" in found.differences[0].signature
    figures = json.loads(json.dumps(found.to_json()))
    assert (figures["bleu"]["better"], figures["sentences"]) == ("b", 60)
    assert figures["ter"]["difference"] == found.differences[2].difference


@pytest.mark.usefixtures("fewer_trials")
def test_equal_systems_cannot_be_told_apart():
    references, one = corpus(noise=0.3, seed=1)
    _, other = corpus(noise=0.3, seed=2)
    found = compare(one, other, references)
    assert all(row.better is None for row in found.differences)
    assert found == compare(one, other, references), "the same input gives the same p"


@pytest.mark.usefixtures("fewer_trials")
def test_a_system_is_no_better_than_itself():
    references, one = corpus(noise=0.3, seed=1)
    assert all(row.better is None and row.difference == 0 for row in compare(one, one, references).differences)


def test_a_lower_ter_is_the_better_one():
    assert Difference("ter", 50.0, 40.0, 0.01, "").better == "b"
    assert Difference("bleu", 50.0, 40.0, 0.01, "").better == "a"
    assert Difference("bleu", 50.0, 40.0, 0.05, "").better is None


def test_lists_that_do_not_fit_are_refused_by_name():
    with pytest.raises(CorpusError, match="system b: 1 hypotheses for 2 references"):
        compare(["a", "b"], ["a"], ["a", "b"])


def test_equal_outputs_are_not_told_apart() -> None:
    outputs = ["a b c d", "e f g h"]
    found = compare(outputs, list(outputs), ["a b c x", "e f g h"])
    assert [one.p for one in found.differences] == [1.0, 1.0, 1.0]
