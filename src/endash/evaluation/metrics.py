"""The metrics by name, as recipes and commands name them; and BLEU, chrF and TER of plain lists of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from endash.errors import CorpusError, RecipeError, nearest
from endash.evaluation.cider import Cider
from endash.evaluation.edits import ErrorRate
from endash.evaluation.entities import EntityF1
from endash.evaluation.labels import F1, Accuracy
from endash.evaluation.latents import ActiveUnits, Kl, Nll
from endash.evaluation.rouge import Rouge
from endash.evaluation.scorer import Metric, Scorer, answered
from endash.evaluation.slots import SlotErrors
from endash.evaluation.texts import Distinct, Perplexity
from endash.evaluation.translation import SacreScorer, tokenizer_for

TRANSLATION = ("bleu", "chrf", "ter")

_MADE: Mapping[str, Callable[[str | None], Scorer]] = {
    "bleu": lambda language: SacreScorer("bleu", tokenizer_for(language)),
    "chrf": lambda language: SacreScorer("chrf", tokenizer_for(language)),
    "ter": lambda language: SacreScorer("ter", tokenizer_for(language)),
    "accuracy": lambda _: Accuracy(),
    "macro_f1": lambda _: F1("macro"),
    "micro_f1": lambda _: F1("micro"),
    "weighted_f1": lambda _: F1("weighted"),
    "entity_f1": lambda _: EntityF1(),
    "wer": lambda _: ErrorRate("word"),
    "cer": lambda _: ErrorRate("character"),
    "rouge-1": lambda _: Rouge("1"),
    "rouge-2": lambda _: Rouge("2"),
    "rouge-l": lambda _: Rouge("l"),
    "cider": lambda _: Cider(),
    "perplexity": lambda _: Perplexity(),
    "distinct-1": lambda _: Distinct(1),
    "distinct-2": lambda _: Distinct(2),
    "ser": lambda _: SlotErrors(),
    "nll": lambda _: Nll(),
    "kl": lambda _: Kl(),
    "units": lambda _: ActiveUnits(),
}
NAMES = tuple(_MADE)


def scorer(name: str, *, language: str | None = None) -> Scorer:
    """The metric called `name`; `language` is the texts', which chooses the tokenizer of BLEU and TER.

    COMET has no name, for it is made from a model's folder, by `comet.Comet`. Raises RecipeError for a name that is unknown.
    """
    if name not in _MADE:
        raise RecipeError(f"metric {name!r} is unknown: {nearest(name, NAMES)}")
    return _MADE[name](language)


def is_lower_better(name: str) -> bool:
    """Whether the metric called `name` is better when lower. Raises RecipeError for a name that is unknown."""
    return bool(scorer(name).lower)


def of_answers(name: str) -> bool:
    """Whether the metric called `name` is of answers and references alone, so that a training can go by it."""
    return not scorer(name).asks_model


def bleu(
    hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool = False, tokenize: str | None = None
) -> Metric:
    """BLEU of a corpus, 0 to 100, higher is better; `tokenize` is from `tokenizer_for`, ``13a`` if None.

    Raises CorpusError for lists that are empty or of unequal length, RecipeError for an unknown tokenizer.
    """
    return _score("bleu", hypotheses, references, confidence=confidence, tokenize=tokenize)


def chrf(
    hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool = False, tokenize: str | None = None
) -> Metric:
    """chrF2 of a corpus, 0 to 100, higher is better; over characters, whatever `tokenize` is. Raises as `bleu`."""
    return _score("chrf", hypotheses, references, confidence=confidence, tokenize=tokenize)


def ter(
    hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool = False, tokenize: str | None = None
) -> Metric:
    """TER of a corpus: edits per hundred reference words, lower is better. Raises as `bleu`.

    With a tokenizer for text without spaces, sacrebleu's own splitting of Chinese and Japanese characters is used.
    """
    return _score("ter", hypotheses, references, confidence=confidence, tokenize=tokenize)


def _score(
    name: str, hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool, tokenize: str | None
) -> Metric:
    if len(hypotheses) != len(references):
        raise CorpusError(
            f"{len(hypotheses)} hypotheses for {len(references)} references: "
            "give one hypothesis a reference, in the same order (an empty line counts)"
        )
    if not references:
        raise CorpusError("0 hypotheses and 0 references: a metric needs at least one of each")
    return SacreScorer(name, tokenize).measure(answered(hypotheses, references), confidence=confidence).metric
