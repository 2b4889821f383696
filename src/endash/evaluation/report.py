"""Figures as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from endash.evaluation.compare import Comparison, Difference
from endash.evaluation.evaluate import Evaluation
from endash.evaluation.per_label import Estimate, PerLabel
from endash.evaluation.scorer import AdditiveScorer, Metric, Scored

if TYPE_CHECKING:
    from rich.table import Table

LABELS_CAPTION = "macro and weighted averages are over the labels that stand in the references or the answers"


def evaluation_table(evaluations: Mapping[str, Evaluation], *, title: str = "") -> Table:
    """A rich table with a row for each named evaluation and a column for each metric; the best of each column is bold.

    With a `title`, which stands above the names, they are families of that model; none is the best, and what each took is not
    known. Under it stand the signatures, without which the figures cannot be compared with others, and any notes but those of
    `label_table`.
    """
    from rich.table import Table

    systems = list(evaluations.values())
    metrics = list({metric.name: metric for found in systems for metric in found.metrics}.values())
    signatures = {metric.signature: None for found in systems for metric in found.metrics}
    notes = {
        note: None for found in systems for note in found.notes if not found.table or note not in found.table.notes
    }
    table = Table(caption=_plain("\n".join([*signatures, *notes])), caption_justify="left")
    table.add_column(_plain(title))
    speeds = [] if title else [f"{systems[0].unit}/s"]
    checked = any(found.placeholders for found in systems)
    for label in (*map(heading, metrics), *(["placeholders"] if checked else []), *speeds):
        table.add_column(label, justify="right")
    best = {metric.name: None if title else _best(metric.name, systems) for metric in metrics}
    for name, found in evaluations.items():
        held = {metric.name: metric for metric in found.metrics}
        cells = [_figure(held[one.name], best[one.name]) if one.name in held else "–" for one in metrics]
        if checked:
            share = found.placeholders and found.placeholders.share
            cells.append("–" if share is None else f"{share:.1%}")
        if speeds:
            cells.append(f"{len(found.given) / found.seconds:,.0f}" if found.seconds > 0 else "–")
        table.add_row(_plain(name), *cells)
    return table


def comparison_table(comparison: Comparison, *, a: str = "a", b: str = "b") -> Table:
    """A rich table of two systems: both values, their difference, p, and which is better if p < 0.05."""
    from rich.table import Table

    caption = [f"paired approximate randomisation, {comparison.records:,} {comparison.unit}", *comparison.notes]
    table = Table(caption=_plain("\n".join(caption)), caption_justify="left")
    for index, label in enumerate(("", _plain(a), _plain(b), "difference", "p", "better")):
        table.add_column(label, justify="right" if index else "left")
    for row in comparison.differences:
        digits = row.a.digits
        values = (f"{row.a.value:.{digits}f}", f"{row.b.value:.{digits}f}", f"{row.difference:+.{digits}f}")
        table.add_row(heading(row.a), *values, p_value(row.p), _plain(verdict(row, a, b)))
    return table


def label_table(found: PerLabel, *, name: str = "label") -> Table:
    """A rich table of precision, recall, F1 and support by label, the averages under a line of their own.

    `name` stands above the labels: whose they are, and that they are of entities, where it is those that are counted. Under it stand the notes on shares of nothing.
    """
    from rich.table import Table

    caption = "\n".join([LABELS_CAPTION, *found.notes])
    table = Table(caption=_plain(caption), caption_justify="left")
    table.add_column(_plain(name if found.unit == "labels" else f"{name}: {found.unit}"))
    for label in ("precision", "recall", "F1", "support"):
        table.add_column(label, justify="right")
    for rows in (found.rows, found.averages):
        for row in rows:
            figures = [estimate(one) for one in (row.precision, row.recall, row.f1)]
            table.add_row(_plain(row.label), *map(_plain, figures), f"{row.support:,}")
        table.add_section()
    return table


def heading(metric: Metric) -> str:
    """What a metric is called, with an arrow to the better side, if one is."""
    return metric.title if metric.lower is None else f"{metric.title} {'↓' if metric.lower else '↑'}"


def p_value(p: float | None) -> str:
    """A p-value as it is written, which is never 0; – where there is none."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def verdict(row: Difference, a: str, b: str) -> str:
    """Which system is better, or that it cannot be told; – where neither side is the better."""
    if row.a.lower is None:
        return "–"
    return {"a": a, "b": b}.get(row.better or "", "cannot tell")


def estimate(one: Estimate) -> str:
    """A figure from 0 to 1, with its interval where it has one."""
    return (
        f"{one.value:.3f}"
        if one.low is None or one.high is None
        else f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
    )


def _best(name: str, systems: list[Evaluation]) -> float | None:
    found = [one for system in systems for one in system.scored if one.metric.name == name]
    if len(found) < 2 or found[0].metric.lower is None or not _comparable(found):
        return None
    values = [one.metric.value for one in found]
    return min(values) if found[0].metric.lower else max(values)


def _comparable(found: list[Scored]) -> bool:
    scorer, statistics = found[0].scorer, [one.statistics for one in found if one.statistics is not None]
    return not isinstance(scorer, AdditiveScorer) or not any(
        scorer.why_not_compare(statistics[0], other) for other in statistics[1:]
    )


def _figure(metric: Metric, best: float | None) -> str:
    value = f"{metric.value:.{metric.digits}f}"
    value = f"[bold]{value}[/bold]" if metric.value == best else value
    if metric.low is None or metric.high is None:
        return value
    return rf"{value} \[{metric.low:.{metric.digits}f}, {metric.high:.{metric.digits}f}]"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
