"""Word and character error rate: how many words or characters have to be edited, in a hundred of the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import AdditiveScorer, Answered
from endash.evaluation.words import characters, split_words


def edits(answer: Sequence[str], reference: Sequence[str]) -> int:
    """The least number of insertions, deletions and substitutions between two sequences (Levenshtein 1966)."""
    costs = list(range(len(reference) + 1))
    for row, unit in enumerate(answer, start=1):
        diagonal, costs[0] = costs[0], row
        for column, other in enumerate(reference, start=1):
            kept = diagonal + (unit != other)
            diagonal = costs[column]
            costs[column] = min(kept, diagonal + 1, costs[column - 1] + 1)
    return costs[-1]


class ErrorRate(AdditiveScorer):
    """Word error rate, or character error rate: edits in a hundred words or characters of the references, lower is better.

    Case and punctuation count, as they stand. A text without spaces is taken by characters in both. Of several references
    the one that needs the fewest edits counts, the longest of those that need as few.
    """

    lower = True

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.name, self.title = {"word": ("wer", "WER"), "character": ("cer", "CER")}[unit]

    def statistics(self, given: Answered) -> Floats:
        """Edits and length of the reference, (N, 2)."""
        cut = split_words if self.unit == "word" else characters
        rows = []
        for answer, references in zip(given.texts(self.name), given.references, strict=True):
            units = cut(answer)
            found = [(edits(units, reference), -len(reference)) for reference in map(cut, references)]
            rows.append(min(found))
        return np.array([(wrong, -length) for wrong, length in rows], dtype=np.float64)

    def values(self, sums: Floats) -> Floats:
        """100 · edits / length; of no words at all, 100 if something was written and else 0."""
        wrong, length = sums.T
        none = np.where(wrong > 0, 1.0, 0.0)
        rate: Floats = np.divide(wrong, length, out=none, where=length > 0)
        return 100 * rate

    def settings(self, given: Answered) -> list[str]:
        """References and the unit."""
        return [*super().settings(given), f"unit:{self.unit}", "case:mixed", "punct:yes"]
