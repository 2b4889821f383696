"""ROUGE-1, ROUGE-2 and ROUGE-L: how much of a reference's words, pairs of words or order of words an answer holds.

Lin 2004; the F-measure of each record, averaged over records, the best one of several references: what the package rouge-score
gives without stemming. Words are those of `plain_words`, which on ASCII are rouge-score's; it drops all letters beyond.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import Answered, RatioScorer
from endash.evaluation.words import plain_words


class Rouge(RatioScorer):
    """ROUGE, 0 to 100, higher is better; `kind` is ``1`` or ``2`` for n-grams, ``l`` for the longest common subsequence."""

    scale = 100.0

    def __init__(self, kind: str) -> None:
        self.kind, self.name, self.title = kind, f"rouge-{kind}", f"ROUGE-{kind.upper()}"

    def statistics(self, given: Answered) -> Floats:
        """The record's best F-measure, and 1: (N, 2)."""
        pairs = zip(given.texts(self.name), given.references, strict=True)
        best = [max(self._f(plain_words(answer), plain_words(one)) for one in right) for answer, right in pairs]
        return np.array([(f, 1) for f in best], dtype=np.float64)

    def settings(self, given: Answered) -> list[str]:
        """References and words."""
        return [*super().settings(given), "case:lc", "punct:no", "stem:no"]

    def _f(self, answer: list[str], reference: list[str]) -> float:
        if self.kind == "l":
            common, written, wanted = common_subsequence(answer, reference), len(answer), len(reference)
        else:
            found, right = (ngrams(words, int(self.kind)) for words in (answer, reference))
            common, written, wanted = (found & right).total(), found.total(), right.total()
        return 2 * common / (written + wanted) if common else 0.0


def ngrams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """How often each run of `order` words occurs."""
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest sequence that is in both, in order, with gaps or without."""
    lengths = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for column, other in enumerate(b, start=1):
            above = lengths[column]
            lengths[column] = diagonal + 1 if word == other else max(above, lengths[column - 1])
            diagonal = above
    return lengths[-1]
