"""Figures as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from endash.evaluation.compare import Comparison
from endash.evaluation.evaluate import Evaluation
from endash.evaluation.metrics import Metric

if TYPE_CHECKING:
    from rich.table import Table

LABELS = {"bleu": "BLEU ↑", "chrf": "chrF ↑", "ter": "TER ↓"}


def evaluation_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """A rich table with a row for each named evaluation and a column for each metric; the best of each column is bold.

    Under it stand the signatures, without which the figures cannot be compared with others, and any notes.
    """
    from rich.table import Table

    signatures = {metric.signature: None for found in evaluations.values() for metric in found.metrics}
    notes = {note: None for found in evaluations.values() for note in found.notes}
    table = Table(caption=_plain("\n".join([*signatures, *notes])), caption_justify="left")
    table.add_column("")
    for label in (*LABELS.values(), "placeholders", "sentences/s"):
        table.add_column(label, justify="right")
    best = {name: _best(name, [found[name].value for found in evaluations.values()]) for name in LABELS}
    for name, found in evaluations.items():
        figures = [_figure(found[metric], bold=found[metric].value == best[metric]) for metric in LABELS]
        speed = f"{len(found.hypotheses) / found.seconds:,.0f}" if found.seconds > 0 else "–"
        table.add_row(_plain(name), *figures, f"{found.placeholders.share:.1%}", speed)
    return table


def comparison_table(comparison: Comparison, *, a: str = "a", b: str = "b") -> Table:
    """A rich table of two systems: both values, their difference, p, and which is better if p < 0.05."""
    from rich.table import Table

    caption = f"paired approximate randomisation, {comparison.sentences:,} sentences"
    table = Table(caption=caption, caption_justify="left")
    for index, label in enumerate(("", _plain(a), _plain(b), "difference", "p", "better")):
        table.add_column(label, justify="right" if index else "left")
    names = {"a": _plain(a), "b": _plain(b), None: "cannot tell"}
    for row in comparison.differences:
        values = (f"{row.a:.1f}", f"{row.b:.1f}", f"{row.difference:+.1f}", f"{row.p:.3f}")
        table.add_row(LABELS[row.metric], *values, names[row.better])
    return table


def _best(name: str, values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    return min(values) if name == "ter" else max(values)


def _figure(metric: Metric, *, bold: bool) -> str:
    value = f"[bold]{metric.value:.1f}[/bold]" if bold else f"{metric.value:.1f}"
    if metric.low is None or metric.high is None:
        return value
    return rf"{value} \[{metric.low:.1f}, {metric.high:.1f}]"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
