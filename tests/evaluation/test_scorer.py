import numpy as np
import pytest

from endash.errors import CorpusError
from endash.evaluation.evaluate import evaluate
from endash.evaluation.scorer import AdditiveScorer, answered


def test_answers_are_held_beside_what_is_right():
    given = answered(["a b", "c"], ["a", ["c", "d"]], sources=["x", "y"])
    assert given.references == (("a",), ("c", "d"))
    assert given.references_signature() == "nrefs:var"
    assert len(given) == 2
    assert answered([["B-X", "O"]], [["B-X", "O"]]).answers == (("B-X", "O"),)


@pytest.mark.parametrize(
    ("answers", "references", "others", "message"),
    [
        ([], [], {}, "0 records to evaluate"),
        (["a"], ["a", "b"], {}, "1 answers for 2 records: give one a record"),
        ([], ["a", "b"], {}, "0 answers for 2 records"),
        (["a"], ["a"], {"sources": ["x", "y"]}, "2 sources for 1 records"),
        (["a"], ["a"], {"losses": [(1.0, 2)] * 3}, "3 losses for 1 records"),
        (["a", "b"], ["a", []], {}, "record 2 has no reference"),
    ],
)
def test_lists_that_do_not_fit_are_refused(answers, references, others, message):
    with pytest.raises(CorpusError, match=message):
        answered(answers, references, **others)


def test_tags_are_no_text():
    with pytest.raises(CorpusError, match="chrf measures texts, and these answers are tags"):
        evaluate([["O"]], [["O"]], metrics=["chrf"])


class Length(AdditiveScorer):
    """Letters an answer: a metric of one's own."""

    name, title, lower = "length", "letters", True

    def statistics(self, given):
        return np.array([(len(text), 1) for text in given.texts(self.name)], dtype=np.float64)

    def values(self, sums):
        return sums[:, 0] / sums[:, 1]


def test_a_metric_of_ones_own_is_measured_like_any_other():
    found = evaluate(["aa", "bbbb"], ["x", "y"], metrics=[Length()], confidence=True)
    metric = found["length"]
    assert (metric.value, metric.low, metric.high) == (3.0, 2.0, 4.0)
    assert (metric.title, metric.lower) == ("letters", True)
    assert metric.signature.startswith("length|nrefs:1|bs:1000|seed:12345|endash:")
    assert [row for row, _ in found.worst(2).records] == [1, 0]
