"""One self-contained HTML page of evaluations: no network, no script, nothing of the texts taken for markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from endash.evaluation.charts import MOST_LABELS, curve_svg, matrix_html, range_svg
from endash.evaluation.compare import Comparison, Difference
from endash.evaluation.curves import Curve
from endash.evaluation.evaluate import Evaluation
from endash.evaluation.metrics import TRANSLATION
from endash.evaluation.per_label import Estimate, LabelRow, PerLabel
from endash.evaluation.report import LABELS_CAPTION, heading, p_value, verdict
from endash.evaluation.scorer import Answer, Metric

_WORST = 20
_MISTAKES = 10


def page(
    evaluations: Mapping[str, Evaluation],
    *,
    title: str,
    comparison: Comparison | None = None,
    curves: Mapping[str, Sequence[Curve]] | None = None,
) -> str:
    """The page of one named evaluation or more, as HTML.

    `comparison` is that of the first two; `curves` are learning curves (`curves.read_curves`) by the name of a run. An
    evaluation of labels shows its table and confusion matrix, every one the answers that are worst.
    """
    several = len(evaluations) > 1
    parts = [_figures(evaluations, comparison)]
    for name, found in evaluations.items():
        of = f" · {name}" if several else ""
        if found.families:
            parts.append(_section(f"By family{of}", _families(found.families)))
        if found.table:
            parts.append(_section(f"{found.table.unit.capitalize()}{of}", _labels(found.table)))
        if found.confusion and found.confusion.counts.size:
            parts.append(_section(f"What is taken for what{of}", _confusion(found)))
        if worst := _worst(found):
            parts.append(_section(f"Worst answers{of}", worst))
    for name, of_run in (curves or {}).items():
        parts.append(_section(f"Learning curves · {name}", _curves(of_run)))
    texts = {"title": _text(title), "style": _asset("page.css"), "body": "\n".join(parts)}
    # One pass, so that no text that is put in can be taken for a place to put another in.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: texts[place[1]], _asset("page.html"))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{_text(title)}</h2>\n{body}\n</section>"


def _figures(evaluations: Mapping[str, Evaluation], comparison: Comparison | None) -> str:
    systems = list(evaluations.values())
    metrics = {metric.name: metric for found in systems for metric in found.metrics}
    differences = {row.a.name: row for row in comparison.differences} if comparison else {}
    names = list(evaluations)
    heads = [f'<th scope="col">{_text(name)}</th>' for name in names]
    if comparison:
        heads += ['<th scope="col">difference</th>', '<th scope="col">p</th>', '<th scope="col">better</th>']
    rows = [_figure_row(metric, systems, differences.get(name), names) for name, metric in metrics.items()]
    first = systems[0]
    lead = f"{len(first.given):,} {first.unit}; the range under a figure holds 95 % of what resampled records give"
    if sacrebleu := [metrics[name].title for name in TRANSLATION if name in metrics]:
        lead += (
            f", that under {', '.join(sacrebleu)} is as wide and has their mean in its middle, as sacrebleu gives it"
        )
    lead += "."
    if comparison:
        lead += " Differences by paired approximate randomisation: below p = 0.05 they are hardly luck."
    told = (*(found.notes for found in systems), comparison.notes if comparison else ())
    notes = dict.fromkeys(note for some in told for note in some)
    signatures = dict.fromkeys(metric.signature for found in systems for metric in found.metrics)
    return (
        f'<section><p class="lead">{_text(lead)}</p>'
        f'<div class="scroll"><table class="figures"><thead><tr><td></td>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        + "".join(f'<p class="note">{_text(note)}</p>' for note in notes)
        + f"<details><summary>signatures</summary>{''.join(f'<p><code>{_text(one)}</code></p>' for one in signatures)}"
        "</details></section>"
    )


def _figure_row(metric: Metric, systems: Sequence[Evaluation], difference: Difference | None, names: list[str]) -> str:
    found = [next((one for one in system.metrics if one.name == metric.name), None) for system in systems]
    bounds = [
        bound for one in found if one and one.low is not None and one.high is not None for bound in (one.low, one.high)
    ]
    scale = (min(bounds), max(bounds)) if bounds and len(systems) > 1 else None
    cells = "".join(_figure(one, scale) for one in found)
    if difference:
        cells += f"<td>{difference.difference:+.{metric.digits}f}</td><td>{_text(p_value(difference.p))}</td>"
        cells += f"<td>{_text(verdict(difference, *names[:2]))}</td>"
    return f'<tr><th scope="row">{_text(heading(metric))}</th>{cells}</tr>'


def _figure(metric: Metric | None, scale: tuple[float, float] | None) -> str:
    if metric is None:
        return "<td>–</td>"
    value = f"<b>{metric.value:.{metric.digits}f}</b>"
    if metric.low is None or metric.high is None:
        return f"<td>{value}</td>"
    drawn = range_svg(metric.value, metric.low, metric.high, of=scale) if scale else ""
    return f"<td>{value}{drawn}<small>{metric.low:.{metric.digits}f} – {metric.high:.{metric.digits}f}</small></td>"


def _families(families: Mapping[str, Evaluation]) -> str:
    metrics = {metric.name: metric for found in families.values() for metric in found.metrics}
    heads = "".join(f'<th scope="col">{_text(heading(one))}</th>' for one in metrics.values())
    rows = []
    for name, found in families.items():
        held = {metric.name: metric for metric in found.metrics}
        cells = "".join(_figure(held.get(metric), None) for metric in metrics)
        rows.append(f'<tr><th scope="row">{_text(name)}</th>{cells}<td>{len(found.given):,}</td></tr>')
    return (
        f'<div class="scroll"><table class="figures"><thead><tr><td></td>{heads}<th scope="col">records</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _labels(table: PerLabel) -> str:
    ordered = sorted(table.rows, key=lambda row: row.f1.value)
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("precision", "recall", "F1", "support"))
    return (
        f'<p class="lead">{len(table.rows):,} labels, the lowest F1 first; {_text(LABELS_CAPTION)}.</p>'
        f'<div class="scroll tall"><table class="labels"><thead><tr><td></td>{heads}</tr></thead>'
        f'<tbody class="averages">{"".join(map(_label, table.averages))}</tbody>'
        f"<tbody>{''.join(map(_label, ordered))}</tbody></table></div>"
    )


def _label(row: LabelRow) -> str:
    cells = "".join(_estimate(one) for one in (row.precision, row.recall, row.f1))
    head = f'<th scope="row" title="{html.escape(row.label)}">{_text(row.label)}</th>'
    return f"<tr>{head}{cells}<td>{row.support:,}</td></tr>"


def _estimate(one: Estimate) -> str:
    interval = "" if one.low is None else f"<small>{one.low:.3f} – {one.high:.3f}</small>"
    return f'<td class="share" style="--p:{100 * one.value:.1f}%">{one.value:.3f}{interval}</td>'


def _confusion(found: Evaluation) -> str:
    confusion = found.confusion
    assert confusion is not None
    lead = f"Rows are what is right, columns what was answered, {confusion.counts.sum():,} in all."
    if len(confusion.labels) > MOST_LABELS:
        lead += f" Of {len(confusion.labels)} labels the {MOST_LABELS} that take part in most mistakes."
    mistakes = "".join(
        f"<li>{_text(gold)} <span>taken for</span> {_text(answer)} <b>{count:,}</b></li>"
        for gold, answer, count in confusion.mistakes(_MISTAKES)
    )
    listed = f'<h3>Most frequent mistakes</h3><ol class="mistakes">{mistakes}</ol>' if mistakes else ""
    return f'<p class="lead">{_text(lead)}</p>{matrix_html(confusion)}{listed}'


def _worst(found: Evaluation) -> str:
    worst = found.worst(_WORST)
    if worst is None or not worst.records:
        return ""
    given = found.given
    graded = worst.probable or len({value for _, value in worst.records}) > 1
    items = []
    for row, value in worst.records:
        source = given.sources[row] if given.sources else ""
        where = given.where[row] if given.where and given.where[row] else f"record {row + 1:,}"
        answer, references = given.answers[row], given.references[row]
        figure = f" <b>{value:.{worst.metric.digits}f}</b>" if graded else ""
        body = (
            _texts(source, answer, references)
            if isinstance(answer, str)
            else _tags(given.words(row), answer, references)
        )
        items.append(f'<article><p class="rank">{_text(where)}{figure}</p><dl>{body}</dl></article>')
    lead = f"By {worst.metric.title}, the {len(items)} worst first; those that are just what is right are left out."
    if worst.probable:
        lead = f"By the probability of the wrong answer, the {len(items)} most probable first."
    elif not graded:
        lead = f"The first {len(items)} that are wrong."
    return f'<p class="lead">{_text(lead)}</p><div class="worst">{"".join(items)}</div>'


def _texts(source: str, answer: str, references: Sequence[str]) -> str:
    rows = [("source", [source])] if source else []
    rows += [("answer", [answer]), ("right", list(references))]
    return "".join(_row(name, ("<br>".join(map(_text, texts)))) for name, texts in rows)


def _tags(words: Sequence[str], answer: Answer, references: Sequence[str]) -> str:
    """Every word with its tag, those that are wrong with what is right; only tags where the words are not known."""
    spelled = []
    for word, given, right in zip(words or [""] * len(references), answer, references, strict=True):
        tag = _text(given) if given == right else f"{_text(right)}, not {_text(given)}"
        kind = "word wrong" if given != right else "word"
        spelled.append(f'<span class="{kind}">{_text(word)}<small>{tag}</small></span>')
    return _row("tags", " ".join(spelled))


def _row(name: str, body: str) -> str:
    return f"<dt>{name}</dt><dd>{body}</dd>"


def _curves(curves: Iterable[Curve]) -> str:
    figures = "".join(f"<figure><figcaption>{_text(one.name)}</figcaption>{curve_svg(one)}</figure>" for one in curves)
    return (
        '<p class="lead">Over steps of training: the valid part <i class="key valid"></i>, and training batches '
        f'<i class="key train"></i> where they have the figure too.</p><div class="curves">{figures}</div>'
    )


def _text(text: str) -> str:
    return html.escape(text, quote=False)


def _asset(name: str) -> str:
    return (files("endash.evaluation") / "assets" / name).read_text(encoding="utf-8")
