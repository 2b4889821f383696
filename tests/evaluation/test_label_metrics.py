import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.errors import CorpusError
from endash.evaluation.labels import F1, Accuracy, averaged, count_labels, occurring, rates
from endash.evaluation.per_label import confusion, per_label
from endash.evaluation.scorer import answered

LABEL = st.sampled_from(["yes", "no", "maybe", "never"])
PAIRS = st.lists(st.tuples(LABEL, LABEL), min_size=1, max_size=30)
TAGGED = st.lists(st.lists(st.tuples(LABEL, LABEL), min_size=1, max_size=5), min_size=1, max_size=6)


def slow_rates(pairs, label):
    right = sum(gold == answer == label for gold, answer in pairs)
    answers, gold = sum(answer == label for _, answer in pairs), sum(gold == label for gold, _ in pairs)
    precision, recall = right / answers if answers else 0.0, right / gold if gold else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0, gold


def slow_f1(pairs, average):
    labels = {label for pair in pairs for label in pair}
    rows = [slow_rates(pairs, label) for label in labels]
    if average == "micro":
        return sum(gold == answer for gold, answer in pairs) / len(pairs)
    weights = [1 if average == "macro" else gold for *_, gold in rows]
    return sum(f1 * weight for (_, _, f1, _), weight in zip(rows, weights, strict=True)) / sum(weights)


def given_of(pairs):
    return answered([answer for _, answer in pairs], [gold for gold, _ in pairs])


def tagged(rows):
    return answered([[answer for _, answer in row] for row in rows], [[gold for gold, _ in row] for row in rows])


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@settings(deadline=None)
@given(pairs=PAIRS)
def test_f1_is_its_definition_and_scikit_learns(average, pairs):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn, to compare with")
    found = F1(average).value(given_of(pairs))
    gold, answers = zip(*pairs, strict=True)
    # sums of floats in another order
    assert found == pytest.approx(slow_f1(pairs, average), abs=1e-12)
    assert found == pytest.approx(metrics.f1_score(gold, answers, average=average, zero_division=0), abs=1e-12)


@settings(deadline=None)
@given(PAIRS)
def test_the_table_is_scikit_learns_report(pairs):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn, to compare with")
    gold, answers = zip(*pairs, strict=True)
    theirs = metrics.classification_report(gold, answers, output_dict=True, zero_division=0)
    table = per_label(count_labels(given_of(pairs)))
    assert [row.label for row in table.rows] == sorted({*gold, *answers})
    for row in table.rows:
        mine = (row.precision.value, row.recall.value, row.f1.value, row.support)
        assert mine == pytest.approx(tuple(theirs[row.label].values()), abs=1e-12)
        assert mine == pytest.approx(slow_rates(pairs, row.label), abs=1e-12)
    averages = {row.label: row for row in table.averages}
    for name in ("macro", "weighted"):
        row = averages[name]
        mine = (row.precision.value, row.recall.value, row.f1.value, row.support)
        assert mine == pytest.approx(tuple(theirs[f"{name} avg"].values()), abs=1e-12)
    assert averages["micro"].f1.value == pytest.approx(theirs["accuracy"])


@settings(deadline=None)
@given(TAGGED)
def test_tags_are_counted_word_by_word(rows):
    words = [pair for row in rows for pair in row]
    assert Accuracy().value(tagged(rows)) == pytest.approx(Accuracy().value(given_of(words)))
    for average in ("micro", "macro", "weighted"):
        assert F1(average).value(tagged(rows)) == pytest.approx(F1(average).value(given_of(words)), abs=1e-12)
    assert Accuracy().value(tagged(rows)) == sum(gold == answer for gold, answer in words) / len(words)


@settings(deadline=None)
@given(PAIRS)
def test_the_confusion_matrix_is_scikit_learns(pairs):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn, to compare with")
    pairs = [*pairs, ("yes", "no")]  # of a single label scikit-learn warns
    found = confusion(given_of(pairs))
    gold, answers = zip(*pairs, strict=True)
    assert np.array_equal(found.counts, metrics.confusion_matrix(gold, answers, labels=list(found.labels)))


def test_counts_of_many_resamples_are_averaged_at_once():
    counts = np.random.default_rng(1).integers(5, size=(7, 3, 4)).astype(float)
    counts[:, 1:] += counts[:, :1]
    for average in ("micro", "macro", "weighted"):
        assert np.allclose(averaged(counts, average), [averaged(one[None], average)[0] for one in counts])
    assert rates(counts).shape == (7, 3, 4)
    assert not rates(np.zeros((1, 3, 2))).any()


def test_a_known_label_that_does_not_occur_is_not_averaged():
    from dataclasses import replace

    given_ = replace(given_of([("a", "a"), ("b", "a")]), labels=("a", "b", "c"))
    assert F1("macro").value(given_) == pytest.approx((2 / 3 + 0) / 2)
    assert [row.label for row in per_label(count_labels(given_)).rows] == ["a", "b"]
    assert occurring(given_) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("answers", "references", "message"),
    [
        (
            ["a"],
            [["a", "b"]],
            "record 1: 1 label is answered where the record has 2: accuracy needs one label a record",
        ),
        (["a", ["O"]], ["a", ["O", "O"]], "record 2: 1 tags are answered where the record has 2"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_record(answers, references, message):
    with pytest.raises(CorpusError, match=message):
        Accuracy().value(answered(answers, references))
