"""One pass of a translator over a corpus: its translations and every figure of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from endash.errors import CorpusError, ModelError
from endash.evaluation.metrics import Metric, bleu, chrf, ter, tokenizer_for, tokenizer_note
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
    def share(self) -> float:
        """The share of all outputs whose placeholders are their source's."""
        return self.kept / self.lines


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A translator's outputs on a corpus, with their metrics; `seconds` is the time spent translating."""

    metrics: tuple[Metric, ...]
    sources: tuple[str, ...]
    references: tuple[str, ...]
    hypotheses: tuple[str, ...]
    seconds: float
    placeholders: PlaceholderCheck
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Metric:
        """The metric called `name`: ``bleu``, ``chrf`` or ``ter``."""
        return {metric.name: metric for metric in self.metrics}[name]

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values for a JSON file; without the texts."""
        figures: dict[str, Any] = {metric.name: metric.value for metric in self.metrics}
        figures["intervals"] = {m.name: [m.low, m.high] for m in self.metrics if m.low is not None}
        figures["signatures"] = {m.name: m.signature for m in self.metrics}
        figures["sentences"] = len(self.hypotheses)
        figures["seconds"] = self.seconds
        figures["placeholder_share"] = self.placeholders.share
        figures["placeholder_lines"] = self.placeholders.lines_with
        figures["placeholder_lines_kept"] = self.placeholders.kept_with
        figures["notes"] = list(self.notes)
        return figures


def evaluate(
    translate: Translate,
    pairs: Iterable[tuple[str, str]],
    *,
    language: str | None = None,
    confidence: bool = False,
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
    hypotheses = translate(list(sources))
    seconds = time.perf_counter() - begun
    if len(hypotheses) != len(sources):
        raise ModelError(
            f"{len(hypotheses)} translations came back for {len(sources)} sources: there must be one for each"
        )
    tokenize, note = tokenizer_for(language), tokenizer_note(language)
    return Evaluation(
        metrics=tuple(
            metric(hypotheses, references, confidence=confidence, tokenize=tokenize) for metric in (bleu, chrf, ter)
        ),
        sources=tuple(sources),
        references=tuple(references),
        hypotheses=tuple(hypotheses),
        seconds=seconds,
        placeholders=check_placeholders(sources, hypotheses),
        notes=(note,) if note else (),
    )


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
