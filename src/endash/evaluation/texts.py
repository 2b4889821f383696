"""Perplexity, and how varied answers are: distinct-n."""

from __future__ import annotations

import math

import numpy as np

from endash.errors import CorpusError
from endash.evaluation.resampling import Floats
from endash.evaluation.rouge import ngrams
from endash.evaluation.scorer import AdditiveScorer, Answered, Scorer
from endash.evaluation.words import plain_words


class Perplexity(AdditiveScorer):
    """exp of the mean negative log-likelihood, in nats, that a model gives to a token of the references; lower is better.

    Models whose tokens differ do not compare: a token is then more or less of a text.
    """

    name, title, lower, digits, asks_model = "perplexity", "perplexity", True, 2, True

    def statistics(self, given: Answered) -> Floats:
        """Nats and tokens of each record's reference, (N, 2)."""
        if not given.losses:
            raise CorpusError(
                "perplexity is of a model's losses, and none were given: give losses = (nats, tokens) a record"
            )
        rows = np.array(given.losses, dtype=np.float64)
        if wrong := [
            row for row, (nats, tokens) in enumerate(given.losses) if not (math.isfinite(nats) and tokens >= 1)
        ]:
            raise CorpusError(
                f"record {wrong[0] + 1} has the loss {given.losses[wrong[0]]}: it must be a finite number of nats, and 1 token or more"
            )
        return rows

    def values(self, sums: Floats) -> Floats:
        """exp(nats / tokens)."""
        return np.exp(np.minimum(sums[:, 0] / sums[:, 1], 700.0))  # what is larger has no float64

    def why_not_compare(self, a: Floats, b: Floats) -> str | None:
        """See `AdditiveScorer.why_not_compare`: the two have other tokens."""
        counts = [int(one[:, 1].sum()) for one in (a, b)]
        if counts[0] == counts[1]:
            return None
        return (
            f"perplexity is that of a token, and the same texts are {counts[0]:,} and {counts[1]:,} tokens of the two models: it "
            "does not tell which is better"
        )

    def settings(self, given: Answered) -> list[str]:
        """Of how many tokens."""
        return [f"tokens:{sum(tokens for _, tokens in given.losses)}"]


class Distinct(Scorer):
    """distinct-n: different n-grams as a share of all n-grams of the answers (Li et al. 2016), higher is more varied.

    It falls as more records are answered, so figures of sets of other sizes do not compare, nor does it have an interval.
    """

    digits = 3

    def __init__(self, order: int) -> None:
        self.order, self.name, self.title = order, f"distinct-{order}", f"distinct-{order}"

    def value(self, given: Answered) -> float:
        """The share, 0 to 1; 0 where there is no n-gram."""
        counts = ngrams((), self.order)
        for text in given.texts(self.name):
            counts.update(ngrams(plain_words(text), self.order))
        return len(counts) / counts.total() if counts else 0.0

    def settings(self, given: Answered) -> list[str]:
        """Of how many answers."""
        return [f"answers:{len(given)}", "case:lc", "punct:no"]

    def notes(self, given: Answered) -> tuple[str, ...]:
        """That it has no interval."""
        return (f"{self.title} does not add up over records: it has no interval and no p-value",)
