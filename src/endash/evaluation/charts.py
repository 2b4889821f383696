"""Pictures of an evaluation's page, as HTML and SVG that need no script: learning curves, ranges, a confusion matrix."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from endash.evaluation.curves import Curve, Points
from endash.evaluation.per_label import Confusion

MOST_LABELS = 30
"""Of more labels a matrix shows those that take part in most mistakes."""

_WIDE, _HIGH = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 44, 12, 26
_POINTS = 240  # of a longer line every so many points are drawn that there are no more


def curve_svg(curve: Curve) -> str:
    """One learning curve: training batches as a thin line, the valid part as a strong one with its last value beside it."""
    lines = [(kind, _thinned(points)) for kind, points in (("train", curve.train), ("valid", curve.valid)) if points]
    steps = [step for _, points in lines for step, _ in points]
    low, high, ticks = _scale([value for _, points in lines for _, value in points])
    first, last = min(steps), max(steps)

    def place(step: float, value: float) -> tuple[float, float]:
        across = (step - first) / (last - first) if last > first else 0.5
        up = (value - low) / (high - low)
        return _LEFT + across * (_WIDE - _LEFT - _RIGHT), _HIGH - _BOTTOM - up * (_HIGH - _TOP - _BOTTOM)

    parts = []
    for tick in ticks:
        y = place(first, tick)[1]
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDE - _RIGHT}"/>')
        parts.append(f'<text class="left" x="{_LEFT - 6}" y="{y + 4:.1f}">{tick:g}</text>')
    for step, anchor in ((first, "start"), (last, "end")) if last > first else ((first, "middle"),):
        parts.append(
            f'<text style="text-anchor:{anchor}" x="{place(step, low)[0]:.1f}" y="{_HIGH - 6}">{step:,}</text>'
        )
    for kind, points in lines:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<path class="{kind}" d="M{path}"/>' if len(points) > 1 else "")
        if kind == "valid" or len(points) == 1:
            x, y = place(*points[-1])
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
            parts.append(f'<text class="{kind}" x="{x + 7:.1f}" y="{y + 4:.1f}">{_short(points[-1][1])}</text>')
    return f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img">{"".join(parts)}</svg>'


def range_svg(value: float, low: float, high: float, *, of: tuple[float, float]) -> str:
    """A figure as a dot and its interval as a line, on a scale from `of[0]` to `of[1]` that others are drawn on too."""
    width = of[1] - of[0] or 1.0
    left, dot, right = (100 * (one - of[0]) / width for one in (low, value, high))
    return (
        '<svg class="range" viewBox="-4 0 108 10" aria-hidden="true">'
        f'<path class="grid" d="M0 5H100"/><path class="valid" d="M{left:.1f} 5H{right:.1f}"/>'
        f'<circle class="valid" cx="{dot:.1f}" cy="5" r="3.5"/></svg>'
    )


def matrix_html(confusion: Confusion) -> str:
    """The confusion matrix as a table: rows are right, columns answered, a cell as strong as its share of the row."""
    shown = confusion.most_confused(MOST_LABELS)
    heads = "".join(
        f'<th scope="col" title="{_quoted(label)}"><span>{_text(label)}</span></th>' for label in shown.labels
    )
    place = {label: row for row, label in enumerate(confusion.labels)}
    rows = []
    for row, label in enumerate(shown.labels):
        total = int(confusion.counts[place[label]].sum())
        counts = shown.counts[row].tolist()
        cells = (_cell(label, shown.labels[column], count, total) for column, count in enumerate(counts))
        rows.append(
            f'<tr><th scope="row" title="{_quoted(label)}"><span>{_text(label)}</span></th>{"".join(cells)}</tr>'
        )
    return (
        '<div class="scroll"><table class="matrix"><thead><tr><td class="corner">right ↓ &nbsp; answered →</td>'
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(right: str, answered: str, count: int, total: int) -> str:
    if not count:
        return "<td></td>"
    share = count / total
    kind = "right" if right == answered else "wrong"
    title = f"{right} → {answered}: {count:,} of {total:,}"
    return f'<td class="{kind}" style="--p:{8 + 47 * share:.0f}%" title="{_quoted(title)}">{count:,}</td>'


def _thinned(points: Points) -> Sequence[tuple[int, float]]:
    every = math.ceil(len(points) / _POINTS)
    return [*points[:-1:every], points[-1]]


def _scale(values: Iterable[float]) -> tuple[float, float, list[float]]:
    """Round bounds around the values, and three to six round ticks from one to the other."""
    held = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(held), max(held)
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return first * step, last * step, [round(number * step, 12) for number in range(first, last + 1)]


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _text(value: str) -> str:
    return html.escape(value, quote=False)


def _quoted(value: str) -> str:
    return html.escape(value)
