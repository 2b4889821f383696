"""Labels and tags: accuracy, and precision, recall and F1 of each label and of all of them.

A label counts as right (true positive), answered (true and false positives) and gold (true positives and false negatives).
With that, precision = right / answered, recall = right / gold, F1 = 2 right / (answered + gold); a share of nothing is 0, as
in scikit-learn, and `per_label` tells where. N records, L labels, R sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from endash.errors import CorpusError
from endash.evaluation.resampling import Floats, resampled
from endash.evaluation.scorer import AdditiveScorer, Answered

Average = Literal["micro", "macro", "weighted"]


@dataclass(frozen=True, slots=True, eq=False)
class LabelCounts:
    """How often each of the labels was right, answered and gold in each record: (N, 3, L)."""

    labels: tuple[str, ...]
    table: Floats


def label_pairs(given: Answered, metric: str) -> Iterator[list[tuple[str, str]]]:
    """For each record (gold, answered), a pair for each word, or one for the record's label.

    Raises CorpusError if a record does not have as many tags as are right.
    """
    for row, (answer, gold) in enumerate(zip(given.answers, given.references, strict=True), start=1):
        answers = (answer,) if isinstance(answer, str) else answer
        if len(answers) != len(gold):
            what = "1 label is answered" if isinstance(answer, str) else f"{len(answer)} tags are answered"
            raise CorpusError(
                f"record {row}: {what} where the record has {len(gold)}: {metric} needs one label a record, or one tag a word"
            )
        yield list(zip(gold, answers, strict=True))


def occurring(given: Answered, metric: str = "a label's metric") -> tuple[str, ...]:
    """The labels that are counted, sorted: those that were given, or that stand in references or answers."""
    return given.labels or tuple(
        sorted({name for pairs in label_pairs(given, metric) for pair in pairs for name in pair})
    )


def count_labels(given: Answered, metric: str = "a label's metric") -> LabelCounts:
    """The counts of each label in each record."""
    labels = occurring(given, metric)
    place = {label: index for index, label in enumerate(labels)}
    table = np.zeros((len(given), 3, len(labels)))
    for row, pairs in enumerate(label_pairs(given, metric)):
        for gold, answer in pairs:
            table[row, 0, place[gold]] += gold == answer
            table[row, 1, place[answer]] += 1
            table[row, 2, place[gold]] += 1
    return LabelCounts(labels, table)


class Accuracy(AdditiveScorer):
    """The share of labels, or of words' tags, that are right: 0 to 1."""

    name, title, digits = "accuracy", "accuracy", 3

    def statistics(self, given: Answered) -> Floats:
        """Right ones and all, (N, 2)."""
        pairs = label_pairs(given, self.name)
        rows = [(sum(gold == answer for gold, answer in of_record), len(of_record)) for of_record in pairs]
        return np.array(rows, dtype=np.float64)

    def values(self, sums: Floats) -> Floats:
        """Right / all."""
        return ratio(sums[:, 0], sums[:, 1])

    def settings(self, given: Answered) -> list[str]:
        """Nothing changes it."""
        return []


class F1(AdditiveScorer):
    """F1 over labels, 0 to 1: micro (of all counts), macro (the mean over labels) or weighted (by the labels' support).

    The macro and weighted means are over the labels that stand in the references or the answers, as in scikit-learn.
    """

    digits, by_record = 3, False

    def __init__(self, average: Average) -> None:
        self.average, self.name, self.title = average, f"{average}_f1", f"{average} F1"

    def statistics(self, given: Answered) -> Floats:
        """How often each label was right, answered and gold, (N, 3 L)."""
        return count_labels(given, self.name).table.reshape(len(given), -1)

    def values(self, sums: Floats) -> Floats:
        """The average of the labels' F1."""
        return averaged(sums.reshape(len(sums), 3, -1), self.average)[:, 2]

    def interval(self, statistics: Floats) -> tuple[float, float]:
        """The bounds of the 95 % interval; see `average_bounds`."""
        low, high = average_bounds(self.values(resampled(statistics)), self.of_statistics(statistics))
        return float(low), float(high)

    def settings(self, given: Answered) -> list[str]:
        """How many labels there are."""
        return [f"labels:{len(occurring(given, self.name))}", f"average:{self.average}"]


def rates(counts: Floats) -> Floats:
    """Precision, recall and F1 (R, 3, L) of counts (R, 3, L) of right, answered and gold."""
    right, answered, gold = counts[:, 0], counts[:, 1], counts[:, 2]
    return np.stack([ratio(right, answered), ratio(right, gold), ratio(2 * right, answered + gold)], axis=1)


def averaged(counts: Floats, average: Average) -> Floats:
    """Precision, recall and F1 (R, 3) over all labels, of counts (R, 3, L)."""
    if average == "micro":
        return rates(counts.sum(axis=2, keepdims=True))[:, :, 0]
    gold = counts[:, 2]
    weight = (counts[:, 1] + gold > 0).astype(np.float64) if average == "macro" else gold
    return ratio(np.einsum("rkl,rl->rk", rates(counts), weight), weight.sum(axis=1)[:, None])


def average_bounds(resamples: Floats, value: Floats | float) -> Floats:
    """The bounds (2, …) between which 95 % of an average's figures (R, …) lie, moved by what their mean is off its value.

    A label that few records have is in few resamples, and a mean over labels without the rare ones is another, mostly higher.
    """
    bounds: Floats = np.quantile(resamples, (0.025, 0.975), axis=0) - (resamples.mean(axis=0) - value)
    return bounds.clip(0.0, 1.0)


def ratio(part: Floats, whole: Floats) -> Floats:
    """`part` / `whole`, and 0 where the whole is 0."""
    whole = np.broadcast_to(whole, part.shape)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
