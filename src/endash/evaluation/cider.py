"""CIDEr-D: how much of what people agree on in their captions of a picture an answer says (Vedantam et al. 2015).

With g_n(s) the vector of the n-grams of s, each by its count times log(records / records whose references have it), for an
answer c and its references s_1 … s_m (section 4, equation 5; n = 1 … 4 alike, σ = 6)::

    CIDEr-D(c) = 10 · mean over n, j of  exp(−(|c| − |s_j|)² / 2σ²) · min(g_n(c), g_n(s_j)) · g_n(s_j) / (‖g_n(c)‖ ‖g_n(s_j)‖)

Counts are not divided by the caption's length, as in the authors' code; the paper's stemming, which that code leaves out, is
left out. Printed as papers do, a hundredfold: 0 to 1,000, good captions about 100. Inverse document frequencies are those of
the references measured with, so figures of different sets do not compare.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from endash.evaluation.resampling import Floats
from endash.evaluation.rouge import ngrams
from endash.evaluation.scorer import Answered, RatioScorer
from endash.evaluation.words import plain_words

_ORDERS = (1, 2, 3, 4)
_SIGMA = 6.0

NGrams = Counter[tuple[str, ...]]


class Cider(RatioScorer):
    """CIDEr-D of captions, a hundredfold, higher is better."""

    name, title, scale = "cider", "CIDEr", 100.0

    def statistics(self, given: Answered) -> Floats:
        """The record's CIDEr-D, and 1: (N, 2)."""
        counted = [[_count(text) for text in right] for right in given.references]
        frequency = Counter(ngram for right in counted for ngram in set().union(*right))
        unseen = math.log(len(given))
        rarity = {ngram: unseen - math.log(records) for ngram, records in frequency.items()}
        rows = []
        for text, right in zip(given.texts(self.name), counted, strict=True):
            answer = _Caption.of(_count(text), rarity, unseen)
            scores = [answer.likeness(_Caption.of(counts, rarity, unseen)) for counts in right]
            rows.append((10 * sum(scores) / len(scores), 1))
        return np.array(rows, dtype=np.float64)

    def settings(self, given: Answered) -> list[str]:
        """References, and the n-grams."""
        return [*super().settings(given), "n:4", "sigma:6", "case:lc", "punct:no", "stem:no"]

    def notes(self, given: Answered) -> tuple[str, ...]:
        """Of one record every n-gram is in all of them, and counts nothing."""
        return ("CIDEr of 1 record is 0: it weighs n-grams by how few records have them",) if len(given) == 1 else ()


@dataclass(frozen=True, slots=True)
class _Caption:
    """A caption's weights by order of n-gram, their norms, and how many words it has."""

    weights: tuple[dict[tuple[str, ...], float], ...]
    norms: tuple[float, ...]
    length: int

    @classmethod
    def of(cls, counts: NGrams, rarity: Mapping[tuple[str, ...], float], unseen: float) -> _Caption:
        weights: tuple[dict[tuple[str, ...], float], ...] = tuple({} for _ in _ORDERS)
        for ngram, count in counts.items():
            weights[len(ngram) - 1][ngram] = count * rarity.get(ngram, unseen)
        norms = tuple(math.sqrt(sum(weight**2 for weight in of_order.values())) for of_order in weights)
        return cls(weights, norms, sum(count for ngram, count in counts.items() if len(ngram) == 1))

    def likeness(self, reference: _Caption) -> float:
        """The mean over the orders, before it is multiplied by 10."""
        total = 0.0
        for mine, its, norm in zip(self.weights, reference.weights, self._products(reference), strict=True):
            product = sum(min(weight, its[ngram]) * its[ngram] for ngram, weight in mine.items() if ngram in its)
            total += product / norm if norm else 0.0
        return total / len(_ORDERS) * math.exp(-((self.length - reference.length) ** 2) / (2 * _SIGMA**2))

    def _products(self, reference: _Caption) -> list[float]:
        return [a * b for a, b in zip(self.norms, reference.norms, strict=True)]


def _count(text: str) -> NGrams:
    words = plain_words(text)
    return sum((ngrams(words, order) for order in _ORDERS), NGrams())
