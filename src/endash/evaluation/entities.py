"""Entities: spans of words, as BIO tags write them, right where first word, last word and type are.

``B-PER I-PER O`` is an entity PER of two words. An I- that continues nothing, after O or another type, begins an entity of
its own, as conlleval reads it (Tjong Kim Sang & De Meulder 2003); how many tags were so repaired is told. Older IOB1 tags, where
B- stands only between two entities of a type, are read rightly by the same rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from endash.errors import CorpusError
from endash.evaluation.labels import LabelCounts, label_pairs, ratio
from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import AdditiveScorer, Answered

Span = tuple[int, int, str]
"""First word, the word after the last, and type."""


def spans(tags: Sequence[str]) -> list[Span]:
    """The entities of a row of BIO tags, in order. Raises CorpusError for a tag that is none."""
    found: list[Span] = []
    before = ""
    for word, tag in enumerate(tags):
        prefix, kind = _parts(tag)
        if prefix == "B" or (prefix == "I" and kind != before):
            found.append((word, word + 1, kind))
        elif prefix == "I":
            found[-1] = (found[-1][0], word + 1, kind)
        before = kind
    return found


def repaired(tags: Sequence[str]) -> int:
    """How many I- tags of a row continue nothing, and are read as B-."""
    kinds = [_parts(tag) for tag in tags]
    return sum(
        prefix == "I" and kind != before
        for (prefix, kind), (_, before) in zip(kinds, [("O", ""), *kinds], strict=False)
    )


def is_bio(tag: str) -> bool:
    """Whether a tag is O, or B- or I- and a type."""
    return tag == "O" or (tag[:2] in {"B-", "I-"} and len(tag) > 2)


def _parts(tag: str) -> tuple[str, str]:
    """``B`` or ``I`` and the type, or ``O`` and no type."""
    if is_bio(tag):
        prefix, _, kind = tag.partition("-")
        return prefix, kind
    raise CorpusError(f"{tag!r} is no BIO tag: allowed are O, B-TYPE and I-TYPE; use macro_f1 for tags of another kind")


def count_entities(given: Answered) -> LabelCounts:
    """The counts of each type of entity in each record: right, answered and gold."""
    rows = [_spans_of(pairs) for pairs in label_pairs(given, EntityF1.name)]
    kinds = tuple(sorted({span[2] for row in rows for side in row for span in side}))
    table = np.zeros((len(given), 3, len(kinds)))
    for row, (answers, gold) in enumerate(rows):
        for place, held in enumerate((answers & gold, answers, gold)):
            for kind, count in Counter(span[2] for span in held).items():
                table[row, place, kinds.index(kind)] = count
    return LabelCounts(kinds, table)


def _spans_of(pairs: Iterable[tuple[str, str]]) -> tuple[set[Span], set[Span]]:
    pairs = list(pairs)
    return set(spans([answer for _, answer in pairs])), set(spans([gold for gold, _ in pairs]))


class EntityF1(AdditiveScorer):
    """F1 of entities of all types together, 0 to 1, exact spans: conlleval's overall FB1."""

    name, title, digits, by_record = "entity_f1", "entity F1", 3, False

    def statistics(self, given: Answered) -> Floats:
        """Right, answered and gold entities, (N, 3)."""
        return np.asarray(count_entities(given).table.sum(axis=2))

    def values(self, sums: Floats) -> Floats:
        """2 right / (answered + gold)."""
        return ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2])

    def settings(self, given: Answered) -> list[str]:
        """How spans are read."""
        return ["scheme:bio", "span:exact", "repair:conlleval"]

    def notes(self, given: Answered) -> tuple[str, ...]:
        """How many tags were repaired, in the answers and in the references."""
        rows = [list(zip(*pairs, strict=True)) or [(), ()] for pairs in label_pairs(given, self.name)]
        counts = {
            "references": sum(repaired(gold) for gold, _ in rows),
            "answers": sum(repaired(row) for _, row in rows),
        }
        return tuple(
            f"{count:,} I- tags of the {side} continue no entity: read as B-, as conlleval does"
            for side, count in counts.items()
            if count
        )
