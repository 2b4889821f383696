"""A system's answers beside what is right: every figure of them, and where the answers are worst."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from endash.errors import CorpusError, ModelError
from endash.evaluation.entities import EntityF1, count_entities
from endash.evaluation.labels import F1, Accuracy, count_labels
from endash.evaluation.metrics import TRANSLATION, scorer
from endash.evaluation.per_label import Confusion, PerLabel, confusion, per_label
from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import AdditiveScorer, Answer, Answered, Metric, Scored, Scorer, answered
from endash.evaluation.translation import tokenizer_note
from endash.text.placeholders import find_placeholders

Translate = Callable[[list[str]], list[str]]


@dataclass(frozen=True, slots=True)
class PlaceholderCheck:
    """How many outputs hold exactly the placeholders of their source, counted with repetitions, in any order.

    `lines` are all the outputs, `kept` those that match; `lines_with` and `kept_with` count only the lines where the
    source or the output has a placeholder at all.
    """

    lines: int
    kept: int
    lines_with: int
    kept_with: int

    @property
    def share(self) -> float | None:
        """The share of the lines with placeholders where they are kept; None where no line has any."""
        return self.kept_with / self.lines_with if self.lines_with else None


@dataclass(frozen=True, slots=True)
class Worst:
    """The records whose answers are worst by one metric, the worst first: the place of each from 0, and its figure.

    Of labels, which are right or wrong, the figure may be how probable the wrong label was held, highest first: `probable`.
    """

    metric: Metric
    records: tuple[tuple[int, float], ...]
    probable: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A system's answers to a corpus, with their figures; `seconds` is the time spent answering.

    `table` and `confusion` are those of labels, tags or entities, `placeholders` those of translations, `families` the same of
    the records of each family, where there are several.
    """

    scored: tuple[Scored, ...]
    given: Answered
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    table: PerLabel | None = None
    confusion: Confusion | None = None
    placeholders: PlaceholderCheck | None = None
    families: Mapping[str, Evaluation] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The figures, in the order in which they were asked for."""
        return tuple(one.metric for one in self.scored)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What the system answered to each record."""
        return self.given.answers

    @property
    def unit(self) -> str:
        """What its records are called: translations are of sentences."""
        return "sentences" if self.placeholders else "records"

    def __getitem__(self, name: str) -> Metric:
        """The metric called `name`, such as ``bleu``."""
        return {metric.name: metric for metric in self.metrics}[name]

    def worst(self, count: int) -> Worst | None:
        """The `count` records whose answers are worst by the first metric that says something of a single record.

        Those that are just what is right are not among them. Of labels with probabilities, that of the wrong one decides. None if no metric says something of a single record.
        """
        found = next(
            (one for one in self.scored if isinstance(one.scorer, AdditiveScorer) and one.scorer.by_record), None
        )
        if found is None and self.confusion:
            found = Accuracy().measure(self.given)
        if found is None or not isinstance(found.scorer, AdditiveScorer) or found.statistics is None:
            return None
        values, high = found.scorer.values(found.statistics), bool(found.metric.lower)
        probable = isinstance(self.given.answers[0], str) and bool(self.given.probabilities)
        if probable:
            values, high = np.array([one[0] for one in self.given.probabilities]), True
        order = np.argsort(-values if high else values, kind="stable").tolist()
        wrong = [row for row in order if not _is_right(self.given.answers[row], self.given.references[row])]
        return Worst(found.metric, tuple((row, float(values[row])) for row in wrong[:count]), probable)

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values for a JSON file; without the texts."""
        figures: dict[str, Any] = {metric.name: metric.value for metric in self.metrics}
        figures["intervals"] = {m.name: [m.low, m.high] for m in self.metrics if m.low is not None}
        figures["signatures"] = {m.name: m.signature for m in self.metrics}
        figures[self.unit] = len(self.given)
        figures["seconds"] = self.seconds
        if self.placeholders:
            figures["placeholder_share"] = self.placeholders.share
            figures["placeholder_lines"] = self.placeholders.lines_with
            figures["placeholder_lines_kept"] = self.placeholders.kept_with
        if self.table:
            figures |= self.table.to_json()
        if self.confusion:
            figures["confusion"] = self.confusion.to_json()
        figures["notes"] = list(self.notes)
        if self.families:
            figures["families"] = {name: found.to_json() for name, found in self.families.items()}
        return figures


def evaluate(
    answers: Sequence[str | Sequence[str]],
    references: Sequence[str | Sequence[str]],
    *,
    metrics: Sequence[str | Scorer],
    sources: Sequence[str] = (),
    losses: Sequence[tuple[float, int]] = (),
    latents: Floats | None = None,
    where: Sequence[str] = (),
    probabilities: Sequence[Sequence[float]] = (),
    language: str | None = None,
    confidence: bool = False,
    seconds: float = 0.0,
) -> Evaluation:
    """Measure answers against the references of each record: texts, of which there may be several, labels, or rows of tags.

    `metrics` are names (`metrics.NAMES`) or scorers, such as `comet.Comet`. Some read `sources` (`Comet`, ``ser``) or `losses` in
    (nats, tokens) of each record's reference (``perplexity``, ``nll``) or `latents` (N, 2, Z), posterior mean and KL (``kl``,
    ``units``). `where` and `probabilities` as in `Answered`. `language` is that of the answers, which chooses BLEU's tokenizer; `confidence` adds 95 % intervals. Raises
    CorpusError for lists that do not have one entry a record and for answers that a metric cannot measure, RecipeError for a
    metric that is unknown.
    """
    given = answered(
        answers,
        references,
        sources=sources,
        losses=losses,
        latents=latents,
        where=where,
        probabilities=probabilities,
    )
    scorers = [scorer(one, language=language) if isinstance(one, str) else one for one in metrics]
    scored = tuple(one.measure(given, confidence=confidence) for one in scorers)
    if any(
        isinstance(one, EntityF1) for one in scorers
    ):  # entities have a macro and a micro F1 of their own, in the table
        scored = tuple(_of_tags(one) if isinstance(one.scorer, F1) else one for one in scored)
    notes = [note for one in scorers for note in one.notes(given)]
    if "bleu" in metrics and (note := tokenizer_note(language)):
        notes.insert(0, note)
    table = _table(scorers, given, confidence=confidence)
    return Evaluation(
        scored,
        given,
        seconds,
        notes=(*notes, *(table.notes if table else ())),
        table=table,
        confusion=confusion(given) if table else None,
    )


def evaluate_translator(
    translate: Translate, pairs: Iterable[tuple[str, str]], *, language: str | None = None, confidence: bool = False
) -> Evaluation:
    """Translate the source of each (source, reference) pair, all in one call, and measure the outputs.

    `language` is the target's, which chooses BLEU's tokenizer; `confidence` adds 95 % intervals.
    Raises CorpusError if there is no pair, ModelError if `translate` returns more or fewer texts than it was given.
    """
    both = list(pairs)
    if not both:
        raise CorpusError("0 pairs to evaluate: the corpus is empty, or its filters dropped every record")
    sources, references = [source for source, _ in both], [reference for _, reference in both]
    begun = time.perf_counter()
    outputs = translate(list(sources))
    seconds = time.perf_counter() - begun
    if len(outputs) != len(sources):
        raise ModelError(
            f"{len(outputs)} translations came back for {len(sources)} sources: there must be one for each"
        )
    found = evaluate(
        outputs,
        references,
        metrics=TRANSLATION,
        sources=sources,
        language=language,
        confidence=confidence,
        seconds=seconds,
    )
    return replace(found, placeholders=check_placeholders(sources, outputs))


def check_placeholders(sources: Iterable[str], outputs: Iterable[str]) -> PlaceholderCheck:
    """Compare the placeholders of each output with its source's. Raises ValueError if there are not as many."""
    found = [
        (Counter(find_placeholders(a)), Counter(find_placeholders(b))) for a, b in zip(sources, outputs, strict=True)
    ]
    return PlaceholderCheck(
        lines=len(found),
        kept=sum(a == b for a, b in found),
        lines_with=sum(bool(a or b) for a, b in found),
        kept_with=sum(a == b for a, b in found if a or b),
    )


def _table(scorers: Sequence[Scorer], given: Answered, *, confidence: bool) -> PerLabel | None:
    """The table of the entities, or else of the labels, where a metric is of them."""
    if any(isinstance(one, EntityF1) for one in scorers):
        return replace(per_label(count_entities(given), confidence=confidence), unit="entities")
    if any(isinstance(one, F1 | Accuracy) for one in scorers):
        return per_label(count_labels(given), confidence=confidence)
    return None


def _of_tags(one: Scored) -> Scored:
    return replace(one, metric=replace(one.metric, title=f"tags, {one.metric.title}"))


def _is_right(answer: Answer, references: tuple[str, ...]) -> bool:
    return answer in references if isinstance(answer, str) else answer == references
