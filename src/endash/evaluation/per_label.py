"""What a labeller does with each label: precision, recall and F1 beside support, their averages, and what it confuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from endash.evaluation.labels import Average, LabelCounts, average_bounds, averaged, label_pairs, occurring, rates
from endash.evaluation.resampling import Floats, resampled
from endash.evaluation.scorer import Answered

_AVERAGES: tuple[Average, ...] = ("micro", "macro", "weighted")
_NAMED = 10  # labels that a note lists


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure from 0 to 1, and the bounds of its 95 % interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label, or an average of all. `support` is how often it is right in the references, `answered` how often it was given."""

    label: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int
    answered: int


@dataclass(frozen=True, slots=True)
class PerLabel:
    """A row for each label that stands in references or answers, by name, and one for each average.

    `notes` tell of shares of nothing, which are given as 0; `unit` says what is counted.
    """

    rows: tuple[LabelRow, ...]
    averages: tuple[LabelRow, ...]
    notes: tuple[str, ...] = ()
    unit: Literal["labels", "entities"] = "labels"

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values, by label and by average."""
        return {
            "labels": {row.label: _row_json(row) for row in self.rows},
            "averages": {row.label: _row_json(row) for row in self.averages},
        }


def per_label(counts: LabelCounts, *, confidence: bool = False) -> PerLabel:
    """The table of counts (N, 3, L); `confidence` adds 95 % intervals.

    An interval is of the resamples in which the figure is a share of something; one that has none of them is left out.
    """
    records, _, size = counts.table.shape
    flat = counts.table.reshape(records, -1)
    total = flat.sum(axis=0).reshape(1, 3, size)
    resamples = resampled(flat).reshape(-1, 3, size) if confidence and size else None
    values, bounds = rates(total)[0], None if resamples is None else _bounds(_defined(resamples))
    rows = tuple(
        _row(label, values[:, place], None if bounds is None else bounds[:, :, place], total[0, :, place])
        for place, label in enumerate(counts.labels)
        if total[0, 1:, place].any()
    )
    averages = tuple(
        _row(
            average,
            averaged(total, average)[0],
            None if resamples is None else average_bounds(averaged(resamples, average), averaged(total, average)[0]),
            total[0].sum(axis=1),
        )
        for average in _AVERAGES
    )
    return PerLabel(rows, averages, _notes(rows))


def _row(label: str, values: Floats, bounds: Floats | None, total: Floats) -> LabelRow:
    """A row of values (3,), bounds (2, 3) and sums (3,)."""
    precision, recall, f1 = [
        Estimate(float(value))
        if bounds is None or np.isnan(bounds[0, place])
        else Estimate(float(value), float(bounds[0, place]), float(bounds[1, place]))
        for place, value in enumerate(values)
    ]
    return LabelRow(label, precision, recall, f1, support=int(total[2]), answered=int(total[1]))


def _defined(resamples: Floats) -> Floats:
    """Rates of resamples (R, 3, L), NaN where they are shares of nothing."""
    answered, gold = resamples[:, 1], resamples[:, 2]
    whole = np.stack([answered, gold, answered + gold], axis=1)
    return np.where(whole > 0, rates(resamples), np.nan)


def _bounds(values: Floats) -> Floats:
    """The bounds (2, …) of figures (R, …), NaN where none of them is a number."""
    empty = np.isnan(values).all(axis=0)
    bounds = np.nanquantile(np.where(empty, 0.0, values), (0.025, 0.975), axis=0)
    return np.where(empty, np.nan, bounds)


def _notes(rows: Sequence[LabelRow]) -> tuple[str, ...]:
    never = [row.label for row in rows if not row.answered]
    absent = [row.label for row in rows if not row.support]
    notes = []
    if never:
        notes.append(f"precision is given as 0 where a label was never answered: {_listed(never)}")
    if absent:
        notes.append(f"recall is given as 0 where a label stands in no reference: {_listed(absent)}")
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _row_json(row: LabelRow) -> dict[str, Any]:
    figures = {"precision": row.precision, "recall": row.recall, "f1": row.f1}
    intervals = {name: [one.low, one.high] for name, one in figures.items() if one.low is not None}
    return {
        **{name: one.value for name, one in figures.items()},
        "support": row.support,
        "answered": row.answered,
        **({"intervals": intervals} if intervals else {}),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """How often the label of a row was answered with the label of a column: `counts` (L, L), the right ones on the diagonal."""

    labels: tuple[str, ...]
    counts: NDArray[np.int64]

    def most_confused(self, count: int) -> Confusion:
        """The part of it for the `count` labels that take part in most mistakes, in their order here."""
        wrong = self.counts.sum(axis=0) + self.counts.sum(axis=1) - 2 * self.counts.diagonal()
        kept = np.sort(np.argsort(-wrong, kind="stable")[:count])
        return Confusion(tuple(self.labels[place] for place in kept), self.counts[np.ix_(kept, kept)])

    def mistakes(self, count: int) -> list[tuple[str, str, int]]:
        """The most frequent mistakes: the right label, the answered one, and how often."""
        wrong = self.counts - np.diag(self.counts.diagonal())
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        places = zip(*np.unravel_index(order, wrong.shape), strict=True)
        return [
            (self.labels[gold], self.labels[answer], int(wrong[gold, answer]))
            for gold, answer in places
            if wrong[gold, answer]
        ]

    def to_json(self) -> dict[str, Any]:
        """Labels, and a list of counts for each right label."""
        return {"labels": list(self.labels), "counts": self.counts.tolist()}


def confusion(given: Answered) -> Confusion:
    """The confusion matrix of labels or tags. Raises CorpusError if a record does not have one for each that is right."""
    labels = occurring(given)
    place = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for pairs in label_pairs(given, "the confusion matrix"):
        for gold, answer in pairs:
            counts[place[gold], place[answer]] += 1
    return Confusion(labels, counts)
