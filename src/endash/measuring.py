"""A model on records of its task: its answers, and every figure of them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from endash.corpora import CorpusConfig, Record, target_language
from endash.errors import CorpusError, ModelError, TextError
from endash.evaluation.evaluate import Evaluation, check_placeholders, evaluate
from endash.evaluation.metrics import of_answers
from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import Answer, Scorer
from endash.evaluation.translation import SacreScorer
from endash.label_model import LabelModel
from endash.latent import bound
from endash.loading import AnyModel
from endash.model import Model
from endash.registry import kind_of
from endash.tasks import Task, TranslationTask

_NAMED = 5  # labels that a note names


def measure(
    model: AnyModel,
    records: Sequence[Record],
    *,
    language: str | None = None,
    corpus: CorpusConfig | None = None,
    confidence: bool = True,
    progress: Callable[[int], None] | None = None,
    further: Sequence[Scorer] = (),
    beside: Sequence[AnyModel] = (),
    **decoding: Any,
) -> Evaluation:
    """Answer each record, and measure the answers by the metrics of the model's task, and by `further` ones.

    Records of several families (``family`` or ``prompt`` of their reader) are measured by family, too. `language` is that of
    what is written, found out as by `target_language` if it is not given; `corpus` is what the records are of, by default the
    model's own; `confidence` adds 95 % intervals; `progress` and `decoding` as for
    `Model.answer`. A record that is longer than this model takes, or than one of those `beside` which it is compared with, is left
    out, and a note says so. Raises CorpusError if no record is left.
    """
    if not records:
        raise CorpusError("0 records to evaluate: the corpus is empty, or its filters dropped every record")
    if not model.task.metrics:
        raise ModelError(
            f"task.kind = {kind_of(model.recipe.task)!r} is judged by its loss alone, which its README.md tells: evaluate a model "
            "that was trained on from this one"
        )
    every, records = records, answerable([model, *beside], records)
    losses, latents = _of_references(model, records)  # first: where these cannot be had, nothing need be answered
    begun = time.perf_counter()
    answers, probabilities = _answers(model, records, progress, **decoding)
    seconds = time.perf_counter() - begun
    found = judge(
        model.task,
        records,
        answers,
        language=language,
        corpus=corpus or model.recipe.corpus,
        confidence=confidence,
        further=further,
        losses=losses,
        latents=latents,
        probabilities=probabilities,
        seconds=seconds,
    )
    notes = _unknown(model, records) if isinstance(model, LabelModel) else []
    if left_out := len(every) - len(records):
        kept = set(map(id, records))
        first = next(record for record in every if id(record) not in kept)
        notes.append(
            f"{left_out:,} of {len(every):,} records are longer than a model takes, and are left out, first "
            f"{first.where or repr(first.source[:40])}"
        )
    return replace(found, notes=(*found.notes, *notes))


def _answers(
    model: AnyModel, records: Sequence[Record], progress: Callable[[int], None] | None, **decoding: Any
) -> tuple[Sequence[Answer], Sequence[Sequence[float]]]:
    """An answer to each record, and of labels how probable the model holds each that it answered."""
    if isinstance(model, LabelModel):
        found = model.likeliest(records, progress=progress, **decoding)
        return list(map(model.told, found)), [[one.probability for one in some] for some in found]
    return model.answer(records, progress=progress, **decoding), ()


def answerable(models: Sequence[AnyModel], records: Sequence[Record]) -> list[Record]:
    """The records that are not too long for any of these models. Raises CorpusError if there are none."""
    found = [record for record in records if all(_takes(model, record) for model in models)]
    if not found:
        limit = min(model.codec.config.max_length for model in models)
        raise CorpusError(
            f"each of the {len(records):,} records is longer than a model takes, text.max_length = {limit} tokens: there is "
            "nothing to measure"
        )
    return found


def _takes(model: AnyModel, record: Record) -> bool:
    """Whether a record can be read, at once, or in parts where its task has it so."""
    task, codec = model.task, model.codec
    try:
        if isinstance(model, LabelModel):
            model.task.divided(record, codec)
        elif task.reads == "text":
            first, *joined = task.sources(task.fit(record, codec))
            # the model's loss of a text is that of the text as a whole
            if task.by_sentence and not task.joins and all(map(of_answers, task.metrics)):
                codec.split_source(first)
            else:
                return all(map(codec.fits, (first, *joined)))
    except TextError:
        return False
    return True


def judge(
    task: Task,
    records: Sequence[Record],
    answers: Sequence[Answer],
    *,
    language: str | None = None,
    corpus: CorpusConfig | None = None,
    confidence: bool = True,
    further: Sequence[Scorer] = (),
    losses: Sequence[tuple[float, int]] = (),
    latents: Floats | None = None,
    probabilities: Sequence[Sequence[float]] = (),
    seconds: float = 0.0,
) -> Evaluation:
    """Anybody's answers to the records of a task, by its metrics: those of a model, of a baseline, or of people.

    `losses` are (nats, tokens) of each record's first target, `latents` and `probabilities` as for `evaluate`, which are a
    model's own: without them metrics that ask for them are left out. `seconds` is the time that answering took, of which a family's share is not known; the others as for `measure`.
    """
    names = [one for one in task.metrics if losses or of_answers(one)]

    def figures(rows: Sequence[int]) -> Evaluation:
        some = [records[row] for row in rows]
        written = language or (target_language(some, corpus) if task.writes == "text" else None)
        found = evaluate(
            [answers[row] for row in rows],
            [task.references(record) for record in some],
            metrics=[*(name for name in names if task.measures(name, some)), *further],
            sources=[record.source for record in some],
            losses=[losses[row] for row in rows] if losses else (),
            latents=None if latents is None else latents[rows],
            where=[record.where for record in some],
            probabilities=[probabilities[row] for row in rows] if probabilities else (),
            language=written,
            confidence=confidence,
        )
        if not isinstance(task, TranslationTask):
            return found
        outputs = [answer for answer in found.answers if isinstance(answer, str)]
        return replace(found, placeholders=check_placeholders(found.given.sources, outputs))

    whole, by_family = replace(figures(range(len(records))), seconds=seconds), defaultdict(list)
    for row, record in enumerate(records):
        by_family[record.family].append(row)
    if len(by_family) < 2:
        return whole
    families = {name or "other": figures(rows) for name, rows in by_family.items()}
    return replace(whole, families=families, notes=(*whole.notes, *_mixed(whole, families.values())))


def _mixed(whole: Evaluation, families: Iterable[Evaluation]) -> list[str]:
    """What is to be said of BLEU where a family has another tokenizer than all records together."""
    apart = {one for found in families for one in _tokenizers(found)}
    return [
        f"BLEU of all records together cuts every text by {together}, that of families by {', '.join(sorted(apart))}: go by the families"
        for together in _tokenizers(whole)
        if apart != {together}
    ]


def _tokenizers(found: Evaluation) -> list[str]:
    """The tokenizer that BLEU is of, where it is measured."""
    scorers = [one.scorer for one in found.scored if one.metric.name == "bleu"]
    return [one.tokenize for one in scorers if isinstance(one, SacreScorer)]


def _unknown(model: LabelModel, records: Sequence[Record]) -> list[str]:
    """What is to be said of labels that the model has never seen, and cannot give."""
    known = set(model.labels)
    unknown = [label for record in records for label in model.task.references(record) if label not in known]
    if not unknown:
        return []
    named = ", ".join(map(repr, sorted(set(unknown))[:_NAMED])) + (" …" if len(set(unknown)) > _NAMED else "")
    return [
        f"{len(unknown):,} of the labels are none of the model's {len(model.labels):,}, and count as wrong: {named}"
    ]


def _of_references(model: AnyModel, records: Sequence[Record]) -> tuple[list[tuple[float, int]], Floats | None]:
    """What a model makes of each record's first target: (nats, tokens), and where it has a latent vector, that one."""
    if not isinstance(model, Model) or all(map(of_answers, model.task.metrics)):
        return [], None
    targets = [model.task.targets(record)[0] for record in records]
    sources = model.codec.encode_sources([model.task.sources(record)[0] for record in records])
    tokens = model.codec.encode_targets(targets, [source.placeholders for source in sources])
    counts = [len(one) for one in tokens]
    if "nll" not in model.task.metrics:
        return [(-score, count) for score, count in zip(model.score(records, targets), counts, strict=True)], None
    found = bound(model, targets)
    latents = torch.stack([found.mean, found.kl], dim=1).double().numpy()
    return list(zip(found.nll.tolist(), counts, strict=True)), latents
