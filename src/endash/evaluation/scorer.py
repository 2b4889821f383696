"""What a metric is: statistics of each record that add up, and the figure that their sums make.

With that every metric has an interval and a significance (`resampling`) without being computed again on texts. A metric that
does not add up, such as distinct-n, is a plain `Scorer`. N records, K statistics a record, R sums.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import endash
from endash.errors import CorpusError
from endash.evaluation import resampling
from endash.evaluation.resampling import Floats

Answer = str | tuple[str, ...]
"""A text, a label, or a tag for each word."""

Test = Literal["bootstrap", "randomisation"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a corpus in its metric's points, its signature, and the bounds of its 95 % interval if asked for.

    `title` and `digits` say how it is written, `lower` that it is better when lower; None if neither side is the better.
    """

    name: str
    value: float
    signature: str
    low: float | None = None
    high: float | None = None
    title: str = ""
    lower: bool | None = False
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """A system's answers to N records beside what is right; made by `answered`, which checks them.

    `references` are for each record all that is right: one text or several, one label, or a tag for each word. `sources` are
    for the metrics that read them, `losses` (nats, tokens) of each record's reference for perplexity and `nll`, `latents` the
    posterior mean and the KL of each latent dimension, (N, 2, Z), for `kl` and `units`, and `labels` are the names that are counted,
    where they are known to be more than what occurs. `where` is the file and line of each record, and `probabilities` what the
    system gave each answered label; both are empty where that is not known.
    """

    answers: tuple[Answer, ...]
    references: tuple[tuple[str, ...], ...]
    sources: tuple[str, ...] = ()
    losses: tuple[tuple[float, int], ...] = ()
    labels: tuple[str, ...] = ()
    latents: Floats | None = field(default=None, repr=False, compare=False)
    where: tuple[str, ...] = ()
    probabilities: tuple[tuple[float, ...], ...] = ()

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.answers)

    def words(self, row: int) -> list[str]:
        """The words of a source that has a tag for each; none where they are not known."""
        words = self.sources[row].split() if self.sources else []
        return words if len(words) == len(self.references[row]) else []

    def texts(self, metric: str) -> list[str]:
        """The answers as texts. Raises CorpusError, in the name of the metric that asks, if one is a row of tags."""
        texts = [answer for answer in self.answers if isinstance(answer, str)]
        if len(texts) < len(self.answers):
            raise CorpusError(f"{metric} measures texts, and these answers are tags: ask for a metric of tags")
        return texts

    def references_signature(self) -> str:
        """How many references a record has, as sacrebleu's signatures say it: ``nrefs:1``, or ``nrefs:var``."""
        counts = {len(references) for references in self.references}
        return f"nrefs:{counts.pop() if len(counts) == 1 else 'var'}"


def answered(
    answers: Sequence[str | Sequence[str]],
    references: Sequence[str | Sequence[str]],
    *,
    sources: Sequence[str] = (),
    losses: Sequence[tuple[float, int]] = (),
    latents: Floats | None = None,
    where: Sequence[str] = (),
    probabilities: Sequence[Sequence[float]] = (),
) -> Answered:
    """Answers beside their references, of which a record may have several; a plain string is one.

    Raises CorpusError if there is no record, if one has no reference, or if the lists do not have one entry a record.
    """
    if not len(references):
        raise CorpusError("0 records to evaluate: the corpus is empty, or its filters dropped every record")
    for name, given in (
        ("answers", answers),
        ("sources", sources),
        ("losses", losses),
        ("latents", () if latents is None else latents),
        ("where", where),
        ("probabilities", probabilities),
    ):
        if len(given) != len(references) and (name == "answers" or len(given)):
            raise CorpusError(
                f"{len(given)} {name} for {len(references)} records: give one a record, in the same order "
                "(an empty line counts)"
            )
    right = tuple((one,) if isinstance(one, str) else tuple(one) for one in references)
    if () in right:
        raise CorpusError(f"record {right.index(()) + 1} has no reference: leave it out, or give what is right")
    given = tuple(answer if isinstance(answer, str) else tuple(answer) for answer in answers)
    return Answered(
        given,
        right,
        tuple(sources),
        tuple(losses),
        latents=latents,
        where=tuple(where),
        probabilities=tuple(map(tuple, probabilities)),
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """A metric's figure, and the statistics (N, K) that it was made of, if they add up."""

    scorer: Scorer
    metric: Metric
    statistics: Floats | None = field(default=None, repr=False, compare=False)


class Scorer(ABC):
    """A metric: its `name` in recipes and files, its `title` in print, and whether `lower` is better, None if neither is.

    One that `asks_model` is of more than answers: of what the model makes of the references.
    """

    name: str
    title: str
    lower: bool | None = False
    digits: int = 1
    asks_model: bool = False

    @abstractmethod
    def value(self, given: Answered) -> float:
        """The figure of all records together."""

    def measure(self, given: Answered, *, confidence: bool = False) -> Scored:
        """The figure with its signature; `confidence` adds the 95 % interval, where the metric has one."""
        return Scored(self, self._metric(self.value(given), self.signature(given)))

    def _metric(self, value: float, signature: str, low: float | None = None, high: float | None = None) -> Metric:
        return Metric(self.name, value, signature, low, high, self.title, self.lower, self.digits)

    def settings(self, given: Answered) -> list[str]:
        """What the figure depends on, as ``key:value``: the parts of its signature."""
        return [given.references_signature()]

    def signature(self, given: Answered, test: Test | None = None) -> str:
        """One line that says how the figure was made, and its interval or p-value if `test` says that it has one."""
        count = {"bootstrap": f"bs:{resampling.RESAMPLES}", "randomisation": f"ar:{resampling.TRIALS}"}
        tested = [count[test], f"seed:{resampling.SEED}"] if test else []
        return "|".join([self.name, *self.settings(given), *tested, f"endash:{endash.__version__}"])

    def notes(self, given: Answered) -> tuple[str, ...]:
        """What a reader of the figure has to know: what was repaired, or could not be counted."""
        return ()


class AdditiveScorer(Scorer):
    """A metric whose figure is a function of sums over records. `by_record`: it says something of a single record, too."""

    by_record: bool = True

    @abstractmethod
    def statistics(self, given: Answered) -> Floats:
        """What each record adds, (N, K). Raises CorpusError if the answers are not what this metric measures."""

    @abstractmethod
    def values(self, sums: Floats) -> Floats:
        """The figures (R,) of sums (R, K)."""

    def measure(self, given: Answered, *, confidence: bool = False) -> Scored:
        """The figure with its signature, the statistics that it is made of, and its 95 % interval if asked for."""
        statistics = self.statistics(given)
        value, signature = self.of_statistics(statistics), self.signature(given, "bootstrap" if confidence else None)
        bounds = self.interval(statistics) if confidence else (None, None)
        return Scored(self, self._metric(value, signature, *bounds), statistics)

    def value(self, given: Answered) -> float:
        """The figure of all records together."""
        return self.of_statistics(self.statistics(given))

    def of_statistics(self, statistics: Floats) -> float:
        """The figure of all records together, from the statistics (N, K) of each."""
        return float(self.values(statistics.sum(axis=0)[None])[0])

    def interval(self, statistics: Floats) -> tuple[float, float]:
        """The bounds of the 95 % interval, from the statistics (N, K) of each record."""
        return resampling.interval(self.values, statistics)

    def why_not_compare(self, a: Floats, b: Floats) -> str | None:
        """Why the figures of two systems, of these statistics of the same records, say nothing of which is better."""
        return None

    def p_value(self, a: Floats, b: Floats) -> float:
        """How likely a difference as large as that of two systems would be if they were equally good."""
        return resampling.p_value(self.values, a, b, trials=resampling.TRIALS)


class RatioScorer(AdditiveScorer):
    """A metric whose figure is the sum of one statistic over that of another, `scale` times: a mean, where the other is 1."""

    scale: float = 1.0

    def values(self, sums: Floats) -> Floats:
        """See `AdditiveScorer.values`, of sums (R, 2)."""
        return self.scale * sums[:, 0] / sums[:, 1]
