import json
import random

import numpy as np
import pytest

from endash.evaluation.evaluate import evaluate
from endash.evaluation.labels import count_labels
from endash.evaluation.per_label import Confusion, confusion, per_label
from endash.evaluation.resampling import resampled
from endash.evaluation.scorer import answered


def made(records=200, labels="abcd", wrong=0.3):
    draw = random.Random(5)
    gold = draw.choices(labels, weights=range(1, len(labels) + 1), k=records)
    answers = [draw.choice(labels) if draw.random() < wrong else label for label in gold]
    return answered(answers, gold)


def test_intervals_are_of_resampled_records():
    given = made()
    table = per_label(count_labels(given), confidence=True)
    counts = count_labels(given).table
    by_hand = []
    for sums in resampled(counts.reshape(len(counts), -1)).reshape(-1, 3, 4):
        right, answers, gold = sums[:, 2]  # of the label "c"
        by_hand.append((right / answers, right / gold, 2 * right / (answers + gold)))
    bounds = np.quantile(by_hand, (0.025, 0.975), axis=0)
    row = table.rows[2]
    for place, one in enumerate((row.precision, row.recall, row.f1)):
        assert (one.low, one.high) == pytest.approx(tuple(bounds[:, place]))
        assert one.low < one.value < one.high
    for row in table.averages:
        assert row.f1.low < row.f1.value < row.f1.high
    assert table.averages[0].support == 200


def test_an_interval_leaves_out_resamples_without_the_label():
    """A label that stands in 1 of 3 records is in 19 of 27 resamples: its recall is 1 in all of those."""
    table = per_label(count_labels(answered(["a", "b", "b"], ["a", "b", "b"])), confidence=True)
    assert (table.rows[0].recall.low, table.rows[0].recall.high) == (1.0, 1.0)


def test_shares_of_nothing_are_zero_and_told():
    table = per_label(count_labels(answered(["a", "x"], ["a", "b"])), confidence=True)
    rows = {row.label: row for row in table.rows}
    assert (rows["b"].precision.value, rows["b"].precision.low) == (0.0, None)
    assert (rows["x"].recall.value, rows["x"].recall.low, rows["x"].support) == (0.0, None, 0)
    assert table.notes == (
        "precision is given as 0 where a label was never answered: b",
        "recall is given as 0 where a label stands in no reference: x",
    )
    many = per_label(count_labels(answered(["z"] * 12, [f"l{n:02}" for n in range(12)])))
    assert many.notes[0].endswith("l08, l09 and 2 more")


def test_the_table_becomes_json():
    figures = json.loads(json.dumps(per_label(count_labels(made()), confidence=True).to_json()))
    assert figures["labels"]["a"].keys() == {"precision", "recall", "f1", "support", "answered", "intervals"}
    assert figures["averages"].keys() == {"micro", "macro", "weighted"}
    plain = per_label(count_labels(made())).to_json()
    assert "intervals" not in plain["labels"]["a"]


def test_the_most_confused_labels_are_kept_in_order():
    counts = np.diag([90, 80, 70, 60])
    counts[3, 1] = 5
    counts[0, 2] = 1
    found = Confusion(("a", "b", "c", "d"), counts)
    assert found.most_confused(2).labels == ("b", "d")
    assert found.most_confused(2).counts.tolist() == [[80, 0], [5, 60]]
    assert found.most_confused(9).labels == found.labels
    assert found.mistakes(5) == [("d", "b", 5), ("a", "c", 1)]
    assert found.mistakes(1) == [("d", "b", 5)]
    assert found.to_json()["counts"][3] == [0, 5, 0, 60]


def test_rows_are_right_and_columns_answered():
    found = confusion(answered([["B", "O"], ["O", "O"]], [["B", "B"], ["O", "O"]]))
    assert found.labels == ("B", "O")
    assert found.counts.tolist() == [[1, 1], [0, 2]]


def test_an_interval_holds_its_average_where_many_labels_are_rare():
    gold = ["common"] * 300 + [f"rare {n}" for n in range(60)]
    answers = ["common"] * 300 + [name if n % 2 else "common" for n, name in enumerate(gold[300:])]
    found = evaluate(answers, gold, metrics=["macro_f1", "accuracy"], confidence=True)
    macro = found["macro_f1"]
    assert macro.low < macro.value < macro.high
    assert found.table is not None
    row = next(one for one in found.table.averages if one.label == "macro")
    assert (row.f1.low, row.f1.high) == pytest.approx((macro.low, macro.high))
