"""A model on records of its task: its answers, and every figure of them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from endash.corpora import Record
from endash.corpora.scripts import is_chinese
from endash.errors import CorpusError, ModelError
from endash.evaluation.evaluate import Evaluation, check_placeholders, evaluate
from endash.evaluation.scorer import Scorer
from endash.label_model import LabelModel
from endash.loading import AnyModel
from endash.model import Model
from endash.registry import kind_of
from endash.tasks import TranslationTask

_NAMED = 5  # labels that a note names


def measure(
    model: AnyModel,
    records: Sequence[Record],
    *,
    language: str | None = None,
    confidence: bool = True,
    progress: Callable[[int], None] | None = None,
    further: Sequence[Scorer] = (),
    **decoding: Any,
) -> Evaluation:
    """Answer each record, and measure the answers by the metrics of the model's task, and by `further` ones.

    Records of several families (``family`` or ``prompt`` of their reader) are measured by family, too. `language` is that of
    what is written, found out by its letters if it is not given; `confidence` adds 95 % intervals;
    `progress` and `decoding` as for `Model.answer`. Raises CorpusError if there is no record.
    """
    if not records:
        raise CorpusError("0 records to evaluate: the corpus is empty, or its filters dropped every record")
    if not model.task.metrics:
        raise ModelError(
            f"task.kind = {kind_of(model.recipe.task)!r} is judged by its loss alone, which its README.md tells: evaluate a model "
            "that was trained on from this one"
        )
    begun = time.perf_counter()
    answers = model.answer(records, progress=progress, **decoding)
    seconds = time.perf_counter() - begun
    losses = _losses(model, records) if "perplexity" in model.task.metrics else []

    def figures(rows: Sequence[int]) -> Evaluation:
        some = [records[row] for row in rows]
        references = [model.task.references(record) for record in some]
        written = language
        if written is None and model.task.writes == "text" and is_chinese([one[0] for one in references if one]):
            written = "zh"
        found = evaluate(
            [answers[row] for row in rows],
            references,
            metrics=[*(name for name in model.task.metrics if model.task.measures(name, some)), *further],
            sources=[record.source for record in some],
            losses=[losses[row] for row in rows] if losses else (),
            language=written,
            confidence=confidence,
            seconds=seconds * len(rows) / len(records),
        )
        if isinstance(model, LabelModel):
            return replace(found, notes=(*found.notes, *_unknown(model, references)))
        if not isinstance(model.task, TranslationTask):
            return found
        outputs = [answer for answer in found.answers if isinstance(answer, str)]
        return replace(found, placeholders=check_placeholders(found.given.sources, outputs))

    whole, by_family = figures(range(len(records))), defaultdict(list)
    for row, record in enumerate(records):
        by_family[record.family].append(row)
    if len(by_family) < 2:
        return whole
    return replace(whole, families={name or "other": figures(rows) for name, rows in by_family.items()})


def _unknown(model: LabelModel, references: Sequence[tuple[str, ...]]) -> list[str]:
    """What is to be said of labels that the model has never seen, and cannot give."""
    known = set(model.labels)
    unknown = [label for labels in references for label in labels if label not in known]
    if not unknown:
        return []
    named = ", ".join(map(repr, sorted(set(unknown))[:_NAMED])) + (" …" if len(set(unknown)) > _NAMED else "")
    return [
        f"{len(unknown):,} of the labels are none of the model's {len(model.labels):,}, and count as wrong: {named}"
    ]


def _losses(model: AnyModel, records: Sequence[Record]) -> list[tuple[float, int]]:
    """The negative log-likelihood of each record's first target in nats, and its tokens."""
    assert isinstance(model, Model)
    targets = [model.task.targets(record)[0] for record in records]
    sources = model.codec.encode_sources([model.task.sources(record)[0] for record in records])
    tokens = model.codec.encode_targets(targets, [source.placeholders for source in sources])
    return [(-score, len(one)) for score, one in zip(model.score(records, targets), tokens, strict=True)]
