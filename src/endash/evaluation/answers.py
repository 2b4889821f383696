"""The answers that were measured, a record at a time, as plain values for a file of JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from endash.evaluation.evaluate import Evaluation
from endash.evaluation.scorer import Answered


def answer_rows(found: Evaluation, against: Evaluation | None = None) -> Iterator[dict[str, Any]]:
    """For each record where it stands, its source, all that is right, and the answer; of labels also its probability.

    Of tags source, references, answer and probability are lists, an entry a word; a source of which the words are not known is a
    text. `against` is a second system's answers to the same records: its answer and probability stand under ``against``.
    """
    given = found.given
    for row, references in enumerate(given.references):
        source: str | list[str] = given.sources[row] if given.sources else ""
        if not isinstance(given.answers[row], str):
            source = given.words(row) or source
        yield {
            **({"where": given.where[row]} if given.where else {}),
            "source": source,
            "references": list(references),
            **_answer(given, row),
            **({"against": _answer(against.given, row)} if against else {}),
        }


def _answer(given: Answered, row: int) -> dict[str, Any]:
    answer = given.answers[row]
    label = isinstance(answer, str)
    told: dict[str, Any] = {"answer": answer if label else list(answer)}
    if given.probabilities:
        probability = given.probabilities[row]
        told["probability"] = probability[0] if label else list(probability)
    return told
